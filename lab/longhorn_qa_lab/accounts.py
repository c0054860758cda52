# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs of ServiceAccounts, to try things with somebody else's rights."""

from __future__ import annotations

from pathlib import Path

from longhorn_qa_lab import paths, pki
from longhorn_qa_lab.description import Description
from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.kube import ApiError, Kube

_SECONDS = 24 * 3600


def write_kubeconfig(lab: Description, namespace: str, name: str, *, path: Path | None = None) -> Path:
    """A file with a fresh token of the account, readable by its owner only."""
    place = paths.lab_paths(lab.name)
    authority = place.pki / "ca.crt"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _SECONDS, "audiences": []},
    }
    with Kube(Path(lab.kubeconfig)) as kube:
        try:
            answer = kube.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
        except ApiError as error:
            told = f"There is no ServiceAccount {namespace}/{name} in lab {lab.name!r}: apply its manifest first."
            raise LabError(told) from error
    target = path or place.folder / f"{name}.kubeconfig"
    pki.write_token_kubeconfig(
        target, server=lab.server, authority=authority, token=str(answer["status"]["token"]), user=name
    )
    return target
