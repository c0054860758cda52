# SPDX-License-Identifier: GPL-3.0-or-later
"""What everything on the node shares: its settings, its folders and its connections."""

from __future__ import annotations

import random
import socket
import typing as t
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from longhorn_qa_lab.node.api import Api
from longhorn_qa_lab.node.events import Recorder
from longhorn_qa_lab.node.images import Image
from longhorn_qa_lab.node.services import LOOPBACK, Directory

HOST_IP = LOOPBACK
POD_NETWORK = "10.244.0"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the node was started with."""

    lab_dir: Path
    name: str
    port: int
    egress_socket: Path
    time_scale: float


class Addresses:
    """Pod addresses, handed out one after the other; one that was given back is reused last."""

    def __init__(self) -> None:
        self._free = [f"{POD_NETWORK}.{number}" for number in range(2, 255)]

    def take(self) -> str:
        """A free address."""
        return self._free.pop(0)

    def give_back(self, address: str) -> None:
        """The pod that had it is gone."""
        if address and address not in self._free:
            self._free.append(address)


def free_port() -> int:
    """A loopback port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return t.cast(int, probe.getsockname()[1])


class LocalPorts:
    """Loopback ports for pods. Whoever gets one listens only seconds later, so it is not given to another meanwhile."""

    def __init__(self) -> None:
        self._given: deque[int] = deque(maxlen=1000)

    def take(self) -> int:
        """A free port that is none of the last ones given."""
        while (port := free_port()) in self._given:
            pass
        self._given.append(port)
        return port


@dataclass(frozen=True, kw_only=True)
class Node:
    """The node's shared parts."""

    settings: Settings
    api: Api
    events: Recorder
    directory: Directory
    images: t.Callable[[], tuple[Image, ...]]
    addresses: Addresses
    rng: random.Random
    ports: LocalPorts = field(default_factory=LocalPorts)

    @property
    def folder(self) -> Path:
        """The node's own folder."""
        return self.settings.lab_dir / "node"

    @property
    def hostpath(self) -> Path:
        """The folder that stands for the node's root file system."""
        return self.folder / "hostpath"

    def pod_folder(self, uid: str) -> Path:
        """A pod's own folder."""
        return self.folder / "pods" / uid

    def log_folder(self, uid: str) -> Path:
        """A pod's logs."""
        return self.folder / "logs" / uid

    @staticmethod
    def now() -> datetime:
        """The node's clock."""
        return datetime.now(UTC)
