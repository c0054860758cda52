# SPDX-License-Identifier: GPL-3.0-or-later
"""Every due tick has one Job, and artefacts grew by one per tick."""

from __future__ import annotations

from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds, stored
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.counts import count, made_kinds, surplus
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import log_problems
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind
from ansible_collections.longhorn.qa.plugins.module_utils._judge.schedule import Schedule, Ticks, Untold, read_schedule
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
    not_applicable,
)

ID = "count-matches-schedule"


def check(case: Case, ticks: Ticks) -> CheckVerdict:
    """The tick is in the Job's name; when the Job was made says nothing, for a late one is only delayed."""
    by_schedule = [item for item in case.invocations if not item.by_hand]
    finding = Finding()
    if case.cell.makes_backups:
        stored.compare(finding, case, ticks)
    grounds.require_watched(finding, case, "jobs", "cronjobs")
    grounds.require_invocations(finding, case)
    schedule = read_schedule(case, ticks)
    if isinstance(schedule, Untold):
        finding.unclear(schedule.reason, advice=grounds.advice_for(schedule.lacking))
    elif not schedule.due and not by_schedule:
        if not finding.unknown:
            return not_applicable(ID, case.cell.volume, "no tick was due; Jobs made by hand are outside the schedule")
    else:
        _compare(finding, case, schedule)
    grounds.require_snapshot_sources(finding, case)
    if case.cell.makes_backups:
        grounds.require_watched(finding, case, grounds.backup_kind(case))
    for kind in made_kinds(case):
        _growth(finding, case, kind)
    return conclude(finding, check=ID, volume=case.cell.volume)


def _compare(finding: Finding, case: Case, schedule: Schedule) -> None:
    where = Evidence(f"cronjobs/{case.cell.cronjob}", f"resourceVersion {schedule.version}", schedule.expression)
    by_tick: dict[datetime, list[str]] = {}
    for item in case.invocations:
        if item.tick is not None:
            by_tick.setdefault(item.tick, []).append(item.name)
            finding.evidence.append(item.evidence)
        elif not item.by_hand:
            finding.unclear(f"the name of Job {item.name} tells no scheduled time", item.evidence)
    for tick, names in by_tick.items():
        if len(names) > 1:
            finding.bad(f"one tick has {len(names)} Jobs: {', '.join(names)}", where)
        elif tick not in schedule.all:
            finding.bad(f"Job {names[0]} is of a time that is not in the schedule {schedule.expression!r}", where)
        elif tick in schedule.delayed:
            finding.right.append(
                f"the tick of {_shown(tick)} was delayed: its Job {names[0]} waited for the one before"
            )
    missing = [tick for tick in schedule.due if tick not in by_tick]
    _without_job(finding, case, schedule, ticks=missing, where=where)
    finding.right.append(f"{len(by_tick)} ticks of {schedule.expression!r} have one Job each")
    finding.evidence.append(where)


def _without_job(finding: Finding, case: Case, schedule: Schedule, *, ticks: list[datetime], where: Evidence) -> None:
    unseen = case.lacks("jobs", "cronjobs")
    for tick in ticks:
        shown = _shown(tick)
        if tick in schedule.superseded:
            finding.right.append(f"the tick of {shown} was superseded: the Job before it still ran")
        elif tick in schedule.uncertain:
            finding.right.append(f"the tick of {shown} is cut by the end")
        elif unseen:
            finding.unclear(f"the tick of {shown} has no Job that was seen", where, advice=grounds.advice_for("jobs"))
        else:
            finding.bad(f"the tick of {shown} has no Job", where)


def _shown(tick: datetime) -> str:
    return tick.strftime("%Y-%m-%dT%H:%M:%SZ")


def _growth(finding: Finding, case: Case, kind: ArtefactKind) -> None:
    for artefact in surplus(case, kind):
        finding.bad(f"{kind} {artefact.name} is one more than there were Jobs", *artefact.evidence)
    for item in count(case, kind):
        whole = not finding.unknown and item.invocation.seen.last.over
        whole = whole and (kind == "snapshot" or not (case.lacks("pods") or log_problems(item.invocation)))
        if item.state == "more" or (item.state == "none" and whole):
            finding.bad(f"Job {item.invocation.name} added {len(item.artefacts)} {kind}s", *item.evidence)
        elif item.state in ("unknown", "none"):
            finding.unclear(item.text, *item.evidence, advice=grounds.advice_for("engine log"))
        elif item.state == "skipped":
            finding.right.append(f"the tick was skipped: {item.text}")
