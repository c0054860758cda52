# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ticks of a cell's schedule were due while it was recorded.

Times here are the cluster's own: CronJob and Job times are set by its components, and how far time had come when
something happened is the latest of them at that resourceVersion. When a recording began, the API server said itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._history import objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation

Ticks = Callable[[str, datetime, datetime], tuple[datetime, ...]]

# A controller of the first kind looks every ten seconds; a busy one may be later.
LATE = timedelta(seconds=30)

_ZONES = timedelta(minutes=15)  # time zones are whole quarters of an hour apart, and none is farther from UTC than this
_FARTHEST = timedelta(hours=14)


@dataclass(frozen=True)
class Schedule:
    """``all``: ticks a Job may rightly have; ``due``: those that must have one, but for the two exceptions."""

    expression: str
    version: int  # resourceVersion of the CronJob it was read from
    all: frozenset[datetime]
    due: tuple[datetime, ...]
    superseded: frozenset[datetime]
    delayed: frozenset[datetime]  # of Jobs that had to wait for the one before
    uncertain: frozenset[datetime]  # so close to the end, or to a suspension, that the Job may just not have come yet


@dataclass(frozen=True)
class Untold:
    """Why a schedule cannot be told, and which kind of evidence would tell it."""

    reason: str
    lacking: str = "cronjobs"


def read_schedule(case: Case, ticks: Ticks) -> Schedule | Untold:
    """The schedule as far as it was recorded, or why it cannot be told."""
    if not case.cronjobs:
        return Untold(f"CronJob {case.cell.cronjob} was not seen")
    expressions = {state.schedule for seen in case.cronjobs for state in seen.states}
    if len(expressions) != 1:
        return Untold(f"the schedule changed during the run: {', '.join(sorted(expressions))}")
    zones = {state.time_zone for seen in case.cronjobs for state in seen.states} - {""}
    others = zones - {"UTC", "Etc/UTC"}
    if others:
        return Untold(f"the schedule is in time zone {others.pop()}, which is not calculated here")
    expression = expressions.pop()
    since, until = _since(case), _until(case)
    since = max((moment for moment in (since, *_baseline_ticks(case)) if moment is not None), default=None)
    own = [item.tick for item in case.invocations if item.tick is not None]
    if since is None or until is None:
        return Untold("from when to when the schedule ran is not known")
    try:
        due = tuple(tick for tick in ticks(expression, since, until) if since < tick <= until)
        low, high = min([since, *own]), max([until, *own])
        every = frozenset(ticks(expression, low - timedelta(seconds=1), high))
    except ValueError as error:
        return Untold(f"the schedule {expression!r} cannot be read: {error}")
    if not every.issuperset(own) and not zones and (shift := _shift(expression, own, ticks)):
        told = f"the Jobs are of the times of {expression!r} in a time zone such as {shift} from UTC"
        return Untold(f"{told}: the CronJob names none, so it is its controller's own, which is not known", "time zone")
    spans = [*_suspensions(case), *_absences(case)]
    edges = [edge for span in spans for edge in span if edge is not None]
    awake = tuple(tick for tick in due if not _suspended(spans, tick))
    run = set(own)
    return Schedule(
        expression=expression,
        version=case.cronjobs[-1].last.meta.version,
        all=every,
        due=awake,
        delayed=frozenset(item.tick for item in case.invocations if item.tick is not None and _delayed(case, item)),
        superseded=frozenset(tick for tick in awake if tick not in run and _superseded(case, tick)),
        uncertain=frozenset(tick for tick in awake if _uncertain(case, tick, until, edges)),
    )


def _uncertain(case: Case, tick: datetime, until: datetime, edges: Iterable[datetime]) -> bool:
    """By the end or an edge; or it waited for the last Job, which was over only just before the end."""
    near = any(abs(edge - tick) < LATE for edge in edges)
    return until - tick < LATE or near or _waited_for_the_last(case, tick, until)


def _waited_for_the_last(case: Case, tick: datetime, until: datetime) -> bool:
    last = case.invocations[-1].seen if case.invocations else None
    if last is None or last.first.meta.created is None or last.last.ended is None:
        return False
    return last.first.meta.created < tick < last.last.ended and until - last.last.ended < LATE


