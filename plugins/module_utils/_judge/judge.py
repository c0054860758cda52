# SPDX-License-Identifier: GPL-3.0-or-later
"""From a history to its verdicts. Pure: what the judge may not know by itself (profiles, ticks) is handed in."""

from __future__ import annotations

import gc
import typing as t
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge import attribution, correlate, index
from ansible_collections.longhorn.qa.plugins.module_utils._judge.checks import (
    cleanup_warning,
    count_matches_schedule,
    events_recorded,
    fault_live,
    history_complete,
    job_succeeded,
    no_overlap,
    one_backup_per_invocation,
    one_snapshot_per_invocation,
    retain_kept,
    single_attempt,
    store_agrees,
)
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.counts import swallowed
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import clean_ups
from ansible_collections.longhorn.qa.plugins.module_utils._judge.schedule import Ticks
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    RunVerdict,
    worst,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import KnownIssue, Profile

CHECKS = (
    fault_live.ID,
    job_succeeded.ID,
    single_attempt.ID,
    one_snapshot_per_invocation.ID,
    one_backup_per_invocation.ID,
    no_overlap.ID,
    count_matches_schedule.ID,
    cleanup_warning.ID,
    events_recorded.ID,
    store_agrees.ID,
    retain_kept.ID,
    history_complete.ID,
)


class InvocationSummary(t.NamedTuple):
    """One invocation for a reader."""

    name: str
    tick: datetime | None
    by_hand: bool
    cut: str
    state: str  # Complete, Failed, or what it was last
    attempts: int
    snapshots: tuple[str, ...]
    backups: tuple[str, ...]


@dataclass(frozen=True)
class CellJudgement:
    """One cell: what it was to be, what happened, and the verdict over its checks."""

    cell: model.Cell
    verdict: RunVerdict
    invocations: tuple[InvocationSummary, ...]
    checks: tuple[CheckVerdict, ...]
    contract: str = ""  # whether what is intended was met, and whether this release is known not to


@dataclass(frozen=True)
class Judgement:
    """A run's verdict. ``broken`` when there was nothing to judge, with the reason."""

    verdict: RunVerdict
    subjects: model.Subjects
    origin: model.Origin
    cells: tuple[CellJudgement, ...]
    reason: str = ""

    @property
    def checks(self) -> tuple[CheckVerdict, ...]:
        return tuple(check for cell in self.cells for check in cell.checks)


def judge(history: model.History, *, profiles: Callable[[str, model.Task], Profile], ticks: Ticks) -> Judgement:
    """Judge every cell of a history. ``ticks(expression, since, until)`` lists a schedule's times, bounds included."""
    with _without_collector():
        return _judged(history, profiles, ticks)


def _judged(history: model.History, profiles: Callable[[str, model.Task], Profile], ticks: Ticks) -> Judgement:
    """Whatever it made on the way is gone when it returns: the collector, on again, need not look through it."""
    facts = _facts(history)
    if isinstance(facts, Judgement):
        return facts
    left = Counter(cell.cronjob for cell in facts.subjects.cells)
    cells = []
    for case in correlate.correlate(facts, profiles=profiles):
        cells.append(_examined(case, ticks))
        left[case.cell.cronjob] -= 1
        if not left[case.cell.cronjob]:
            case.forget()
    return _judgement(facts, tuple(cells))


def examine(
    history: model.History, *, profiles: Callable[[str, model.Task], Profile], ticks: Ticks
) -> tuple[Judgement, tuple[Case, ...]]:
    """The judgement with what it was made from, one case per cell, for those who show what happened."""
    with _without_collector():
        facts = _facts(history)
        if isinstance(facts, Judgement):
            return facts, ()
        cases = tuple(correlate.correlate(facts, profiles=profiles))
        return _judgement(facts, tuple(_examined(case, ticks) for case in cases)), cases


