# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault, FaultType, Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.faults import Effect, choose, effect


@pytest.mark.parametrize(
    ("release", "fault_type", "deletion", "expected"),
    [
        pytest.param("2020-06", "engine-image", "backup-delete", "visible", id="jobs call the volume's binary"),
        pytest.param("v1.0.1", "engine-image", "backup-delete", "none", id="the default image deletes backups"),
        pytest.param("v1.0.1", "default-engine-image", "backup-delete", "asynchronous", id="and the job never knows"),
        pytest.param("v1.2.6", "engine-image", "snapshot-delete", "visible", id="the last with the command line"),
        pytest.param("v1.5.5", "engine-image", "snapshot-delete", "none", id="a stub proves nothing any more"),
        pytest.param("v1.4.4", "patched-engine-image", "snapshot-delete", "visible", id="inside the replicas"),
        pytest.param("v1.5.0", "patched-engine-image", "snapshot-delete", "asynchronous", id="by a controller"),
        pytest.param("v1.1.3", "admission", "backup-delete", "none", id="no backup objects yet"),
        pytest.param("v1.4.4", "admission", "snapshot-delete", "none", id="snapshot objects are only mirrors"),
        pytest.param("v1.12.1", "admission", "snapshot-delete", "visible", id="objects are deleted"),
        pytest.param("v1.5.3", "disable-snapshot-purge", "snapshot-delete", "none", id="no such setting yet"),
        pytest.param("v1.9.2", "object-lock", "backup-delete", "silent", id="locked objects"),
    ],
)
def test_effect(release: str, fault_type: FaultType, deletion: Fault, expected: Effect) -> None:
    assert effect(release, fault_type, deletion) == expected


@pytest.mark.parametrize(
    ("release", "deletion", "wanted", "expected"),
    [
        pytest.param("v1.0.0", "snapshot-delete", "visible", "engine-image", id="the page's own stub"),
        pytest.param("v1.1.3", "backup-delete", "visible", None, id="none can be seen by the job"),
        pytest.param("v1.1.3", "backup-delete", "asynchronous", "backup-store", id="no image to build"),
        pytest.param("v1.3.3", "snapshot-delete", "visible", "patched-engine-image", id="only an own build"),
        pytest.param("v1.8.2", "snapshot-delete", "visible", "admission", id="the API server refuses"),
        pytest.param("v1.8.2", "snapshot-delete", "asynchronous", "disable-snapshot-purge", id="a setting"),
    ],
)
def test_choose(release: str, deletion: Fault, wanted: Effect, expected: FaultType | None) -> None:
    assert choose(release, deletion, wanted) == expected


@pytest.mark.parametrize(
    ("release", "task", "wanted", "expected"),
    [
        pytest.param("v1.4.4", "snapshot-cleanup", "visible", None, id="nothing makes a purge fail"),
        pytest.param("v1.8.2", "snapshot-cleanup", "visible", "disable-snapshot-purge", id="the job purges itself"),
        pytest.param("v1.8.2", "filesystem-trim", "visible", "disable-snapshot-purge", id="and after a trim"),
        pytest.param("v1.8.2", "filesystem-trim", "asynchronous", None, id="and waits for it"),
        pytest.param("v1.8.2", "snapshot-delete", "visible", "admission", id="snapshots are deleted by name"),
    ],
)
def test_a_task_that_only_purges_needs_another_fault(
    release: str, task: Task, wanted: Effect, expected: FaultType | None
) -> None:
    assert choose(release, "snapshot-delete", wanted, task=task) == expected
