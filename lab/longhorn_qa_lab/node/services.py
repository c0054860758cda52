# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a connection inside the cluster leads: pod addresses, Service addresses and Service names to real local ports.

The control plane asks (Service and pod proxying) and the pods' programs ask (name:port); both through the egress proxy,
which runs in threads of its own. So readers only ever see whole, unchanging tables.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from longhorn_qa_lab.node.model import Document

LOOPBACK = "127.0.0.1"
DOMAIN = "cluster.local"


@dataclass(frozen=True, kw_only=True)
class Service:
    """A Service as far as it routes."""

    namespace: str
    name: str
    addresses: tuple[str, ...]
    selector: t.Mapping[str, str]
    ports: t.Mapping[int, int | str]
    unready_too: bool = False


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A pod as far as it can be connected to: what it listens on, by number and by name, and where that really is."""

    namespace: str
    name: str
    ip: str
    labels: t.Mapping[str, str]
    ready: bool
    ports: t.Mapping[int, int]
    named: t.Mapping[str, int]


def read_service(document: Document) -> Service:
    """Convert a Service object."""
    meta, spec = document["metadata"], document["spec"]
    address = spec.get("clusterIP")
    return Service(
        namespace=meta["namespace"],
        name=meta["name"],
        addresses=() if address in (None, "", "None") else (address,),
        selector=spec.get("selector") or {},
        ports={port["port"]: port.get("targetPort") or port["port"] for port in spec.get("ports") or ()},
        unready_too=bool(spec.get("publishNotReadyAddresses")),
    )


@dataclass(frozen=True, kw_only=True)
class Routes:
    """One moment's tables."""

    services: tuple[Service, ...] = ()
    backends: tuple[Backend, ...] = ()
    api_server: tuple[str, int] | None = None

    def resolve(self, host: str, port: int) -> tuple[str, int] | None:
        """The real address behind host:port, or None where a real cluster would refuse the connection."""
        for backend in self.backends:
            if backend.ip == host:
                return _real(backend, port)
        service = self._service(host)
        if service is None or port not in service.ports:
            return None
        if (service.namespace, service.name) == ("default", "kubernetes"):
            return self.api_server
        target = service.ports[port]
        for backend in self.backends:
            if _selects(service, backend) and (real := _real(backend, target)):
                return real
        return None

    def _service(self, host: str) -> Service | None:
        by_address = [service for service in self.services if host in service.addresses]
        if by_address:
            return by_address[0]
        name, _, rest = host.lower().rstrip(".").removesuffix(f".{DOMAIN}").removesuffix(".svc").partition(".")
        by_name = [service for service in self.services if service.name == name and rest in ("", service.namespace)]
        # A bare name is looked up in the asker's namespace on a real cluster; here it has to be unambiguous.
        return by_name[0] if len(by_name) == 1 else None


def _selects(service: Service, backend: Backend) -> bool:
    return (
        bool(service.selector)
        and service.namespace == backend.namespace
        and (backend.ready or service.unready_too)
        and service.selector.items() <= backend.labels.items()
    )


def _real(backend: Backend, port: int | str) -> tuple[str, int] | None:
    number = port if isinstance(port, int) else backend.named.get(port, 0)
    real = backend.ports.get(number)
    return (LOOPBACK, real) if real else None


class Directory:
    """The current tables; written on the event loop, read from anywhere."""

    def __init__(self, api_server: tuple[str, int]) -> None:
        self._routes = Routes(api_server=api_server)
        self._services: dict[str, Service] = {}
        self._backends: dict[str, Backend] = {}

    def set_service(self, uid: str, service: Service | None) -> None:
        """Add, change or (with None) forget a Service."""
        _set(self._services, uid, service)
        self._publish()

    def set_services(self, services: t.Mapping[str, Service]) -> None:
        """Exchange all Services."""
        self._services = dict(services)
        self._publish()

    def set_backend(self, uid: str, backend: Backend | None) -> None:
        """Add, change or (with None) forget a pod."""
        _set(self._backends, uid, backend)
        self._publish()

    def _publish(self) -> None:
        self._routes = Routes(
            services=tuple(self._services.values()),
            backends=tuple(self._backends.values()),
            api_server=self._routes.api_server,
        )

    def resolve(self, host: str, port: int) -> tuple[str, int] | None:
        """The real address behind host:port; safe to call from any thread."""
        return self._routes.resolve(host, port)


_Item = t.TypeVar("_Item")


def _set(table: dict[str, _Item], uid: str, item: _Item | None) -> None:
    if item is None:
        table.pop(uid, None)
    else:
        table[uid] = item
