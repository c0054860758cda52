# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager API's documents: objects of the cluster as ``/v1`` shows them. Pure."""

from __future__ import annotations

import datetime as dt
import typing as t

from longhorn_qa_lab.longhorn import decide, settings, workloads
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import Release, Span

_ALWAYS: t.Final = ("activate", "cancelExpansion", "engineUpgrade", "pvCreate", "pvcCreate", "replicaRemove")
_JOB_ACTIONS: t.Final[t.Mapping[str, tuple[str, ...]]] = {
    "in volumes": ("recurringUpdate",),
    "objects": ("recurringJobAdd", "recurringJobDelete", "recurringJobList"),
}
_ACTIONS: t.Final[t.Mapping[str, tuple[str, ...]]] = {
    "detached": (*_ALWAYS, "attach", "expand"),
    "attaching": (*_ALWAYS, "detach"),
    "attached": (
        *_ALWAYS,
        "detach",
        "snapshotBackup",
        "snapshotCreate",
        "snapshotDelete",
        "snapshotGet",
        "snapshotList",
        "snapshotPurge",
        "snapshotRevert",
        "updateReplicaCount",
    ),
    "detaching": _ALWAYS,
}
_SNAPSHOT_OBJECT_ACTIONS: t.Final = ("snapshotCRCreate", "snapshotCRDelete", "snapshotCRGet", "snapshotCRList")


def actions(state: str, release: Release) -> list[str]:
    """What can be asked of a volume in this state."""
    found = _ACTIONS.get(state, ())
    if not found:
        return []
    more = _JOB_ACTIONS[release.recurring_jobs]
    return sorted((*found, *more, *(_SNAPSHOT_OBJECT_ACTIONS if release.has(_SNAPSHOT_OBJECTS) else ())))


_SNAPSHOT_OBJECTS: t.Final = Span(since=(1, 4, 0))


def stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def collection(items: t.Sequence[Object], *, kind: str, url: str, **extra: t.Any) -> Object:
    return {"data": list(items), "links": {"self": url}, "resourceType": kind, "type": "collection", **extra}


def error(message: str, *, url: str, status: int = 500, code: str = "Server Error") -> Object:
    return {
        "actions": {},
        "code": code,
        "detail": "",
        "links": {"self": url},
        "message": message,
        "status": status,
        "type": "error",
    }


def volume(
    document: Object,
    *,
    engines: t.Sequence[Object],
    replicas: t.Sequence[Object],
    release: Release,
    base: str,
    now: dt.datetime,
) -> Object:
    """A volume with its engine, replicas and what the engine last reported."""
    spec, name = document["spec"], document["metadata"]["name"]
    status = {**decide.new_volume_status(release), **(document.get("status") or {})}
    engine_status: Object = (engines[0].get("status") or {}) if engines else {}
    url = f"{base}/volumes/{name}"
    addresses = {
        f"tcp://{(r.get('status') or {}).get('ip')}:{(r.get('status') or {}).get('port')}": r["metadata"]["name"]
        for r in replicas
    }
    conditions = decide.condition_map(status["conditions"])
    scheduled = conditions.get(decide.condition_type("scheduled", release), {}).get("status") == "True"
    return {
        **_release_fields(spec, status, release),
        "actions": {action: f"{url}?action={action}" for action in actions(status["state"], release)},
        "backupStatus": _backup_status(engine_status.get("backupStatus") or {}, addresses),
        "conditions": conditions or None,
        "controllers": [_controller(entry, release) for entry in engines],
        "created": _created(document),
        "currentImage": status["currentImage"],
        "disableFrontend": status["frontendDisabled"],
        "diskSelector": spec["diskSelector"],
        "fromBackup": spec["fromBackup"],
        "frontend": spec["frontend"],
        "id": name,
        "kubernetesStatus": status["kubernetesStatus"],
        "lastBackup": status["lastBackup"],
        "lastBackupAt": status["lastBackupAt"],
        "links": {"self": url},
        "name": name,
        "nodeSelector": spec["nodeSelector"],
        "numberOfReplicas": spec["numberOfReplicas"],
        "purgeStatus": _per_replica(engine_status.get("purgeStatus"), addresses),
        "ready": scheduled and bool(status["state"]),
        "rebuildStatus": [],
        "replicas": [_replica(entry, engine_status, release) for entry in replicas],
        "restoreStatus": _restore_status(engine_status.get("restoreStatus"), addresses),
        "robustness": status["robustness"],
        "size": spec["size"],
        "staleReplicaTimeout": spec["staleReplicaTimeout"],
        "standby": spec["Standby"],
        "state": status["state"],
        "timestamp": stamp(now),
        "type": "volume",
    }


