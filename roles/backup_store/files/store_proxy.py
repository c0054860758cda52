# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of an S3 store that refuses what it is told to refuse, and passes everything else through.

Runs in a pod of its own, with nothing but Python's standard library. Port 9000 is the store, as it is seen through the
proxy; the request is forwarded as it came, host name included, so that its signature stays right. Port 9001 tells and
takes the rules: ``{"rules": [{"verb", "key", "status", "latency", "times", "hits"}]}`` (GET and PUT of ``/rules``).
UPSTREAM is the store's URL; UPSTREAM_CA a file with the certificate of its authority, if it needs one.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import ssl
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

STORE_PORT, RULES_PORT = 9000, 9001
CHUNK = 1 << 16
DENIED = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>{}</Message></Error>'
WORDS = "refused by longhorn.qa to see what becomes of a failing clean-up"
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection"}
DEFAULTS = {"verb": "DELETE", "key": "", "status": 403, "latency": 0.0, "times": 0}


class BadRules(ValueError):
    """Rules that cannot be followed; the message says which and why."""


class Rules:
    """The rules, and how often each has matched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[dict[str, t.Any]] = []

    def set(self, document: t.Any) -> None:
        """All of them anew, counted from zero; or BadRules, and the old ones stay."""
        if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
            raise BadRules('expected an object with a list "rules"')
        rules = [self._checked(rule) for rule in document["rules"]]
        with self._lock:
            self._rules = rules

    @staticmethod
    def _checked(rule: t.Any) -> dict[str, t.Any]:
        if not isinstance(rule, dict) or set(rule) - {*DEFAULTS, "hits"}:
            raise BadRules(f"rule {rule!r}: known fields are {', '.join(DEFAULTS)}")
        made = {**DEFAULTS, **rule, "hits": 0}
        try:
            re.compile(made["verb"]), re.compile(made["key"])
            number = float(made["latency"]) >= 0 and int(made["times"]) >= 0 and 0 <= int(made["status"]) < 600
        except (re.error, TypeError, ValueError) as error:
            raise BadRules(f"rule {rule!r}: {error}") from error
        if not number:
            raise BadRules(f"rule {rule!r}: latency, times and status are not negative, status is below 600")
        return made

    def told(self) -> dict[str, t.Any]:
        with self._lock:
            return {"rules": [dict(rule) for rule in self._rules]}

    def match(self, verb: str, keys: t.Iterable[str]) -> dict[str, t.Any] | None:
        """The first rule that concerns a request, which then counts as used."""
        keys = list(keys)
        with self._lock:
            for rule in self._rules:
                used_up = rule["times"] and rule["hits"] >= rule["times"]
                if used_up or not re.fullmatch(rule["verb"], verb):
                    continue
                if any(re.search(rule["key"], key) for key in keys):
                    rule["hits"] += 1
                    return dict(rule)
        return None


RULES = Rules()


class Store(BaseHTTPRequestHandler):
    """One request to the store."""

    protocol_version = "HTTP/1.1"
    upstream: t.ClassVar[t.Any]  # a split URL
    context: t.ClassVar[ssl.SSLContext | None] = None

    def answer(self) -> None:
        body = self._body()
        verb, keys = wanted(self.command, self.path, body)
        rule = RULES.match(verb, keys)
        if rule is not None:
            time.sleep(rule["latency"])
            if rule["status"]:
                self._reply(rule["status"], DENIED.format(WORDS).encode(), {"Content-Type": "application/xml"})
                return
        self._forward(body)

    def _body(self) -> bytes:
        if (self.headers.get("Transfer-Encoding") or "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _forward(self, body: bytes) -> None:
        kind = http.client.HTTPSConnection if self.upstream.scheme == "https" else http.client.HTTPConnection
        more = {"context": self.context} if self.upstream.scheme == "https" else {}
        connection = kind(self.upstream.hostname, self.upstream.port, timeout=60, **more)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP | {"content-length"}:
                    connection.putheader(name, value)
            if body or self.command in ("PUT", "POST"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            found = connection.getresponse()
            content = found.read()
            kept = {k: v for k, v in found.getheaders() if k.lower() not in HOP_BY_HOP | {"content-length"}}
            length = found.getheader("Content-Length") if self.command == "HEAD" else None
            self._reply(found.status, content, kept, length=length)
        except (OSError, http.client.HTTPException) as error:
            self._reply(502, f"the store does not answer: {error}".encode(), {"Content-Type": "text/plain"})
        finally:
            connection.close()

    def _reply(self, status: int, content: bytes, headers: dict[str, str], *, length: str | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *_words: t.Any) -> None:
        """Nothing: a request names keys and carries signatures."""


class Control(BaseHTTPRequestHandler):
    """The rules, for whoever reaches this port."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._reply(200, RULES.told()) if self.path == "/rules" else self._reply(404, {"message": "see /rules"})

    def do_PUT(self) -> None:
        try:
            RULES.set(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0))))
        except ValueError as error:
            self._reply(400, {"message": str(error)})
            return
        print(f"rules: {json.dumps(RULES.told()['rules'])}", flush=True)
        self._reply(200, RULES.told())

    def _reply(self, status: int, document: dict[str, t.Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words: t.Any) -> None:
        """Nothing: probes come every second."""


def wanted(verb: str, path: str, body: bytes) -> tuple[str, list[str]]:
    """What a request is about. The deletion of many keys at once is a POST that names them in its body."""
    parts = urlsplit(path)
    if verb == "POST" and "delete" in parse_qs(parts.query, keep_blank_values=True):
        bucket = unquote(parts.path).rstrip("/")
        keys = re.findall(r"<Key>(.*?)</Key>", body.decode(errors="replace"))
        return "DELETE", [f"{bucket}/{key}" for key in keys]
    return verb, [unquote(parts.path)]


def main() -> None:
    Store.upstream = urlsplit(os.environ["UPSTREAM"])
    if Store.upstream.scheme == "https":
        Store.context = ssl.create_default_context(cafile=os.environ.get("UPSTREAM_CA") or None)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    for handler, number in ((Control, RULES_PORT), (Store, STORE_PORT)):
        server = ThreadingHTTPServer(("0.0.0.0", number), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"store {os.environ['UPSTREAM']} behind port {STORE_PORT}, rules at port {RULES_PORT}", flush=True)
    stopping.wait()


if __name__ == "__main__":
    main()
