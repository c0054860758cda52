# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines and replicas: started, stopped, and looked at now and then, as their instance managers would."""

from __future__ import annotations

import copy
import typing as t

from longhorn_qa_lab.longhorn import decide, engine, lies, logs, names, workloads, world
from longhorn_qa_lab.longhorn.context import Context, post_event
from longhorn_qa_lab.longhorn.decide import Note, Object
from longhorn_qa_lab.longhorn.disk import NoSuchVolume


class Instances:
    """What stands for the processes of a node's engines and replicas."""

    def __init__(self, context: Context, clock: t.Callable[[], float]) -> None:
        self._c = context
        self._w = context.cluster
        self._clock = clock
        self._refreshed: dict[str, float] = {}

    def sync(self, kind: world.Kind, document: Object) -> None:
        """Start, stop or refresh one instance."""
        manager = self._manager_of("engine" if kind is world.ENGINES else "replica")
        name = document["metadata"]["name"]
        status = document.get("status") or {}
        if document["metadata"].get("deletionTimestamp"):
            self._stop(kind, document, manager)
            self._w.release(kind, document)
            return
        wanted = document["spec"]["desireState"]
        if wanted == "running" and status.get("currentState") != "running":
            self._start(kind, document, manager)
        elif wanted == "stopped" and status.get("currentState") != "stopped":
            self._stop(kind, document, manager)
            self._w.replace_status(kind, document, stopped(kind, self._c.node))
        elif kind is world.ENGINES and wanted == "running":
            self._refresh(name, document)

    def _manager_of(self, kind: str) -> Object | None:
        for manager in self._w.all(world.INSTANCE_MANAGERS):
            if (
                manager["spec"]["type"] in (kind, "aio")
                and (manager.get("status") or {}).get("currentState") == "running"
            ):
                return manager
        return None

    def _start(self, kind: world.Kind, document: Object, manager: Object | None) -> None:
        image = self._c.release.image_of(document["spec"])
        known = (self._w.find(world.ENGINE_IMAGES, names.engine_image(image)) or {}).get("status")
        if manager is None or not decide.is_usable(known):
            return
        name = document["metadata"]["name"]
        manager = self._w.find(world.INSTANCE_MANAGERS, manager["metadata"]["name"]) or manager
        width = 1 if kind is world.ENGINES else 15
        field = _field(manager, kind)
        port = _free_port(
            [
                found
                for other in workloads.instance_lists(manager)
                for found in (manager["status"].get(other) or {}).values()
            ],
            width,
        )
        instances = {**(manager["status"].get(field) or {}), name: instance(name, port, width)}
        self._w.replace_status(world.INSTANCE_MANAGERS, manager, {**manager["status"], field: instances})
        status: Object = {
            **(stopped(kind, self._c.node)),
            "currentState": "running",
            "currentImage": image,
            "started": True,
            "instanceManagerName": manager["metadata"]["name"],
            "ip": manager["status"]["ip"],
            "port": port,
        }
        if kind is world.ENGINES:
            self._start_engine(document, status)
        else:
            self._start_replica(document)
        document = self._w.replace_status(kind, document, status)
        note = Note(document["kind"], "Start", f"Starts {name}")
        post_event(self._c, document, note, f"longhorn-{document['kind'].lower()}-controller")

    def _start_replica(self, document: Object) -> None:
        spec = document["spec"]
        created = logs.stamp(logs.now())
        state = engine.new_state(volume=spec["volumeName"], size=int(spec["volumeSize"]), created=created)
        with self._c.disk.change(spec["volumeName"], state):
            pass
        text = logs.line(
            "info", f"Creating volume /host{workloads.data_path(spec)}, size {spec['volumeSize']}/512", logs.now()
        )
        self._c.disk.append_log("replica", f"[{document['metadata']['name']}] {text}")

    def _start_engine(self, document: Object, status: Object) -> None:
        spec, name = document["spec"], document["metadata"]["name"]
        addresses = dict(spec["replicaAddressMap"])
        with self._c.disk.change(spec["volumeName"]) as state:
            state["engine"] = {"name": name, "address": f"{status['ip']}:{status['port']}", "replicas": addresses}
        listed = " ".join(f'"tcp://{address}"' for address in addresses.values())
        for who, message in (
            ("longhorn-instance-manager", f"Process Manager: prepare to create process {name}"),
            ("longhorn-instance-manager", f"Process Manager: created process {name}"),
            (name, f"Starting with replicas [{listed}]"),
            (name, f"Listening on gRPC Controller server: 0.0.0.0:{status['port']}"),
            ("longhorn-instance-manager", f"Process {name} has started at localhost:{status['port']}"),
        ):
            self._c.disk.append_log("engine", f"[{who}] {logs.line('info', message, logs.now())}")
        status |= {
            "currentReplicaAddressMap": addresses,
            "currentSize": spec["volumeSize"],
            "replicaModeMap": dict.fromkeys(addresses, "RW"),
        }
        self._take_from_disk(spec["volumeName"], status)
        self._refreshed[name] = self._clock()

    def _stop(self, kind: world.Kind, document: Object, manager: Object | None) -> None:
        name = document["metadata"]["name"]
        field = _field(manager, kind) if manager is not None else ""
        if manager is not None and name in (manager["status"].get(field) or {}):
            instances = {key: value for key, value in manager["status"][field].items() if key != name}
            self._w.replace_status(world.INSTANCE_MANAGERS, manager, {**manager["status"], field: instances})
        if kind is not world.ENGINES:
            return
        try:
            with self._c.disk.change(document["spec"]["volumeName"]) as state:
                if state["engine"] and state["engine"]["name"] == name:
                    state |= {"engine": None, "backups": {}, "purge": {"state": "", "progress": 0}}
        except NoSuchVolume:
            return

    def _refresh(self, name: str, document: Object) -> None:
        """Copy the engine's own view into its object, as seldom as the real monitor does."""
        status = copy.deepcopy(document["status"])
        status["currentImage"] = self._c.release.image_of(document["spec"])
        if self._clock() - self._refreshed.get(name, 0.0) >= self._c.release.engine_refresh * self._c.poll_scale:
            self._refreshed[name] = self._clock()
            self._take_from_disk(document["spec"]["volumeName"], status)
        self._w.replace_status(world.ENGINES, document, status)

    def _take_from_disk(self, volume: str, status: Object) -> None:
        state = self._c.disk.read(volume)
        bugs = self._c.bugs.of(volume)
        listed = {name: _backup_status(entry) for name, entry in state["backups"].items()}
        addresses = [f"tcp://{address}" for address in (state["engine"] or {}).get("replicas", {}).values()]
        status |= {
            "snapshots": lies.snapshots(engine.snapshot_infos(state), bugs),
            "backupStatus": lies.backups(listed, bugs),
            "purgeStatus": {
                address: {
                    "error": "",
                    "isPurging": False,
                    "progress": state["purge"]["progress"],
                    "state": state["purge"]["state"],
                }
                for address in addresses
            },
            "restoreStatus": {
                address: {"backupURL": "", "isRestoring": False, "lastRestored": "", "state": ""}
                for address in addresses
            },
            "rebuildStatus": {},
        }


