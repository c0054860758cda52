# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that make the API server refuse to delete the snapshots and backups of some volumes.

A ValidatingAdmissionPolicy where the server has them. Elsewhere a webhook whose Service does not exist: the server then
refuses whatever the webhook is about, with no pod and no certificate to keep.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names

GROUP = "admissionregistration.k8s.io"
NOBODY = "longhorn-qa-refuses"  # the Service that does not exist, and the beginning of all names here
_SECONDS = 1  # there is nobody to wait for
# What is deleted, and the label that says of which volume it is.  (facts 1.9)
_OBJECTS: t.Mapping[Fault, tuple[str, str]] = {
    "snapshot-delete": ("snapshots", names.VOLUME_LABEL),
    "backup-delete": ("backups", names.BACKUP_VOLUME_LABEL),
}

Object = dict[str, t.Any]


@dataclass(frozen=True)
class Refusal:
    """Whose deletions are refused. ``run_id`` may be empty: then nobody's teardown finds it."""

    run_id: str
    deletions: tuple[Fault, ...]
    volumes: tuple[str, ...]
    namespace: str

    @property
    def name(self) -> str:
        """How the names of its objects begin."""
        return "-".join(part for part in (NOBODY, self.run_id) if part)


def policies(refusal: Refusal, *, api_version: str) -> list[tuple[Object, Object]]:
    """A policy and its binding for each kind of deletion."""
    return [_policy(refusal, deletion, api_version) for deletion in refusal.deletions]


def webhooks(refusal: Refusal) -> list[Object]:
    """A configuration with one webhook for each kind of deletion."""
    return [_webhook(refusal, deletion) for deletion in refusal.deletions]


def _webhook(refusal: Refusal, deletion: Fault) -> Object:
    plural = _OBJECTS[deletion][0]
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": _metadata(refusal, f"{refusal.name}-{plural}"),
        "webhooks": [
            {
                "name": f"{plural}.longhorn.qa",
                "rules": [{**_rule(deletion), "scope": "Namespaced"}],
                "objectSelector": _selector(deletion, refusal.volumes),
                "clientConfig": {"service": {"namespace": refusal.namespace, "name": NOBODY, "path": "/"}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": _SECONDS,
            }
        ],
    }


def _policy(refusal: Refusal, deletion: Fault, api_version: str) -> tuple[Object, Object]:
    plural = _OBJECTS[deletion][0]
    name = f"{refusal.name}-{plural}"
    message = f"longhorn.qa lets nobody delete {plural} of this volume, to see what becomes of a failing clean-up"
    policy = {
        "apiVersion": api_version,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(refusal, name),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [_rule(deletion)],
                "objectSelector": _selector(deletion, refusal.volumes),
            },
            "validations": [{"expression": "false", "message": message}],
        },
    }
    binding = {
        "apiVersion": api_version,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _metadata(refusal, name),
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return policy, binding


def _metadata(refusal: Refusal, name: str) -> Object:
    return {"name": name, **({"labels": {names.RUN_ID_LABEL: refusal.run_id}} if refusal.run_id else {})}


def _rule(deletion: Fault) -> Object:
    return {
        "apiGroups": ["longhorn.io"],
        "apiVersions": ["*"],
        "operations": ["DELETE"],
        "resources": [_OBJECTS[deletion][0]],
    }


def _selector(deletion: Fault, volumes: Sequence[str]) -> Object:
    return {"matchExpressions": [{"key": _OBJECTS[deletion][1], "operator": "In", "values": sorted(volumes)}]}