def _since(case: Case) -> datetime | None:
    """A CronJob that the record saw being made: from its creation. An older one: from the first tick that counts."""
    first = case.cronjobs[0]
    if not first.baseline and first.first.meta.created is not None:
        created = first.first.meta.created
        own = [item.tick for item in case.invocations if item.tick is not None]
        return created if case.index.origin == "recorder" or not own or min(own) - created < LATE * 240 else None
    known = [first.first.last_schedule]
    if case.index.origin == "recorder" and case.index.first_listed is not None:
        known += [case.index.server_time(case.index.first_listed), case.index.began]
    own = [item.tick - timedelta(seconds=1) for item in case.invocations if item.tick is not None]
    return max((moment for moment in known if moment is not None), default=min(own, default=None))


def _baseline_ticks(case: Case) -> list[datetime]:
    """Ticks of the Jobs that were there before: CronJobs are listed before Jobs, and a tick may come between."""
    jobs = [job for job in case.index.jobs.get(case.cell.cronjob, []) if job.baseline and not job.first.by_hand]
    return [tick for job in jobs if (tick := objects.tick_of(job.first.meta.name)) is not None]


def _until(case: Case) -> datetime | None:
    """When the CronJob was deleted, or how far time had come: objects tell it, and in the end the API server itself."""
    deleted = case.cronjobs[-1].deleted
    known = [case.index.server_time(deleted), None if deleted is not None else case.index.last_clock]
    return max((moment for moment in known if moment is not None), default=None)


def _suspensions(case: Case) -> list[tuple[datetime, datetime | None]]:
    """From when to when the CronJob was seen suspended."""
    spans: list[tuple[datetime, datetime | None]] = []
    for seen in case.cronjobs:
        since: datetime | None = None
        for state in seen.states:
            if state.suspended and since is None:
                since = case.index.server_time(state.meta.version)
            elif not state.suspended and since is not None:
                spans.append((since, case.index.server_time(state.meta.version)))
                since = None
        if since is not None:
            spans.append((since, None))
    return spans


def _absences(case: Case) -> list[tuple[datetime, datetime | None]]:
    """From when to when there was no CronJob of this name, between one and the next."""
    spans: list[tuple[datetime, datetime | None]] = []
    for seen, later in itertools.pairwise(case.cronjobs):
        since = case.index.server_time(seen.deleted) if seen.deleted is not None else None
        if since is not None:
            spans.append((since, later.first.meta.created or case.index.server_time(later.first.meta.version)))
    return spans


def _shift(expression: str, own: Sequence[datetime], ticks: Ticks) -> str:
    """How far from UTC the clock is by which all Jobs' times are in the schedule; empty when no time zone's is.

    A controller without a time zone stated goes by that of its own host.
    """
    try:
        every = frozenset(ticks(expression, min(own) - _FARTHEST, max(own) + _FARTHEST))
    except ValueError:
        return ""
    farthest = _FARTHEST // _ZONES
    steps = range(-farthest, farthest + 1)
    for step in sorted(steps, key=lambda step: (step % 4 != 0, abs(step))):  # whole hours first
        if every.issuperset(tick + step * _ZONES for tick in own):
            return f"{'+' if step > 0 else '-'}{abs(step) * _ZONES}"
    return ""


def _suspended(spans: Iterable[tuple[datetime, datetime | None]], tick: datetime) -> bool:
    return any(start <= tick and (stop is None or tick <= stop) for start, stop in spans)


def _delayed(case: Case, late: Invocation) -> bool:
    """Under Forbid a Job is made when the one before it is over, however long its tick was ago by then."""
    made, tick = late.seen.first.meta.created, late.tick
    if made is None or tick is None or made <= tick:
        return False
    for place in range(late.position - 1, -1, -1):
        if case.last_ended[place] <= tick:
            break  # all before this one had ended by then
        ended = case.invocations[place].seen.last.ended
        if ended is not None and tick < ended <= made:
            return True
    return False


def _superseded(case: Case, tick: datetime) -> bool:
    """Under Forbid a tick waits for the Job before it; when a later tick comes meanwhile, that one is run instead.

    While the last Job of all still runs, they all wait.
    """
    later = [item for item in case.invocations if item.tick is not None and item.tick > tick]
    before = [item for item in case.invocations if item.tick is None or item.tick < tick]
    if not later:
        return any(item.seen.over is None and item.seen.deleted is None for item in before)
    return any(
        item.seen.last.ended is None or item.seen.last.ended > tick
        for item in before
        if item.seen.added < later[0].seen.added
    )
