# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of specifications, release by release: the structure of v1beta2, and what a new volume's fields are."""

from __future__ import annotations

import dataclasses
import typing as t

from longhorn_qa_lab.longhorn.releases import EVER, Number, Release, Span

Object = dict[str, t.Any]

ANYTHING: t.Final[Object] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

#: Kubernetes 1.20, built with a newer Go, takes an empty string for null.
_STRING: t.Final[Object] = {"type": "string", "nullable": True}
_TYPES: t.Final[t.Mapping[str, Object]] = {
    "string": _STRING,
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "strings": {"type": "array", "items": _STRING},
    "labels": {"type": "object", "additionalProperties": _STRING},
    "object": ANYTHING,
    "objects": {"type": "array", "items": ANYTHING},
    "time": {**_STRING, "format": "date-time"},
}


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a specification."""

    name: str
    type: str = "string"
    span: Span = EVER
    #: Allowed values, each with the first release that has it.
    values: t.Mapping[str, Number] = dataclasses.field(default_factory=dict)

    def schema(self, release: Release) -> Object:
        allowed = [value for value, since in self.values.items() if since <= release.number]
        return {**_TYPES[self.type], **({"enum": allowed} if allowed else {})}


def _since(major: int, minor: int, *, before: tuple[int, int] | None = None) -> Span:
    return Span(since=(major, minor, 0), before=None if before is None else (*before, 0))


def _enum(*values: str, **later: Number) -> dict[str, Number]:
    """Values that have always been there, and those that came later."""
    return {**dict.fromkeys(values, (1, 0, 0)), **{name.replace("_", "-"): since for name, since in later.items()}}


_OLD: t.Final = Span(before=(1, 5, 0))
_SWITCH: t.Final = _enum("ignored", "disabled", "enabled")
_IMAGE: t.Final = (Field("engineImage", span=Span(before=(1, 9, 0))), Field("image", span=_since(1, 6)))
_ENGINE: t.Final = (
    Field("backendStoreDriver", span=_since(1, 5, before=(1, 9))),
    Field("dataEngine", span=_since(1, 6), values=_enum("v1", "v2")),
)
_INSTANCE: t.Final = (
    *_IMAGE,
    *_ENGINE,
    Field("volumeName"),
    Field("volumeSize"),
    Field("nodeID"),
    Field("desireState"),
    Field("logRequested", "boolean"),
    Field("salvageRequested", "boolean"),
    Field("active", "boolean"),
    Field("revisionCounterDisabled", "boolean"),
    Field("unmapMarkDiskChainRemovedEnabled", "boolean", _since(1, 4)),
    Field("snapshotMaxCount", "integer", _since(1, 6)),
    Field("snapshotMaxSize", "string", _since(1, 6)),
)

SPECS: t.Final[t.Mapping[str, tuple[Field, ...]]] = {
    "Volume": (
        *_IMAGE,
        *_ENGINE,
        Field("size"),
        Field("frontend", values=_enum("blockdev", "iscsi", "", nvmf=(1, 5, 0), ublk=(1, 9, 0))),
        Field("fromBackup"),
        Field("dataSource"),
        Field("dataLocality", values=_enum("disabled", "best-effort", strict_local=(1, 4, 0))),
        Field("staleReplicaTimeout", "integer"),
        Field("nodeID"),
        Field("migrationNodeID"),
        Field("backingImage"),
        Field("Standby", "boolean"),
        Field("diskSelector", "strings"),
        Field("nodeSelector", "strings"),
        Field("disableFrontend", "boolean"),
        Field("revisionCounterDisabled", "boolean"),
        Field("lastAttachedBy"),
        Field("accessMode", values=_enum("rwo", "rwx", rwop=(1, 11, 0))),
        Field("migratable", "boolean"),
        Field("encrypted", "boolean"),
        Field("numberOfReplicas", "integer"),
        Field("replicaAutoBalance", values=_enum("ignored", "disabled", "least-effort", "best-effort")),
        Field("recurringJobs", "objects", _OLD),
        Field("baseImage", "string", _OLD),
        Field("restoreVolumeRecurringJob", span=_since(1, 4), values=_SWITCH),
        Field("snapshotDataIntegrity", span=_since(1, 4), values=_enum("ignored", "disabled", "enabled", "fast-check")),
        Field("unmapMarkSnapChainRemoved", span=_since(1, 4), values=_SWITCH),
        Field("backupCompressionMethod", span=_since(1, 5), values=_enum("none", "lz4", "gzip")),
        Field("offlineReplicaRebuilding", span=_since(1, 5, before=(1, 6)), values=_SWITCH),
        Field("replicaSoftAntiAffinity", span=_since(1, 5), values=_SWITCH),
        Field("replicaZoneSoftAntiAffinity", span=_since(1, 5), values=_SWITCH),
        Field("replicaDiskSoftAntiAffinity", span=_since(1, 6), values=_SWITCH),
        Field("snapshotMaxCount", "integer", _since(1, 6)),
        Field("snapshotMaxSize", "string", _since(1, 6)),
        Field("freezeFilesystemForSnapshot", span=_since(1, 7), values=_SWITCH),
        Field("backupTargetName", span=_since(1, 8)),
        Field("offlineRebuilding", span=_since(1, 9), values=_SWITCH),
        Field("backupBlockSize", span=_since(1, 10), values=_enum("2097152", "16777216")),
        Field("engineNodeID", span=_since(1, 12)),
        Field("cloneMode", span=_since(1, 12)),
        Field("dataLayout", span=_since(1, 12)),
    ),
    "Engine": (
        *_INSTANCE,
        Field("frontend", values=_enum("blockdev", "iscsi", "", nvmf=(1, 5, 0), ublk=(1, 9, 0))),
        Field("replicaAddressMap", "labels"),
        Field("upgradedReplicaAddressMap", "labels"),
        Field("backupVolume"),
        Field("requestedBackupRestore"),
        Field("requestedDataSource"),
        Field("disableFrontend", "boolean"),
    ),
    "Replica": (
        *_INSTANCE,
        Field("engineName"),
        Field("healthyAt"),
        Field("lastHealthyAt", span=_since(1, 6)),
        Field("failedAt"),
        Field("lastFailedAt", span=_since(1, 6)),
        Field("diskID"),
        Field("diskPath"),
        Field("dataDirectoryName"),
        Field("backingImage"),
        Field("hardNodeAffinity"),
        Field("rebuildRetryCount", "integer"),
        Field("evictionRequested", "boolean", _since(1, 6)),
    ),
    "EngineImage": (Field("image"),),
    "InstanceManager": (
        Field("image"),
        Field("nodeID"),
        Field("type", values=_enum("engine", "replica", aio=(1, 5, 0))),
        Field("dataEngine", span=_since(1, 6), values=_enum("v1", "v2")),
    ),
    "Node": (
        Field("name"),
        Field("disks", "object"),
        Field("allowScheduling", "boolean"),
        Field("evictionRequested", "boolean"),
        Field("tags", "strings"),
        Field("engineManagerCPURequest", "integer", _OLD),
        Field("replicaManagerCPURequest", "integer", _OLD),
        Field("instanceManagerCPURequest", "integer", _since(1, 5)),
    ),
    "BackupTarget": (
        Field("backupTargetURL"),
        Field("credentialSecret"),
        Field("pollInterval"),
        Field("syncRequestedAt", "time"),
    ),
    "BackupVolume": (
        Field("syncRequestedAt", "time"),
        Field("backupTargetName", span=_since(1, 8)),
        Field("volumeName", span=_since(1, 8)),
    ),
    "Backup": (
        Field("snapshotName"),
        Field("labels", "labels"),
        Field("syncRequestedAt", "time"),
        Field("backupMode", span=_since(1, 7), values=_enum("full", "incremental", "")),
        Field("backupBlockSize", span=_since(1, 10), values=_enum("2097152", "16777216")),
    ),
    "RecurringJob": (
        Field("name"),
        Field("groups", "strings"),
        Field(
            "task",
            values=_enum(
                "snapshot",
                "snapshot-force-create",
                "snapshot-cleanup",
                "snapshot-delete",
                "backup",
                "backup-force-create",
                filesystem_trim=(1, 5, 0),
                system_backup=(1, 9, 0),
            ),
        ),
        Field("cron"),
        Field("retain", "integer"),
        Field("concurrency", "integer"),
        Field("labels", "labels"),
        Field("parameters", "labels", _since(1, 7)),
    ),
    "Snapshot": (Field("volume"), Field("createSnapshot", "boolean"), Field("labels", "labels")),
    "VolumeAttachment": (Field("volume"), Field("attachmentTickets", "object")),
}

#: Fields without which the API server takes no object.
_REQUIRED: t.Final[t.Mapping[str, tuple[str, ...]]] = {"Snapshot": ("volume",), "VolumeAttachment": ("volume",)}


def of(kind: str, release: Release) -> dict[str, Field]:
    """The fields that a kind's specification has in a release."""
    return {field.name: field for field in SPECS[kind] if release.has(field.span)}


def schema(kind: str, release: Release) -> Object:
    """The structure of a kind in v1beta2."""
    if kind == "Setting":
        return {
            "type": "object",
            "required": ["value"],
            "properties": {"value": _STRING, "status": ANYTHING},
        }
    if kind not in SPECS:
        return {"type": "object", "properties": {"spec": ANYTHING, "status": ANYTHING}}
    spec: Object = {
        "type": "object",
        "properties": {name: field.schema(release) for name, field in of(kind, release).items()},
    }
    if kind in _REQUIRED:
        spec["required"] = list(_REQUIRED[kind])
    return {"type": "object", "properties": {"spec": spec, "status": ANYTHING}}
