# SPDX-License-Identifier: GPL-3.0-or-later
"""From a history to what happened in each cell: its invocations, their attempts, and what each of them made.

An invocation is a Job of the cell's CronJob. Whether it is judged, and in which order things happened, follows from the
server's resourceVersions alone; no writer's clock takes part.
"""

from __future__ import annotations

import itertools
import math
import re
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property

from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import (
    CronJobSeen,
    Index,
    JobSeen,
    LogFile,
    PodSeen,
)
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile, UnknownRelease

_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)
_POD_OF_JOB = re.compile(r"(.+)-[a-z0-9]{5}")


class Attempt(t.NamedTuple):
    """One start of a Job's container."""

    pod: str
    number: int
    exit_code: int | None
    log: LogFile | None

    def __str__(self) -> str:
        return f"attempt {self.number} of pod {self.pod}"


@dataclass(slots=True)
class Artefact:
    """A snapshot or backup of the cell, from whichever sources showed it."""

    kind: ArtefactKind
    name: str
    invocation: int | None  # position among the cell's invocations; None when more than one may have made it
    candidates: tuple[int, ...]
    attempt: str = ""
    snapshot: str = ""  # of a backup
    sources: set[str] = field(default_factory=set)  # "job", "api", "store", "engine log"
    evidence: list[Evidence] = field(default_factory=list)
    maybe_older: bool = False  # it may have been there before the first invocation


@dataclass(slots=True)
class Invocation:
    """One Job of the cell's CronJob."""

    position: int
    name: str
    uid: str
    tick: datetime | None
    by_hand: bool
    seen: JobSeen
    cut: str  # why it is not judged; empty when it is
    pods: tuple[PodSeen, ...]
    attempts: tuple[Attempt, ...]
    evidence: Evidence
    snapshots: list[Artefact] = field(default_factory=list)
    backups: list[Artefact] = field(default_factory=list)

    def made(self, kind: ArtefactKind) -> list[Artefact]:
        return self.snapshots if kind == "snapshot" else self.backups


@dataclass
class Case:
    """Everything about one cell that the checks look at."""

    cell: model.Cell
    index: Index
    profile: Profile | None
    profile_problem: str
    cronjobs: list[CronJobSeen]
    invocations: list[Invocation]
    loose: list[Artefact] = field(default_factory=list)  # made by one of several invocations, or before them
    older_snapshots: int = 0  # of this recurring job, before its first invocation
    older_backups: int = 0
    clean_ups: dict[str, list[t.Any]] = field(default_factory=dict)  # by fault: what ``deletions`` has read

    @cached_property
    def judged(self) -> list[Invocation]:
        return [item for item in self.invocations if not item.cut]

    @cached_property
    def added(self) -> list[int]:
        """Per invocation: the resourceVersion of its Job's first sighting, which rises."""
        return [item.seen.added for item in self.invocations]

    @cached_property
    def last_over(self) -> list[float]:
        """Per invocation: the resourceVersion at which it and all before it were over; infinite when one never was."""
        ends = (math.inf if item.seen.over is None else item.seen.over for item in self.invocations)
        return list(itertools.accumulate(ends, max))

    @cached_property
    def last_ended(self) -> list[datetime]:
        """Per invocation: when the last of it and all before it ended, by the cluster's clock, as far as is known."""
        ends = (item.seen.last.ended or _LONG_AGO for item in self.invocations)
        return list(itertools.accumulate(ends, max))

    @cached_property
    def jobs_unseen(self) -> bool:
        """Whether there may have been Jobs that nobody saw."""
        return bool(self.lacks("jobs"))

    def forget(self) -> None:
        """Its Jobs, with their pods and logs, are let go of: no other cell is going to ask for them."""
        self.index.jobs.pop(self.cell.cronjob, None)
        for item in self.invocations:
            self.index.pods.pop(item.uid, None)
            for attempt in item.attempts:
                self.index.logs.pop((attempt.pod, attempt.number), None)

    def artefacts(self, kind: ArtefactKind) -> list[Artefact]:
        made = [artefact for item in self.invocations for artefact in item.made(kind)]
        return [*made, *(artefact for artefact in self.loose if artefact.kind == kind)]

    def lacks(self, *kinds: str) -> list[str]:
        """Why not seeing something of these kinds does not mean that it was not there."""
        return [reason for kind in kinds if (reason := self.index.not_watched(kind))]


