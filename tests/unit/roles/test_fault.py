# SPDX-License-Identifier: GPL-3.0-or-later
"""The role fault hands every option of the module on, and says so in its specification."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.longhorn.qa.plugins.module_utils._module import argspec, store_options
from ansible_collections.longhorn.qa.plugins.modules import longhorn_fault

ROLE = Path(__file__).resolve().parents[3] / "roles/fault"
TASKS = yaml.safe_load((ROLE / "tasks/main.yml").read_text(encoding="utf-8"))
SPEC = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]
OF_ALL = {"state", "store_proxy"}  # stated once for all faults


def test_every_option_of_the_module_can_be_said() -> None:
    passed = TASKS[0]["longhorn.qa.longhorn_fault"]
    assert set(longhorn_fault.OWN) | set(store_options.spec()) <= set(passed)
    assert set(argspec.owner_spec()) <= set(passed)
    assert set(SPEC["options"]["fault_faults"]["options"]) == set(longhorn_fault.OWN) - OF_ALL


def test_a_default_stands_in_the_module_only() -> None:
    for name, option in SPEC["options"]["fault_faults"]["options"].items():
        assert ("default" not in option) or option["default"] == longhorn_fault.OWN[name].get("default"), name
