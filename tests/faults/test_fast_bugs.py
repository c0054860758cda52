# SPDX-License-Identifier: GPL-3.0-or-later
"""A fast cut of the bug switches, one recorded invocation of each; test_bugs.py has them all."""

from __future__ import annotations

import typing as t

import pytest
from tests.faults import bug_cells

NAMES = (
    "control-snapshot",
    "duplicate-same-second",
    "restarted-container",
    "warning-quoted",
    "failed-with-all",
)


@pytest.fixture(scope="module")
def found(lab_root: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bug_cells.Judged]:
    return bug_cells.judged_in_a_lab("bugs-fast", NAMES, folder=tmp_path_factory.mktemp("bugs"), fast=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_bug_changes_what_it_should_and_nothing_else(found: t.Mapping[str, bug_cells.Judged], name: str) -> None:
    assert bug_cells.differing(name, found) == {}
