# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs since 1.2: an object for many volumes, which are told by their labels.

The group ``default`` is Longhorn's own: it puts every volume without a job there. A test's job never joins it, and a
test's volume leaves it, or the jobs of that group would run on it too.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import (
    InvalidRequest,
    Plan,
    Step,
    refuse_foreign,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import RecurringJob, kept

DEFAULT_GROUP = "default"
_JOB, _GROUP = "recurring-job.longhorn.io/", "recurring-job-group.longhorn.io/"
ENABLED = "enabled"

Labels = Mapping[str, str]


@dataclass(frozen=True)
class JobObject:
    """A RecurringJob object as it is."""

    job: RecurringJob  # its name is metadata.name; the one in spec is only told apart when it is another
    spec_name: str = ""
    labels: Labels = field(default_factory=dict)  # of the object itself
    execution_count: int | None = None  # since 1.7
    deleting: bool = False

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> JobObject:
        """From the custom resource."""
        metadata, spec, status = (document.get(part) or {} for part in ("metadata", "spec", "status"))
        job = RecurringJob.from_object(spec)
        count = status.get("executionCount")
        return cls(
            job=replace(job, name=str(metadata.get("name", ""))),
            spec_name=job.name,
            labels=dict(metadata.get("labels") or {}),
            execution_count=None if count is None else int(count),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    def summary(self) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {**self.job.summary(), "execution_count": self.execution_count}


@dataclass(frozen=True)
class Desired:
    """What is wanted. Volumes that have the job and are not named keep it."""

    job: RecurringJob
    volumes: tuple[str, ...] = ()
    run_id: str = ""


def job_label(job: str) -> str:
    """The label by which a volume has a job."""
    return _JOB + job


def group_label(group: str) -> str:
    """The label by which a volume is in a group of jobs."""
    return _GROUP + group


def jobs_of(labels: Labels) -> tuple[str, ...]:
    """The jobs that a volume has by its labels, without those of its groups."""
    return _enabled(labels, _JOB)


def groups_of(labels: Labels) -> tuple[str, ...]:
    """The groups a volume is in."""
    return _enabled(labels, _GROUP)


def _enabled(labels: Labels, prefix: str) -> tuple[str, ...]:
    found = (key.removeprefix(prefix) for key, value in labels.items() if key.startswith(prefix) and value == ENABLED)
    return tuple(sorted(found))


def covered(job: RecurringJob, volumes: Mapping[str, Labels]) -> tuple[str, ...]:
    """The volumes that a job runs for: those with its own label, and those in its groups."""
    keys = {job_label(job.name), *map(group_label, job.groups)}
    return tuple(sorted(name for name, labels in volumes.items() if any(labels.get(key) == ENABLED for key in keys)))


def normalised(job: RecurringJob) -> RecurringJob:
    """As Longhorn stores it, so that a second look finds no difference."""
    return replace(job, retain=kept(job.task, job.retain))


def plan_present(existing: JobObject | None, desired: Desired, volumes: Mapping[str, Labels]) -> Plan:
    """The object as wanted, and its label on each wanted volume. ``volumes``: all there are, with their labels."""
    job = normalised(desired.job)
    if desired.run_id and DEFAULT_GROUP in job.groups:
        raise InvalidRequest(
            f"recurring job {job.name} of run {desired.run_id} would be in group {DEFAULT_GROUP}, "
            "and so run for every volume that has no job of its own: give it another group"
        )
    refuse_foreign(f"recurring job {job.name}", existing.labels if existing else None, run_id=desired.run_id)
    current = None if existing is None or existing.deleting else existing
    steps = [step for step in (_object_step(current, job, desired.run_id),) if step]
    for name in desired.volumes:
        if name in volumes:
            refuse_foreign(f"volume {name}", volumes[name], run_id=desired.run_id)
        steps += _label_step(name, volumes.get(name, {}), job=job.name, run_id=desired.run_id)
    before_volumes = _with_label(job.name, volumes)
    return Plan(
        before={**current.job.summary(), "volumes": before_volumes} if current else {},
        after={**job.summary(), "volumes": sorted({*before_volumes, *desired.volumes})},
        steps=tuple(steps),
        missing=tuple(f"volume {name} does not exist" for name in desired.volumes if name not in volumes),
    )


def plan_absent(existing: JobObject | None, name: str, volumes: Mapping[str, Labels], *, run_id: str = "") -> Plan:
    """No object, and its label on no volume any more."""
    refuse_foreign(f"recurring job {name}", existing.labels if existing else None, run_id=run_id)
    labelled = _with_label(name, volumes)
    steps = [Step("label", f"take recurring job {name} from volume {volume}", _labels(volume, {job_label(name): None}))
             for volume in labelled]  # fmt: skip
    if existing is not None and not existing.deleting:
        steps.append(Step("delete", f"delete recurring job {name}", {}))
    before = {**existing.job.summary(), "volumes": labelled} if existing else {"volumes": labelled} if labelled else {}
    return Plan(before=before, after={}, steps=tuple(steps))


def body(job: RecurringJob, *, version: str, run_id: str = "") -> dict[str, t.Any]:
    """The object to create. ``spec.name`` is always there: some releases need it, and some jobs look for it."""
    return {
        "apiVersion": version,
        "kind": "RecurringJob",
        "metadata": {"name": job.name, "labels": {names.RUN_ID_LABEL: run_id} if run_id else {}},
        "spec": _spec(job),
    }


def not_kept(wanted: Mapping[str, t.Any], stored: Mapping[str, t.Any]) -> list[str]:
    """What the server would not store as it was sent, told by a dry run: unknown fields it drops without a word."""
    problems = []
    for key, value in wanted.items():
        if key not in stored and value:
            problems.append(f"spec.{key} is not known to this Longhorn, which would drop {value!r}")
        elif key in stored and not _same(value, stored[key]):
            problems.append(f"spec.{key} would be stored as {stored[key]!r} instead of {value!r}")
    return problems


def _same(wanted: t.Any, stored: t.Any) -> bool:
    """A patch of a map names only what changes, and what goes with None."""
    if isinstance(wanted, Mapping) and isinstance(stored, Mapping):
        return all(stored.get(name) == value for name, value in wanted.items())
    return bool(wanted == stored)


def _spec(job: RecurringJob) -> dict[str, t.Any]:
    spec: dict[str, t.Any] = {
        "name": job.name, "task": job.task, "cron": job.cron, "retain": job.retain, "concurrency": job.concurrency,
        "groups": list(job.groups), "labels": dict(job.labels),
    }  # fmt: skip
    return {**spec, "parameters": dict(job.parameters)} if job.parameters else spec


def _object_step(existing: JobObject | None, job: RecurringJob, run_id: str) -> Step | None:
    told = f"recurring job {job.name}: {job.task}, cron {job.cron!r}, retain {job.retain}"
    if existing is None:
        return Step("create", f"create {told}", {"job": job, "run_id": run_id})
    patch = _patch(existing, job)
    return Step("change", f"change {told}", {"spec": patch}) if patch else None


def _patch(existing: JobObject, job: RecurringJob) -> dict[str, t.Any]:
    """A merge patch of the spec with what differs; the order of groups means nothing."""
    have, want = _spec(existing.job) | {"name": existing.spec_name}, _spec(job)
    patch = {key: want[key] for key in ("name", "task", "cron", "retain", "concurrency") if want[key] != have[key]}
    if sorted(existing.job.groups) != sorted(job.groups):
        patch["groups"] = list(job.groups)
    for key, old, new in (
        ("labels", existing.job.labels, job.labels),
        ("parameters", existing.job.parameters, job.parameters),
    ):
        if dict(old) != dict(new):
            patch[key] = {**{name: None for name in old if name not in new}, **new}
    return patch


def _label_step(volume: str, labels: Labels, *, job: str, run_id: str) -> list[Step]:
    wanted: dict[str, str | None] = {} if labels.get(job_label(job)) == ENABLED else {job_label(job): ENABLED}
    if run_id and group_label(DEFAULT_GROUP) in labels:
        wanted[group_label(DEFAULT_GROUP)] = None
    if not wanted:
        return []
    out = f", and take it out of group {DEFAULT_GROUP}" if group_label(DEFAULT_GROUP) in wanted else ""
    return [Step("label", f"give volume {volume} recurring job {job}{out}", _labels(volume, wanted))]


def _labels(volume: str, labels: Mapping[str, str | None]) -> dict[str, t.Any]:
    return {"volume": volume, "labels": dict(labels)}


def _with_label(job: str, volumes: Mapping[str, Labels]) -> list[str]:
    return sorted(name for name, labels in volumes.items() if labels.get(job_label(job)) == ENABLED)


def group_steps(volume: str, labels: Labels, groups: Iterable[str]) -> list[Step]:
    """A volume is in these groups and no other. Longhorn's own group is left to it unless it is named."""
    wanted, has = set(groups), set(groups_of(labels))
    changes: dict[str, str | None] = {group_label(group): ENABLED for group in sorted(wanted - has)}
    changes |= {group_label(group): None for group in sorted(has - wanted - {DEFAULT_GROUP})}
    if not changes:
        return []
    return [Step("label", f"put volume {volume} into groups {', '.join(sorted(wanted)) or 'none'}",
                 _labels(volume, changes))]  # fmt: skip
