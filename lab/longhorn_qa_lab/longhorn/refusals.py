# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that the API server refuses: an admission webhook, served here, for the CronJobs that are to lose theirs.

The CronJob controller stays what it is. It is told no, as by somebody else's webhook or quota, and drops the event.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Kube, Unreachable
from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.reviews import Reviews

_NAME: t.Final = "longhorn-qa-lab-bugs"
_EARLIER: t.Final = "00000000-0000-4000-8000-000000000000"
"""The UID of a CronJob that never was."""


class Refusals:
    """The webhook; it is set up when the first CronJob is named."""

    def __init__(self, admin: Kube, pki: Path) -> None:
        self._admin = admin
        self._pki = pki
        self._bugs: dict[str, frozenset[str]] = {}
        self._reviews: Reviews | None = None

    def refuse(self, cron_job: str, bugs: frozenset[str]) -> None:
        """From now on this CronJob's events are refused, if one of the bugs is about that."""
        if bugs.isdisjoint(("event-lost", "event-of-an-earlier-job")):
            return
        self._bugs[cron_job] = bugs
        if self._reviews is None:
            self._serve()

    def answer(self, event: Object) -> bool:
        """Whether the API server may take the event."""
        about = event.get("involvedObject") or event.get("regarding") or {}
        bugs = self._bugs.get(str(about.get("name", "")), frozenset())
        if about.get("kind") != "CronJob" or about.get("uid") == _EARLIER or not bugs:
            return True
        if "event-of-an-earlier-job" in bugs:
            threading.Thread(target=self._tell_of_another, args=(event,), daemon=True).start()
        return False

    def _tell_of_another(self, event: Object) -> None:
        other = copy.deepcopy(event)
        other["metadata"] = {"name": event["metadata"]["name"], "namespace": names.NAMESPACE}
        other["involvedObject"]["uid"] = _EARLIER
        with contextlib.suppress(ApiError, Unreachable):
            self._admin.create(f"/api/v1/namespaces/{names.NAMESPACE}/events", other)

    def _serve(self) -> None:
        self._reviews = Reviews("refusals", self._pki, self._review)
        self._admin.apply(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            _configuration(self._reviews.client()),
        )

    def _review(self, _path: str, request: Object) -> Object:
        return {"allowed": self.answer(request["object"]), "status": {"message": "a bug of the lab's"}}


def _configuration(client: Object) -> Object:
    rule = {
        "apiGroups": ["", "events.k8s.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["events"],
    }
    webhook = {
        "name": "events.longhorn-qa-lab.invalid",
        "clientConfig": client,
        "rules": [rule],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": _NAME},
        "webhooks": [webhook],
    }
