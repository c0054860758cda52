# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of the right CronJob in the right number, with the recorder's own losses explained."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_event_assert

Scene = t.Any
Make = t.Any
DEFAULTS = {
    "namespace": "n", "history": None, "cronjob": "v-c", "reason": "", "message_text": "", "message_regex": "",
    "accept_lost": True, "evidence": 20, "min": 1, "max": None, "per": "invocation",
}  # fmt: skip


def events(**params: t.Any) -> dict[str, t.Any]:
    client = params.pop("client", None)
    return job_event_assert.run({**DEFAULTS, **params}, client=client)


def test_one_event_for_each_invocation(scene: Scene) -> None:
    scene.invocation("v-c-1", b"")
    scene.invocation("v-c-10", b"")
    result = events(history=scene.done(), reason="SawCompletedJob", max=1)
    assert result["counts"] == {"v-c-1": 1, "v-c-10": 1}  # v-c-1 is not found in v-c-10
    assert result["cronjob_uid"] == "cj"


def test_events_of_an_earlier_cronjob_do_not_count(make: Make, scene: Scene) -> None:
    scene.invocation("v-c-1", b"", told=False)
    scene.writer.object("events", "ADDED", make.event(9000, "Saw completed job: v-c-1, status: Complete", uid="older"))
    with pytest.raises(errors.NotAsExpected, match="v-c-1: 0"):
        events(history=scene.done())


def test_jobs_made_by_hand_have_no_events_of_the_cronjob(scene: Scene) -> None:
    scene.invocation("v-c-1", b"")
    scene.invocation("v-c-qa-1", b"", told=False, by_hand=True)
    assert events(history=scene.done())["counts"] == {"v-c-1": 1}


def test_events_of_both_apis_with_series(make: Make, scene: Scene) -> None:
    scene.invocation("v-c-1", b"", told=False)
    scene.writer.object(
        "events", "ADDED", make.event(9000, "Saw completed job: v-c-1, status: Complete", newer=True, count=2)
    )
    assert events(history=scene.done())["counts"] == {"v-c-1": 2}


def test_that_all_were_made_by_hand_is_said(scene: Scene) -> None:
    scene.invocation("v-c-qa-1", b"", told=False, by_hand=True)
    with pytest.raises(errors.Inconclusive, match="seen 1 that still run, or were made by hand"):
        events(history=scene.done(), reason="SawCompletedJob")


def spent(make: Make, scene: Scene) -> None:
    """Jobs from before the recording had the CronJob's budget."""
    scene.writer.object("events", "ADDED", make.event(6, "Saw completed job: v-c-old, status: Complete", count=25))


@pytest.mark.parametrize("accept", [pytest.param(True, id="accepted"), pytest.param(False, id="not accepted")])
def test_events_beyond_the_recorders_budget_are_explained(make: Make, scene: Scene, accept: bool) -> None:
    spent(make, scene)
    scene.invocation("v-c-1", b"")
    scene.invocation("v-c-2", b"", told=False)
    folder = scene.done()
    if accept:
        assert events(history=folder, reason="SawCompletedJob")["lost_by_recorder"] == 1
    else:
        with pytest.raises(errors.NotAsExpected, match="v-c-2: 0"):
            events(history=folder, reason="SawCompletedJob", accept_lost=False)


def test_many_jobs_do_not_explain_what_the_budget_had_room_for(scene: Scene) -> None:
    for number in range(12):
        scene.invocation(f"v-c-{number:02d}", b"", told=number < 8)
    with pytest.raises(errors.NotAsExpected, match="v-c-08: 0"):
        events(history=scene.done())


def test_lost_events_do_not_excuse_one_that_is_wrong(make: Make, scene: Scene) -> None:
    spent(make, scene)
    scene.invocation("v-c-1", b"", told=False)
    scene.writer.object("events", "ADDED", make.event(9000, "Saw completed job: v-c-1, status: Failed"))
    scene.invocation("v-c-2", b"", told=False)
    with pytest.raises(errors.NotAsExpected, match="seen v-c-1: 0"):
        events(history=scene.done(), reason="SawCompletedJob", message_text="status: Complete")


@pytest.mark.parametrize(
    ("age", "error"),
    [
        pytest.param(timedelta(minutes=10), errors.NotAsExpected, id="young"),
        pytest.param(timedelta(hours=2), errors.Inconclusive, id="older than events are kept"),
    ],
)
def test_live_events_that_are_missing(make: Make, age: timedelta, error: type[Exception]) -> None:
    cluster = make.live(jobs=("v-c-1", "v-c-2"))
    cluster.age = age
    cluster.objects["events"] = [make.event(1, "Saw completed job: v-c-2, status: Complete")]
    with pytest.raises(error, match="v-c-1: 0"):
        events(client=cluster, reason="SawCompletedJob")


def test_live_events_that_are_gone_are_no_absence(make: Make) -> None:
    cluster = make.live()
    cluster.age = timedelta(hours=2)
    with pytest.raises(errors.Inconclusive, match="SawCompletedJob: no such event is left of it"):
        events(client=cluster, reason="SawCompletedJob", message_text="Failed", min=0, max=0, per="total")


def test_no_name_is_no_cronjob(make: Make) -> None:
    with pytest.raises(errors.BadInput, match="cronjob: it is empty"):
        events(client=make.live(), cronjob="")


def test_no_invocation_proves_nothing(scene: Scene) -> None:
    with pytest.raises(errors.Inconclusive, match="no invocation to look at"):
        events(history=scene.done(), message_text="Failed", min=0, max=0, per="total")


def test_live_events_of_jobs_that_are_gone_explain_what_is_missing(make: Make) -> None:
    cluster = make.live()
    cluster.objects["events"] = [make.event(1, "Saw completed job: v-c-0, status: Complete", count=25)]
    assert events(client=cluster, reason="SawCompletedJob")["lost_by_recorder"] == 1


def test_a_gap_in_the_events_makes_it_inconclusive(scene: Scene) -> None:
    scene.invocation("v-c-1", b"", told=False)
    scene.writer.gap("events", "watch expired")
    with pytest.raises(errors.Inconclusive, match="events could not be seen: watch expired"):
        events(history=scene.done())


def test_live_events(make: Make) -> None:
    cluster = make.live()
    cluster.objects["events"] = [
        make.event(1, "Saw completed job: v-c-1, status: Complete"),
        make.event(2, "x", uid="other"),
    ]
    assert events(client=cluster)["counts"] == {"v-c-1": 1}
