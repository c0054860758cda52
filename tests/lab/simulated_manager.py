# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated manager of one release on an API server in memory.

The stand-in keeps what matters of a real one: resource versions, conflicts, status subresources, finalizers, and the
webhooks of the releases that have some. A "kubelet" of two lines makes pods run and DaemonSets ready.
"""

from __future__ import annotations

import copy
import io
import itertools
import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Object
from longhorn_qa_lab.longhorn import checks, faults, logs, names, world
from longhorn_qa_lab.longhorn.admission import Admission, Request
from longhorn_qa_lab.longhorn.backup_target_controller import BackupTargets
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.disk import Disk
from longhorn_qa_lab.longhorn.operator import Operator
from longhorn_qa_lab.longhorn.releases import RELEASES
from longhorn_qa_lab.longhorn.service import Service
from longhorn_qa_lab.longhorn.world import Kind, World

BASE = "http://longhorn-backend:9500/v1"
NODE = "lab-node"


class Kube:
    """An API server in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.admission: Admission | None = None
        self._versions = itertools.count(1)

    def get(self, path: str) -> Object:
        if path not in self.objects:
            raise ApiError(404, f"{path} not found", "NotFound")
        return copy.deepcopy(self.objects[path])

    def find(self, path: str) -> Object | None:
        return copy.deepcopy(self.objects.get(path))

    def list(self, path: str) -> Object:
        found = [copy.deepcopy(item) for key, item in self.objects.items() if key.rpartition("/")[0] == path]
        version = path.partition("/namespaces/")[0].removeprefix("/apis/").removeprefix("/api/")
        return {
            "apiVersion": version,
            "kind": "List",
            "items": found,
            "metadata": {"resourceVersion": str(next(self._versions))},
        }

    def create(self, path: str, document: Object) -> Object:
        key = f"{path}/{document['metadata']['name']}"
        if key in self.objects:
            raise ApiError(409, f"{key} exists", "AlreadyExists")
        made = self._admit("CREATE", path, {}, copy.deepcopy(document))
        made["metadata"] |= {"uid": f"uid-{len(self.objects)}-{key}", "creationTimestamp": "2026-11-23T03:00:00Z"}
        return self._store(key, made)

    def replace(self, path: str, document: Object) -> Object:
        key = path.removesuffix("/status")
        old = self.get(key)
        if document["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise ApiError(409, f"{key} has been changed", "Conflict")
        new = {**old, "status": document["status"]} if path != key else {**document, "status": old.get("status")}
        if path == key:
            new = self._admit("UPDATE", path.rpartition("/")[0], old, new)
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self.objects.pop(key)
        return old if new == old else self._store(key, new)

    def delete(self, path: str, **_options: t.Any) -> None:
        if path not in self.objects:
            return
        self._admit("DELETE", path.rpartition("/")[0], copy.deepcopy(self.objects[path]), {})
        metadata = self.objects[path]["metadata"]
        if metadata.get("finalizers"):
            metadata["deletionTimestamp"] = "2026-11-23T04:00:00Z"
        else:
            del self.objects[path]

    def _admit(self, operation: str, collection: str, old: Object, new: Object) -> Object:
        """The object after the webhooks, or their refusal as the API server tells it."""
        plural = collection.rpartition("/")[2]
        if self.admission is None or names.GROUP not in collection or plural not in self.admission.rules():
            return new
        hook = "mutator"
        try:
            made = self.admission.mutate(plural, Request(operation, old, new))
            hook = "validator"
            self.admission.validate(plural, Request(operation, old, made))
        except checks.Refused as error:
            told = f'admission webhook "{hook}.longhorn.io" denied the request: {error}'
            raise ApiError(422, told, "Invalid") from error
        return made

    def _store(self, key: str, document: Object) -> Object:
        document["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[key] = copy.deepcopy(document)
        return copy.deepcopy(document)


class Bucket:
    """A bucket in memory."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._objects.get(key)

    def put(self, key: str, body: bytes) -> None:
        self._objects[key] = body

    def delete(self, key: str) -> None:
        self._objects.pop(key, None)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self._objects if key.startswith(prefix))


class Manager:
    """A manager of one release that has just been started."""

    def __init__(self, folder: Path, release: str) -> None:
        row = RELEASES[release]
        self.kube = Kube()
        self.world = World(self.kube, row)  # type: ignore[arg-type]
        self.text = io.StringIO()
        self.disk = Disk(folder)
        self.context = Context(
            release=row,
            node=NODE,
            pod_ip="10.244.0.2",
            manager_image=row.manager_image,
            service_account="longhorn-service-account",
            engine_image=row.engine_image,
            instance_manager_image=row.instance_manager_image,
            poll_scale=0.0,
            plan=faults.KNOWN,
            plan_text="",
            cluster=self.world,
            disk=self.disk,
            log=logs.Log(self.text),
        )
        if row.webhooks:
            self.kube.admission = Admission(self.context)
        targets = BackupTargets(self.context, None, clock=lambda: 0.0, spawn=lambda work: work())
        self.operator = Operator(self.context, controllers=[targets.tasks])
        self.service = Service(self.context, egress=None)
        self.operator.prepare()
        self.settle()

    def settle(self) -> None:
        """Passes, with the cluster doing its part in between, until nothing changes."""
        for _ in range(40):
            before = copy.deepcopy(self.kube.objects)
            self.look()
            self.operator.step()
            self._kubelet()
            if before == self.kube.objects:
                return
        raise AssertionError("the manager never settles")

    def look(self) -> None:
        """Learn of what others have changed."""
        for kind in self.world.watched:
            self.world._list(kind)

    def _kubelet(self) -> None:
        for path, item in self.kube.objects.items():
            if "/pods/" in path and "status" not in item:
                self._set_status(path, {"phase": "Running", "podIP": "10.244.0.9"})
            if "/daemonsets/" in path and "status" not in item:
                self._set_status(path, {"numberReady": 1, "desiredNumberScheduled": 1})

    def _set_status(self, path: str, status: Object) -> None:
        self.kube.objects[path] = {**self.kube.objects[path], "status": status}

    def all(self, kind: Kind) -> dict[str, Object]:
        """The objects of a kind, as the API server has them."""
        return {item["metadata"]["name"]: item for item in self.kube.list(self.world.path(kind))["items"]}

    def volume(self, name: str = "test", *, attached: bool = True, **body: t.Any) -> Object:
        """Make a volume."""
        self.service.create_volume({"name": name, "size": "32Mi", "numberOfReplicas": 1, **body}, BASE)
        self.settle()
        if attached:
            self.act("attach", name, hostId=NODE, disableFrontend=True)
        return self.all(world.VOLUMES)[name]

    def act(self, action: str, name: str = "test", /, **body: t.Any) -> Object:
        """An action on a volume, and what follows from it."""
        answer = self.service.act(name, action, body, BASE)
        self.settle()
        return answer

    def image(self, reference: str) -> Object:
        """Make an engine image."""
        self.service.create_engine_image({"image": reference}, BASE)
        self.settle()
        return self.all(world.ENGINE_IMAGES)[names.engine_image(reference)]
