# SPDX-License-Identifier: GPL-3.0-or-later
"""lab.json: what a lab is, for its own commands and for anybody who wants to read it."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.ports import Ports
from longhorn_qa_lab.processes import Process

STARTING = "starting"
UP = "up"
_SCHEMA = 1


@dataclass(frozen=True)
class Description:
    """One lab as it was when this was last written."""

    name: str
    folder: str
    state: str
    release: str
    started: str
    owner: int | None
    kubeconfig: str
    server: str
    kubernetes: str
    cronjob_controller: str
    poll_scale: float
    egress_socket: str
    ports: Ports
    keeper: Process
    processes: Mapping[str, Process]
    schema: int = _SCHEMA

    def write(self, path: Path) -> None:
        """Readers see the old text or the new one, never a half."""
        draft = path.with_name(path.name + ".new")
        draft.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(path)


def read(path: Path) -> Description | None:
    """None when there is none, or none that can be read: its processes are then found by their mark."""
    try:
        document: dict[str, t.Any] = json.loads(path.read_text(encoding="utf-8"))
        document["ports"] = Ports(**document["ports"])
        document["keeper"] = Process(**document["keeper"])
        document["processes"] = {name: Process(**value) for name, value in document["processes"].items()}
        return Description(**document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
