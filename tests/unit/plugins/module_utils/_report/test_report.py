# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports: the document keeps its schema, JUnit its meaning, and nobody's log text reaches a terminal or a parser."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timezone
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import (
    CellJudgement,
    InvocationSummary,
    Judgement,
)
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict, Evidence, worst
from ansible_collections.longhorn.qa.plugins.module_utils._report import schema
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import document
from ansible_collections.longhorn.qa.plugins.module_utils._report.junit import junit
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import one_line, wrapped, xml_text
from ansible_collections.longhorn.qa.plugins.module_utils._report.table import WIDTH, table

AT = datetime(2026, 11, 23, tzinfo=timezone.utc)
HOSTILE = "\x1b[2J\x00 ]]> <b>&amp; \u202egpj.exe \ufffe \x9b31m \r\n x" + "y" * 300
TEXT = st.text(max_size=60)


def judgement(verdicts: dict[str, t.Any], *, text: str = "why", volume: str = "vol-1") -> Judgement:
    checks = tuple(
        CheckVerdict(name, volume, verdict, text, (Evidence("jobs/x", "resourceVersion 5", text),), text, text)
        for name, verdict in verdicts.items()
    )
    cell = model.Cell(volume=volume, task="snapshot", job="c-x", cronjob="vol-1-c-x-c", faults=("snapshot-delete",))
    invocation = InvocationSummary("vol-1-c-x-c-29923390", AT, False, "", "Complete", 1, ("c-x-1",), ())
    verdict = worst(check.verdict for check in checks)
    cells = (CellJudgement(cell=cell, verdict=verdict, invocations=(invocation,), checks=checks),)
    return Judgement(verdict, model.Subjects(release="v1.0.1"), "recorder", cells)


ALL: dict[str, t.Any] = {
    "job-succeeded": "pass", "single-attempt": "fail", "fault-live": "inconclusive", "store-agrees": "not_applicable",
}  # fmt: skip


@given(TEXT, TEXT)
def test_document_keeps_its_schema(text: str, volume: str) -> None:
    report = document([judgement(ALL, text=text, volume=volume)], histories=["h"], generated=AT)
    assert schema.problems(report) == []
    assert schema.problems(json.loads(json.dumps(report))) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"verdict": "maybe"}, "report.verdict: expected one of"),
        ({"runs": {}}, "report.runs: expected array"),
        ({"extra": 1}, "report: 'extra' is not known"),
        ({"runs": [{}]}, "report.runs[0]: 'history' is missing"),
    ],
    ids=["unknown verdict", "wrong type", "unknown field", "missing field"],
)
def test_schema_refuses_what_it_does_not_know(change: dict[str, t.Any], problem: str) -> None:
    report = {**document([judgement(ALL)], histories=["h"]), **change}
    assert any(found.startswith(problem) for found in schema.problems(report))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail"], "fail"),
        (["not_applicable"], "broken"),
        (["pass", "not_applicable"], "pass"),
    ],
    ids=["all pass", "one unknown", "one failed", "nothing judged", "one without object"],
)
def test_worst_verdict_is_the_runs(verdicts: list[str], expected: str) -> None:
    report = document([judgement(dict(enumerate(verdicts)))], histories=["h"])  # type: ignore[arg-type]
    assert report["verdict"] == report["runs"][0]["verdict"] == expected


def test_worst_of_several_histories_is_the_reports() -> None:
    broken = Judgement("broken", model.Subjects(release=""), "dump", (), "no cell")
    report = document([judgement({"a": "fail"}), broken], histories=["one", "two"])
    assert report["verdict"] == "broken"
    assert [run["history"] for run in report["runs"]] == ["one", "two"]
    assert schema.problems(report) == []


def test_junit_tells_not_knowing_as_an_error() -> None:
    root = ElementTree.fromstring(junit(document([judgement(ALL)], histories=["h"])))
    suite = root.find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    found = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert found == {
        "job-succeeded": ["system-out"],
        "single-attempt": ["failure"],
        "fault-live": ["error"],
        "store-agrees": ["skipped"],
    }
    error = suite.find(".//error")
    assert error is not None
    assert error.get("message") == "why"


def test_junit_of_a_run_that_could_not_be_judged_is_an_error() -> None:
    broken = Judgement("broken", model.Subjects(release=""), "dump", (), "the history names no cell")
    root = ElementTree.fromstring(junit(document([broken], histories=["h"])))
    error = root.find(".//error")
    assert error is not None
    assert error.get("message") == "the history names no cell"


@pytest.mark.parametrize(("words", "cut"), [(40, False), (400, True)], ids=["fits", "too long"])
def test_remark_that_is_cut_says_so(words: int, *, cut: bool) -> None:
    lines = table(document([judgement({"single-attempt": "fail"}, text="word " * words)], histories=["h"]))
    assert any(line.endswith("word ...") for line in lines) is cut


@pytest.mark.parametrize(
    "text", [HOSTILE, "\ud800", "]]>", "\x0b\x0c\x1f"], ids=["hostile", "surrogate", "cdata", "controls"]
)
def test_hostile_text_cannot_break_junit(text: str) -> None:
    made = junit(document([judgement(ALL, text=text, volume=text)], histories=[text]))
    root = ElementTree.fromstring(made.encode("utf-8"))
    assert len(list(root.iter("testcase"))) == 4
    assert not any(ord(char) < 32 and char not in "\n\t" for char in made)


@given(st.text())
def test_any_text_is_xml_and_one_harmless_line(text: str) -> None:
    assert ElementTree.fromstring(f"<x>{xml_text(text).replace('&', '').replace('<', '')}</x>") is not None
    line = one_line(text)
    assert line.isprintable()
    assert "\x1b" not in line


@given(st.text(), st.integers(10, 120))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    assert all(len(line) <= width for line in wrapped(text, width=width, indent="  "))


def test_wrapping_loses_no_word() -> None:
    text = "one two " + "x" * 50 + " three"
    assert "".join(wrapped(text, width=20, indent="")).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("text", ["why", HOSTILE], ids=["plain", "hostile"])
def test_table_fits_a_terminal_and_is_harmless(text: str) -> None:
    lines = table(document([judgement(ALL, text=text, volume=text)], histories=[text]))
    assert all(len(line) <= WIDTH and line.isprintable() for line in lines)
    assert lines[-1] == "VERDICT fail"


def test_table_shows_every_check_of_a_cell_and_says_why_it_is_not_a_pass() -> None:
    lines = table(document([judgement(ALL)], histories=["h"]))
    (row,) = [line for line in lines if line.startswith("vol-1 ")]
    assert row.split()[1:] == ["?", "ok", "FAIL", "-"]
    text = "\n".join(lines)
    assert "FAIL single-attempt: why" in text
    assert "? fault-live: why" in text
    assert "jobs/x (resourceVersion 5)" in text


def test_table_of_a_broken_run_gives_the_reason() -> None:
    broken = Judgement("broken", model.Subjects(release=""), "dump", (), "the history names no cell")
    assert "  the history names no cell" in table(document([broken], histories=["h"]))
