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
        pytest.param("", "", id="nothing stays nothing"),
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


def test_fields_follow_in_the_order_of_their_names() -> None:
    fields = {"retain": 1, "groups": "", "labels": '{"RecurringJob":"c-x"}', "parameters": {}, "concurrent": True}
    assert logs.line("info", "Creating job", MOMENT, fields=fields) == (
        'time="2020-06-08T20:05:10Z" level=info msg="Creating job" concurrent=true groups= '
        'labels="{\\"RecurringJob\\":\\"c-x\\"}" parameters="map[]" retain=1'
    )


@pytest.mark.parametrize(
    ("release", "begins"),
    [
        pytest.param((1, 4, 3), 'time="2020-06-08T20:05:10Z" level=error msg=x error=', id="before callers"),
        pytest.param((1, 4, 4), 'time="2020-06-08T20:05:10Z" level=error msg=x func="app.(*Job).run" '
                     'file="recurring_job.go:1" error=', id="callers"),
        pytest.param((1, 5, 0), 'time="2020-06-08T20:05:10Z" level=error msg=x error=', id="1.5.0 has none"),
        pytest.param((1, 9, 3), 'time="2020-06-08T20:05:10Z" level=error msg=x func=', id="seconds"),
        pytest.param((1, 10, 0), 'time="2020-06-08T20:05:10.9Z" level=error msg=x func=', id="nanoseconds"),
    ],
)  # fmt: skip
def test_lines_of_each_generation(release: tuple[int, int, int], begins: str) -> None:
    caller = logs.Caller("app.(*Job).run", "recurring_job.go:1")
    style = logs.style_of(release)
    assert logs.line("error", "x", MOMENT, style=style, caller=caller, fields={"error": "no"}).startswith(begins)


def test_nine_digits_below_the_second_are_written() -> None:
    moment = MOMENT.replace(microsecond=618594)
    assert re.fullmatch(r"2020-06-08T20:05:10\.618594\d{3}Z", logs.Style(nanoseconds=True).stamp(moment))


def test_a_log_with_fields_leaves_the_one_it_came_from_alone() -> None:
    stream = io.StringIO()
    log = logs.Log(stream, lambda: MOMENT)
    log.having(volume="vol").having(error="no").error("Failed")
    log.info("Done")
    assert [line.partition("level=")[2] for line in stream.getvalue().splitlines()] == [
        "error msg=Failed error=no volume=vol", "info msg=Done"
    ]  # fmt: skip


def test_a_line_of_the_labs_own_says_so() -> None:
    stream = io.StringIO()
    logs.Log(stream, lambda: MOMENT, style=logs.Style(callers=True)).info("x")
    assert re.search(
        r' func=lab\.test_a_line_of_the_labs_own_says_so file="test_longhorn_logs\.py:\d+"$', stream.getvalue()
    )
