# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of a cluster that nobody planned: one for each recurring job that is found.

Nobody has said what should fail there, so nothing is expected of deletions, neither failure nor success.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._history import objects
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, StoredBackup, Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job_object import (
    ENABLED,
    group_label,
    job_label,
)

_TASKS: Mapping[str, Task] = {task: task for task in t.get_args(Task)}

Documents = Iterable[Mapping[str, t.Any]]


def cells_of(*, volumes: Documents, cronjobs: Documents, recurring_jobs: Documents = ()) -> tuple[Cell, ...]:
    """A cell for each volume's recurring job, and for each CronJob of Longhorn's that no volume tells of.

    A volume has its jobs in a list of its own (up to 1.1), or names them, or groups of them, by its labels (since 1.2).
    """
    volumes = tuple(volumes)
    found = [cell for document in cronjobs for cell in _of_cronjob(document)]
    found += [cell for document in volumes for cell in _of_volume(document)]
    found += [cell for job in recurring_jobs for volume in volumes for cell in _of_recurring_job(job, volume)]
    cells = {(cell.cronjob, cell.volume): cell for cell in found}
    return tuple(cells[key] for key in sorted(cells))


def cells_of_backups(backups: Iterable[StoredBackup], *, known: Iterable[Cell]) -> tuple[Cell, ...]:
    """A cell for each recurring job whose backups are in the store, and nothing else of it is left.

    When it ran is in no backup, so such a cell has no schedule.
    """
    taken = {(cell.volume, cell.job) for cell in known}
    found = {(backup.volume, backup.labels.get(objects.JOB_LABEL, "")) for backup in backups}
    return tuple(
        Cell(volume=volume, task="backup", job=job, cronjob=names.cronjob_name(volume, job))
        for volume, job in sorted(found - taken)
        if job
    )


def _of_volume(document: Mapping[str, t.Any]) -> list[Cell]:
    spec = objects.mapping(document, "spec")
    volume = objects.text(objects.mapping(document, "metadata"), "name")
    cells = []
    for job in objects.items(spec, "recurringJobs"):
        name, task = objects.text(job, "name"), _TASKS.get(objects.text(job, "task"))
        if volume and name and task:
            retain = job.get("retain")
            cells.append(
                Cell(
                    volume=volume,
                    task=task,
                    job=name,
                    cronjob=names.cronjob_name(volume, name),
                    cron=objects.text(job, "cron"),
                    retain=retain if isinstance(retain, int) and retain > 0 else 1,
                    engine_image=objects.text(spec, "engineImage"),
                )
            )
    return cells


def _of_recurring_job(job: Mapping[str, t.Any], volume: Mapping[str, t.Any]) -> list[Cell]:
    spec, metadata = objects.mapping(job, "spec"), objects.mapping(volume, "metadata")
    name, task = objects.text(objects.mapping(job, "metadata"), "name"), _TASKS.get(objects.text(spec, "task"))
    labels = objects.mapping(metadata, "labels")
    groups = [group for group in spec.get("groups") or () if isinstance(group, str)]
    keys = [job_label(name), *map(group_label, groups)]
    if task is None or not any(labels.get(key) == ENABLED for key in keys):
        return []
    wanted = objects.mapping(volume, "spec")
    retain = spec.get("retain")
    return [
        Cell(
            volume=objects.text(metadata, "name"),
            task=task,
            job=name,
            cronjob=name,
            cron=objects.text(spec, "cron"),
            retain=retain if isinstance(retain, int) and retain > 0 else 1,
            engine_image=objects.text(wanted, "image") or objects.text(wanted, "engineImage"),
        )
    ]


def _of_cronjob(document: Mapping[str, t.Any]) -> list[Cell]:
    metadata = objects.mapping(document, "metadata")
    name = objects.text(metadata, "name")
    volume = objects.text(objects.mapping(metadata, "labels"), objects.VOLUME_LABEL)
    if not (volume and name.startswith(volume + "-") and name.endswith("-c")):
        return []
    spec = objects.mapping(document, "spec")
    command = _command(spec)
    return [
        Cell(
            volume=volume,
            task="backup" if "--backup" in command or "--backuptarget" in command else "snapshot",
            job=name[len(volume) + 1 : -2],
            cronjob=name,
            cron=objects.text(spec, "schedule"),
            retain=_retain(command),
        )
    ]


def _command(spec: Mapping[str, t.Any]) -> list[str]:
    template = objects.mapping(objects.mapping(spec, "jobTemplate"), "spec")
    containers = objects.items(objects.mapping(objects.mapping(template, "template"), "spec"), "containers")
    words: list[t.Any] = [word for item in containers for key in ("command", "args") for word in item.get(key) or []]
    return [word for word in words if isinstance(word, str)]


def _retain(command: list[str]) -> int:
    place = command.index("--retain") + 1 if "--retain" in command else len(command)
    return int(command[place]) if place < len(command) and command[place].isdecimal() else 1
