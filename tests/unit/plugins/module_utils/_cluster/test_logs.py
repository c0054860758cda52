# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of container runs: from their start to their end, over cuts and restarts, or a word on why not."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.plugins.module_utils._cluster.fast_clock import FastClock

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, history_dir, logs
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.feed import SILENCE, Streams
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import Backoff
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

Clock = t.Any
Wait = Callable[[Callable[[], bool]], None]
ONE = b"2026-01-02T03:04:05.1Z one\n"
TWO = b"2026-01-02T03:04:05.2Z two\n"
NINE = b"2026-01-02T03:04:09.9Z nine\n"
RUNNING = {"running": {"startedAt": "2026-01-02T03:04:05Z"}}
ENDED = {"terminated": {"exitCode": 0}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}


def pod(state: dict[str, t.Any], *, restarts: int = 0, last: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    status = {"name": "c", "restartCount": restarts, "state": state, "lastState": last or {}}
    return {
        "metadata": {"name": "p", "uid": "u-1", "namespace": "n"},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


class LogServer:
    """Streams by run: each is a list of what one request delivers; errors are raised where they stand.

    After the last of them it answers as a node: with everything it has said of the run, which then ends.
    """

    def __init__(self, **streams: list[list[t.Any]]) -> None:
        self.streams = streams
        self.pods = [pod(RUNNING)]  # what the API says of the pod, look by look; the last of them for good
        self.asked: list[dict[str, t.Any]] = []
        self._said: dict[str, list[bytes]] = {"previous": [], "current": []}

    def list(self, kind: t.Any, **selection: t.Any) -> Listing:
        assert (kind.plural, selection["fields"]) == ("pods", "metadata.name=p")
        seen = self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]
        return Listing((seen,) if seen else (), "1")

    def logs(self, pod: str, **options: t.Any) -> t.Any:
        self.asked.append(options)
        which = "previous" if options["previous"] else "current"
        waiting, said = self.streams.setdefault(which, []), self._said[which]
        if not waiting:
            return Stream([b"".join(dict.fromkeys(said))], [])
        steps = waiting.pop(0)
        if steps and isinstance(steps[0], Exception):
            raise steps[0]
        return Stream(steps, said)


class Stream:
    def __init__(self, steps: list[t.Any], said: list[bytes]) -> None:
        self._steps = steps
        self._said = said

    def chunks(self) -> t.Iterator[bytes]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            self._said.append(step() if callable(step) else step)
            yield self._said[-1]

    def close(self) -> None:
        pass


class Kept:
    """A keeper with its history."""

    def __init__(self, folder: Path, server: LogServer, clock: Clock) -> None:
        self.folder = folder
        self.failures: list[BaseException] = []
        self.streams = Streams()
        self.writer = history_dir.open_for_writing(folder, model.Subjects(release=""), clock=clock)
        self.keeper = logs.LogKeeper(
            t.cast(t.Any, server), self.writer, clock, self.streams,
            lambda: Backoff(clock=clock, first=0.1, longest=1.0, budget=30.0), self.failures.append,
        )  # fmt: skip

    def result(self) -> tuple[dict[str, bytes], list[model.Log], list[str]]:
        """The logs, how each was closed, and the gaps."""
        self.keeper.join(10)
        self.writer.close()
        assert self.failures == []
        history = history_dir.read_history(self.folder)
        assert history.damage == ()
        closed = [item for item in history.records if isinstance(item, model.Log) and item.state == "closed"]
        return dict(history.logs), closed, [item.reason for item in history.records if isinstance(item, model.Gap)]


def test_a_log_is_followed_to_the_end_of_its_container(tmp_path: Path, clock: Clock) -> None:
    kept: Kept

    def ends() -> bytes:  # the container ends while its log is read
        kept.keeper.pod_seen(pod(ENDED))
        return TWO

    server = LogServer(current=[[ONE, ends]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod({"waiting": {"reason": "ContainerCreating"}}))
    kept.keeper.pod_seen(pod(RUNNING))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\ntwo\n"}
    assert [(item.complete, item.bytes, item.reason) for item in closed] == [(True, 8, "the container ended")]
    assert gaps == []
    assert server.asked[0] == {
        "namespace": "n", "container": "c", "timestamps": True, "follow": True, "previous": False, "since_time": "",
        "silence": SILENCE,
    }  # fmt: skip


def test_a_cut_stream_goes_on_where_it_was(tmp_path: Path, clock: Clock) -> None:
    server = LogServer(current=[[ONE, TWO[:27], errors.Unreachable("connection reset")], [ONE, TWO, NINE]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(ENDED))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\ntwo\nnine\n"}
    assert closed[0].complete
    assert gaps == []
    assert [asked["since_time"] for asked in server.asked] == ["", "2026-01-02T03:04:05Z"]


def test_cuts_never_end_a_log_that_goes_on(tmp_path: Path, clock: Clock) -> None:
    lines = [b"2026-01-02T03:04:%02d.5Z line\n" % number for number in range(60)]
    cuts = [[*lines[max(0, n - 1) : n + 1], errors.Unreachable("connection reset")] for n in range(60)]
    kept = Kept(tmp_path / "h", LogServer(current=[*cuts, [lines[-1]]]), clock)
    kept.keeper.pod_seen(pod(ENDED))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"line\n" * 60}
    assert (closed[0].complete, gaps) == (True, [])


def test_a_pod_that_is_gone_too_soon_says_so(tmp_path: Path, clock: Clock) -> None:
    kept = Kept(tmp_path / "h", LogServer(current=[[errors.NotFound("does not exist")]]), clock)
    kept.keeper.pod_seen(pod(ENDED), deleted=True)
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b""}
    assert [(item.complete, item.bytes) for item in closed] == [(False, 0)]
    assert gaps == ["attempt 0: the pod was removed before its log was read to the end"]


def test_every_run_of_a_restarted_container_is_kept(tmp_path: Path, clock: Clock, eventually: Wait) -> None:
    server = LogServer(current=[[ONE], [NINE]], previous=[])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(WAITING, restarts=0, last=ENDED))
    eventually(lambda: kept.keeper.open({"u-1"}) == 0)
    kept.keeper.pod_seen(pod(ENDED, restarts=1, last=ENDED))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\n", "logs/u-1/1.log": b"nine\n"}
    assert [item.complete for item in closed] == [True, True]
    assert gaps == []


