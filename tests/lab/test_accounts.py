# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs of ServiceAccounts: they work, have only their owner's rights, and are not for everybody to read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from kubernetes import client, config

from longhorn_qa_lab import accounts
from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.lab import Running


def test_an_account_gets_its_own_rights_and_no_others(lab: Running, tmp_path: Path) -> None:
    path = accounts.write_kubeconfig(lab.description, "default", "default", path=tmp_path / "default.kubeconfig")
    api = client.AuthorizationV1Api(config.new_client_from_config(str(path)))
    for verb, resource, allowed in (("list", "secrets", False), ("create", "selfsubjectaccessreviews", True)):
        group = "" if resource == "secrets" else "authorization.k8s.io"
        asked = {"verb": verb, "resource": resource, "group": group, "namespace": "default"}
        review = api.create_self_subject_access_review({"spec": {"resourceAttributes": asked}})
        assert review.status.allowed is allowed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_by_default_it_is_in_the_labs_folder(lab: Running) -> None:
    path = accounts.write_kubeconfig(lab.description, "kube-system", "default")
    assert path == Path(lab.description.folder) / "default.kubeconfig"


def test_an_account_that_does_not_exist_is_named(lab: Running) -> None:
    with pytest.raises(LabError, match="no ServiceAccount default/nobody"):
        accounts.write_kubeconfig(lab.description, "default", "nobody")
