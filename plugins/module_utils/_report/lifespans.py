# SPDX-License-Identifier: GPL-3.0-or-later
"""From when to when a snapshot or backup was there, by the engine's status and by the listings of the store."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import ArtefactKind
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import Index


@dataclass
class Life:
    """``end`` None: it was still there when the record ended."""

    start: datetime | None = None
    terminating: datetime | None = None  # the deletion was accepted, and the thing was still there
    end: datetime | None = None


Key = tuple[str, ArtefactKind, str]  # volume, kind, name


@dataclass
class _Lives:
    facts: Index
    in_api: dict[Key, Life] = field(default_factory=dict)
    in_store: dict[Key, Life] = field(default_factory=dict)
    present: dict[str, set[Key]] = field(default_factory=dict)  # by volume: what the engine showed last
    listed: set[Key] = field(default_factory=set)
    now: datetime | None = None  # the server's time at the record that is read

    def engine(self, record: model.ObjectSeen) -> None:
        try:
            fact = objects.engine(record.object)
        except objects.ObjectError:
            return
        moment = self.facts.server_time(fact.meta.version) or record.at
        if not fact.known and record.change != "DELETED":
            return
        shown: set[Key] = set()
        if record.change != "DELETED":
            status = objects.mapping(record.object, "status")
            for name, entry in objects.mapping(status, "snapshots").items():
                if name != "volume-head" and isinstance(entry, t.Mapping):
                    shown.add(self._snapshot((fact.volume, "snapshot", name), entry, moment))
            shown |= {self._seen((fact.volume, "backup", item.name), moment) for item in fact.backups}
        for key in self.present.get(fact.volume, set()) - shown:
            self.in_api[key].end = moment
        self.present[fact.volume] = shown

    def _snapshot(self, key: Key, entry: t.Mapping[str, t.Any], moment: datetime) -> Key:
        self._seen(key, moment)
        life = self.in_api[key]
        life.start = objects.moment(entry, "created") or life.start
        if entry.get("removed") is True and life.terminating is None:
            life.terminating = moment
        return key

    def _seen(self, key: Key, moment: datetime) -> Key:
        life = self.in_api.setdefault(key, Life(start=moment))
        life.end = None
        return key

    def store(self, record: model.Store) -> None:
        if record.error:
            return
        moment = self.now or record.at
        shown: set[Key] = set()
        for backup in record.backups:
            key: Key = (backup.volume, "backup", backup.name)
            shown.add(key)
            life = self.in_store.setdefault(key, Life(start=moment))
            life.end = None
        for key in self.listed - shown:
            self.in_store[key].end = self.in_store[key].end or moment
        self.listed |= shown


def lives(facts: Index) -> dict[Key, Life]:
    """Every artefact that the API or the store showed. Whether a backup still exists, the store knows best."""
    found = _Lives(facts)
    for record in facts.history.records:
        if isinstance(record, model.ObjectSeen):
            version = objects.version_number(
                objects.text(objects.mapping(record.object, "metadata"), "resourceVersion")
            )
            found.now = facts.server_time(version) or found.now
            if record.kind == "engines":
                found.engine(record)
        elif isinstance(record, model.Store):
            found.store(record)
    joined = dict(found.in_api)
    for key, stored in found.in_store.items():
        shown = joined.get(key)
        start = min(moment for moment in (stored.start, shown.start if shown else None) if moment is not None)
        joined[key] = Life(start=start, terminating=shown.terminating if shown else None, end=stored.end)
    return joined
