# SPDX-License-Identifier: GPL-3.0-or-later
"""The webhooks of Longhorn 1.3 and later, served by the manager, and how the API server is told of them."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

from longhorn_qa_lab.longhorn import checks, names
from longhorn_qa_lab.longhorn.admission import Admission, Request, Rule
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.logs import Log
from longhorn_qa_lab.longhorn.reviews import Reviews
from longhorn_qa_lab.longhorn.world import World

_REGISTRATION: t.Final = "/apis/admissionregistration.k8s.io/v1"
_MUTATION: t.Final = "/v1/webhook/mutation"
_VALIDATION: t.Final = "/v1/webhook/validation"


class Webhooks:
    """Both of them."""

    def __init__(self, admission: Admission, log: Log, pki: Path) -> None:
        self._admission = admission
        self._log = log
        self._reviews = Reviews("webhooks", pki, self.answer)

    def register(self, cluster: World) -> None:
        """Tell the API server, over what an earlier manager may have told."""
        for path, document in self.configurations():
            cluster.apply(path, document)

    def answer(self, path: str, request: Object) -> Object:
        """The response to one review."""
        plural = request["resource"]["resource"]
        wanted = Request(request["operation"], request.get("oldObject") or {}, request.get("object") or {})
        try:
            if path == _MUTATION:
                made = self._admission.mutate(plural, wanted)
                return {"allowed": True, **_patch(wanted.new, made)}
            self._admission.validate(plural, wanted)
        except checks.Refused as error:
            self._log.warning(f"Rejected operation: {request['operation']} {plural}: {error}")
            return {"allowed": False, "status": _refusal(error)}
        return {"allowed": True}

    def configurations(self) -> t.Iterator[tuple[str, Object]]:
        """Where each is told of, and what is told."""
        rules = self._admission.rules().values()
        mutated = [self._rule(rule, rule.mutates) for rule in rules if rule.mutates]
        validated = [self._rule(rule, rule.validates) for rule in rules if rule.validates]
        yield self._configuration("Mutating", "mutator", _MUTATION, mutated)
        yield self._configuration("Validating", "validator", _VALIDATION, validated)

    def _configuration(self, kind: str, name: str, path: str, rules: list[Object]) -> tuple[str, Object]:
        webhook = {
            "name": f"{name}.{names.GROUP}",
            "clientConfig": self._reviews.client(path),
            "rules": rules,
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "admissionReviewVersions": ["v1"],
        }
        document = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": f"longhorn-webhook-{name}"},
            "webhooks": [webhook],
        }
        return f"{_REGISTRATION}/{kind.lower()}webhookconfigurations", document

    def _rule(self, rule: Rule, operations: t.Iterable[str]) -> Object:
        return {
            "apiGroups": [names.GROUP],
            "apiVersions": [self._admission.release.crd_version],
            "operations": sorted(operations),
            "resources": [rule.plural],
            "scope": "Namespaced",
        }


def _patch(before: Object, after: Object) -> Object:
    """What has changed, as JSON Patch; nothing of it when nothing has."""
    operations = [
        {"op": "add", "path": f"/metadata/{key}", "value": value}
        for key, value in after["metadata"].items()
        if before["metadata"].get(key) != value
    ]
    if before.get("spec") != after.get("spec"):
        operations.append({"op": "add", "path": "/spec", "value": after["spec"]})
    if not operations:
        return {}
    return {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(operations).encode()).decode()}


def _refusal(error: checks.Refused) -> Object:
    cause = {"reason": "FieldValueInvalid", "message": str(error), "field": error.field}
    return {
        "status": "Failure",
        "message": str(error),
        "reason": "Invalid",
        "code": 422,
        "details": {"causes": [cause]},
    }
