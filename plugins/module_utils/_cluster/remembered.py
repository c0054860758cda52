# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster still remembers of its recurring jobs, read once and written down as a history.

Lists and logs only: nothing is changed, and nothing is waited for. Whatever may not or cannot be read becomes a gap of
that kind, which names the missing verb; a look back never claims to have seen everything.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    Forbidden,
    LonghornQAError,
    NotFound,
    Unauthorized,
    Unreachable,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import HistoryWriter
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.tracker import Ours, is_daemon, metadata
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, StoredBackup


@dataclass
class Stored:
    """What the store said: a listing, or why there is none."""

    target: str
    backups: tuple[StoredBackup, ...] = ()
    error: str = ""
    deleted: tuple[StoredBackup, ...] = ()


@dataclass
class Remembered:
    """All objects by kind, and why a kind is not known. A kind that this Longhorn does not have is in neither."""

    objects: dict[str, tuple[Object, ...]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that were looked at, also in vain."""
        return (*self.objects, *self.unknown)

    def of(self, kind: str) -> tuple[Object, ...]:
        """The objects of a kind; none when it could not be listed."""
        return self.objects.get(kind, ())


def look(client: Client, namespace: str) -> Remembered:
    """One LIST of each kind. Credentials that are refused and a server that is away are errors, all else is a gap."""
    found = Remembered()
    for candidates in (*kinds.OBSERVED, *kinds.OBSERVED_LATER):
        plural = candidates[0].plural
        try:
            kind = candidates[0] if len(candidates) == 1 else client.served(*candidates)
            if kind is not None:
                found.objects[plural] = client.list(kind, namespace=namespace).items
            elif candidates in kinds.OBSERVED:
                found.unknown[plural] = f"the server does not have {plural}"
        except (Unauthorized, Unreachable):
            raise
        except Forbidden as error:
            found.unknown[plural] = error.lacking("list", plural)
        except NotFound as error:
            found.unknown[plural] = f"{error.problem}: {error.expected or plural}"
        except LonghornQAError as error:
            found.unknown[plural] = str(error)
    return found


@dataclass(frozen=True)
class Writing:
    """Writes a look into a history."""

    client: Client
    namespace: str
    writer: HistoryWriter

    def write(self, found: Remembered, cells: Iterable[Cell], stored: Stored | None) -> None:
        """Objects in the server's order, then logs, then the store."""
        ours = Ours(cells)
        kept = [(kind, document) for kind in found.objects for document in found.of(kind) if ours.wants(kind, document)]
        for kind, document in sorted(kept, key=lambda item: _version(item[1])):
            self.writer.object(kind, "ADDED", document, via="list")
        for kind, reason in found.unknown.items():
            self.writer.gap(kind, reason)
        for kind, document in kept:
            if kind == "pods":
                self._logs(document)
        if "pods" in found.unknown:
            self.writer.gap("logs", f"no pod is known: {found.unknown['pods']}")
        if stored is not None:
            self.writer.store(stored.target, stored.backups, stored.error, deleted=stored.deleted)

    def _logs(self, pod: Object) -> None:
        """The runs that the API still has: the last one, and the one before it."""
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            last = int(container.get("restartCount") or 0)
            if last > 1:
                which = "attempt 0" if last == 2 else f"attempts 0 to {last - 2}"
                self._lost(pod, which, "the API keeps the logs of the last two runs only")
            if last:
                self._log(pod, str(container["name"]), last - 1, previous=True, ended=True)
            state = container.get("state") or {}
            if "running" in state or "terminated" in state:
                self._log(pod, str(container["name"]), last, previous=False, ended="terminated" in state)

    def _log(self, pod: Object, container: str, attempt: int, *, previous: bool, ended: bool) -> None:
        name, uid = str(metadata(pod).get("name", "")), str(metadata(pod).get("uid", ""))
        try:
            stream = self.client.logs(name, namespace=self.namespace, container=container, previous=previous)
        except (Unauthorized, Unreachable):
            raise
        except LonghornQAError as error:
            self._lost(pod, f"attempt {attempt}", _why_no_log(error))
            return
        opened = self.writer.log_opened(uid, name, container, attempt)
        file = self.writer.log_file(opened)
        complete, reason = ended, "the container ended" if ended else "read while the container ran"
        try:
            for chunk in stream.chunks():
                file.append(chunk)
        except LonghornQAError as error:
            complete, reason = False, str(error)
            self._lost(pod, f"attempt {attempt}", reason)
        finally:
            stream.close()
            file.close()
        self.writer.log_closed(opened, size=file.size, complete=complete and not is_daemon(pod), reason=reason)

    def _lost(self, pod: Object, which: str, reason: str) -> None:
        self.writer.gap("logs", f"{which}: {reason}", subject=str(metadata(pod).get("name", "")))


def _why_no_log(error: LonghornQAError) -> str:
    return error.lacking("get", "pods/log") if isinstance(error, Forbidden) else str(error)


def _version(document: Mapping[str, t.Any]) -> int:
    text = str(metadata(document).get("resourceVersion", ""))
    return int(text) if text.isdecimal() else 0
