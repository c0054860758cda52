# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning cells by their fault: the right one for every release, task and effect, or why there is none."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import CellError
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.fault_cells import (
    Planned,
    Wish,
    plan_by_fault,
)

STUB = {"image": "r.example/engine:stub", "broken": ["snapshot-delete", "backup-delete"]}
MILD = {"image": "r.example/engine:stub-backup", "broken": ["backup-delete"]}
PATCHED = {"image": "r.example/engine:patched", "broken": ["snapshot-delete"], "patched": True}


def plan(release: str, **wish: t.Any) -> Planned:
    return plan_by_fault(
        Wish(
            **{
                "release": release,
                "tasks": ["snapshot"],
                "run_id": "a1",
                "cron": "*/3 * * * *",
                "images": [STUB, MILD],
                **wish,
            }
        )
    )


def test_since_1_2_a_bystander_shares_the_job() -> None:
    faulty, bystander = plan("v1.8.2").cells
    assert (faulty.volume, faulty.faults, faulty.fault_type) == (
        "qa-a1-snap-vis-snap",
        ("snapshot-delete",),
        "admission",
    )
    assert (bystander.volume, bystander.faults) == ("qa-a1-snap-vis-snap-by", ())
    assert {faulty.job, faulty.cronjob, bystander.job, bystander.cronjob} == {"qa-a1-snap-vis-snap"}


def test_until_1_1_each_volume_has_a_job_of_its_own_with_a_short_name() -> None:
    cells = plan("v1.1.3", tasks=["snapshot", "backup"], effects=["visible", "none"]).cells
    assert [(cell.job, cell.cronjob) for cell in cells] == [
        ("snap-1", "qa-a1-snap-vis-snap-snap-1-c"),
        ("snap-2", "qa-a1-snap-none-snap-2-c"),
        ("back-3", "qa-a1-back-vis-snap-back-3-c"),
        ("back-4", "qa-a1-back-none-back-4-c"),
    ]


def test_an_image_fails_everything_it_fails() -> None:
    both, backup = plan("2020-06", tasks=["backup"]).cells
    assert (both.engine_image, both.faults) == (STUB["image"], ("snapshot-delete", "backup-delete"))
    assert (backup.engine_image, backup.faults) == (MILD["image"], ("backup-delete",))


def test_but_not_what_the_release_does_elsewhere() -> None:
    (cell,) = plan("v1.1.3", tasks=["backup"]).cells
    assert (cell.engine_image, cell.faults) == (STUB["image"], ("snapshot-delete",))


def test_a_fault_for_all_volumes_is_the_bystanders_too() -> None:
    cells = plan("v1.9.2", effects=["asynchronous"]).cells
    assert [cell.faults for cell in cells] == [("snapshot-delete",)] * 2
    assert {cell.fault_type for cell in cells} == {"disable-snapshot-purge"}


def test_and_does_not_share_a_run_with_others() -> None:
    planned = plan("v1.9.2", effects=["visible", "asynchronous"])
    assert {cell.fault_type for cell in planned.cells if cell.faults} == {"admission"}
    assert planned.left_out == ("qa-a1-snap-asy-snap: disable-snapshot-purge breaks other cells too; run it alone",)


@pytest.mark.parametrize(
    ("release", "wish", "told"),
    [
        pytest.param(
            "v1.5.5",
            {"fault": "engine-image"},
            "the effect of engine-image on Longhorn v1.5.5 is none; use admission",
            id="a stub where nobody calls it",
        ),
        pytest.param(
            "v1.4.4", {}, "needs a patched-engine-image, and none that fails snapshot-delete is given", id="no image"
        ),
        pytest.param("v1.3.0", {"tasks": ["filesystem-trim"]}, "Longhorn v1.3.0 has no such task", id="no such task"),
        pytest.param(
            "v1.1.3", {"effects": ["asynchronous"]}, "nothing has this effect on Longhorn v1.1.3", id="no such effect"
        ),
    ],
)
def test_what_cannot_be_is_left_out_with_the_reason(release: str, wish: dict[str, t.Any], told: str) -> None:
    planned = plan(release, **wish)
    assert planned.cells == ()
    (reason,) = planned.left_out
    assert reason.endswith(told)


@pytest.mark.parametrize("release", ["v1.0.1", "v1.5.5", "v1.12.1"])
def test_the_default_image_fails_what_it_is_said_to_fail(release: str) -> None:
    wish = {"tasks": ["snapshot", "backup"], "effects": ["visible", "asynchronous"], "bystander": False}
    said: dict[str, t.Any] = {"fault": "default-engine-image", "default_engine_faults": ["backup-delete"]}
    (cell,) = plan(release, **wish, **said).cells
    assert (cell.task, cell.faults, cell.engine_image) == ("backup", ("backup-delete",), "")


def test_and_everything_that_it_is_said_to_fail_where_the_job_sees_it() -> None:
    said: dict[str, t.Any] = {
        "fault": "default-engine-image",
        "default_engine_faults": ["snapshot-delete", "backup-delete"],
    }
    visible, behind = plan("v1.0.1", tasks=["backup"], effects=["visible", "asynchronous"], **said).cells
    assert visible.faults == behind.faults == ("snapshot-delete", "backup-delete")


def test_a_build_that_refuses_inside_is_used_where_only_that_helps() -> None:
    assert plan("v1.4.4", images=[STUB, PATCHED]).cells[0].engine_image == PATCHED["image"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        pytest.param({"tasks": []}, "no task is given", id="no-task"),
        pytest.param({"tasks": ["trim"]}, "task 'trim' is unknown", id="unknown-task"),
        pytest.param({"effects": ["loud"]}, "effect 'loud' is unknown", id="unknown-effect"),
        pytest.param({"effects": ["none", "none"]}, "effect is given twice", id="twice"),
        pytest.param({"fault": "fire"}, "fault 'fire' is unknown", id="unknown-fault"),
        pytest.param({"retain": 0}, "at least 1", id="retain-zero"),
        pytest.param({"fault": "default-engine-image"}, "what does the default image fail", id="unstated-default"),
    ],
)
def test_bad_wishes_are_refused(wish: dict[str, t.Any], words: str) -> None:
    with pytest.raises(CellError, match=words):
        plan("v1.8.2", **wish)


@pytest.mark.parametrize(
    ("release", "largest"),
    [
        pytest.param("v1.1.3", 50, id="1.1"),
        pytest.param("v1.4.1", 50, id="1.4.1"),
        pytest.param("v1.4.4", 100, id="1.4.4"),
        pytest.param("v1.8.2", 250, id="1.8"),
    ],
)
def test_a_job_keeps_as_many_as_its_release_lets_it(release: str, largest: int) -> None:
    assert plan(release, effects=["none"], retain=largest).cells[0].retain == largest
    with pytest.raises(CellError, match=f"more than the {largest} snapshots"):
        plan(release, effects=["none"], retain=largest + 1)
