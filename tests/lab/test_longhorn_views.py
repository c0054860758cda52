# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's answers have the recorded keys and types, in states the live truth check does not stop at."""

from __future__ import annotations

import datetime as dt
import json
import re
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.longhorn import decide, instances, operator, views, workloads, world
from longhorn_qa_lab.longhorn.releases import release

API = Path(__file__).parents[1] / "recordings" / "2020-06" / "api"
NOW = dt.datetime(2020, 6, 8, 20, 5, 10, 123456, tzinfo=dt.timezone.utc)
RELEASE = release("2020-06")
STAMP = "2020-06-08T20:05:10Z"
BASE = "http://longhorn-backend:9500/v1"
NAMES = re.compile(r"-[er]-[0-9a-f]{8}\b|default-disk-[0-9a-f]{16}")


def recorded(name: str) -> t.Any:
    return json.loads((API / f"{name}.json").read_text())


def shape(value: t.Any) -> t.Any:
    """Keys and types; maps keyed by made-up names count as one entry."""
    if isinstance(value, dict):
        return {NAMES.sub("", "NAME" if NAMES.search(key) else key): shape(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def a_volume(state: str) -> dict[str, t.Any]:
    conditions = {kind: decide.condition(kind, status=True, at=STAMP) for kind in ("restore", "scheduled")}
    spec = {
        "Standby": False, "baseImage": "", "disableFrontend": False, "diskSelector": None, "engineImage": "i",
        "fromBackup": "", "frontend": "blockdev", "nodeID": "", "nodeSelector": None, "numberOfReplicas": 1,
        "recurringJobs": None, "size": "33554432", "staleReplicaTimeout": 0,
    }  # fmt: skip
    return {
        "apiVersion": "longhorn.io/v1beta1",
        "kind": "Volume",
        "metadata": {"name": "test-d-back", "uid": "u", "creationTimestamp": STAMP},
        "spec": spec,
        "status": {**decide.new_volume_status(RELEASE), "state": state, "conditions": conditions},
    }


def view(state: str) -> dict[str, t.Any]:
    volume = a_volume(state)
    engine = workloads.volume_engine(volume, RELEASE) | {"status": instances.stopped(world.ENGINES, "n")}
    replica = workloads.volume_replica(volume, "e", RELEASE) | {"status": instances.stopped(world.REPLICAS, "n")}
    return views.volume(volume, engines=[engine], replicas=[replica], release=RELEASE, base=BASE, now=NOW)


def test_a_detached_volume_looks_as_recorded() -> None:
    made = view("detached")
    wanted = next(entry for entry in recorded("volumes-detached")["data"] if entry["name"] == "test-d-back")
    assert shape(made) == shape(wanted)
    assert sorted(made["actions"]) == sorted(wanted["actions"])
    assert (made["ready"], made["purgeStatus"], made["restoreStatus"]) == (True, None, [])
    assert made["created"] == "2020-06-08 20:05:10 +0000 UTC"
    assert made["timestamp"] == "2020-06-08T20:05:10.123456000Z"


@pytest.mark.parametrize(("state", "actions"), [("", 0), ("detached", 9), ("attaching", 8), ("attached", 16)])
def test_each_state_has_its_actions(state: str, actions: int) -> None:
    assert len(view(state)["actions"]) == actions


def test_errors_look_as_recorded() -> None:
    made = views.error("error listing backups: setting backup-target is empty", url=f"{BASE}/backupvolumes")
    wanted = recorded("error")
    assert made == {**wanted, "links": {"self": f"{BASE}/backupvolumes"}}


def test_nodes_look_as_recorded() -> None:
    status = operator.node_status("n", RELEASE, old={}, replicas={"v-r-01234567": 33554432}, now=STAMP)
    document = operator.new_node("n", RELEASE) | {"status": status}
    made = views.node(document, address="10.0.0.1", base=BASE, now=NOW)
    assert shape(made) == shape(recorded("nodes")["data"][0])


def test_instance_managers_look_as_recorded() -> None:
    node = {"apiVersion": "longhorn.io/v1beta1", **operator.new_node("n", RELEASE)}
    node["metadata"]["uid"] = "u"
    manager = workloads.instance_manager(kind="replica", node=node, image="i", release=RELEASE)
    manager["status"] = {
        "currentState": "running",
        "instances": {"v-r-01234567": instances.instance("v-r-01234567", 10000, 15)},
    }
    made = views.instance_manager(manager, base=BASE)
    wanted = next(entry for entry in recorded("instancemanagers")["data"] if entry["managerType"] == "replica")
    assert shape(made) == shape(wanted)
