# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's REST API on port 9500: routes, status codes, the access log."""

from __future__ import annotations

import http.server
import json
import sys
import typing as t
import urllib.parse

from longhorn_qa_lab.longhorn import logs, views, world
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.logs import Log
from longhorn_qa_lab.longhorn.parts import ApiFault, Gone
from longhorn_qa_lab.longhorn.releases import EVER, Span
from longhorn_qa_lab.longhorn.service import Service

_COLLECTIONS: t.Final[t.Mapping[str, Span]] = {
    "backuptargets": world.BACKUP_TARGETS.span,
    "backupvolumes": EVER,
    "engineimages": EVER,
    "instancemanagers": EVER,
    "nodes": EVER,
    "recurringjobs": world.RECURRING_JOBS.span,
    "settings": EVER,
    "volumes": EVER,
}


class Server(http.server.ThreadingHTTPServer):
    """One thread per connection; none keeps the process alive."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], service: Service, log: Log) -> None:
        super().__init__(address, _Handler)
        self.service = service
        self.log = log

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is not worth a line."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 names the base class looks for

    def log_message(self, *_arguments: t.Any) -> None:
        """The access log is written once the answer's size is known."""

    def _serve(self) -> None:
        url = f"http://{self.headers.get('Host', 'longhorn-backend:9500')}"
        parts = urllib.parse.urlsplit(self.path)
        try:
            status, document = 200, self._route(parts, url + "/v1")
        except Gone:
            status, document = 404, None
        except ApiFault as fault:
            status, document = (
                fault.status,
                views.error(
                    str(fault),
                    url=url + parts.path,
                    status=fault.status,
                    code="Server Error" if fault.status == 500 else "NotFound",
                ),
            )
            self.server.log.warning(f"HTTP handling error {fault}")
            self.server.log.error(f"Error in request: {fault}")
        body = b"" if document is None else json.dumps(document, sort_keys=True).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self._record(status, len(body))

    def _record(self, status: int, size: int) -> None:
        moment = logs.now().strftime("%d/%b/%Y:%H:%M:%S +0000")
        agent = self.headers.get("User-Agent", "")
        line = f'{self.client_address[0]} - - [{moment}] "{self.requestline}" {status} {size} "" "{agent}"\n'
        sys.stdout.write(line)
        sys.stdout.flush()

    def _body(self) -> Object:
        length = int(self.headers.get("Content-Length") or 0)
        if not length:
            return {}
        try:
            found = json.loads(self.rfile.read(length))
        except ValueError as error:
            raise ApiFault(f"fail to parse the request's body: {error}") from error
        if not isinstance(found, dict):
            raise ApiFault("fail to parse the request's body: an object is expected")
        return found

    def _route(self, parts: urllib.parse.SplitResult, base: str) -> Object:
        body = self._body()
        words = [urllib.parse.unquote(word) for word in parts.path.strip("/").split("/")]
        action = urllib.parse.parse_qs(parts.query).get("action", [""])[0]
        if words == ["v1"] and self.command == "GET":
            return _root(base, self._kinds())
        if words[0] == "v1" and len(words) == 2 and words[1] in self._kinds():
            return self._collection(words[1], body, base)
        if words[0] == "v1" and len(words) == 3 and words[1] in self._kinds():
            return self._member(words[1], words[2], action, body, base)
        raise Gone

    def _kinds(self) -> list[str]:
        """The collections of the release."""
        return [kind for kind, span in _COLLECTIONS.items() if self.server.service.release.has(span)]

    def _collection(self, kind: str, body: Object, base: str) -> Object:
        service, url = self.server.service, f"{base}/{kind}"
        creators = {
            "volumes": service.create_volume,
            "engineimages": service.create_engine_image,
            "recurringjobs": service.create_recurring_job,
        }
        if self.command == "POST":
            if kind not in creators:
                raise Gone
            return creators[kind](body, base)
        listing: dict[str, tuple[t.Callable[[str], list[Object]], str]] = {
            "backuptargets": (service.backup_targets, "backupTarget"),
            "backupvolumes": (service.backup_volumes, "backupVolume"),
            "engineimages": (service.engine_images, "engineImage"),
            "instancemanagers": (service.instance_managers, "instanceManager"),
            "nodes": (service.nodes, "node"),
            "recurringjobs": (service.recurring_jobs, "recurringJob"),
            "settings": (service.settings, "setting"),
            "volumes": (service.volumes, "volume"),
        }
        list_all, name = listing[kind]
        extra = {"createTypes": {name: url}} if kind in creators else {}
        return views.collection(list_all(base), kind=name, url=url, **extra)

    def _member(self, kind: str, name: str, action: str, body: Object, base: str) -> Object:
        service = self.server.service
        acting = {"volumes": service.act, "backupvolumes": service.act_on_backups}
        updating = {"settings": service.update_setting, "recurringjobs": service.update_recurring_job}
        if self.command == "POST" and kind in acting:
            return acting[kind](name, action, body, base)
        if self.command == "PUT" and kind in updating:
            return updating[kind](name, body, base)
        if self.command == "DELETE":
            delete = {
                "volumes": service.delete_volume,
                "engineimages": service.delete_engine_image,
                "backupvolumes": service.delete_backup_volume,
                "recurringjobs": service.delete_recurring_job,
            }.get(kind)
            if delete is None:
                raise Gone
            delete(name)
            return {}
        get = {
            "volumes": service.volume,
            "engineimages": service.engine_image,
            "settings": service.setting,
            "backupvolumes": service.backup_volume,
            "recurringjobs": service.recurring_job,
        }.get(kind)
        if get is not None and self.command == "GET":
            return get(name, base)
        return self._among(kind, name, base)

    def _among(self, kind: str, name: str, base: str) -> Object:
        service = self.server.service
        every = {
            "backuptargets": service.backup_targets,
            "instancemanagers": service.instance_managers,
            "nodes": service.nodes,
        }
        for found in every[kind](base) if kind in every and self.command == "GET" else []:
            if found["name"] == name:
                return found
        raise Gone


def _root(base: str, kinds: t.Iterable[str]) -> Object:
    links = {"self": base, "schemas": f"{base}/schemas"}
    return {
        "actions": {},
        "id": "v1",
        "links": links | {kind: f"{base}/{kind}" for kind in kinds},
        "type": "apiVersion",
    }