def correlate(index: Index, *, profiles: Callable[[str, model.Task], Profile]) -> Iterator[Case]:
    """One case per cell, one after another, without artefacts; ``attribution`` adds them."""
    logs = _logs_by_job(index)
    for cell in index.subjects.cells:
        yield _case(index, cell, profiles=profiles, logs=logs)


def _logs_by_job(index: Index) -> Mapping[str, list[LogFile]]:
    """Pods' logs by the Job that the pod's name tells: enough for a log whose pod object nobody kept."""
    found: dict[str, list[LogFile]] = {}
    known = {pod.meta.name for pods in index.pods.values() for pod in pods}
    for (pod, _attempt), log in sorted(item for item in index.logs.items() if item[0][0] not in known):
        match = _POD_OF_JOB.fullmatch(pod)
        if match is not None:
            found.setdefault(match.group(1), []).append(log)
    return found


def _case(
    index: Index,
    cell: model.Cell,
    *,
    profiles: Callable[[str, model.Task], Profile],
    logs: Mapping[str, list[LogFile]],
) -> Case:
    profile, problem = None, ""
    try:
        profile = profiles(index.subjects.release, cell.task)
    except UnknownRelease as error:
        problem = str(error)
    cronjobs = index.cronjobs.get(cell.cronjob, [])
    jobs = [job for job in index.jobs.get(cell.cronjob, []) if not job.baseline]
    invocations = [
        _invocation(index, job, position=position, cronjobs=cronjobs, logs=logs.get(job.first.meta.name, []))
        for position, job in enumerate(jobs)
    ]
    return Case(
        cell=cell,
        index=index,
        profile=profile,
        profile_problem=problem,
        cronjobs=cronjobs,
        invocations=invocations,
    )


def _invocation(
    index: Index, job: JobSeen, *, position: int, cronjobs: list[CronJobSeen], logs: list[LogFile]
) -> Invocation:
    name, uid = job.first.meta.name, job.first.meta.uid
    pods = tuple(index.pods.get(uid, []))
    by_hand = job.first.by_hand or job.last.by_hand
    return Invocation(
        position=position,
        name=name,
        uid=uid,
        tick=None if by_hand else objects.tick_of(name),
        by_hand=by_hand,
        seen=job,
        cut=_cut(index, job, cronjobs),
        pods=pods,
        attempts=_attempts(index, pods, logs),
        evidence=Evidence(f"jobs/{name}", f"resourceVersion {job.over or job.added}"),
    )


def _cut(index: Index, job: JobSeen, cronjobs: list[CronJobSeen]) -> str:
    if job.over is not None:
        return ""
    if job.deleted is None:
        return "it was still running when the record ended"
    owner = next((item for item in cronjobs if item.first.meta.uid == job.first.meta.owner_uid), None)
    if owner is not None and owner.deleted is not None:
        return "it was deleted with its CronJob before it ended"
    if owner is None or index.not_watched("cronjobs"):
        return "it was deleted before it ended, and whether its CronJob was too is not known"
    return ""


def _attempts(index: Index, pods: tuple[PodSeen, ...], logs: list[LogFile]) -> tuple[Attempt, ...]:
    """All starts that a pod's status or a log shows, in the order of pods and of starts; ``logs`` is of other pods."""
    found = []
    for pod in pods:
        name = pod.meta.name
        started = bool(pod.runs) or pod.restarts > 0
        for number in range(pod.restarts + 1 if started else 0):
            run = pod.run(number)
            exit_code = run.exit_code if run is not None else None
            found.append(Attempt(name, number, exit_code, index.logs.get((name, number))))
    return (*found, *(Attempt(log.pod, log.attempt, None, log) for log in logs))
