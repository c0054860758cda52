# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a CronJob now: what the module of this name does."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import trigger


def run(params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None) -> dict[str, t.Any]:
    """The module: one Job of the CronJob ``cronjob``."""
    client = client or connect(params)
    try:
        job, before = _made(client, params, dry_run=check_mode)
    except NotFound as error:
        if not check_mode:
            raise
        # An earlier task of the same play may only have planned it.
        return {"changed": True, "job": {}, "warnings": [f"Planned blindly: {error}"]}
    if before is not None:
        return {"changed": False, "job": _told(before)}
    told = _told(job)
    return {
        "changed": True,
        "job": told,
        "diff": {"before": "", "after": f"Job {params['namespace']}/{told['name']}\n"},
    }


def _made(client: Client, params: Mapping[str, t.Any], *, dry_run: bool) -> tuple[Object, Object | None]:
    client.require_namespace(params["namespace"])
    name = params.get("name") or ""
    return trigger(client, namespace=params["namespace"], cronjob=params["cronjob"], name=name, dry_run=dry_run)


def _told(job: Mapping[str, t.Any]) -> dict[str, str]:
    metadata = job.get("metadata") or {}
    return {name: str(metadata.get(name, "")) for name in ("name", "namespace", "uid")}
