# SPDX-License-Identifier: GPL-3.0-or-later
"""The CronJob's own events tell of each invocation: SuccessfulCreate, and "Saw completed job" with status Complete."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

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

# From the tenth of one reason on, if none came long after the one before, a single event tells of the latest of them.
_APART = 9
_COMBINED = "(combined from similar events): "
_KEPT = timedelta(hours=1)  # how long an API server keeps an event, unless it is told otherwise

_YOUNG = "Record a CronJob from its first hour on."

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


def lost(events: Sequence[EventFact], reason: str, *, next_job: int | None) -> str:
    """Why the event that should be there was not kept, or not as one of its own; empty when nothing explains it.

    ``next_job``: resourceVersion at which the CronJob's next Job was added. What was written later has spent nothing by
    then; when the times of an event that was seen several times were is not known.
    """
    until = [event for event in events if next_job is None or event.occurrences > 1 or event.meta.version < next_job]
    alike = [event for event in events if event.reason == reason]
    combined = [event for event in alike if event.message.startswith(_COMBINED)]
    if combined and sum(event in until for event in alike if event not in combined) >= _APART:
        return "it was combined with others like it"
    return f"the budget of {BUDGET} events was spent" if spent(until) else ""


def forgotten(case: Case, invocation: Invocation) -> str:
    """Why the CronJob may have had more events than were seen; empty when all that it ever had were kept until then."""
    owner, made = invocation.seen.first.meta.owner_uid, invocation.seen.first.meta.created
    born = next((seen.first.meta.created for seen in case.cronjobs if seen.first.meta.uid == owner), None)
    if born is None or made is None or made - born < _KEPT:
        return ""
    return "the CronJob is older than its cluster keeps events, so how much of their budget was left is not known"


def too_early(case: Case, invocation: Invocation) -> str:
    """Why the events may just not have come."""
    settled = grounds.settled(case, invocation)
    return "" if settled else "the record ended after that Job, and nothing shows that its events were waited for"


def next_job(case: Case, invocation: Invocation) -> int | None:
    """When the Job after this one was added; None when it was the last."""
    later = case.added[invocation.position + 1 :]
    return later[0] if later else None


def _of_cronjob(finding: Finding, case: Case, invocations: list[Invocation], events: list[EventFact]) -> None:
    created: dict[str, EventFact] = {}
    completed: dict[str, tuple[EventFact, str]] = {}
    for event in events:
        if event.reason == "SuccessfulCreate" and (match := _CREATED.fullmatch(event.message)):
            created[match.group(1)] = event
        elif event.reason == "SawCompletedJob" and (match := _COMPLETED.fullmatch(event.message)):
            completed[match.group(1)] = (event, match.group(2))
    for item in invocations:
        seen, status = completed.get(item.name, (None, ""))
        _one(finding, case, item, "SuccessfulCreate", created.get(item.name), events)
        if seen is not None and status != "Complete":
            finding.bad(f"the CronJob saw Job {item.name} end with status {status}", _evidence(seen))
        else:
            _one(finding, case, item, "SawCompletedJob", seen, events)


def _one(
    finding: Finding, case: Case, invocation: Invocation, reason: str, event: EventFact | None, events: list[EventFact]
) -> None:
    if event is not None and event.meta.version < invocation.seen.added:
        text = (
            f"the {reason} event for Job {invocation.name} is older than the Job: it may tell of another of that name"
        )
        finding.unclear(text, _evidence(event), invocation.evidence, advice=grounds.advice_for("events"))
    elif event is not None:
        finding.evidence.append(_evidence(event))
    elif why := lost(events, reason, next_job=next_job(case, invocation)):
        finding.right.append(f"{reason} of Job {invocation.name} is lost: {why}")
    elif not case.lacks("jobs", "events"):
        text = f"the CronJob has no {reason} event for Job {invocation.name}"
        if doubt := forgotten(case, invocation):
            finding.unclear(f"{text}, but {doubt}", invocation.evidence, advice=_YOUNG)
        elif doubt := too_early(case, invocation):
            finding.unclear(
                f"{text}, but {doubt}", invocation.evidence, advice="Record a little longer after the last Job."
            )
        else:
            finding.bad(text, invocation.evidence)


def _evidence(event: EventFact) -> Evidence:
    return Evidence(f"events/{event.meta.name}", f"resourceVersion {event.meta.version}", event.message[:160])
