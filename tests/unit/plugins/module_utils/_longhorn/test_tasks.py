# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import tasks

OLD_TASKS = {"snapshot", "backup"}
KEEPING = {"snapshot-delete", "snapshot-cleanup"}
FORCED = {"snapshot-force-create", "backup-force-create"}


@pytest.mark.parametrize(
    ("release", "known"),
    [
        pytest.param("2020-06", OLD_TASKS, id="2020-06"),
        pytest.param("v1.2.6", OLD_TASKS, id="1.2"),
        pytest.param("v1.3.2", OLD_TASKS, id="before-1.3.3"),
        pytest.param("v1.3.3", OLD_TASKS | KEEPING | FORCED, id="1.3.3"),
        pytest.param("v1.4.0", OLD_TASKS, id="1.4.0-came-before-1.3.3"),
        pytest.param("v1.4.1", OLD_TASKS | KEEPING, id="1.4.1"),
        pytest.param("v1.4.2", OLD_TASKS | KEEPING | FORCED, id="1.4.2"),
        pytest.param("v1.5.0", OLD_TASKS | KEEPING | FORCED | {"filesystem-trim"}, id="1.5"),
        pytest.param("v1.9.0", {*tasks.TASKS}, id="1.9"),
        pytest.param("v1.99.0", {*tasks.TASKS}, id="one-that-nobody-knows-yet"),
    ],
)
def test_each_release_has_its_tasks(release: str, known: set[str]) -> None:
    assert set(tasks.known_to(release)) == known


def test_cells_have_tasks_of_this_table() -> None:
    assert set(tasks.TASKS) - set(t.get_args(Task)) == {"system-backup"}
