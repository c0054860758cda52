# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests in rbac/ and the page about permissions are what build/rbac.py would write now."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def objects(mode: str) -> list[dict[str, t.Any]]:
    return list(yaml.safe_load_all((ROOT / "rbac" / f"{mode}.yml").read_text(encoding="utf-8")))


def test_the_generated_files_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "build/rbac.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_report_has_an_account_and_no_rights() -> None:
    assert [item["kind"] for item in objects("report")] == ["ServiceAccount"]


@pytest.mark.parametrize("mode", ["audit", "run"])
def test_each_binding_binds_its_own_role_to_its_own_account(mode: str) -> None:
    found = objects(mode)
    roles = {(item["kind"], item["metadata"]["name"]) for item in found if item["kind"].endswith("Role")}
    bound = {(item["roleRef"]["kind"], item["roleRef"]["name"]) for item in found if item["kind"].endswith("Binding")}
    assert roles == bound
    subjects = [item["subjects"] for item in found if item["kind"].endswith("Binding")]
    account = {"kind": "ServiceAccount", "name": f"longhorn-qa-{mode}", "namespace": "longhorn-system"}
    assert subjects == [[account], [account]]


@pytest.mark.parametrize("mode", ["audit", "run", "report"])
def test_nothing_is_granted_by_a_wildcard(mode: str) -> None:
    rules = [rule for item in objects(mode) for rule in item.get("rules", ())]
    assert not any("*" in rule[key] for rule in rules for key in ("apiGroups", "resources", "verbs"))
