# SPDX-License-Identifier: GPL-3.0-or-later
"""Doubles of what _cluster talks to: a clock that never waits, and an API server that says what a test tells it to."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest


class TestClock:
    """Time passes by sleeping only."""

    __test__ = False

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.naps: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.elapsed += seconds


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@dataclass
class Reply:
    """One answer of the API server."""

    status: int = 200
    body: t.Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Api:
    """Answers in the order they were put down; a request nobody expected gets a 599 that names it."""

    host: str
    replies: list[Reply] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    reply = Reply

    def answers(self, *replies: Reply) -> None:
        self.replies += replies

    @property
    def params(self) -> dict[str, t.Any]:
        return {"host": self.host, "api_key": "canary-token"}


@pytest.fixture
def api() -> Iterator[Api]:
    holder: list[Api] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            told = holder[0]
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): "\n".join(self.headers.get_all(name) or ()) for name in self.headers}
            told.requests.append((self.command, self.path, headers, body))
            unexpected = Reply(599, {"message": f"unexpected {self.command} {self.path}"})
            reply = told.replies.pop(0) if told.replies else unexpected
            content = reply.content()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: t.Any) -> None:
            pass

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    holder.append(Api(f"http://127.0.0.1:{server.server_address[1]}"))
    yield holder[0]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits, briefly, for another thread."""

    def wait(condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _unused in range(2000):
            if condition():
                return
            pause.wait(0.005)
        raise AssertionError("it did not come true within 10 s")

    return wait
