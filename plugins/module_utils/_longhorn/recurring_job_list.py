# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs as releases 1.0 and 1.1 have them: entries in a volume's list, written as a whole."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import (
    Limits,
    RecurringJob,
    problems,
)


def plan_present(existing: Sequence[RecurringJob], desired: RecurringJob, known: Limits) -> Plan:
    """Add or change one entry; the others stay, in their order."""
    wrong = problems(desired, known, existing=existing)
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
