# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines are written in logrus' text form: every line of the recordings survives being taken apart and written again."""

from __future__ import annotations

import datetime as dt
import io
import re
from pathlib import Path

import pytest

from longhorn_qa_lab.longhorn import logs

RECORDINGS = Path(__file__).parents[1] / "recordings"
MOMENT = dt.datetime(2020, 6, 8, 20, 5, 10, 900_000, tzinfo=dt.timezone.utc)
LINE = re.compile(r'time="([^"]+)" level=(\w+) msg=(?:"((?:[^"\\]|\\.)*)"|(\S+))$')


def test_a_line_has_time_level_and_message() -> None:
    assert logs.line("debug", "Cleaned up x", MOMENT) == 'time="2020-06-08T20:05:10Z" level=debug msg="Cleaned up x"'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("installed", "installed", id="one word stays bare"),
        pytest.param("", '""', id="nothing is quoted"),
        pytest.param("a b", '"a b"', id="a blank is quoted"),
        pytest.param('say "no"\n', '"say \\"no\\"\\n"', id="quotes and ends of line are escaped"),
        pytest.param("back\\slash", '"back\\\\slash"', id="a backslash is doubled"),
        pytest.param("\x1b[31m", '"\\x1b[31m"', id="terminal escapes are escaped"),
        pytest.param("größer", '"größer"', id="letters of other languages stay"),
        pytest.param("\u200b", '"\\u200b"', id="invisible characters are escaped"),
    ],
)
def test_values_are_quoted_as_go_does(text: str, written: str) -> None:
    assert logs.value(text) == written


def recorded_lines() -> list[str]:
    found = []
    for release in ("2020-06", "v1.0.1", "v1.0.1-defeng"):
        for path in sorted((RECORDINGS / release / "logs").glob("test-*.r0.log")):
            found += [line for line in path.read_text().splitlines() if line.startswith("time=")]
    return found


def test_every_recorded_line_is_written_the_same_way() -> None:
    lines = recorded_lines()
    assert len(lines) > 50
    for line in lines:
        parts = LINE.match(line)
        assert parts is not None, line
        moment = dt.datetime.fromisoformat(parts[1].replace("Z", "+00:00"))
        message = parts[4] or parts[3].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        assert logs.line(parts[2], message, moment) == line


def test_maps_are_printed_with_sorted_keys() -> None:
    assert logs.go_map({"b": "2", "RecurringJob": "c-x"}) == "map[RecurringJob:c-x b:2]"


def test_the_log_writes_whole_lines_with_their_level() -> None:
    stream = io.StringIO()
    log = logs.Log(stream, lambda: MOMENT)
    log.info("a b")
    log.fatal("c")
    assert stream.getvalue() == (
        'time="2020-06-08T20:05:10Z" level=info msg="a b"\ntime="2020-06-08T20:05:10Z" level=fatal msg=c\n'
    )
