# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all tests that only need a cluster; it ends with the test process, also when that is killed."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import by_path

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
    """A control plane with its node and no Longhorn; `lab.kubeconfig` is the administrator's way in."""
    with running(Options(name=f"shared-{os.getpid()}"), Progress()) as started:
        yield started


@pytest.fixture
def manager_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., t.Any]:
    """The manager of a release with its controllers, on a cluster and a store in memory."""
    bench = by_path.load(Path(__file__).with_name("manager_bench.py"), "lab_manager_bench").Bench
    return lambda release, *volumes: bench(tmp_path, release, monkeypatch, volumes or ("vol",))
