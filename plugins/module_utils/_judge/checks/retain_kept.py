# SPDX-License-Identifier: GPL-3.0-or-later
"""After the last Job no more of its snapshots and backups are left than it is to retain.

This is for volumes where nothing fails, or nothing fails any more: once a fault is gone, the next clean-up has to bring
back what the failing ones left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._history.objects import JOB_LABEL
from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind, Life
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
    not_applicable,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.tasks import PURGING

ID = "retain-kept"

_LONGER = "Record a little longer after the last Job."


@dataclass(frozen=True)
class _Left:
    """What was there at the last look."""

    names: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    going: tuple[str, ...] = ()  # since the last Job, being deleted
    stuck: tuple[str, ...] = ()  # being deleted since before it
    stale: str = ""  # why less of it may be there by now


def check(case: Case) -> CheckVerdict:
    """By the last look at all after the last judged Job was over."""
    volume = case.cell.volume
    if case.cell.faults is None:
        return not_applicable(ID, volume, "nobody stated which deletions should fail")
    if case.cell.faults:
        return not_applicable(ID, volume, f"{' and '.join(case.cell.faults)} should fail here, so more is kept")
    if case.cell.task in PURGING:
        return not_applicable(ID, volume, f"task {case.cell.task} has nothing to retain")
    finding = Finding()
    grounds.require_watched(finding, case, "jobs")
    grounds.require_invocations(finding, case)
    if case.judged:
        last = case.judged[-1]
        _kind(finding, case, "snapshot", _snapshots(finding, case, last))
        if case.cell.makes_backups:
            _kind(finding, case, "backup", _backups(finding, case, last))
    return conclude(finding, check=ID, volume=volume)


def _kind(finding: Finding, case: Case, kind: ArtefactKind, left: _Left | None) -> None:
    if left is None:
        return
    retain, names = case.cell.retain, (*left.names, *left.stuck)
    told = f"{kind}s left: {len(names)}"
    if len(names) > retain and not left.stale:
        text = f"{told} ({', '.join(names)}), retain is {retain}"
        finding.bad(text + (f"; still Terminating: {', '.join(left.stuck)}" if left.stuck else ""), *left.evidence)
    elif len(names) > retain:
        finding.unclear(f"{told}, retain is {retain}, but {left.stale}", *left.evidence, advice=_LONGER)
    elif len(names) + len(left.going) > retain and not _one_went(case, kind):
        text = f"{kind} {', '.join(left.going)} was still being deleted when the record ended"
        finding.unclear(text, *left.evidence, advice=_LONGER)
    else:
        finding.good(f"{told}, retain is {retain}", *left.evidence)


def _one_went(case: Case, kind: ArtefactKind) -> bool:
    """Whether an earlier deletion was seen to its end, so that the last one may be believed to come to its own."""
    first = case.judged[0].seen.added
    return any(life.gone is not None and life.gone > first for life in _lives(case, kind) if life.deleting is not None)


def _snapshots(finding: Finding, case: Case, last: Invocation) -> _Left | None:
    if grounds.snapshot_source(case) == "objects":
        return _by_objects(finding, case, "snapshot", last)
    grounds.require_watched(finding, case, "engines")
    looks = [fact for fact in case.index.engines.get(case.cell.volume, []) if fact.known]
    own = {item.name for item in last.snapshots}
    if not looks or (own and not own & {item.name for item in looks[-1].snapshots}):
        finding.unclear("the engine was not seen after the last Job's snapshot", advice=grounds.advice_for("engines"))
        return None
    fact = looks[-1]
    later = _of_cut_jobs(case, "snapshot")
    there = (item for item in fact.snapshots if _counts(case, item.job) and not item.removed)
    kept = tuple(item.name for item in there if item.name not in later)
    where = Evidence(f"engines/{fact.meta.name}", f"resourceVersion {fact.meta.version}", ", ".join(kept))
    fresh = fact.meta.version > (last.seen.over or 0) and grounds.settled(case, last)  # its status is sampled
    return _Left(kept, (where,), stale="" if fresh else "the engine was not seen again after the last Job")


def _counts(case: Case, job: str) -> bool:
    """Task snapshot-delete retains among all snapshots, whoever made them; other tasks among their own."""
    return case.cell.task == "snapshot-delete" or job == case.cell.job


def _backups(finding: Finding, case: Case, last: Invocation) -> _Left | None:
    if grounds.backup_kind(case) == "backups":
        return _by_objects(finding, case, "backup", last)
    listings = [store for store in case.index.stores if not store.error]
    if not listings or (case.index.origin == "recorder" and listings[-1].number < last.seen.over_record):
        finding.unclear("the store was not listed after the last Job", advice=grounds.advice_for("store"))
        return None
    own, later = {item.name for item in case.artefacts("backup")}, _of_cut_jobs(case, "backup")
    names = tuple(
        item.name
        for item in listings[-1].backups
        if item.volume == case.cell.volume
        and item.name not in later
        and (item.name in own or item.labels.get(JOB_LABEL) == case.cell.job)
    )
    return _Left(names, (Evidence("store listing", f"record {listings[-1].number}", ", ".join(names)),))


def _by_objects(finding: Finding, case: Case, kind: ArtefactKind, last: Invocation) -> _Left:
    grounds.require_watched(finding, case, f"{kind}s")
    later = _of_cut_jobs(case, kind)
    there = [life for life in _lives(case, kind) if life.gone is None and life.name not in later]
    unseen = case.lacks(f"{kind}s")
    return _Left(
        names=tuple(life.name for life in there if life.deleting is None),
        evidence=tuple(life.at(None, f"{kind} {life.name}") for life in there),
        going=tuple(life.name for life in there if life.deleting is not None and life.deleting > last.seen.added),
        stuck=tuple(life.name for life in there if life.deleting is not None and life.deleting <= last.seen.added),
        stale=unseen[0] if unseen else "",
    )


def _of_cut_jobs(case: Case, kind: ArtefactKind) -> set[str]:
    """Made by a Job that is not judged, or maybe: its own clean-up had yet to come."""
    cut = {item.position for item in case.invocations if item.cut}
    made = {artefact.name for place in cut for artefact in case.invocations[place].made(kind)}
    return made | {item.name for item in case.loose if item.kind == kind and cut.intersection(item.candidates)}


def _lives(case: Case, kind: ArtefactKind) -> Iterator[Life]:
    for some in case.index.lives.of(kind, case.cell.volume).values():
        for life in some:
            if _counts(case, life.job):
                yield life