def _backup_status(entry: Object) -> Object:
    found = {key: entry[key] for key in ("backupURL", "progress", "replicaAddress", "snapshotName", "state")}
    return {**found, "error": entry["error"]} if entry["error"] else found


def _field(manager: Object, kind: world.Kind) -> str:
    return workloads.instance_lists(manager)[-1 if kind is world.REPLICAS else 0]


def _free_port(instances: t.Iterable[Object], width: int) -> int:
    taken = [(found["status"]["portStart"], found["status"]["portEnd"]) for found in instances]
    port = 10000
    while any(first < port + width and port <= last for first, last in taken):
        port += width
    return port


def instance(name: str, port: int, width: int) -> Object:
    return {
        "spec": {"name": name},
        "status": {
            "endpoint": "",
            "errorMsg": "",
            "listen": "",
            "portEnd": port + width - 1,
            "portStart": port,
            "resourceVersion": 0,
            "state": "running",
            "type": "",
        },
    }


def stopped(kind: world.Kind, node: str) -> Object:
    shared: Object = {
        "currentImage": "",
        "currentState": "stopped",
        "instanceManagerName": "",
        "ip": "",
        "logFetched": False,
        "ownerID": node,
        "port": 0,
        "started": False,
    }
    if kind is world.REPLICAS:
        return shared
    return {
        **shared,
        "backupStatus": None,
        "currentReplicaAddressMap": {},
        "currentSize": "0",
        "endpoint": "",
        "isExpanding": False,
        "lastExpansionError": "",
        "lastExpansionFailedAt": "",
        "lastRestoredBackup": "",
        "purgeStatus": None,
        "rebuildStatus": None,
        "replicaModeMap": None,
        "restoreStatus": None,
        "snapshots": None,
        "snapshotsError": "",
    }
