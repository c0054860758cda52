# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``cells``: the volumes of a run and what is expected of each."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._module.argspec import Spec

FAULTS = ["snapshot-delete", "backup-delete"]


def spec() -> Spec:
    """The option, with its suboptions: the fields of the history's cells."""
    options: Spec = {
        "volume": {"type": "str", "required": True},
        "task": {"type": "str", "required": True, "choices": ["snapshot", "backup"]},
        "job": {"type": "str", "required": True},
        "cronjob": {"type": "str", "required": True},
        "cron": {"type": "str", "default": ""},
        "retain": {"type": "int", "default": 1},
        "engine_image": {"type": "str", "default": ""},
        "faults": {"type": "list", "elements": "str", "choices": FAULTS},
    }
    return {"cells": {"type": "list", "elements": "dict", "required": True, "options": options}}
