# SPDX-License-Identifier: GPL-3.0-or-later
"""Was the fault really there? A run whose deletions were never tried, or never failed, proves nothing."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.counts import error_of
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import CleanUp, clean_ups, kind_of
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
    not_applicable,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import faults

ID = "fault-live"


def check(case: Case) -> CheckVerdict:
    """Per kind of deletion: expected to fail, all of them failed; not expected to, all of them succeeded."""
    volume, expected = case.cell.volume, case.cell.faults
    if expected is None:
        return not_applicable(ID, volume, "nobody stated which deletions should fail")
    finding = Finding()
    if case.profile is None:
        finding.unclear(case.profile_problem, advice=grounds.advice_for("release"))
        return conclude(finding, check=ID, volume=volume)
    grounds.require_watched(finding, case, "jobs", "pods")
    grounds.require_invocations(finding, case)
    for fault in sorted({*case.profile.deletion_runs_with, *expected}, reverse=True):
        items = [item for item in clean_ups(case, fault) if item.due]
        if fault in expected:
            _expect_failure(finding, case, fault, items)
        else:
            _expect_success(finding, case, fault, items)
    return conclude(finding, check=ID, volume=volume)


def _expect_failure(finding: Finding, case: Case, fault: Fault, items: list[CleanUp]) -> None:
    if not items:
        finding.unclear(
            f"{fault} was never due: no judged Job went over retain {case.cell.retain}", advice=_longer(fault)
        )
        return
    for item in items:
        finding.evidence.extend(item.failed)
    succeeded = [item for item in items if item.done]
    if succeeded:
        text = f"{fault} succeeded in {_jobs(succeeded)}, so the fault was not live"
        finding.unclear(text, *_all(item.done for item in succeeded), advice=_advice(case, fault))
    asked = [item for item in items if item.asked and not item.failed and not item.done]
    if asked:
        text = f"{fault} was asked for by {_jobs(asked)}; whether it failed is not known"
        finding.unclear(text, *_all(item.asked for item in asked), advice=grounds.advice_for("manager log"))
    for item in items:
        if not (item.failed or item.done or item.asked):
            _not_tried(finding, case, item)
    failed = sum(bool(item.failed) for item in items)
    finding.right.append(f"{fault} was tried and failed in {failed} of {len(items)} Jobs over retain")


def _not_tried(finding: Finding, case: Case, item: CleanUp) -> None:
    remark = case.profile.remark if case.profile is not None else ""
    advice = grounds.advice_for("logs") if item.blind else _advice(case, item.fault)
    why = item.blind[0] if item.blind else remark or "its log shows no attempt"
    text = f"{item.fault} in Job {item.invocation.name} is not known to have been tried: {why}"
    finding.unclear(text, item.invocation.evidence, advice=advice)


def _expect_success(finding: Finding, case: Case, fault: Fault, items: list[CleanUp]) -> None:
    if not items:
        before = _failing_before(case, fault)
        if before:
            finding.right.append(f"{fault} was never reached: {before} comes first, and failed")
        else:
            finding.unclear(f"{fault} was never due, so nothing shows that clean-up works", advice=_longer(fault))
        return
    for item in items:
        if item.failed:
            name = item.invocation.name
            finding.bad(f"{fault} failed in Job {name}, where nothing should fail", *item.failed)
        elif item.done:
            finding.evidence.extend(item.done)
        elif item.asked and not item.blind and item is items[-1] and any(other.done for other in items):
            finding.right.append(f"the last {fault} was asked for, and not done when the record ended")
        else:
            _not_known_to_succeed(finding, case, item)
    finding.right.append(f"{fault} succeeded in {len(items)} Jobs over retain, as it should here")


def _not_known_to_succeed(finding: Finding, case: Case, item: CleanUp) -> None:
    remark = case.profile.remark if case.profile is not None else ""
    why = item.blind[0] if item.blind else remark or "its log does not say so"
    advice = grounds.advice_for("release" if remark else "manager log" if item.asked else "logs")
    if item.asked and not item.blind and kind_of(item.fault) + "s" in case.index.watched:
        why, advice = "it was not done when the record ended", "Record a little longer after the last Job."
    text = f"that {item.fault} succeeded in Job {item.invocation.name} is not known: {why}"
    finding.unclear(text, *item.asked, advice=advice)


def _failing_before(case: Case, fault: Fault) -> Fault | None:
    """The deletion that was to fail, and did, so that this one's turn never came."""
    expected = case.cell.faults or ()
    if fault == "backup-delete" and "snapshot-delete" in expected:
        failed = [item for item in clean_ups(case, "snapshot-delete") if item.failed and not item.invocation.backups]
        ended = any(item.fatal or error_of(case, item.invocation) for item in failed)
        return "snapshot-delete" if ended else None
    if fault == "snapshot-delete" and "backup-delete" in expected and case.profile and case.profile.snapshots_last:
        return "backup-delete" if any(item.warned for item in clean_ups(case, "backup-delete")) else None
    return None


def _jobs(items: list[CleanUp]) -> str:
    return grounds.jobs([item.invocation for item in items])


def _all(evidence: Iterable[list[Evidence]]) -> list[Evidence]:
    return [item for part in evidence for item in part]


def _longer(fault: Fault) -> str:
    return f"Record more invocations than retain, so that a {kind_of(fault)} has to be deleted."


def _advice(case: Case, fault: Fault) -> str:
    profile = case.profile
    if profile is None or profile.remark:
        return grounds.advice_for("release")
    by_image = case.cell.fault_type == "engine-image"
    if by_image and profile.needs_default_engine_image(fault):
        if fault in case.index.subjects.default_engine_faults:
            return "The default engine image was stated to fail this deletion: check that it really does."
        return (
            f"Longhorn {profile.release} does {fault} with the default engine image; the volume's own never sees it: "
            "make the failing image the default engine image too (best_effort_cleanup_default_engine_image)."
        )
    if not grounds.may_fail(case, fault):
        works = " or ".join(faults.working(profile.release, fault, task=case.cell.task)) or "nothing known"
        return f"{case.cell.fault_type} does not make {fault} fail on Longhorn {profile.release}; {works} does."
    if by_image:
        return "Check that the volume runs the failing engine image."
    return f"Check that the fault {case.cell.fault_type} is in place."
