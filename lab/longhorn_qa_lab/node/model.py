# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node reads out of a Pod object: the edge where API documents become dataclasses."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

Document = t.Mapping[str, t.Any]

DEFAULT_GRACE = 30


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A readiness probe; port 0 means that it cannot be checked from outside the program."""

    kind: t.Literal["tcp", "http", "exec"]
    port: int = 0
    path: str = "/"
    scheme: str = "http"
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    failures: int = 3


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One container of a pod as its author wrote it."""

    name: str
    image: str
    init: bool
    command: tuple[str, ...]
    args: tuple[str, ...]
    ports: tuple[int, ...]
    port_names: t.Mapping[str, int]
    env: tuple[Document, ...]
    env_from: tuple[Document, ...]
    mounts: tuple[Document, ...]
    readiness: Probe | None
    pull_always: bool


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """A pod bound to the node."""

    namespace: str
    name: str
    uid: str
    labels: t.Mapping[str, str]
    annotations: t.Mapping[str, str]
    node: str
    service_account: str
    restart_policy: str
    grace: float
    containers: tuple[ContainerSpec, ...]
    volumes: tuple[Document, ...]
    deleted: bool
    deletion_grace: float
    phase: str
    conditions: tuple[Document, ...]

    @property
    def main_containers(self) -> tuple[ContainerSpec, ...]:
        """The containers that make the pod what it is."""
        return tuple(container for container in self.containers if not container.init)

    @property
    def init_containers(self) -> tuple[ContainerSpec, ...]:
        """The containers that run one after the other before them."""
        return tuple(container for container in self.containers if container.init)


def read_pod(document: Document) -> PodSpec:
    """Convert a Pod object."""
    meta, spec, status = document["metadata"], document["spec"], document.get("status") or {}
    containers = [_container(item, init=True) for item in spec.get("initContainers") or ()]
    containers += [_container(item, init=False) for item in spec["containers"]]
    grace = spec.get("terminationGracePeriodSeconds")
    return PodSpec(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        node=spec.get("nodeName") or "",
        service_account=spec.get("serviceAccountName") or "default",
        restart_policy=spec.get("restartPolicy") or "Always",
        grace=DEFAULT_GRACE if grace is None else grace,
        containers=tuple(containers),
        volumes=tuple(spec.get("volumes") or ()),
        deleted=bool(meta.get("deletionTimestamp")),
        deletion_grace=meta.get("deletionGracePeriodSeconds") or 0,
        phase=status.get("phase") or "Pending",
        conditions=tuple(status.get("conditions") or ()),
    )


def _container(item: Document, *, init: bool) -> ContainerSpec:
    ports = {port.get("name") or "": port["containerPort"] for port in item.get("ports") or ()}
    return ContainerSpec(
        name=item["name"],
        image=item.get("image") or "",
        init=init,
        command=tuple(item.get("command") or ()),
        args=tuple(item.get("args") or ()),
        ports=tuple(port["containerPort"] for port in item.get("ports") or ()),
        port_names={name: number for name, number in ports.items() if name},
        env=tuple(item.get("env") or ()),
        env_from=tuple(item.get("envFrom") or ()),
        mounts=tuple(item.get("volumeMounts") or ()),
        readiness=_probe(item.get("readinessProbe"), ports),
        pull_always=item.get("imagePullPolicy") == "Always",
    )


def _probe(item: Document | None, ports: t.Mapping[str, int]) -> Probe | None:
    if not item:
        return None
    timing: dict[str, t.Any] = {
        "initial_delay": item.get("initialDelaySeconds") or 0,
        "period": item.get("periodSeconds") or 10,
        "timeout": item.get("timeoutSeconds") or 1,
        "failures": item.get("failureThreshold") or 3,
    }
    if "tcpSocket" in item:
        return Probe(kind="tcp", port=_port(item["tcpSocket"]["port"], ports), **timing)
    if "httpGet" in item:
        action = item["httpGet"]
        scheme = (action.get("scheme") or "HTTP").lower()
        port = _port(action["port"], ports)
        return Probe(kind="http", port=port, path=action.get("path") or "/", scheme=scheme, **timing)
    return Probe(kind="exec", **timing)


def _port(value: int | str, ports: t.Mapping[str, int]) -> int:
    if isinstance(value, int):
        return value
    return int(value) if value.isdigit() else ports.get(value, 0)


def parse_time(text: str) -> datetime:
    """An RFC 3339 time of the API as an aware datetime; digits beyond microseconds are cut."""
    head, dot, tail = text.strip().partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:6]}{tail[digits:]}"
    return datetime.fromisoformat(text).astimezone(UTC)


def format_time(moment: datetime) -> str:
    """A time as the API writes it, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
