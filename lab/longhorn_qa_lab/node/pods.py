# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a pod's containers, without clock, process or API: a state and what happened go in, a state comes out.

It follows the kubelet: an exited container is first shown as terminated; the first restart is immediate, each later one
waits for a back-off that doubles and is shown as CrashLoopBackOff; restartCount counts starts, not exits.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from longhorn_qa_lab.node.model import ContainerSpec, Document, PodSpec, parse_time

FIRST_BACKOFF = 10.0
LONGEST_BACKOFF = 300.0


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Not started, or not started again yet."""

    reason: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Its process is there."""

    started_at: datetime
    container_id: str


@dataclass(frozen=True, kw_only=True)
class Terminated:
    """Its process has ended."""

    exit_code: int
    reason: str
    started_at: datetime
    finished_at: datetime
    container_id: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long the next restart after an exit has to wait."""

    delay: float = 0.0
    since: datetime | None = None

    def wait(self, *, finished_at: datetime, scale: float) -> float:
        """Seconds between an exit and the restart it leads to."""
        if self._expired(finished_at=finished_at, scale=scale):
            return 0.0
        return self.delay * scale

    def next(self, *, now: datetime, finished_at: datetime, scale: float) -> Backoff:
        """The back-off after a restart."""
        if self._expired(finished_at=finished_at, scale=scale):
            return Backoff(delay=FIRST_BACKOFF, since=now)
        return Backoff(delay=min(self.delay * 2, LONGEST_BACKOFF), since=now)

    def _expired(self, *, finished_at: datetime, scale: float) -> bool:
        return self.since is None or finished_at - self.since > timedelta(seconds=2 * LONGEST_BACKOFF * scale)


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container's state as far as the API shows it."""

    name: str
    image: str
    init: bool = False
    image_id: str = ""
    shown_image: str = ""
    state: Waiting | Running | Terminated = Waiting(reason="ContainerCreating")
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    backoff: Backoff = Backoff()


@dataclass(frozen=True, kw_only=True)
class PodState:
    """A pod's state."""

    restart_policy: str
    started_at: datetime
    containers: tuple[Container, ...]
    pod_ip: str = ""

    def container(self, name: str) -> Container:
        """The container of that name."""
        return next(container for container in self.containers if container.name == name)

    def with_container(self, changed: Container) -> PodState:
        """The state with one container exchanged."""
        return replace(self, containers=tuple(changed if old.name == changed.name else old for old in self.containers))

    @property
    def init(self) -> tuple[Container, ...]:
        """The init containers."""
        return tuple(container for container in self.containers if container.init)

    @property
    def main(self) -> tuple[Container, ...]:
        """All others."""
        return tuple(container for container in self.containers if not container.init)


def begin(pod: PodSpec, *, now: datetime) -> PodState:
    """The state of a pod the node has just seen."""
    reason = "PodInitializing" if pod.init_containers else "ContainerCreating"
    containers = tuple(
        Container(name=spec.name, image=spec.image, init=spec.init, state=Waiting(reason=reason))
        for spec in pod.containers
    )
    return PodState(restart_policy=pod.restart_policy, started_at=now, containers=containers)


def with_address(state: PodState, pod_ip: str) -> PodState:
    """The pod has got its address."""
    return replace(state, pod_ip=pod_ip)


def waiting(state: PodState, name: str, *, reason: str, message: str = "") -> PodState:
    """The container cannot start (again) yet, for this reason."""
    old = state.container(name)
    last = old.state if isinstance(old.state, Terminated) else old.last
    changed = replace(old, state=Waiting(reason=reason, message=message), last=last, ready=False)
    return state.with_container(changed)


def pulled(state: PodState, name: str, *, image_id: str, shown_image: str) -> PodState:
    """The container's image is there."""
    return state.with_container(replace(state.container(name), image_id=image_id, shown_image=shown_image))


def started(state: PodState, name: str, *, container_id: str, now: datetime, ready: bool) -> PodState:
    """The container's process runs; it counts as a restart if it ran before."""
    old = state.container(name)
    last = old.state if isinstance(old.state, Terminated) else old.last
    changed = replace(
        old,
        state=Running(started_at=now, container_id=container_id),
        last=last,
        restarts=old.restarts + 1 if last else 0,
        ready=ready,
    )
    return state.with_container(changed)


def ready(state: PodState, name: str, *, value: bool) -> PodState:
    """The readiness probe of a running container has changed its mind."""
    old = state.container(name)
    if not isinstance(old.state, Running):
        return state
    return state.with_container(replace(old, ready=value))


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a process ended."""

    code: int
    reason: str = ""
    message: str = ""


def exited(state: PodState, name: str, ending: Exit, *, now: datetime) -> PodState:
    """The container's process has ended."""
    old = state.container(name)
    if isinstance(old.state, Running):
        begun, container_id = old.state.started_at, old.state.container_id
    else:
        begun, container_id = now, ""
    finished = Terminated(
        exit_code=ending.code,
        reason=ending.reason or ("Completed" if ending.code == 0 else "Error"),
        started_at=begun,
        finished_at=now,
        container_id=container_id,
        message=ending.message,
    )
    return state.with_container(replace(old, state=finished, ready=ending.code == 0 and old.init))


