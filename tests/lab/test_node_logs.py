# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files and what a reader gets of them: format, tail, since, limit, timestamps, previous, follow."""

from __future__ import annotations

import asyncio
import io
import typing as t
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from longhorn_qa_lab.node import crilog, pods
from longhorn_qa_lab.node.crilog import LONGEST_PART, LineSplitter, Renderer, Selection
from longhorn_qa_lab.node.logfile import LogFile
from longhorn_qa_lab.node.logs import BadOptions, Source, Unavailable, attempt_to_show, read_selection, stream
from longhorn_qa_lab.node.pods import Container, Exit, PodState

SECOND = 1_000_000_000
BASE = crilog.parse_nanoseconds("2026-11-23T03:09:00Z")
NOW = datetime(2026, 11, 23, 3, 9, tzinfo=UTC)


def file_of(*lines: str) -> bytes:
    """A log file with one line a second."""
    splitter = LineSplitter(stream="stdout")
    return b"".join(splitter.feed(line.encode() + b"\n", now=BASE + n * SECOND) for n, line in enumerate(lines))


def rendered(data: bytes, selection: Selection) -> str:
    renderer = Renderer(selection=selection)
    return b"".join(renderer.render(line) for line in data.split(b"\n")).decode()


def test_entries_have_the_runtimes_format() -> None:
    splitter = LineSplitter(stream="stderr")
    assert splitter.feed(b"one\ntw", now=BASE + 5) == b"2026-11-23T03:09:00.000000005Z stderr F one\n"
    assert splitter.feed(b"o\n\n", now=BASE).splitlines() == [
        b"2026-11-23T03:09:00.000000000Z stderr F two",
        b"2026-11-23T03:09:00.000000000Z stderr F ",
    ]
    assert splitter.close(now=BASE) == b""


def test_text_without_last_line_feed_is_a_part() -> None:
    splitter = LineSplitter(stream="stdout")
    assert splitter.feed(b"no end", now=BASE) == b""
    assert splitter.close(now=BASE).endswith(b"stdout P no end\n")


@pytest.mark.parametrize("size", [1, LONGEST_PART - 1, LONGEST_PART, LONGEST_PART + 1, 3 * LONGEST_PART + 7])
@pytest.mark.parametrize("timestamps", [False, True], ids=["plain", "timestamps"])
def test_long_lines_are_cut_and_come_back_whole(size: int, timestamps: bool) -> None:
    data = file_of("x" * size, "next")
    assert max(len(line) for line in data.splitlines()) <= LONGEST_PART + 50
    assert data.count(b" P ") == (size - 1) // LONGEST_PART
    stamp = "2026-11-23T03:09:00.000000000Z " if timestamps else ""
    first = rendered(data, Selection(timestamps=timestamps)).splitlines()[0]
    assert first == stamp + "x" * size


SELECTIONS = [
    pytest.param(Selection(), "a\nb\nc\n", id="everything"),
    pytest.param(Selection(since=BASE + SECOND), "b\nc\n", id="since includes its own moment"),
    pytest.param(Selection(since=BASE + 9 * SECOND), "", id="since after the end"),
    pytest.param(Selection(limit=3), "a\nb", id="limit cuts within a line"),
    pytest.param(Selection(limit=100), "a\nb\nc\n", id="limit beyond the end"),
]


@pytest.mark.parametrize(("selection", "text"), SELECTIONS)
def test_selection(selection: Selection, text: str) -> None:
    assert rendered(file_of("a", "b", "c"), selection) == text


def test_foreign_lines_in_a_file_are_left_out() -> None:
    assert rendered(b"garbage\n\n" + file_of("a"), Selection()) == "a\n"


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, ""), (1, "line 299\n"), (2, "line 298\nline 299\n"), (300, None), (301, None)],
    ids=["none", "last", "last two", "exactly all", "more than there are"],
)
def test_tail_is_found_from_the_end(count: int, expected: str | None) -> None:
    lines = [f"line {number}" for number in range(300)]
    data = file_of(*lines)
    offset = crilog.tail_offset(io.BytesIO(data), count)
    text = rendered(data[offset:], Selection())
    assert text == ("\n".join(lines) + "\n" if expected is None else expected)


def test_tail_across_blocks() -> None:
    lines = [f"{number} " + "y" * 1000 for number in range(200)]
    data = file_of(*lines)
    begins = data.index(b" F 50 ") - len("2026-11-23T03:09:00.000000000Z stdout")
    assert crilog.tail_offset(io.BytesIO(data), 150) == begins


@pytest.mark.parametrize("text", ["2026-11-23T03:09:00Z", "2026-11-23T04:09:00+01:00"], ids=["utc", "offset"])
def test_since_time_in_any_zone(text: str) -> None:
    assert read_selection({"sinceTime": text}, now=0).since == BASE


