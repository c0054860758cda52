# SPDX-License-Identifier: GPL-3.0-or-later
"""One container of a pod: image, configuration, start, end, restart, each with the kubelet's own Events."""

from __future__ import annotations

import asyncio
import json
import os
import typing as t

from longhorn_qa_lab.node import environment, images, pods, probes, volumes
from longhorn_qa_lab.node.environment import ConfigError, Kind, Where
from longhorn_qa_lab.node.images import Executable, Idle, Image, Local, MissingExecutable, UnknownImage
from longhorn_qa_lab.node.model import ContainerSpec
from longhorn_qa_lab.node.node import HOST_IP
from longhorn_qa_lab.node.pods import Exit
from longhorn_qa_lab.node.runtime import IdleContainer, Launch, LocalContainer, Running
from longhorn_qa_lab.processes import MARK

if t.TYPE_CHECKING:
    from longhorn_qa_lab.node.worker import PodWorker

# The kubelet looks at its containers once a second and at a pod in back-off every ten to fifteen seconds.
RELIST = 1.0
SYNC_DELAYS = (1.0, 8.0)
FIRST_PULL_BACKOFF, LONGEST_PULL_BACKOFF = 10.0, 300.0
NO_SUCH_PROGRAM = 128
KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "TZ", "VIRTUAL_ENV", MARK)


