# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer in front of the API server that has bad moments: bursts of 429 and of server errors."""

from __future__ import annotations

import http.client
import http.server
import json
import ssl
import threading
import typing as t
from pathlib import Path

from longhorn_qa_lab.lab import Running


class Front:
    """Plain HTTP in front, the administrator's TLS behind. ``burst`` answers the next requests by itself."""

    def __init__(self, lab: Running) -> None:
        self._port = lab.description.ports.api
        pki = Path(lab.description.folder) / "pki"
        self._identity = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._identity.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._mutex = threading.Lock()
        self._planned: list[tuple[int, str]] = []
        self._lists: dict[str, int] = {}
        self.refused: dict[int, int] = {}
        self.answered = 0
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                front.handle(self)

            def log_message(self, *_args: t.Any) -> None:
                """Requests are counted, not told."""

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_any)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._connections: set[t.Any] = set()

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Front:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def burst(self, status: int, count: int, *, retry_after: str = "") -> None:
        """The next so many requests get this answer; every stream ends, so that there are requests soon."""
        with self._mutex:
            self._planned += [(status, retry_after)] * count
            streams, self._connections = list(self._connections), set()
        for connection in streams:
            connection.close()

    def refuse_lists(self, kind: str, count: int) -> None:
        """So many lists of this kind are refused, and nothing else."""
        with self._mutex:
            self._lists[kind] = count

    @property
    def pending(self) -> int:
        """Refusals that nobody has met yet."""
        with self._mutex:
            return len(self._planned)

    def handle(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """One request."""
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        with self._mutex:
            planned = self._planned.pop(0) if self._planned else self._refused_list(request)
        if planned is not None:
            self._refuse(request, *planned)
            return
        self.answered += 1
        request.close_connection = True
        upstream = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._identity, timeout=120)
        try:
            headers = {"accept": "application/json", "content-type": request.headers.get("content-type") or ""}
            upstream.request(request.command, request.path, body=body or None, headers=headers)
            self._pass_on(request, upstream)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return  # the one side or the other has gone: the client sees half an answer, as behind a real one
        finally:
            upstream.close()

    def _refused_list(self, request: http.server.BaseHTTPRequestHandler) -> tuple[int, str] | None:
        path, _question, query = request.path.partition("?")
        kind = path.rpartition("/")[2]
        if "watch=" in query or not self._lists.get(kind):
            return None
        self._lists[kind] -= 1
        return 503, ""

    def _refuse(self, request: http.server.BaseHTTPRequestHandler, status: int, retry_after: str) -> None:
        self.refused[status] = self.refused.get(status, 0) + 1
        content = json.dumps({"kind": "Status", "code": status, "message": "too much just now"}).encode()
        request.send_response(status)
        if retry_after:
            request.send_header("Retry-After", retry_after)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _pass_on(self, request: http.server.BaseHTTPRequestHandler, upstream: http.client.HTTPSConnection) -> None:
        answer = upstream.getresponse()
        stream = "watch=true" in request.path or "follow=true" in request.path
        if stream:
            with self._mutex:
                self._connections.add(upstream.sock or answer)
        request.send_response(answer.status)
        for name in ("content-type", "date"):
            if answer.headers.get(name):
                request.send_header(name, answer.headers[name])
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        while data := answer.read1(65536):
            request.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            request.wfile.flush()
        request.wfile.write(b"0\r\n\r\n")
