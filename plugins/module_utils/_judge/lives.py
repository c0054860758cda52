# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's own objects of snapshots and backups, each from its making to its end.

Such an object is there until the thing itself is deleted: in between it is Terminating, however long that takes.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence

ArtefactKind = t.Literal["snapshot", "backup"]

KINDS: Mapping[str, ArtefactKind] = {"snapshots": "snapshot", "backups": "backup"}
MAKING = ("", "Pending", "InProgress")  # states of a backup that is not there yet


@dataclass(slots=True)
class Life:
    """One object. Moments are resourceVersions, the server's own order."""

    kind: ArtefactKind
    first: objects.ArtefactFact
    last: objects.ArtefactFact
    listed: bool  # a LIST showed it first, so that it may be older than it looks
    job: str = ""  # the recurring job's label, as soon as the object had one
    snapshot: str = ""  # of a backup
    there: int | None = None  # a backup: from when on it was made, or could not be
    deleting: int | None = None
    complaint: tuple[int, str] | None = None  # the first message of a deletion that failed
    gone: int | None = None

    @property
    def name(self) -> str:
        return self.first.meta.name

    @property
    def added(self) -> int:
        return self.first.meta.version

    @property
    def made_in_record(self) -> bool:
        """Somebody asked for it, and the record saw that: the object came before the thing."""
        return self.first.asked_for and not self.listed

    def at(self, version: int | None, text: str) -> Evidence:
        """The object at a moment of its life."""
        return Evidence(f"{self.kind}s/{self.name}", f"resourceVersion {version or self.last.meta.version}", text)


@dataclass
class Lives:
    """All of them, collected record by record and in any order."""

    by_uid: dict[str, Life] = field(default_factory=dict)
    by_volume: dict[tuple[ArtefactKind, str], dict[str, list[Life]]] = field(default_factory=dict)
    _in_list: dict[ArtefactKind, set[str]] = field(default_factory=dict)  # what the list that is being read showed

    def take(self, record: model.ObjectSeen) -> objects.ArtefactFact:
        """A sighting."""
        kind = KINDS[record.kind]
        fact = objects.snapshot(record.object) if kind == "snapshot" else objects.backup(record.object)
        version, uid = fact.meta.version, fact.meta.uid
        life = self.by_uid.get(uid)
        if life is None:
            life = self.by_uid[uid] = Life(kind, fact, fact, record.via == "list")
        life.first = fact if version < life.first.meta.version else life.first
        life.last = fact if version >= life.last.meta.version else life.last
        life.job = life.job or fact.job
        life.snapshot = life.snapshot or fact.snapshot
        if fact.state not in MAKING:
            life.there = _earlier(life.there, version)
        if fact.deleting is not None:
            life.deleting = _earlier(life.deleting, version)
            self._complain(life, fact)
        if record.change == "DELETED":
            life.gone = _earlier(life.gone, version)
        if record.via == "list":
            self._in_list.setdefault(kind, set()).add(uid)
        return fact

    @staticmethod
    def _complain(life: Life, fact: objects.ArtefactFact) -> None:
        text = next((item for item in (*fact.messages, fact.error) if item), "")
        version = fact.meta.version
        if fact.state == "Error" and text and (life.complaint is None or version < life.complaint[0]):
            life.complaint = version, text

    def list_done(self, record: model.ListDone) -> None:
        """What a complete list does not show is gone, though nobody told."""
        kind = KINDS.get(record.kind)
        if kind is None:
            return
        shown, version = self._in_list.pop(kind, set()), objects.version_number(record.resource_version)
        for uid, life in self.by_uid.items():
            if life.kind == kind and uid not in shown and life.gone is None and life.last.meta.version <= version:
                life.gone = version

    def finish(self) -> None:
        """Arrange them by volume and name, in the order of their making."""
        for life in sorted(self.by_uid.values(), key=lambda item: (item.added, item.name)):
            self.by_volume.setdefault((life.kind, life.first.volume), {}).setdefault(life.name, []).append(life)

    def of(self, kind: ArtefactKind, volume: str) -> Mapping[str, list[Life]]:
        """A volume's, by name. One that was made anew under its name has more than one life."""
        return self.by_volume.get((kind, volume), {})

    def volumes(self) -> Iterable[tuple[str, str]]:
        """Each name with the volume it belongs to."""
        return ((name, volume) for (_kind, volume), names in self.by_volume.items() for name in names)


def _earlier(known: int | None, version: int) -> int:
    return version if known is None else min(known, version)
