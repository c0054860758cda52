# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's end of the egress socket: standard library only, because a job of the lab lives less than a second."""

from __future__ import annotations

import contextlib
import http.client
import socket
import urllib.parse
from pathlib import Path

_HEAD_LIMIT = 16 * 1024
_REASON_LIMIT = 64 * 1024


class EgressError(OSError):
    """The proxy refused a connection; the text is its own reason."""


def open_connection(socket_path: Path, host: str, port: int, *, timeout: float = 10.0) -> socket.socket:
    """A connected stream to a pod's or service's address, through the lab's proxy."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.settimeout(timeout)
        stream.connect(str(socket_path))
        stream.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        _read_answer(stream)
    except BaseException:
        stream.close()
        raise
    return stream


def connect_http(url: str, *, socket_path: Path | None, timeout: float) -> http.client.HTTPConnection:
    """A connection to a URL's server, direct where there is no proxy."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or http.client.HTTP_PORT
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    if socket_path is not None:
        connection.sock = open_connection(socket_path, host, port, timeout=timeout)
    return connection


def _read_answer(stream: socket.socket) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)  # one at a time: what follows the head belongs to the caller
        if not byte or len(head) > _HEAD_LIMIT:
            raise EgressError("the egress proxy closed the connection without an answer")
        head += byte
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    if len(words) > 1 and words[1] == "200":
        return
    reason = head.decode("latin-1").strip()
    with contextlib.suppress(OSError):
        reason = stream.recv(_REASON_LIMIT).decode("utf-8", "replace").strip() or reason
    raise EgressError(reason)
