# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of Longhorn 1.0, without a structure of their own: 1.0's API accepts any field too."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import names

#: kind -> (plural, short name, has a status subresource)
KINDS: t.Final[t.Mapping[str, tuple[str, str, bool]]] = {
    "Volume": ("volumes", "lhv", True),
    "Engine": ("engines", "lhe", True),
    "Replica": ("replicas", "lhr", True),
    "EngineImage": ("engineimages", "lhei", True),
    "InstanceManager": ("instancemanagers", "lhim", True),
    "Node": ("nodes", "lhn", True),
    "Setting": ("settings", "lhs", False),
}


def manifests() -> list[dict[str, t.Any]]:
    return [_crd(kind, *row) for kind, row in KINDS.items()]


def _crd(kind: str, plural: str, short: str, status: bool) -> dict[str, t.Any]:
    version: dict[str, t.Any] = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    if status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}", "labels": {"longhorn-manager": kind}},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "preserveUnknownFields": False,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
            },
            "versions": [version],
        },
    }
