# SPDX-License-Identifier: GPL-3.0-or-later
"""Which invocation made which artefact.

Names in a Job's own log decide. Without them the server's order does: a snapshot belongs to the Job that was added last
before its object was made, or the engine first showed it. What the engine never showed is placed between its neighbours
in the engine's log.
Where that leaves more than one Job, the artefact stays loose, and the checks say so; nothing is guessed by time.
"""

from __future__ import annotations

import bisect
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import (
    Artefact,
    Attempt,
    Case,
    Invocation,
)
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import evidence_path
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind, Life
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence


class _Named(t.NamedTuple):
    """A Job's own log says that it made this."""

    invocation: int
    attempt: str
    evidence: Evidence
    snapshot: str = ""


class _Sighting(t.NamedTuple):
    """When the engine first showed something, and when it last did not."""

    version: int
    before: int  # resourceVersion of the last sighting without it; 0 when there was none
    evidence: Evidence
    snapshot: str = ""


def attribute(case: Case) -> None:
    """Give each of the cell's artefacts to the invocation that made it, or leave it loose."""
    named = _named(case)
    _attribute_snapshots(case, named["snapshot"])
    _attribute_backups(case, named["backup"])
    for invocation in case.invocations:
        _name_attempts(case, invocation, invocation.snapshots)
        _name_attempts(case, invocation, invocation.backups)


def _named(case: Case) -> Mapping[ArtefactKind, dict[str, _Named]]:
    found: dict[ArtefactKind, dict[str, _Named]] = {"snapshot": {}, "backup": {}}
    patterns = [item for item in case.profile.created if item.source == "job"] if case.profile is not None else []
    for invocation in case.invocations:
        for attempt in invocation.attempts:
            for line in attempt.log.about(case.cell.volume) if attempt.log is not None else ():
                for pattern in patterns:
                    names = pattern.find(line, case.cell.volume)
                    if names is None or attempt.log is None:
                        continue
                    where = Evidence(evidence_path(attempt.log), f"line {line.number}", line.message[:200])
                    backup, snapshot = names.get("backup", ""), names.get("snapshot", "")
                    entry = _Named(invocation.position, str(attempt), where, snapshot)
                    if backup and (backup not in found["backup"] or snapshot):
                        found["backup"][backup] = entry
                    if snapshot:
                        found["snapshot"][snapshot] = entry
    return found


def _attribute_snapshots(case: Case, named: Mapping[str, _Named]) -> None:
    seen = _sightings(case, "snapshot")
    first = 0 if case.lacks("jobs") else _first_added(case)
    case.older_snapshots = sum(1 for sighting in seen.values() if sighting.version < first)
    logged = [item for item in case.index.engine_snapshots.get(case.cell.volume, []) if item.job in ("", case.cell.job)]
    made: dict[str, Artefact] = {}
    between = _Between(case, [item.name for item in logged], seen)
    for name, sighting in seen.items():
        if sighting.version >= first:
            made[name] = _by_order(case, "snapshot", name, sighting)
    for place, item in enumerate(logged):
        evidence = Evidence(item.path, f"line {item.line}", f"Snapshot: {item.name}")
        if item.name in made:
            made[item.name].sources.add("engine log")
            made[item.name].evidence.append(evidence)
        elif item.name not in seen and item.job:
            made[item.name] = between.artefact(item.name, place, evidence)
    for name, entry in named.items():
        if name in seen and name not in made:
            continue  # older than all Jobs: a backup of it does not make it this Job's
        artefact = made.setdefault(name, Artefact("snapshot", name, entry.invocation, (entry.invocation,)))
        if entry.invocation in artefact.candidates:
            _take_name(artefact, entry)
    order = {item.name: place for place, item in enumerate(logged)}
    _hand_out(case, sorted(made.values(), key=lambda item: order.get(item.name, len(order))))


