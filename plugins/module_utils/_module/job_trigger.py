# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a CronJob now: what the module of this name does."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import trigger


def run(params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None) -> dict[str, t.Any]:
    """The module: one Job of the CronJob ``cronjob``."""
    client = client or connect(params)
    client.require_namespace(params["namespace"])
    job, before = trigger(
        client,
        namespace=params["namespace"],
        cronjob=params["cronjob"],
        name=params.get("name") or "",
        dry_run=check_mode,
    )
    if before is not None:
        return {"changed": False, "job": _told(before)}
    told = _told(job)
    return {
        "changed": True,
        "job": told,
        "diff": {"before": "", "after": f"Job {params['namespace']}/{told['name']}\n"},
    }


def _told(job: Mapping[str, t.Any]) -> dict[str, str]:
    metadata = job.get("metadata") or {}
    return {name: str(metadata.get(name, "")) for name in ("name", "namespace", "uid")}