def test_the_run_before_is_asked_for_as_previous_older_ones_are_lost(tmp_path: Path, clock: Clock) -> None:
    server = LogServer(current=[[NINE]], previous=[[TWO]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(ENDED, restarts=2, last=ENDED))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"", "logs/u-1/1.log": b"two\n", "logs/u-1/2.log": b"nine\n"}
    assert {item.attempt: item.complete for item in closed} == {0: False, 1: True, 2: True}
    assert len(gaps) == 1
    assert gaps[0].startswith("attempt 0: the container restarted again")


def test_an_error_in_place_of_the_log_is_a_gap_not_a_log(tmp_path: Path, clock: Clock) -> None:
    server = LogServer(current=[[b"unable to retrieve container logs for containerd://0123\n"]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(ENDED))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b""}
    assert not closed[0].complete
    assert "unable to retrieve container logs" in gaps[0]


def test_the_text_of_another_run_is_recognised(tmp_path: Path, clock: Clock, eventually: Wait) -> None:
    server = LogServer(current=[[NINE], [NINE]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(ENDED))
    eventually(lambda: kept.keeper.open({"u-1"}) == 0)
    kept.keeper.pod_seen(pod(ENDED, restarts=1))
    _unused, _closed, gaps = kept.result()
    assert gaps == ["attempt 0: the text is that of attempt 1"]


CUT = errors.Unreachable("connection reset")
RESTARTED = pod(RUNNING, restarts=1, last=ENDED)


@pytest.mark.parametrize(
    ("first", "pods"),
    [
        pytest.param([CUT], [RESTARTED], id="nothing had been read"),
        pytest.param([ONE, CUT], [RESTARTED], id="it did not go on"),
        pytest.param([ONE, CUT], [pod(RUNNING), pod(RUNNING), RESTARTED], id="the node tells it late"),
    ],
)
def test_another_run_that_began_during_a_cut_is_not_taken_for_this_one(
    tmp_path: Path, clock: Clock, first: list[t.Any], pods: list[t.Any]
) -> None:
    """The watch is cut too, so nobody has told of the second run when the first one's log is asked for again."""
    server = LogServer(current=[first, [NINE]], previous=[[ONE, TWO], [ONE, TWO]])
    server.pods = pods
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(RUNNING))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\ntwo\n"}
    assert (closed[0].complete, gaps) == (True, [])
    assert [asked["previous"] for asked in server.asked] == [False, False, True]


