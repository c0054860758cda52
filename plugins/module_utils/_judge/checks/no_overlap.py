# SPDX-License-Identifier: GPL-3.0-or-later
"""No two Jobs of the CronJob at once, and no two artefacts of one kind being made at once."""

from __future__ import annotations

import itertools

from ansible_collections.longhorn.qa.plugins.module_utils._judge import grounds
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Artefact, Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import JobSeen
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import (
    CheckVerdict,
    Evidence,
    Finding,
    conclude,
)

ID = "no-overlap"

_MAKING = ("in_progress", "pending", "starting", "InProgress", "Pending")  # in an engine's status
_READY = ("complete", "Completed")


def check(case: Case) -> CheckVerdict:
    """Order by resourceVersion: a Job is over before the next one is added."""
    finding = Finding()
    grounds.require_watched(finding, case, "jobs")
    if case.cell.makes_backups:
        grounds.require_watched(finding, case, grounds.backup_kind(case))
    grounds.require_invocations(finding, case)
    _jobs_at_once(finding, case)
    _backups_at_once(finding, case)
    _backups_of_one_job(finding, case)
    if case.judged:
        finding.right.append(f"{len(case.invocations)} Jobs ran one after another")
        finding.evidence.extend(item.evidence for item in case.judged)
    return conclude(finding, check=ID, volume=case.cell.volume)


def _jobs_at_once(finding: Finding, case: Case) -> None:
    """Those that were there before the recording began may still have run when the first one came."""
    running: list[JobSeen] = []
    for later in case.index.jobs.get(case.cell.cronjob, []):
        running = [job for job in running if not _over_before(job, later)]
        for earlier in running if not later.baseline else ():
            _at_once(finding, case, earlier, later)
        running.append(later)


def _at_once(finding: Finding, case: Case, earlier: JobSeen, later: JobSeen) -> None:
    first, second = earlier.first.meta.name, later.first.meta.name
    where = (
        Evidence(f"jobs/{first}", f"resourceVersion {earlier.over or earlier.added}"),
        Evidence(f"jobs/{second}", f"resourceVersion {later.added}"),
    )
    if _end(earlier) is None and case.lacks("jobs"):
        finding.unclear(f"when Job {first} was over is not known", *where)
    else:
        finding.bad(f"Job {first} was not over when Job {second} was added", *where)


def _over_before(earlier: JobSeen, later: JobSeen) -> bool:
    end = _end(earlier)
    return end is not None and end < later.added


def _end(job: JobSeen) -> int | None:
    return job.over if job.over is not None else job.deleted


def _backups_at_once(finding: Finding, case: Case) -> None:
    own = {item.name for item in case.artefacts("backup")}
    for fact in case.index.engines.get(case.cell.volume, []):
        making = sorted(item.name for item in fact.backups if item.state in _MAKING and item.name in own)
        if len(making) > 1:
            where = Evidence(f"engines/{fact.meta.name}", f"resourceVersion {fact.meta.version}", ", ".join(making))
            finding.bad(f"backups {' and '.join(making)} were being made at once", where)
    lives = [
        life
        for name, some in case.index.lives.of("backup", case.cell.volume).items()
        for life in some
        if name in own and life.made_in_record
    ]
    for earlier, later in itertools.pairwise(sorted(lives, key=lambda life: life.added)):
        end = earlier.there if earlier.there is not None else earlier.gone
        if end is None or end > later.added:
            text = f"backups {earlier.name} and {later.name} were being made at once"
            finding.bad(text, later.at(later.added, f"backup {earlier.name} was not there yet"))


def _backups_of_one_job(finding: Finding, case: Case) -> None:
    """That Jobs came one after another says nothing about two backups of one Job, and an engine's status is sampled."""
    if finding.wrong:
        return
    exact = set(case.index.lives.of("backup", case.cell.volume))
    for invocation in case.judged:
        made = [item for item in invocation.backups if item.name not in exact]
        for one, other in itertools.combinations(made, 2):
            if _of_two_attempts(invocation, one, other):
                continue
            if not any(_followed(case, *pair) for pair in itertools.permutations((one, other))):
                text = f"whether Job {invocation.name} made backups {one.name} and {other.name} at once was not seen"
                finding.unclear(text, *one.evidence[:1], *other.evidence[:1])


def _of_two_attempts(invocation: Invocation, one: Artefact, other: Artefact) -> bool:
    """Whether it is known which attempts made them, and that these are two: one begins when the other has ended."""
    known = {str(attempt) for attempt in invocation.attempts}
    return one.attempt != other.attempt and {one.attempt, other.attempt} <= known


def _followed(case: Case, one: Artefact, other: Artefact) -> bool:
    """Whether the engine showed the first ready when the second had not begun."""
    return any(
        any(item.name == one.name and item.state in _READY for item in fact.backups)
        and all(item.name != other.name for item in fact.backups)
        for fact in case.index.engines.get(case.cell.volume, [])
    )
