# SPDX-License-Identifier: GPL-3.0-or-later
"""A deletion whose turn never came: because another one failed before it, or because nothing was over retain."""

from __future__ import annotations

import pytest
from tests.unit.plugins.module_utils._judge.changed import SHARED, VISIBLE, changed, checks
from tests.unit.plugins.module_utils._judge.made import Run

from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict


def live(run: Run) -> CheckVerdict:
    return checks(changed(run))["fault-live"]


@pytest.mark.parametrize("release", SHARED)
def test_snapshots_come_last_and_wait_for_backups(release: str) -> None:
    visible = ("visible backup-delete", "admission")
    found = live(Run(release, "backup", *visible, invocations=2))
    assert found.verdict == "pass"
    assert "snapshot-delete was never reached: backup-delete comes first, and failed" in found.summary
    found = live(Run(release, "backup", *visible, invocations=1))
    assert found.verdict == "inconclusive"
    assert "snapshot-delete was never due, so nothing shows that clean-up works" in found.summary
    assert "so that a snapshot has to be deleted" in found.advice


def test_a_job_that_ends_with_its_first_deletion_comes_to_no_backup() -> None:
    found = live(Run("v1.0.0", "backup", VISIBLE, invocations=3))
    assert "backup-delete was never reached: snapshot-delete comes first, and failed" in found.summary


@pytest.mark.parametrize("release", ["2020-06", "v1.0.0", "v1.0.1"])
def test_before_anything_is_over_retain_nothing_comes_first(release: str) -> None:
    found = live(Run(release, "backup", VISIBLE, invocations=1))
    assert found.verdict == "inconclusive"
    assert "backup-delete was never due, so nothing shows that clean-up works" in found.summary
