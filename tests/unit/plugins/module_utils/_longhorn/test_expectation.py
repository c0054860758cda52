# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preflight promises of a cell: the same as the table of expected verdicts, for every combination in it."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from tests import by_path

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Fault
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.expectation import expectation
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile

FOLDER = Path(__file__).parents[4] / "expected"
AGAIN = "is started again"


ROWS = [row for row in by_path.load(FOLDER / "matrix.py", "expected_matrix").load() if not row.impossible]


def cells(row: t.Any) -> list[Cell]:
    """The volume of a row and its bystander, as they are planned."""
    faults = (row.deletion,) if row.deletion else ()
    volume = Cell("v", row.task, "j", "j", faults=faults, fault_type=row.fault_type or "engine-image")
    bystander = replace(volume, volume="v-by", faults=faults if row.bystander_is_faulty else ())
    return [volume] if row.bystander is None else [volume, bystander]


def promised(row: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """The page's lines for each volume of a row, with what the table expects of it."""
    both = cells(row)
    for cell, expected in zip(both, (row.volume, row.bystander), strict=False):
        others = [one for one in both if one is not cell]
        yield "\n".join(expectation(cell, row.release, (), invocations=3, sharing=others)), expected


def _numbers(expected: t.Any) -> str:
    def number(least: int, most: int, what: str) -> str:
        return f"{least} {what}" if least == most else f"{least} to {most} {what}"

    told = [number(*expected.snapshots, "snapshots")]
    return " and ".join([*told, number(*expected.backups, "backups")] if expected.backups[1] else told)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.release} {row.task} {row.fault}")
def test_the_page_promises_what_the_table_expects(row: t.Any) -> None:
    for text, expected in promised(row):
        assert ("known to fail" in text) == bool(expected.issue), text
        assert expected.issue in text
        assert (AGAIN in text or "starts it again" in text) == (expected.checks["single-attempt"] == ("fail",)), text
        assert "vacuous" not in text
        if expected.snapshots[1]:
            assert f"3 invocations make {_numbers(expected)}" in text


@pytest.mark.parametrize("row", [row for row in ROWS if row.effect == "visible"], ids=repr)
def test_the_line_that_it_promises_is_one_that_the_judge_looks_for(row: t.Any) -> None:
    known = profile(row.release, row.task)
    level = known.failures[row.deletion].level
    lines = (*known.warnings, *known.fatal, *known.refusals)
    assert level in {line.level for line in lines if line.deletion == row.deletion and line.source == "job"}


@pytest.mark.parametrize(
    ("release", "task", "fault", "kind", "words"),
    [
        pytest.param("v1.0.0", "backup", "backup-delete", "engine-image", AGAIN, id="the bug"),
        pytest.param("v1.1.3", "snapshot", "snapshot-delete", "engine-image", "logs a warning", id="the fix"),
        pytest.param("v1.2.6", "snapshot", "snapshot-delete", "engine-image", "logs an error", id="a line for each"),
        pytest.param("v1.8.2", "snapshot", "snapshot-delete", "admission", AGAIN, id="passed on"),
        pytest.param("v1.8.2", "backup", "backup-delete", "admission", "logs a warning", id="backups only warn"),
        pytest.param("v1.8.2", "backup-force-create", "snapshot-delete", "admission", "logs a warning", id="after it"),
        pytest.param("v1.12.1", "snapshot", "snapshot-delete", "admission", "logs an error", id="lost"),
        pytest.param("v1.12.1", "backup", "backup-delete", "backup-store", "job is silent", id="behind its back"),
    ],
)
def test_what_the_job_shows(release: str, task: t.Any, fault: Fault, kind: t.Any, words: str) -> None:
    cell = Cell("v", task, "j", "j", faults=(fault,), fault_type=kind)
    assert words in expectation(cell, release, ())[0]


@pytest.mark.parametrize(
    ("release", "task", "kind", "told"),
    [
        pytest.param("v1.3.2", "snapshot", "patched-engine-image", False, id="not yet"),
        pytest.param("v1.3.3", "snapshot", "patched-engine-image", True, id="the first"),
        pytest.param("v1.12.1", "backup", "admission", True, id="the last"),
        pytest.param("v1.12.1", "backup", "disable-snapshot-purge", False, id="of what the job does not see"),
    ],
)
def test_an_event_is_promised_where_there_is_one(release: str, task: t.Any, kind: t.Any, told: bool) -> None:
    cell = Cell("v", task, "j", "j", faults=("snapshot-delete",), fault_type=kind)
    assert ("Event FailedDeleting" in expectation(cell, release, ())[0]) == told


def test_of_a_release_that_nobody_knows_only_what_is_intended_is_promised() -> None:
    cell = Cell("v", "snapshot", "j", "j", faults=("snapshot-delete",), fault_type="admission")
    assert expectation(cell, "v1.13.0", ()) == [
        "snapshot-delete fails (admission): the job has to say so and to end well",
        "3 invocations make 3 snapshots",
    ]


def test_numbers_are_told_of_jobs_that_keep_one() -> None:
    cell = Cell("v", "snapshot", "j", "j", retain=2, faults=("snapshot-delete",), fault_type="admission")
    assert "invocations" not in "\n".join(expectation(cell, "v1.8.2", ()))


def test_data_that_stays_in_silence_is_no_failure() -> None:
    cell = Cell("v", "backup", "j", "j", faults=("backup-delete",), fault_type="object-lock")
    assert "known vacuous" in expectation(cell, "v1.8.2", ())[0]
