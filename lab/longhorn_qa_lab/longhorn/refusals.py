# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that the API server refuses: an admission webhook, served here, for the CronJobs that are to lose theirs.

The CronJob controller stays what it is. It is told no, as by somebody else's webhook or quota, and drops the event.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import http.server
import json
import ssl
import threading
import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Kube, Unreachable
from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.decide import Object

_NAME: t.Final = "longhorn-qa-lab-bugs"
_EARLIER: t.Final = "00000000-0000-4000-8000-000000000000"
"""The UID of a CronJob that never was."""


class Refusals:
    """The webhook; it is set up when the first CronJob is named."""

    def __init__(self, admin: Kube, pki: Path) -> None:
        self._admin = admin
        self._pki = pki
        self._bugs: dict[str, frozenset[str]] = {}
        self._server: http.server.ThreadingHTTPServer | None = None

    def refuse(self, cron_job: str, bugs: frozenset[str]) -> None:
        """From now on this CronJob's events are refused, if one of the bugs is about that."""
        if bugs.isdisjoint(("event-lost", "event-of-an-earlier-job")):
            return
        self._bugs[cron_job] = bugs
        if self._server is None:
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
        self._server = server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pki / "node-serving.crt", self._pki / "node-serving.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True, name="refusals").start()
        authority = base64.b64encode((self._pki / "ca.crt").read_bytes()).decode()
        client = {"url": f"https://127.0.0.1:{server.server_address[1]}/", "caBundle": authority}
        self._admin.apply(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", _configuration(client)
        )


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


def _handler(refusals: Refusals) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            allowed = refusals.answer(request["object"])
            response = {"uid": request["uid"], "allowed": allowed, "status": {"message": "a bug of the lab's"}}
            body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: t.Any) -> None:
            """Not the manager's log's business."""

    return Handler
