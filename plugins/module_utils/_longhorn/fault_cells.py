# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of a run on a given release: for each task and wanted effect, the fault that has it there.

The manual procedure's own way, an engine image for each volume, is in ``cells``; it proves something up to release 1.2.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Fault, FaultType, Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import faults, names, recurring_job, tasks, versions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import SHORT, TASKS, CellError
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.faults import Effect

AUTO = "auto"
EFFECTS: tuple[Effect, ...] = ("visible", "asynchronous", "none")
_SHORT_EFFECT: Mapping[str, str] = {"visible": "vis", "asynchronous": "asy", "none": "none"}
_SHORT_DELETION: Mapping[Fault, str] = {"snapshot-delete": "snap", "backup-delete": "back"}
# What a task deletes; the last two only purge what is deleted already.
_DELETIONS: Mapping[Task, tuple[Fault, ...]] = {
    "snapshot": ("snapshot-delete",),
    "snapshot-force-create": ("snapshot-delete",),
    "backup": ("snapshot-delete", "backup-delete"),
    "backup-force-create": ("snapshot-delete", "backup-delete"),
    "snapshot-delete": ("snapshot-delete",),
    "snapshot-cleanup": ("snapshot-delete",),
    "filesystem-trim": ("snapshot-delete",),
}
_BY_IMAGE: tuple[FaultType, ...] = ("engine-image", "patched-engine-image")
# These break the deletions of every volume, so that nobody beside the volume under test can be a control.
_FOR_ALL: tuple[FaultType, ...] = ("disable-snapshot-purge", "default-engine-image")


@dataclass(frozen=True)
class Wish:
    """What is to be tried. ``images``: ``{"image": reference, "broken": [deletions], "patched": bool}``."""

    release: str
    tasks: Sequence[str]
    run_id: str
    cron: str
    effects: Sequence[str] = ("visible",)
    fault: str = AUTO
    images: Sequence[Mapping[str, t.Any]] = ()
    retain: int = 1
    bystander: bool = True
    prefix: str = "qa"
    default_engine_faults: Sequence[Fault] = ()  # what the default engine image is said to fail


@dataclass(frozen=True)
class Planned:
    """The cells, and why other combinations that were wished for are not among them."""

    cells: tuple[Cell, ...]
    left_out: tuple[str, ...] = field(default=())


def plan_by_fault(wish: Wish) -> Planned:
    """Cells for each task and effect; CellError for a wish that no release could fulfil."""
    _refuse_bad(wish)
    made: list[Cell] = []
    left_out: list[str] = []
    for task in t.cast("Sequence[Task]", wish.tasks):
        if task not in tasks.known_to(wish.release):
            left_out.append(f"{task}: Longhorn {wish.release} has no such task")
            continue
        for effect in t.cast("Sequence[Effect]", wish.effects):
            for one in _of_effect(wish, task, effect):
                left_out.append(one) if isinstance(one, str) else made.append(one)
    alone = [cell for cell in made if cell.faults and cell.fault_type in _FOR_ALL]
    if len(alone) != len(made):
        left_out += [f"{cell.volume}: {cell.fault_type} breaks other cells too; run it alone" for cell in alone]
        made = [cell for cell in made if cell not in alone]
    cells = (cell for number, one in enumerate(made, start=1) for cell in _with_job(wish, one, number))
    return Planned(tuple(cells), tuple(left_out))


def _of_effect(wish: Wish, task: Task, effect: Effect) -> Iterator[Cell | str]:
    """The cells of one task and effect, still without the names that depend on the release; or why there is none."""
    start = "-".join(part for part in (wish.prefix, wish.run_id, SHORT[task], _SHORT_EFFECT[effect]) if part)
    plain = Cell(volume=start, task=task, job="", cronjob="", cron=wish.cron, retain=wish.retain, faults=())
    if effect == "none":
        yield plain
        return
    for deletion in _DELETIONS[task]:
        title = f"{task}, {deletion} {effect}"
        fault = _fault(wish, task, deletion, effect)
        image = _image(wish, fault, deletion) if fault is not None else None
        if fault is None:
            yield f"{title}: {_nothing(wish, task, deletion, effect)}"
        elif image is None:
            yield f"{title}: needs a {fault}, and none that fails {deletion} is given"
        else:
            yield replace(
                plain,
                volume=f"{start}-{_SHORT_DELETION[deletion]}",
                faults=_failing(wish, task, fault, deletion, image),
                fault_type=fault,
                engine_image=str(image.get("image") or ""),
            )


