# SPDX-License-Identifier: GPL-3.0-or-later
"""A failing clean-up must not be retried: one pod and one container start per Job.

Since 1.7 the recurring job's own object counts the starts of its process, so that this has a second witness.
"""

from __future__ import annotations

import bisect

from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Attempt, Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
)

ID = "single-attempt"


def check(case: Case) -> CheckVerdict:
    """Further attempts are right only where the earlier ones could not create anything."""
    finding = Finding()
    grounds.require_watched(finding, case, "jobs", "pods")
    grounds.require_invocations(finding, case)
    for invocation in case.judged:
        _one(finding, case, invocation)
    if case.judged and not finding.wrong:
        finding.right.append(f"{len(case.judged)} Jobs had one attempt each that could have made anything")
    grounds.note_cut(finding, case)
    return conclude(finding, check=ID, volume=case.cell.volume)


def _one(finding: Finding, case: Case, invocation: Invocation) -> None:
    pods = [
        Evidence(f"pods/{pod.meta.name}", f"resourceVersion {pod.version}", f"{pod.restarts} restarts")
        for pod in invocation.pods
    ]
    if not invocation.attempts:
        finding.unclear(f"no attempt of Job {invocation.name} was seen", *pods, advice=grounds.advice_for("pods"))
        return
    if not pods:
        finding.unclear(f"no pod of Job {invocation.name} was seen, only a log", advice=grounds.advice_for("pods"))
    if len(invocation.attempts) == 1 and len(invocation.pods) <= 1:
        finding.evidence.extend(pods)
        _executions(finding, case, invocation)
        return
    earlier = invocation.attempts[:-1]
    if earlier and all(_could_not_create(case, item) for item in earlier) and len(_artefacts(invocation)) <= 1:
        finding.evidence.extend(pods)
        finding.right.append(f"Job {invocation.name} rightly retried a failed creation")
        return
    count = max(len(invocation.attempts), len(invocation.pods))
    pods_text = f" in {len(invocation.pods)} pods" if len(invocation.pods) > 1 else ""
    finding.bad(f"Job {invocation.name} had {count} attempts{pods_text}", *pods)


def _executions(finding: Finding, case: Case, invocation: Invocation) -> None:
    counts = case.index.executions.get(case.cell.job, [])
    if case.profile is None or not case.profile.counts_executions or not counts:
        return
    later = case.invocations[invocation.position + 1 :]
    before = bisect.bisect_left(counts, (invocation.seen.added, 0))
    after = bisect.bisect_left(counts, (later[0].seen.added, 0)) if later else len(counts)
    if not before or invocation.seen.over is None:
        return  # what it was before is not known
    version, count = counts[after - 1]
    rise = count - counts[before - 1][1]
    where = Evidence(f"recurringjobs/{case.cell.job}", f"resourceVersion {version}", f"executionCount {count}")
    name = invocation.name
    if rise == 1:
        finding.evidence.append(where)
    elif rise > 1 and (unseen := case.lacks("jobs", "recurringjobs")):
        text = f"the executionCount rose by {rise} from Job {name} on, maybe by others: {unseen[0]}"
        finding.unclear(text, where, advice=grounds.advice_for("recurringjobs"))
    elif rise > 1:
        finding.bad(f"the executionCount rose by {rise} in Job {name}, which had one attempt that was seen", where)
    else:
        text = f"the executionCount did not rise in Job {name}, so not every start of it was counted"
        finding.unclear(text, where, advice=grounds.advice_for("recurringjobs"))


def _artefacts(invocation: Invocation) -> list[str]:
    last = str(invocation.attempts[-1])
    return [item.name for item in (*invocation.snapshots, *invocation.backups) if item.attempt != last]


def _could_not_create(case: Case, attempt: Attempt) -> bool:
    patterns = case.profile.creation_errors if case.profile is not None else ()
    return attempt.log is not None and any(
        pattern.find(line, case.cell.volume) is not None
        for line in attempt.log.about(case.cell.volume)
        for pattern in patterns
    )
