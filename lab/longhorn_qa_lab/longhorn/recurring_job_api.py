# SPDX-License-Identifier: GPL-3.0-or-later
"""A recurring job's way to the cluster from 1.2 on: the manager's REST API for volumes, Kubernetes' for the rest."""

from __future__ import annotations

import datetime as dt
import functools
import typing as t
from collections.abc import Callable

from longhorn_qa_lab.kube import ApiError, Kube, Unreachable
from longhorn_qa_lab.longhorn import logs, names
from longhorn_qa_lab.longhorn.api_volume import Client, Missing
from longhorn_qa_lab.longhorn.jobs import Backup, JobError, Progress, Snapshot
from longhorn_qa_lab.longhorn.recurring_job import Candidate, Look, RecurringJob
from longhorn_qa_lab.longhorn.recurring_job_rules import Rules
from longhorn_qa_lab.longhorn.releases import Release

Object = dict[str, t.Any]

_P = t.ParamSpec("_P")
_R = t.TypeVar("_R")
_COMPONENT: t.Final = "longhorn-recurring-job"
_SEVERAL_TARGETS: t.Final = (1, 8, 0)


class ApiVolume:
    """Implements recurring_job.Volume."""

    def __init__(self, client: Client, volume: str, rules: Rules, release: Release) -> None:
        self._client = client
        self._volume = volume
        self._rules = rules
        self._release = release

    def _get(self) -> Object:
        return self._client.get(f"volumes/{self._volume}")

    def _act(self, action: str, body: t.Mapping[str, t.Any] | None = None) -> Object:
        return self._client.post(f"volumes/{self._volume}?action={action}", body or {})

    def look(self) -> Look | None:
        try:
            found = self._get()
        except Missing:
            return None
        purge = found["purgeStatus"] or []
        return Look(
            state=found["state"],
            engines=len(found["controllers"]),
            running=any(controller["running"] for controller in found["controllers"]),
            last_backup=found["lastBackup"],
            last_attached_by=found.get("lastAttachedBy") or "",
            frontend_disabled=found["disableFrontend"],
            purging=any(entry["isPurging"] for entry in purge),
            purge_errors={entry["replica"]: entry["error"] for entry in purge if entry["error"]},
        )

    def ready_node(self) -> str:
        for node in self._client.get("nodes")["data"]:
            if (node["conditions"] or {}).get("Ready", {}).get("status") == "True":
                return str(node["name"])
        raise JobError("cannot find a ready node")

    def attach(self, node: str, by: str) -> None:
        self._act("attach", {"hostId": node, "disableFrontend": True, "attachedBy": by})

    def detach(self) -> None:
        self._act("detach", {"hostId": ""})

    def snapshots(self) -> list[Snapshot]:
        if self._rules.snapshots == "objects":
            return [_from_object(item) for item in self._act("snapshotCRList")["data"]]
        return [
            Snapshot(
                name=item["name"],
                created=item["created"],
                labels=item["labels"] or {},
                removed=item["removed"],
                usercreated=item["usercreated"],
            )
            for item in self._act("snapshotList")["data"]
        ]

    def _snapshot_action(self, verb: str) -> str:
        return f"snapshotCR{verb}" if self._rules.snapshots == "objects" else f"snapshot{verb}"

    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None:
        self._act(self._snapshot_action("Create"), {"name": name, "labels": dict(labels)})

    def is_ready(self, snapshot: str) -> bool:
        return bool(self._act("snapshotCRGet", {"name": snapshot})["readyToUse"])

    def delete_snapshot(self, name: str) -> None:
        self._act(self._snapshot_action("Delete"), {"name": name})

    def purge(self) -> None:
        self._act("snapshotPurge")

    def trim(self) -> None:
        self._act("trimFilesystem")

    def start_backup(self, snapshot: str, labels: t.Mapping[str, str], mode: str) -> None:
        more = {"backupMode": mode} if self._rules.counts_executions else {}
        self._act("snapshotBackup", {"name": snapshot, "labels": dict(labels), **more})

    def backup_progress(self, snapshot: str) -> Progress | None:
        for entry in self._get()["backupStatus"] or []:
            if entry["snapshot"] == snapshot:
                return Progress(
                    name=entry["id"],
                    url=entry["backupURL"],
                    state=entry["state"],
                    progress=entry["progress"],
                    error=entry["error"],
                )
        return None

    def _backup_volume(self) -> str:
        """Where the volume's backups are listed: under its own name, until there can be several targets."""
        if self._release.number < _SEVERAL_TARGETS:
            return self._volume
        target = self._get()["backupTargetName"]
        for found in self._client.get("backupvolumes")["data"]:
            if (found["backupTargetName"], found["volumeName"]) == (target, self._volume):
                return str(found["name"])
        raise JobError(f"cannot find the backup volume of volume {self._volume} in backup target {target}")

    def snapshot_of(self, backup: str) -> str:
        answer = self._client.post(f"backupvolumes/{self._backup_volume()}?action=backupGet", {"name": backup})
        return str(answer["snapshotName"])

    def backups(self) -> list[Backup]:
        """The backups that have a time; one that is on its way does not count."""
        place = f"backupvolumes/{self._backup_volume()}"
        self._client.get(place)
        return [
            Backup(name=item["name"], url=item["url"], created=item["created"], labels=item["labels"] or {})
            for item in self._client.post(f"{place}?action=backupList", {})["data"]
            if item["created"]
        ]

    def delete_backup(self, name: str) -> None:
        self._client.post(f"backupvolumes/{self._backup_volume()}?action=backupDelete", {"name": name})


