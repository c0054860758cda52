# SPDX-License-Identifier: GPL-3.0-or-later
"""Was the fault really there? A run whose deletions were never tried, or never failed, proves nothing."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import CleanUp, clean_ups, kind_of
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
    not_applicable,
)

ID = "fault-live"


def check(case: Case) -> CheckVerdict:
    """Per kind of deletion: expected to fail, all of them failed; not expected to, all of them succeeded."""
    volume, faults = case.cell.volume, case.cell.faults
    if faults is None:
        return not_applicable(ID, volume, "nobody stated which deletions should fail")
    finding = Finding()
    if case.profile is None:
        finding.unclear(case.profile_problem, advice=grounds.advice_for("release"))
        return conclude(finding, check=ID, volume=volume)
    grounds.require_watched(finding, case, "jobs", "pods")
    grounds.require_invocations(finding, case)
    for fault in sorted({*case.profile.deletion_runs_with, *faults}, reverse=True):
        items = [item for item in clean_ups(case, fault) if item.due]
        if fault in faults:
            _expect_failure(finding, case, fault, items)
        else:
            _expect_success(finding, fault, items, remark=case.profile.remark)
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


def _expect_success(finding: Finding, fault: Fault, items: list[CleanUp], *, remark: str) -> None:
    if not items:
        finding.unclear(f"{fault} was never due, so nothing shows that clean-up works", advice=_longer(fault))
        return
    for item in items:
        name = item.invocation.name
        if item.failed:
            finding.bad(f"{fault} failed in Job {name}, where nothing should fail", *item.failed)
        elif item.done:
            finding.evidence.extend(item.done)
        else:
            why = item.blind[0] if item.blind else remark or "its log does not say so"
            advice = grounds.advice_for("release" if remark else "manager log" if item.asked else "logs")
            finding.unclear(f"that {fault} succeeded in Job {name} is not known: {why}", *item.asked, advice=advice)
    finding.right.append(f"{fault} succeeded in {len(items)} Jobs over retain, as it should here")


def _jobs(items: list[CleanUp]) -> str:
    return grounds.jobs([item.invocation for item in items])


def _all(evidence: Iterable[list[Evidence]]) -> list[Evidence]:
    return [item for part in evidence for item in part]


def _longer(fault: Fault) -> str:
    return f"Record more invocations than retain, so that a {kind_of(fault)} has to be deleted."


def _advice(case: Case, fault: Fault) -> str:
    profile = case.profile
    if profile is not None and profile.remark:
        return grounds.advice_for("release")
    if profile is not None and profile.needs_default_engine_image(fault):
        if fault in case.index.subjects.default_engine_faults:
            return "The default engine image was stated to fail this deletion: check that it really does."
        return (
            f"Longhorn {profile.release} does {fault} with the default engine image; the volume's own never sees it: "
            "make the failing image the default engine image too (best_effort_cleanup_default_engine_image)."
        )
    return "Check that the volume runs the failing engine image."
