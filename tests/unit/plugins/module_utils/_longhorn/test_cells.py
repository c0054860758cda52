# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning cells: one for each image and task, with names that fit everywhere they end up."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import (
    CellError,
    plan_cells,
    vacuous_faults,
)

NO_CLEANUP = {"image": "quay.io/ttpcodes/longhorn-engine:no-cleanup", "broken": ["snapshot-delete", "backup-delete"]}
NO_CLEANUP_BACKUP = {"image": "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup", "broken": ["backup-delete"]}


def plan(images: list[dict[str, t.Any]], tasks: list[str], **more: t.Any) -> tuple[Cell, ...]:
    return plan_cells(images, tasks, **{"run_id": "1a2b3c", "cron": "*/3 * * * *", **more})


def test_the_page_gives_four_cells_with_their_faults() -> None:
    cells = plan([NO_CLEANUP, NO_CLEANUP_BACKUP], ["snapshot", "backup"])
    assert [(cell.volume, cell.task, cell.job, cell.faults) for cell in cells] == [
        ("qa-1a2b3c-no-cleanup-snap", "snapshot", "snap-1", ("snapshot-delete",)),
        ("qa-1a2b3c-no-cleanup-back", "backup", "back-1", ("snapshot-delete", "backup-delete")),
        ("qa-1a2b3c-no-cleanup-backup-snap", "snapshot", "snap-2", ()),
        ("qa-1a2b3c-no-cleanup-backup-back", "backup", "back-2", ("backup-delete",)),
    ]
    assert {cell.cronjob for cell in cells} == {f"{cell.volume}-{cell.job}-c" for cell in cells}
    assert {(cell.cron, cell.retain) for cell in cells} == {("*/3 * * * *", 1)}


def test_an_empty_image_is_the_default_one_and_a_control() -> None:
    (cell,) = plan([{"image": ""}], ["backup"])
    assert (cell.volume, cell.engine_image, cell.faults) == ("qa-1a2b3c-default-back", "", ())


def test_two_images_of_one_tag_get_two_volumes() -> None:
    cells = plan([{"image": "a.example/engine:stub"}, {"image": "b.example/engine:stub"}], ["snapshot"])
    assert len({cell.volume for cell in cells}) == 2


@given(
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True),
    run_id=st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True),
)
def test_names_fit_whatever_the_tag(tag: str, run_id: str) -> None:
    images = [{"image": f"registry.example/engine:{tag}"}, NO_CLEANUP, NO_CLEANUP_BACKUP]
    cells = plan(images, ["snapshot", "backup"], run_id=run_id)
    for cell in cells:
        assert len(f"{cell.cronjob}-1234567890-abcde") <= 63, "the pod's name is cut"
        assert len(cell.job) <= 8
    assert len({cell.volume for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    ("images", "tasks", "more", "words"),
    [
        pytest.param([], ["snapshot"], {}, "no engine image", id="no-image"),
        pytest.param([NO_CLEANUP], [], {}, "no task", id="no-task"),
        pytest.param([NO_CLEANUP], ["trim"], {}, "'trim' is unknown", id="unknown-task"),
        pytest.param([NO_CLEANUP], ["backup", "backup"], {}, "twice", id="task-twice"),
        pytest.param([NO_CLEANUP, NO_CLEANUP], ["backup"], {}, "given twice", id="image-twice"),
        pytest.param([{"image": "Bad:Ref:"}], ["backup"], {}, "malformed", id="malformed-image"),
        pytest.param([{"image": "a", "broken": ["all"]}], ["backup"], {}, "fault 'all' is unknown", id="unknown-fault"),
        pytest.param([NO_CLEANUP], ["backup"], {"retain": 0}, "at least 1", id="retain-zero"),
        pytest.param([NO_CLEANUP], ["backup"], {"retain": 51}, "50", id="retain-too-large"),
        pytest.param([NO_CLEANUP], ["backup"], {"run_id": "Not-Good-At-All"}, "run_id", id="bad-run-id"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(
    images: list[dict[str, t.Any]], tasks: list[str], more: dict[str, t.Any], words: str
) -> None:
    with pytest.raises(CellError, match=words):
        plan(images, tasks, **more)


def test_on_v1_0_1_the_backup_faults_of_a_stub_on_the_volume_are_vacuous() -> None:
    both, backup = plan([NO_CLEANUP, NO_CLEANUP_BACKUP], ["backup"])
    assert vacuous_faults(both, "v1.0.1") == ("backup-delete",)
    assert vacuous_faults(backup, "v1.0.1") == ("backup-delete",)
    assert vacuous_faults(backup, "v1.0.1", ("backup-delete",)) == ()
    assert vacuous_faults(backup, "2020-06") == ()
