# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to pod addresses that no network knows.

The API server refuses to dial loopback addresses for pods and services, but it can be told to hand every such
connection to a proxy on a UNIX socket (HTTP CONNECT). The proxy here asks a resolver which local port stands for a
pod's or service's address and pipes the bytes. Programs inside the lab use the same socket as clients.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import typing as t
from collections.abc import Callable
from pathlib import Path

import requests
import requests.adapters
import urllib3
import urllib3.connection

from longhorn_qa_lab.tunnel import open_connection

Address = tuple[str, int]
Resolve = Callable[[str, int], Address | None]

_HEAD_LIMIT = 16 * 1024
_CHUNK = 64 * 1024
_DIAL_TIMEOUT = 5.0


class EgressProxy:
    """Serves CONNECT on a UNIX socket, one thread per connection."""

    def __init__(self, socket_path: Path, resolve: Resolve) -> None:
        self._path = socket_path
        self._resolve = resolve
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Listens at once; serving happens in daemon threads."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(self._path))
        self._path.chmod(0o600)
        server.listen(128)
        self._server = server
        threading.Thread(target=self._accept, args=(server,), daemon=True, name="egress").start()

    def stop(self) -> None:
        """Closes the listener and whatever is still open."""
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def __enter__(self) -> EgressProxy:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True, name="egress-connection").start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            with client:
                self._connect(client)
        except OSError:
            return
        finally:
            with self._lock:
                self._open.discard(client)

    def _connect(self, client: socket.socket) -> None:
        client.settimeout(_DIAL_TIMEOUT)
        try:
            host, port, early = _read_request(client)
        except ValueError as error:
            _refuse(client, 400, str(error))
            return
        target = ("127.0.0.1", port) if host in ("127.0.0.1", "localhost") else self._resolve(host, port)
        if target is None:
            _refuse(client, 502, f"nothing in this lab listens at {host}:{port}")
            return
        try:
            upstream = socket.create_connection(target, timeout=_DIAL_TIMEOUT)
        except OSError as error:
            _refuse(client, 502, f"{host}:{port} stands for {target[0]}:{target[1]}, which does not answer: {error}")
            return
        with upstream:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if early:
                upstream.sendall(early)
            _pipe(client, upstream)


def _read_request(client: socket.socket) -> tuple[str, int, bytes]:
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > _HEAD_LIMIT:
            raise ValueError("the request's head is too long")
        chunk = client.recv(_CHUNK)
        if not chunk:
            raise ValueError("the connection ended inside the request's head")
        head += chunk
    lines, _, early = head.partition(b"\r\n\r\n")
    words = lines.split(b"\r\n", 1)[0].decode("latin-1").split()
    if len(words) != 3 or words[0] != "CONNECT":
        raise ValueError("only CONNECT host:port is served here")
    host, _, port = words[1].rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"not an address of the form host:port: {words[1]}")
    return host.strip("[]"), int(port), early


def _refuse(client: socket.socket, status: int, reason: str) -> None:
    body = (reason + "\n").encode()
    phrase = http.client.responses.get(status, "Error")
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)


def _pipe(one: socket.socket, other: socket.socket) -> None:
    """Copies both ways until both sides have ended; one thread each, so that neither waits for the other."""
    one.settimeout(None)
    other.settimeout(None)
    backwards = threading.Thread(target=_copy, args=(other, one), daemon=True, name="egress-answer")
    backwards.start()
    _copy(one, other)
    backwards.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class _Connection(urllib3.connection.HTTPConnection):
    """An HTTP connection whose bytes go through the proxy."""

    socket_path: Path

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, (int, float)) else 10.0
        stream = open_connection(self.socket_path, self.host, int(self.port or 80), timeout=timeout)
        stream.settimeout(self.timeout if isinstance(self.timeout, (int, float)) else None)
        return stream


class EgressAdapter(requests.adapters.HTTPAdapter):
    """For ``requests.Session().mount("http://", EgressAdapter(path))``."""

    def __init__(self, socket_path: Path) -> None:
        connection = type("Connection", (_Connection,), {"socket_path": socket_path})
        self._pool_class = type("Pool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": connection})
        super().__init__()

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Replaces the way plain HTTP connects; nothing else is served."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": self._pool_class}

    def send(self, *args: t.Any, **kwargs: t.Any) -> requests.Response:
        """A proxy of the user's environment knows nothing of pods."""
        return super().send(*args, **{**kwargs, "proxies": {}})