@contextmanager
def _without_collector() -> Iterator[None]:
    """What is made here is kept and has no cycles: to look for some, again and again, takes longer than to judge."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.freeze()  # and unfrozen, what was made is old at once: young, all of it would be looked through now
            gc.enable()
            gc.unfreeze()


def _facts(history: model.History) -> index.Index | Judgement:
    """The history arranged, or why there is nothing to judge."""
    if not any(isinstance(record, model.Start) for record in history.records):
        return Judgement("broken", model.Subjects(release=""), "recorder", (), "the history has no start record")
    facts = index.build(history)
    if not facts.subjects.cells:
        return Judgement("broken", facts.subjects, facts.origin, (), "the history names no cell to judge")
    return facts


def _judgement(facts: index.Index, cells: tuple[CellJudgement, ...]) -> Judgement:
    verdict = worst(check.verdict for cell in cells for check in cell.checks)
    return Judgement(verdict=verdict, subjects=facts.subjects, origin=facts.origin, cells=cells)


def _examined(case: Case, ticks: Ticks) -> CellJudgement:
    attribution.attribute(case)
    return _cell(case, ticks)


def _cell(case: Case, ticks: Ticks) -> CellJudgement:
    checks = (
        fault_live.check(case),
        job_succeeded.check(case),
        single_attempt.check(case),
        one_snapshot_per_invocation.check(case),
        one_backup_per_invocation.check(case),
        no_overlap.check(case),
        count_matches_schedule.check(case, ticks),
        cleanup_warning.check(case),
        events_recorded.check(case),
        store_agrees.check(case),
        retain_kept.check(case),
        history_complete.check(case),
    )
    named = tuple(_with_known_issue(case, check) for check in checks)
    verdict = worst(check.verdict for check in named)
    return CellJudgement(
        cell=case.cell,
        verdict=verdict,
        invocations=tuple(_summary(item) for item in case.invocations),
        checks=named,
        contract=_contract(case, verdict, named),
    )


def _with_known_issue(case: Case, verdict: CheckVerdict) -> CheckVerdict:
    known = _known_issue(case, verdict)
    return verdict if known is None else replace(verdict, known_issue=str(known))


def _known_issue(case: Case, verdict: CheckVerdict) -> KnownIssue | None:
    """The issue that explains a fail, if what it does to a Job was seen."""
    issues = case.profile.known_issues if case.profile is not None and verdict.verdict == "fail" else ()
    return next((issue for issue in issues if issue.check == verdict.check and _shows(case, issue)), None)


def _shows(case: Case, issue: KnownIssue) -> bool:
    if issue.sign == "ended":
        return any(item.fatal for fault in case.cell.faults or () for item in clean_ups(case, fault))
    if issue.sign == "retried":
        return any(len(item.attempts) > 1 for item in case.judged)
    if issue.sign == "swallowed":
        return any(swallowed(case, item) is not None for item in case.judged)
    return True


def _contract(case: Case, verdict: RunVerdict, checks: Iterable[CheckVerdict]) -> str:
    """Both at once: what is intended, and what this release is known to do instead."""
    failed = [check for check in checks if check.verdict == "fail"]
    issues = ", ".join(dict.fromkeys(known.issue for check in failed if (known := _known_issue(case, check))))
    others = [check.check for check in failed if not check.known_issue]
    if failed and issues and not others:
        text = f"fails the contract, as this release is known to ({issues})"
    elif failed and issues:
        text = f"fails the contract, as this release is known to ({issues}), and beyond that in {', '.join(others)}"
    elif failed:
        text = "fails the contract"
    else:
        text = "meets the contract" if verdict == "pass" else "is not known to meet the contract, nor to fail it"
    remark = case.profile.remark if case.profile is not None else ""
    return f"{text}. {remark}" if remark else text


def _summary(invocation: correlate.Invocation) -> InvocationSummary:
    last = invocation.seen.last
    state = "Failed" if last.failed else "Complete" if last.complete else "not over"
    return InvocationSummary(
        name=invocation.name,
        tick=invocation.tick,
        by_hand=invocation.by_hand,
        cut=invocation.cut,
        state=state,
        attempts=max(len(invocation.attempts), len(invocation.pods)),
        snapshots=tuple(item.name for item in invocation.snapshots),
        backups=tuple(item.name for item in invocation.backups),
    )
