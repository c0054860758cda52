# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission reviews, answered over TLS on this machine with the lab's own certificates."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
import typing as t
from pathlib import Path

from longhorn_qa_lab.longhorn.decide import Object

#: The path that was asked and the review's request, to the response without its uid.
Answer = t.Callable[[str, Object], Object]


class Reviews:
    """A server that the API server can be told of."""

    def __init__(self, name: str, pki: Path, answer: Answer) -> None:
        self._pki = pki
        self._server = server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "node-serving.crt", pki / "node-serving.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True, name=name).start()

    def client(self, path: str = "/") -> Object:
        """What a webhook's configuration says about where to ask."""
        authority = base64.b64encode((self._pki / "ca.crt").read_bytes()).decode()
        return {"url": f"https://127.0.0.1:{self._server.server_address[1]}{path}", "caBundle": authority}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(answer: Answer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            response = {"uid": request["uid"], **answer(self.path.partition("?")[0], request)}
            body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: t.Any) -> None:
            """Not the manager's log's business."""

    return Handler
