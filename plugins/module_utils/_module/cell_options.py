# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name cells: ``cells`` of a run that was planned, ``expect`` of material in which they are found.

``plan`` says what cells are to be planned.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.records import RecordError, cell_from
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import fault_cells
from ansible_collections.longhorn.qa.plugins.module_utils._module.argspec import Spec

FAULTS = list(t.get_args(model.Fault))
TASKS = list(t.get_args(model.Task))
FAULT_TYPES = list(t.get_args(model.FaultType))
# What a run makes and takes down again. Nothing fails of what a locked bucket keeps, so that no run is about it.
RUN_FAULT_TYPES = [one for one in FAULT_TYPES if one != "object-lock"]


def spec() -> Spec:
    """The option ``cells``."""
    return {"cells": {"type": "list", "elements": "dict", "required": True, "options": _fields()}}


def found_spec() -> Spec:
    """The option ``expect``, and what is known of the default engine image."""
    return {
        "expect": {"type": "list", "elements": "dict", "default": [], "options": _fields()},
        "default_engine_faults": deletions_option(),
    }


def stated(documents: Iterable[Mapping[str, t.Any]] | None, *, option: str) -> tuple[model.Cell, ...]:
    """The cells of an option, or BadInput that names the one that is none."""
    return tuple(_cell(document, f"{option}, entry {place}") for place, document in enumerate(documents or (), start=1))


def _cell(document: Mapping[str, t.Any], subject: str) -> model.Cell:
    try:
        return cell_from({key: value for key, value in document.items() if value is not None})
    except RecordError as error:
        raise BadInput(
            "not a cell", subject=subject, seen=str(error),
            advice="A cell has volume, task, job, cronjob; it may have cron, retain, engine_image, faults, fault_type.",
        ) from error  # fmt: skip


def deletions_option() -> dict[str, t.Any]:
    """An option that is a list of deletions, none by default."""
    return {"type": "list", "elements": "str", "choices": FAULTS, "default": []}


def plan_option() -> dict[str, t.Any]:
    """The option ``plan``, by the fields of ``fault_cells.Wish``."""
    image: Spec = {
        "image": {"type": "str", "required": True},
        "broken": deletions_option(),
        "patched": {"type": "bool", "default": False},
    }
    tasks = {"type": "list", "elements": "str", "choices": TASKS, "default": ["snapshot", "backup"]}
    effects = {"type": "list", "elements": "str", "choices": list(fault_cells.EFFECTS), "default": []}
    options: Spec = {
        "engine_images": {"type": "list", "elements": "dict", "default": [], "options": image},
        "registry": {"type": "str", "default": ""},
        "tasks": tasks,
        "fault": {"type": "str", "choices": [fault_cells.AUTO, *RUN_FAULT_TYPES], "default": fault_cells.AUTO},
        "effects": effects,
        "bystander": {"type": "bool", "default": True},
        "retain": {"type": "int", "default": 1},
        "prefix": {"type": "str", "default": "qa"},
    }
    return {"type": "dict", "options": options}


def _fields() -> Spec:
    """The fields of the history's cells."""
    return {
        "volume": {"type": "str", "required": True},
        "task": {"type": "str", "required": True, "choices": TASKS},
        "job": {"type": "str", "required": True},
        "cronjob": {"type": "str", "required": True},
        "cron": {"type": "str", "default": ""},
        "retain": {"type": "int", "default": 1},
        "engine_image": {"type": "str", "default": ""},
        "faults": {"type": "list", "elements": "str", "choices": FAULTS},
        "fault_type": {"type": "str", "choices": FAULT_TYPES, "default": "engine-image"},
    }
