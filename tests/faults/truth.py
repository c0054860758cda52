# SPDX-License-Identifier: GPL-3.0-or-later
"""What really happened, from the lab's own API and files afterwards, and what of it a history neither has nor admits
to have missed."""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import cleaned
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.tracker import Ours, is_daemon
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time
from longhorn_qa_lab.node import crilog

_EVERY = (*kinds.OBSERVED, *kinds.OBSERVED_LATER)
_WHAT_MATTERS = {  # of a status; the rest is for Longhorn itself, and changes when nothing happens
    "snapshots": ("readyToUse", "markRemoved", "parent"),
    "backups": ("state", "snapshotName", "volumeName"),
    "volumes": ("state", "robustness", "currentImage"),
}
ARTEFACTS = ("snapshots", "backups")
_SINCE = re.compile(r"; read from (\S+) on$")


@dataclass
class Truth:
    """Taken when a recording has ended and nothing happens any more."""

    objects: dict[str, dict[str, Object]]  # by kind, by UID
    logs: dict[tuple[str, int], list[crilog.Entry]]  # by pod UID and attempt
    names: dict[str, str]  # of the pods, by UID
    services: frozenset[str]  # UIDs of Longhorn's own pods, whose logs have no end


@dataclass
class Account:
    """What a comparison found."""

    lost: list[str] = field(default_factory=list)  # happened, not recorded, no gap says so
    admitted: list[str] = field(default_factory=list)  # happened, not recorded, a gap says so
    objects: int = 0
    artefacts: int = 0  # snapshots and backups among them
    logs: int = 0
    services: int = 0  # logs without an end among them
    log_bytes: int = 0
    gaps: int = 0

    def __str__(self) -> str:
        return (
            f"{self.objects} objects ({self.artefacts} artefacts), {self.logs} logs ({self.services} without an end) "
            f"with {self.log_bytes} bytes, {self.gaps} gap records, "
            f"{len(self.admitted)} losses told, {len(self.lost)} silent"
        )


def take(client: Client, lab: Path, history: model.History, *, namespace: str) -> Truth:
    """Reads the API, and the log files of the node; what began after the recording's end is not asked for."""
    ours = Ours(history.subjects.cells)
    before = next(record.at for record in history.records if isinstance(record, model.End))
    found: dict[str, dict[str, Object]] = {}
    for kind in filter(None, (client.served(*candidates) for candidates in _EVERY)):
        name, items = kind.plural, client.list(kind, namespace=namespace).items
        wanted = (cleaned(item) for item in items if ours.wants(name, item) and _by(item, before))
        found[name] = {item["metadata"]["uid"]: item for item in wanted}
    logs = {
        (uid, int(path.stem)): list(filter(None, map(crilog.read_entry, path.read_bytes().split(b"\n"))))
        for uid in found["pods"]
        for path in sorted((lab / "node" / "logs" / uid).rglob("*.log"))
    }
    names = {uid: pod["metadata"]["name"] for uid, pod in found["pods"].items()}
    return Truth(found, logs, names, frozenset(uid for uid, pod in found["pods"].items() if is_daemon(pod)))


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
            account.artefacts += kind in ARTEFACTS
            seen = last.get(uid)
            if seen is not None and _state(kind, seen.object) == _state(kind, thing):
                continue
            what = f"{kind} {thing['metadata']['name']} as {_state(kind, thing)}"
            _note(account, what, told=any(_may_hide(gap, thing) for gap in _gaps(history, kind)))
    for key in truth.logs:
        _compare_log(account, history, truth, key=key)
    return account


def _compare_log(account: Account, history: model.History, truth: Truth, *, key: tuple[str, int]) -> None:
    (uid, attempt), pod = key, truth.names[key[0]]
    path, service = f"logs/{uid}/{attempt}.log", uid in truth.services
    kept, text = history.logs.get(path), _text(truth.logs[key])
    due = text
    if service:
        since, until = _asked_for(history, path)
        text = _text(truth.logs[key], since=since)
        due = _text(truth.logs[key], since=since, until=until)
    account.logs += 1
    account.services += service
    account.log_bytes += len(due)
    if kept is not None and text.startswith(kept) and kept.startswith(due):
        return
    told = told_of(history, pod=pod, attempt=attempt) or (kept is None and any(True for _gap in _gaps(history, "pods")))
    size = "no file" if kept is None else f"{len(kept)} bytes"
    if kept is not None and not text.startswith(kept) and not told:
        account.lost.append(f"log of {pod} attempt {attempt}: what was kept is not what was said")
        return
    _note(account, f"log of {pod} attempt {attempt}: {size} of {len(due)}", told=told)


def _asked_for(history: model.History, path: str) -> tuple[int, int]:
    """From when to when a log without an end has to be there, in nanoseconds: until the last thing that was seen."""
    closed = [r for r in history.records if isinstance(r, model.Log) and (r.path, r.state) == (path, "closed")]
    since = _SINCE.search(closed[-1].reason) if closed else None
    seen = [record.at for record in history.records if isinstance(record, model.ObjectSeen)]
    return crilog.parse_nanoseconds(since[1]) if since else 0, crilog.parse_nanoseconds(seen[-1].isoformat())


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
    if kind == "events":
        return thing.get("reason"), thing.get("count"), thing.get("message")
    if kind == "engines":
        return sorted(status.get("snapshots") or ())
    return thing.get("spec"), {name: status.get(name) for name in _WHAT_MATTERS.get(kind, ())}


def _text(entries: list[crilog.Entry], *, since: int = 0, until: float = math.inf) -> bytes:
    """What the container said, without what the node's runtime adds."""
    kept = (entry for entry in entries if since <= crilog.parse_nanoseconds(entry.stamp) <= until)
    return b"".join(entry.text + (b"\n" if entry.full else b"") for entry in kept)
