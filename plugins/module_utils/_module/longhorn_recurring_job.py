# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs, in the shape that this Longhorn has them: entries of volumes' lists, or objects."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._module import recurring_job_lists, recurring_job_objects
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures, check_timeout
from ansible_collections.longhorn.qa.plugins.module_utils._module.recurring_jobs import wanted


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: one recurring job is as wanted, and so is its CronJob."""
    asked = wanted(params)
    check_timeout(params)
    here = Fixtures(params, client=client, clock=clock)
    here.require_longhorn(params)
    shape = recurring_job_objects if here.objects.shape.job_objects else recurring_job_lists
    return shape.run(here, asked, check_mode=check_mode)
