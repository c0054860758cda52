# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs a lab needs, and what a set of them is called."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
EXTRAS = ("kubectl",)
"""Handy for a person; a lab runs without them."""

_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}


@dataclass(frozen=True)
class Binaries:
    """One complete set of programs, ready to run."""

    folder: Path
    source: str
    kubernetes: str
    programs: Mapping[str, Path]

    def __getitem__(self, program: str) -> Path:
        return self.programs[program]


def architecture() -> str:
    """This machine's name in Go's and Kubernetes' words."""
    machine = platform.machine()
    return _GO_NAMES.get(machine, machine)