def _fault(wish: Wish, task: Task, deletion: Fault, effect: Effect) -> FaultType | None:
    """The fault that has this effect: the easiest, or the one that the user names if it does."""
    if wish.fault == AUTO:
        return faults.choose(wish.release, deletion, effect, task=task)
    named = t.cast(FaultType, wish.fault)
    return named if faults.effect(wish.release, named, deletion, task=task) == effect else None


def _nothing(wish: Wish, task: Task, deletion: Fault, effect: Effect) -> str:
    """Why there is no cell, and what would have the effect."""
    if wish.fault == AUTO:
        return f"nothing has this effect on Longhorn {wish.release}"
    has = faults.effect(wish.release, t.cast(FaultType, wish.fault), deletion, task=task)
    better = faults.choose(wish.release, deletion, effect, task=task)
    said = f"the effect of {wish.fault} on Longhorn {wish.release} is {has}"
    return f"{said}; use {better}" if better else said


def _image(wish: Wish, fault: FaultType, deletion: Fault) -> Mapping[str, t.Any] | None:
    """The volume's engine image: the default one, unless the image is the fault. Of several that fit the mildest."""
    if fault == "default-engine-image":
        return {"broken": wish.default_engine_faults} if deletion in wish.default_engine_faults else None
    if fault not in _BY_IMAGE:
        return {}
    fitting = [
        image
        for image in wish.images
        if deletion in (image.get("broken") or ()) and bool(image.get("patched")) == (fault == "patched-engine-image")
    ]
    return min(fitting, key=lambda image: len(image["broken"]), default=None)


def _failing(
    wish: Wish, task: Task, fault: FaultType, deletion: Fault, image: Mapping[str, t.Any]
) -> tuple[Fault, ...]:
    """All deletions that fail then: an image may fail more than the one it was taken for."""
    broken = image.get("broken") or (deletion,)
    return tuple(
        one
        for one in _DELETIONS[task]
        if one in broken and faults.effect(wish.release, fault, one, task=task) != "none"
    )


def _with_job(wish: Wish, cell: Cell, number: int) -> list[Cell]:
    """The cell with its job. Since 1.2 a bystander shares the job; it fails only where the fault is for all volumes."""
    if not versions.between(wish.release, "v1.2.0"):
        job = f"{SHORT[cell.task]}-{number}"
        return [replace(cell, job=job, cronjob=names.cronjob_name(cell.volume, job))]
    made = replace(cell, job=cell.volume, cronjob=cell.volume)
    if not (wish.bystander and cell.faults):
        return [made]
    bystander = replace(made, volume=f"{made.volume}-by")
    return [made, bystander if cell.fault_type in _FOR_ALL else replace(bystander, faults=(), engine_image="")]


def _refuse_bad(wish: Wish) -> None:
    largest = recurring_job.limits(wish.release).largest_retain
    problems = names.run_id_problems(wish.run_id) + names.retain_problems(wish.retain, largest=largest)
    for what, given, known in (("task", wish.tasks, TASKS), ("effect", wish.effects, EFFECTS)):
        problems += [f"no {what} is given; known are {', '.join(known)}"] if not given else []
        problems += [f"{what} {one!r} is unknown; known are {', '.join(known)}" for one in given if one not in known]
        problems += [f"a {what} is given twice: {', '.join(given)}"] if len(set(given)) != len(given) else []
    if wish.fault not in (AUTO, *faults.TYPES):
        problems.append(f"fault {wish.fault!r} is unknown; known are {', '.join((AUTO, *faults.TYPES))}")
    if wish.fault == "default-engine-image" and not wish.default_engine_faults:
        problems.append("fault default-engine-image needs default_engine_faults: what does the default image fail?")
    if problems:
        raise CellError("; ".join(problems))