def test_a_pod_that_went_during_a_cut_gives_no_text_to_a_run(tmp_path: Path, clock: Clock) -> None:
    server = LogServer(current=[[CUT], [NINE]])
    server.pods = [t.cast(t.Any, None)]
    server.streams["current"] += [[errors.NotFound("does not exist")]] * 99
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(RUNNING))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b""}
    assert (closed[0].complete, gaps) == (
        False, ["attempt 0: the pod was removed before its log was read to the end"]
    )  # fmt: skip


def test_a_late_watch_does_not_bring_back_an_older_run() -> None:
    run = logs.run_of(RESTARTED)
    assert run is not None
    run.update(pod(RUNNING))
    assert (run.restarts, run.ended(0), run.ended(1)) == (1, True, False)


def test_a_missing_permission_is_named(tmp_path: Path, clock: Clock) -> None:
    refused = errors.Forbidden("no", verb="get", resource="pods/log")
    kept = Kept(tmp_path / "h", LogServer(current=[[refused]] * 99), clock)
    kept.keeper.pod_seen(pod(ENDED))
    assert kept.result()[2] == ["attempt 0: verb get on pods/log is not granted"]


def test_patience_with_a_container_that_is_about_to_start_ends(tmp_path: Path, clock: Clock) -> None:
    waiting = [[errors.Refused("container is waiting to start")] for _unused in range(500)]
    kept = Kept(tmp_path / "h", LogServer(current=waiting), clock)
    kept.keeper.pod_seen(pod(ENDED))
    _unused, closed, gaps = kept.result()
    assert "waiting to start" in gaps[0]
    assert not closed[0].complete
    assert clock.elapsed < 40


@pytest.mark.parametrize(
    ("state", "last", "expected"),
    [
        pytest.param(RUNNING, None, (True, False), id="running"),
        pytest.param(ENDED, None, (True, True), id="ended"),
        pytest.param(WAITING, ENDED, (True, True), id="between two runs the last one counts"),
        pytest.param({"waiting": {}}, None, (False, False), id="not started yet"),
        pytest.param({}, None, (False, False), id="no state at all"),
    ],
)
def test_what_a_status_says(
    state: dict[str, t.Any], last: dict[str, t.Any] | None, expected: tuple[bool, bool]
) -> None:
    run = logs.run_of(pod(state, last=last))
    assert run is not None
    assert (run.started, run.over) == expected


def test_half_a_pod_is_nothing_to_follow() -> None:
    assert logs.run_of({"metadata": {"name": "p"}}) is None


class Endless(LogServer):
    """The log of a service: what is followed stays open until it is closed; then it is answered as these steps say."""

    def __init__(self, *later: list[t.Any]) -> None:
        super().__init__()
        self.later = list(later)
        self.open = threading.Event()

    def logs(self, pod: str, **options: t.Any) -> t.Any:
        self.asked.append(options)
        if options["follow"] and not self.open.is_set():
            return Open(self.open)
        steps = self.later.pop(0) if len(self.later) > 1 else self.later[0]
        if steps and isinstance(steps[0], Exception):
            raise steps[0]
        return Stream(steps, [])


class Open:
    def __init__(self, opened: threading.Event) -> None:
        self._opened = opened
        self._closed = threading.Event()

    def chunks(self) -> t.Iterator[bytes]:
        yield ONE
        self._opened.set()
        self._closed.wait(10)
        raise errors.Unreachable("closed")

    def close(self) -> None:
        self._closed.set()


class NotedClock(FastClock):
    def __init__(self) -> None:
        super().__init__()
        self.naps: set[float] = set()

    def sleep(self, seconds: float) -> None:
        self.naps.add(seconds)
        super().sleep(seconds)


def concluded(folder: Path, *later: list[t.Any], clock: FastClock | None = None) -> tuple[Endless, tuple[t.Any, ...]]:
    """The recording ends while the log of a running service looks quiet."""
    server = Endless(*later)
    kept = Kept(folder, server, clock or FastClock())
    kept.keeper.pod_seen(pod(RUNNING), old=True, since="2026-01-02T03:04:00Z")
    assert server.open.wait(10)
    kept.keeper.conclude()
    assert kept.keeper.open({"u-1"}) == 0
    kept.streams.stop()
    return server, kept.result()


