# SPDX-License-Identifier: GPL-3.0-or-later
"""Loopback ports of a lab: the same ones for the same name where they are free, so that labs rarely meet."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from longhorn_qa_lab.errors import PortTaken

_FIRST = 20_000
_COUNT = 12_000  # below the range from which the kernel takes ports for outgoing connections
_STRIDE = 7


@dataclass(frozen=True)
class Ports:
    """Where the parts of one lab listen."""

    api: int
    etcd: int
    etcd_peer: int
    node: int


def choose(name: str, *, api: int | None = None, attempt: int = 0) -> Ports:
    """Free ports; a port that the user asked for is taken or refused, never replaced."""
    if api is not None and not is_free(api):
        raise PortTaken(
            f"Port {api} of 127.0.0.1 was asked for the lab's API server, but another program listens there: "
            "choose another with --port, or leave the option out."
        )
    start = zlib.crc32(f"{name}/{attempt}".encode()) % _COUNT
    candidates = (_FIRST + (start + _STRIDE * step) % _COUNT for step in range(_COUNT))
    found: list[int] = []
    for port in candidates:
        if port != api and is_free(port):
            found.append(port)
        if len(found) == 4:
            return Ports(api=api or found[0], etcd=found[1], etcd_peer=found[2], node=found[3])
    raise PortTaken(f"No four free ports between {_FIRST} and {_FIRST + _COUNT} of 127.0.0.1: stop other labs first.")


def is_free(port: int) -> bool:
    """Asks the kernel the only way that counts."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def says_taken(lines: Sequence[str]) -> bool:
    """Whether a program's last words blame a port."""
    return any("address already in use" in line for line in lines)
