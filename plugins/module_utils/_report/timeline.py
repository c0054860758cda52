# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as marks on lanes, one set of lanes per cell: what a reader sees at a glance, and what each mark rests on.

Times are the cluster's own wherever it stamped one; where it did not, the writer's clock of the record stands in. They
are for looking at only: verdicts come from the judge, which orders by resourceVersion.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.records import plain
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import format_time
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import Index
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CellJudgement, Judgement
from ansible_collections.longhorn.qa.plugins.module_utils._judge.schedule import Ticks
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence
from ansible_collections.longhorn.qa.plugins.module_utils._report import marks
from ansible_collections.longhorn.qa.plugins.module_utils._report.excerpts import Excerpts
from ansible_collections.longhorn.qa.plugins.module_utils._report.lifespans import lives
from ansible_collections.longhorn.qa.plugins.module_utils._report.marks import Mark

SCHEMA = "longhorn.qa/timeline/1"

LARGE = 10_000  # marks of a run, beyond which a report carries only the evidence that somebody will ask for
CARRIED = 100  # pieces of one volume in a large run

_PASSED_PIECES = 6  # of a check that passed: enough to look one up
_LARGE_PIECES = 12  # of one that did not, in a large run
_SPEAKING = ("bad", "unknown")

Document = dict[str, t.Any]


@dataclass
class _Span:
    """From the first to the last moment of what the run did; an artefact of others may be years old."""

    moments: list[datetime] = field(default_factory=list)
    older: list[datetime] = field(default_factory=list)

    def take(self, mark: Mark) -> None:
        ours = mark.job or mark.lane not in ("snapshots", "backups")
        (self.moments if ours else self.older).append(mark.start)
        self.moments += [mark.end] if mark.end is not None else []


@dataclass
class _Carried:
    """The evidence that one volume's marks carry: in a large run only that of marks that speak, the first of them."""

    excerpts: Excerpts
    large: bool
    left: int

    def of_all(self, made: Sequence[Mark]) -> list[list[int]]:
        """For each mark its pieces' numbers."""
        first = sorted(range(len(made)), key=lambda place: (made[place].state not in _SPEAKING, made[place].start))
        found = {place: self._of(made[place]) for place in first}
        return [found[place] for place in range(len(made))]

    def _of(self, mark: Mark) -> list[int]:
        if not self.large:
            return self.excerpts.all(mark.evidence, limit=4)
        if self.left <= 0 or (mark.state not in _SPEAKING and mark.lane != "logs"):
            return []
        numbers = self.excerpts.all(mark.evidence, limit=2)
        self.left -= len(numbers)
        return numbers


def timeline(judgement: Judgement, cases: Sequence[Case], *, ticks: Ticks) -> Document | None:
    """The run's lanes; None when there was nothing to judge."""
    if not cases:
        return None
    facts = cases[0].index
    excerpts = Excerpts(facts)
    known = lives(facts)
    span = _Span()
    pairs = list(zip(cases, judgement.cells, strict=True))
    made = [marks.of_case(case, judged, ticks=ticks, lives=known) for case, judged in pairs]
    large = sum(len(item.marks) for item in made) > LARGE
    cells = []
    for (case, judged), item in zip(pairs, made, strict=True):
        for piece in _of_checks(judged, large=large):
            excerpts.add(piece)
        shown = _shown(item.marks, _Carried(excerpts, large, CARRIED), span)
        cells.append({"volume": case.cell.volume, "note": item.note, "marks": shown})
    gaps = _shown_gaps(facts, excerpts, span)
    since, until = _bounds(facts, span)
    return {
        "schema": SCHEMA,
        "since": format_time(since),
        "until": format_time(until),
        "shortened": large,
        "gaps": gaps,
        "cells": cells,
        "excerpts": excerpts.pieces,
    }


def _of_checks(judged: CellJudgement, *, large: bool) -> list[Evidence]:
    found: list[Evidence] = []
    for check in judged.checks:
        speaks = check.verdict in ("fail", "inconclusive")
        limit = _PASSED_PIECES if not speaks else _LARGE_PIECES if large else None
        found += check.evidence[:limit]
    return found


def _shown(made: Sequence[Mark], carried: _Carried, span: _Span) -> list[Document]:
    order = sorted(made, key=lambda mark: (marks.LANES.index(mark.lane), mark.start, mark.label))
    return [_one(mark, evidence, span) for mark, evidence in zip(order, carried.of_all(order), strict=True)]


def _one(mark: Mark, evidence: list[int], span: _Span) -> Document:
    span.take(mark)
    return {
        "lane": mark.lane,
        "kind": mark.kind,
        "state": mark.state,
        "label": mark.label,
        "text": mark.text,
        "job": mark.job,
        "start": format_time(mark.start),
        "end": format_time(mark.end) if mark.end is not None else None,
        "terminating": format_time(mark.terminating) if mark.terminating is not None else "",
        "only": mark.only,
        "evidence": evidence,
    }


def _shown_gaps(facts: Index, excerpts: Excerpts, span: _Span) -> list[Document]:
    found = []
    for gaps in facts.gaps.values():
        for gap in gaps:
            start, until = _extent(gap, facts, span)
            mark = Mark(
                lane="recorder",
                kind="gap",
                state="unknown",
                label=f"{gap.kind}{' of ' + gap.subject if gap.subject else ''} not seen",
                text=gap.reason,
                start=start,
                end=max(start, until) if until is not None else None,
            )
            number = excerpts.plain("gap", f"record {gap.number}", plain(gap))
            found.append(_one(mark, [number], span))
    return sorted(found, key=lambda item: str(item["start"]))


def _extent(gap: model.Gap, facts: Index, span: _Span) -> tuple[datetime, datetime | None]:
    """A dump was written down later, by another clock: what it lacks without saying when, it lacks all the time."""
    if gap.since is not None:
        return gap.since, gap.until
    if facts.origin == "dump":
        since, until = _bounds(facts, span)
        return since, gap.until or until
    return gap.at, gap.until or gap.at


def _bounds(facts: Index, span: _Span) -> tuple[datetime, datetime]:
    """The server's first and last time that anything here tells; a record without any has the writer's."""
    records = facts.history.records
    known = span.moments or span.older or [records[0].at, records[-1].at]
    last = facts.server_time(None)
    since, until = min(known), max([*known, last] if last is not None else known)
    return since, until
