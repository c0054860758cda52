# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as lines for a terminal of 100 columns: one row per cell, then a word on everything that is not a pass."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._report.compare import grouped
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document, in_a_line, worst_first
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import clipped, no_formula, one_line, wrapped

WIDTH = 100
MAX_LINES = 200  # a job's output in AWX stays readable, whatever the size of the run
MAX_ROWS = 60
MAX_CHANGES = 20
MAX_TITLE = 5

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
    "retain-kept": "kept",
    "history-complete": "hist",
}
_MARKS = {"pass": "ok", "fail": "FAIL", "inconclusive": "?", "not_applicable": "-"}
_CELL_WIDTH = WIDTH - 5 * len(_HEADS)


def table(document: Document) -> list[str]:
    """The lines, without line ends; never more than ``MAX_LINES``."""
    head: list[str] = []
    remarks: list[str] = []
    rows = MAX_ROWS // max(1, len(document["runs"]))
    for run in document["runs"]:
        head += [*_run(run, max(1, rows)), ""]
        for cell in worst_first(run["cells"]):
            if len(remarks) <= MAX_LINES:
                remarks += _remarks(cell)
    head += _changes(document)
    last = f"VERDICT {document['verdict']}"
    lines = head + remarks + ([""] if remarks else [])
    if len(lines) >= MAX_LINES:
        lines = [*lines[: MAX_LINES - 3], "... more is in report.json and report.html", ""]
    return [*lines, last]


def _run(run: Document, rows: int) -> list[str]:
    title = f"Longhorn {run['release'] or '(release unknown)'}, namespace {run['namespace']}, history {run['history']}"
    lines = _few(title, indent="")
    if run["reason"]:
        lines += _few(run["reason"], indent="  ")
    cells = run["cells"]
    if not cells:
        return lines
    lines.append("volume".ljust(_CELL_WIDTH) + "".join(head.rjust(5) for head in _HEADS.values()))
    shown = cells if len(cells) <= rows else worst_first(cells)[:rows]
    for cell in shown:
        marks = {check["check"]: _MARKS[check["verdict"]] for check in cell["checks"]}
        name = clipped(no_formula(one_line(cell["volume"])), _CELL_WIDTH - 1).ljust(_CELL_WIDTH)
        lines.append(name + "".join(marks.get(check, "").rjust(5) for check in _HEADS))
    if len(shown) < len(cells):
        rest = [cell["verdict"] for cell in worst_first(cells)[rows:]]
        words = ", ".join(f"{rest.count(word)} {word}" for word in ("fail", "inconclusive", "pass") if word in rest)
        lines.append(f"and {len(rest)} more volumes: {words}")
    lines.append("ok pass, FAIL fail, ? inconclusive, - not applicable")
    return lines


def _few(text: str, *, indent: str) -> list[str]:
    """As many lines as a remark may have; that there is more shows as dots."""
    lines = wrapped(text, width=WIDTH, indent=indent)
    if len(lines) <= MAX_TITLE:
        return lines
    return [*lines[: MAX_TITLE - 1], clipped(f"{lines[MAX_TITLE - 1]} ...", WIDTH)]


def _changes(document: Document) -> list[str]:
    changes = document["changes"]
    if changes is None:
        return []
    lines = ["from the first history to the second:" if changes else "both histories have the same verdicts and counts"]
    groups = grouped(changes)
    for group in groups[:MAX_CHANGES]:
        text = f"{group.what} {group.before} -> {group.after}" + (" (worse)" if group.direction == "worse" else "")
        lines += wrapped(f"{text}: {group.named}", width=WIDTH, indent="  ")[:MAX_TITLE]
    if len(groups) > MAX_CHANGES:
        lines.append(f"  and {len(groups) - MAX_CHANGES} more changes")
    return [*lines, ""]


def _remarks(cell: Document) -> list[str]:
    told = [check for check in cell["checks"] if check["verdict"] in ("fail", "inconclusive")]
    if not told:
        return []
    judged = [item for item in cell["invocations"] if item["judged"]]
    image = cell["engine_image"] or "the default engine image"
    lines = [
        "",
        *wrapped(
            f"{no_formula(cell['volume'])}: {cell['task']} with {image}, {len(judged)} Jobs judged",
            width=WIDTH,
            indent="",
        ),
        *_few(cell["contract"], indent="  "),
    ]
    for check in told:
        text = f"{_MARKS[check['verdict']]} {check['check']}: {check['summary']}"
        lines += _few(text, indent="  ")
        for more in (check["known_issue"], check["advice"]):
            if more:
                lines += _few(more, indent="      ")
        if check["verdict"] == "fail":
            for item in check["evidence"][:3]:
                lines.append(clipped("      " + one_line(in_a_line(item)), WIDTH))
    return lines
