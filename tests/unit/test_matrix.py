# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the matrix is whole: every release × task × fault once, with everything an entry needs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from tests import by_path

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import faults

FOLDER = Path(__file__).parents[1] / "expected"
ONE_RELEASE = """
tasks: {v1.5.5: [snapshot]}
first_with_bystander: v1.5.5
always: []
entries:
  - {fault: none, releases: [v1.5.5], tasks: [snapshot], snapshots: 3, source: s, sourced: true}
  - {fault: visible snapshot-delete, type: admission, releases: [v1.5.5], tasks: [snapshot], snapshots: 2,
     checks: {job-succeeded: fail}, issue: longhorn#1, source: s, sourced: true}
  - {fault: asynchronous snapshot-delete, releases: [v1.5.5], tasks: [snapshot], impossible: why}
"""


matrix = by_path.load(FOLDER / "matrix.py", "expected_matrix")
CELLS = matrix.load()


def test_it_has_all_releases_of_the_lab_with_all_their_tasks() -> None:
    releases = {cell.release for cell in CELLS}
    assert len(releases) == 11
    assert {cell.task for cell in CELLS} == set(t.get_args(model.Task))
    assert len(CELLS) == 184


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.release}-{cell.task}-{cell.fault}")
def test_an_entry_is_complete(cell: t.Any) -> None:
    if cell.impossible:
        assert len(cell.impossible) > 20
        assert not cell.fault_type
        return
    assert cell.source
    assert isinstance(cell.sourced, bool)
    assert bool(cell.fault_type) == (cell.fault != "none")
    for volume in (cell.volume, cell.bystander):
        if volume is not None:
            assert set(volume.checks) == set(matrix.CHECKS)
            assert volume.snapshots[0] <= volume.snapshots[1]
            assert volume.backups[0] <= volume.backups[1]
            makes = model.Cell("v", cell.task, "j", "c")
            assert bool(volume.snapshots[1]) == makes.makes_snapshots
            assert bool(volume.backups[1]) == makes.makes_backups


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.fault != "none"], ids=repr)
def test_the_fault_is_the_one_that_would_be_chosen(cell: t.Any) -> None:
    chosen = faults.choose(cell.release, cell.deletion, cell.effect, task=cell.task)
    assert (chosen or "") == cell.fault_type
    assert bool(cell.impossible) == (chosen is None)


def test_until_1_1_a_job_has_one_volume() -> None:
    with_bystander = {cell.release for cell in CELLS if cell.bystander is not None}
    assert {cell.release for cell in CELLS} - with_bystander == {"2020-06", "v1.0.0", "v1.0.1", "v1.1.3"}


def _table(tmp_path: Path, old: str, new: str) -> Path:
    assert old in ONE_RELEASE
    path = tmp_path / "matrix.yml"
    path.write_text(ONE_RELEASE.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("fault: none", "fault: visible snapshot-delete", "stands in 0 entries", id="one missing"),
        pytest.param("[snapshot], snapshots: 3", "[snapshot, snapshot], snapshots: 3", "stands in 2", id="one twice"),
        pytest.param("[snapshot], imp", "[snapshot, backup], imp", "no such task", id="one too many"),
        pytest.param(
            "source: s, sourced: true}\n  - {fault: v", "sourced: true}\n  - {fault: v", "'source'", id="source"
        ),
        pytest.param("snapshots: 2", "snapshot: 2", "unknown field 'snapshot'", id="a wrong word"),
        pytest.param("job-succeeded: fail", "succeeded: fail", "check 'succeeded' is unknown", id="a wrong check"),
        pytest.param("issue: longhorn#1, ", "", "go together", id="a fail without an issue"),
        pytest.param("snapshots: 3", "snapshots: 3, bystander: bad", "bystander 'bad'", id="a wrong bystander"),
    ],
)
def test_a_table_that_is_not_whole_is_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(matrix.TableError, match=words):
        matrix.load(_table(tmp_path, old, new))


def test_what_differs_is_told() -> None:
    (cell,) = [c for c in CELLS if (c.release, c.task, c.fault) == ("v1.8.2", "snapshot", "visible snapshot-delete")]
    right = {check: verdicts[-1] for check, verdicts in cell.volume.checks.items()}
    assert cell.volume.verdict == "fail"
    assert cell.volume.differences(right) == []
    assert cell.volume.differences({**right, "no-overlap": "fail"}) == ["no-overlap: expected pass, found fail"]
    assert cell.volume.differences({k: v for k, v in right.items() if k != "no-overlap"}) == [
        "no-overlap: expected pass, found nothing"
    ]
    assert cell.volume.differences({**right, "history-complete": "fail"}) == [
        "history-complete: expected pass or inconclusive, found fail"
    ]
