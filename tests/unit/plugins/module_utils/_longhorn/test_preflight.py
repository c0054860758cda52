# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight's page: what it promises for each cell, and that it tells all problems at once."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, preflight
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import plan_cells
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.preflight import Intended, Page, Seen

IMAGES = [
    {"image": "quay.io/ttpcodes/longhorn-engine:no-cleanup", "broken": ["snapshot-delete", "backup-delete"]},
    {"image": "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup", "broken": ["backup-delete"]},
]
CELLS = plan_cells(IMAGES, ["snapshot", "backup"], run_id="a1", cron="*/3 * * * *")
INTENDED = Intended(cells=CELLS, cron="*/3 * * * *", invocations=3, timeout=timedelta(minutes=30), run_id="a1")
SEEN = Seen(
    server="https://127.0.0.1:6443", kubernetes="v1.20.2", manager_image="longhornio/longhorn-manager:v1.0.0-fix",
    release="2020-06", release_is_stated=True, default_image="longhornio/longhorn-engine:v1.0.0-fix",
    ready_nodes=("vm",), other_nodes=(), denied=(), asked=30, clock_offset=0.2, interval=timedelta(minutes=3),
)  # fmt: skip


def page(*, seen: dict[str, t.Any] | None = None, **intended: t.Any) -> Page:
    return preflight.page(replace(SEEN, **(seen or {})), replace(INTENDED, **intended))


def text(made: Page) -> str:
    return "\n".join(made.lines)


def test_a_good_run_is_told_on_one_page() -> None:
    made = page()
    assert made.problems == ()
    assert len(made.lines) < 40
    assert "2020-06 (as stated)" in text(made)
    assert "30 of 30 granted" in text(made)
    assert "a control: clean-up has to succeed" in text(made)
    assert "about 9 for each CronJob" in text(made)
    assert "enough" in text(made)
    assert "cron '*/3 * * * *', every 180 s; deadline 1800 s" in text(made)
    assert "1 of 1 ready\n" in text(made)
    assert made.timeout == 1800


def test_nodes_that_are_not_ready_are_named() -> None:
    assert "1 of 2 ready; not ready: n2 (no disk)" in text(page(seen={"other_nodes": ("n2 (no disk)",)}))


def test_v1_0_1_says_which_cells_are_known_vacuous_and_runs() -> None:
    made = page(seen={"release": "v1.0.1"})
    assert made.problems == ()
    assert text(made).count("known vacuous") == 2


def test_v1_0_1_with_a_stub_as_default_image_is_not_vacuous() -> None:
    made = page(seen={"release": "v1.0.1"}, default_engine_faults=("backup-delete",))
    assert "vacuous" not in text(made)
    assert "the manager's log has the failure" in text(made)


def test_v1_0_0_says_that_it_will_fail_and_why() -> None:
    assert "longhorn#1424, fixed in v1.0.1" in text(page(seen={"release": "v1.0.0"}))


def test_a_release_that_nobody_knows_is_judged_by_what_is_intended() -> None:
    cells = [replace(CELLS[0], job=CELLS[0].volume, cronjob=CELLS[0].volume, fault_type="admission")]
    made = page(seen={"release": "v1.13.0"}, cells=tuple(cells))
    assert made.problems == ()
    assert "v1.13.0 is not known here, v1.12.1 is the last known before it: judged is what is intended" in text(made)
    assert "known to fail" not in text(made)


def test_only_vacuous_cells_are_a_problem() -> None:
    vacuous = tuple(cell for cell in CELLS if cell.task == "backup" and cell.faults == ("backup-delete",))
    made = page(seen={"release": "v1.0.1"}, cells=vacuous)
    assert "no cell can be conclusive" in made.problems[0]