def _from_object(item: Object) -> Snapshot:
    """A Snapshot object in a list; its own time decides, because the snapshot's may not be there yet."""
    return Snapshot(
        name=item["name"],
        created=item["crCreationTime"],
        labels=item["labels"] or {},
        removed=item["markRemoved"],
        usercreated=item["userCreated"],
        wanted=item["createSnapshot"],
        exists=bool(item["creationTime"]),
    )


def _telling(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """What Kubernetes refuses ends a job with its words."""

    @functools.wraps(function)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except (ApiError, Unreachable) as error:
            raise JobError(str(error)) from error

    return wrapped


class KubeCluster:
    """Implements recurring_job.Cluster."""

    def __init__(self, kube: Kube, client: Callable[[], Client], rules: Rules, release: Release) -> None:
        self._kube = kube
        self._client = client
        self._rules = rules
        self._release = release
        self._base = f"/apis/{release.api_version}/namespaces/{names.NAMESPACE}"

    @_telling
    def recurring_job(self, name: str) -> RecurringJob:
        spec = self._kube.get(f"{self._base}/recurringjobs/{name}")["spec"]
        return RecurringJob(
            name=name,
            task=spec["task"],
            retain=int(spec.get("retain") or 0),
            concurrency=int(spec.get("concurrency") or 0),
            groups=tuple(spec.get("groups") or ()),
            labels=spec.get("labels") or {},
            parameters=spec.get("parameters") or {},
        )

    @_telling
    def count_execution(self, name: str) -> int:
        path = f"{self._base}/recurringjobs/{name}"
        document = self._kube.get(path)
        status = document.get("status") or {}
        count = int(status.get("executionCount") or 0) + 1
        self._kube.replace(f"{path}/status", {**document, "status": {**status, "executionCount": count}})
        return count

    @_telling
    def is_set(self, setting: str) -> bool:
        return bool(self._kube.get(f"{self._base}/settings/{setting}")["value"] == "true")

    @_telling
    def labelled(self, label: str) -> list[Candidate]:
        selector = f"{label}=enabled".replace("/", "%2F").replace("=", "%3D")
        found = self._kube.list(f"{self._base}/volumes?labelSelector={selector}")["items"]
        return [_candidate(document) for document in found]

    def volume(self, name: str) -> ApiVolume:
        try:
            client = self._client()
        except JobError as error:
            raise JobError(f"could not create longhorn-manager api client: {error}") from error
        return ApiVolume(client, name, self._rules, self._release)

    @_telling
    def warn(self, job: str, reason: str, message: str) -> str:
        document = self._kube.get(f"{self._base}/recurringjobs/{job}")
        metadata, moment = document["metadata"], logs.now()
        reference = {
            "kind": "RecurringJob",
            "namespace": names.NAMESPACE,
            "name": job,
            "uid": metadata["uid"],
            "apiVersion": self._release.api_version,
            "resourceVersion": metadata["resourceVersion"],
        }
        self._kube.create(
            f"/api/v1/namespaces/{names.NAMESPACE}/events",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{job}.{_nanoseconds(moment):x}", "namespace": names.NAMESPACE},
                "involvedObject": reference,
                "type": "Warning",
                "reason": reason,
                "message": message,
                "source": {"component": _COMPONENT},
                "firstTimestamp": logs.stamp(moment),
                "lastTimestamp": logs.stamp(moment),
                "count": 1,
            },
        )
        shown = (
            f'Kind:"RecurringJob", Namespace:"{names.NAMESPACE}", Name:"{job}", UID:"{metadata["uid"]}", '
            f'APIVersion:"{reference["apiVersion"]}", ResourceVersion:"{metadata["resourceVersion"]}", FieldPath:""'
        )
        return f"v1.ObjectReference{{{shown}}}"


def _nanoseconds(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000


def _candidate(document: Object) -> Candidate:
    status = document.get("status") or {}
    return Candidate(
        name=document["metadata"]["name"],
        state=status.get("state", ""),
        robustness=status.get("robustness", ""),
        restoring=bool(status.get("restoreRequired")),
    )
