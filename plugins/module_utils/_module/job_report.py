# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges histories and writes the report: what the module of this name does."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import read_history
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from ansible_collections.longhorn.qa.plugins.module_utils._module.errors import LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document, document
from ansible_collections.longhorn.qa.plugins.module_utils._report.junit import junit
from ansible_collections.longhorn.qa.plugins.module_utils._report.table import table

FILES = {"json": "report.json", "junit": "junit.xml", "text": "report.txt"}


def run(params: Mapping[str, t.Any], *, check_mode: bool = False, now: datetime | None = None) -> dict[str, t.Any]:
    """The module: judge all histories, write the report, tell the verdict."""
    histories: Sequence[str] = params["history"]
    if check_mode:
        return {"changed": False, "skipped": True, "msg": "judging is skipped in check mode: there is nothing recorded"}
    judgements = [judge(read_history(path), profiles=profile, ticks=ticks) for path in histories]
    report = document(judgements, histories=histories, generated=now or datetime.now(tz=timezone.utc))
    result: dict[str, t.Any] = {
        "verdict": report["verdict"],
        "table": table(report),
        "checks": [_short(check) for run_ in report["runs"] for cell in run_["cells"] for check in cell["checks"]],
        "changed": False,
    }
    if params["report_dir"]:
        result |= _write(Path(params["report_dir"]), report, formats=params["formats"])
    if report["verdict"] in params["fail_on"]:
        raise LonghornQAError(
            f"the verdict is {report['verdict']}", subject=", ".join(histories), evidence=result, advice=_advice(report)
        )
    return result


def _short(check: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A check without its evidence, which is in the report."""
    return {name: check[name] for name in ("volume", "check", "verdict", "summary", "advice", "known_issue")}


def _advice(report: Document) -> str:
    reasons = [run_["reason"] for run_ in report["runs"] if run_["reason"]]
    return (reasons[0] + ".") if reasons else "Read the table of checks for the reasons."


def _write(folder: Path, report: Document, *, formats: Sequence[str]) -> dict[str, t.Any]:
    texts = {
        "json": lambda: json.dumps(report, indent=2, ensure_ascii=True) + "\n",
        "junit": lambda: junit(report),
        "text": lambda: "\n".join(table(report)) + "\n",
    }
    written: dict[str, t.Any] = {"changed": True}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if name in formats:
                _replace(folder / FILES[name], texts[name]())
                written["report" if name == "json" else name] = str(folder / FILES[name])
    except OSError as error:
        raise LonghornQAError(
            "the report cannot be written",
            subject=str(folder),
            seen=error.strerror or str(error),
            advice="Check free space and permissions.",
        ) from error
    return written


def _replace(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a report."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
