# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller does by itself: it keeps few events, combines some, and goes by the clock of its own host."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta

from tests.unit.plugins.module_utils._judge import made
from tests.unit.plugins.module_utils._judge.changed import Changed, changed, checks
from tests.unit.plugins.module_utils._judge.made import Run

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import format_time
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile

EVENTS, SCHEDULE = "events-recorded", "count-matches-schedule"


def scheduled(invocations: int = 4) -> Run:
    return Run("v1.2.6", "snapshot", scheduled=True, invocations=invocations)


def of(check: str, run: Run, *changes: t.Callable[[Changed], object]) -> CheckVerdict:
    return checks(changed(run, *changes))[check]


def lose_event(place: int) -> t.Callable[[Changed], None]:
    def change(history: Changed) -> None:
        lost = list(history.of("events"))[place]
        history.drop(lambda record: record is lost)

    return change


def edit(kind: str, do: t.Callable[[t.Any], object], places: slice = slice(None)) -> t.Callable[[Changed], None]:
    def change(history: Changed) -> None:
        for record in list(history.of(kind))[places]:
            do(record.object)

    return change


def born(moment: str) -> t.Callable[[Changed], None]:
    return edit("cronjobs", lambda document: document["metadata"].update(creationTimestamp=moment))


# --- events ----------------------------------------------------------------------------------------------------------
def test_an_event_that_was_lost_before_the_budget_was_spent_is_not_explained_by_it() -> None:
    assert of(EVENTS, scheduled(14), lose_event(-1)).verdict == "pass"
    early = of(EVENTS, scheduled(14), lose_event(0), lose_event(2))
    assert early.verdict == "fail"
    assert "has no SuccessfulCreate event" in early.summary and "has no SawCompletedJob event" in early.summary


def test_how_much_of_its_budget_an_old_cronjob_had_left_is_not_known() -> None:
    fresh = format_time(made.START - timedelta(minutes=30))
    assert of(EVENTS, scheduled(), born(fresh), lose_event(2)).verdict == "fail"
    old = of(EVENTS, scheduled(), born("2020-01-01T00:00:00Z"), lose_event(2))
    assert (old.verdict, old.advice) == ("inconclusive", "Record a CronJob from its first hour on.")
    assert "older than its cluster keeps events" in old.summary


def test_events_that_were_combined_are_no_loss() -> None:
    def combine(document: t.Any) -> None:
        document["message"] = f"(combined from similar events): {document['message']}"

    last = slice(20, 22)
    assert of(EVENTS, scheduled(11), edit("events", combine, last)).verdict == "pass"
    assert of(EVENTS, scheduled(11), edit("events", combine, last), lose_event(0)).verdict == "fail"


# --- the schedule ----------------------------------------------------------------------------------------------------
def test_no_tick_is_due_while_there_is_no_cronjob() -> None:
    def made_anew(history: Changed) -> None:
        """It is deleted after the first Job and made anew before the third."""
        jobs = list(dict.fromkeys(record.object["metadata"]["name"] for record in history.of("jobs")))
        history.drop(lambda record: isinstance(record, model.ObjectSeen) and jobs[1] in repr(record.object))
        history.drop_log(jobs[1])
        (cronjob,) = history.of("cronjobs")
        place = next(
            place
            for place, record in enumerate(history.records)
            if isinstance(record, model.ObjectSeen) and record.object["metadata"]["name"] == jobs[2]
        )
        deleted, anew = copy.deepcopy(cronjob.object), copy.deepcopy(cronjob.object)
        deleted["metadata"]["resourceVersion"] = "1400"
        anew["metadata"] |= {"uid": "anew", "resourceVersion": "1650", "creationTimestamp": at(1650)}
        history.records[place:place] = [
            model.ObjectSeen(1, made.START, "cronjobs", "DELETED", deleted),
            model.ObjectSeen(1, made.START, "cronjobs", "ADDED", anew),
        ]
        for record in history.records[place:]:
            if isinstance(record, model.ObjectSeen) and record.kind == "jobs":
                record.object["metadata"]["ownerReferences"][0]["uid"] = "anew"

    summary = of(SCHEDULE, scheduled(), made_anew).summary
    assert "has no Job" not in summary
    assert "has no Job" in of(SCHEDULE, scheduled(), without_second_job).summary


def without_second_job(history: Changed) -> None:
    second = list(dict.fromkeys(record.object["metadata"]["name"] for record in history.of("jobs")))[1]
    history.drop(lambda record: isinstance(record, model.ObjectSeen) and second in repr(record.object))
    history.drop_log(second)


def at(version: int) -> str:
    """The made histories' clock: a second for each version."""
    return format_time(made.START + timedelta(seconds=version))


def in_hour(hour: int) -> t.Callable[[str, datetime, datetime], tuple[datetime, ...]]:
    """The ticks of ``*/5 <hour> * * *``."""

    def ticks(_expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
        minutes = int((until - since).total_seconds()) // 60 + 10
        start = since.replace(minute=since.minute - since.minute % 5, second=0, microsecond=0)
        every = (start + timedelta(minutes=place) for place in range(0, minutes, 5))
        return tuple(tick for tick in every if since <= tick <= until and tick.hour == hour)

    return ticks


def by_hour(hour: int, *, zone: str = "", minute_off: int = 0) -> CheckVerdict:
    """The run's Jobs are of 12 o'clock, UTC; the schedule says another hour."""
    history = copy.deepcopy(scheduled().history())
    for record in history.records:
        if isinstance(record, model.ObjectSeen) and record.kind == "cronjobs":
            t.cast(t.Any, record.object)["spec"].update(schedule=f"*/5 {hour} * * *", timeZone=zone)
    records = history.records
    if minute_off:
        records = tuple(renamed(record, minute_off) for record in records)
    judgement = judge(replace(history, records=records), profiles=profile, ticks=in_hour(hour))
    return checks(judgement)[SCHEDULE]


def renamed(record: t.Any, minutes: int) -> t.Any:
    if isinstance(record, model.ObjectSeen) and record.kind == "jobs":
        metadata = t.cast(t.Any, record.object)["metadata"]
        name, _dash, tick = metadata["name"].rpartition("-")
        metadata["name"] = f"{name}-{int(tick) + minutes}"
    return record


def test_a_controller_may_go_by_the_time_zone_of_its_host() -> None:
    assert by_hour(12).verdict == "pass"
    for hour, shown in ((14, "+2:00:00"), (3, "-9:00:00")):
        local = by_hour(hour)
        assert local.verdict == "inconclusive"
        assert f"in a time zone such as {shown} from UTC" in local.summary
        assert "kube-controller-manager" in local.advice


def test_no_time_zone_explains_a_time_that_is_in_none_or_one_that_is_stated() -> None:
    assert by_hour(14, minute_off=1).verdict == "fail"
    assert by_hour(14, zone="Etc/UTC").verdict == "fail"
