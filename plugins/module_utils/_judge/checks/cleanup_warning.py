# SPDX-License-Identifier: GPL-3.0-or-later
"""A failing clean-up is said out loud: the release's own warning, in every invocation over retain."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import CleanUp, clean_ups
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import evidence_path
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
    not_applicable,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile

ID = "cleanup-warning"


def check(case: Case) -> CheckVerdict:
    """Parsed fields are matched, at the start of the message: other lines quote the same words."""
    volume, faults = case.cell.volume, case.cell.faults
    if faults is None:
        return not_applicable(ID, volume, _unstated(case))
    finding = Finding()
    if case.profile is None:
        finding.unclear(case.profile_problem, advice=grounds.advice_for("release"))
        return conclude(finding, check=ID, volume=volume)
    grounds.require_watched(finding, case, "jobs", "pods")
    grounds.require_invocations(finding, case)
    for fault in sorted({*case.profile.deletion_runs_with, *faults}, reverse=True):
        items = clean_ups(case, fault)
        if fault in faults:
            _expect_warning(finding, case, case.profile, fault, items)
        else:
            _expect_silence(finding, fault, items)
    return conclude(finding, check=ID, volume=volume)


def _unstated(case: Case) -> str:
    """Nothing is expected; that clean-ups failed, as far as the logs still tell, is worth knowing all the same."""
    said = ["nobody stated which deletions should fail"]
    for fault in sorted(case.profile.deletion_runs_with if case.profile is not None else (), reverse=True):
        failed = [item.invocation for item in clean_ups(case, fault) if item.failed]
        if failed:
            said.append(f"{fault} failed in {grounds.jobs(failed)}")
    return "; ".join(said)


def _expect_warning(finding: Finding, case: Case, profile: Profile, fault: Fault, items: list[CleanUp]) -> None:
    due = [item for item in items if item.due]
    if not due:
        finding.unclear(f"no {fault} was due, so no warning was", advice="Record more invocations than retain.")
        return
    live = grounds.may_fail(case, fault)
    lacking = case.lacks("jobs", "pods")
    for item in due:
        _one(finding, item, live=live, last=item is due[-1], blind=[*item.blind, *lacking], remark=profile.remark)
    succeeded = [item for item in due if item.done and not item.failed]
    if succeeded:
        text = f"{fault} succeeded in {grounds.jobs([item.invocation for item in succeeded])}: nothing to warn about"
        advice = "Make the deletion fail: see the check fault-live."
        finding.unclear(text, *(where for item in succeeded for where in item.done), advice=advice)
    finding.right.append(
        f"{sum(bool(item.warned) for item in due)} of {len(due)} Jobs over retain have the {fault} warning"
    )


def _one(finding: Finding, item: CleanUp, *, live: bool, last: bool, blind: list[str], remark: str) -> None:
    name, fault = item.invocation.name, item.fault
    if item.warned:
        finding.evidence.extend(item.warned[:2])
    elif item.fatal:
        finding.bad(f"Job {name} has no {fault} warning; the failure ended the attempt", *item.fatal)
    elif item.stuck:
        _unsaid(finding, item)
    elif item.done:
        return  # told once for all Jobs
    elif blind or remark:
        why = blind[0] if blind else remark
        finding.unclear(
            f"whether Job {name} has a {fault} warning is not known: {why}",
            advice=grounds.advice_for("logs" if blind else "release"),
        )
    elif not live or (item.asked and last):
        text = f"{fault} of Job {name} is not known to have failed, so no warning could be due"
        finding.unclear(text, *item.asked, advice=grounds.advice_for("manager log"))
    else:
        finding.bad(f"Job {name} went over retain and has no {fault} warning", item.invocation.evidence, *item.asked)


def _unsaid(finding: Finding, item: CleanUp) -> None:
    """Nobody need say it in the job's log, for the job does not know; the manager has to, or the object."""
    text = f"{item.fault} of Job {item.invocation.name} did not happen"
    if item.unheard:
        why = f"whether anybody says that {text} is not known: {item.unheard[0]}"
        finding.unclear(why, *item.stuck, advice=grounds.advice_for("manager log"))
    else:
        finding.bad(f"{text}, and neither the manager nor the object says so", *item.stuck)


def _read(invocation: Invocation) -> list[Evidence]:
    """The logs that were looked through."""
    logs = [attempt.log for attempt in invocation.attempts if attempt.log is not None]
    return [Evidence(evidence_path(log), f"{len(log.lines)} lines") for log in logs]


def _expect_silence(finding: Finding, fault: Fault, items: list[CleanUp]) -> None:
    for item in items:
        finding.evidence.extend(_read(item.invocation))
        if item.warned:
            finding.bad(f"Job {item.invocation.name} has a {fault} warning, where nothing should fail", *item.warned)
        elif item.due and item.blind:
            why = f"whether Job {item.invocation.name} has a {fault} warning is not known: {item.blind[0]}"
            finding.unclear(why, advice=grounds.advice_for("logs"))
    if items:
        finding.right.append(f"no {fault} warning in {len(items)} Jobs, as it should be here")
