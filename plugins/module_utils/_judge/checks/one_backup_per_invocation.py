# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup task: exactly one backup per invocation, of that invocation's snapshot. Any other task: none."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Artefact, Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.counts import Count, count, surplus
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import log_problems
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
)

ID = "one-backup-per-invocation"

_SEEN_BY = {
    "engines": "by the Jobs' logs, the engine's status and the store",
    "backups": "by Longhorn's own objects",
}


def check(case: Case) -> CheckVerdict:
    finding = Finding()
    grounds.require_watched(finding, case, "jobs")
    grounds.require_invocations(finding, case)
    if case.cell.makes_backups:
        _exactly_one(finding, case)
    else:
        _none(finding, case)
    grounds.note_cut(finding, case)
    return conclude(finding, check=ID, volume=case.cell.volume)


def _none(finding: Finding, case: Case) -> None:
    for artefact in case.artefacts("backup"):
        if artefact.maybe_older:
            finding.unclear(f"backup {artefact.name} may be older than the run", *artefact.evidence)
        else:
            finding.bad(f"task {case.cell.task} made backup {artefact.name}", *artefact.evidence)
    listings = [store for store in case.index.stores if not store.error]
    kind = grounds.backup_kind(case)
    if not listings and case.lacks(kind):
        api = "the engine's status" if kind == "engines" else "Longhorn's objects"
        finding.unclear(f"neither {api} nor the store was seen", advice=grounds.advice_for(kind))
    elif case.judged:
        finding.right.append(f"{len(case.judged)} Jobs of task {case.cell.task} made no backup")
        finding.evidence.extend(Evidence("store listing", f"record {store.number}") for store in listings[-1:])
        for fact in case.index.engines.get(case.cell.volume, [])[-1:]:
            where = f"resourceVersion {fact.meta.version}"
            finding.evidence.append(Evidence(f"engines/{fact.meta.name}", where, f"{len(fact.backups)} backups"))


def _exactly_one(finding: Finding, case: Case) -> None:
    counts = count(case, "backup")
    for item in counts:
        _one(finding, case, item)
    grounds.require_watched(finding, case, "pods", grounds.backup_kind(case))
    extra = surplus(case, "backup")
    for artefact in extra:
        names = ", ".join(case.invocations[place].name for place in artefact.candidates)
        finding.bad(f"backup {artefact.name} is one too many; it was made by one of {names}", *artefact.evidence)
    for artefact in case.loose:
        if artefact.kind == "backup" and artefact not in extra:
            finding.unclear(f"which Job made backup {artefact.name} is not known", *artefact.evidence)
    ones = sum(item.state == "one" for item in counts)
    if ones:
        which = f"each of {ones}" if ones == len(counts) else f"{ones} of {len(counts)}"
        sources = _SEEN_BY[grounds.backup_kind(case)]
        finding.right.append(f"{which} Jobs made exactly one backup, of its own snapshot, {sources}")


def _one(finding: Finding, case: Case, item: Count) -> None:
    invocation = item.invocation
    problems = log_problems(invocation)
    kind = grounds.backup_kind(case)
    whole = not problems and not case.lacks("jobs", "pods", kind)
    if item.state == "one":
        finding.evidence.extend(item.evidence)
        _of_own_snapshot(finding, case, invocation, item.artefacts[0])
    elif item.state == "more" or (item.state == "none" and whole):
        finding.bad(item.text, *item.evidence)
    elif item.state in ("skipped", "refused"):
        finding.good(item.text, *item.evidence)
    else:
        finding.unclear(item.text, *item.evidence, advice=grounds.advice_for("logs"))
    if kind == "backups" and item.state in ("one", "refused") and not case.lacks("jobs", kind):
        return  # objects tell of every backup; what else a log may hold does not matter
    for problem in problems:
        finding.unclear(problem, invocation.evidence, advice=grounds.advice_for("logs"))


def _of_own_snapshot(finding: Finding, case: Case, invocation: Invocation, backup: Artefact) -> None:
    own = {item.name for item in invocation.snapshots}
    others = {
        item.name: other.name for other in case.invocations for item in other.snapshots if other is not invocation
    }
    if not backup.snapshot:
        finding.unclear(
            f"of which snapshot backup {backup.name} was made is not known",
            *backup.evidence,
            advice=grounds.advice_for("engines"),
        )
    elif backup.snapshot in own:
        return
    elif backup.snapshot in others:
        made_by = others[backup.snapshot]
        text = f"backup {backup.name} of Job {invocation.name} is of snapshot {backup.snapshot}, made by Job {made_by}"
        finding.bad(text, *backup.evidence)
    else:
        finding.unclear(
            f"snapshot {backup.snapshot} of backup {backup.name} was never seen",
            *backup.evidence,
            advice=grounds.advice_for("engines"),
        )
