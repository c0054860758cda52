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

from ansible_collections.longhorn.qa.plugins.module_utils._history.records import plain
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import format_time, parse_time
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import Index
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CellJudgement, Judgement
from ansible_collections.longhorn.qa.plugins.module_utils._judge.schedule import Ticks
from ansible_collections.longhorn.qa.plugins.module_utils._report import marks
from ansible_collections.longhorn.qa.plugins.module_utils._report.excerpts import Excerpts
from ansible_collections.longhorn.qa.plugins.module_utils._report.lifespans import lives
from ansible_collections.longhorn.qa.plugins.module_utils._report.marks import Mark

SCHEMA = "longhorn.qa/timeline/1"

_PASSED_PIECES = 6  # of a check that passed: enough to look one up

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


def timeline(judgement: Judgement, cases: Sequence[Case], *, ticks: Ticks) -> Document | None:
    """The run's lanes; None when there was nothing to judge."""
    if not cases:
        return None
    facts = cases[0].index
    excerpts = Excerpts(facts)
    known = lives(facts)
    span = _Span()
    cells = []
    for case, judged in zip(cases, judgement.cells, strict=True):
        for piece in _of_checks(judged):
            excerpts.add(piece)
        made = marks.of_case(case, judged, ticks=ticks, lives=known)
        cells.append({"volume": case.cell.volume, "note": made.note, "marks": _shown(made.marks, excerpts, span)})
    gaps = _shown_gaps(facts, excerpts, span)
    since, until = _bounds(facts, span)
    return {
        "schema": SCHEMA,
        "since": format_time(since),
        "until": format_time(until),
        "gaps": gaps,
        "cells": cells,
        "excerpts": excerpts.pieces,
    }


def _of_checks(judged: CellJudgement) -> list[t.Any]:
    found = []
    for check in judged.checks:
        whole = check.verdict in ("fail", "inconclusive")
        found += list(check.evidence if whole else check.evidence[:_PASSED_PIECES])
    return found


def _shown(made: Sequence[Mark], excerpts: Excerpts, span: _Span) -> list[Document]:
    order = sorted(made, key=lambda mark: (marks.LANES.index(mark.lane), mark.start, mark.label))
    return [_one(mark, excerpts.all(mark.evidence, limit=4), span) for mark in order]


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
            start = gap.since or gap.at
            until = gap.until or (None if gap.since else gap.at)
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


def _bounds(facts: Index, span: _Span) -> tuple[datetime, datetime]:
    """The server's first and last time that anything here tells; a record without any has the writer's."""
    records = facts.history.records
    known = span.moments or span.older or [records[0].at, records[-1].at]
    last = facts.server_time(None)
    since, until = min(known), max([*known, last] if last is not None else known)
    return since, until


def seconds(document: Document) -> float:
    """How long the run took, as its timeline shows it."""
    since, until = parse_time(document["since"]), parse_time(document["until"])
    return (until - since).total_seconds() if since is not None and until is not None else 0.0
