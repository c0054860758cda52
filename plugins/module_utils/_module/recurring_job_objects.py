# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs since 1.2: an object, its label on the volumes, and one CronJob of the same name.

The server is asked first, by a dry run: whatever its schema or Longhorn's webhooks refuse is told in their words before
anything is changed, in check mode too, and a field that this Longhorn does not know is not dropped in silence.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import recurring_job
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import recurring_job_object as objects
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, pending
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import CronJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job_object import Desired, JobObject
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import Volume
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures, require, told
from ansible_collections.longhorn.qa.plugins.module_utils._module.recurring_job_lists import refuse_unfit
from ansible_collections.longhorn.qa.plugins.module_utils._module.recurring_jobs import (
    BACKUP_TASKS,
    Wanted,
    judge,
    outcome,
)


def run(here: Fixtures, asked: Wanted, *, check_mode: bool) -> dict[str, t.Any]:
    """The object and its labels as wanted, or gone."""
    if not here.objects.shape.validated:
        judge(here, asked)
    existing = here.objects.recurring_job(asked.job.name)
    volumes = {volume.name: volume for volume in here.objects.volumes()}
    with told():
        plan = _plan(asked, existing, volumes)
    warnings = _warnings(here, asked)
    missing = require(plan, subject=asked.subject, check_mode=check_mode)
    taken = asked.present and existing is not None and existing.deleting
    if taken and not check_mode:
        _wait_gone(here, asked)
    if not (taken and check_mode):  # a name that is not free yet is refused, also in a dry run
        _ask_first(here, asked, plan)
    if not check_mode:
        _carry_out(here, asked, plan)
    return _outcome(here, asked, plan, warnings=warnings, missing=missing, check_mode=check_mode)


def _plan(asked: Wanted, existing: JobObject | None, volumes: Mapping[str, Volume]) -> Plan:
    labels = {name: volume.labels for name, volume in volumes.items()}
    if not asked.present:
        return objects.plan_absent(existing, asked.job.name, labels, run_id=asked.run_id)
    for name in asked.volumes:
        if name in volumes:
            refuse_unfit(volumes[name])
    return objects.plan_present(existing, Desired(asked.job, asked.volumes, asked.run_id), labels)


def _warnings(here: Fixtures, asked: Wanted) -> list[str]:
    found = []
    if asked.present and asked.job.task in BACKUP_TASKS and not here.objects.backup_target_url():
        found.append("no backup target is set, so the job will make no backup: set one with longhorn_backup_target")
    if asked.present and objects.DEFAULT_GROUP in asked.job.groups:
        found.append(f"group {objects.DEFAULT_GROUP}: the job runs for every volume that has no job of its own")
    return found


def _ask_first(here: Fixtures, asked: Wanted, plan: Plan) -> None:
    """What the server would refuse or leave out, before anything is done."""
    for step in plan.steps:
        if step.action not in ("create", "change"):
            continue
        spec = (
            objects.body(step.arguments["job"], version="")["spec"]
            if step.action == "create"
            else step.arguments["spec"]
        )
        stored = _write(here, asked, step, dry_run=True)
        problems = objects.not_kept(spec, stored.get("spec") or {})
        if problems:
            raise BadInput(
                "; ".join(problems), subject=asked.subject, advice="Leave it out, or use a later Longhorn release."
            )


def _write(here: Fixtures, asked: Wanted, step: Step, *, dry_run: bool) -> Mapping[str, t.Any]:
    kind = here.objects.kind("recurringjobs")
    if step.action == "create":
        body = objects.body(step.arguments["job"], version=kind.group_version, run_id=step.arguments["run_id"])
        return here.client.create(kind, body, namespace=here.namespace, dry_run=dry_run)
    patch = {"spec": step.arguments["spec"]}
    return here.client.patch(kind, asked.job.name, patch, namespace=here.namespace, dry_run=dry_run)


def _carry_out(here: Fixtures, asked: Wanted, plan: Plan) -> None:
    for step in plan.steps:
        if step.action == "label":
            here.objects.label("volumes", step.arguments["volume"], step.arguments["labels"])
        elif step.action == "delete":
            here.client.delete(here.objects.kind("recurringjobs"), asked.job.name, namespace=here.namespace)
        else:
            _write(here, asked, step, dry_run=False)
    if here.waits and not asked.present:
        _wait_gone(here, asked)


def _wait_gone(here: Fixtures, asked: Wanted) -> None:
    def check(found: JobObject | None) -> Progress:
        return done("gone") if found is None else pending("it still exists")

    here.wait(
        lambda: here.objects.recurring_job(asked.job.name),
        check,
        subject=f"recurring job {asked.job.name}",
        expected="that it is gone",
        advice="Look at its finalizers and at the longhorn-manager log.",
    )


def _outcome(
    here: Fixtures, asked: Wanted, plan: Plan, *, warnings: list[str], missing: list[str], check_mode: bool
) -> dict[str, t.Any]:
    name = asked.job.name
    cronjob = None if check_mode else _cronjob(here, asked)
    existing = here.objects.recurring_job(name) if asked.present and not check_mode else None
    shown = {**asked.job.summary(), "execution_count": None, **(existing.summary() if existing else {})}
    covered = list(plan.after.get("volumes", asked.volumes))
    shown |= {"volume": covered[0] if covered else "", "volumes": covered}
    result = outcome(plan, asked, job=shown, cronjobs={name: cronjob}, warnings=missing)
    return {**result, "warnings": [*warnings, *result.get("warnings", ())]} if warnings else result


def _cronjob(here: Fixtures, asked: Wanted) -> CronJob | None:
    """The CronJob as it is, after waiting for it if that is wanted. It stays whatever its volumes do."""
    kind, name = here.objects.cronjob_kind(), asked.job.name
    if not here.waits:
        return here.objects.cronjob(name, kind=kind)
    return here.wait(
        lambda: here.objects.cronjob(name, kind=kind),
        lambda found: _settled(found, asked),
        subject=f"CronJob {name}",
        expected=f"schedule {asked.job.cron!r}" if asked.present else "that Longhorn removes it",
        advice="Longhorn makes it of the recurring job; look at the longhorn-manager log.",
    )


def _settled(found: CronJob | None, asked: Wanted) -> Progress:
    if not asked.present:
        return recurring_job.unscheduled(found)
    return recurring_job.scheduled(found, asked.job, attached=True)
