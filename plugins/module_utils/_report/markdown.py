# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as Markdown for an issue on a tracker: short, without addresses and keys, and repeatable by the reader.

Texts of a cluster stand in code spans, where a tracker makes no links, mentions or markup of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.longhorn.qa.plugins.module_utils._report.compare import grouped
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document, in_a_line, worst_first
from ansible_collections.longhorn.qa.plugins.module_utils._report.findings import contracts, findings
from ansible_collections.longhorn.qa.plugins.module_utils._report.redact import redacted
from ansible_collections.longhorn.qa.plugins.module_utils._report.safe import clipped, one_line

MAX_RUNS = 4
MAX_CELLS = 20
MAX_CHECKS = 12
MAX_CHANGES = 20
_TEXT = 400


def markdown(document: Document) -> str:
    """The text, with one finding however many volumes have it."""
    lines = [f"## longhorn.qa: {document['verdict']}", ""]
    runs = document["runs"]
    for run in runs if len(runs) <= MAX_RUNS else worst_first(runs)[:MAX_RUNS]:
        lines += [*_run(run), ""]
    if len(runs) > MAX_RUNS:
        lines += [f"and {len(runs) - MAX_RUNS} more runs.", ""]
    lines += _changes(document)
    lines += _replay()
    return "\n".join(lines) + "\n"


def code(text: str, width: int = _TEXT) -> str:
    """Anybody's text as a code span, in a table too."""
    shown = clipped(one_line(redacted(text[: 4 * width])), width).replace("|", "\u00a6")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _run(run: Document) -> Iterator[str]:
    yield f"- Longhorn {code(run['release'] or 'not known')}, {run['verdict']}, {len(run['cells'])} volumes"
    if run["default_engine_faults"]:
        yield f"- the default engine image fails {', '.join(run['default_engine_faults'])}"
    if run["reason"]:
        yield f"- {code(run['reason'])}"
    if run["timeline"]:
        yield f"- from {run['timeline']['since'][:19]}Z to {run['timeline']['until'][:19]}Z"
    if run["cells"]:
        yield ""
        yield from _cells(run)
        yield from _contracts(run)
        yield from _findings(run)


def _cells(run: Document) -> Iterator[str]:
    yield "| volume | task | engine image | faults | Jobs | verdict |"
    yield "|---|---|---|---|---|---|"
    cells = worst_first(run["cells"])
    for cell in cells[:MAX_CELLS]:
        faults = "not stated" if cell["faults"] is None else ", ".join(cell["faults"]) or "none"
        image = code(cell["engine_image"], 100) if cell["engine_image"] else "default"
        yield (
            f"| {code(cell['volume'], 60)} | {cell['task']} | {image} | {faults} | {len(cell['invocations'])} | "
            f"{cell['verdict']} |"
        )
    if len(cells) > MAX_CELLS:
        yield ""
        yield f"and {len(cells) - MAX_CELLS} more volumes."


def _contracts(run: Document) -> Iterator[str]:
    told = contracts(run)
    if told:
        yield ""
    yield from (f"- {code(text)}" for text in told)


def _findings(run: Document) -> Iterator[str]:
    every = findings(run)
    for finding in every[:MAX_CHECKS]:
        first = finding.first
        yield ""
        yield f"### {finding.check}: {finding.verdict} for {len(finding.checks)} of {len(run['cells'])} volumes"
        yield ""
        yield f"{code(first['volume'], 60)}: {code(first['summary'])}"
        for more in (first["known_issue"], first["advice"]):
            if more:
                yield ""
                yield code(more)
        if first["evidence"]:
            yield ""
        for item in first["evidence"][:3]:
            yield f"- {code(in_a_line(item), 240)}"
    if len(every) > MAX_CHECKS:
        yield ""
        yield f"and {len(every) - MAX_CHECKS} more findings."


def _changes(document: Document) -> list[str]:
    if not document["changes"]:
        return []
    groups = grouped(document["changes"])
    lines = ["### From the first run to the second", "", "| what | before | after | where |", "|---|---|---|---|"]
    for group in groups[:MAX_CHANGES]:
        shown = (group.what, group.before, group.after, group.named)
        lines.append("| " + " | ".join(code(text, 200) for text in shown) + " |")
    if len(groups) > MAX_CHANGES:
        lines += ["", f"and {len(groups) - MAX_CHANGES} more changes."]
    return [*lines, ""]


def _replay() -> list[str]:
    return [
        "### To judge the same record again",
        "",
        "Attach the run's folder `history` (no Secrets are in it; look through it for names you do not want to show).",
        "It needs no cluster:",
        "",
        "```sh",
        "ansible-galaxy collection install longhorn.qa",
        "ansible-playbook longhorn.qa.rejudge -e rejudge_history=HISTORY -e rejudge_report_dir=REPORT",
        "```",
    ]
