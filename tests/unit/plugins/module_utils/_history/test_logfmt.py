# SPDX-License-Identifier: GPL-3.0-or-later
"""The log grammar, from the formatter's definition: what it writes is read back, and any other bytes do no harm."""

from __future__ import annotations

import itertools
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import (
    parse_fields,
    parse_line,
    quote,
    read_lines,
)

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
KEY = st.from_regex(r"[a-z_][a-z0-9_.]{0,12}", fullmatch=True)


@given(st.lists(st.tuples(KEY, TEXT), min_size=1, max_size=8))
def test_what_the_formatter_writes_is_read_back(fields: list[tuple[str, str]]) -> None:
    line = " ".join(f"{key}={quote(value)}" for key, value in fields)
    assert "\n" not in line
    assert parse_fields(line) == tuple(fields)


@given(TEXT)
def test_messages_nest_to_any_depth(message: str) -> None:
    inner = f"level=fatal msg={quote(message)}"
    outer = parse_line(f"level=warning msg={quote('stderr, ' + inner)}")
    assert outer.level == "warning"
    assert outer.message == "stderr, " + inner
    assert parse_line(outer.message.removeprefix("stderr, ")).message == message


@given(st.dictionaries(KEY, TEXT, min_size=1, max_size=8))
def test_what_the_json_formatter_writes_is_read_back(fields: dict[str, str]) -> None:
    assert parse_line(json.dumps(fields)).fields == tuple(fields.items())
    assert parse_line(json.dumps(fields, ensure_ascii=False)).fields == tuple(fields.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"level":"error","level":"info","n":1,"of":{"a":[null]}}', ("error", "1", '[["a", [null]]]')),
        ('{"level":"half \\ud800","n":"","of":""}', ("half \ufffd", "", "")),
        ('{"level":"info"', ("", None, None)),
        ('{"level":"info"} more', ("", None, None)),
        ('{"level":' * 100_000, ("", None, None)),
        ('{"level":"info","n":' + "9" * 5000 + "}", ("", None, None)),
        ("{level=info}", ("", None, None)),
    ],
)
def test_a_line_of_json_is_a_whole_object_and_no_more(text: str, expected: tuple[str | None, ...]) -> None:
    line = parse_line(text)
    assert (line.level, line.get("n"), line.get("of")) == expected


@given(st.binary(max_size=400))
def test_any_bytes_come_out_as_lines(content: bytes) -> None:
    lines = list(read_lines([content]))
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_lines_do_not_depend_on_how_the_bytes_arrive(content: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    chunks = [content[start:stop] for start, stop in itertools.pairwise(edges)]
    assert list(read_lines(chunks)) == list(read_lines([content]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('time="2020-06-08T20:05:10Z" msg=ok', (("time", "2020-06-08T20:05:10Z"), ("msg", "ok"))),
        ("groups= job=c-x retain=1", (("groups", ""), ("job", "c-x"), ("retain", "1"))),
        ('labels="{\\"RecurringJob\\":\\"c-x\\"}"', (("labels", '{"RecurringJob":"c-x"}'),)),
        ('msg="two\\nlines\\t\\x1b[31m\\u200b"', (("msg", "two\nlines\t\x1b[31m\u200b"),)),
        ('msg="\\xff not UTF-8"', (("msg", "\ufffd not UTF-8"),)),
        ('msg=""', (("msg", ""),)),
    ],
    ids=["plain", "empty and bare", "quoted JSON", "escapes", "a byte that was not UTF-8", "empty quoted"],
)  # fmt: skip
def test_values(text: str, expected: tuple[tuple[str, str], ...]) -> None:
    assert parse_fields(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "E1123 02:13:30.460656       1 leaderelection.go:282] Failed to release lock",
        '10.200.0.1 - - [23/Nov/2026:02:14:05 +0000] "GET /v1 HTTP/1.1" 200 2941 "" "x=y"',
        'level=warning msg="never closed',
        'level=warning msg="bad \\q escape"',
        'level=warning  msg="two spaces"',
        'level=warning msg="x" trailing',
        'level=warning msg="x"glued=1',
        "=value",
        "msg=a,b",
        "",
    ],
    ids=[
        "klog", "access log", "open quote", "bad escape", "two spaces", "trailing word", "glued", "no key",
        "bare comma", "empty",
    ],
)  # fmt: skip
def test_what_is_not_exactly_the_format_has_no_fields(text: str) -> None:
    line = parse_line(text)
    assert line.fields == ()
    assert line.text == text
    assert (line.level, line.message, line.time) == ("", "", None)


def test_process_prefix_of_instance_managers_is_kept_apart() -> None:
    line = parse_line('[test-e-90466815] time="2026-11-23T03:08:42Z" level=info msg="Snapshot: x"')
    assert line.prefix == "test-e-90466815"
    assert line.message == "Snapshot: x"


def test_formatters_own_fields_win_over_later_ones() -> None:
    line = parse_line('level=info msg=first level=warning msg="second"')
    assert (line.level, line.message) == ("info", "first")


@pytest.mark.parametrize("filler", [b"x", b"\\", b'"', b"a=", b"\xff"], ids=["x", "backslash", "quote", "pairs", "ff"])
def test_lines_of_ten_mebibytes_take_seconds_at_most(filler: bytes) -> None:
    huge = b'level=warning msg="' + filler * (10 * 1024 * 1024 // len(filler)) + b'"\nlevel=info msg=after\n'
    start = time.process_time()
    first, second = read_lines([huge])
    assert time.process_time() - start < 20
    assert first.number == 1
    assert second.message == "after"


def test_longer_lines_are_cut_and_have_no_fields() -> None:
    first, second = read_lines([b"level=info msg=", b"x" * 100, b"\nlevel=info msg=after\n"], max_line=50)
    assert first.fields == ()
    assert len(first.text) == 50
    assert second.message == "after"


def test_carriage_returns_do_not_hide_a_line() -> None:
    (line,) = read_lines([b"level=info msg=ok\r\n"])
    assert line.message == "ok"
