# SPDX-License-Identifier: GPL-3.0-or-later
"""Exactly one snapshot per invocation, over all its attempts, killed ones too."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.counts import count, surplus
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict, Finding, conclude

ID = "one-snapshot-per-invocation"


def check(case: Case) -> CheckVerdict:
    """The engine's status is sampled, so a pass needs the engine's log, which has a line for each snapshot made."""
    finding = Finding()
    grounds.require_watched(finding, case, "jobs")
    grounds.require_invocations(finding, case)
    grounds.require_snapshot_sources(finding, case)
    complete = not finding.unknown
    for item in count(case, "snapshot"):
        if item.state == "one":
            finding.evidence.extend(item.evidence)
        elif item.state == "more" or (item.state == "none" and complete):
            finding.bad(item.text, *item.evidence)
        elif item.state == "skipped":
            finding.right.append(item.text)
        else:
            finding.unclear(item.text, *item.evidence, advice=grounds.advice_for("engine log"))
    extra = surplus(case, "snapshot")
    for artefact in extra:
        names = ", ".join(case.invocations[place].name for place in artefact.candidates)
        finding.bad(f"snapshot {artefact.name} is one too many; it was made by one of {names}", *artefact.evidence)
    for artefact in case.loose:
        if artefact.kind == "snapshot" and artefact not in extra:
            finding.unclear(f"which Job made snapshot {artefact.name} is not known", *artefact.evidence)
    if case.judged:
        finding.right.append(
            f"each of {len(case.judged)} Jobs made exactly one snapshot, by the engine's status and the engine's log"
        )
    grounds.note_cut(finding, case)
    return conclude(finding, check=ID, volume=case.cell.volume)
