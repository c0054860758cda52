# SPDX-License-Identifier: GPL-3.0-or-later
"""The few questions that starting a lab asks its API server; no client library, because a start has no time for one."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import typing as t
from collections.abc import Mapping
from pathlib import Path

from longhorn_qa_lab.pki import Pair

_TIMEOUT = 5.0


class Api:
    """A bare HTTPS client with the administrator's certificate."""

    def __init__(self, *, port: int, authority: Path, pair: Pair) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(pair.certificate, pair.key)

    def answers(self, path: str) -> bool:
        """Whether this path answers with success just now."""
        return self._get(path)[0] == http.client.OK

    def get(self, path: str) -> dict[str, t.Any] | None:
        """The object at this path, or None while there is none."""
        status, body = self._get(path)
        if status != http.client.OK:
            return None
        return t.cast(dict[str, t.Any], json.loads(body))

    def post(self, path: str, body: Mapping[str, t.Any]) -> dict[str, t.Any] | None:
        """What was made at this path, or None when the server refused."""
        status, answer = self._ask("POST", path, json.dumps(body).encode())
        if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            return None
        return t.cast(dict[str, t.Any], json.loads(answer))

    def node_ready(self, name: str) -> bool:
        node = self.get(f"/api/v1/nodes/{name}") or {}
        conditions = node.get("status", {}).get("conditions") or []
        ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
        return ready and not node.get("spec", {}).get("taints")

    def _get(self, path: str) -> tuple[int, bytes]:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=_TIMEOUT)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                return 0, b""
