# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name cells: ``cells`` of a run that was planned, ``expect`` of material in which they are found."""

from __future__ import annotations

import typing as t

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._module.argspec import Spec

FAULTS = ["snapshot-delete", "backup-delete"]


def spec() -> Spec:
    """The option ``cells``."""
    return {"cells": {"type": "list", "elements": "dict", "required": True, "options": _fields()}}


def found_spec() -> Spec:
    """The option ``expect``, and what is known of the default engine image."""
    return {
        "expect": {"type": "list", "elements": "dict", "default": [], "options": _fields()},
        "default_engine_faults": {"type": "list", "elements": "str", "choices": FAULTS, "default": []},
    }


def _fields() -> Spec:
    """The fields of the history's cells."""
    return {
        "volume": {"type": "str", "required": True},
        "task": {"type": "str", "required": True, "choices": ["snapshot", "backup"]},
        "job": {"type": "str", "required": True},
        "cronjob": {"type": "str", "required": True},
        "cron": {"type": "str", "default": ""},
        "retain": {"type": "int", "default": 1},
        "engine_image": {"type": "str", "default": ""},
        "faults": {"type": "list", "elements": "str", "choices": FAULTS},
        "fault_type": {"type": "str", "choices": list(t.get_args(model.FaultType)), "default": "engine-image"},
    }
