# SPDX-License-Identifier: GPL-3.0-or-later
"""A failing clean-up must not fail the Job, and a Job that could not do its work must not look as if it had."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.counts import errors_of, lacks, swallowed
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import log_problems
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict, Finding, conclude

ID = "job-succeeded"


def check(case: Case) -> CheckVerdict:
    """Conditions decide: ``status.failed`` is often absent on a Job that failed."""
    finding = Finding()
    grounds.require_watched(finding, case, "jobs")
    grounds.require_invocations(finding, case)
    for invocation in case.judged:
        last = invocation.seen.last
        if last.failed:
            finding.bad(f"Job {invocation.name} is Failed ({last.reason or 'no reason given'})", invocation.evidence)
        elif last.complete:
            _complete(finding, case, invocation)
        else:
            finding.unclear(
                f"Job {invocation.name} was deleted before it ended, while its CronJob lived", invocation.evidence
            )
    _unfinished(finding, case)
    complete = sum(item.seen.last.complete for item in case.judged)
    if complete:
        finding.right.append(f"{complete} Jobs are Complete, none Failed")
    grounds.note_cut(finding, case)
    return conclude(finding, check=ID, volume=case.cell.volume)


def _unfinished(finding: Finding, case: Case) -> None:
    """What ends because enough was seen may cut the next Job; what ends for lack of time has waited in vain."""
    ended = case.index.ended
    if ended is None or ended.reason not in ("deadline", "interrupted"):
        return
    for item in case.invocations:
        if item.seen.over is None and item.seen.deleted is None:
            text = f"Job {item.name} was still running when the record ended ({ended.reason})"
            finding.unclear(text, item.evidence, advice="Record until it is over, or find out why it is not.")


def _complete(finding: Finding, case: Case, invocation: Invocation) -> None:
    """Right, unless its own log says that it failed, and something that it was to make is not there."""
    finding.evidence.append(invocation.evidence)
    error = swallowed(case, invocation)
    if error is not None:
        kind, where = error
        text = f"Job {invocation.name} is Complete although it failed: it made no {kind} of volume {case.cell.volume}"
        finding.bad(text, where, invocation.evidence)
    elif lacks(case, invocation) and errors_of(case):
        for problem in log_problems(invocation):
            text = f"whether Job {invocation.name} says that it failed is not known: {problem}"
            finding.unclear(text, invocation.evidence, advice=grounds.advice_for("logs"))
