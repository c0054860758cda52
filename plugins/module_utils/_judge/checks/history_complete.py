# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing was missed that another check depends on, and every attempt's log is there to its end."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Gap
from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import log_problems
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import LogFile
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
)

ID = "history-complete"

KINDS = ("cronjobs", "jobs", "pods", "events", "engines")  # and those of Longhorn's own that the release has


def check(case: Case) -> CheckVerdict:
    """A history that contradicts itself fails; one with holes is inconclusive, and so is any that others collected."""
    finding = Finding()
    index = case.index
    if index.origin == "dump":
        finding.unclear(
            "what a foreign dump leaves out cannot be seen",
            advice="Record the run with job_record to have this proven.",
        )
    grounds.require_watched(finding, case, *_kinds(case))
    for problem in index.history.damage:
        finding.unclear(f"damaged file: {problem}")
    if index.hole:
        finding.bad(index.hole)
    _gaps(finding, case)
    _logs(finding, case)
    if index.ended is None:
        finding.unclear("the record has no end: the recorder was cut off")
    finding.right.append(f"{index.records} records without a hole, and the log of every attempt to its end")
    return conclude(finding, check=ID, volume=case.cell.volume)


def _kinds(case: Case) -> tuple[str, ...]:
    return KINDS + (case.profile.kinds if case.profile is not None else ())


def _gaps(finding: Finding, case: Case) -> None:
    pods = {pod.meta.name for item in case.judged for pod in item.pods}
    for kind, gaps in sorted(case.index.gaps.items()):
        for gap in gaps:
            if kind in _kinds(case) or (kind == "store" and not case.cell.makes_backups):
                continue
            if kind == "logs" and gap.subject and gap.subject not in pods and not _service(gap):
                continue
            finding.unclear(
                f"gap in {kind}: {gap.reason}", Evidence(f"gap in {kind}", f"record {gap.number}", gap.subject)
            )


def _service(gap: Gap) -> bool:
    return gap.subject.startswith(("longhorn-manager-", "instance-manager-"))


def _logs(finding: Finding, case: Case) -> None:
    for invocation in case.judged:
        for attempt in invocation.attempts:
            log = attempt.log
            if log is not None and log.closed and log.complete and case.index.origin == "recorder":
                _as_recorded(finding, log)
        for problem in log_problems(invocation):
            finding.unclear(problem, invocation.evidence, advice=grounds.advice_for("logs"))
    services = [*case.index.manager_logs, *case.index.engine_logs]
    for log in services:
        if log.problem:
            finding.unclear(f"the log {log.path}: {log.problem}")


def _as_recorded(finding: Finding, log: LogFile) -> None:
    if log.held != log.size:
        size = "missing" if log.held is None else f"{log.held} bytes long"
        wrong = f"was recorded whole, but its file is {size}"
    elif not log.files:
        wrong = "holds only the error of the tool that read it"
    else:
        return
    where = Evidence(log.path, f"record {log.closed}", f"closed at {log.size} bytes")
    finding.bad(f"the log of pod {log.pod} {wrong}", where)
