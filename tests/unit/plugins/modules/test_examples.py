# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of every module are tasks that the module itself would accept."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

ROOT = Path(__file__).resolve().parents[4]
NAMES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
TASK = {"name", "register", "check_mode", "loop", "loop_control", "when", "failed_when", "ignore_errors", "vars"}
RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")


class Seen(Exception):
    """What a module told AnsibleModule."""

    def __init__(self, **options: t.Any) -> None:
        super().__init__()
        self.options = options


def imported(name: str) -> t.Any:
    return importlib.import_module(f"ansible_collections.longhorn.qa.plugins.modules.{name}")


def validator(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleArgumentSpecValidator:
    module = imported(name)

    def told(**options: t.Any) -> t.NoReturn:
        raise Seen(**options)

    monkeypatch.setattr(module, "AnsibleModule", told)
    with pytest.raises(Seen) as seen:
        module.main()
    options = seen.value.options
    return ModuleArgumentSpecValidator(options["argument_spec"], **{rule: options.get(rule) for rule in RULES})


def tasks(name: str) -> list[dict[str, t.Any]]:
    found: list[dict[str, t.Any]] = yaml.safe_load(imported(name).EXAMPLES)
    return found


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in NAMES])
def test_examples_are_tasks_the_module_accepts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    accepts = validator(name, monkeypatch)
    assert tasks(name)
    own = 0
    for task in tasks(name):
        (action,) = set(task) - TASK
        assert task["name"]
        if action != f"longhorn.qa.{name}":
            continue
        own += 1
        # What a template stands for is only known at run time.
        options = {key: value for key, value in (task[action] or {}).items() if "{{" not in str(value)}
        left_out = set(task[action] or {}) - set(options)
        told = accepts.validate(options).error_messages
        assert [message for message in told if not any(key in message for key in left_out)] == [], task["name"]
    assert own


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in NAMES])
def test_warnings_are_told_in_ansibles_way(name: str) -> None:
    """As a part of the result they would be a deprecation warning themselves."""
    folder = ROOT / "plugins/module_utils/_module"
    own = (folder / f"{name}.py").read_text(encoding="utf-8")
    if '"warnings"' in own or "warnings=" in own:
        assert "module.warn(" in (ROOT / f"plugins/modules/{name}.py").read_text(encoding="utf-8")