class ContainerRun:
    """The life of one container over all its attempts."""

    def __init__(self, worker: PodWorker, spec: ContainerSpec) -> None:
        self._worker = worker
        self._node = worker.node
        self._spec = spec
        self._running: Running | None = None
        self._ended = asyncio.Event()

    @property
    def _name(self) -> str:
        return self._spec.name

    async def live(self) -> None:
        """Attempt after attempt, until the restart policy is content or the pod is deleted."""
        try:
            if isinstance(self._worker.state.container(self._name).state, pods.Terminated):
                await self._back_off()
            while True:
                await self._attempt()
                if self._worker.stopping or not pods.restarts(self._worker.state, self._name):
                    return
                await self._back_off()
        finally:
            self._ended.set()

    async def _attempt(self) -> None:
        image = await self._pull()
        variables = await self._configure()
        attempt = self._worker.state.container(self._name).restarts
        if self._has_run():
            attempt += 1
        argv = images.command_line(image, command=self._spec.command, args=self._spec.args)
        argv = tuple(environment.expand(word, variables) for word in argv)
        try:
            program = images.executable(image, argv)
        except MissingExecutable as error:
            self._refused(attempt, str(error))
            return
        self._event("Created", f"Created container {self._name}")
        try:
            self._running = self._start(program, argv, variables, attempt)
        except OSError as error:
            self._refused(attempt, f"failed to start {argv[0]}: {error}")
            return
        self._event("Started", f"Started container {self._name}")
        await self._watch(attempt)

    def _has_run(self) -> bool:
        container = self._worker.state.container(self._name)
        return container.last is not None or isinstance(container.state, pods.Terminated)

    def _event(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._worker.event(reason, message, container=self._name, warning=warning)

    # Image and configuration

    async def _pull(self) -> Image:
        backoff = FIRST_PULL_BACKOFF
        while True:
            if self._spec.pull_always:
                self._event("Pulling", f'Pulling image "{self._spec.image}"')
            try:
                image = images.find(self._spec.image, self._node.images())
            except UnknownImage as error:
                await self._pull_failed(str(error), backoff)
                backoff = min(backoff * 2, LONGEST_PULL_BACKOFF)
                continue
            text = "Successfully pulled image" if self._spec.pull_always else "Container image"
            tail = "in 1ms" if self._spec.pull_always else "already present on machine"
            self._event("Pulled", f'{text} "{self._spec.image}" {tail}')
            reference = images.parse_reference(self._spec.image)
            self._worker.state = pods.pulled(
                self._worker.state, self._name, image_id=reference.image_id, shown_image=reference.full
            )
            return image

    async def _pull_failed(self, text: str, backoff: float) -> None:
        if not self._spec.pull_always:
            self._event("Pulling", f'Pulling image "{self._spec.image}"')
        message = f"rpc error: code = NotFound desc = {text}"
        self._event("Failed", f'Failed to pull image "{self._spec.image}": {message}', warning=True)
        self._event("Failed", "Error: ErrImagePull", warning=True)
        self._wait_for("ErrImagePull", message)
        await self._worker.pause(self._worker.scaled(RELIST))
        held_up = f'Back-off pulling image "{self._spec.image}"'
        self._event("BackOff", held_up)
        self._event("Failed", "Error: ImagePullBackOff", warning=True)
        self._wait_for("ImagePullBackOff", f"{held_up}: {text}")
        await self._worker.pause(self._worker.scaled(backoff))

    def _wait_for(self, reason: str, message: str) -> None:
        self._worker.changed(pods.waiting(self._worker.state, self._name, reason=reason, message=message))

    async def _configure(self) -> dict[str, str]:
        where = Where(pod_ip=self._worker.state.pod_ip, host_ip=HOST_IP)
        while True:
            data: dict[tuple[Kind, str], t.Mapping[str, str]] = {}
            for needed in environment.needed(self._spec):
                document = await self._worker.fetch(needed, self._config_failed)
                data[needed.kind, needed.name] = environment.decode(needed.kind, document)
            try:
                values = environment.variables(self._worker.pod, self._spec, data=data, where=where)
                return values | self._lab_variables()
            except ConfigError as error:
                self._config_failed(str(error))
                await self._worker.pause(self._worker.scaled(FIRST_PULL_BACKOFF))

    def _config_failed(self, text: str) -> None:
        self._event("Failed", f"Error: {text}", warning=True)
        self._wait_for("CreateContainerConfigError", text)

    def _lab_variables(self) -> dict[str, str]:
        worker, settings = self._worker, self._node.settings
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        return kept | {
            "HOSTNAME": worker.pod.name,
            "HOME": str(self._node.pod_folder(worker.pod.uid)),
            "PYTHONUNBUFFERED": "1",
            "KUBERNETES_SERVICE_HOST": "kubernetes.default.svc",
            "KUBERNETES_SERVICE_PORT": "443",
            "LAB_DIR": str(settings.lab_dir),
            "LAB_KUBECONFIG": str(self._node.pod_folder(worker.pod.uid) / "kubeconfig"),
            "LAB_HOSTPATH": str(self._node.hostpath),
            "LAB_EGRESS": str(settings.egress_socket),
            "LAB_POD_IP": worker.state.pod_ip,
            "LAB_VOLUMES": json.dumps(volumes.mounts(self._spec, worker.places)),
        }

    # Start, run, end

    def _start(self, program: Executable, argv: tuple[str, ...], variables: dict[str, str], attempt: int) -> Running:
        log = self._worker.open_log(self._name, attempt)
        if isinstance(program, Idle):
            self._show_started(attempt)
            return IdleContainer(program, hostpath=self._node.hostpath, log=log)
        wanted = self._all_ports(program)
        self._worker.forget_ports(wanted)
        ports = {str(port): self._worker.real_port(port) for port in wanted}
        launch = Launch(
            program=program,
            argv=argv,
            env=variables | {"LAB_PORTS": json.dumps(ports)},
            folder=self._node.pod_folder(self._worker.pod.uid),
        )
        container = LocalContainer(launch, log)
        self._show_started(attempt)
        return container

    def _all_ports(self, program: Local) -> list[int]:
        probe = self._spec.readiness
        return sorted({*self._spec.ports, *program.ports, *((probe.port,) if probe and probe.port else ())})

    def _show_started(self, attempt: int) -> None:
        probe = self._spec.readiness
        state = pods.started(
            self._worker.state,
            self._name,
            container_id=self._worker.container_id(self._name, attempt),
            now=self._node.now(),
            ready=not (probe and probe.port),
        )
        if attempt == 0:
            self._worker.changed(state)
        else:
            self._worker.seen(state)

    def _refused(self, attempt: int, text: str) -> None:
        self._worker.open_log(self._name, attempt).close()
        self._event("Failed", f"Error: {text}", warning=True)
        state = pods.started(
            self._worker.state,
            self._name,
            container_id=self._worker.container_id(self._name, attempt),
            now=self._node.now(),
            ready=False,
        )
        ending = Exit(code=NO_SUCH_PROGRAM, reason="StartError", message=text)
        self._worker.changed(pods.exited(state, self._name, ending, now=self._node.now()))

    async def _watch(self, attempt: int) -> None:
        assert self._running is not None
        if self._worker.stopping:
            await self._running.stop(grace=0)
        tasks = [asyncio.create_task(self._probe()), asyncio.create_task(self._show_restart(attempt))]
        try:
            ending = await self._running.wait()
        finally:
            for task in tasks:
                task.cancel()
        self._running = None
        self._worker.open_logs.pop((self._name, attempt), None)
        self._worker.changed(pods.exited(self._worker.state, self._name, ending, now=self._node.now()))

    async def _show_restart(self, attempt: int) -> None:
        """A kubelet reports a restart when it next looks at its containers; that delay lets the last attempt of a
        failing Job get something done before the Job controller, which counts restarts, has its pod killed."""
        if attempt:
            await asyncio.sleep(self._worker.scaled(RELIST))
            self._worker.changed(self._worker.state)

    async def _probe(self) -> None:
        probe = self._spec.readiness
        if probe and probe.port:
            await probes.watch(
                probe,
                address=self._worker.state.pod_ip,
                real=self._worker.real_port(probe.port),
                scale=self._worker.scale,
                tell=self._probed,
            )

    def _probed(self, ready: bool, reason: str) -> None:
        if reason:
            self._event("Unhealthy", f"Readiness probe failed: {reason}", warning=True)
        self._worker.changed(pods.ready(self._worker.state, self._name, value=ready))

    async def _back_off(self) -> None:
        scale = self._worker.scale
        wait = pods.restart_wait(self._worker.state, self._name, scale=scale)
        await self._worker.pause(self._worker.scaled(RELIST))
        if wait:
            self._worker.changed(pods.crash_loop(self._worker.state, self._name, self._worker.pod))
            self._event("BackOff", "Back-off restarting failed container", warning=True)
            await self._worker.pause(wait + self._worker.scaled(self._node.rng.uniform(*SYNC_DELAYS) - RELIST))
        self._worker.state = pods.backed_off(self._worker.state, self._name, now=self._node.now(), scale=scale)

    async def stop(self, *, grace: float) -> None:
        """End it because its pod is deleted, and wait until its end has been noted."""
        if self._running:
            self._event("Killing", f"Stopping container {self._name}")
            await self._running.stop(grace=grace)
        await self._ended.wait()

    def kill(self) -> None:
        """Its pod has vanished while it was being stopped."""
        if self._running:
            asyncio.get_running_loop().create_task(self._running.stop(grace=0))

    async def abandon(self) -> None:
        """End it because the node ends."""
        if self._running:
            await self._running.stop(grace=2)
