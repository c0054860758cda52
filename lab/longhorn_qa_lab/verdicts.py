# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts as exit status and last line. They are read from a report; nothing is judged here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from longhorn_qa_lab.errors import LabError

BROKEN = "broken"
STATUS: Mapping[str, int] = {"pass": 0, "fail": 1, "inconclusive": 2, BROKEN: 3}


def read(report: Path) -> str:
    """The verdict that the report gives."""
    path = report / "report.json"
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))["verdict"]
    except FileNotFoundError as error:
        raise LabError(f"There is no report in {report}: the playbook's messages say why.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path} is not a readable report.") from error
    if verdict not in STATUS:
        raise LabError(f"{path} gives the verdict {verdict!r}, expected one of {', '.join(STATUS)}.")
    return str(verdict)


def announce(verdict: str) -> int:
    """The last line on stdout, and the exit status that goes with it."""
    print(f"VERDICT {verdict}", flush=True)
    return STATUS[verdict]


def show(report: Path) -> None:
    """The table for a person, and where the rest is."""
    table = report / "report.txt"
    if table.is_file():
        print(table.read_text(encoding="utf-8").rstrip())
    print(f"report: {report}", flush=True)
