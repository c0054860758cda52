# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario describes a fixture in the same way whenever it comes back to it, and waits for each alike."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

TASKS = Path(__file__).resolve().parents[3] / "roles/best_effort_cleanup/tasks"
# What is wanted of it may differ from one time to the other.
WISHES = {"volume_volumes", "fault_faults", "fault_state"}


def handed_over(file: str) -> dict[str, dict[str, t.Any]]:
    """By role, the options that a file of tasks hands over to it."""
    tasks = yaml.safe_load((TASKS / file).read_text(encoding="utf-8"))
    named = {
        task["ansible.builtin.include_role"]["name"]: task for task in tasks if "ansible.builtin.include_role" in task
    }
    return {
        name: {key: value for key, value in task["vars"].items() if key not in WISHES} for name, task in named.items()
    }


@pytest.mark.parametrize("role", [pytest.param(f"longhorn.qa.{name}", id=name) for name in ("volume", "fault")])
def test_the_recovery_says_what_the_making_said(role: str) -> None:
    """A volume of another size than the role's default is refused when it is not told again."""
    assert handed_over("recover.yml")[role] == handed_over("fixtures.yml")[role]


def test_each_fixture_is_waited_for_as_long_as_the_run_says() -> None:
    waits = {
        name: [value for key, value in options.items() if key.endswith("_wait_timeout")]
        for name, options in handed_over("fixtures.yml").items()
    }
    assert len(waits) == 5
    assert set(map(str, waits.values())) == {str(["{{ best_effort_cleanup_wait_timeout }}"])}, waits
