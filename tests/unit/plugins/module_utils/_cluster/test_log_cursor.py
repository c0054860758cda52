# SPDX-License-Identifier: GPL-3.0-or-later
"""A log that is cut anywhere, any number of times, is kept byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.log_cursor import LogCursor

Line = tuple[str, bytes]

LINES: list[Line] = [
    ("2026-01-02T03:04:05.000000001Z", b"first"),
    ("2026-01-02T03:04:05.000000001Z", b"first"),
    ("2026-01-02T03:04:05.999999999Z", b""),
    ("2026-01-02T03:04:06.000000000Z", b"\xc3\xa4 \xff 2026-01-02T03:04:06.000000000Z not a stamp"),
    ("2026-01-02T03:04:06.5Z", b"x" * 300),
    ("2026-01-02T03:04:09.123456789Z", b"last"),
]


def served(lines: list[Line], since: str = "") -> bytes:
    """What the server sends: whole seconds from ``since`` on, each line with its timestamp."""
    chosen = [line for line in lines if line[0][:19] >= since[:19]]
    return b"".join(stamp.encode() + b" " + text + b"\n" for stamp, text in chosen)


def text_of(lines: list[Line]) -> bytes:
    return b"".join(text + b"\n" for _unused, text in lines)


def test_every_cut_offset() -> None:
    whole = served(LINES)
    for cut in range(len(whole) + 1):
        cursor = LogCursor()
        kept = cursor.feed(whole[:cut])
        since = cursor.since
        cursor.reconnect()
        kept += cursor.feed(served(LINES, since))
        assert kept == text_of(LINES), f"cut at {cut}"
        assert (cursor.conflict, cursor.foreign) == ("", "")


texts = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" "))
moments = st.lists(st.integers(0, 3_000_000_000), min_size=1, max_size=12).map(sorted)


@given(data=st.data(), times=moments)
def test_cuts_again_and_again_in_pieces_of_any_size(data: st.DataObject, times: list[int]) -> None:
    lines = [(f"2026-01-02T03:04:{n // 10**9:02d}.{n % 10**9:09d}Z", data.draw(texts)) for n in times]
    cursor, kept = LogCursor(), b""
    for _unused in range(data.draw(st.integers(1, 4))):
        stream = served(lines, cursor.since)
        cursor.reconnect()
        cut = data.draw(st.integers(0, len(stream)))
        step = data.draw(st.integers(1, 50))
        kept += b"".join(cursor.feed(stream[i : min(i + step, cut)]) for i in range(0, cut, step))
    stream = served(lines, cursor.since)
    cursor.reconnect()
    kept += cursor.feed(stream)
    assert kept == text_of(lines)
    assert cursor.conflict == ""


def test_a_last_line_without_newline_is_kept() -> None:
    cursor = LogCursor()
    assert cursor.feed(b"2026-01-02T03:04:05Z half") == b"half"
    since = cursor.since
    cursor.reconnect()
    assert since == "2026-01-02T03:04:05Z"
    assert cursor.feed(b"2026-01-02T03:04:05Z half a line\n") == b" a line\n"


def test_zone_offsets_are_kept_as_the_node_writes_them() -> None:
    cursor = LogCursor()
    cursor.feed(b"2026-01-02T03:04:05.123456789+02:00 x\n")
    assert cursor.since == "2026-01-02T03:04:05+02:00"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"unable to retrieve container logs for containerd://0123456789abcdef\n", id="the log is gone"),
        pytest.param(b"rpc error: code = NotFound\n", id="runtime error"),
        pytest.param(b"x" * 500, id="no space at all"),
    ],
)
def test_an_error_in_place_of_a_log_is_not_kept(text: bytes) -> None:
    cursor = LogCursor()
    assert cursor.feed(text) == b""
    assert cursor.foreign


def test_a_log_that_was_rotated_away_is_a_conflict() -> None:
    cursor = LogCursor()
    cursor.feed(b"2026-01-02T03:04:05.5Z one\n")
    cursor.reconnect()
    assert cursor.feed(b"2026-01-02T03:04:08.5Z nine\n") == b"nine\n"
    assert "did not come again" in cursor.conflict


def test_another_containers_log_is_a_conflict() -> None:
    cursor = LogCursor()
    cursor.feed(b"2026-01-02T03:04:05.5Z one\n")
    cursor.reconnect()
    cursor.feed(b"2026-01-02T03:04:05.5Z two\n")
    assert "another text" in cursor.conflict


def test_a_server_that_ignores_since_repeats_nothing() -> None:
    cursor = LogCursor()
    cursor.feed(b"2026-01-02T03:04:05.5Z one\n2026-01-02T03:04:06.5Z two\n")
    cursor.reconnect()
    again = b"2026-01-02T03:04:05.5Z one\n2026-01-02T03:04:06.5Z two\n2026-01-02T03:04:07.5Z three\n"
    assert cursor.feed(again) == b"three\n"
    assert cursor.conflict == ""


def test_the_first_line_identifies_the_run() -> None:
    one, two = LogCursor(), LogCursor()
    one.feed(b"2026-01-02T03:04:05.5Z one\n")
    two.feed(b"2026-01-02T03:04:05.5Z one\nmore")
    assert one.first is not None
    assert one.first == two.first


Parts = list[tuple[str, bytes]]  # entries of a node's log; a line ends with the entry that has a newline


def stored(lines: list[Line], size: int) -> Parts:
    """How a node stores lines in parts of this size, each with its time."""
    parts = []
    for stamp, text in lines:
        whole = text + b"\n"
        cuts = range(0, max(len(text), 1), size)
        parts += [(stamp, whole[i : i + size] if i + size < len(text) else whole[i:]) for i in cuts]
    return parts


def rendered(parts: Parts, *, since: str, old: bool) -> bytes:
    """What the node sends of them: older ones put a timestamp before every part, newer ones before every line."""
    sent, within = b"", False
    for stamp, text in parts:
        if stamp[:19] < since[:19]:
            continue
        sent += (b"" if within and not old else stamp.encode() + b" ") + text
        within = not text.endswith(b"\n")
    return sent


LONG: list[Line] = [
    ("2026-01-02T03:04:05.1Z", b"short"),
    ("2026-01-02T03:04:05.2Z", b"a" * 40000),
    ("2026-01-02T03:04:05.3Z", b"b" * 16384),
    ("2026-01-02T03:04:06.4Z", b"c" * 16384 + b"2026-01-02 is text"),
    ("2026-01-02T03:04:07.5Z", b"d" * 16384 + b"2026-01-02T03:04:07.5Z"),
]


@pytest.mark.parametrize("size", [pytest.param(16384, id="parts of 16 KiB"), pytest.param(8192, id="parts of 8 KiB")])
@pytest.mark.parametrize("old", [pytest.param(True, id="a time in each part"), pytest.param(False, id="in each line")])
def test_long_lines_in_parts_are_whole_lines(size: int, old: bool) -> None:
    parts = stored(LONG, size)
    whole = rendered(parts, since="", old=old)
    places = {0, 1, len(whole), *range(20, len(whole), 9001)}
    for boundary in range(0, len(whole), size):  # around what may be the end of a part
        places |= set(range(max(0, boundary - 2), boundary + 130, 13))
    for cut in sorted(place for place in places if place <= len(whole)):
        cursor = LogCursor()
        kept = cursor.feed(whole[:cut])
        since = cursor.since
        cursor.reconnect()
        rest = rendered(parts, since=since, old=old)
        kept += cursor.feed(rest[:30]) + cursor.feed(rest[30:]) + cursor.finish()
        assert (cursor.conflict, cursor.foreign) == ("", ""), f"cut at {cut}"
        assert kept == text_of(LONG), f"cut at {cut}"
        assert cursor.repeated


@settings(max_examples=60)
@given(
    data=st.data(), times=st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=5).map(sorted), old=st.booleans()
)
def test_cut_again_and_again_with_long_lines(data: st.DataObject, times: list[int], old: bool) -> None:
    sizes = st.sampled_from([0, 5, 8191, 8192, 8193, 16383, 16384, 16385, 32768, 33000])
    lines = [(f"2026-01-02T03:04:{n // 10**9:02d}.{n % 10**9:09d}Z", b"x" * data.draw(sizes)) for n in times]
    parts = stored(lines, 16384)
    cursor, kept = LogCursor(), b""
    for _unused in range(data.draw(st.integers(0, 4))):
        stream = rendered(parts, since=cursor.since, old=old)
        cursor.reconnect()
        cut = data.draw(st.integers(0, len(stream)))
        step = data.draw(st.sampled_from([1000, 8192, 16384, 65536]))
        kept += b"".join(cursor.feed(stream[i : min(i + step, cut)]) for i in range(0, cut, step))
    stream = rendered(parts, since=cursor.since, old=old)
    cursor.reconnect()
    kept += cursor.feed(stream) + cursor.finish()
    assert kept == text_of(lines)
    assert (cursor.conflict, cursor.foreign) == ("", "")


def test_text_that_looks_like_the_beginning_of_a_time_is_kept_at_the_end() -> None:
    cursor = LogCursor()
    kept = cursor.feed(b"2026-01-02T03:04:05.5Z " + b"x" * 16384 + b"2026-01-")
    assert kept == b"x" * 16384
    assert kept + cursor.finish() == b"x" * 16384 + b"2026-01-"