#: What a release shows of a volume's specification and status under the same name.
_SHOWN: t.Final = (
    (Span(before=(1, 2, 0)), "recurringJobs"),
    (Span(before=(1, 2, 0)), "baseImage"),
    (Span(before=(1, 1, 0)), "initialRestorationRequired"),
    (Span(since=(1, 1, 0)), "restoreRequired"),
    (Span(since=(1, 1, 0)), "lastAttachedBy"),
    (Span(since=(1, 1, 0)), "accessMode"),
    (Span(since=(1, 1, 0)), "dataLocality"),
    (Span(since=(1, 6, 0)), "dataEngine"),
    (Span(since=(1, 8, 0)), "backupTargetName"),
)


def _release_fields(spec: Object, status: Object, release: Release) -> Object:
    shown = {name: {**spec, **status}.get(name) for span, name in _SHOWN if release.has(span)}
    return {**shown, **{field: spec[field] for field in release.image_fields}}


def _created(document: Object) -> str:
    return str(document["metadata"]["creationTimestamp"]).replace("T", " ").replace("Z", " +0000 UTC")


def _backup_status(found: t.Mapping[str, Object], addresses: t.Mapping[str, str]) -> list[Object]:
    return [
        {
            "actions": None,
            "backupURL": entry["backupURL"],
            "error": entry.get("error", ""),
            "id": name,
            "links": None,
            "progress": entry["progress"],
            "replica": addresses.get(entry["replicaAddress"], ""),
            "snapshot": entry["snapshotName"],
            "state": entry["state"],
        }
        for name, entry in found.items()
    ]


def _per_replica(found: t.Mapping[str, Object] | None, addresses: t.Mapping[str, str]) -> list[Object] | None:
    if found is None:
        return None
    return [
        {"actions": None, "links": None, "replica": addresses.get(address, ""), **entry}
        for address, entry in found.items()
    ]


def _restore_status(found: t.Mapping[str, Object] | None, addresses: t.Mapping[str, str]) -> list[Object]:
    entries = _per_replica(found, addresses) or []
    return [{**entry, "error": "", "filename": "", "progress": 0} for entry in entries]


def _controller(document: Object, release: Release) -> Object:
    spec, status = document["spec"], document.get("status") or {}
    return {
        **{field: spec[field] for field in release.image_fields},
        "address": status.get("ip", ""),
        "currentImage": status.get("currentImage", ""),
        "endpoint": status.get("endpoint", ""),
        "hostId": spec["nodeID"],
        "instanceManagerName": status.get("instanceManagerName", ""),
        "isExpanding": False,
        "lastExpansionError": "",
        "lastExpansionFailedAt": "",
        "lastRestoredBackup": "",
        "name": document["metadata"]["name"],
        "requestedBackupRestore": "",
        "running": status.get("currentState") == "running",
        "size": status.get("currentSize", "0"),
    }


def _replica(document: Object, engine_status: Object, release: Release) -> Object:
    spec, status = document["spec"], document.get("status") or {}
    name = document["metadata"]["name"]
    return {
        **{field: spec[field] for field in release.image_fields},
        "address": status.get("ip", ""),
        "currentImage": status.get("currentImage", ""),
        "dataPath": workloads.data_path(spec),
        "diskID": spec["diskID"],
        "failedAt": spec["failedAt"],
        "hostId": spec["nodeID"],
        "instanceManagerName": status.get("instanceManagerName", ""),
        "mode": (engine_status.get("replicaModeMap") or {}).get(name, ""),
        "name": name,
        "running": status.get("currentState") == "running",
    }


def snapshot(info: Object, *, base: str) -> Object:
    return {
        "actions": {},
        "id": info["name"],
        "links": {"self": f"{base}/snapshots/{info['name']}"},
        "type": "snapshot",
        **info,
    }


def engine_image(document: Object, *, default: str, base: str, now: dt.datetime) -> Object:
    name, reference = document["metadata"]["name"], document["spec"]["image"]
    status = document.get("status") or {}
    empty = {
        "buildDate": "",
        "cliAPIMinVersion": 0,
        "cliAPIVersion": 0,
        "conditions": None,
        "controllerAPIMinVersion": 0,
        "controllerAPIVersion": 0,
        "dataFormatMinVersion": 0,
        "dataFormatVersion": 0,
        "gitCommit": "",
        "noRefSince": "",
        "ownerID": "",
        "refCount": 0,
        "state": "",
        "version": "",
    }
    return {
        **empty,
        **status,
        "conditions": decide.condition_map(status.get("conditions")) or None,
        "actions": {},
        "default": reference == default,
        "id": name,
        "image": reference,
        "links": {"self": f"{base}/engineimages/{name}"},
        "name": name,
        "timestamp": stamp(now),
        "type": "engineImage",
    }