BY_DEFAULT = replace(CELLS[1], engine_image="", fault_type="default-engine-image", faults=("backup-delete",))
PROBLEMS = [
    pytest.param({"ready_nodes": ()}, {}, "no node", id="no-node"),
    pytest.param({"denied": ("watch pods in longhorn-system",)}, {}, "watch pods", id="permission-missing"),
    pytest.param({"problems": ("the cron line is empty",), "interval": None}, {}, "cron line", id="cron-wrong"),
    pytest.param({}, {"timeout": timedelta(seconds=-5)}, "timeout -5 s is not allowed", id="deadline-negative"),
    pytest.param({}, {"timeout": timedelta(seconds=-5), "trigger": True}, "timeout -5 s", id="negative-and-triggered"),
    pytest.param({}, {"timeout": timedelta(seconds=60)}, "shorter than one interval", id="deadline-below-interval"),
    pytest.param({}, {"timeout": timedelta(seconds=300)}, "too short for 3 invocations", id="deadline-too-short"),
    pytest.param({}, {"invocations": 0}, "at least 1", id="no-invocations"),
    pytest.param({}, {"cells": ()}, "no cell", id="no-cells"),
    pytest.param({}, {"cells": (CELLS[0], CELLS[0])}, "more than one cell", id="volume-twice"),
    pytest.param({"volumes": {CELLS[0].volume: {}}}, {}, "was not made by this run", id="volume-name-taken"),
    pytest.param({"cronjobs": (CELLS[0].cronjob,)}, {}, "exists without its volume", id="cronjob-name-taken"),
    pytest.param({}, {"cells": (replace(CELLS[0], volume="a" * 41),)}, "41 characters", id="volume-name-too-long"),
    pytest.param({}, {"cells": (replace(CELLS[0], job="nightly-1"),)}, "9 characters", id="job-name-too-long"),
    pytest.param({}, {"cells": (replace(CELLS[0], retain=0),)}, "at least 1", id="retain-zero"),
    pytest.param({}, {"cells": (replace(CELLS[0], cronjob="other"),)}, "not other", id="wrong-cronjob"),
    pytest.param({}, {"cells": (replace(CELLS[0], engine_image="A:B:"),)}, "malformed", id="malformed-image"),
    pytest.param({}, {"cells": (BY_DEFAULT,)}, "default_engine_faults does not name it", id="unstated-default"),
    pytest.param({}, {"run_id": "much-too-long-for-it"}, "run_id", id="run-id-too-long"),
]


@pytest.mark.parametrize(("seen", "intended", "words"), PROBLEMS)
def test_each_problem_is_told(seen: dict[str, t.Any], intended: dict[str, t.Any], words: str) -> None:
    made = page(seen=seen, **intended)
    assert any(words in problem for problem in made.problems), made.problems
    assert "Not possible:" in made.lines


def test_all_problems_are_told_at_once() -> None:
    seen = {"ready_nodes": (), "denied": ("watch pods in longhorn-system",), "volumes": {CELLS[0].volume: {}}}
    assert len(page(seen=seen, invocations=0).problems) == 4


def test_a_volume_of_the_same_run_is_free_to_use() -> None:
    assert page(seen={"volumes": {CELLS[0].volume: {names.RUN_ID_LABEL: "a1"}}}).problems == ()


def test_without_a_deadline_the_run_gets_the_time_it_needs() -> None:
    assert page(timeout=None).timeout == 3 * 180 + 60
    assert page(timeout=None).problems == ()


def test_triggered_runs_do_not_wait_for_the_schedule() -> None:
    made = page(trigger=True, timeout=timedelta(seconds=60))
    assert made.problems == ()
    assert "each started when the one before has ended" in text(made)


def test_events_beyond_the_budget_are_a_remark() -> None:
    made = page(invocations=20, seen={"interval": timedelta(minutes=1)}, timeout=timedelta(hours=1))
    assert made.problems == ()
    assert "those after invocation 9 may be lost" in text(made)


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        pytest.param(None, "does not tell its time", id="unknown"),
        pytest.param(90.0, "90.0 s ahead of", id="ahead"),
        pytest.param(-3.0, "3.0 s behind", id="behind"),
    ],
)
def test_the_clock_is_told(offset: float | None, words: str) -> None:
    assert words in text(page(seen={"clock_offset": offset}))


@pytest.mark.parametrize(
    ("invocations", "possible"),
    [pytest.param(1, False, id="as many as retain"), pytest.param(2, True, id="one more than retain")],
)
def test_a_run_in_which_no_deletion_is_due_is_stopped(invocations: int, *, possible: bool) -> None:
    problems = page(invocations=invocations).problems
    assert ("do not go beyond retain" in "".join(problems)) is not possible


@pytest.mark.parametrize(
    ("release", "cron", "intended", "refused"),
    [
        pytest.param("v1.1.3", 60, {}, True, id="a lock could hold up the next backup"),
        pytest.param("v1.1.3", 150, {}, False, id="long enough"),
        pytest.param("v1.0.1", 60, {}, False, id="no locks yet"),
        pytest.param("v1.1.3", 60, {"short_interval": True}, False, id="meant so"),
        pytest.param("v1.1.3", 60, {"trigger": True}, False, id="no schedule"),
        pytest.param("v1.1.3", 60, {"cells": (CELLS[0],)}, False, id="no backups"),
    ],
)
def test_ticks_within_the_expiry_of_a_lock_are_refused(
    release: str, cron: int, intended: dict[str, t.Any], *, refused: bool
) -> None:
    made = page(seen={"release": release, "interval": timedelta(seconds=cron)}, timeout=None, **intended)
    assert any("expires after 150 s" in problem for problem in made.problems) is refused
