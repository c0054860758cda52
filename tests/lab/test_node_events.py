# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's Events against an API server that does not always answer: what is written again, and what is lost."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from longhorn_qa_lab.node import events
from longhorn_qa_lab.node.api import Api, ApiError
from longhorn_qa_lab.node.events import Happening, Recorder

Body = dict[str, t.Any]


class Server:
    """Fails the first calls with these statuses, 0 being no answer, and keeps what it is given after that."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.calls = 0
        self.kept: list[tuple[str, int]] = []
        self.names: list[str] = []

    def _take(self, entry: tuple[str, int]) -> None:
        self.calls += 1
        if self._codes:
            raise ApiError(code=self._codes.pop(0), reason="", message="refused by the test")
        self.kept.append(entry)

    async def create(self, _path: str, document: Body) -> None:
        self.names.append(document["metadata"]["name"])
        self._take((document["reason"], document["count"]))

    async def patch(self, _path: str, document: Body) -> None:
        self._take(("again", document["count"]))


def happening(reason: str) -> Happening:
    return Happening(namespace="ns", involved=(("name", "p"), ("uid", "u")), type="Normal", reason=reason, message="")


def write(server: Server, *reasons: str, calls: int) -> None:
    async def scenario() -> None:
        recorder = Recorder(t.cast(Api, server), host="lab-node")
        for reason in reasons:
            recorder.emit(happening(reason))
        task = asyncio.create_task(recorder.run())
        async with asyncio.timeout(10):
            while server.calls < calls:
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(scenario())


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize("code", [0, 500, 503])
def test_what_did_not_get_through_is_written_again(code: int) -> None:
    server = Server(code, code)
    write(server, "Pulled", "Created", calls=4)
    assert server.kept == [("Pulled", 1), ("Created", 1)]
    assert len(set(server.names)) == 2, "one name for all tries: what was taken without an answer is not written twice"


def test_a_repetition_that_did_not_get_through_is_counted_once() -> None:
    server = Server(0)
    write(server, "BackOff", "BackOff", calls=3)
    assert server.kept == [("BackOff", 1), ("again", 2)]


@pytest.mark.parametrize("codes", [(403,), (0,) * events.TRIES], ids=["refused", "never answered"])
def test_the_others_do_not_wait_for_ever(codes: tuple[int, ...]) -> None:
    server = Server(*codes)
    write(server, "Pulled", "Created", calls=len(codes) + 1)
    assert server.kept == [("Created", 1)]
