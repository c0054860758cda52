# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as lines for a terminal of 100 columns: one row per cell, then a word on everything that is not a pass."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import clipped, one_line, wrapped

WIDTH = 100

_HEADS = {
    "fault-live": "live",
    "job-succeeded": "job",
    "single-attempt": "once",
    "one-snapshot-per-invocation": "snap",
    "one-backup-per-invocation": "back",
    "no-overlap": "ovlp",
    "count-matches-schedule": "tick",
    "cleanup-warning": "warn",
    "events-recorded": "evnt",
    "store-agrees": "stor",
    "history-complete": "hist",
}
_MARKS = {"pass": "ok", "fail": "FAIL", "inconclusive": "?", "not_applicable": "-"}
_CELL_WIDTH = WIDTH - 5 * len(_HEADS)


def table(document: Document) -> list[str]:
    """The lines, without line ends."""
    lines: list[str] = []
    for run in document["runs"]:
        lines += _run(run)
        lines.append("")
    lines.append(f"VERDICT {document['verdict']}")
    return lines


def _run(run: Document) -> list[str]:
    title = f"Longhorn {run['release'] or '(release unknown)'}, namespace {run['namespace']}, history {run['history']}"
    lines = wrapped(title, width=WIDTH, indent="")
    if run["reason"]:
        lines += wrapped(run["reason"], width=WIDTH, indent="  ")
    if not run["cells"]:
        return lines
    lines.append("volume".ljust(_CELL_WIDTH) + "".join(head.rjust(5) for head in _HEADS.values()))
    for cell in run["cells"]:
        marks = {check["check"]: _MARKS[check["verdict"]] for check in cell["checks"]}
        name = clipped(one_line(cell["volume"]), _CELL_WIDTH).ljust(_CELL_WIDTH)
        lines.append(name + "".join(marks.get(check, "").rjust(5) for check in _HEADS))
    lines.append("ok pass, FAIL fail, ? inconclusive, - not applicable")
    for cell in run["cells"]:
        lines += _remarks(cell)
    return lines


def _remarks(cell: Document) -> list[str]:
    told = [check for check in cell["checks"] if check["verdict"] in ("fail", "inconclusive")]
    if not told:
        return []
    judged = [item for item in cell["invocations"] if item["judged"]]
    image = cell["engine_image"] or "the default engine image"
    lines = [
        "",
        *wrapped(f"{cell['volume']}: {cell['task']} with {image}, {len(judged)} Jobs judged", width=WIDTH, indent=""),
    ]
    for check in told:
        text = f"{_MARKS[check['verdict']]} {check['check']}: {check['summary']}"
        lines += wrapped(text, width=WIDTH, indent="  ")
        for more in (check["known_issue"], check["advice"]):
            if more:
                lines += wrapped(more, width=WIDTH, indent="      ")
        if check["verdict"] == "fail":
            for item in check["evidence"][:3]:
                shown = f"{item['what']} ({item['where']})" + (f": {item['text']}" if item["text"] else "")
                lines.append(clipped("      " + one_line(shown), WIDTH))
    return lines
