# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge says: verdicts with their evidence, and how the worst of them becomes a run's.

A check collects three lists, and this file alone turns them into one word: anything found wrong is ``fail``, else
anything unknown is ``inconclusive``, else ``pass``. So no check can forget that not knowing is not passing.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from dataclasses import dataclass, field

Verdict = t.Literal["pass", "fail", "inconclusive", "not_applicable"]
RunVerdict = t.Literal["pass", "fail", "inconclusive", "broken"]

MAX_EVIDENCE = 40  # per list and check: a report is for reading; the history has the rest


class Evidence(t.NamedTuple):
    """Something a reader can look up: an object at a resourceVersion, a line of a log, a listing of the store.

    A named tuple, as facts are: there are ten for each invocation.
    """

    what: str  # "jobs/test-c-1", "logs/<uid>/0.log", "store listing"
    where: str  # "resourceVersion 1954", "line 3", "record 812"
    text: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.where})" + (f": {self.text}" if self.text else "")


@dataclass(frozen=True)
class CheckVerdict:
    """One check's answer for one cell."""

    check: str
    volume: str
    verdict: Verdict
    summary: str
    evidence: tuple[Evidence, ...] = ()
    advice: str = ""
    known_issue: str = ""


@dataclass
class Finding:
    """What a check has found so far."""

    wrong: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    against: list[Evidence] = field(default_factory=list)  # evidence of what is wrong or unknown
    advice: list[str] = field(default_factory=list)

    def bad(self, text: str, *evidence: Evidence) -> None:
        self.wrong.append(text)
        self.against.extend(evidence)

    def unclear(self, text: str, *evidence: Evidence, advice: str = "") -> None:
        self.unknown.append(text)
        self.against.extend(evidence)
        if advice and advice not in self.advice:
            self.advice.append(advice)

    def good(self, text: str, *evidence: Evidence) -> None:
        self.right.append(text)
        self.evidence.extend(evidence)


def conclude(finding: Finding, *, check: str, volume: str) -> CheckVerdict:
    """The verdict that follows from what was found."""
    if finding.wrong:
        verdict: Verdict = "fail"
        summary = _joined(finding.wrong)
        evidence = (*finding.against, *finding.evidence)
    elif finding.unknown or not finding.right:
        verdict = "inconclusive"
        summary = _joined(finding.unknown or ["nothing was seen that could be judged"])
        evidence = (*finding.against, *finding.evidence)
    else:
        verdict = "pass"
        summary = _joined(finding.right)
        evidence = tuple(finding.evidence)
    advice = " ".join(finding.advice) if verdict == "inconclusive" else ""
    return CheckVerdict(
        check=check,
        volume=volume,
        verdict=verdict,
        summary=summary,
        evidence=_first(evidence),
        advice=advice,
    )


def not_applicable(check: str, volume: str, summary: str) -> CheckVerdict:
    """A check that has nothing to look at in this cell."""
    return CheckVerdict(check=check, volume=volume, verdict="not_applicable", summary=summary)


def worst(verdicts: Iterable[Verdict]) -> RunVerdict:
    """A run's verdict: the worst of its checks; one with nothing to judge is broken."""
    seen = set(verdicts) - {"not_applicable"}
    if not seen:
        return "broken"
    if "fail" in seen:
        return "fail"
    return "inconclusive" if "inconclusive" in seen else "pass"


def _first(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """As much as a report shows, each once."""
    found: dict[Evidence, None] = {}
    for item in evidence:
        if len(found) == MAX_EVIDENCE:
            break
        found[item] = None
    return tuple(found)


def _joined(parts: list[str]) -> str:
    unique = list(dict.fromkeys(parts))
    shown = unique[:6]
    more = len(unique) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")
