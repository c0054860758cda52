# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of a run: one volume for each engine image and task, with names that fit and the faults to expect."""

from __future__ import annotations

import hashlib
import re
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Fault, Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import faults, names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.faults import Effect

FAULTS: tuple[Fault, ...] = t.get_args(Fault)
TASKS: tuple[Task, ...] = t.get_args(Task)
_MAKE_SOMETHING: tuple[Task, ...] = ("snapshot", "backup")  # what the procedure's own way is about

# <volume>-<job, 8>-c-<tick, 10 digits>-<5> is a pod's name and has to stay whole within 63 characters.
_LONGEST_VOLUME_NAME = 63 - len("-12345678-c-1234567890-abcde")
SHORT: Mapping[Task, str] = {
    "snapshot": "snap",
    "backup": "back",
    "snapshot-force-create": "snpf",
    "backup-force-create": "bckf",
    "snapshot-delete": "sdel",
    "snapshot-cleanup": "scln",
    "filesystem-trim": "trim",
}


class CellError(ValueError):
    """Images, tasks or numbers from which no cells can be made; the message names the one that is wrong."""


def plan_cells(
    images: Sequence[Mapping[str, t.Any]],
    tasks: Sequence[str],
    *,
    run_id: str,
    cron: str,
    retain: int = 1,
    prefix: str = "qa",
) -> tuple[Cell, ...]:
    """One cell for each image and task, in that order.

    An image is ``{"image": reference, "broken": [faults]}``; an empty reference is the default engine image.
    """
    _refuse([*_task_problems(tasks), *_image_problems(images), *names.run_id_problems(run_id)])
    _refuse(names.retain_problems(retain))
    cells: list[Cell] = []
    for number, image in enumerate(images, start=1):
        reference = str(image.get("image") or "")
        slug = _slug(reference, prefix=prefix, run_id=run_id, taken={cell.volume for cell in cells})
        for task in t.cast(Sequence[Task], tasks):
            volume = "-".join(part for part in (prefix, run_id, slug, SHORT[task]) if part)
            _refuse(names.volume_name_problems(volume))
            job = f"{SHORT[task]}-{number}"
            _refuse(names.job_name_problems(job))
            cell = Cell(
                volume=volume,
                task=task,
                job=job,
                cronjob=names.cronjob_name(volume, job),
                cron=cron,
                retain=retain,
                engine_image=reference,
                faults=_faults(image, task),
            )
            cells.append(cell)
    return tuple(cells)


def effect_in(cell: Cell, release: str, fault: Fault, default_engine_faults: Sequence[Fault] = ()) -> Effect:
    """What the cell's own kind of fault does to that deletion; if nothing, what the default engine image does."""
    own = faults.effect(release, cell.fault_type, fault, task=cell.task)
    if own != "none" or fault not in default_engine_faults:
        return own
    return faults.effect(release, "default-engine-image", fault, task=cell.task)


def vacuous_faults(cell: Cell, release: str, default_engine_faults: Sequence[Fault] = ()) -> tuple[Fault, ...]:
    """The cell's expected faults that its kind of fault never makes happen on this release."""
    return tuple(
        fault
        for fault in cell.faults or ()
        if effect_in(cell, release, fault, default_engine_faults) not in ("visible", "asynchronous")
    )


def _faults(image: Mapping[str, t.Any], task: Task) -> tuple[Fault, ...]:
    deletions: set[Fault] = {"snapshot-delete"} if task == "snapshot" else {"snapshot-delete", "backup-delete"}
    return tuple(fault for fault in FAULTS if fault in deletions and fault in (image.get("broken") or ()))


def _slug(reference: str, *, prefix: str, run_id: str, taken: set[str]) -> str:
    """A readable part of a volume's name: the image's tag, shortened by a checksum where it is long or taken."""
    name = reference.partition("@")[0].rpartition("/")[2]
    text = name.partition(":")[2] or name or "default"
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "image"
    room = _LONGEST_VOLUME_NAME - len(f"{prefix}-{run_id}-") - len("-back")
    if len(slug) <= room and not any(f"-{slug}-{short}" in volume for volume in taken for short in SHORT.values()):
        return slug
    checksum = hashlib.sha512(reference.encode()).hexdigest()[:6]
    return f"{slug[: max(room - 7, 0)].rstrip('-')}-{checksum}".strip("-")


def _task_problems(tasks: Sequence[str]) -> list[str]:
    known = ", ".join(_MAKE_SOMETHING)
    if not tasks:
        return [f"no task is given; known are {known}"]
    unknown = [f"task {task!r} is unknown here; known are {known}" for task in tasks if task not in _MAKE_SOMETHING]
    return unknown + ([f"a task is given twice: {', '.join(tasks)}"] if len(set(tasks)) != len(tasks) else [])


def _image_problems(images: Sequence[Mapping[str, t.Any]]) -> list[str]:
    if not images:
        return ["no engine image is given"]
    problems: list[str] = []
    references = [str(image.get("image") or "") for image in images]
    for image, reference in zip(images, references, strict=True):
        problems += names.image_problems(reference) if reference else []
        for fault in image.get("broken") or ():
            if fault not in FAULTS:
                problems.append(f"image {reference!r}: fault {fault!r} is unknown; known are {', '.join(FAULTS)}")
    twice = sorted({reference for reference in references if references.count(reference) > 1})
    return problems + [f"image {reference!r} is given twice" for reference in twice]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise CellError("; ".join(problems))
