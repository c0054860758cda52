# SPDX-License-Identifier: GPL-3.0-or-later
"""The node as the cluster knows it: its Node object, its heartbeats, and a worker for every pod bound to it."""

from __future__ import annotations

import asyncio
import os
import platform
import typing as t

from longhorn_qa_lab.node.api import Api, ApiError, Json
from longhorn_qa_lab.node.events import about_node
from longhorn_qa_lab.node.model import Document, format_time
from longhorn_qa_lab.node.node import HOST_IP, Node
from longhorn_qa_lab.node.services import read_service
from longhorn_qa_lab.node.worker import PodWorker

LEASE_SECONDS = 40
HEARTBEAT_SECONDS = 10.0
RETRY_SECONDS = 0.3
MOST_PODS = 110
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


class Kubelet:
    """Keeps the Node object alive and the pods' workers in step with their objects."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._api: Api = node.api
        self.workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._since = format_time(node.now())

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """The pod of that name; while one is being replaced, the newer one."""
        found = None
        for worker in self.workers.values():
            if (worker.pod.namespace, worker.pod.name) == (namespace, name):
                found = worker
        return found

    # The Node object

    async def register(self) -> None:
        """Create the Node object if need be and report it ready; tried until the API server is there."""
        while True:
            try:
                version = (await self._api.get("/version"))["gitVersion"]
                await self._create()
                await self._report(self._status(version))
                self._node.events.emit(
                    about_node(self._node.settings.name, reason="Starting", message="Starting kubelet.")
                )
                return
            except ApiError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _create(self) -> None:
        name = self._node.settings.name
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": _architecture()}
        document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        try:
            await self._api.create("/api/v1/nodes", document)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    def _status(self, version: str) -> Json:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
        capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory}Ki", "pods": str(MOST_PODS)}
        return {
            "addresses": [
                {"type": "InternalIP", "address": HOST_IP},
                {"type": "Hostname", "address": self._node.settings.name},
            ],
            "capacity": capacity,
            "allocatable": capacity,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._node.settings.port}},
            "nodeInfo": _node_info(version),
        }

    async def _report(self, status: Json) -> None:
        now = format_time(self._node.now())
        conditions = [
            {
                "type": kind,
                "status": value,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": now,
                "lastTransitionTime": self._since,
            }
            for kind, value, reason, message in CONDITIONS
        ]
        path = f"/api/v1/nodes/{self._node.settings.name}/status"
        await self._api.patch(path, {"status": {**status, "conditions": conditions}})

    async def beat(self) -> t.NoReturn:
        """Renew lease and conditions for ever."""
        while True:
            try:
                await self._renew()
                await self._report({})
                await asyncio.sleep(HEARTBEAT_SECONDS)
            except ApiError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _renew(self) -> None:
        name = self._node.settings.name
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": f"{self._node.now():%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
        try:
            await self._api.patch(f"{LEASES}/{name}", {"spec": spec})
        except ApiError as error:
            if error.code != 404:
                raise
            await self._api.create(LEASES, lease)

    # Pods and Services

    async def watch_pods(self) -> None:
        """Keep a worker for every pod bound to this node."""
        query = f"fieldSelector=spec.nodeName%3D{self._node.settings.name}"
        async for change in self._api.changes("/api/v1/pods", query=query):
            if change.kind == "LISTED":
                self._listed(change.objects)
            for document in change.objects:
                if change.kind == "DELETED":
                    self._removed(document["metadata"]["uid"])
                else:
                    self._seen(document)

    def _listed(self, documents: t.Iterable[Document]) -> None:
        present = {document["metadata"]["uid"] for document in documents}
        for uid in set(self.workers) - present:
            self._removed(uid)

    def _removed(self, uid: str) -> None:
        if uid in self.workers:
            self.workers[uid].removed()

    def _seen(self, document: Document) -> None:
        uid = document["metadata"]["uid"]
        if uid in self.workers:
            self.workers[uid].update(document)
            return
        worker = PodWorker(self._node, document)
        self.workers[uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {worker.pod.namespace}/{worker.pod.name}")
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._finished(uid, done))

    def _finished(self, uid: str, task: asyncio.Task[None]) -> None:
        self.workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()):
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{task.get_name()}: the worker failed", "exception": error, "task": task}
            )

    async def watch_services(self) -> None:
        """Keep the table of Services."""
        directory = self._node.directory
        async for change in self._api.changes("/api/v1/services"):
            if change.kind == "LISTED":
                directory.set_services({item["metadata"]["uid"]: read_service(item) for item in change.objects})
                continue
            for item in change.objects:
                service = None if change.kind == "DELETED" else read_service(item)
                directory.set_service(item["metadata"]["uid"], service)

    async def stop(self) -> None:
        """End every pod's processes without telling the cluster."""
        workers, tasks = list(self.workers.values()), list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(worker.abandon() for worker in workers))


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _node_info(version: str) -> dict[str, str]:
    return {
        "architecture": _architecture(),
        "bootID": "",
        "containerRuntimeVersion": "containerd://0.0.0-lab",
        "kernelVersion": platform.release(),
        "kubeProxyVersion": version,
        "kubeletVersion": version,
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "longhorn.qa lab",
        "systemUUID": "",
    }
