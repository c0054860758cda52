# SPDX-License-Identifier: GPL-3.0-or-later
"""One cell's marks: ticks, Jobs, attempts, artefacts, fault spans, log lines and events, each with its evidence.

``state`` says how a mark is meant to look: ``ok``, ``bad`` (it speaks against the run), ``unknown`` (it cannot be
told), ``info``. It never decides anything; the checks do.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._history.objects import EventFact
from ansible_collections.longhorn.qa.plugins.module_utils._judge.checks import events_recorded, store_agrees
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import (
    Artefact,
    Attempt,
    Case,
    Invocation,
)
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import CleanUp, clean_ups
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import PodSeen, evidence_path
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CellJudgement
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind
from ansible_collections.longhorn.qa.plugins.module_utils._judge.schedule import Ticks, Untold, read_schedule
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence
from ansible_collections.longhorn.qa.plugins.module_utils._report.lifespans import Life, Lives

LANES = ("schedule", "jobs", "pods", "snapshots", "backups", "faults", "logs", "events", "recorder")

State = t.Literal["ok", "bad", "unknown", "info"]

_BAD_REASONS = ("BackoffLimitExceeded", "FailedCreate", "BackOff", "Failed", "FailedNeedsStart", "DeadlineExceeded")


@dataclass(frozen=True)
class Mark:
    """``end`` None: it lasted beyond the record; equal to ``start``: a moment."""

    lane: str
    kind: str
    state: State
    label: str
    start: datetime
    end: datetime | None
    text: str = ""
    job: str = ""
    terminating: datetime | None = None
    only: str = ""  # "store" or "api": the one source that shows it
    evidence: tuple[Evidence, ...] = ()


@dataclass
class Marks:
    note: str = ""  # why a lane is empty that should not be
    marks: list[Mark] = field(default_factory=list)


def of_case(case: Case, judged: CellJudgement, *, ticks: Ticks, lives: Lives) -> Marks:
    """All marks of one cell, in no order."""
    made = Marks()
    _ticks(case, made, ticks)
    for invocation in case.invocations:
        made.marks.append(_job(case, invocation))
        pods = {pod.meta.name: pod for pod in reversed(invocation.pods)}
        made.marks += [_attempt(invocation, attempt, pods.get(attempt.pod)) for attempt in invocation.attempts]
    verdicts = {check.check: check.verdict for check in judged.checks}
    for kind in t.get_args(ArtefactKind):
        own = lives.get((case.cell.volume, kind), {})
        made.marks += _artefacts(case, kind, lives=own, disagrees=verdicts.get(store_agrees.ID) == "fail")
        made.marks += _others(case, kind, own)
    if case.profile is not None:
        for fault in sorted({*case.profile.deletion_runs_with, *(case.cell.faults or ())}, reverse=True):
            items = clean_ups(case, fault)
            made.marks += _fault_spans(case, fault, items)
            made.marks += _log_marks(case, fault, items)
    made.marks += _events(case)
    return made


# --- schedule ---------------------------------------------------------------------------------------------------------
def _ticks(case: Case, made: Marks, ticks: Ticks) -> None:
    schedule = read_schedule(case, ticks)
    own = {item.tick: item for item in case.invocations if item.tick is not None}
    if isinstance(schedule, Untold):
        made.note = schedule.reason
        made.marks += [_tick(moment, "ok", "tick", item.name) for moment, item in own.items()]
        return
    evidence = Evidence(f"cronjobs/{case.cell.cronjob}", f"resourceVersion {schedule.version}", schedule.expression)
    for moment in sorted({*schedule.due, *own}):
        if moment in own:
            made.marks.append(_tick(moment, "ok", "tick", own[moment].name))
        elif moment in schedule.superseded:
            made.marks.append(_tick(moment, "info", "tick, superseded by a later one", "", evidence))
        elif moment in schedule.uncertain or case.lacks("jobs"):
            made.marks.append(_tick(moment, "unknown", "tick, its Job is not known", "", evidence))
        else:
            made.marks.append(_tick(moment, "bad", "tick without a Job", "", evidence))


def _tick(moment: datetime, state: State, label: str, job: str, *evidence: Evidence) -> Mark:
    return Mark("schedule", "tick", state, label, moment, moment, job=job, evidence=evidence)


# --- Jobs and attempts ------------------------------------------------------------------------------------------------
def _began(item: Invocation) -> datetime:
    first, last = item.seen.first, item.seen.last
    return first.started or last.started or first.meta.created or _EPOCH


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _ended(case: Case, item: Invocation) -> datetime | None:
    if item.seen.last.ended is not None:
        return item.seen.last.ended
    version = item.seen.over or item.seen.deleted
    return case.index.server_time(version) if version is not None else None


def _job(case: Case, item: Invocation) -> Mark:
    last = item.seen.last
    state: State = "unknown" if item.cut else "bad" if last.failed else "ok" if last.complete else "unknown"
    word = "Failed" if last.failed else "Complete" if last.complete else "not over"
    text = item.cut or (f"{word}: {last.reason}" if last.reason else word)
    text += ", made by hand" if item.by_hand else ""
    start = _began(item)
    end = _ended(case, item)
    return Mark(
        "jobs", "job", state, f"Job {item.name}", start, max(start, end) if end else None,
        text=text, job=item.name, evidence=(item.evidence,),
    )  # fmt: skip


def _attempt(item: Invocation, attempt: Attempt, pod: PodSeen | None) -> Mark:
    run = pod.run(attempt.number) if pod is not None else None
    start = (run.started if run else None) or _log_time(attempt, 0) or (_created(pod) or _began(item))
    end = (run.finished if run else None) or _log_time(attempt, -1) or start
    state: State = "unknown" if attempt.exit_code is None else "ok" if attempt.exit_code == 0 else "bad"
    text = "exit status not known" if attempt.exit_code is None else f"exit status {attempt.exit_code}"
    kind = "attempt" if attempt.number == 0 else "retry"
    return Mark(
        "pods", kind, state, f"attempt {attempt.number} of pod {attempt.pod}", start, max(start, end),
        text=text, job=item.name, evidence=_attempt_evidence(item, attempt),
    )  # fmt: skip


def _attempt_evidence(item: Invocation, attempt: Attempt) -> tuple[Evidence, ...]:
    """The line that ended the attempt, if its log has one; else the log's last line; else the Job."""
    log = attempt.log
    if log is None or not log.lines:
        return (item.evidence,)
    loud = [line for line in log.lines if line.level in ("fatal", "panic", "error", "warning")]
    line = loud[-1] if loud else log.lines[-1]
    return (Evidence(evidence_path(log), f"line {line.number}", (line.message or line.text)[:240]),)


