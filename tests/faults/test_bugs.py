# SPDX-License-Identifier: GPL-3.0-or-later
"""Every bug switch of the lab changes exactly the verdicts that tests/expected/bugs.yml names, and no other."""

from __future__ import annotations

import typing as t

import pytest
from tests.faults import bug_cells

from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.lab import running
from longhorn_qa_lab.longhorn.bugs import BUGS
from longhorn_qa_lab.longhorn.trial import Trial
from longhorn_qa_lab.progress import Progress

NAMES = (*bug_cells.CONTROLS, *bug_cells.BUGS)


@pytest.fixture(scope="module")
def found(lab_root: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bug_cells.Judged]:
    options = Options(name="bugs", release=bug_cells.RELEASE, poll_scale=0.2, time_scale=0.2)
    with running(options, Progress()) as started:
        trial = Trial(started.kubeconfig, patience=120.0)
        with trial.kube:
            return bug_cells.run(trial, NAMES, tmp_path_factory.mktemp("bugs"), started.kubeconfig)


def test_every_switch_of_the_lab_is_in_the_table() -> None:
    assert set(bug_cells.BUGS) == set(BUGS)


@pytest.mark.parametrize("name", NAMES)
def test_a_bug_changes_what_it_should_and_nothing_else(found: t.Mapping[str, bug_cells.Judged], name: str) -> None:
    seen = found[name]
    wanted = bug_cells.expected(name, seen.checks)
    differing = {check: seen.summaries[check] for check in wanted if wanted[check] != seen.checks[check]}
    assert seen.checks == wanted, differing
