# SPDX-License-Identifier: GPL-3.0-or-later
"""Where connections inside the cluster lead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longhorn_qa_lab.node.services import Backend, Directory, Routes, read_service

MANAGER = Backend(
    namespace="longhorn-system",
    name="longhorn-manager-x",
    ip="10.244.0.4",
    labels={"app": "longhorn-manager", "more": "1"},
    ready=True,
    ports={9500: 40001},
    named={"manager": 9500},
)
SERVICE = read_service(
    {
        "metadata": {"name": "longhorn-backend", "namespace": "longhorn-system"},
        "spec": {
            "clusterIP": "10.96.0.7",
            "selector": {"app": "longhorn-manager"},
            "ports": [{"port": 9500, "targetPort": "manager"}, {"port": 80, "targetPort": 9500}, {"port": 81}],
        },
    }
)
KUBERNETES = read_service(
    {
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]},
    }
)
ROUTES = Routes(services=(SERVICE, KUBERNETES), backends=(MANAGER,), api_server=("127.0.0.1", 6443))
REAL = ("127.0.0.1", 40001)


@pytest.mark.parametrize(
    ("host", "port", "real"),
    [
        pytest.param("10.244.0.4", 9500, REAL, id="pod address"),
        pytest.param("10.244.0.4", 9501, None, id="pod address, port nobody listens on"),
        pytest.param("10.244.0.99", 9500, None, id="address of no pod"),
        pytest.param("10.96.0.7", 9500, REAL, id="cluster address, target by name"),
        pytest.param("10.96.0.7", 80, REAL, id="cluster address, target by number"),
        pytest.param("10.96.0.7", 81, None, id="target port without listener"),
        pytest.param("10.96.0.7", 82, None, id="port that the Service does not have"),
        pytest.param("longhorn-backend", 9500, REAL, id="bare name"),
        pytest.param("longhorn-backend.longhorn-system", 9500, REAL, id="name and namespace"),
        pytest.param("Longhorn-Backend.longhorn-system.svc", 9500, REAL, id="svc, any case"),
        pytest.param("longhorn-backend.longhorn-system.svc.cluster.local.", 9500, REAL, id="full name"),
        pytest.param("longhorn-backend.default", 9500, None, id="wrong namespace"),
        pytest.param("example.org", 443, None, id="not in the cluster"),
        pytest.param("kubernetes.default.svc", 443, ("127.0.0.1", 6443), id="API server"),
    ],
)
def test_resolve(host: str, port: int, real: tuple[str, int] | None) -> None:
    assert ROUTES.resolve(host, port) == real


def test_unready_pods_get_no_connection_through_a_service() -> None:
    unready = Routes(services=(SERVICE,), backends=(replace(MANAGER, ready=False),))
    assert unready.resolve("longhorn-backend", 9500) is None
    assert unready.resolve("10.244.0.4", 9500) == REAL, "the pod itself can be asked"
    anyway = Routes(services=(replace(SERVICE, unready_too=True),), backends=unready.backends)
    assert anyway.resolve("longhorn-backend", 9500) == REAL


def test_bare_name_in_two_namespaces_is_nobody() -> None:
    twin = replace(SERVICE, namespace="other", addresses=())
    assert replace(ROUTES, services=(SERVICE, twin)).resolve("longhorn-backend", 9500) is None


def test_selector_must_match_within_the_namespace() -> None:
    assert replace(ROUTES, backends=(replace(MANAGER, namespace="other"),)).resolve("10.96.0.7", 80) is None
    assert replace(ROUTES, backends=(replace(MANAGER, labels={}),)).resolve("10.96.0.7", 80) is None
    everything = replace(SERVICE, selector={})
    assert replace(ROUTES, services=(everything,)).resolve("10.96.0.7", 80) is None, "no selector selects nothing"


def test_directory_follows_what_it_is_told() -> None:
    directory = Directory(("127.0.0.1", 6443))
    directory.set_services({"s": SERVICE})
    assert directory.resolve("longhorn-backend", 9500) is None
    directory.set_backend("p", MANAGER)
    assert directory.resolve("longhorn-backend", 9500) == REAL
    directory.set_service("s", None)
    assert directory.resolve("longhorn-backend", 9500) is None
    directory.set_backend("p", None)
    assert directory.resolve("10.244.0.4", 9500) is None