def _attribute_backups(case: Case, named: Mapping[str, _Named]) -> None:
    seen = _sightings(case, "backup")
    first = 0 if case.lacks("jobs") else _first_added(case)
    of_snapshot = {item.name: invocation.position for invocation in case.invocations for item in invocation.snapshots}
    made: dict[str, Artefact] = {}
    for name, sighting in seen.items():
        if sighting.version < first and name not in named:
            case.older_backups += 1
            continue
        owner = of_snapshot.get(sighting.snapshot)
        artefact = _by_order(case, "backup", name, sighting)
        if owner is not None:
            artefact.invocation, artefact.candidates = owner, (owner,)
        made[name] = artefact
    for name, entry in named.items():
        artefact = made.setdefault(name, Artefact("backup", name, entry.invocation, (entry.invocation,)))
        artefact.snapshot = artefact.snapshot or entry.snapshot
        _take_name(artefact, entry)
    _add_stored(case, made, older={name for name, sighting in seen.items() if sighting.version < first})
    for name in made.keys() & case.index.lives.of("backup", case.cell.volume).keys():
        made[name].sources.add("api")
    _hand_out(case, list(made.values()))


def _add_stored(case: Case, made: dict[str, Artefact], *, older: set[str]) -> None:
    """What the store itself lists; alone it cannot say which Job made it, or whether it is older than all of them."""
    first_record = case.invocations[0].seen.added_record if case.invocations else 0
    dump = case.index.origin == "dump"
    listings = [store for store in (*case.index.stores, *case.index.managers) if not store.error]
    for place, store in enumerate(listings):
        for backup in store.backups:
            if backup.volume != case.cell.volume or backup.name in older or _somebody_elses(backup, case.cell.job):
                continue
            artefact = made.get(backup.name)
            if artefact is None:
                if not dump and store.number < first_record:
                    older.add(backup.name)
                    case.older_backups += 1
                    continue
                everyone = tuple(item.position for item in case.invocations)
                artefact = made[backup.name] = Artefact("backup", backup.name, None, everyone)
                artefact.maybe_older = dump and place == 0
            artefact.snapshot = artefact.snapshot or backup.snapshot
            source, what = ("api", "manager's list") if store in case.index.managers else ("store", "store listing")
            if source not in artefact.sources:
                artefact.sources.add(source)
                artefact.evidence.append(Evidence(what, f"record {store.number}", backup.key))


def _somebody_elses(backup: model.StoredBackup, job: str) -> bool:
    return bool(backup.labels) and backup.labels.get(objects.JOB_LABEL) != job


def _sightings(case: Case, kind: ArtefactKind) -> dict[str, _Sighting]:
    """By name. An object that was made for a job tells exactly when; others only that it was there by then."""
    found = _shown_by_engine(case, kind)
    looks = [fact.meta.version for fact in case.index.engines.get(case.cell.volume, []) if fact.known]
    for name, lives in case.index.lives.of(kind, case.cell.volume).items():
        life = lives[0]
        if life.job != case.cell.job:
            continue
        if life.made_in_record:
            found[name] = _Sighting(life.added, life.added - 1, life.at(life.added, _what(life)), life.snapshot)
        elif name not in found and (kind == "snapshot" or life.first.asked_for):
            place = bisect.bisect_left(looks, life.added)
            before = looks[place - 1] if place and not life.listed else 0
            found[name] = _Sighting(life.added, before, life.at(life.added, _what(life)), life.snapshot)
    return found


def _what(life: Life) -> str:
    return f"{life.kind} {life.name}" + (f" of {life.snapshot}" if life.snapshot else "")


def _shown_by_engine(case: Case, kind: ArtefactKind) -> dict[str, _Sighting]:
    found: dict[str, _Sighting] = {}
    foreign: set[str] = set()
    before = 0
    for fact in case.index.engines.get(case.cell.volume, []):
        if not fact.known:
            continue
        version = fact.meta.version
        foreign |= {item.name for item in fact.snapshots if item.job != case.cell.job}
        if kind == "snapshot":
            entries = [(item.name, "") for item in fact.snapshots if item.name not in foreign]
        else:
            entries = [(item.name, item.snapshot) for item in fact.backups if item.snapshot not in foreign]
        for name, snapshot in entries:
            entry = found.get(name)
            if entry is None or (snapshot and not entry.snapshot):
                text = f"{kind} {name}" + (f" of {snapshot}" if snapshot else "")
                where = Evidence(f"engines/{fact.meta.name}", f"resourceVersion {version}", text)
                first, earlier = (entry.version, entry.before) if entry else (version, before)
                found[name] = _Sighting(first, earlier, where, snapshot)
        before = version
    return found


def _first_added(case: Case) -> int:
    return case.invocations[0].seen.added if case.invocations else 0


