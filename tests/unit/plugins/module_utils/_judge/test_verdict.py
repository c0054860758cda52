# SPDX-License-Identifier: GPL-3.0-or-later
"""How findings become a word: wrong outweighs unknown, and unknown outweighs right."""

from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    MAX_EVIDENCE,
    Evidence,
    Finding,
    conclude,
    worst,
)


@pytest.mark.parametrize(
    ("wrong", "unknown", "right", "expected"),
    [
        (True, True, True, "fail"),
        (False, True, True, "inconclusive"),
        (False, False, True, "pass"),
        (False, False, False, "inconclusive"),
    ],
    ids=["wrong wins", "unknown before right", "only right", "nothing seen"],
)
def test_words(wrong: bool, unknown: bool, right: bool, expected: str) -> None:
    finding = Finding()
    if wrong:
        finding.bad("it is wrong")
    if unknown:
        finding.unclear("it is unknown", advice="Look again.")
    if right:
        finding.good("it is right")
    verdict = conclude(finding, check="c", volume="v")
    assert verdict.verdict == expected
    assert verdict.advice == ("Look again." if expected == "inconclusive" and unknown else "")
    assert verdict.summary


def test_a_check_that_saw_nothing_says_so() -> None:
    assert conclude(Finding(), check="c", volume="v").summary == "nothing was seen that could be judged"


def test_long_lists_are_shortened_in_the_summary() -> None:
    finding = Finding()
    for number in range(9):
        finding.bad(f"thing {number}", Evidence("a", str(number)))
    assert conclude(finding, check="c", volume="v").summary.endswith("thing 5; and 3 more")


def test_evidence_is_bounded_and_without_repetition() -> None:
    finding = Finding()
    for number in range(100):
        finding.good("fine", Evidence("a", str(number % 60)))
    evidence = conclude(finding, check="c", volume="v").evidence
    assert len(evidence) == len(set(evidence)) == MAX_EVIDENCE


def test_evidence_of_what_is_wrong_comes_first() -> None:
    finding = Finding()
    finding.good("fine", Evidence("right", "1"))
    finding.bad("bad", Evidence("wrong", "2"))
    assert [item.what for item in conclude(finding, check="c", volume="v").evidence] == ["wrong", "right"]


def test_run_without_any_verdict_is_broken() -> None:
    assert worst([]) == "broken"
