# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs as releases 1.0 and 1.1 have them: entries in a volume's list, each with a CronJob.

Since 1.2 a recurring job is an object of its own; its desired object and plan will stand beside these.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending

TASKS: tuple[Task, ...] = ("snapshot", "backup")
_LABEL_KEY = re.compile(r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True)
class RecurringJob:
    """One entry of a volume's list."""

    name: str
    task: str  # what the API holds; a wanted one is a Task
    cron: str
    retain: int
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> RecurringJob:
        """From an entry of ``spec.recurringJobs``."""
        return cls(
            name=str(document.get("name", "")),
            task=str(document.get("task", "")),
            cron=str(document.get("cron", "")),
            retain=int(document.get("retain") or 0),
            labels=dict(document.get("labels") or {}),
        )

    def body(self) -> dict[str, t.Any]:
        """The entry as the API takes it. Without labels the key is left out, as Longhorn's own UI does."""
        entry: dict[str, t.Any] = {
            "name": self.name, "task": self.task, "cron": self.cron, "retain": self.retain,
        }  # fmt: skip
        return {**entry, "labels": dict(self.labels)} if self.labels else entry

    def summary(self) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {**self.body(), "labels": dict(self.labels)}


@dataclass(frozen=True)
class CronJob:
    """The CronJob that Longhorn makes for a recurring job."""

    name: str
    uid: str
    schedule: str
    suspend: bool
    retain: str = ""  # the argument after --retain of its command line
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


def problems(job: RecurringJob, *, existing: Sequence[RecurringJob] = ()) -> list[str]:
    """What is wrong with a wanted job, given the volume's others. Whoever has a cron library judges the cron line."""
    others = sum(other.retain for other in existing if other.name != job.name)
    found = names.job_name_problems(job.name) + names.retain_problems(job.retain, others=others)
    if job.task not in TASKS:
        found.append(f"task {job.task!r} is unknown; known to this Longhorn release are {', '.join(TASKS)}")
    if not job.cron.strip():
        found.append("the cron line is empty")
    for key, value in job.labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            found.append(f"label {key}={value} is not allowed in Kubernetes")
    return found


def plan_present(existing: Sequence[RecurringJob], desired: RecurringJob) -> Plan:
    """Add or change one entry; the others stay, in their order."""
    wrong = problems(desired, existing=existing)
    if wrong:
        raise InvalidRequest("; ".join(wrong))
    before = next((job for job in existing if job.name == desired.name), None)
    if before == desired:
        return Plan(before=before.summary(), after=before.summary())
    jobs = [desired if job.name == desired.name else job for job in existing]
    verb = "change" if before else "add"
    if before is None:
        jobs.append(desired)
    message = f"{verb} recurring job {desired.name}: {desired.task}, cron {desired.cron!r}, retain {desired.retain}"
    return Plan(before=_shown(before), after=desired.summary(), steps=(_update(jobs, message),))


def plan_absent(existing: Sequence[RecurringJob], name: str) -> Plan:
    """Take one entry out."""
    before = next((job for job in existing if job.name == name), None)
    if before is None:
        return Plan(before={}, after={})
    jobs = [job for job in existing if job.name != name]
    return Plan(before=before.summary(), after={}, steps=(_update(jobs, f"remove recurring job {name}"),))


def _update(jobs: Sequence[RecurringJob], message: str) -> Step:
    return Step("recurring_update", message, {"jobs": [job.body() for job in jobs]})


def _shown(job: RecurringJob | None) -> dict[str, t.Any]:
    return job.summary() if job else {}


def scheduled(cronjob: CronJob | None, desired: RecurringJob, *, attached: bool) -> Progress:
    """Whether the CronJob is there as wanted. Longhorn suspends it while the volume is not attached."""
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
