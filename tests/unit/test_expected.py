# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of expected verdicts are whole, and the comparison of a report with them can find a difference."""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest
import yaml
from tests import by_path

from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CHECKS

FOLDER = Path(__file__).parents[1] / "expected"
TABLES: dict[str, t.Any] = {
    **yaml.safe_load((FOLDER / "recordings.yml").read_text())["recordings"],
    **{f"lab {name}": table for name, table in yaml.safe_load((FOLDER / "lab.yml").read_text())["scenarios"].items()},
}


def differences(scenario: str, report: dict[str, t.Any]) -> list[str]:
    module = by_path.load(FOLDER / "compare.py", "expected_compare")
    return t.cast(list[str], module.differences(scenario, report))


@pytest.fixture
def right_report() -> dict[str, t.Any]:
    """A report that says exactly what the table says of the 2020-06 scenario."""
    cells = [
        {
            "engine_image": cell["image"],
            "task": cell["task"],
            "invocations": [{"by_hand": False}],
            "checks": [{"check": n, "verdict": c["verdict"], "summary": "s"} for n, c in cell["checks"].items()],
        }
        for cell in TABLES["lab 2020-06"]["cells"]
    ]
    return {"verdict": "pass", "runs": [{"cells": cells}]}


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_has_every_check_with_its_source(name: str) -> None:
    for cell in TABLES[name]["cells"]:
        assert tuple(cell["checks"]) == CHECKS
        for entry in cell["checks"].values():
            assert entry["verdict"] in ("pass", "fail", "inconclusive", "not_applicable")
            assert len(entry["source"]) > 20


def test_right_report_has_no_difference(right_report: dict[str, t.Any]) -> None:
    assert differences("2020-06", right_report) == []
    recovery = {"cells": [{**right_report["runs"][0]["cells"][0], "engine_image": "", "checks": []}]}
    assert differences("2020-06", {**right_report, "runs": [*right_report["runs"], recovery]}) == []


@pytest.mark.parametrize("place", ["verdict", "cell", "check"])
def test_each_difference_is_told(place: str, right_report: dict[str, t.Any]) -> None:
    report = copy.deepcopy(right_report)
    if place == "verdict":
        report["verdict"] = "fail"
    elif place == "cell":
        report["runs"][0]["cells"].pop()
    else:
        report["runs"][0]["cells"][0]["checks"][2]["verdict"] = "fail"
    assert len(differences("2020-06", report)) == 1


def test_checks_of_the_schedule_may_be_without_object_only_when_all_jobs_were_made_by_hand(
    right_report: dict[str, t.Any],
) -> None:
    cell = right_report["runs"][0]["cells"][0]
    for check in cell["checks"]:
        if check["check"] == "events-recorded":
            check["verdict"] = "not_applicable"
    assert len(differences("2020-06", right_report)) == 1
    cell["invocations"] = [{"by_hand": True}]
    assert differences("2020-06", right_report) == []
