# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly one snapshot per invocation, over all its attempts, killed ones too; none by a task that makes none."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.counts import Count, count, surplus
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict, Finding, conclude

ID = "one-snapshot-per-invocation"

_SEEN_BY = {
    "engine log": "by the engine's status and the engine's log",
    "job log": "by the Jobs' logs, the engine's status and Longhorn's objects",
    "objects": "by Longhorn's own objects",
}


def check(case: Case) -> CheckVerdict:
    """The engine's status is sampled, so a pass needs what shows every snapshot on this release."""
    finding = Finding()
    grounds.require_watched(finding, case, "jobs")
    grounds.require_invocations(finding, case)
    grounds.require_snapshot_sources(finding, case)
    if case.cell.makes_snapshots:
        _exactly_one(finding, case)
    else:
        _none(finding, case)
    grounds.note_cut(finding, case)
    return conclude(finding, check=ID, volume=case.cell.volume)


def _exactly_one(finding: Finding, case: Case) -> None:
    complete = not finding.unknown
    counts = count(case, "snapshot")
    for item in counts:
        _one(finding, item, complete=complete)
    extra = surplus(case, "snapshot")
    for artefact in extra:
        names = ", ".join(case.invocations[place].name for place in artefact.candidates)
        finding.bad(f"snapshot {artefact.name} is one too many; it was made by one of {names}", *artefact.evidence)
    for artefact in case.loose:
        if artefact.kind == "snapshot" and artefact not in extra:
            finding.unclear(f"which Job made snapshot {artefact.name} is not known", *artefact.evidence)
    ones = sum(item.state == "one" for item in counts)
    if ones:
        which = f"each of {ones}" if ones == len(counts) else f"{ones} of {len(counts)}"
        finding.right.append(f"{which} Jobs made exactly one snapshot, {_SEEN_BY[grounds.snapshot_source(case)]}")


def _one(finding: Finding, item: Count, *, complete: bool) -> None:
    if item.state == "one":
        finding.evidence.extend(item.evidence)
    elif item.state == "more" or (item.state == "none" and complete):
        finding.bad(item.text, *item.evidence)
    elif item.state in ("skipped", "refused"):
        finding.good(item.text, *item.evidence)
    else:
        finding.unclear(item.text, *item.evidence, advice=grounds.advice_for("engine log"))


def _none(finding: Finding, case: Case) -> None:
    for artefact in case.artefacts("snapshot"):
        if artefact.maybe_older:
            finding.unclear(f"snapshot {artefact.name} may be older than the run", *artefact.evidence)
        else:
            finding.bad(f"task {case.cell.task} made snapshot {artefact.name}", *artefact.evidence)
    if case.judged:
        finding.right.append(f"{len(case.judged)} Jobs of task {case.cell.task} made no snapshot")
        finding.evidence.extend(item.evidence for item in case.judged)
