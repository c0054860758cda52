# SPDX-License-Identifier: GPL-3.0-or-later
"""One of Longhorn's settings: set, or put back as the run's journal has it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, setting
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.setting import Setting
from ansible_collections.longhorn.qa.plugins.module_utils._module import run_journal
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import Fixtures, check_timeout, result


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: the setting has the wanted value, or the one it had before the run."""
    run_id = params.get("run_id") or ""
    _check(params, run_id)
    check_timeout(params)
    here = Fixtures(params, client=client, clock=clock)
    here.objects.require_longhorn()
    existing = _existing(here, params["name"])
    journal, warnings = _journal(here, run_id, check_mode=check_mode)
    if params["state"] == "present":
        wanted = setting.text(params["value"])
    else:
        wanted = journal.settings.get(existing.name, existing.value) if journal else existing.value
    plan = setting.plan(existing, wanted)
    if not check_mode:
        for step in plan.steps:
            if run_id and params["state"] == "present":
                run_journal.note(
                    here.client, here.namespace, run_id, lambda now: now.with_setting(existing.name, existing.value)
                )
            here.manager.set_setting(existing.name, step.arguments["value"])
    found = existing if check_mode else _settled(here, existing, wanted)
    shown = {**found.summary(), "value": wanted} if check_mode and plan.changed else found.summary()
    return result(plan, warnings=warnings, setting=shown, previous=existing.value)


def _check(params: Mapping[str, t.Any], run_id: str) -> None:
    problems = names.run_id_problems(run_id)
    if not params["name"]:
        problems.append("name is empty")
    if params["state"] == "restored" and not run_id:
        problems.append("state restored needs run_id, whose journal tells the value before the run")
    if problems:
        raise BadInput("; ".join(problems), subject=f"setting {params['name']}")


def _existing(here: Fixtures, name: str) -> Setting:
    found = here.objects.setting_object(name)
    if found is not None:
        return found
    meant = setting.similar(name, here.objects.settings())
    raise NotFound(
        "this Longhorn has no such setting",
        subject=f"setting {name}",
        expected=f"one such as {', '.join(meant)}" if meant else "",
        advice="Settings come and go with releases: longhorn_info with gather_subset settings shows all.",
    )


def _journal(here: Fixtures, run_id: str, *, check_mode: bool) -> tuple[Journal | None, list[str]]:
    """The run's journal, if there is a run; in check mode an earlier task may only have planned to open it."""
    if not run_id:
        return None, []
    try:
        return run_journal.require(here.client, here.namespace, run_id), []
    except NotFound as error:
        if not check_mode:
            raise
        return None, [str(error)]


def _settled(here: Fixtures, existing: Setting, wanted: str) -> Setting:
    """As it is in the end; Longhorn may take a moment to apply it."""
    if not here.waits:
        return here.objects.setting_object(existing.name) or existing
    found = here.wait(
        lambda: here.objects.setting_object(existing.name),
        lambda seen: setting.settled(seen, wanted),
        subject=f"setting {existing.name}",
        expected=f"value {wanted!r}, applied",
        advice="Some settings are only applied when all volumes are detached; the longhorn-manager log tells why.",
    )
    return found or existing
