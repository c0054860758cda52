# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 SCRIPT …` of the image `python`: the script finds the network and the files that a pod has.

A port it listens on is the container's, a host name it connects to is a Service's, and its own file is on a volume.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import typing as t
from pathlib import Path

from longhorn_qa_lab import tunnel

_LOOPBACK = "127.0.0.1"


class _Stream(socket.socket):
    """A stream through the lab's proxy, which is no TCP: what is only about TCP does not concern it."""

    def setsockopt(self, level: int, *option: t.Any) -> None:
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, *option)


def real_path(path: str, volumes: t.Mapping[str, str]) -> str:
    """Where a file of the container is, if it is on one of its volumes."""
    for mount in sorted(volumes, key=len, reverse=True):
        if path.startswith(mount.rstrip("/") + "/"):
            return str(Path(volumes[mount], path[len(mount) :].lstrip("/")))
    return path


def _in_a_pod(ports: t.Mapping[str, int], egress: Path) -> None:
    bind = socket.socket.bind

    def bind_here(self: socket.socket, address: t.Any) -> None:
        if self.family == socket.AF_INET:
            address = (_LOOPBACK, ports.get(str(address[1]), address[1]))
        bind(self, address)

    def connect(address: tuple[str, int], timeout: t.Any = None, *_more: t.Any, **_options: t.Any) -> socket.socket:
        seconds = timeout if isinstance(timeout, int | float) else 60.0
        stream = tunnel.open_connection(egress, *address, timeout=seconds)
        made = _Stream(stream.family, stream.type, fileno=stream.detach())
        made.settimeout(seconds)
        return made

    socket.socket.bind = bind_here  # type: ignore[method-assign,assignment]
    socket.create_connection = connect  # type: ignore[assignment]


def main() -> None:
    """Run the script that is named first, as Python does."""
    script, *rest = sys.argv[1:]
    volumes = json.loads(os.environ["LAB_VOLUMES"])
    for name, value in os.environ.items():
        os.environ[name] = real_path(value, volumes)
    _in_a_pod(json.loads(os.environ["LAB_PORTS"]), Path(os.environ["LAB_EGRESS"]))
    sys.argv = [script, *rest]
    runpy.run_path(real_path(script, volumes), run_name="__main__")


if __name__ == "__main__":
    main()
