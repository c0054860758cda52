# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes API client of a few requests, on the standard library.

The official client takes a second to load; a job of the lab lives for less. It also keeps objects as plain documents,
which is what a controller that copies them field by field wants.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import typing as t
import urllib.parse
from pathlib import Path

from longhorn_qa_lab.kubeconfig import read_kubeconfig

Object = dict[str, t.Any]


class ApiError(RuntimeError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Unreachable(RuntimeError):
    """No answer from the API server."""


class Kube:
    """Requests to one API server; every thread keeps a connection of its own."""

    def __init__(self, kubeconfig: Path, *, timeout: float = 30.0) -> None:
        access = read_kubeconfig(kubeconfig)
        parts = urllib.parse.urlsplit(access.server)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 443
        self._tls = access.context()
        self._token = access.token
        self._timeout = timeout
        self._local = threading.local()
        self._kept: list[http.client.HTTPSConnection] = []

    def __enter__(self) -> Kube:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections that the threads keep."""
        while self._kept:
            self._kept.pop().close()

    def get(self, path: str) -> Object:
        return self.request("GET", path)

    def list(self, path: str) -> Object:
        return self.request("GET", path)

    def find(self, path: str) -> Object | None:
        """The object, or None when there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, document: Object) -> Object:
        return self.request("POST", path, document)

    def replace(self, path: str, document: Object) -> Object:
        return self.request("PUT", path, document)

    def merge(self, path: str, document: Object) -> Object:
        return self.request("PATCH", path, document, content_type="application/merge-patch+json")

    def delete(self, path: str, **options: t.Any) -> None:
        """Delete if there; an object that is gone already is what was wanted."""
        try:
            self.request("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", **options})
        except ApiError as error:
            if error.status != 404:
                raise

    def apply(self, collection: str, document: Object) -> Object:
        """Create, or merge over what is there."""
        try:
            return self.create(collection, document)
        except ApiError as error:
            if error.status != 409:
                raise
        return self.merge(f"{collection}/{document['metadata']['name']}", document)

    def text(self, path: str) -> str:
        """An answer that is not JSON: a log, or what a proxied service says."""
        return self._send("GET", path, None, "application/json")[1].decode(errors="replace")

    def request(
        self, method: str, path: str, body: Object | None = None, *, content_type: str = "application/json"
    ) -> Object:
        status, answer = self._send(method, path, body, content_type)
        return self._decode(status, answer)

    def _send(self, method: str, path: str, body: Object | None, content_type: str) -> tuple[int, bytes]:
        headers = {"Accept": "*/*", "Content-Type": content_type, **self._authorization()}
        data = None if body is None else json.dumps(body).encode()
        for attempt in (1, 2):
            connection = self._connection()
            try:
                connection.request(method, path, body=data, headers=headers)
                answer = connection.getresponse()
                status, content = answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                # A kept connection may have been closed by the server; only a fresh one's failure counts.
                if attempt == 2:
                    raise Unreachable(f"{method} https://{self._host}:{self._port}{path}: {error}") from error
                continue
            if status >= 400:
                self._decode(status, content)
            return status, content
        raise AssertionError("unreachable")

    def watch(self, path: str, version: str, *, seconds: int = 300) -> t.Iterator[Object]:
        """Events after a version until the server ends the stream."""
        joint = "&" if "?" in path else "?"
        url = f"{path}{joint}watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}"
        connection = self._open(timeout=seconds + 30.0)
        try:
            connection.request("GET", url, headers={"Accept": "application/json", **self._authorization()})
            answer = connection.getresponse()
            if answer.status != 200:
                self._decode(answer.status, answer.read())
            for line in answer:
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"watch {path}: {error}") from error
        finally:
            connection.close()

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _decode(self, status: int, body: bytes) -> Object:
        try:
            document = json.loads(body) if body else {}
        except ValueError:
            document = {"message": body[:500].decode(errors="replace")}
        if 200 <= status < 300:
            return t.cast(Object, document)
        raise ApiError(status, str(document.get("message", f"status {status}")), str(document.get("reason", "")))

    def _connection(self) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open(timeout=self._timeout)
            self._kept.append(connection)
        return connection

    def _open(self, *, timeout: float) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Unreachable(f"https://{self._host}:{self._port}: {error}") from error
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
            self._local.connection = None
