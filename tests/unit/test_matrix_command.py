# SPDX-License-Identifier: GPL-3.0-or-later
"""`make matrix` passes only for what was seen: a run that made nothing, or broke, is no success."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from tests import by_path

ROOT = Path(__file__).resolve().parents[2]


matrix = by_path.load(ROOT / "build/matrix.py", "build_matrix")
CELLS = [cell for cell in matrix.expected("matrix").load() if cell.release == "v1.8.2"]
PURGE = [cell for cell in CELLS if cell.fault_type == matrix.FOR_ALL]
FAKE = "#!/bin/sh\nmkdir -p {folder}\nprintf '{report}' > {folder}/report.json\nexit {status}\n"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "PLACE", tmp_path / "matrix")


def as_the_table_says(cell: t.Any, expected: t.Any, **changed: str) -> dict[str, t.Any]:
    """The report's cell of a row, but for the changed checks."""
    checks = {check: right[0] for check, right in expected.checks.items()} | changed
    made = {what: ["x"] * getattr(expected, what)[0] for what in ("snapshots", "backups")}
    return {
        "task": cell.task,
        "verdict": expected.verdict,
        "checks": [{"check": c, "verdict": v, "known_issue": expected.issue} for c, v in checks.items()],
        "invocations": [made],
    }


def row(cell: t.Any, **changed: str) -> t.Any:
    return matrix.compared(cell, "volume", cell.volume, as_the_table_says(cell, cell.volume, **changed))


def test_without_a_report_every_row_fails_inferred_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    found = list(matrix.rows(CELLS, matrix.runs(CELLS)))
    assert {one.seen for one in found} == {"not there"}
    assert not all(one.cell.sourced for one in found)
    assert matrix.conclude(found, [], 0) == 1
    assert capsys.readouterr().out == f"0 passed, {len(found)} failed\n"


def test_rows_as_expected_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert matrix.conclude([row(cell) for cell in CELLS if not cell.impossible], [], 0) == 0
    assert capsys.readouterr().out.endswith(" passed, 0 failed\n")


def test_an_inferred_row_that_differs_is_neither(capsys: pytest.CaptureFixture[str]) -> None:
    (cell, *_others) = PURGE
    assert not cell.sourced
    assert matrix.conclude([row(cell), row(cell, **{"fault-live": "fail"})], [], 0) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 inferred rows differ: counted neither as passed nor as failed",
        "1 passed, 0 failed",
    ]


def test_a_sourced_row_that_differs_fails() -> None:
    cell = next(cell for cell in CELLS if cell.sourced)
    assert matrix.conclude([row(cell, **{"fault-live": "fail"})], [], 0) == 1


def test_a_broken_run_fails_whatever_it_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert matrix.conclude([row(CELLS[0])], [], 1) == 1
    assert capsys.readouterr().out.endswith("1 passed, 1 failed\n")


@pytest.mark.parametrize(
    ("status", "report", "good"),
    [
        pytest.param(0, True, True, id="pass"),
        pytest.param(1, True, True, id="fail"),
        pytest.param(2, True, True, id="inconclusive"),
        pytest.param(3, True, False, id="broken"),
        pytest.param(0, False, False, id="no report"),
    ],
)
def test_a_run_is_good_when_it_came_to_a_verdict(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    report: bool,
    good: bool,
) -> None:
    run = matrix.Run("v1.8.2", ("snapshot",), False)
    program = tmp_path / "longhorn-qa"
    folder = run.folder if report else tmp_path / "elsewhere"
    program.write_text(FAKE.format(folder=folder, report=json.dumps({"runs": []}), status=status))
    program.chmod(0o755)
    monkeypatch.setattr(matrix, "PROGRAM", program)
    assert matrix.carry_out(run) is good
    assert capsys.readouterr().out.startswith("ran" if good else "FAILED")


def test_what_the_lab_cannot_do_stands_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    matrix.show([row(cell) for cell in CELLS if not cell.impossible], [], 0)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "admission, by policy" in line]
    assert line.split()[0] == "v1.8.2"
    assert line.endswith(" untested")


