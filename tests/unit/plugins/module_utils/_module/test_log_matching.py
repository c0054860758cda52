# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines are found by their own fields, in logs of any size and of any bytes."""

from __future__ import annotations

import re
import tracemalloc
import typing as t
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._history import logfmt
from ansible_collections.longhorn.qa.plugins.module_utils._module import log_matching
from ansible_collections.longhorn.qa.plugins.module_utils._module.log_matching import Pattern, certain_texts, scan

WARNING = (
    b'time="2020-06-08T20:05:10Z" level=warning msg="created snapshot but errored on cleanup for v: \\"x\\"" n=1\n'
)
QUOTED = b'level=info msg="event: level=warning errored on cleanup for v"\n'


def pattern(**params: t.Any) -> Pattern:
    return Pattern.of(params)


@pytest.mark.parametrize(
    ("params", "data", "expected"),
    [
        pytest.param({"level": "warning"}, WARNING + QUOTED, [1], id="a level that another line quotes"),
        pytest.param({"message_text": 'for v: "x"'}, QUOTED + WARNING, [2], id="text with quotes, unescaped"),
        pytest.param({"message_regex": r"errored on cleanup for v\b"}, WARNING + QUOTED, [1, 2], id="an expression"),
        pytest.param({"fields": {"n": 1}}, WARNING + QUOTED, [1], id="another field"),
        pytest.param({"fields": {"n": "2"}}, WARNING, [], id="another value of it"),
        pytest.param({"message_text": "plain"}, b"plain text\n" + WARNING, [1], id="a line that is not logfmt"),
        pytest.param({"level": "warning"}, b"plain level=warning text\n", [], id="no fields, no level"),
        pytest.param({"message_text": "\ufffd"}, b"level=info msg=\xff\n\xff\n", [1, 2], id="not UTF-8"),
        pytest.param({"level": "warning"}, WARNING.rstrip(), [1], id="no newline at the end"),
        pytest.param(
            {"message_text": "warning"}, b'msg="\\x77arning"\n', [1], id="a letter that is written as an escape"
        ),
        pytest.param({"level": "warning"}, b"", [], id="an empty log"),
        pytest.param({"level": "warning"}, b"\x1b]0;x\x07\r" + WARNING, [], id="terminal escapes before a line"),
    ],
)
def test_which_lines_fit(params: dict[str, t.Any], data: bytes, expected: list[int]) -> None:
    result = scan([data], pattern(**params), keep=10)
    assert [line.number for line in result.kept] == expected
    assert result.matches == len(expected)
    assert result.bytes == len(data)


lines = st.sampled_from([WARNING, QUOTED, b"\n", b"level=warning\n", b"x" * 50 + b"\n", b'level="warning" msg=y\n'])


@given(data=st.data(), log=st.lists(lines, max_size=30).map(b"".join), size=st.integers(1, 80))
def test_pieces_and_blocks_change_nothing(data: st.DataObject, log: bytes, size: int) -> None:
    wanted = pattern(
        **data.draw(st.sampled_from([{"level": "warning"}, {"message_text": "cleanup"}, {"fields": {"n": "1"}}]))
    )
    whole = [line.number for line in logfmt.read_lines([log]) if wanted.fits(line)]
    pieces = [log[i : i + size] for i in range(0, len(log), size)]
    result = scan(pieces, wanted, keep=1000)
    assert [line.number for line in result.kept] == whole
    assert result.lines == len(log.splitlines())


def test_a_line_without_end_is_cut_not_kept_in_memory() -> None:
    def chunks() -> Iterator[bytes]:
        for _unused in range(40):
            yield b"x" * (1 << 20)
        yield b"\n" + WARNING

    result = scan(chunks(), pattern(level="warning"), keep=5)
    assert [line.number for line in result.kept] == [2]
    assert result.cut == 1


def test_evidence_is_bounded_the_count_is_not() -> None:
    result = scan([WARNING * 1000], pattern(level="warning"), keep=3)
    assert (result.matches, len(result.kept)) == (1000, 3)
    long = scan([b'level=info msg="' + b"x" * 10_000 + b'"\n'], pattern(level="info"), keep=1).kept[0]
    shown = log_matching.shown(long)
    assert (shown["level"], shown["message"], len(shown["text"])) == ("info", "x" * 2000, 2000)


@pytest.mark.parametrize(
    ("filler", "bound"),
    [
        pytest.param(b"x", 4, id="plain"),
        pytest.param(b"ab\\n", 6, id="full of escapes"),
    ],
)
def test_memory_is_a_few_times_the_longest_line(filler: bytes, bound: int) -> None:
    """Whatever the number of such lines, and whether they are kept."""

    def chunks() -> Iterator[bytes]:
        for _line in range(6):
            yield b'level=error msg="'
            for _part in range(10):
                yield filler * ((1 << 20) // len(filler))
            yield b'" volume=v\n'

    tracemalloc.start()
    try:
        assert scan(chunks(), pattern(level="error", fields={"volume": "v"}), keep=6).matches == 6
        assert tracemalloc.get_traced_memory()[1] < bound * (10 << 20)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        pytest.param("errored on cleanup for v", {"errored on cleanup for v"}, id="plain text"),
        pytest.param(r"a+bc\.de", {"a", "bc", "de"}, id="an escape and one or more"),
        pytest.param("ab?cd*ef", {"a", "c", "ef"}, id="what may be absent"),
        pytest.param("ab{0,3}cd", {"a", "cd"}, id="a counted one"),
        pytest.param("x(yz(w))?[abc]q", {"x", "q"}, id="groups and classes"),
        pytest.param("one|two", set(), id="alternatives"),
        pytest.param("(?i)one", set(), id="flags"),
        pytest.param(r"ab\.cd\d\w", {"ab", "cd"}, id="escapes of one character"),
        pytest.param(r"ab\x41bc", set(), id="a hexadecimal escape"),
        pytest.param(r"ab\101", set(), id="an octal escape"),
        pytest.param(r"ab\N{DIGIT ONE}", set(), id="a character by its name"),
    ],
)
def test_texts_that_have_to_be_there(regex: str, expected: set[str]) -> None:
    assert {text for text in certain_texts(regex) if text} == expected


alphabet = st.text("ab(){}[]*+?.^$\\0,3-", min_size=1, max_size=12)


@given(regex=alphabet, text=st.text("ab03,-", max_size=12))
def test_a_fit_always_contains_them(regex: str, text: str) -> None:
    try:
        compiled = re.compile(regex)
    except (re.error, OverflowError, FutureWarning):
        return
    if compiled.search(text):
        assert all(part in text for part in certain_texts(regex))


escapes = [
    r"\x41",
    r"\u0041",
    r"\U00000041",
    r"\101",
    r"\01",
    r"\N{LATIN CAPITAL LETTER A}",
    r"(b)\1",
    r"\d",
    r"\\",
    "A",
    "b",
]


@given(parts=st.lists(st.sampled_from(escapes), min_size=1, max_size=4), text=st.text("Abx041\1\\", max_size=12))
def test_a_fit_always_contains_them_whatever_is_escaped(parts: list[str], text: str) -> None:
    regex = "".join(parts)
    if found := re.compile(regex).search(text):
        assert all(part in found[0] for part in certain_texts(regex))


def test_a_line_that_an_escape_describes_is_not_passed_over() -> None:
    assert scan([WARNING], pattern(message_regex=r"\x63reated\x20snapshot but errored"), keep=1).matches == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"message_regex": "("}, "not a regular expression", id="an expression that does not parse"),
        pytest.param({}, "every line would match", id="nothing asked for"),
    ],
)
def test_bad_input(params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        pattern(**params)