def restarts(state: PodState, name: str) -> bool:
    """Whether the restart policy asks for another start of a container that has ended."""
    container = state.container(name)
    ending = container.state if isinstance(container.state, Terminated) else container.last
    if ending is None:
        return True
    if container.init:
        return ending.exit_code != 0 and state.restart_policy != "Never"
    return state.restart_policy == "Always" or (state.restart_policy == "OnFailure" and ending.exit_code != 0)


def restart_wait(state: PodState, name: str, *, scale: float) -> float:
    """Seconds from the container's end to its restart."""
    container = state.container(name)
    if not isinstance(container.state, Terminated):
        return 0.0
    return container.backoff.wait(finished_at=container.state.finished_at, scale=scale)


def crash_loop(state: PodState, name: str, pod: PodSpec) -> PodState:
    """Show that the container waits for its back-off."""
    delay = state.container(name).backoff.delay
    text = f"back-off {_duration(delay)} restarting failed container={name} pod={pod.name}_{pod.namespace}({pod.uid})"
    return waiting(state, name, reason="CrashLoopBackOff", message=text)


def backed_off(state: PodState, name: str, *, now: datetime, scale: float) -> PodState:
    """The container is about to be started again: the next back-off is longer."""
    container = state.container(name)
    ending = container.state if isinstance(container.state, Terminated) else container.last
    finished_at = ending.finished_at if ending else now
    longer = container.backoff.next(now=now, finished_at=finished_at, scale=scale)
    return state.with_container(replace(container, backoff=longer))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def phase(state: PodState) -> str:
    """The pod's phase, from its containers as the kubelet computes it."""
    if any(not _initialized(container) for container in state.init):
        failed = any(_failed(container) for container in state.init)
        return "Failed" if failed and state.restart_policy == "Never" else "Pending"
    if any(isinstance(container.state, Waiting) and container.last is None for container in state.main):
        return "Pending"
    if any(isinstance(container.state, Running) for container in state.main):
        return "Running"
    if state.restart_policy == "Always":
        return "Running"
    if not any(_failed(container) for container in state.main):
        return "Succeeded"
    return "Failed" if state.restart_policy == "Never" else "Running"


def _initialized(container: Container) -> bool:
    return isinstance(container.state, Terminated) and container.state.exit_code == 0


def _failed(container: Container) -> bool:
    ending = container.state if isinstance(container.state, Terminated) else container.last
    return ending is not None and ending.exit_code != 0


def initialized(state: PodState) -> bool:
    """Whether all init containers are done."""
    return all(_initialized(container) for container in state.init)


def done(state: PodState) -> bool:
    """Whether nothing of the pod will ever run again."""
    return phase(state) in ("Succeeded", "Failed")


def recovered(pod: PodSpec, document: Document, *, now: datetime) -> PodState:
    """The state of a pod that ran under an earlier process of this node: what ran then was lost with it."""
    status = document.get("status") or {}
    begun = status.get("startTime")
    shown = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    by_name = {item["name"]: item for item in shown}
    fresh = begin(pod, now=parse_time(begun) if begun else now)
    containers = tuple(_recovered(old, by_name.get(old.name), now) for old in fresh.containers)
    return replace(fresh, containers=containers)


def _recovered(fresh: Container, item: Document | None, now: datetime) -> Container:
    if not item:
        return fresh
    last = _read_terminated((item.get("lastState") or {}).get("terminated"))
    known = replace(
        fresh,
        restarts=item.get("restartCount") or 0,
        last=last,
        image_id=item.get("imageID") or "",
        shown_image=item.get("image") or "",
    )
    state = item.get("state") or {}
    if "running" in state:
        lost = Terminated(
            exit_code=255,
            reason="Unknown",
            started_at=parse_time(state["running"]["startedAt"]),
            finished_at=now,
            container_id=item.get("containerID") or "",
        )
        return replace(known, state=lost)
    ended = _read_terminated(state.get("terminated"))
    return replace(known, state=ended, ready=fresh.init and ended.exit_code == 0) if ended else known


def _read_terminated(item: Document | None) -> Terminated | None:
    if not item:
        return None
    return Terminated(
        exit_code=item["exitCode"],
        reason=item.get("reason") or "Error",
        started_at=parse_time(item["startedAt"]),
        finished_at=parse_time(item["finishedAt"]),
        container_id=item.get("containerID") or "",
        message=item.get("message") or "",
    )


def to_start(state: PodState, specs: t.Iterable[ContainerSpec]) -> tuple[ContainerSpec, ...]:
    """The containers that still have to run, given what is known of them."""
    return tuple(spec for spec in specs if restarts(state, spec.name))
