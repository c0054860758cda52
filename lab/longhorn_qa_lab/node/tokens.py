# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's own way into the API: a kubeconfig with a token of its ServiceAccount, bound to the pod."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from longhorn_qa_lab.node.api import Api
from longhorn_qa_lab.node.model import PodSpec

LIFETIME = 7 * 24 * 3600


async def write_kubeconfig(api: Api, pod: PodSpec, path: Path) -> None:
    """Ask for a token and write the file, readable by its owner only."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "expirationSeconds": LIFETIME,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid},
        },
    }
    account = f"/api/v1/namespaces/{pod.namespace}/serviceaccounts/{pod.service_account}/token"
    answer = await api.create(account, request)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": _cluster(api)}],
        "users": [{"name": "pod", "user": {"token": answer["status"]["token"]}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "pod", "namespace": pod.namespace}}],
        "current-context": "lab",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def _cluster(api: Api) -> dict[str, str]:
    authority = base64.b64encode(api.access.authority).decode()
    return {"server": api.access.server, "certificate-authority-data": authority}