def test_every_parameter_is_read() -> None:
    query = {"follow": "true", "previous": "true", "timestamps": "true", "tailLines": "5", "limitBytes": "7"}
    wanted = Selection(follow=True, previous=True, timestamps=True, tail=5, limit=7)
    assert read_selection(query, now=0) == wanted
    assert read_selection({"sinceSeconds": "2"}, now=BASE).since == BASE - 2 * SECOND


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "-1"},
        {"tailLines": "many"},
        {"limitBytes": "0"},
        {"sinceSeconds": "0"},
        {"sinceTime": "yesterday"},
        {"sinceTime": "2026-11-23T03:09:00"},
    ],
    ids=lambda query: "=".join(*query.items()),
)
def test_bad_parameters_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadOptions):
        read_selection(query, now=0)


# Which attempt is meant

FRESH = PodState(restart_policy="OnFailure", started_at=NOW, containers=(Container(name="main", image="x"),))
ONCE = pods.started(FRESH, "main", container_id="1", now=NOW, ready=True)
ENDED = pods.exited(ONCE, "main", Exit(code=1), now=NOW)
LOOPING = pods.waiting(ENDED, "main", reason="CrashLoopBackOff")
TWICE = pods.started(ENDED, "main", container_id="2", now=NOW, ready=True)


@pytest.mark.parametrize(
    ("state", "previous", "attempt"),
    [
        pytest.param(ONCE, False, 0, id="running"),
        pytest.param(ENDED, False, 0, id="ended"),
        pytest.param(LOOPING, False, 0, id="back-off shows the attempt that ended"),
        pytest.param(LOOPING, True, 0, id="back-off: previous is the same"),
        pytest.param(TWICE, False, 1, id="restarted"),
        pytest.param(TWICE, True, 0, id="restarted: previous"),
    ],
)
def test_attempt_of_a_request(state: PodState, previous: bool, attempt: int) -> None:
    assert attempt_to_show(state, pod="p", container="main", previous=previous) == attempt


@pytest.mark.parametrize(
    ("state", "container", "previous", "text"),
    [
        pytest.param(
            FRESH, "main", False, 'container "main" in pod "p" is waiting to start: ContainerCreating', id="too early"
        ),
        pytest.param(ONCE, "main", True, 'previous terminated container "main" in pod "p" not found', id="no previous"),
        pytest.param(ONCE, "other", False, 'container "other" in pod "p" is not available', id="no such container"),
        pytest.param(
            pods.waiting(FRESH, "main", reason="ErrImagePull"),
            "main",
            False,
            'container "main" in pod "p" is waiting to start: image can\'t be pulled',
            id="image",
        ),
    ],
)
def test_no_log_is_explained_as_a_kubelet_does(state: PodState, container: str, previous: bool, text: str) -> None:
    with pytest.raises(Unavailable) as error:
        attempt_to_show(state, pod="p", container=container, previous=previous)
    assert str(error.value) == text


# Streaming


async def _collect(source: Source, selection: Selection, *, meanwhile: t.Callable[[], None] = lambda: None) -> str:
    got: list[bytes] = []

    async def read() -> None:
        async for data in stream(source, selection):
            got.append(data)

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    meanwhile()
    await asyncio.wait_for(reader, 5)
    return b"".join(got).decode()


def test_following_ends_with_the_container(tmp_path: Path) -> None:
    async def scenario() -> str:
        log = LogFile(tmp_path / "0.log")
        log.append(file_of("before"))

        def later() -> None:
            log.append(file_of("after"))
            log.close()

        return await _collect(Source(path=log.path, growing=log), Selection(follow=True), meanwhile=later)

    assert asyncio.run(scenario()) == "before\nafter\n"


def test_without_follow_only_what_is_there(tmp_path: Path) -> None:
    async def scenario() -> str:
        log = LogFile(tmp_path / "0.log")
        log.append(file_of("before"))
        text = await _collect(Source(path=log.path, growing=log), Selection())
        log.close()
        return text

    assert asyncio.run(scenario()) == "before\n"


def test_follow_with_tail_and_limit_ends_at_the_limit(tmp_path: Path) -> None:
    async def scenario() -> str:
        log = LogFile(tmp_path / "0.log")
        log.append(file_of("one", "two", "three"))
        selection = replace(Selection(follow=True), tail=1, limit=8)
        text = await _collect(
            Source(path=log.path, growing=log), selection, meanwhile=lambda: log.append(file_of("four"))
        )
        log.close()
        return text

    assert asyncio.run(scenario()) == "three\nfo"


def test_deleted_log_is_empty(tmp_path: Path) -> None:
    source = Source(path=tmp_path / "gone.log", growing=None)
    assert asyncio.run(_collect(source, Selection(follow=True))) == ""
