# SPDX-License-Identifier: GPL-3.0-or-later
"""What really happened, from the lab's own API and files afterwards, and what of it a history neither has nor admits
to have missed."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.tracker import Ours
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time
from longhorn_qa_lab.node import crilog

_KINDS = {"jobs": kinds.JOBS, "pods": kinds.PODS, "events": kinds.EVENTS}


@dataclass
class Truth:
    """Taken when a recording has ended and nothing happens any more."""

    objects: dict[str, dict[str, Object]]  # by kind, by UID
    logs: dict[tuple[str, int], bytes]  # by pod UID and attempt
    names: dict[str, str]  # of the pods, by UID


@dataclass
class Account:
    """What a comparison found."""

    lost: list[str] = field(default_factory=list)  # happened, not recorded, no gap says so
    admitted: list[str] = field(default_factory=list)  # happened, not recorded, a gap says so
    objects: int = 0
    logs: int = 0
    log_bytes: int = 0
    gaps: int = 0

    def __str__(self) -> str:
        return (
            f"{self.objects} objects, {self.logs} logs with {self.log_bytes} bytes, {self.gaps} gap records, "
            f"{len(self.admitted)} losses told, {len(self.lost)} silent"
        )


def take(client: Client, lab: Path, cells: tuple[model.Cell, ...], *, namespace: str, before: datetime) -> Truth:
    """Reads the API, and the log files of the node. ``before``: what began later is not asked for."""
    ours = Ours(cells)
    found: dict[str, dict[str, Object]] = {}
    for name, kind in _KINDS.items():
        items = client.list(kind, namespace=namespace).items
        found[name] = {item["metadata"]["uid"]: item for item in items if ours.wants(name, item) and _by(item, before)}
    logs = {
        (uid, int(path.stem)): _text(path)
        for uid in found["pods"]
        for path in sorted((lab / "node" / "logs" / uid).rglob("*.log"))
    }
    return Truth(found, logs, {uid: pod["metadata"]["name"] for uid, pod in found["pods"].items()})


def compare(history: model.History, truth: Truth) -> Account:
    """Every object's last state, every attempt and every byte: there, or told to be missing."""
    account = Account(gaps=sum(isinstance(record, model.Gap) for record in history.records))
    last = {
        str(record.object["metadata"]["uid"]): record for record in history.records
        if isinstance(record, model.ObjectSeen)
    }  # fmt: skip
    for kind, objects in truth.objects.items():
        for uid, thing in objects.items():
            account.objects += 1
            seen = last.get(uid)
            if seen is not None and _state(kind, seen.object) == _state(kind, thing):
                continue
            what = f"{kind} {thing['metadata']['name']} as {_state(kind, thing)}"
            _note(account, what, told=any(_may_hide(gap, thing) for gap in _gaps(history, kind)))
    for (uid, attempt), text in truth.logs.items():
        account.logs += 1
        account.log_bytes += len(text)
        _compare_log(account, history, truth, key=(uid, attempt))
    return account


def _compare_log(account: Account, history: model.History, truth: Truth, *, key: tuple[str, int]) -> None:
    (uid, attempt), text, pod = key, truth.logs[key], truth.names[key[0]]
    kept = history.logs.get(f"logs/{uid}/{attempt}.log")
    if kept == text:
        return
    told = told_of(history, pod=pod, attempt=attempt) or (kept is None and any(True for _gap in _gaps(history, "pods")))
    size = "no file" if kept is None else f"{len(kept)} bytes"
    if kept is not None and not text.startswith(kept) and not told:
        account.lost.append(f"log of {pod} attempt {attempt}: what was kept is not what was said")
        return
    _note(account, f"log of {pod} attempt {attempt}: {size} of {len(text)}", told=told)


def told_of(history: model.History, *, pod: str, attempt: int) -> bool:
    """Whether a gap says that this log is not whole."""
    return any(gap.subject == pod and gap.reason.startswith(f"attempt {attempt}:") for gap in _gaps(history, "logs"))


def _note(account: Account, what: str, *, told: bool) -> None:
    (account.admitted if told else account.lost).append(what)


def _gaps(history: model.History, kind: str) -> Iterator[model.Gap]:
    return (record for record in history.records if isinstance(record, model.Gap) and record.kind == kind)


def _may_hide(gap: model.Gap, thing: Object) -> bool:
    """A gap that ended before the thing was made hides nothing of it."""
    return gap.until is None or _made(thing) <= gap.until


def _by(thing: Object, before: datetime) -> bool:
    return _made(thing) < before


def _made(thing: Object) -> datetime:
    return t.cast(datetime, parse_time(thing["metadata"]["creationTimestamp"]))


def _state(kind: str, thing: t.Mapping[str, t.Any]) -> t.Any:
    """What matters of an object at its end."""
    status = thing.get("status") or {}
    if kind == "jobs":
        conditions = {c["type"] for c in status.get("conditions") or () if c.get("status") == "True"}
        return sorted(conditions), status.get("succeeded"), status.get("failed")
    if kind == "pods":
        containers = status.get("containerStatuses") or ()
        return status.get("phase"), [(c.get("name"), c.get("restartCount")) for c in containers]
    return thing.get("reason"), thing.get("count"), thing.get("message")


def _text(path: Path) -> bytes:
    """What the container said, without what the node's runtime adds."""
    entries = filter(None, map(crilog.read_entry, path.read_bytes().split(b"\n")))
    return b"".join(entry.text + (b"\n" if entry.full else b"") for entry in entries)
