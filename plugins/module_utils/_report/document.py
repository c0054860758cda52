# SPDX-License-Identifier: GPL-3.0-or-later
"""A judgement as the JSON document that all other forms are made from. Its schema is in schema.py."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history.times import format_time
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import (
    CellJudgement,
    InvocationSummary,
    Judgement,
)
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict, RunVerdict
from ansible_collections.longhorn.qa.plugins.module_utils._report.compare import changes

SCHEMA = "longhorn.qa/report/1"

_ORDER: tuple[RunVerdict, ...] = ("broken", "fail", "inconclusive", "pass")

Document = dict[str, t.Any]


def document(
    judgements: Sequence[Judgement],
    *,
    histories: Sequence[str],
    generated: datetime | None = None,
    timelines: Sequence[Document | None] = (),
) -> Document:
    """One report over one or more histories. ``histories`` says where each came from."""
    lanes = timelines or [None] * len(judgements)
    runs = [_run(*parts) for parts in zip(judgements, histories, lanes, strict=True)]
    verdicts = {item.verdict for item in judgements} or {"broken"}
    return {
        "schema": SCHEMA,
        "generated": format_time(generated) if generated is not None else "",
        "verdict": next(word for word in _ORDER if word in verdicts),
        "runs": runs,
        "changes": changes(*runs) if len(runs) == 2 and not _one_run(runs) else None,
    }


def worst_first(items: Iterable[Document]) -> list[Document]:
    """Runs, or cells, as a reader wants them who looks at the first of them only."""
    return sorted(items, key=lambda item: _ORDER.index(item["verdict"]))


def in_a_line(evidence: Document) -> str:
    """A piece of a check's evidence: where it is, and its words if there are any."""
    return f"{evidence['what']} ({evidence['where']})" + (f": {evidence['text']}" if evidence["text"] else "")


def _one_run(runs: Sequence[Document]) -> bool:
    """Whether they are parts of one run, as the recovery after a fault is: these are no before and after."""
    return bool(runs[0]["run_id"]) and runs[0]["run_id"] == runs[1]["run_id"]


def _run(judgement: Judgement, source: str, lanes: Document | None) -> Document:
    subjects = judgement.subjects
    return {
        "history": source,
        "origin": judgement.origin,
        "release": subjects.release,
        "namespace": subjects.namespace,
        "run_id": subjects.run_id,
        "default_engine_faults": list(subjects.default_engine_faults),
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "cells": [_cell(cell) for cell in judgement.cells],
        "timeline": lanes,
    }


def _cell(judgement: CellJudgement) -> Document:
    cell = judgement.cell
    return {
        "volume": cell.volume,
        "task": cell.task,
        "job": cell.job,
        "cronjob": cell.cronjob,
        "cron": cell.cron,
        "retain": cell.retain,
        "engine_image": cell.engine_image,
        "faults": None if cell.faults is None else list(cell.faults),
        "fault_type": cell.fault_type,
        "verdict": judgement.verdict,
        "contract": judgement.contract,
        "invocations": [_invocation(item) for item in judgement.invocations],
        "checks": [_check(item) for item in judgement.checks],
    }


def _invocation(item: InvocationSummary) -> Document:
    return {
        "job": item.name,
        "tick": format_time(item.tick) if item.tick is not None else "",
        "by_hand": item.by_hand,
        "judged": not item.cut,
        "cut": item.cut,
        "state": item.state,
        "attempts": item.attempts,
        "snapshots": list(item.snapshots),
        "backups": list(item.backups),
    }


def _check(item: CheckVerdict) -> Document:
    return {
        "check": item.check,
        "volume": item.volume,
        "verdict": item.verdict,
        "summary": item.summary,
        "evidence": [evidence._asdict() for evidence in item.evidence],
        "advice": item.advice,
        "known_issue": item.known_issue,
    }
