# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs in all shapes: what one is, what each release allows, and the CronJob that comes of it.

Up to 1.1 a job is an entry in a volume's list (``recurring_job_list``), since 1.2 an object (``recurring_job_object``).
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, tasks, versions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending

_PARAMETERS_SINCE = "v1.7.0"
_LABEL_KEY = re.compile(r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True)
class RecurringJob:
    """A recurring job, as it is or as it is wanted. What only objects have stays empty in a list."""

    name: str
    task: str  # what the API holds; a wanted one is a Task
    cron: str
    retain: int
    labels: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    concurrency: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> RecurringJob:
        """From an entry of a volume's ``spec.recurringJobs``, or from the ``spec`` of an object."""
        return cls(
            name=str(document.get("name") or ""),
            task=str(document.get("task") or ""),
            cron=str(document.get("cron") or ""),
            retain=int(document.get("retain") or 0),
            labels=dict(document.get("labels") or {}),
            groups=tuple(document.get("groups") or ()),
            concurrency=int(document.get("concurrency", 1)),
            parameters=dict(document.get("parameters") or {}),
        )

    def body(self) -> dict[str, t.Any]:
        """The entry as a volume's list takes it. Without labels the key is left out, as Longhorn's own UI does."""
        entry: dict[str, t.Any] = {
            "name": self.name, "task": self.task, "cron": self.cron, "retain": self.retain,
        }  # fmt: skip
        return {**entry, "labels": dict(self.labels)} if self.labels else entry

    def summary(self) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {
            **self.body(),
            "labels": dict(self.labels),
            "groups": list(self.groups),
            "concurrency": self.concurrency,
            "parameters": dict(self.parameters),
        }


def kept(task: str, retain: int) -> int:
    """The number that Longhorn keeps for this task: none where the task makes nothing."""
    return 0 if task in tasks.PURGING else retain


@dataclass(frozen=True)
class Limits:
    """What one release allows, as far as nothing else judges it."""

    tasks: tuple[str, ...]
    longest_name: int = 40
    largest_retain: int = 50
    retain_is_summed: bool = False  # over all jobs of a volume
    objects: bool = True  # groups and concurrency are known
    parameters: bool = False


def limits(release: str) -> Limits:
    """The limits of a release. From 1.3 on Longhorn's webhooks know better, and are asked.

    Up to 1.2 the sum of what jobs retain is limited (3.2). Of 1.2, whose jobs belong to no volume, it is not known over
    which jobs, so each is judged alone.
    """
    known = tasks.known_to(release)
    if versions.between(release, "v1.0.0", "v1.1.99"):
        return Limits(known, longest_name=8, retain_is_summed=True, objects=False)
    earlier = versions.between(release, "v1.2.0", "v1.3.2") or versions.between(release, "v1.4.0", "v1.4.1")
    largest = 50 if earlier else 100 if versions.between(release, "v1.3.3", "v1.5.99") else 250
    return Limits(known, largest_retain=largest, parameters=versions.between(release, _PARAMETERS_SINCE))


def problems(job: RecurringJob, known: Limits, *, existing: Sequence[RecurringJob] = ()) -> list[str]:
    """What is wrong with a wanted job. ``existing``: the volume's others, where their sum counts.

    Whoever has a cron library judges the cron line.
    """
    others = sum(other.retain for other in existing if other.name != job.name) if known.retain_is_summed else 0
    found = names.job_name_problems(job.name, longest=known.longest_name)
    if kept(job.task, 1):
        found += names.retain_problems(job.retain, others=others, largest=known.largest_retain)
    if job.task not in known.tasks:
        found.append(f"task {job.task!r} is unknown; known to this Longhorn release are {', '.join(known.tasks)}")
    if not job.cron.strip():
        found.append("the cron line is empty")
    for key, value in job.labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            found.append(f"label {key}={value} is not allowed in Kubernetes")
    return found + _object_problems(job, known)


def _object_problems(job: RecurringJob, known: Limits) -> list[str]:
    found = []
    if not known.objects and job.groups:
        found.append("groups need Longhorn 1.2 or later; before, a job belongs to one volume")
    if not known.objects and job.concurrency != 1:
        found.append("concurrency needs Longhorn 1.2 or later; before, a job belongs to one volume")
    if job.parameters and not known.parameters:
        found.append("parameters need Longhorn 1.7 or later")
    for group in job.groups:
        found += [f"group {group!r} is not allowed in Kubernetes"] if not _LABEL_VALUE.fullmatch(group or " ") else []
    return found


@dataclass(frozen=True)
class CronJob:
    """The CronJob that Longhorn makes for a recurring job."""

    name: str
    uid: str
    schedule: str
    suspend: bool
    retain: str = ""  # the argument after --retain of its command line, up to 1.1
    deleting: bool = False

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> CronJob:
        """From batch/v1 or batch/v1beta1."""
        metadata, spec = document.get("metadata") or {}, document.get("spec") or {}
        pod = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
        containers: t.Any = (pod.get("spec") or {}).get("containers") or ({},)
        return cls(
            name=str(metadata.get("name", "")),
            uid=str(metadata.get("uid", "")),
            schedule=str(spec.get("schedule", "")),
            suspend=bool(spec.get("suspend")),
            retain=_argument([*(containers[0].get("command") or ()), *(containers[0].get("args") or ())], "--retain"),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    def summary(self) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {"name": self.name, "uid": self.uid, "schedule": self.schedule, "suspend": self.suspend}


def scheduled(
    cronjob: CronJob | None, desired: RecurringJob, *, attached: bool, kept_detached: bool = True
) -> Progress:
    """Whether the CronJob is there as wanted.

    Longhorn 1.0 and 1.1 suspend it while the volume is not attached, or since 1.1.2 take it away (``kept_detached``).
    """
    if cronjob is None and not attached and not kept_detached:
        return done("none while the volume is detached")
    if cronjob is None:
        return pending("no CronJob yet")
    if cronjob.deleting:
        return pending("an older CronJob of this name is being deleted")
    if cronjob.schedule != desired.cron:
        return pending(f"schedule={cronjob.schedule!r}")
    if cronjob.retain and cronjob.retain != str(desired.retain):
        return pending(f"retain={cronjob.retain}")
    if cronjob.suspend and attached:
        return pending("the CronJob is suspended")
    return done("suspended while the volume is detached" if cronjob.suspend else "scheduled")


def unscheduled(cronjob: CronJob | None) -> Progress:
    """Whether the CronJob is gone."""
    return done("gone") if cronjob is None else pending("the CronJob still exists")


def volume_fit(*, state: str, robustness: str) -> Progress:
    """Whether the volume can run its jobs: a faulted one never will."""
    seen = f"state={state or 'none yet'} robustness={robustness or 'unknown'}"
    return failed(seen) if robustness == "faulted" else done(seen)


def _argument(command: Sequence[t.Any], option: str) -> str:
    words = [str(word) for word in command]
    return words[words.index(option) + 1] if option in words[:-1] else ""
