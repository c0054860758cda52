# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole matrix without a lab: what each release does by the facts is judged as the table says."""

from __future__ import annotations

import typing as t
from functools import cache
from pathlib import Path

import pytest
from tests import by_path
from tests.unit.plugins.module_utils._judge import made

from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CellJudgement, Judgement, judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile

FOLDER = Path(__file__).parents[4] / "expected"


CELLS = [cell for cell in by_path.load(FOLDER / "matrix.py", "expected_matrix").load() if not cell.impossible]


def judged(history: t.Any) -> Judgement:
    return judge(history, profiles=profile, ticks=lambda *_bounds: ())


@cache
def run_of(release: str, task: str, fault: str, fault_type: str) -> Judgement:
    return judged(made.Run(release, task, fault, fault_type).history())


def compare(found: CellJudgement, expected: t.Any) -> list[str]:
    """One line for each difference, with what the judge said."""
    verdicts = {check.check: check.verdict for check in found.checks}
    said = {check.check: check.summary for check in found.checks}
    lines = [f"{line}: {said.get(line.partition(':')[0])}" for line in expected.differences(verdicts)]
    for kind in ("snapshots", "backups"):
        number = sum(len(getattr(item, kind)) for item in found.invocations)
        least, most = getattr(expected, kind)
        if not least <= number <= most:
            lines.append(f"{kind}: expected {least} to {most}, found {number}")
    issues = {check.known_issue.partition(":")[0] for check in found.checks if check.verdict == "fail"}
    if issues != ({expected.issue} if expected.issue else set()):
        lines.append(f"issue: expected {expected.issue!r}, found {issues}")
    return lines


def contract(found: CellJudgement, expected: t.Any) -> str:
    return (
        f"fails the contract, as this release is known to ({expected.issue})"
        if expected.issue
        else "meets the contract"
    )


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.release} {cell.task} {cell.fault}")
def test_a_cell_is_judged_as_the_table_says(cell: t.Any) -> None:
    judgement = run_of(cell.release, cell.task, cell.fault, cell.fault_type)
    wanted = [cell.volume, cell.bystander] if cell.bystander is not None else [cell.volume]
    assert len(judgement.cells) == len(wanted)
    for found, expected in zip(judgement.cells, wanted, strict=True):
        assert compare(found, expected) == []
        assert found.contract == contract(found, expected)
