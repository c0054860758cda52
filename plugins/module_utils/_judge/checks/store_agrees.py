# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs, Longhorn's API and the store itself name the same backups."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Artefact, Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import log_problems, removed, removed_by
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Finding,
    conclude,
    not_applicable,
)

ID = "store-agrees"


def check(case: Case) -> CheckVerdict:
    """What one of the three lacks is wrong only where that one was looked at in time and whole."""
    if not case.cell.makes_backups:
        return not_applicable(ID, case.cell.volume, f"task {case.cell.task} writes nothing to the store")
    finding = Finding()
    grounds.require_watched(finding, case, "jobs", "pods", grounds.backup_kind(case))
    grounds.require_invocations(finding, case)
    listings = _listings(finding, case)
    for invocation in case.judged:
        for problem in log_problems(invocation):
            finding.unclear(problem, invocation.evidence, advice=grounds.advice_for("logs"))
        for artefact in invocation.backups:
            _one(finding, case, invocation, artefact, listings)
    for artefact in case.loose:
        if artefact.kind == "backup":
            _loose(finding, case, artefact)
    made = [artefact for item in case.judged for artefact in item.backups]
    unsaid = [artefact for artefact in made if "job" not in artefact.sources]
    if made:
        finding.right.append(f"{len(made) - len(unsaid)} backups are named by Jobs, API and store alike")
    if unsaid:
        finding.right.append(f"{len(unsaid)} by API and store: the attempt was ended before it could name its own")
    if not made and case.judged:
        finding.unclear("no backup was made, so there is nothing to compare")
    grounds.note_cut(finding, case)
    return conclude(finding, check=ID, volume=case.cell.volume)


def _listings(finding: Finding, case: Case) -> list[model.Store]:
    listings = [store for store in case.index.stores if not store.error]
    if not listings:
        error = next((store.error for store in case.index.stores if store.error), "")
        why = f"the store could not be listed: {error}" if error else "the store was not listed"
        finding.unclear(why, advice=grounds.advice_for("store"))
    for gap in case.index.gaps.get("store", []):
        finding.unclear(f"store: {gap.reason}", advice=grounds.advice_for("store"))
    return listings


def _one(finding: Finding, case: Case, invocation: Invocation, artefact: Artefact, listings: list[model.Store]) -> None:
    evidence = artefact.evidence[:3]
    name = f"backup {artefact.name} of Job {invocation.name}"
    finding.evidence.extend(evidence)
    if case.profile is None:
        finding.unclear(case.profile_problem, advice=grounds.advice_for("release"))
    elif "job" not in artefact.sources and not log_problems(invocation) and not _ended_from_outside(invocation):
        text = f"{name} is not named in the Job's log"
        if case.profile.remark:
            finding.unclear(f"{text}: {case.profile.remark}", *evidence, advice=grounds.advice_for("release"))
        else:
            finding.bad(text, *evidence)
    kind = grounds.backup_kind(case)
    if "api" not in artefact.sources and not case.lacks("jobs", kind):
        where = "engine.status.backupStatus" if kind == "engines" else "backups.longhorn.io"
        if kind == "engines" and not grounds.settled(case, invocation):
            text = f"{name} was not yet known to the API ({where}) when the record ended"
            finding.unclear(text, *evidence, advice=grounds.advice_for(kind))
        else:
            finding.bad(f"{name} is unknown to the API ({where})", *evidence)
    if artefact.name in removed_by(case, invocation):
        return  # by a later attempt of its own Job, before anybody listed the store
    if "store" not in artefact.sources and listings:
        whole = not (case.lacks("jobs") or log_problems(invocation))
        if whole and _listed_after(case, invocation, artefact, listings):
            finding.bad(f"{name} is in no listing of the store", *evidence)
        else:
            finding.unclear(f"{name}: the store was not listed after it", *evidence, advice=grounds.advice_for("store"))


def _ended_from_outside(invocation: Invocation) -> bool:
    """Whether an attempt was killed: it may have begun a backup and had no time to say so."""
    return any(attempt.exit_code not in (None, 0, 1) for attempt in invocation.attempts)


def _listed_after(case: Case, invocation: Invocation, artefact: Artefact, listings: list[model.Store]) -> bool:
    """Whether the store was listed while the Job's backup had to be there: after it, before a later Job's clean-up."""
    later = case.invocations[invocation.position + 1 :]
    if case.index.origin == "recorder":
        start = invocation.seen.over_record
        stop = later[0].seen.added_record if later else None
        return any(store.number > start and (stop is None or store.number < stop) for store in listings)
    # A dump's listings have no place among the objects; what else a listing holds tells when it was made.
    if artefact.name in removed(case) or any(log_problems(item) for item in later):
        return False
    next_one = {item.name for item in later[0].backups} if later else set()
    return any(next_one & {backup.name for backup in store.backups} for store in listings)


def _loose(finding: Finding, case: Case, artefact: Artefact) -> None:
    if artefact.maybe_older:
        finding.unclear(f"backup {artefact.name} may be older than the run", *artefact.evidence)
    elif "api" not in artefact.sources and "job" not in artefact.sources:
        unseen = case.lacks("jobs", grounds.backup_kind(case))
        problems = [problem for item in case.invocations for problem in log_problems(item)]
        if unseen or problems:
            why = (unseen or problems)[0]
            finding.unclear(f"backup {artefact.name} is known to the store only, but {why}", *artefact.evidence)
        else:
            finding.bad(
                f"backup {artefact.name} is in the store, but neither a Job nor the API knows it", *artefact.evidence
            )
    else:
        finding.unclear(f"which Job made backup {artefact.name} is not known", *artefact.evidence)
