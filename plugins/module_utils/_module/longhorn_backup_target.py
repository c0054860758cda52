# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup target of releases up to 1.7: two settings, and the Secret that the second one names."""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Forbidden
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import backup_target, names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.backup_target import BackupTarget
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import (
    Fixtures,
    check_timeout,
    result,
    told,
)


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: the target is as wanted, and can be used."""
    desired = _desired(params)
    with told():
        backup_target.validate(desired)
    check_timeout(params)
    here = Fixtures(params, client=client, clock=clock)
    here.require_longhorn(params)
    existing = BackupTarget(
        url=here.objects.setting(names.BACKUP_TARGET_SETTING),
        credential_secret=here.objects.setting(names.BACKUP_SECRET_SETTING),
    )
    with told():
        plan = backup_target.plan(existing, desired)
    warnings = _check_secret(here, desired, check_mode=check_mode)
    if not check_mode:
        for step in plan.steps:
            setting = names.BACKUP_TARGET_SETTING if step.action == "set_url" else names.BACKUP_SECRET_SETTING
            here.manager.set_setting(setting, step.arguments["value"])
        if here.waits and desired.url:
            _wait(here, desired)
    return result(plan, warnings=warnings, backup_target=desired.summary(), previous=existing.summary())


def _desired(params: Mapping[str, t.Any]) -> BackupTarget:
    if params["state"] == "absent":
        return BackupTarget()
    url = params.get("url") or ""
    if not url:
        raise BadInput("url is empty", expected="an address such as s3://bucket@region/", advice="Give url.")
    return BackupTarget(url=url, credential_secret=params.get("credential_secret") or "")


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


def _wait(here: Fixtures, desired: BackupTarget) -> None:
    here.wait(
        here.manager.backup_target_error,
        backup_target.available,
        subject=f"backup target {desired.url}",
        expected="that Longhorn's manager can list it",
        advice="Check the address, the bucket, and the keys of the Secret; is the store running?",
    )
