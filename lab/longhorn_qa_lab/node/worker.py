# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod on the node, from its first sight to its removal: what pods.py decides is done here, in order.

Every change of state goes to the API server through one queue, so that watchers see the same steps as on a real node.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import shutil
import typing as t

from longhorn_qa_lab.node import pods, tokens, volumes
from longhorn_qa_lab.node.api import ApiError, Json
from longhorn_qa_lab.node.containers import ContainerRun
from longhorn_qa_lab.node.environment import Kind, Needed
from longhorn_qa_lab.node.events import about_pod
from longhorn_qa_lab.node.logfile import LogFile
from longhorn_qa_lab.node.model import ContainerSpec, Document, PodSpec, read_pod
from longhorn_qa_lab.node.node import HOST_IP, Node
from longhorn_qa_lab.node.pods import PodState
from longhorn_qa_lab.node.services import Backend
from longhorn_qa_lab.node.status import status_document

_LOG = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
FORBIDDEN, NOT_FOUND, CONFLICT = 403, 404, 409
GONE = (NOT_FOUND, CONFLICT)

# A kubelet sees dead containers at its next relist, once a second, and gives a deleted pod's object up only after it
# has removed them. Their logs can be read until then, and whoever reads them is no faster in a lab of short delays.
REMOVAL_SECONDS = 1.0
TIME_SCALE = "longhorn.qa/lab-time-scale"


class Stopped(Exception):
    """The pod is being deleted; whatever was going on for it ends."""


