# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges histories and writes the report: what the module of this name does."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import RECORDS, read_history
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import examine
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from ansible_collections.longhorn.qa.plugins.module_utils._module import report_files
from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document, document
from ansible_collections.longhorn.qa.plugins.module_utils._report.html import page
from ansible_collections.longhorn.qa.plugins.module_utils._report.junit import junit
from ansible_collections.longhorn.qa.plugins.module_utils._report.markdown import markdown
from ansible_collections.longhorn.qa.plugins.module_utils._report.prometheus import prometheus
from ansible_collections.longhorn.qa.plugins.module_utils._report.table import table
from ansible_collections.longhorn.qa.plugins.module_utils._report.timeline import timeline

FILES = {
    "json": "report.json",
    "junit": "junit.xml",
    "text": "report.txt",
    "html": "report.html",
    "markdown": "report.md",
    "prometheus": "longhorn_qa.prom",
}
DEFAULT_FORMATS = ("json", "junit", "text", "html", "markdown")

_LARGE = 2000  # marks; the JSON of more of them has no indentation, which would be most of it
_NAMED = 20  # checks in the statistics


def run(params: Mapping[str, t.Any], *, check_mode: bool = False, now: datetime | None = None) -> dict[str, t.Any]:
    """The module: judge all histories, write the report, tell the verdict."""
    histories: Sequence[str] = params["history"]
    if not histories:
        raise BadInput("there is nothing to judge", subject="history", expected="one folder or more", seen="none")
    if check_mode and not all((Path(path) / RECORDS).exists() for path in histories):
        return {"changed": False, "skipped": True, "msg": "judging is skipped in check mode: there is nothing recorded"}
    folder = Path(params["report_dir"]) if params["report_dir"] else None
    if folder is not None:
        report_files.check_folder(folder)
    report = _judged(histories, generated=now or datetime.now(tz=timezone.utc))
    result: dict[str, t.Any] = {
        "verdict": report["verdict"],
        "table": table(report),
        "checks": [_short(check) for run_ in report["runs"] for cell in run_["cells"] for check in cell["checks"]],
        "changes": report["changes"] or [],
        "changed": False,
    }
    if folder is not None:
        result |= _written(folder, report, params, check_mode=check_mode)
    result["stats"] = _stats(report, result)
    if report["verdict"] in params["fail_on"]:
        raise LonghornQAError(
            f"the verdict is {report['verdict']}", subject=", ".join(histories), evidence=result, advice=_advice(report)
        )
    return result


def _judged(histories: Sequence[str], *, generated: datetime) -> Document:
    judgements, lanes = [], []
    for path in histories:
        judgement, cases = examine(read_history(path), profiles=profile, ticks=ticks)
        judgements.append(judgement)
        lanes.append(timeline(judgement, cases, ticks=ticks))
    return document(judgements, histories=histories, generated=generated, timelines=lanes)


def _short(check: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A check without its evidence, which is in the report."""
    return {name: check[name] for name in ("volume", "check", "verdict", "summary", "advice", "known_issue")}


def _stats(report: Document, result: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The few figures that a workflow's next step can use; small whatever the size of the run."""
    verdicts = [check["verdict"] for check in result["checks"]]
    failed = [f"{check['volume']}: {check['check']}" for check in result["checks"] if check["verdict"] == "fail"]
    return {
        "longhorn_qa_verdict": report["verdict"],
        "longhorn_qa_releases": sorted({run_["release"] for run_ in report["runs"]}),
        "longhorn_qa_volumes": sum(len(run_["cells"]) for run_ in report["runs"]),
        "longhorn_qa_checks": {word: verdicts.count(word) for word in ("pass", "fail", "inconclusive")},
        "longhorn_qa_failed": failed[:_NAMED],
        "longhorn_qa_report": str(result.get("html") or result.get("report") or ""),
    }


def _advice(report: Document) -> str:
    reasons = [run_["reason"] for run_ in report["runs"] if run_["reason"]]
    return (reasons[0] + ".") if reasons else "Read the table of checks for the reasons."


def _written(folder: Path, report: Document, params: Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    formats = params["formats"]
    before = {name: report_files.read(folder, FILES[name]) for name in FILES if name in formats}
    report = _same_moment(report, before.get("json"))
    after = {name: _text(name, report, params) for name in before}
    different = {name for name in after if after[name] != before[name]}
    if different and not check_mode:
        report_files.write(folder, {FILES[name]: after[name] for name in after if name in different})
    paths = {"report" if name == "json" else name: str(folder / FILES[name]) for name in after}
    return {**paths, "changed": bool(different), "diff": _diff(folder, before, after)}


def _same_moment(report: Document, before: str | None) -> Document:
    """A report that says the same as the one that is there was made when that one was."""
    if before is None:
        return report
    try:
        generated = json.loads(before)["generated"]
    except (ValueError, KeyError, TypeError):
        return report
    older = {**report, "generated": generated}
    return older if isinstance(generated, str) and _json(older) == before else report


def _text(name: str, report: Document, params: Mapping[str, t.Any]) -> str:
    if name == "json":
        return _json(report)
    if name == "junit":
        return junit(report, inconclusive=params.get("junit_inconclusive", "error"))
    if name == "text":
        return "\n".join(table(report)) + "\n"
    return {"html": page, "markdown": markdown, "prometheus": prometheus}[name](report)


def _json(report: Document) -> str:
    marks = sum(len(cell["marks"]) for run_ in report["runs"] if run_["timeline"] for cell in run_["timeline"]["cells"])
    return json.dumps(report, indent=None if marks > _LARGE else 2, ensure_ascii=True) + "\n"


def _diff(folder: Path, before: Mapping[str, str | None], after: Mapping[str, str]) -> list[dict[str, str]]:
    """The table's lines tell what changed; the other files say the same at length."""
    if "text" not in after or before["text"] == after["text"]:
        return []
    path = str(folder / FILES["text"])
    return [
        {"before": before["text"] or "", "after": after["text"], "before_header": path, "after_header": path},
    ]
