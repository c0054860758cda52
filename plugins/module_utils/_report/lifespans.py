# SPDX-License-Identifier: GPL-3.0-or-later
"""From when to when a snapshot or backup was there, and since when it was being deleted.

Three sources tell: the engine's status, Longhorn's own object of a snapshot or backup, and the listings of the store.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import Index
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence


@dataclass
class Life:
    """``end`` None: it was still there when the record ended."""

    start: datetime | None = None
    terminating: datetime | None = None  # the deletion was accepted, and the thing was still there
    end: datetime | None = None
    evidence: tuple[Evidence, ...] = ()  # what says that it was being deleted


Key = tuple[str, ArtefactKind, str]  # volume, kind, name
Lives = Mapping[tuple[str, ArtefactKind], Mapping[str, Life]]

_RESOURCES: Mapping[str, ArtefactKind] = {"snapshots": "snapshot", "backups": "backup"}


@dataclass
class _Lives:
    facts: Index
    by_engine: dict[Key, Life] = field(default_factory=dict)
    by_object: dict[Key, Life] = field(default_factory=dict)
    by_store: dict[Key, Life] = field(default_factory=dict)
    present: dict[str, set[Key]] = field(default_factory=dict)  # by volume: what the engine showed last
    uids: dict[Key, str] = field(default_factory=dict)  # of the object that showed it last
    in_list: dict[ArtefactKind, set[Key]] = field(default_factory=dict)  # what the list that is being read showed
    listed: set[Key] = field(default_factory=set)
    now: datetime | None = None  # the server's time at the record that is read

    def object(self, record: model.ObjectSeen) -> None:
        try:
            meta = objects.meta_of(record.object)
        except objects.ObjectError:
            return
        self.now = self.facts.server_time(meta.version) or self.now
        if record.kind == "engines":
            self._engine(record, objects.engine(record.object))
        elif record.kind in _RESOURCES:
            lift = objects.snapshot if record.kind == "snapshots" else objects.backup
            self._resource(record, lift(record.object), _RESOURCES[record.kind])

    def _engine(self, record: model.ObjectSeen, fact: objects.EngineFact) -> None:
        moment = self.facts.server_time(fact.meta.version) or record.at
        if not fact.known and record.change != "DELETED":
            return
        shown: set[Key] = set()
        if record.change != "DELETED":
            status = objects.mapping(record.object, "status")
            where = Evidence(f"engines/{fact.meta.name}", f"resourceVersion {fact.meta.version}")
            for name, entry in objects.mapping(status, "snapshots").items():
                if name != "volume-head" and isinstance(entry, t.Mapping):
                    shown.add(self._snapshot((fact.volume, "snapshot", name), entry, moment, where))
            shown |= {self._seen((fact.volume, "backup", item.name), moment) for item in fact.backups}
        for key in self.present.get(fact.volume, set()) - shown:
            self.by_engine[key].end = moment
        self.present[fact.volume] = shown

    def _snapshot(self, key: Key, entry: Mapping[str, t.Any], moment: datetime, where: Evidence) -> Key:
        self._seen(key, moment)
        life = self.by_engine[key]
        life.start = objects.moment(entry, "created") or life.start
        if entry.get("removed") is True and life.terminating is None:
            life.terminating = moment
            life.evidence = (Evidence(where.what, where.where, f"snapshot {key[2]} removed"),)
        return key

    def _seen(self, key: Key, moment: datetime) -> Key:
        life = self.by_engine.setdefault(key, Life(start=moment))
        life.end = None
        return key

    def _resource(self, record: model.ObjectSeen, fact: objects.ArtefactFact, kind: ArtefactKind) -> None:
        """An object stays there, with a deletionTimestamp, for as long as its deletion is not done."""
        meta = fact.meta
        key: Key = (fact.volume, kind, meta.name)
        moment = self.facts.server_time(meta.version) or record.at
        life = self.by_object.setdefault(key, Life(start=meta.created or moment))
        life.start = fact.made or life.start  # the thing itself may be much older than its object
        if self.uids.get(key) != meta.uid:  # also one that was made anew, because the store still had the backup
            self.uids[key] = meta.uid
            life.terminating, life.evidence = None, ()
        if fact.deleting is not None and life.terminating is None:
            life.terminating = fact.deleting
            where = f"resourceVersion {meta.version}"
            life.evidence = (Evidence(f"{record.kind}/{meta.name}", where, "deletionTimestamp finalizers"),)
        life.end = moment if record.change == "DELETED" else None
        if record.via == "list":
            self.in_list.setdefault(kind, set()).add(key)

    def list_done(self, record: model.ListDone) -> None:
        """What a complete list does not show is gone, though nobody told."""
        kind = _RESOURCES.get(record.kind)
        if kind is None:
            return
        shown = self.in_list.pop(kind, set())
        moment = self.facts.server_time(objects.version_number(record.resource_version)) or record.at
        for key, life in self.by_object.items():
            if key[1] == kind and key not in shown and life.end is None:
                life.end = moment

    def store(self, record: model.Store) -> None:
        if record.error:
            return
        moment = self.now or record.at
        shown: set[Key] = set()
        for backup in record.backups:
            key: Key = (backup.volume, "backup", backup.name)
            shown.add(key)
            life = self.by_store.setdefault(key, Life(start=moment))
            life.end = None
        for key in self.listed - shown:
            self.by_store[key].end = self.by_store[key].end or moment
        self.listed |= shown


def lives(facts: Index) -> Lives:
    """Every artefact that any source showed, by volume and kind, then by name."""
    found = _Lives(facts)
    for record in facts.history.records:
        if isinstance(record, model.ObjectSeen):
            found.object(record)
        elif isinstance(record, model.ListDone):
            found.list_done(record)
        elif isinstance(record, model.Store):
            found.store(record)
    joined: dict[tuple[str, ArtefactKind], dict[str, Life]] = {}
    for key in dict.fromkeys([*found.by_engine, *found.by_object, *found.by_store]):
        sources = [source.get(key) for source in (found.by_engine, found.by_object, found.by_store)]
        joined.setdefault(key[:2], {})[key[2]] = _joined(key[1], *sources)
    return joined


def _joined(kind: ArtefactKind, engine: Life | None, resource: Life | None, stored: Life | None) -> Life:
    """From the first source that showed it to the last one that still did.

    An engine goes on telling of backups that are long gone, so of their end the other sources know best; of their
    beginning, the object that was made for one.
    """
    every = [life for life in (resource, engine, stored) if life is not None]
    first = [resource] if resource is not None and kind == "backup" else every
    lasting = [life for life in (resource, stored) if life is not None] if kind == "backup" else []
    asked = [(life.terminating, life.evidence) for life in every if life.terminating is not None]
    terminating, evidence = min(asked, key=lambda item: item[0], default=(None, ()))
    ends = [life.end for life in lasting or every]
    end = None if None in ends else max(moment for moment in ends if moment is not None)
    if end is not None and terminating is not None:
        end = max(end, terminating)  # the server's time is known to about a tick only
    start = min((life.start for life in first if life.start is not None), default=None)
    return Life(start=start, terminating=terminating, end=end, evidence=evidence)