class PodWorker:
    """The life of one pod."""

    def __init__(self, node: Node, document: Document) -> None:
        self.node = node
        self.pod: PodSpec = read_pod(document)
        self.state: PodState = self._first_state(document)
        self.shown: PodState = self.state
        self.ports: dict[int, int] = {}
        self.places: dict[str, t.Any] = {}
        self.open_logs: dict[tuple[str, int], LogFile] = {}
        self.runs: dict[str, ContainerRun] = {}
        self._stopping = asyncio.Event()
        self._gone = False
        self._grace = 0.0
        self._statuses: asyncio.Queue[Json] = asyncio.Queue()
        self._published: Json | None = None

    def _first_state(self, document: Document) -> PodState:
        now = self.node.now()
        known = (document.get("status") or {}).get("containerStatuses")
        return pods.recovered(self.pod, document, now=now) if known else pods.begin(self.pod, now=now)

    # What the watch tells

    def update(self, document: Document) -> None:
        """The object has changed."""
        self.pod = read_pod(document)
        self._register()
        if self.pod.deleted:
            self._stop(self.pod.deletion_grace)

    def removed(self) -> None:
        """The object is gone: nothing is left to report to."""
        self._gone = True
        self._stop(0)

    def _stop(self, grace: float) -> None:
        if not self._stopping.is_set():
            self._grace = grace
            self._stopping.set()
        elif self._gone:
            for run in self.runs.values():
                run.kill()

    @property
    def stopping(self) -> bool:
        """Whether the pod is on its way out."""
        return self._stopping.is_set()

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the pod lives."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self.stopping:
            raise Stopped

    # The pod's life

    async def run(self) -> None:
        """Everything from here to the object's removal."""
        publisher = asyncio.create_task(self._publish_all())
        life = asyncio.create_task(self._live())
        try:
            await self._stopping.wait()
            await self._stop_containers()
            await life
            await self._statuses.join()
            if self.runs and not self._gone:
                await asyncio.sleep(REMOVAL_SECONDS)
            await self._remove()
            self._clean_up()
        finally:
            publisher.cancel()
            life.cancel()

    async def _live(self) -> None:
        if self.pod.deleted:
            self._stop(self.pod.deletion_grace)
            return
        if pods.done(self.state):
            if pods.phase(self.state) != self.pod.phase:
                self.changed(self.state)
            return
        with contextlib.suppress(Stopped):
            self.changed(self.state)
            await self._set_up()
            for spec in pods.to_start(self.state, self.pod.init_containers):
                await self._run_container(spec)
                if not pods.restarts(self.state, spec.name) and pods.phase(self.state) == "Failed":
                    return
            mains = pods.to_start(self.state, self.pod.main_containers)
            await asyncio.gather(*(self._run_container(spec) for spec in mains))

    async def _run_container(self, spec: ContainerSpec) -> None:
        if self.stopping:
            raise Stopped
        run = ContainerRun(self, spec)
        self.runs[spec.name] = run
        with contextlib.suppress(Stopped):
            await run.live()

    async def _set_up(self) -> None:
        contents: dict[tuple[Kind, str], Document] = {}
        for needed in volumes.needed(self.pod):
            contents[needed.kind, needed.name] = await self.fetch(needed, self._mount_failed)
        folder = self.node.pod_folder(self.pod.uid)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            try:
                self.places = dict(
                    volumes.set_up(self.pod, folder=folder / "volumes", hostpath=self.node.hostpath, contents=contents)
                )
                break
            except volumes.UnsupportedVolume as error:
                self.event("FailedMount", str(error), warning=True)
                await self.pause(self.scaled(60))
        await self._write_kubeconfig()
        if not self.state.pod_ip:
            self.state = pods.with_address(self.state, self.node.addresses.take())
        self._register()

    async def _write_kubeconfig(self) -> None:
        path = self.node.pod_folder(self.pod.uid) / "kubeconfig"
        while True:
            try:
                # The API server looks for the token's pod in a cache of its own, which may not have it yet either.
                await self._patiently(
                    lambda: tokens.write_kubeconfig(self.node.api, self.pod, path), early=(FORBIDDEN, NOT_FOUND)
                )
                return
            except ApiError as error:
                self._mount_failed(f"token of ServiceAccount {self.pod.service_account}: {error}")
                await self.pause(self.scaled(RETRY_SECONDS))

    async def _patiently(
        self, call: t.Callable[[], t.Awaitable[t.Any]], *, early: t.Container[int] = (FORBIDDEN,)
    ) -> t.Any:
        """The authorizer learns of a pod's binding a moment after the node does, so a refusal may be early only.

        What is refused with another status is refused at once; what fails otherwise is tried for as long as it takes.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        pause = 0.05
        while True:
            try:
                return await call()
            except ApiError as error:
                late = asyncio.get_running_loop().time() > deadline
                if error.code in (FORBIDDEN, NOT_FOUND) and (late or error.code not in early):
                    raise
                await self.pause(pause)
                pause = min(pause * 2, RETRY_SECONDS)

    async def fetch(self, needed: Needed, complain: t.Callable[[str], None]) -> Document:
        """A Secret or ConfigMap the pod needs, as soon as it is there; nothing for an optional one that is not."""
        path = f"/api/v1/namespaces/{self.pod.namespace}/{needed.kind}/{needed.name}"
        while True:
            try:
                return t.cast(Json, await self._patiently(lambda: self.node.api.get(path)))
            except ApiError as error:
                if needed.optional and error.code == NOT_FOUND:
                    return {}
                missing = f'{needed.kind.removesuffix("s")} "{needed.name}" not found'
                complain(missing if error.code == NOT_FOUND else str(error))
            await self.pause(self.scaled(RETRY_SECONDS))

    def _mount_failed(self, text: str) -> None:
        self.event("FailedMount", f"MountVolume.SetUp failed for volume: {text}", warning=True)

    async def _stop_containers(self) -> None:
        grace = 0.0 if self._gone else self._grace
        await asyncio.gather(*(run.stop(grace=grace) for run in self.runs.values()))

    async def _remove(self) -> None:
        if self._gone:
            return
        path = f"/api/v1/namespaces/{self.pod.namespace}/pods/{self.pod.name}"
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        while not self._gone:
            try:
                await self.node.api.delete(path, {**options, "preconditions": {"uid": self.pod.uid}})
                return
            except ApiError as error:
                if error.code in GONE:
                    return
                await asyncio.sleep(RETRY_SECONDS)

    def _clean_up(self) -> None:
        self.node.directory.set_backend(self.pod.uid, None)
        self.node.addresses.give_back(self.state.pod_ip)
        self.node.events.forget(self.pod.uid)
        self._close_logs()
        shutil.rmtree(self.node.pod_folder(self.pod.uid), ignore_errors=True)
        shutil.rmtree(self.node.log_folder(self.pod.uid), ignore_errors=True)

    def _close_logs(self) -> None:
        for log in self.open_logs.values():
            log.close()

    async def abandon(self) -> None:
        """The node itself ends and `run` has been cancelled: end the processes, tell nobody, like a stopped kubelet."""
        await asyncio.gather(*(run.abandon() for run in self.runs.values()))
        self._close_logs()

    # What containers use

    @property
    def scale(self) -> float:
        """The factor on the kubelet's own delays: the lab's, or the pod's where it carries its own."""
        with contextlib.suppress(ValueError):
            return max(0.0, float(self.pod.annotations.get(TIME_SCALE, "")))
        return self.node.settings.time_scale

    def scaled(self, seconds: float) -> float:
        """One of the kubelet's own delays in this pod's time."""
        return seconds * self.scale

    def seen(self, state: PodState) -> None:
        """The new state, to be shown with the next change."""
        self.state = state
        self._register()

    def changed(self, state: PodState) -> None:
        """The new state, to be shown to the API server."""
        self.state = self.shown = state
        previous = self._published["conditions"] if self._published else self.pod.conditions
        document = status_document(state, previous=previous, host_ip=HOST_IP, now=self.node.now())
        self._register()
        if document != self._published and not self._gone:
            self._published = document
            self._statuses.put_nowait(document)

    def event(self, reason: str, message: str, *, container: str = "", warning: bool = False) -> None:
        """An Event of this pod."""
        happening = about_pod(self.pod, reason=reason, message=message, container=container, warning=warning)
        self.node.events.emit(happening)

    def real_port(self, port: int) -> int:
        """The local port that stands for a port of the pod."""
        if port not in self.ports:
            self.ports[port] = self.node.ports.take()
            self._register()
        return self.ports[port]

    def forget_ports(self, ports: t.Iterable[int]) -> None:
        """Their container begins anew: had somebody else got the local port of one, it must not get the same again."""
        for port in ports:
            self.ports.pop(port, None)

    def open_log(self, container: str, attempt: int) -> LogFile:
        """The log of a new attempt."""
        log = LogFile(self.log_path(container, attempt))
        self.open_logs[container, attempt] = log
        return log

    def log_path(self, container: str, attempt: int) -> t.Any:
        """Where an attempt's log is."""
        return self.node.log_folder(self.pod.uid) / container / f"{attempt}.log"

    def container_id(self, container: str, attempt: int) -> str:
        """An id that looks like a runtime's."""
        return hashlib.sha256(f"{self.pod.uid}/{container}/{attempt}".encode()).hexdigest()

    def _register(self) -> None:
        if not self.state.pod_ip:
            return
        running = any(isinstance(container.state, pods.Running) for container in self.state.main)
        backend = Backend(
            namespace=self.pod.namespace,
            name=self.pod.name,
            ip=self.state.pod_ip,
            labels=self.pod.labels,
            ready=running and not self.stopping and all(container.ready for container in self.state.main),
            ports=dict(self.ports),
            named={name: port for spec in self.pod.containers for name, port in spec.port_names.items()},
        )
        self.node.directory.set_backend(self.pod.uid, backend)

    async def _publish_all(self) -> None:
        path = f"/api/v1/namespaces/{self.pod.namespace}/pods/{self.pod.name}/status"
        while True:
            document = await self._statuses.get()
            try:
                while not self._gone:
                    try:
                        await self.node.api.patch(path, {"metadata": {"uid": self.pod.uid}, "status": document})
                        break
                    except ApiError as error:
                        if error.code in GONE:
                            break
                        _LOG.warning("%s: %s", path, error)
                        await asyncio.sleep(RETRY_SECONDS)
            finally:
                self._statuses.task_done()
