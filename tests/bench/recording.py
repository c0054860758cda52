# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that a recording costs: as many for 200 volumes as for 2, because each kind is one list and one watch."""

from __future__ import annotations

import http.server
import json
import tempfile
import threading
import time
import typing as t
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import connect
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_record
from longhorn_qa_lab.progress import Progress

_FEW, _MANY = 2, 200
_SECONDS = 5
_NAMESPACE = "longhorn-system"
# Every kind that a release may have, and how the object of a volume is called.
_NAMES = {
    "cronjobs": "{}-c-c",
    "recurringjobs": "{}-c-c",
    "volumes": "{}",
    "engines": "{}-e-1",
    "snapshots": "{}-snapshot",
    "backups": "{}-backup",
}
_LONGHORN = tuple(kind for kind in _NAMES if kind != "cronjobs")
_GROUPS = {"/apis/batch/v1": ("jobs", "cronjobs"), "/apis/longhorn.io/v1beta2": _LONGHORN}


def measure(progress: Progress) -> Iterator[Figure]:
    """Both against a server that counts; no job runs, so there are no logs."""
    counted = {}
    for volumes in (_FEW, _MANY):
        progress(f"job_record: {volumes} volumes for {_SECONDS} s")
        counted[volumes], changes = _requests(volumes)
        yield Figure(f"API requests of a recording of {volumes} volumes", counted[volumes], "")
        yield Figure("  and the changes that it got by watches", changes, "")
    yield Figure("requests that 198 more volumes cost", counted[_MANY] - counted[_FEW], "", 0)


def _requests(volumes: int) -> tuple[int, int]:
    with _Server(volumes) as server, tempfile.TemporaryDirectory() as place:
        cells = [
            {"volume": f"v-{n}", "task": "snapshot", "job": "c", "cronjob": f"v-{n}-c-c", "cron": ""}
            for n in range(volumes)
        ]
        params = {"host": server.address, "api_key": "any", "namespace": _NAMESPACE, "cells": cells}
        params |= {"history": str(Path(place) / "history"), "invocations": 1, "timeout": _SECONDS}
        result = job_record.run(params, check_mode=False, client=connect(params))
        if result["gaps"] or result["records"] < 2 * len(_NAMES) * volumes:
            raise RuntimeError(f"the recording is not what it should be: {result}")
        return server.requests, server.changes


class _Server:
    """Enough of an API server: lists, and watches that tell a change of every object and then stay open."""

    def __init__(self, volumes: int) -> None:
        self.requests = self.changes = 0
        self.ended = threading.Event()
        self._volumes = volumes
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.requests += 1
                path = self.path.partition("?")[0]
                query = urllib.parse.parse_qs(self.path.partition("?")[2])
                if "watch" in query:
                    outer.watch(self, path.rpartition("/")[2], seconds=int(query["timeoutSeconds"][0]))
                else:
                    outer.answer(self, path)

            def log_message(self, *_args: t.Any) -> None:
                """Requests are counted, not told."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> _Server:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_args: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: http.server.BaseHTTPRequestHandler, path: str) -> None:
        document: dict[str, t.Any] = {"kind": "Object", "metadata": {"name": _NAMESPACE, "resourceVersion": "1"}}
        kind = path.rpartition("/")[2]
        if path in _GROUPS:
            document["resources"] = [{"name": name} for name in _GROUPS[path]]
        else:
            document["items"] = self._objects(kind, version=1)
        content = json.dumps(document).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def watch(self, request: http.server.BaseHTTPRequestHandler, kind: str, *, seconds: int) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        deadline = time.monotonic() + seconds
        for thing in self._objects(kind, version=2):
            line = json.dumps({"type": "MODIFIED", "object": thing}).encode() + b"\n"
            request.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.changes += 1
        self.ended.wait(max(0.0, deadline - time.monotonic()))
        request.wfile.write(b"0\r\n\r\n")

    def _objects(self, kind: str, *, version: int) -> list[dict[str, t.Any]]:
        if kind not in _NAMES:
            return []
        found = []
        for volume in (f"v-{number}" for number in range(self._volumes)):
            metadata = {"name": _NAMES[kind].format(volume), "uid": f"{kind}-{volume}", "resourceVersion": str(version)}
            of_it = {"volumeName": volume, "volume": volume}
            status = {"state": "attached", "robustness": "healthy"}
            found.append(
                {"metadata": {**metadata, "labels": {"backup-volume": volume}}, "spec": of_it, "status": status}
            )
        return found