def _log_time(attempt: Attempt, place: int) -> datetime | None:
    times = [line.time for line in attempt.log.lines if line.time is not None] if attempt.log is not None else []
    return times[place] if times else None


def _created(pod: PodSeen | None) -> datetime | None:
    return pod.meta.created if pod is not None else None


# --- artefacts --------------------------------------------------------------------------------------------------------
def _artefacts(case: Case, kind: ArtefactKind, *, lives: Mapping[str, Life], disagrees: bool) -> list[Mark]:
    found = []
    for item in case.invocations:
        for place, artefact in enumerate(item.made(kind)):
            extra = place > 0 or (kind == "backup" and case.cell.task == "snapshot")
            text = f"made by {artefact.attempt}" + ("; one more than it should be" if extra else "")
            found.append(_artefact(case, artefact, item, lives, ("bad" if extra else "ok", text, disagrees)))
    for artefact in case.loose:
        if artefact.kind == kind:
            why = "may be older than the run" if artefact.maybe_older else "which Job made it is not known"
            found.append(_artefact(case, artefact, None, lives, ("unknown", why, disagrees)))
    return found


def _artefact(
    case: Case, artefact: Artefact, item: Invocation | None, lives: Mapping[str, Life], look: tuple[State, str, bool]
) -> Mark:
    state, text, disagrees = look
    life = lives.get(artefact.name, Life())
    start = life.start or (_began(item) if item is not None else None) or _first_moment(case)
    only = _only(case, artefact)
    if only:
        text += f"; only {'the store' if only == 'store' else 'the API'} has it"
        state = "bad" if disagrees else "unknown" if state == "ok" else state
    never_shown = life.start is None  # it lived between two looks at it
    end = (_ended(case, item) if item is not None else None) or start if never_shown else life.end
    return Mark(
        f"{artefact.kind}s",
        artefact.kind,
        state,
        f"{artefact.kind} {artefact.name}",
        start,
        max(start, end) if end is not None else None,
        text=text + (f"; of snapshot {artefact.snapshot}" if artefact.snapshot else ""),
        job=item.name if item is not None else "",
        terminating=life.terminating,
        only=only,
        evidence=(*life.evidence, *artefact.evidence),
    )


def _others(case: Case, kind: ArtefactKind, lives: Mapping[str, Life]) -> list[Mark]:
    """What no Job here made is shown when it is being deleted, which is what clean-up does to older ones."""
    own = {artefact.name for artefact in case.artefacts(kind)}
    return [
        Mark(
            f"{kind}s", kind, "info", f"{kind} {name}", life.start or life.terminating, life.end,
            text="not made by a Job of this record", terminating=life.terminating, evidence=life.evidence,
        )
        for name, life in lives.items()
        if name not in own and life.terminating is not None
    ]  # fmt: skip


def _only(case: Case, artefact: Artefact) -> str:
    if artefact.kind == "snapshot":
        return ""
    if artefact.sources == {"store"}:
        return "store"
    listed = any(not store.error for store in case.index.stores)
    return "api" if listed and "store" not in artefact.sources else ""


def _first_moment(case: Case) -> datetime:
    return case.index.history.records[0].at


