# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab without Longhorn for most faults, and one with; they end with the test process, also when that is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.faults.longhorn_scene import RELEASE
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


@pytest.fixture(scope="session")
def longhorn(lab_root: str) -> Iterator[Running]:
    """A lab with a Longhorn whose artefacts are objects, and whose engines have a log of their own."""
    with running(Options(name=f"faults-lh-{os.getpid()}", release=RELEASE), Progress()) as started:
        yield started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of what happened and what of it was recorded, also when all is well."""
    if not FIGURES:
        return
    terminalreporter.section("what happened, and what of it the histories lack")
    terminalreporter.line(
        f"{'fault':<16} {'objects':>8} {'artefacts':>10} {'logs':>6} {'endless':>8} {'log bytes':>10} {'gaps':>6} "
        f"{'told':>6} {'silent':>7}"
    )
    for name, seen in FIGURES.items():
        told, silent = len(seen.admitted), len(seen.lost)
        terminalreporter.line(
            f"{name:<16} {seen.objects:>8} {seen.artefacts:>10} {seen.logs:>6} {seen.services:>8} {seen.log_bytes:>10} "
            f"{seen.gaps:>6} {told:>6} {silent:>7}"
        )
