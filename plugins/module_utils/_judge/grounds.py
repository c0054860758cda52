# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pass must rest on: sources seen whole, and invocations to judge. Says what would make a doubt go away."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import log_problems
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Finding
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import faults
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import SnapshotSource

_ADVICE = {
    "logs": "Keep the logs of every attempt (job_record follows them from the pod's creation).",
    "store": "Give the recorder access to the backup store, or add its listing to the dump.",
    "engine log": "Keep the log of every instance-manager-e pod: it has one line for each snapshot made.",
    "manager log": "Keep the logs of all longhorn-manager pods.",
    "time zone": "Run the kube-controller-manager with TZ=UTC, or take a schedule that is the same in every hour.",
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


def snapshot_source(case: Case) -> SnapshotSource:
    """What shows every snapshot on this release; of a release that is not known, the most that any of them needs."""
    return case.profile.snapshot_source if case.profile is not None else "engine log"


def backup_kind(case: Case) -> str:
    """Which kind of object the API shows backups in: Longhorn's own, or until 1.1 the engine's status."""
    return "backups" if case.profile is not None and "backups" in case.profile.kinds else "engines"


def require_snapshot_sources(finding: Finding, case: Case) -> None:
    """Counting snapshots needs what shows every one of them on this release, however shortly it lived."""
    source = snapshot_source(case)
    if source == "objects":
        require_watched(finding, case, "snapshots")
        return
    require_watched(finding, case, "engines")
    if source == "engine log":
        _require_engine_log(finding, case)
    else:
        require_logs(finding, case)


def require_logs(finding: Finding, case: Case) -> None:
    """A pass needs every judged Job's own log to its end."""
    for invocation in case.judged:
        for problem in log_problems(invocation):
            finding.unclear(problem, invocation.evidence, advice=advice_for("logs"))


def _require_engine_log(finding: Finding, case: Case) -> None:
    """The engine's status tells the order, its log also of those that the status never showed."""
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


def settled(case: Case, invocation: Invocation) -> bool:
    """Whether what others tell of a Job only after its end was waited for: it was not the last, or there was time."""
    ended = case.index.ended
    last = invocation.position == len(case.invocations) - 1
    return not last or (ended is not None and ended.reason == "invocations")


def may_fail(case: Case, fault: Fault) -> bool:
    """Whether what is said to make this deletion fail can do so on this release at all."""
    if fault in case.index.subjects.default_engine_faults:
        return True
    release = case.profile.release if case.profile is not None else ""
    return faults.effect(release, case.cell.fault_type, fault, task=case.cell.task) != "none"


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
