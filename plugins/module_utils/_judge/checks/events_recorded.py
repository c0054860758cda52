# SPDX-License-Identifier: GPL-3.0-or-later
"""The CronJob's own events tell of each invocation: SuccessfulCreate, and "Saw completed job" with status Complete."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.longhorn.qa.plugins.module_utils._history.objects import EventFact
from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
    not_applicable,
)

ID = "events-recorded"

# A source may write so many events about one object at once; after that, one more every five minutes.
BUDGET = 25

_CREATED = re.compile(r"Created job (\S+)")
_COMPLETED = re.compile(r"Saw completed job: (\S+), (?:status|condition): (\w+)")


def check(case: Case) -> CheckVerdict:
    """By the CronJob's UID: an earlier CronJob of the same name has events of the same words."""
    by_schedule = [item for item in case.judged if not item.by_hand]
    if case.judged and not by_schedule:
        return not_applicable(
            ID, case.cell.volume, "all Jobs were made by hand; the CronJob controller tells nothing of them"
        )
    finding = Finding()
    grounds.require_watched(finding, case, "jobs", "events")
    grounds.require_invocations(finding, case)
    for uid in dict.fromkeys(item.seen.first.meta.owner_uid for item in by_schedule):
        events = [event for event in case.index.events.get(uid, []) if event.kind == "CronJob"]
        own = [item for item in by_schedule if item.seen.first.meta.owner_uid == uid]
        _of_cronjob(finding, case, own, events)
    if by_schedule:
        finding.right.append(f"{len(by_schedule)} Jobs have both events of their CronJob")
    grounds.note_cut(finding, case)
    return conclude(finding, check=ID, volume=case.cell.volume)


def spent(events: Iterable[EventFact]) -> bool:
    """Whether the CronJob has had so many events, of any kind and of any Job, that further ones may be dropped."""
    return sum(event.occurrences for event in events) >= BUDGET


def _of_cronjob(finding: Finding, case: Case, invocations: list[Invocation], events: list[EventFact]) -> None:
    created: dict[str, EventFact] = {}
    completed: dict[str, tuple[EventFact, str]] = {}
    for event in events:
        if event.reason == "SuccessfulCreate" and (match := _CREATED.fullmatch(event.message)):
            created[match.group(1)] = event
        elif event.reason == "SawCompletedJob" and (match := _COMPLETED.fullmatch(event.message)):
            completed[match.group(1)] = (event, match.group(2))
    lossy, watched = spent(events), not case.lacks("jobs", "events")
    for item in invocations:
        _one(finding, item, "SuccessfulCreate", created.get(item.name), lossy=lossy, watched=watched)
        seen, status = completed.get(item.name, (None, ""))
        if seen is not None and status != "Complete":
            finding.bad(f"the CronJob saw Job {item.name} end with status {status}", _evidence(seen))
        else:
            _one(finding, item, "SawCompletedJob", seen, lossy=lossy, watched=watched)


def _one(
    finding: Finding, invocation: Invocation, reason: str, event: EventFact | None, *, lossy: bool, watched: bool
) -> None:
    if event is not None and event.meta.version < invocation.seen.added:
        text = (
            f"the {reason} event for Job {invocation.name} is older than the Job: it may tell of another of that name"
        )
        finding.unclear(text, _evidence(event), invocation.evidence, advice=grounds.advice_for("events"))
    elif event is not None:
        finding.evidence.append(_evidence(event))
    elif lossy:
        finding.right.append(f"{reason} of Job {invocation.name} is lost: the budget of {BUDGET} events was spent")
    elif watched:
        finding.bad(f"the CronJob has no {reason} event for Job {invocation.name}", invocation.evidence)


def _evidence(event: EventFact) -> Evidence:
    return Evidence(f"events/{event.meta.name}", f"resourceVersion {event.meta.version}", event.message[:160])
