# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup targets: settings up to 1.7, objects since, and the Secret that they name."""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Mapping
from datetime import datetime, timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    BadInput,
    Forbidden,
    LonghornQAError,
    TerminalState,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import backup_target, names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.backup_target import BackupTarget, TargetObject
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import (
    Fixtures,
    check_timeout,
    result,
    told,
)

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_ADVICE = "Check the address, the bucket, and the keys of the Secret; is the store running?"


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: the target is as wanted, and can be used."""
    desired = _desired(params)
    run_id = params.get("run_id") or ""
    with told():
        backup_target.validate(desired)
    check_timeout(params)
    here = Fixtures(params, client=client, clock=clock)
    here.require_longhorn(params)
    settings = here.objects.backup_target_settings()
    existing = None if settings else here.objects.backup_target(desired.name)
    with told():
        backup_target.validate(desired, release=here.release)
        if settings:
            plan = backup_target.plan(settings, desired)
        else:
            plan = backup_target.plan_object(existing, desired, run_id=run_id)
    warnings = _check_secret(here, desired, check_mode=check_mode)
    taken = existing is not None and existing.deleting and bool(plan.steps)
    if taken and not check_mode:
        _wait_gone(here, desired)
    if not settings and not (taken and check_mode):  # a name that is not free yet is refused, also in a dry run
        _ask_first(here, plan, desired, run_id=run_id)
    if not check_mode:
        _carry_out(here, plan, desired, existing=existing, run_id=run_id)
        if here.waits:
            before = settings or (existing.target if existing and not taken else None)
            _wait_or_put_back(here, plan, desired, before=before, as_object=not settings)
    previous = settings or (existing.target if existing else BackupTarget(name=desired.name))
    after = {**desired.summary(), **dict(plan.after)}
    return result(plan, warnings=warnings, backup_target=after, previous=previous.summary())


def _desired(params: Mapping[str, t.Any]) -> BackupTarget:
    name = params.get("name") or names.DEFAULT_BACKUP_TARGET
    if params["state"] == "absent":
        return BackupTarget(name=name)
    url = params.get("url") or ""
    if not url:
        raise BadInput("url is empty", expected="an address such as s3://bucket@region/", advice="Give url.")
    return BackupTarget(url, params.get("credential_secret") or "", name, params.get("poll_interval"))


def _check_secret(here: Fixtures, desired: BackupTarget, *, check_mode: bool) -> list[str]:
    """Missing keys fail here, with their names, and not minutes later inside an engine. Values are never shown."""
    if not desired.credential_secret:
        return []
    try:
        document = here.client.find(kinds.SECRETS, desired.credential_secret, namespace=here.namespace)
    except Forbidden:
        return []  # whoever may not read Secrets can still name the right one
    values = None if document is None else _decoded(document.get("data") or {})
    if values is None and check_mode:
        return [f"Secret {desired.credential_secret} does not exist"]
    problems = backup_target.secret_problems(desired.url, values, name=desired.credential_secret)
    if problems:
        raise BadInput(
            "; ".join(problems),
            subject=f"backup target {desired.url}",
            advice=f"Make the Secret complete in namespace {here.namespace}; nothing was changed.",
        )
    return []


def _decoded(data: Mapping[str, t.Any]) -> dict[str, str]:
    values = {}
    for key, value in data.items():
        try:
            values[key] = base64.b64decode(str(value)).decode("utf-8", "replace")
        except binascii.Error:
            values[key] = ""
    return values


def _ask_first(here: Fixtures, plan: Plan, desired: BackupTarget, *, run_id: str) -> None:
    """What Longhorn's webhooks refuse is told in their words before anything is changed, in check mode too."""
    for step in plan.steps:
        _write(here, step, desired, run_id=run_id, dry_run=True)


def _carry_out(
    here: Fixtures, plan: Plan, desired: BackupTarget, *, existing: TargetObject | None, run_id: str
) -> None:
    for step in plan.steps:
        if step.action == "set":
            here.manager.set_setting(step.arguments["setting"], step.arguments["value"])
        elif step.action == "change":
            wish = {"syncRequestedAt": _now(here, existing)}
            changed = Step(step.action, step.message, {"spec": {**step.arguments["spec"], **wish}})
            _write(here, changed, desired, run_id=run_id)
        else:
            _write(here, step, desired, run_id=run_id)


def _write(here: Fixtures, step: Step, desired: BackupTarget, *, run_id: str, dry_run: bool = False) -> None:
    kind = here.objects.kind("backuptargets")
    if step.action == "create":
        body = backup_target.body(step.arguments["target"], version=kind.group_version, run_id=run_id)
        here.client.create(kind, body, namespace=here.namespace, dry_run=dry_run)
    elif step.action == "change":
        patch = {"spec": step.arguments["spec"]}
        here.client.patch(kind, desired.name, patch, namespace=here.namespace, dry_run=dry_run)
    else:
        here.client.delete(kind, desired.name, namespace=here.namespace, dry_run=dry_run)


def _now(here: Fixtures, existing: TargetObject | None) -> str:
    """A moment after the manager's last look, by the server's clock, so that it looks again."""
    there = here.client.server_time()
    moments = [there.date.strftime(_TIME)] if there else []
    if existing is not None and existing.synced_at:
        last = datetime.strptime(existing.synced_at, _TIME)  # noqa: DTZ007 - written back as it was read, in UTC
        moments.append((last + timedelta(seconds=1)).strftime(_TIME))
    return max(moments, default="")


def _wait_or_put_back(
    here: Fixtures, plan: Plan, desired: BackupTarget, *, before: BackupTarget | None, as_object: bool
) -> None:
    """A bucket that is missing is only found by Longhorn, after the change; it does not stay with such a target."""
    try:
        _wait(here, desired, as_object=as_object)
    except TerminalState as error:
        if plan.steps:
            try:
                _carry_out(here, _way_back(plan, before, as_object=as_object), desired, existing=None, run_id="")
                error.advice += " The target of before was put back."
            except LonghornQAError as second:
                error.advice += f" The target of before could not be put back: {second}"
        raise


def _way_back(plan: Plan, before: BackupTarget | None, *, as_object: bool) -> Plan:
    if before is None:
        return Plan(before={}, after={}, steps=(Step("delete", ""),))
    if as_object:
        return Plan(before={}, after={}, steps=(Step("change", "", {"spec": backup_target.spec(before)}),))
    return backup_target.plan(backup_target.from_summary(plan.after), before)


def _wait(here: Fixtures, desired: BackupTarget, *, as_object: bool) -> None:
    if not desired.url:
        if as_object and desired.name != names.DEFAULT_BACKUP_TARGET:
            _wait_gone(here, desired)
        return
    subject = f"backup target {desired.url}"
    if here.objects.shape.backup_objects:
        here.wait(
            lambda: here.objects.backup_target(desired.name),
            lambda found: backup_target.available(found, desired),
            subject=subject,
            expected="that Longhorn's manager finds it available",
            advice=_ADVICE,
        )
        return
    here.wait(
        here.manager.backup_target_error,
        backup_target.listable,
        subject=subject,
        expected="that Longhorn's manager can list it",
        advice=_ADVICE,
    )


def _wait_gone(here: Fixtures, desired: BackupTarget) -> None:
    here.wait(
        lambda: here.objects.backup_target(desired.name),
        backup_target.gone,
        subject=f"backup target {desired.name}",
        expected="that it is gone",
        advice="Look at its finalizers: its backups go first.",
    )
