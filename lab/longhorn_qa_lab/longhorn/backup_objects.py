# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup objects, from 1.2 on: what they are called, whose they are, and how the API shows them. Pure."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import names, targets, world
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.world import World

VOLUME_LABEL: t.Final = "backup-volume"
TARGET_LABEL: t.Final = "backup-target"


def new(name: str, *, volume: str, target: str, spec: Object) -> Object:
    """A Backup object; where releases have several targets, it names one."""
    labels = {VOLUME_LABEL: volume} | ({TARGET_LABEL: target} if target else {})
    metadata = {"name": name, "namespace": names.NAMESPACE, "labels": labels, "finalizers": [names.FINALIZER]}
    return {"kind": "Backup", "metadata": metadata, "spec": spec}


def volume_of(backup: Object) -> str:
    return str((backup["metadata"].get("labels") or {}).get(VOLUME_LABEL, ""))


def target_of(backup: Object) -> str:
    return str((backup["metadata"].get("labels") or {}).get(TARGET_LABEL, targets.DEFAULT))


def of_volume(cluster: World, volume: str, target: str | None = None) -> list[Object]:
    """A volume's backups, in one target or in all."""
    found = [backup for backup in cluster.all(world.BACKUPS) if volume_of(backup) == volume]
    return [backup for backup in found if target is None or target_of(backup) == target]


def place_of(backup_volume: Object) -> tuple[str, str]:
    """Volume and target of a BackupVolume, which until 1.7 has the volume's name and no other target."""
    spec = backup_volume.get("spec") or {}
    return (
        str(spec.get("volumeName") or backup_volume["metadata"]["name"]),
        str(spec.get("backupTargetName") or targets.DEFAULT),
    )


_SHOWN: t.Final = {
    "created": "backupCreatedAt",
    "error": "error",
    "labels": "labels",
    "messages": "messages",
    "progress": "progress",
    "size": "size",
    "snapshotCreated": "snapshotCreatedAt",
    "state": "state",
    "url": "url",
    "volumeBackingImageName": "volumeBackingImageName",
    "volumeCreated": "volumeCreated",
    "volumeName": "volumeName",
    "volumeSize": "volumeSize",
}
_SHOWN_LATER: t.Final = {
    "backupTargetName": "backupTargetName",
    "compressionMethod": "compressionMethod",
    "newlyUploadDataSize": "newlyUploadDataSize",
    "reUploadedDataSize": "reUploadedDataSize",
}


def view(backup: Object, *, base: str) -> Object:
    """A backup as the API shows it."""
    name, status = backup["metadata"]["name"], backup.get("status") or {}
    empty: Object = {"labels": None, "messages": None, "progress": 0}
    later = {key: status[field] for key, field in _SHOWN_LATER.items() if field in status}
    return {
        **{key: status.get(field, empty.get(key, "")) for key, field in _SHOWN.items()},
        **later,
        "actions": {},
        "id": name,
        "links": {"self": f"{base}/backups/{name}"},
        "name": name,
        "snapshotName": status.get("snapshotName") or backup["spec"].get("snapshotName") or "",
        "type": "backup",
    }


def volume_view(document: Object, *, base: str) -> Object:
    """A BackupVolume as the API shows it."""
    name, status = document["metadata"]["name"], document.get("status") or {}
    volume, target = place_of(document)
    url = f"{base}/backupvolumes/{name}"
    shown = ("createdAt", "dataStored", "labels", "lastBackupAt", "lastBackupName", "messages", "size")
    found = {key: status.get(key) for key in shown}
    found["created"] = found.pop("createdAt")
    return {
        **found,
        "actions": {action: f"{url}?action={action}" for action in ("backupDelete", "backupGet", "backupList")},
        "backupTargetName": target,
        "id": name,
        "links": {"self": url},
        "name": name,
        "type": "backupVolume",
        "volumeName": volume,
    }


def progress_view(backup: Object) -> Object:
    """A backup as it stands among those of its volume."""
    status = backup.get("status") or {}
    return {
        "actions": None,
        "backupURL": status.get("url", ""),
        "error": status.get("error", ""),
        "id": backup["metadata"]["name"],
        "links": None,
        "progress": status.get("progress", 0),
        "replica": "",
        "size": status.get("size", ""),
        "snapshot": status.get("snapshotName", ""),
        "state": status.get("state", ""),
    }