def _by_order(case: Case, kind: ArtefactKind, name: str, sighting: _Sighting) -> Artefact:
    """The last Job added before the engine showed it; one that still ran at the look before that stays possible."""
    if case.jobs_unseen:  # when a Job was added is not known, nor which others there were
        everyone = tuple(item.position for item in case.invocations)
        artefact = Artefact(kind, name, None, everyone, snapshot=sighting.snapshot, maybe_older=True)
        artefact.sources.add("api")
        artefact.evidence.append(sighting.evidence)
        return artefact
    added = bisect.bisect_left(case.added, sighting.version)
    owner = added - 1 if added else None
    candidates = [] if owner is None else [owner]
    for place in range(added - 2, -1, -1):
        if case.last_over[place] < sighting.before:
            break  # all before this one were over by then
        over = case.invocations[place].seen.over
        if over is None or over >= sighting.before:
            candidates.insert(0, place)
    if len(candidates) > 1 and case.lacks("engines"):
        owner = None  # the first sighting may be long after the making
    artefact = Artefact(
        kind=kind,
        name=name,
        invocation=owner,
        candidates=tuple(candidates),
        snapshot=sighting.snapshot,
    )
    artefact.sources.add("api")
    artefact.evidence.append(sighting.evidence)
    return artefact


@dataclass
class _Between:
    """Creations that the engine's status never showed, between their neighbours in the engine's log."""

    case: Case
    order: list[str]
    seen: Mapping[str, _Sighting]

    @cached_property
    def owner(self) -> dict[str, int]:
        first = _first_added(self.case)
        return {
            known: max(0, bisect.bisect_left(self.case.added, sighting.version) - 1)
            for known, sighting in self.seen.items()
            if sighting.version >= first
        }

    def artefact(self, name: str, place: int, evidence: Evidence) -> Artefact:
        case, owner = self.case, self.owner
        earlier = next((item for item in reversed(self.order[:place]) if item in self.seen), None)
        low = owner.get(earlier, 0) if earlier is not None else 0
        high = next((owner[item] for item in self.order[place + 1 :] if item in owner), len(case.invocations) - 1)
        candidates = tuple(range(low, high + 1)) if case.invocations else ()
        older = earlier not in owner if earlier is not None else not _made_in_record(case)
        older = older or bool(case.lacks("jobs"))
        alone = len(candidates) == 1 and not older
        artefact = Artefact("snapshot", name, candidates[0] if alone else None, candidates)
        artefact.maybe_older = older
        artefact.sources.add("engine log")
        artefact.evidence.append(evidence)
        return artefact


def _made_in_record(case: Case) -> bool:
    """Whether the CronJob itself is younger than the record, so that nothing of it can be older."""
    return bool(case.cronjobs) and not case.cronjobs[0].baseline


def _take_name(artefact: Artefact, entry: _Named) -> None:
    artefact.invocation, artefact.candidates = entry.invocation, (entry.invocation,)
    artefact.attempt, artefact.maybe_older = entry.attempt, False
    artefact.sources.add("job")
    artefact.evidence.insert(0, entry.evidence)


def _hand_out(case: Case, artefacts: list[Artefact]) -> None:
    for artefact in artefacts:
        if artefact.invocation is None:
            case.loose.append(artefact)
        else:
            case.invocations[artefact.invocation].made(artefact.kind).append(artefact)


def _name_attempts(case: Case, invocation: Invocation, artefacts: list[Artefact]) -> None:
    """Say which attempt made what: by name where the log has it, else by order if it is clear which made one."""
    if not artefacts:
        return
    makers = list(invocation.attempts)
    if len(makers) != len(artefacts):
        # clean-up comes after creation; an attempt killed before it may have made nothing
        makers = [attempt for attempt in makers if _reached_clean_up(case, attempt)]
    if len(makers) == len(artefacts):
        for artefact, attempt in zip(artefacts, makers, strict=True):
            artefact.attempt = artefact.attempt or str(attempt)
    numbers = ", ".join(str(attempt.number) for attempt in invocation.attempts)
    for artefact in artefacts:
        artefact.attempt = artefact.attempt or (f"one of attempts {numbers}" if numbers else "unknown attempt")


def _reached_clean_up(case: Case, attempt: Attempt) -> bool:
    profile = case.profile
    patterns = (*profile.warnings, *profile.fatal, *profile.cleaned_up) if profile is not None else ()
    return attempt.log is not None and any(
        pattern.source == "job" and pattern.find(line, case.cell.volume) is not None
        for line in attempt.log.about(case.cell.volume)
        for pattern in patterns
    )
