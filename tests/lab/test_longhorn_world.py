# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's picture of the cluster while lists and its own writes overtake one another."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.kube import Kube, Object
from longhorn_qa_lab.longhorn.releases import RELEASES
from longhorn_qa_lab.longhorn.world import ENGINES, World


def engine(name: str, version: int) -> Object:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}}


class Server:
    """Answers with what it was told, and lets something happen before the answer arrives."""

    def __init__(self) -> None:
        self.items: list[Object] = []
        self.version = 0
        self.meanwhile: t.Callable[[], object] = lambda: None

    def list(self, _path: str) -> Object:
        answer = {"apiVersion": "longhorn.io/v1beta1", "kind": "EngineList", "items": list(self.items)}
        version = self.version
        self.meanwhile()
        return answer | {"metadata": {"resourceVersion": str(version)}}

    def create(self, _path: str, document: Object) -> Object:
        self.version += 1
        return engine(document["metadata"]["name"], self.version)


def known(world: World) -> dict[str, str]:
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in world.all(ENGINES)}


def test_a_list_forgets_what_is_gone_but_not_what_was_made_meanwhile() -> None:
    server = Server()
    world = World(t.cast(Kube, server), next(iter(RELEASES.values())))
    server.items, server.version = [engine("gone", 3), engine("stays", 4)], 5
    world._list(ENGINES)
    server.items, server.version = [engine("stays", 4)], 6
    server.meanwhile = lambda: world.create(ENGINES, {"metadata": {"name": "made"}})
    assert world._list(ENGINES) == "6", "the watch goes on from the list"
    assert known(world) == {"stays": "4", "made": "7"}


def test_a_list_takes_nothing_back() -> None:
    server = Server()
    world = World(t.cast(Kube, server), next(iter(RELEASES.values())))
    server.items, server.version = [engine("one", 3)], 5
    server.meanwhile = lambda: world._take(ENGINES, {"type": "MODIFIED", "object": engine("one", 6)})
    world._list(ENGINES)
    assert known(world) == {"one": "6"}