def test_the_manual_procedure_has_a_run_for_each_scenario_of_its_table() -> None:
    table = yaml.safe_load((ROOT / "tests/expected/lab.yml").read_text())["scenarios"]
    manual = matrix.procedures()
    assert [one.title for one in manual] == list(table)
    assert len({one.name for one in manual}) == len(table)
    assert [one.title for one in manual if one.variables] == ["v1.0.1-default-engine-stub"]


def test_the_manual_procedure_is_compared_with_its_own_table(capsys: pytest.CaptureFixture[str]) -> None:
    one = matrix.procedures()[0]
    assert one.release == "2020-06"
    assert one.seen() == ("not there", ["there is no report"])
    one.folder.mkdir(parents=True)
    report = one.folder / "report.json"
    report.write_text(json.dumps({"verdict": "fail", "runs": [{"cells": []}]}))
    assert "run: expected pass, found fail" in one.seen()[1]
    assert matrix.conclude([], [one], 0) == 1
    cells = yaml.safe_load((ROOT / "tests/expected/lab.yml").read_text())["scenarios"][one.title]["cells"]
    document = [
        {
            "engine_image": cell["image"],
            "task": cell["task"],
            "invocations": [{"by_hand": True}],
            "checks": [{"check": n, "verdict": c["verdict"], "summary": "s"} for n, c in cell["checks"].items()],
        }
        for cell in cells
    ]
    report.write_text(json.dumps({"verdict": "pass", "runs": [{"cells": document}]}))
    assert matrix.conclude([], [one], 0) == 0
    assert capsys.readouterr().out == "0 passed, 1 failed\n1 passed, 0 failed\n"


def test_every_type_of_fault_is_recovered_from() -> None:
    table = matrix.expected("matrix").load()
    every = [*matrix.runs(table), *matrix.procedures()]
    assert {run.name for run in every if run.recovers} == set(matrix.RECOVERING)
    assert all(("--no-recovery" in run.command(Path("v"))) != run.recovers for run in every)
    by_type = {cell.fault_type for cell in table if not cell.impossible and matrix.runs([cell])[0].recovers}
    # The procedure's volumes have the stubs themselves, and one of these is the default engine image too.
    assert by_type | {"engine-image"} == {cell.fault_type for cell in table if not cell.impossible}
    assert any(run.recovers and run.image for run in matrix.procedures())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({}, [], id="well again"),
        pytest.param({"retain-kept": "fail"}, ["v: retain-kept: expected pass, found fail"], id="too many are left"),
        pytest.param(
            {"history-complete": "inconclusive"},
            ["v: history-complete: expected pass, found inconclusive"],
            id="not seen",
        ),
        pytest.param({"store-agrees": "pass"}, ["v: store-agrees: expected not_applicable, found pass"], id="not its"),
    ],
)
def test_a_recovery_is_well_when_it_looks_as_if_there_had_been_no_fault(
    changed: dict[str, str], told: list[str]
) -> None:
    again = recovery(lambda cell: [{"volume": "v", **as_the_table_says(cell, cell.volume, **changed)}])
    assert again.seen()[1] == told
    assert matrix.conclude([], [again], 0) == bool(told)


def test_a_volume_that_is_not_looked_at_again_is_not_well() -> None:
    assert recovery(lambda _cell: []).seen()[1] == ["v: not looked at again"]


def test_a_run_without_a_recovery_has_not_recovered(capsys: pytest.CaptureFixture[str]) -> None:
    (again,) = matrix.recoveries(matrix.runs(PURGE), CELLS)
    assert again.seen() == ("not there", ["there is no record of a recovery"])
    matrix.show([], [again], 0)
    assert "  matrix-v1-8-2-all, recovery: there is no record of a recovery" in capsys.readouterr().out.splitlines()


def recovery(cells: t.Callable[[t.Any], list[dict[str, t.Any]]]) -> t.Any:
    """Of a run for all volumes, whose task was snapshot."""
    (again,) = matrix.recoveries(matrix.runs(PURGE), CELLS)
    good = next(cell for cell in CELLS if (cell.task, cell.fault) == ("snapshot", "none"))
    again.run.folder.mkdir(parents=True)
    runs = [{"verdict": "pass", "cells": [{"volume": "v"}]}, {"verdict": "pass", "cells": cells(good)}]
    (again.run.folder / "report.json").write_text(json.dumps({"runs": runs}))
    return again
