# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs of releases 1.0 and 1.1: entries of a volume's list, and the CronJobs that Longhorn makes of them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    BadInput,
    NotFound,
    Refused,
    TerminalState,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, recurring_job
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import (
    InvalidRequest,
    Plan,
    refuse_foreign,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import CronJob, RecurringJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import Volume
from ansible_collections.longhorn.qa.plugins.module_utils._module import cron
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import (
    Fixtures,
    check_timeout,
    result,
    told,
)


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: one recurring job of one volume is as wanted, and so is its CronJob."""
    desired = _desired(params)
    check_timeout(params)
    here = Fixtures(params, client=client, clock=clock)
    here.require_longhorn(params)
    volume = here.objects.volume(params["volume"])
    name = names.cronjob_name(params["volume"], desired.name)
    if volume is None:
        return _without_volume(params, desired, check_mode=check_mode)
    warnings = [] if params["state"] == "absent" else _check_target(here, desired, check_mode=check_mode)
    with told():
        refuse_foreign(f"volume {volume.name}", volume.labels, run_id=params.get("run_id") or "")
        plan = _plan(params, volume, desired)
    cronjob = None
    if not check_mode:
        for step in plan.steps:
            here.manager.update_recurring_jobs(volume.name, step.arguments["jobs"])
        cronjob = _cronjob(here, params, desired=desired, name=name)
    return _told(plan, params, desired=desired, cronjob=cronjob, warnings=warnings)


def _check_target(here: Fixtures, desired: RecurringJob, *, check_mode: bool) -> list[str]:
    """Without a backup target Longhorn makes no CronJob for a backup job, and says so in the manager's log only."""
    if desired.task != "backup" or here.objects.setting(names.BACKUP_TARGET_SETTING):
        return []
    if check_mode:
        return ["no backup target is set"]
    raise Refused(
        "a backup job needs a backup target, and none is set",
        subject=f"recurring job {desired.name!r}",
        expected=f"setting {names.BACKUP_TARGET_SETTING}",
        seen="an empty value",
        advice="Set it with longhorn_backup_target first.",
    )


def _desired(params: Mapping[str, t.Any]) -> RecurringJob:
    """The wanted entry; BadInput for what can be told without a cluster."""
    desired = RecurringJob(
        name=params["name"],
        task=params.get("task") or "",
        cron=" ".join((params.get("cron") or "").split()),
        retain=params["retain"],
        labels={str(key): str(value) for key, value in (params.get("labels") or {}).items()},
    )
    problems = names.volume_name_problems(params["volume"]) + names.run_id_problems(params.get("run_id") or "")
    if params["state"] == "absent":
        problems += names.job_name_problems(desired.name)
    else:
        problems += recurring_job.problems(desired)
        problems += cron.problems(desired.cron) if desired.cron else []
    if problems:
        raise BadInput("; ".join(problems), subject=f"recurring job {desired.name!r} of volume {params['volume']!r}")
    return desired


def _plan(params: Mapping[str, t.Any], volume: Volume, desired: RecurringJob) -> Plan:
    if params["state"] == "absent":
        return recurring_job.plan_absent(volume.recurring_jobs, desired.name)
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
    return recurring_job.plan_present(volume.recurring_jobs, desired)


def _without_volume(params: Mapping[str, t.Any], desired: RecurringJob, *, check_mode: bool) -> dict[str, t.Any]:
    """No volume: nothing to remove, nothing to add to; in check mode an earlier task may make it."""
    if params["state"] == "absent":
        return _told(recurring_job.plan_absent((), desired.name), params, desired=desired)
    if not check_mode:
        raise NotFound(
            "the volume does not exist",
            subject=f"volume {params['volume']}",
            advice="Make it with longhorn_volume first: on this release a recurring job is a part of its volume.",
        )
    plan = recurring_job.plan_present((), desired)
    return _told(plan, params, desired=desired, warnings=[f"volume {params['volume']} does not exist"])


def _cronjob(here: Fixtures, params: Mapping[str, t.Any], *, desired: RecurringJob, name: str) -> CronJob | None:
    """The CronJob as it is, after waiting for it if that is wanted."""
    kind = here.objects.cronjob_kind()
    if not here.waits:
        return here.objects.cronjob(name, kind=kind)
    if params["state"] == "absent":
        return here.wait(
            lambda: here.objects.cronjob(name, kind=kind),
            recurring_job.unscheduled,
            subject=f"CronJob {name}",
            expected="that Longhorn removes it",
            advice="Look at the longhorn-manager log.",
        )
    return _wait_scheduled(here, params["volume"], desired=desired, name=name, kind=kind)


def _wait_scheduled(here: Fixtures, volume: str, *, desired: RecurringJob, name: str, kind: Kind) -> CronJob | None:
    def read() -> tuple[CronJob | None, Volume | None]:
        return here.objects.cronjob(name, kind=kind), here.objects.volume(volume)

    def check(seen: tuple[CronJob | None, Volume | None]) -> t.Any:
        cronjob, owner = seen
        if owner is not None:
            fit = recurring_job.volume_fit(state=owner.state, robustness=owner.robustness)
            if fit.state == "failed":
                return fit
        return recurring_job.scheduled(cronjob, desired, attached=owner is not None and owner.state == "attached")

    return here.wait(
        read,
        check,
        subject=f"CronJob {name}",
        expected=f"schedule {desired.cron!r}, not suspended",
        advice="Longhorn makes it of the volume's recurring job; look at the longhorn-manager log.",
    )[0]


def _told(
    plan: Plan,
    params: Mapping[str, t.Any],
    *,
    desired: RecurringJob,
    cronjob: CronJob | None = None,
    warnings: list[str] | None = None,
) -> dict[str, t.Any]:
    present = params["state"] == "present"
    name = names.cronjob_name(params["volume"], desired.name)
    found = cronjob or CronJob(name=name, uid="", schedule=desired.cron if present else "", suspend=False)
    job = {**desired.summary(), "volume": params["volume"]} if present else {}
    return result(plan, warnings=warnings or [], recurring_job=job, cronjob=found.summary() if present else {})
