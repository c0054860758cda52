# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two shapes of recurring jobs have in common: the wish, and what is told in the end."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import Plan
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import (
    CronJob,
    RecurringJob,
    limits,
    problems,
)
from ansible_collections.longhorn.qa.plugins.module_utils._module import cron
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures, result

BACKUP_TASKS = ("backup", "backup-force-create")


@dataclass(frozen=True)
class Wanted:
    """One job, and the volumes it is asked for."""

    job: RecurringJob
    volumes: tuple[str, ...]
    present: bool
    run_id: str = ""

    @property
    def subject(self) -> str:
        """For messages."""
        of = f" of volume {', '.join(self.volumes)}" if self.volumes else ""
        return f"recurring job {self.job.name!r}{of}"


def wanted(params: Mapping[str, t.Any]) -> Wanted:
    """The options as a wish; BadInput for what is wrong on every release."""
    found = Wanted(
        job=RecurringJob(
            name=params["name"],
            task=params.get("task") or "",
            cron=" ".join((params.get("cron") or "").split()),
            retain=params["retain"],
            labels=_texts(params.get("labels")),
            groups=tuple(dict.fromkeys(params.get("groups") or ())),
            concurrency=params["concurrency"],
            parameters=_texts(params.get("parameters")),
        ),
        volumes=tuple(dict.fromkeys([*filter(None, [params.get("volume")]), *(params.get("volumes") or ())])),
        present=params["state"] == "present",
        run_id=params.get("run_id") or "",
    )
    wrong = names.run_id_problems(found.run_id)
    wrong += [problem for name in found.volumes for problem in names.volume_name_problems(name)]
    if found.job.concurrency < 1:  # which no webhook refuses, and with which a job never ends
        wrong.append(f"concurrency {found.job.concurrency} is not allowed; it must be at least 1")
    if not found.job.name:
        wrong += names.job_name_problems("")
    refuse(found, wrong)
    return found


def judge(here: Fixtures, asked: Wanted) -> None:
    """BadInput for what this release does not allow; only where nothing in the cluster judges it."""
    known = limits(here.release)
    if not asked.present:
        refuse(asked, names.job_name_problems(asked.job.name, longest=known.longest_name))
        return
    found = problems(asked.job, known)
    refuse(asked, found + (cron.problems(asked.job.cron) if asked.job.cron else []))


def refuse(asked: Wanted, wrong: Sequence[str]) -> None:
    """BadInput when there is anything wrong."""
    if wrong:
        raise BadInput("; ".join(wrong), subject=asked.subject)


def outcome(
    plan: Plan,
    asked: Wanted,
    *,
    job: Mapping[str, t.Any],
    cronjobs: Mapping[str, CronJob | None],
    warnings: list[str] | None = None,
) -> dict[str, t.Any]:
    """What the module returns; a CronJob that is not there yet is told by the name it will have."""
    shown = [
        (found or CronJob(name=name, uid="", schedule=asked.job.cron, suspend=False)).summary()
        for name, found in cronjobs.items()
    ]
    return result(
        plan,
        warnings=warnings or [],
        recurring_job=dict(job) if asked.present else {},
        cronjob=shown[0] if asked.present and shown else {},
        cronjobs=shown if asked.present else [],
    )


def _texts(values: Mapping[str, t.Any] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (values or {}).items()}
