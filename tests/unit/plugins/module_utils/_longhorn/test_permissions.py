# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of permissions, and that what is made of it is up to date."""

from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import permissions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import Permission

READING = {"get", "list", "watch"}


def test_an_audit_only_reads() -> None:
    assert {row.verb for row in permissions.granted("audit")} <= READING


def test_a_report_may_do_nothing() -> None:
    assert permissions.granted("report") == ()


def test_no_row_is_there_twice() -> None:
    rows = [(row.verb, row.group, row.target, row.scope, mode) for row in permissions.PERMISSIONS for mode in row.modes]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("row", [pytest.param(row, id=row.told("it")) for row in permissions.PERMISSIONS])
def test_each_row_says_what_it_is_for(row: Permission) -> None:
    assert row.why[0].islower()
    assert row.modes
    assert f"(to {row.why})" in row.told("longhorn-system")
    assert ("*" in row.verb + row.resource + row.group) is False


@pytest.mark.parametrize(
    ("circumstances", "wanted", "unwanted"),
    [
        pytest.param((), ("list", "jobs"), ("create", "jobs"), id="on schedule"),
        pytest.param((permissions.TRIGGER,), ("create", "jobs"), ("create", "deployments"), id="by hand"),
        pytest.param((permissions.STORE,), ("get", "services"), ("create", "secrets"), id="a store that is given"),
        pytest.param((permissions.OWN_STORE,), ("create", "deployments"), ("create", "namespaces"), id="its own store"),
        pytest.param((permissions.OWN_NAMESPACE,), ("create", "namespaces"), ("create", "jobs"), id="and a namespace"),
    ],
)
def test_what_is_needed_depends_on_the_run(
    circumstances: tuple[permissions.When, ...], wanted: tuple[str, str], unwanted: tuple[str, str]
) -> None:
    found = {(row.verb, row.resource) for row in permissions.needed("run", *circumstances)}
    assert wanted in found
    assert unwanted not in found


def test_rules_give_each_row_and_nothing_else() -> None:
    for mode in permissions.MODES:
        for scope in ("longhorn", "store", "cluster"):
            rows = [row for row in permissions.granted(mode) if row.scope == scope]
            given = {
                (verb, group, resource, tuple(rule.get("resourceNames", ())))
                for rule in permissions.rules(rows)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
            assert given == {(row.verb, row.group, row.target, row.names) for row in rows}


SINCE_1_2 = {"recurringjobs", "backups", "backuptargets", "backupvolumes"}
LATER = {*SINCE_1_2, "snapshots", "volumeattachments"}


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        pytest.param("2020-06", set(), id="not there yet"),
        pytest.param("v1.2.6", SINCE_1_2, id="backups are objects"),
        pytest.param("v1.4.4", {*SINCE_1_2, "snapshots"}, id="and snapshots"),
        pytest.param("v1.12.1", LATER, id="all of them"),
        pytest.param("", LATER, id="any release"),
    ],
)
def test_what_a_release_does_not_have_is_not_needed_there(release: str, expected: set[str]) -> None:
    later = {row.resource for row in permissions.granted("run") if row.since}
    assert {row.resource for row in permissions.needed("run", release=release)} & later == expected
