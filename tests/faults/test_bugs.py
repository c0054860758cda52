# SPDX-License-Identifier: GPL-3.0-or-later
"""Every bug switch of the lab changes exactly the verdicts that tests/expected/bugs.yml names, and no other."""

from __future__ import annotations

import typing as t

import pytest
from tests.faults import bug_cells

from longhorn_qa_lab.longhorn.bugs import BUGS

NAMES = (*bug_cells.CONTROLS, *bug_cells.BUGS)


@pytest.fixture(scope="module")
def found(lab_root: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bug_cells.Judged]:
    return bug_cells.judged_in_a_lab("bugs", NAMES, folder=tmp_path_factory.mktemp("bugs"))


def test_every_switch_of_the_lab_is_in_the_table() -> None:
    assert set(bug_cells.BUGS) == set(BUGS)


@pytest.mark.parametrize("name", NAMES)
def test_a_bug_changes_what_it_should_and_nothing_else(found: t.Mapping[str, bug_cells.Judged], name: str) -> None:
    assert bug_cells.differing(name, found) == {}
