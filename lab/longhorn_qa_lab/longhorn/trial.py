# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's procedure by bare requests, without the collection: how the lab is tried and measured against recordings.

It speaks to the API server and, through its service proxy, to the manager; it knows nothing of the lab's inside.
"""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Kube, Object
from longhorn_qa_lab.longhorn import bugs, faults, names

_MANAGER: t.Final = f"/api/v1/namespaces/{names.NAMESPACE}/services/longhorn-backend:9500/proxy/v1"
_NAMESPACED: t.Final = {
    "pods": f"/api/v1/namespaces/{names.NAMESPACE}/pods",
    "events": f"/api/v1/namespaces/{names.NAMESPACE}/events",
    "secrets": f"/api/v1/namespaces/{names.NAMESPACE}/secrets",
    "configmaps": f"/api/v1/namespaces/{names.NAMESPACE}/configmaps",
    "jobs": f"/apis/batch/v1/namespaces/{names.NAMESPACE}/jobs",
    "cronjobs": f"/apis/batch/v1/namespaces/{names.NAMESPACE}/cronjobs",
    "daemonsets": f"/apis/apps/v1/namespaces/{names.NAMESPACE}/daemonsets",
}
STUBS: t.Final = {
    "d": "",
    "nc": "quay.io/ttpcodes/longhorn-engine:no-cleanup",
    "ncb": "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup",
}
STORE: t.Final = "s3"
BUCKET: t.Final = "lhbucket"
SECRET: t.Final = "s3-secret"  # noqa: S105 the name of an object


@dataclasses.dataclass(frozen=True)
class Cell:
    """A volume of the procedure."""

    volume: str
    image: str
    task: str
    job: str

    @property
    def cron_job(self) -> str:
        return names.cron_job(self.volume, self.job)


class Trial:
    """One lab with Longhorn, and what a person does to it."""

    def __init__(self, kubeconfig: Path, *, patience: float = 60.0) -> None:
        self.kube = Kube(kubeconfig)
        preferred = self.kube.get(f"/apis/{names.GROUP}")["preferredVersion"]["groupVersion"]
        #: Where Longhorn's objects are, in the version that the server prefers.
        self.objects = f"/apis/{preferred}/namespaces/{names.NAMESPACE}"
        self._patience = patience

    def manager(self, method: str, path: str, body: Object | None = None) -> Object:
        return self.kube.request(method, _MANAGER + path, body)

    def refusal(self, method: str, path: str, body: Object | None = None) -> str:
        """The message of a request that must fail."""
        try:
            answer = self.manager(method, path, body)
        except ApiError as error:
            return str(error)
        raise AssertionError(f"{method} {path} was accepted: {answer}")

    def items(self, kind: str) -> list[Object]:
        path = _NAMESPACED.get(kind) or f"{self.objects}/{kind}"
        return t.cast("list[Object]", self.kube.list(path)["items"])

    def object(self, kind: str, name: str) -> Object | None:
        path = _NAMESPACED.get(kind) or f"{self.objects}/{kind}"
        return self.kube.find(f"{path}/{name}")

    def until(self, what: str, look: t.Callable[[], bool]) -> None:
        """Wait for something to be true; the error names what was not."""
        deadline = time.monotonic() + self._patience
        while not look():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not seen within {self._patience:g} s")
            time.sleep(0.1)

    def bugs(self, plan: t.Mapping[str, t.Sequence[str]]) -> None:
        """Switch bugs on, per volume; the ones before are off."""
        path = f"{_NAMESPACED['configmaps']}/{faults.CONFIG_MAP}"
        self.kube.merge(path, {"data": {bugs.PLAN_KEY: bugs.document(plan)}})

    def store(self) -> None:
        """An S3 server of the lab, its Secret, and the backup target."""
        for collection, document in store_manifests():
            self.kube.apply(collection, document)
        url = f"s3://{BUCKET}@us-east-1/"
        if self.object("settings", "backup-target") is None:
            target = {"backupTargetURL": url, "credentialSecret": SECRET}
            self.kube.merge(f"{self.objects}/backuptargets/default", {"spec": target})
        else:
            for setting, value in (("backup-target", url), ("backup-target-credential-secret", SECRET)):
                self.manager("PUT", f"/settings/{setting}", {"value": value})
        self.until("the store answers", self._store_answers)

    def _store_answers(self) -> bool:
        target = self.object("backuptargets", "default")
        if target is not None:
            return bool((target.get("status") or {}).get("available"))
        try:
            self.manager("GET", "/backupvolumes")
        except ApiError:
            return False
        return True

    def engine_image(self, image: str) -> None:
        """Deploy an image and wait until it can be used."""
        name = names.engine_image(image)
        if self.object("engineimages", name) is None:
            self.manager("POST", "/engineimages", {"image": image})
        usable = ("ready", "deployed")
        self.until(f"image {image} is ready", lambda: self.manager("GET", f"/engineimages/{name}")["state"] in usable)

    def volume(self, name: str) -> Object:
        return self.manager("GET", f"/volumes/{name}")

    def until_state(self, name: str, state: str) -> None:
        self.until(f"volume {name} is {state}", lambda: self.volume(name)["state"] == state)

    def prepare(self, cells: t.Sequence[Cell]) -> None:
        """Volumes made, upgraded while detached, attached in maintenance mode; no jobs yet."""
        for cell in cells:
            body = {"name": cell.volume, "size": str(32 << 20), "numberOfReplicas": 1, "frontend": "blockdev"}
            self.manager("POST", "/volumes", body)
        node = self.manager("GET", "/nodes")["data"][0]["name"]
        for cell in cells:
            self.until_state(cell.volume, "detached")
            if cell.image:
                self.manager("POST", f"/volumes/{cell.volume}?action=engineUpgrade", {"image": cell.image})
                self.until(
                    f"volume {cell.volume} uses {cell.image}",
                    lambda cell=cell: self.volume(cell.volume)["currentImage"] == cell.image,  # type: ignore[misc]
                )
            body = {"hostId": node, "disableFrontend": True}
            self.manager("POST", f"/volumes/{cell.volume}?action=attach", body)
        for cell in cells:
            self.until_state(cell.volume, "attached")

    def add_jobs(self, cells: t.Sequence[Cell], *, cron: str = "* * * * *", retain: int = 1) -> None:
        for cell in cells:
            job = {"name": cell.job, "cron": cron, "task": cell.task, "retain": retain}
            self.manager("POST", f"/volumes/{cell.volume}?action=recurringUpdate", {"jobs": [job]})
        self.until(
            "CronJobs",
            lambda: {c["metadata"]["name"] for c in self.items("cronjobs")} >= {cell.cron_job for cell in cells},
        )

    def invoke(self, cells: t.Sequence[Cell], suffix: str) -> None:
        """Run every cell's CronJob once, by hand, side by side; returns when all have ended."""
        for cell in cells:
            cron = self.object("cronjobs", cell.cron_job) or {}
            self.kube.create(
                _NAMESPACED["jobs"],
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": {"name": f"{cell.cron_job}-{suffix}", "namespace": names.NAMESPACE},
                    "spec": cron["spec"]["jobTemplate"]["spec"],
                },
            )
        for cell in cells:
            self.until(
                f"{cell.cron_job}-{suffix} ended",
                lambda cell=cell: bool(self.ended(f"{cell.cron_job}-{suffix}")),  # type: ignore[misc]
            )

    def ended(self, job: str) -> str:
        """Complete or Failed; empty while it runs."""
        found = self.object("jobs", job) or {}
        for condition in (found.get("status") or {}).get("conditions") or []:
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                return str(condition["type"])
        return ""

    def pods_of(self, job: str) -> list[Object]:
        path = f"{_NAMESPACED['pods']}?labelSelector=job-name%3D{job}"
        return t.cast("list[Object]", self.kube.list(path)["items"])

    def log(self, pod: str, *, previous: bool = False) -> list[str]:
        """A pod's log, line by line; previous: that of the attempt before."""
        query = "?previous=true" if previous else ""
        return self.kube.text(f"{_NAMESPACED['pods']}/{pod}/log{query}").splitlines()

    def job_log(self, job: str) -> list[str]:
        pods = self.pods_of(job)
        if not pods:
            raise AssertionError(f"Job {job} has no pod")
        return self.log(pods[0]["metadata"]["name"])

    def manager_log(self) -> list[str]:
        path = f"{_NAMESPACED['pods']}?labelSelector=app%3Dlonghorn-manager"
        return self.log(self.kube.list(path)["items"][0]["metadata"]["name"])

    def snapshots(self, volume: str) -> list[Object]:
        """Snapshots of a volume as the manager lists them, without the head."""
        found = self.manager("POST", f"/volumes/{volume}?action=snapshotList", {})["data"]
        return [item for item in found if item["name"] != "volume-head"]

    def backups(self, volume: str) -> list[Object]:
        found = self.manager("POST", f"/backupvolumes/{volume}?action=backupList", {})["data"]
        return t.cast("list[Object]", found)

    def store_keys(self) -> list[str]:
        """Everything in the bucket, read from the S3 server itself."""
        path = f"/api/v1/namespaces/{STORE}/services/{STORE}:9000/proxy/{BUCKET}?list-type=2"
        return re.findall(r"<Key>(.*?)</Key>", self.kube.text(path))


def store_manifests() -> t.Iterator[tuple[str, Object]]:
    """A MinIO-shaped server with one bucket, and the credentials Longhorn reads."""
    labels = {"app": STORE}
    place = {"name": STORE, "namespace": STORE}
    container = {
        "name": "minio",
        "image": "minio/minio:RELEASE.2020-06-01T17-28-03Z",
        "command": ["/bin/sh", "-c"],
        "args": [f"mkdir -p /storage/{BUCKET} && exec minio server --address :9000 /storage"],
        "ports": [{"containerPort": 9000}],
        "readinessProbe": {"tcpSocket": {"port": 9000}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {"selector": {"matchLabels": labels}, "template": template}
    service = {"selector": labels, "ports": [{"port": 9000}]}
    credentials = {
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_ENDPOINTS": f"http://{STORE}.{STORE}:9000",
    }
    yield "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": STORE}}
    yield (
        f"/apis/apps/v1/namespaces/{STORE}/deployments",
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": place, "spec": deployment},
    )
    yield (
        f"/api/v1/namespaces/{STORE}/services",
        {"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": service},
    )
    metadata = {"name": SECRET, "namespace": names.NAMESPACE}
    yield (
        _NAMESPACED["secrets"],
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": credentials},
    )