def test_a_log_that_goes_on_is_read_once_more_when_the_recording_ends(tmp_path: Path) -> None:
    clock = NotedClock()
    server, (contents, closed, gaps) = concluded(tmp_path / "h", [ONE, TWO], clock=clock)
    assert clock.naps <= {logs._LOOK}, "a stream that was ended on purpose is no failure to recover from"
    assert contents == {"logs/u-1/0.log": b"one\ntwo\n"}
    assert [item.reason for item in closed] == ["the recording ended; read from 2026-01-02T03:04:00Z on"]
    assert (closed[0].complete, closed[0].bytes, gaps) == (False, 8, [])
    assert [asked["follow"] for asked in server.asked] == [True, False]
    assert server.asked[1]["since_time"] == "2026-01-02T03:04:05Z"


UNREAD = "the recording ended, and the log could not be read to where it was by then"


@pytest.mark.parametrize(
    ("later", "problem"),
    [
        pytest.param([[errors.Unreachable("no route to host")]], UNREAD, id="nobody answers"),
        pytest.param([[errors.ApiFailure("busy", status=429, retry_after=60.0)]], UNREAD, id="later"),
        pytest.param([[errors.NotFound("does not exist")]], UNREAD, id="refused"),
        pytest.param([[]], UNREAD, id="what is known does not come again"),
        pytest.param(
            [[NINE]], "the log could not be taken up where it was cut: line 2026-01-02T03:04:05.1Z did not come again",
            id="another log",
        ),
        pytest.param(
            [[ONE, b"unable to retrieve container logs\n"]],
            "the node answered with an error instead of the log: unable to retrieve container logs",
            id="an error in place of the log",
        ),
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_read_to_the_end_of_the_recording_is_a_gap(
    tmp_path: Path, later: list[list[t.Any]], problem: str
) -> None:
    _server, (contents, closed, gaps) = concluded(tmp_path / "h", *later)
    assert gaps == [f"attempt 0: {problem}"]
    assert [item.reason for item in closed] == [f"{problem}; read from 2026-01-02T03:04:00Z on"]
    assert closed[0].bytes == len(contents["logs/u-1/0.log"])


def test_what_fails_at_first_is_asked_for_again_at_the_end(tmp_path: Path) -> None:
    later: list[list[t.Any]] = [[errors.Unreachable("reset")], [errors.NotFound("not yet")], [], [ONE, TWO]]
    _server, (contents, _closed, gaps) = concluded(tmp_path / "h", *later)
    assert (contents, gaps) == ({"logs/u-1/0.log": b"one\ntwo\n"}, [])


def test_a_follower_that_was_not_told_of_the_end_in_time_admits_it(tmp_path: Path, clock: Clock) -> None:
    kept: Kept

    def stops() -> bytes:  # as when the recording fails
        kept.streams.stop()
        return TWO

    kept = Kept(tmp_path / "h", LogServer(current=[[ONE, stops]]), clock)
    kept.keeper.pod_seen(pod(RUNNING))
    assert kept.result()[2] == [f"attempt 0: {UNREAD}"]


def test_a_log_with_nothing_to_say_is_not_given_up(tmp_path: Path, clock: Clock) -> None:
    """Each silent stream ends after its time; together they last longer than any patience with a server that fails."""

    kept: Kept

    def silent() -> bytes:
        clock.sleep(90.0)
        raise errors.Unreachable("silent for too long")

    def ends() -> bytes:
        kept.keeper.pod_seen(pod(ENDED))
        return ONE

    server = LogServer(current=[*[[silent]] * 20, [ends]])
    server.pods = [pod(ENDED)]
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(RUNNING))
    contents, _closed, gaps = kept.result()
    assert (contents, gaps) == ({"logs/u-1/0.log": b"one\n"}, [])


def test_a_node_that_has_forgotten_what_it_said_is_not_hammered(tmp_path: Path, clock: Clock) -> None:
    server = LogServer(current=[[ONE], *[[] for _unused in range(500)]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(RUNNING))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\n"}
    assert (closed[0].complete, gaps) == (False, ["attempt 0: the node no longer has what it sent before"])
    assert len(server.asked) < 50


def test_a_stream_that_the_server_ended_for_no_reason_is_no_end(tmp_path: Path, clock: Clock) -> None:
    """The node's side broke: the API server ends the stream as if all had been said, and the container ends later."""
    kept: Kept

    def ends() -> bytes:
        kept.keeper.pod_seen(pod(ENDED))
        return TWO

    server = LogServer(current=[[ONE], [ONE, ends], [ONE, TWO], [ONE, TWO, NINE]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(RUNNING))
    contents, closed, gaps = kept.result()
    assert contents["logs/u-1/0.log"].startswith(b"one\ntwo\n")
    assert (closed[0].complete, gaps) == (True, [])
    assert [asked["follow"] for asked in server.asked] == [True, True, False]


def test_what_was_said_after_a_false_end_is_read_when_the_container_has_ended(tmp_path: Path, clock: Clock) -> None:
    kept: Kept

    def cut_and_ended() -> bytes:
        kept.keeper.pod_seen(pod(ENDED))
        return ONE

    kept = Kept(tmp_path / "h", LogServer(current=[[cut_and_ended], [ONE, TWO, NINE]]), clock)
    kept.keeper.pod_seen(pod(RUNNING))
    contents, closed, _gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\ntwo\nnine\n"}
    assert closed[0].complete


def test_a_pod_removed_before_the_end_could_be_asked_for_again_says_so(tmp_path: Path, clock: Clock) -> None:
    kept: Kept

    def removed() -> bytes:
        kept.keeper.pod_seen(pod(ENDED), deleted=True)
        return ONE

    server = LogServer(current=[[removed], [errors.NotFound("does not exist")]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(RUNNING))
    _contents, closed, gaps = kept.result()
    assert not closed[0].complete
    assert gaps == ["attempt 0: the pod was removed before its log was read to the end"]


def test_a_pod_removed_after_its_log_was_seen_to_end_twice_has_its_log(tmp_path: Path, clock: Clock) -> None:
    kept: Kept

    def removed() -> bytes:
        kept.keeper.pod_seen(pod(ENDED), deleted=True)
        return ONE

    server = LogServer(current=[[ONE], [ONE], [removed], [errors.NotFound("does not exist")]])
    kept = Kept(tmp_path / "h", server, clock)
    kept.keeper.pod_seen(pod(RUNNING))
    _contents, closed, gaps = kept.result()
    assert (closed[0].complete, gaps) == (True, [])


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(errors.NotFound("the server could not find the requested resource"), id="404"),
        pytest.param(errors.Forbidden("not granted", verb="get", resource="pods/log"), id="403"),
    ],
)
def test_a_server_that_has_just_begun_is_given_time(tmp_path: Path, clock: Clock, refusal: Exception) -> None:
    kept = Kept(tmp_path / "h", LogServer(current=[[refusal], [refusal], [ONE]]), clock)
    kept.keeper.pod_seen(pod(ENDED))
    contents, closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\n"}
    assert (closed[0].complete, gaps) == (True, [])


def test_a_stream_that_stalls_after_the_end_is_closed(tmp_path: Path, clock: Clock, eventually: Wait) -> None:
    closed = threading.Event()

    class Stalling:
        def chunks(self) -> t.Iterator[bytes]:
            yield ONE
            closed.wait(10)
            raise errors.Unreachable("closed")

        def close(self) -> None:
            closed.set()

    class Server(LogServer):
        def logs(self, pod: str, **options: t.Any) -> t.Any:
            return Stalling() if options["follow"] else super().logs(pod, **options)

    kept = Kept(tmp_path / "h", Server(current=[[ONE, TWO]]), clock)
    kept.keeper.pod_seen(pod(RUNNING))
    log = kept.folder / "logs/u-1/0.log"
    eventually(lambda: log.is_file() and log.read_bytes() == b"one\n")
    kept.keeper.hurry()
    kept.keeper.pod_seen(pod(ENDED))
    clock.sleep(1.0)
    kept.keeper.hurry()
    assert not closed.is_set(), "it may still be talking"
    clock.sleep(5.0)
    kept.keeper.hurry()
    contents, _closed, gaps = kept.result()
    assert contents == {"logs/u-1/0.log": b"one\ntwo\n"}
    assert gaps == []
