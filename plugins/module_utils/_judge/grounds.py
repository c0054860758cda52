# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pass must rest on: sources seen whole, and invocations to judge. Says what would make a doubt go away."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Finding

_ADVICE = {
    "logs": "Keep the logs of every attempt (job_record follows them from the pod's creation).",
    "store": "Give the recorder access to the backup store, or add its listing to the dump.",
    "engine log": "Keep the log of every instance-manager-e pod: it has one line for each snapshot made.",
    "manager log": "Keep the logs of all longhorn-manager pods.",
    "release": "State the release with longhorn_release.",
}


def advice_for(kind: str) -> str:
    """What would have made this kind of evidence conclusive."""
    return (
        _ADVICE.get(kind) or f"Record the run with job_record, or add `kubectl get {kind} --watch -o json` to the dump."
    )


def require_watched(finding: Finding, case: Case, *kinds: str) -> None:
    """A pass needs these kinds to have been watched without a hole."""
    for kind in kinds:
        for reason in case.lacks(kind):
            finding.unclear(reason, advice=advice_for(kind))


def require_invocations(finding: Finding, case: Case) -> None:
    """A pass needs something that was judged, and none that was deleted under the judge's eyes."""
    if case.judged:
        return
    cut = [item for item in case.invocations if item.cut]
    if cut:
        finding.unclear(
            f"all {len(cut)} invocations are cut: {cut[0].cut}", advice="Record until invocations are over."
        )
    else:
        finding.unclear(
            f"no Job of CronJob {case.cell.cronjob} was seen", advice="Record longer than one interval of the schedule."
        )


def require_snapshot_sources(finding: Finding, case: Case) -> None:
    """Counting snapshots needs the engine's status for the order and the engine's log for those it never showed."""
    require_watched(finding, case, "engines")
    advice = advice_for("engine log")
    if not case.index.engine_logs:
        finding.unclear("no instance-manager-e log: snapshots that lived shortly may have been missed", advice=advice)
    for log in case.index.engine_logs:
        if log.problem:
            finding.unclear(f"the engine's log {log.path}: {log.problem}", advice=advice)
    for stray in case.index.stray_snapshots:
        if stray.job in ("", case.cell.job):
            finding.unclear(
                f"{stray.path} line {stray.line}: snapshot {stray.name} of an unknown volume", advice=advice
            )
    logged = {item.name for item in case.index.engine_snapshots.get(case.cell.volume, [])}
    shown = [item for item in case.artefacts("snapshot") if "api" in item.sources and item.name not in logged]
    if case.index.engine_logs:
        for artefact in shown:
            finding.unclear(
                f"snapshot {artefact.name} is not in the engine's log, so the log is not whole",
                *artefact.evidence,
                advice=advice,
            )


def jobs(invocations: Sequence[Invocation]) -> str:
    """Several Jobs by name, or the first and the last of many."""
    names = [item.name for item in invocations]
    if len(names) == 1:
        return f"Job {names[0]}"
    return f"Jobs {', '.join(names)}" if len(names) <= 2 else f"{len(names)} Jobs ({names[0]} to {names[-1]})"


def note_cut(finding: Finding, case: Case) -> None:
    """Tell the reader which Jobs were left out."""
    for item in case.invocations:
        if item.cut and finding.right:
            finding.right.append(f"Job {item.name} is not judged: {item.cut}")
