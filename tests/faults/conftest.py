# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab without Longhorn for all faults; it ends with the test process, also when that is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.faults.scene import FIGURES

from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.lab import Running, running
from longhorn_qa_lab.progress import Progress


@pytest.fixture(scope="session")
def lab_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder of labs that no person's labs live in."""
    folder = tmp_path_factory.mktemp("labs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGHORN_QA_LAB_DIR", str(folder))
        yield str(folder)


@pytest.fixture(scope="session")
def lab(lab_root: str) -> Iterator[Running]:
    """A control plane with its node; the kubeconfig is the administrator's."""
    with running(Options(name=f"faults-{os.getpid()}"), Progress()) as started:
        yield started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of what happened and what of it was recorded, also when all is well."""
    if not FIGURES:
        return
    terminalreporter.section("what happened, and what of it the histories lack")
    terminalreporter.line(
        f"{'fault':<16} {'objects':>8} {'logs':>6} {'log bytes':>10} {'gaps':>6} {'told':>6} {'silent':>7}"
    )
    for name, seen in FIGURES.items():
        told, silent = len(seen.admitted), len(seen.lost)
        figures = f"{seen.objects:>8} {seen.logs:>6} {seen.log_bytes:>10} {seen.gaps:>6} {told:>6} {silent:>7}"
        terminalreporter.line(f"{name:<16} {figures}")
