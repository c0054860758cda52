# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what Longhorn has, by parts. Finding nothing is an answer; not being able to look is a failure."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.artefacts import Backup
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job_object import JobObject, covered
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import UnknownRelease, choose_release
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures

SUBSETS = (
    "release",
    "nodes",
    "engine_images",
    "volumes",
    "settings",
    "recurring_jobs",
    "snapshots",
    "backups",
    "backup_targets",
    "all",
)


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
        "snapshots": lambda: {"snapshots": [snapshot.summary() for snapshot in here.objects.snapshots()]},
        "backups": lambda: {"backups": [backup.summary() for backup in _backups(here)]},
        "backup_targets": lambda: {"backup_targets": _backup_targets(here)},
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
    """One entry for each volume's job up to 1.1, one for each job since, with the volumes it runs for."""
    volumes = here.objects.volumes()
    if here.objects.shape.job_objects:
        labels = {volume.name: volume.labels for volume in volumes}
        return [_object(one, covered(one.job, labels)) for one in here.objects.recurring_jobs()]
    return [
        {
            **job.summary(),
            "volume": volume.name,
            "volumes": [volume.name],
            "cronjob": names.cronjob_name(volume.name, job.name),
            "execution_count": None,
        }
        for volume in volumes
        for job in volume.recurring_jobs
    ]


def _object(one: JobObject, volumes: tuple[str, ...]) -> dict[str, t.Any]:
    first = volumes[0] if volumes else ""
    return {**one.summary(), "volume": first, "volumes": list(volumes), "cronjob": one.job.name}


def _backups(here: Fixtures) -> tuple[Backup, ...]:
    if here.objects.shape.backup_objects:
        return here.objects.backups()
    if not here.objects.setting(names.BACKUP_TARGET_SETTING):
        return ()  # the manager answers with an error then, but there is simply nothing
    return tuple(backup for volume in here.manager.backup_volumes() for backup in here.manager.backups(volume))


def _backup_targets(here: Fixtures) -> list[dict[str, t.Any]]:
    """Each with the manager's word on it, where the manager has one."""
    settings = here.objects.backup_target_settings()
    objects = here.objects.backup_targets() if here.objects.shape.backup_objects else ()
    if settings is None:
        return [one.summary() for one in sorted(objects, key=lambda one: one.target.name)]
    told = {one.target.name: one.available for one in objects}
    return [{**settings.summary(), "available": told.get(settings.name)}]
