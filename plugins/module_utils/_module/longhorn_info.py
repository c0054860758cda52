# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what Longhorn has, by parts. Finding nothing is an answer; not being able to look is a failure."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import UnknownRelease, choose_release
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures

SUBSETS = ("release", "nodes", "engine_images", "volumes", "settings", "recurring_jobs", "backups", "all")


def run(params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None) -> dict[str, t.Any]:
    """The module. ``check_mode`` makes no difference: nothing is changed."""
    del check_mode
    here = Fixtures(params, client=client)
    default_image = here.objects.require_longhorn()
    readers: dict[str, Callable[[], dict[str, t.Any]]] = {
        "release": lambda: _release(here, params),
        "nodes": lambda: {"nodes": [node.summary() for node in here.objects.nodes()]},
        "engine_images": lambda: {
            "engine_images": [
                image.summary(default=image.image == default_image) for image in here.objects.engine_images()
            ]
        },
        "volumes": lambda: {"volumes": [volume.summary() for volume in here.objects.volumes()]},
        "settings": lambda: {"settings": here.objects.settings()},
        "recurring_jobs": lambda: {"recurring_jobs": _recurring_jobs(here)},
        "backups": lambda: {"backups": _backups(here)},
    }
    wanted = params["gather_subset"]
    result: dict[str, t.Any] = {"changed": False}
    for name, read in readers.items():
        if name in wanted or "all" in wanted:
            result |= read()
    return result


def _release(here: Fixtures, params: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The release, or an empty one with a warning: for a look it need not be known."""
    image = here.objects.manager_image()
    try:
        release = choose_release(stated=params.get("longhorn_release") or "", manager_image=image)
    except UnknownRelease as error:
        return {"release": "", "manager_image": image, "warnings": [str(error)]}
    return {"release": release, "manager_image": image}


def _recurring_jobs(here: Fixtures) -> list[dict[str, t.Any]]:
    return [
        {**job.summary(), "volume": volume.name, "cronjob": names.cronjob_name(volume.name, job.name)}
        for volume in here.objects.volumes()
        for job in volume.recurring_jobs
    ]


def _backups(here: Fixtures) -> list[dict[str, t.Any]]:
    if not here.objects.setting(names.BACKUP_TARGET_SETTING):
        return []  # the manager answers with an error then, but there is simply nothing
    return [
        {**dataclasses.asdict(backup), "labels": dict(backup.labels)}
        for volume in here.manager.backup_volumes()
        for backup in here.manager.backups(volume)
    ]
