# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's HTTPS server, as far as the API server uses it here: container logs.

Only the API server's own client certificate is let in. What is answered when there is no log, and with which status, is
what a kubelet answers, because kubectl and the recorder show it to people.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from longhorn_qa_lab.node import crilog
from longhorn_qa_lab.node.crilog import NANOSECONDS, Renderer, Selection
from longhorn_qa_lab.node.kubelet import Kubelet
from longhorn_qa_lab.node.logfile import LogFile
from longhorn_qa_lab.node.pods import PodState, Running, Terminated, Waiting
from longhorn_qa_lab.node.services import LOOPBACK

CLIENT = "kube-apiserver-kubelet-client"
BATCH = 256 * 1024


class Unavailable(Exception):
    """There is no log to serve (yet); the text is the kubelet's."""


class BadOptions(Exception):
    """The query cannot be understood."""


def read_selection(query: t.Mapping[str, str], *, now: int) -> Selection:
    """The query parameters kubectl and the API server send; now is in nanoseconds."""
    try:
        seconds = _number(query, "sinceSeconds", least=1)
        since = None if seconds is None else now - seconds * NANOSECONDS
        if query.get("sinceTime"):
            since = crilog.parse_nanoseconds(query["sinceTime"])
        tail = None if query.get("tailLines") == "all" else _number(query, "tailLines", least=0)
        return Selection(
            follow=_flag(query, "follow"),
            previous=_flag(query, "previous"),
            timestamps=_flag(query, "timestamps"),
            tail=tail,
            since=since,
            limit=_number(query, "limitBytes", least=1),
        )
    except ValueError as error:
        raise BadOptions(str(error)) from error


def _flag(query: t.Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


def _number(query: t.Mapping[str, str], name: str, *, least: int) -> int | None:
    if not query.get(name):
        return None
    number = int(query[name])
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def attempt_to_show(state: PodState, *, pod: str, container: str, previous: bool) -> int:
    """Which attempt's log a request means; restartCount numbers the attempts."""
    found = next((item for item in state.containers if item.name == container), None)
    if found is None:
        raise Unavailable(f'container "{container}" in pod "{pod}" is not available')
    if previous:
        if found.last is None:
            raise Unavailable(f'previous terminated container "{container}" in pod "{pod}" not found')
        # In a back-off the last end *is* the newest attempt.
        return found.restarts if isinstance(found.state, Waiting) else found.restarts - 1
    if isinstance(found.state, (Running, Terminated)) or found.last is not None:
        return found.restarts
    reasons = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }
    reason = reasons.get(found.state.reason, found.state.reason)
    raise Unavailable(f'container "{container}" in pod "{pod}" is waiting to start: {reason}')


@dataclass(frozen=True, kw_only=True)
class Source:
    """A log to serve; growing while its container runs."""

    path: Path
    growing: LogFile | None


async def stream(source: Source, selection: Selection) -> t.AsyncIterator[bytes]:
    """The selected bytes of a log, and with follow what is added until the container ends."""
    if not source.path.exists():
        return
    renderer = Renderer(selection=selection)
    with source.path.open("rb") as file:
        if selection.tail is not None:
            file.seek(crilog.tail_offset(file, selection.tail))
        rest = b""
        while True:
            growing = source.growing if selection.follow else None
            news = growing.news if growing else None
            closed = growing is None or growing.closed
            while data := file.read(BATCH):
                *lines, rest = (rest + data).split(b"\n")
                if text := b"".join(renderer.render(line) for line in lines):
                    yield text
                if renderer.exhausted:
                    return
            if closed or news is None:
                return
            await news.wait()


class LogServer:
    """Serves GET /containerLogs/<namespace>/<pod>/<container>."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        app = web.Application(middlewares=[_let_in_the_api_server])
        app.router.add_get("/healthz", _healthy)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        app.router.add_route("*", "/{rest:.*}", _unsupported)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)

    async def start(self, *, port: int, certificate: Path, key: Path, client_authority: Path) -> None:
        """Listen on the loopback interface."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_authority))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, port, ssl_context=context).start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _source(self, request: web.Request, selection: Selection) -> Source:
        names = request.match_info
        worker = self._kubelet.find(names["namespace"], names["pod"])
        if worker is None:
            raise web.HTTPNotFound(text=f'pod "{names["pod"]}" does not exist\n')
        container = names["container"]
        if not any(spec.name == container for spec in worker.pod.containers):
            raise web.HTTPNotFound(text=f'container "{container}" not found in pod "{names["pod"]}"\n')
        # As a kubelet, it goes by the last status it has decided to report, which may be on its way still: who has just
        # seen attempt 0 end must not get attempt 1 under its name.
        attempt = attempt_to_show(worker.shown, pod=worker.pod.name, container=container, previous=selection.previous)
        growing = worker.open_logs.get((container, attempt))
        return Source(path=worker.log_path(container, attempt), growing=growing)

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        try:
            selection = read_selection(request.query, now=time.time_ns())
            source = self._source(request, selection)
        except BadOptions as error:
            text = json.dumps({"message": f"Invalid request: {error}."})
            return web.Response(status=422, text=text, content_type="application/json")
        except Unavailable as error:
            return web.Response(status=400, text=str(error))
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        try:
            async for data in stream(source, selection):
                await answer.write(data)
            await answer.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            # The reader has gone, which is how following usually ends.
            if request.transport is not None and not request.transport.is_closing():
                raise
        return answer


@web.middleware
async def _let_in_the_api_server(
    request: web.Request, handler: t.Callable[[web.Request], t.Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    subject = (certificate or {}).get("subject") or ()
    names = [value for part in subject for key, value in part if key == "commonName"]
    if CLIENT not in names:
        return web.Response(status=403, text=f"Forbidden (user={', '.join(names)}, verb=get, resource=nodes)\n")
    return await handler(request)


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _unsupported(request: web.Request) -> web.Response:
    return web.Response(status=501, text=f"the lab's node serves container logs only, not {request.path}\n")
