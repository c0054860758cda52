# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs of releases 1.0 and 1.1: entries of volumes' lists, each with a CronJob of its own."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    BadInput,
    NotFound,
    Refused,
    TerminalState,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, recurring_job, versions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import recurring_job_list as lists
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, Plan, refuse_foreign
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import CronJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import Volume
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures, require, told
from ansible_collections.longhorn.qa.plugins.module_utils._module.recurring_jobs import (
    BACKUP_TASKS,
    Wanted,
    judge,
    outcome,
)

_CRONJOB_GOES = "v1.1.2"  # since then a detached volume has no CronJob; before, a suspended one


def run(here: Fixtures, asked: Wanted, *, check_mode: bool) -> dict[str, t.Any]:
    """The same entry in the list of each volume, and its CronJobs."""
    if not asked.volumes:
        raise BadInput(
            "volume is missing",
            subject=asked.subject,
            advice="On this release a recurring job is a part of its volume: give volume or volumes.",
        )
    judge(here, asked)
    volumes = {name: here.objects.volume(name) for name in asked.volumes}
    warnings = _check_target(here, asked, check_mode=check_mode) if asked.present and any(volumes.values()) else []
    with told():
        plans = {name: _plan(here, asked, volume, name=name) for name, volume in volumes.items()}
    warnings += [warning for name, plan in plans.items() for warning in _require(plan, name, check_mode=check_mode)]
    cronjobs: dict[str, CronJob | None] = {names.cronjob_name(name, asked.job.name): None for name in volumes}
    if not check_mode:
        for name, plan in plans.items():
            for step in plan.steps:
                here.manager.update_recurring_jobs(name, step.arguments["jobs"])
        cronjobs = {
            names.cronjob_name(name, asked.job.name): _cronjob(here, asked, name)
            for name, volume in volumes.items()
            if volume is not None
        }
    shown = {**asked.job.summary(), "volume": asked.volumes[0], "volumes": list(asked.volumes), "execution_count": None}
    return outcome(_joined(plans), asked, job=shown, cronjobs=cronjobs, warnings=warnings)


def _check_target(here: Fixtures, asked: Wanted, *, check_mode: bool) -> list[str]:
    """Without a backup target Longhorn makes no CronJob for a backup job, and says so in the manager's log only."""
    if asked.job.task not in BACKUP_TASKS or here.objects.backup_target_url():
        return []
    if check_mode:
        return ["no backup target is set"]
    raise Refused(
        "a backup job needs a backup target, and none is set",
        subject=asked.subject,
        expected=f"setting {names.BACKUP_TARGET_SETTING}",
        seen="an empty value",
        advice="Set it with longhorn_backup_target first.",
    )


def _plan(here: Fixtures, asked: Wanted, volume: Volume | None, *, name: str) -> Plan:
    known = recurring_job.limits(here.release)
    if volume is None:
        if not asked.present:
            return lists.plan_absent((), asked.job.name)
        plan = lists.plan_present((), asked.job, known)
        return Plan(plan.before, plan.after, plan.steps, missing=(f"volume {name} does not exist",))
    refuse_foreign(f"volume {name}", volume.labels, run_id=asked.run_id)
    if not asked.present:
        return lists.plan_absent(volume.recurring_jobs, asked.job.name)
    refuse_unfit(volume)
    return lists.plan_present(volume.recurring_jobs, asked.job, known)


def refuse_unfit(volume: Volume) -> None:
    """A volume that never runs a job again."""
    if volume.deleting:
        raise InvalidRequest(f"volume {volume.name} is being deleted and takes no recurring job")
    fit = recurring_job.volume_fit(state=volume.state, robustness=volume.robustness)
    if fit.state == "failed":
        raise TerminalState(
            "a faulted volume cannot run recurring jobs",
            subject=f"volume {volume.name}",
            expected="robustness healthy or degraded",
            seen=fit.reason,
            advice="Delete the volume, or salvage it in Longhorn, first.",
        )


def _require(plan: Plan, name: str, *, check_mode: bool) -> list[str]:
    if plan.missing and not check_mode:
        raise NotFound(
            "the volume does not exist",
            subject=f"volume {name}",
            advice="Make it with longhorn_volume first: on this release a recurring job is a part of its volume.",
        )
    return require(plan, subject=f"volume {name}", check_mode=check_mode)


def _joined(plans: Mapping[str, Plan]) -> Plan:
    """One plan of all; a single one is shown as it is."""
    if len(plans) == 1:
        return next(iter(plans.values()))
    return Plan(
        before={name: plan.before for name, plan in plans.items()},
        after={name: plan.after for name, plan in plans.items()},
        steps=tuple(step for plan in plans.values() for step in plan.steps),
    )


def _cronjob(here: Fixtures, asked: Wanted, volume: str) -> CronJob | None:
    """The CronJob as it is, after waiting for it if that is wanted."""
    kind, name = here.objects.cronjob_kind(), names.cronjob_name(volume, asked.job.name)
    if not here.waits:
        return here.objects.cronjob(name, kind=kind)
    if not asked.present:
        return here.wait(
            lambda: here.objects.cronjob(name, kind=kind),
            recurring_job.unscheduled,
            subject=f"CronJob {name}",
            expected="that Longhorn removes it",
            advice="Look at the longhorn-manager log.",
        )
    return _wait_scheduled(here, asked, volume, kind=kind)


def _wait_scheduled(here: Fixtures, asked: Wanted, volume: str, *, kind: Kind) -> CronJob | None:
    name = names.cronjob_name(volume, asked.job.name)

    def read() -> tuple[CronJob | None, Volume | None]:
        return here.objects.cronjob(name, kind=kind), here.objects.volume(volume)

    def check(seen: tuple[CronJob | None, Volume | None]) -> t.Any:
        cronjob, owner = seen
        if owner is not None:
            fit = recurring_job.volume_fit(state=owner.state, robustness=owner.robustness)
            if fit.state == "failed":
                return fit
        return recurring_job.scheduled(
            cronjob,
            asked.job,
            attached=owner is not None and owner.state == "attached",
            kept_detached=not versions.between(here.release, _CRONJOB_GOES),
        )

    return here.wait(
        read,
        check,
        subject=f"CronJob {name}",
        expected=f"schedule {asked.job.cron!r}, not suspended",
        advice="Longhorn makes it of the volume's recurring job; look at the longhorn-manager log.",
    )[0]
