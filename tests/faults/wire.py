# SPDX-License-Identifier: GPL-3.0-or-later
"""A wire to the API server that breaks: connections are cut in the middle of a byte stream, or go silent for good."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
import time
import typing as t

_RESET = struct.pack("ii", 1, 0)  # linger for no time: the peer sees a reset instead of an end
_LOOK = 0.2


class Wire:
    """Forwards TCP to one port of the loopback interface."""

    def __init__(self, port: int, *, seed: int = 0) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._cut: tuple[int, int] | None = None
        self._silent = 0.0  # connections older than this moment carry nothing any more
        self._broken = 0.0  # and these are broken
        self._paused = 0.0  # until then nothing is carried at all
        self._ended = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads: list[threading.Thread] = []
        self.cuts = 0
        self.connections = 0

    @property
    def address(self) -> str:
        """Where clients connect to; the API server's certificate is good for it."""
        return f"https://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Wire:
        self._begin(self._accept)
        return self

    def __exit__(self, *_args: object) -> None:
        self._ended.set()
        self._server.close()
        for thread in self._threads:
            thread.join(5)

    def cut_between(self, fewest: int, most: int) -> None:
        """From now on every new connection breaks after so many bytes."""
        self._cut = (fewest, most)

    def quiet(self) -> None:
        """From now on no new connection breaks by itself."""
        self._cut = None

    def stall(self) -> None:
        """Every connection there is stays open and carries nothing more; new ones work."""
        self._silent = time.monotonic()

    def pause(self, seconds: float) -> None:
        """For so long everything is silent, new connections too; then it goes on as if nothing had been."""
        self._paused = time.monotonic() + seconds

    def break_all(self) -> None:
        """Every connection there is breaks."""
        self._broken = time.monotonic()

    def _begin(self, body: t.Callable[..., None], *arguments: t.Any) -> None:
        thread = threading.Thread(target=body, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._server.settimeout(_LOOK)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                client, _address = self._server.accept()
                client.settimeout(None)
                self.connections += 1
                limit = self._random.randint(*self._cut) if self._cut else None
                self._begin(self._connected, client, limit)

    def _connected(self, client: socket.socket, limit: int | None) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self._port), timeout=5)
            except OSError:
                return  # nobody listens: what the client sees is a broken connection
            server.settimeout(None)
            with server:
                began = time.monotonic()
                upwards = threading.Thread(target=self._carry, args=(client, server, began, None), daemon=True)
                upwards.start()
                self._carry(server, client, began, limit)
                for side in (client, server):
                    with contextlib.suppress(OSError):
                        side.shutdown(socket.SHUT_RDWR)
                upwards.join(5)

    def _carry(self, source: socket.socket, target: socket.socket, began: float, limit: int | None) -> None:
        carried = 0
        while not self._ended.is_set() and began >= self._broken:
            if began < self._silent or time.monotonic() < self._paused:
                self._ended.wait(_LOOK)
                continue
            try:
                if not select.select([source], [], [], _LOOK)[0]:
                    continue
                data = source.recv(65536)
                if began < self._silent:
                    continue  # what came after the silence began is never seen
                if limit is not None and carried + len(data) >= limit:
                    target.sendall(data[: limit - carried])
                    self._snap(target)
                    return
                carried += len(data)
                if not data:
                    return
                target.sendall(data)
            except (OSError, ValueError):  # the other direction has closed it
                return

    def _snap(self, target: socket.socket) -> None:
        self.cuts += 1
        if self._random.random() < 0.5:
            target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        target.close()