def setting(document: Object, *, definition: settings.Definition, base: str, now: dt.datetime) -> Object:
    name = document["metadata"]["name"]
    return {
        "actions": {},
        "definition": definition.document(),
        "id": name,
        "links": {"self": f"{base}/settings/{name}"},
        "name": name,
        "timestamp": stamp(now),
        "type": "setting",
        "value": document["value"],
    }


def backup_target(document: Object, *, base: str) -> Object:
    name, spec = document["metadata"]["name"], document["spec"]
    status = document.get("status") or {}
    unavailable = decide.condition_map(status.get("conditions")).get("Unavailable") or {}
    return {
        "actions": {},
        "available": bool(status.get("available")),
        "backupTargetURL": spec["backupTargetURL"],
        "credentialSecret": spec["credentialSecret"],
        "id": name,
        "links": {"self": f"{base}/backuptargets/{name}"},
        "message": unavailable.get("message", ""),
        "name": name,
        "pollInterval": spec["pollInterval"],
        "type": "backupTarget",
    }


def recurring_job(document: Object, *, base: str) -> Object:
    name, status = document["metadata"]["name"], document.get("status") or {}
    return {
        **document["spec"],
        **({"executionCount": status["executionCount"]} if "executionCount" in status else {}),
        "actions": {},
        "id": name,
        "links": {"self": f"{base}/recurringjobs/{name}"},
        "name": name,
        "type": "recurringJob",
    }


def volume_recurring_job(name: str, *, is_group: bool) -> Object:
    return {"actions": {}, "id": name, "isGroup": is_group, "links": {}, "name": name, "type": "volumeRecurringJob"}


def instance_manager(document: Object, *, base: str) -> Object:
    name = document["metadata"]["name"]
    status = document.get("status") or {}
    return {
        "actions": {},
        "currentState": status.get("currentState", ""),
        "id": name,
        "image": document["spec"]["image"],
        **{field: status.get(field) or {} for field in workloads.instance_lists(document)},
        "links": {"self": f"{base}/instancemanagers/{name}"},
        "managerType": document["spec"]["type"],
        "name": name,
        "nodeID": document["spec"]["nodeID"],
        "type": "instanceManager",
    }


def node(document: Object, *, address: str, base: str, now: dt.datetime) -> Object:
    name, spec = document["metadata"]["name"], document["spec"]
    status = document.get("status") or {}
    url = f"{base}/nodes/{name}"
    return {
        "actions": {"diskUpdate": f"{url}?action=diskUpdate"},
        "address": address,
        "allowScheduling": spec["allowScheduling"],
        "conditions": decide.condition_map(status.get("conditions")) or None,
        "disks": {
            disk: {**entry, **(status.get("diskStatus") or {}).get(disk, {})} for disk, entry in spec["disks"].items()
        },
        "id": name,
        "links": {"self": url},
        "name": name,
        "region": "",
        "tags": spec["tags"],
        "timestamp": stamp(now),
        "type": "node",
        "zone": "",
    }


def backup_volume(config: Object, *, base: str) -> Object:
    name = config["Name"]
    url = f"{base}/backupvolumes/{name}"
    return {
        "actions": {action: f"{url}?action={action}" for action in ("backupDelete", "backupGet", "backupList")},
        "backups": None,
        "baseImage": "",
        "created": config["CreatedTime"],
        "dataStored": str(int(config["BlockCount"]) * 2 * 1024 * 1024),
        "id": name,
        "lastBackupAt": config["LastBackupAt"],
        "lastBackupName": config["LastBackupName"],
        "links": {"self": url},
        "messages": {},
        "name": name,
        "size": config["Size"],
        "type": "backupVolume",
    }


def backup(config: Object, *, volume_config: Object, url: str, base: str) -> Object:
    name = config["Name"]
    return {
        "actions": {},
        "created": config["CreatedTime"],
        "id": name,
        "labels": config.get("Labels"),
        "links": {"self": f"{base}/backups/{name}"},
        "messages": None,
        "name": name,
        "size": config["Size"],
        "snapshotCreated": config["SnapshotCreatedAt"],
        "snapshotName": config["SnapshotName"],
        "type": "backup",
        "url": url,
        "volumeCreated": volume_config["CreatedTime"],
        "volumeName": volume_config["Name"],
        "volumeSize": volume_config["Size"],
    }