# --- faults and their lines -------------------------------------------------------------------------------------------
def _outcome(item: CleanUp) -> str:
    if item.failed:
        return "failed"
    return "succeeded" if item.done else "asked for" if item.asked else ""


def _fault_spans(case: Case, fault: Fault, items: Sequence[CleanUp]) -> list[Mark]:
    """Neighbouring Jobs with the same outcome are one span: that is how long the fault was live, or was not."""
    wanted = case.cell.faults is not None and fault in case.cell.faults
    found = []
    for outcome, group in groupby((item for item in items if _outcome(item)), key=_outcome):
        jobs = list(group)
        state: State = "info" if case.cell.faults is None else "ok" if (outcome == "failed") == wanted else "bad"
        if outcome == "asked for" or (wanted and state == "bad"):
            state = "unknown"  # a fault that is not live leaves the run without a proof, not with a failure
        evidence = [where for item in jobs for where in (*item.failed, *item.done, *item.asked)]
        found.append(
            Mark(
                "faults", f"{fault} {outcome}", state, f"{fault} {outcome} in {len(jobs)} Jobs",
                _began(jobs[0].invocation),
                _ended(case, jobs[-1].invocation) or _began(jobs[-1].invocation),
                text="the fault was live" if outcome == "failed" else "",
                job=jobs[0].invocation.name, evidence=tuple(evidence),
            )
        )  # fmt: skip
    return found


def _log_marks(case: Case, fault: Fault, items: Sequence[CleanUp]) -> list[Mark]:
    wanted = case.cell.faults is None or fault in case.cell.faults
    times = _line_times(case)
    found = []
    for item in items:
        for kind, lines in (("warning", item.warned), ("fatal", item.fatal)):
            for where in lines:
                moment = (
                    times.get((where.what, where.where)) or _ended(case, item.invocation) or _began(item.invocation)
                )
                state: State = "ok" if wanted and kind == "warning" else "bad"
                found.append(
                    Mark(
                        "logs", kind, state, f"{fault} {kind}", moment, moment,
                        text=where.text, job=item.invocation.name, evidence=(where,),
                    )
                )  # fmt: skip
    return found


def _line_times(case: Case) -> dict[tuple[str, str], datetime]:
    logs = [attempt.log for item in case.invocations for attempt in item.attempts if attempt.log is not None]
    found = {}
    for log in logs:
        for line in log.lines:
            if line.level in ("warning", "error", "fatal", "panic") and line.time is not None:
                found[(evidence_path(log), f"line {line.number}")] = line.time
    return found


# --- events -----------------------------------------------------------------------------------------------------------
def _events(case: Case) -> list[Mark]:
    found = []
    uids = dict.fromkeys(
        [
            *(seen.first.meta.uid for seen in case.cronjobs),
            *(item.seen.first.meta.owner_uid for item in case.invocations),
            *(item.uid for item in case.invocations),
        ]
    )
    for uid in uids:
        found += [_event(event) for event in case.index.events.get(uid, []) if event.last_seen is not None]
    for item in case.judged:
        if not item.by_hand:
            found += _missing_events(case, item)
    return found


def _event(event: EventFact) -> Mark:
    failed = event.reason == "SawCompletedJob" and not event.message.endswith("Complete")
    state: State = "bad" if failed or event.reason in _BAD_REASONS else "ok"
    moment = event.last_seen or _EPOCH
    evidence = Evidence(f"events/{event.meta.name}", f"resourceVersion {event.meta.version}", event.message[:160])
    times = f" ({event.occurrences} times)" if event.occurrences > 1 else ""
    return Mark(
        "events", "event", state, f"{event.kind} event {event.reason}{times}", moment, moment,
        text=event.message[:300], job=event.name if event.kind == "Job" else "", evidence=(evidence,),
    )  # fmt: skip


def _missing_events(case: Case, item: Invocation) -> list[Mark]:
    events = case.index.events.get(item.seen.first.meta.owner_uid, [])
    doubts = (events_recorded.forgotten(case, item), events_recorded.too_early(case, item))
    unseen = case.lacks("jobs", "events") or [doubt for doubt in doubts if doubt]
    later = events_recorded.next_job(case, item)
    found = []
    for reason, moment in (("SuccessfulCreate", _began(item)), ("SawCompletedJob", _ended(case, item))):
        there = any(event.reason == reason and _names(event.message, item.name) for event in events)
        if there or moment is None:
            continue
        lost = events_recorded.lost(events, reason, next_job=later)
        why = f"lost: {lost}" if lost else f"not seen: {unseen[0]}" if unseen else "not recorded"
        state: State = "unknown" if unseen or lost else "bad"
        found.append(
            Mark(
                "events", "missing event", state, f"expected CronJob event {reason}", moment, moment,
                text=why, job=item.name, evidence=(item.evidence,),
            )
        )  # fmt: skip
    return found


def _names(message: str, job: str) -> bool:
    return job in message.replace(",", " ").split()
