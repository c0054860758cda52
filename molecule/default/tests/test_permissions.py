# SPDX-License-Identifier: GPL-3.0-or-later
"""The run had exactly the rights of rbac/run.yml; it was refused nothing, and there is nothing it did not need."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import permissions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import Permission

WHO = "system:serviceaccount:longhorn-system:longhorn-qa-run"
LONGHORN = "longhorn-system"
# Faults of their own, and what only later releases have, are not asked for here.
FAULTS = (permissions.ADMISSION, permissions.REFUSING_STORE, permissions.PROXY, permissions.BUCKET)
ELSEWHERE = {
    # Only where the store shares its namespace with something else; here the namespaces go as a whole.
    ("delete", "services", "store"),
    ("delete", "deployments", "store"),
    ("update", "configmaps", "longhorn"),  # when longhorn_setting changes a setting for the run
}
Asked = dict[str, t.Any]


@pytest.fixture(scope="module", name="asked")
def _asked() -> list[Asked]:
    lines = Path(os.environ["LAB_REQUESTS"]).read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["user"]["username"] == WHO]


def uses(event: Asked, row: Permission) -> bool:
    """Whether a request is one that the row is about."""
    about = event.get("objectRef") or {}
    namespace = about.get("namespace", "")
    inside = (namespace == LONGHORN) == (row.scope == "longhorn")
    return (
        inside
        and event["verb"] == row.verb
        and about.get("apiGroup", "") == row.group
        and about.get("resource") == row.resource
        and about.get("subresource", "") == row.subresource
        and (not row.names or about.get("name") in row.names)
    )


def test_nothing_was_refused(asked: list[Asked]) -> None:
    refused = [(event["verb"], event["requestURI"]) for event in asked if event["responseStatus"]["code"] == 403]
    assert len(asked) > 200
    assert refused == []


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row.told("its namespace"))
        for row in permissions.granted("run")
        if (row.verb, row.resource, row.scope) not in ELSEWHERE and not row.since and row.when not in FAULTS
    ],
)
def test_each_permission_was_used(asked: list[Asked], row: Permission) -> None:
    assert any(uses(event, row) for event in asked), f"{row.told()} was granted and never needed"
