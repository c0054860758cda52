# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of specifications, release by release: the structure of v1beta2, and what a field is that nobody fills."""

from __future__ import annotations

import copy
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
_NOTHING: t.Final[t.Mapping[str, t.Any]] = {
    "string": "",
    "integer": 0,
    "boolean": False,
    "strings": [],
    "labels": {},
    "object": {},
    "objects": [],
    "time": None,
}


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a specification."""

    name: str
    type: str = "string"
    span: Span = EVER
    #: Allowed values, each with the first release that has it.
    values: t.Mapping[str, Number] = dataclasses.field(default_factory=dict)
    #: What Longhorn makes of a field that nobody fills, where it is not the type's own nothing.
    default: t.Any = None

    def schema(self, release: Release) -> Object:
        allowed = [value for value, since in self.values.items() if since <= release.number]
        return {**_TYPES[self.type], **({"enum": allowed} if allowed else {})}

    def unfilled(self, release: Release) -> t.Any:
        """The field's value when nobody gives it one; v1beta1 leaves lists out."""
        if self.default is not None:
            return self.default
        is_list = self.type in ("strings", "objects")
        return None if is_list and release.crd_version == "v1beta1" else copy.deepcopy(_NOTHING[self.type])


def _since(major: int, minor: int, *, before: tuple[int, int] | None = None) -> Span:
    return Span(since=(major, minor, 0), before=None if before is None else (*before, 0))


def _enum(*values: str, **later: Number) -> dict[str, Number]:
    """Values that have always been there, and those that came later."""
    return {**dict.fromkeys(values, (1, 0, 0)), **{name.replace("_", "-"): since for name, since in later.items()}}


_OLD: t.Final = Span(before=(1, 5, 0))
_SWITCH: t.Final = _enum("ignored", "disabled", "enabled")
_FRONTENDS: t.Final = _enum("blockdev", "iscsi", "", nvmf=(1, 5, 0), ublk=(1, 9, 0))
_IMAGE: t.Final = (Field("engineImage", span=Span(before=(1, 9, 0))), Field("image", span=_since(1, 6)))
_ENGINE: t.Final = (
    Field("backendStoreDriver", span=_since(1, 5, before=(1, 9)), default="v1"),
    Field("dataEngine", span=_since(1, 6), values=_enum("v1", "v2"), default="v1"),
)
_INSTANCE: t.Final = (
    *_IMAGE,
    *_ENGINE,
    Field("volumeName"),
    Field("volumeSize"),
    Field("nodeID"),
    Field("desireState", default="stopped"),
    Field("logRequested", "boolean"),
    Field("salvageRequested", "boolean", _since(1, 1)),
    Field("revisionCounterDisabled", "boolean", _since(1, 1)),
    Field("unmapMarkDiskChainRemovedEnabled", "boolean", _since(1, 4)),
    Field("snapshotMaxCount", "integer", _since(1, 6), default=250),
    Field("snapshotMaxSize", "string", _since(1, 6), default="0"),
)


def _switch(name: str, span: Span) -> Field:
    return Field(name, span=span, values=_SWITCH, default="ignored")


SPECS: t.Final[t.Mapping[str, tuple[Field, ...]]] = {
    "Volume": (
        Field("size"),
        Field("frontend", values=_FRONTENDS),
        Field("fromBackup"),
        Field("numberOfReplicas", "integer"),
        Field("staleReplicaTimeout", "integer"),
        Field("nodeID"),
        *_IMAGE,
        Field("recurringJobs", "objects", _OLD),
        Field("baseImage", "string", _OLD),
        Field("Standby", "boolean"),
        Field("diskSelector", "strings"),
        Field("nodeSelector", "strings"),
        Field("disableFrontend", "boolean"),
        *_ENGINE,
        Field("lastAttachedBy", span=_since(1, 1)),
        Field("accessMode", span=_since(1, 1), values=_enum("rwo", "rwx", rwop=(1, 11, 0)), default="rwo"),
        Field(
            "dataLocality",
            span=_since(1, 1),
            values=_enum("disabled", "best-effort", strict_local=(1, 4, 0)),
            default="disabled",
        ),
        Field("migratable", "boolean", _since(1, 1)),
        Field("migrationNodeID", span=_since(1, 1)),
        Field("backingImage", span=_since(1, 1)),
        Field("revisionCounterDisabled", "boolean", _since(1, 1)),
        Field("encrypted", "boolean", _since(1, 2)),
        Field("dataSource", span=_since(1, 3)),
        Field(
            "replicaAutoBalance",
            span=_since(1, 3),
            values=_enum("ignored", "disabled", "least-effort", "best-effort"),
            default="ignored",
        ),
        _switch("restoreVolumeRecurringJob", _since(1, 4)),
        Field(
            "snapshotDataIntegrity",
            span=_since(1, 4),
            values=_enum("ignored", "disabled", "enabled", "fast-check"),
            default="ignored",
        ),
        _switch("unmapMarkSnapChainRemoved", _since(1, 4)),
        Field("backupCompressionMethod", span=_since(1, 5), values=_enum("none", "lz4", "gzip"), default="lz4"),
        Field("offlineReplicaRebuilding", span=_since(1, 5, before=(1, 6)), values=_SWITCH, default="disabled"),
        _switch("replicaSoftAntiAffinity", _since(1, 5)),
        _switch("replicaZoneSoftAntiAffinity", _since(1, 5)),
        _switch("replicaDiskSoftAntiAffinity", _since(1, 6)),
        Field("snapshotMaxCount", "integer", _since(1, 6), default=250),
        Field("snapshotMaxSize", "string", _since(1, 6), default="0"),
        _switch("freezeFilesystemForSnapshot", _since(1, 7)),
        Field("backupTargetName", span=_since(1, 8), default="default"),
        _switch("offlineRebuilding", _since(1, 9)),
        Field("backupBlockSize", span=_since(1, 10), values=_enum("2097152", "16777216"), default="2097152"),
        Field("engineNodeID", span=_since(1, 12)),
        Field("cloneMode", span=_since(1, 12)),
        Field("dataLayout", span=_since(1, 12)),
    ),
    "Engine": (
        *_INSTANCE,
        Field("frontend", values=_FRONTENDS),
        Field("replicaAddressMap", "labels"),
        Field("upgradedReplicaAddressMap", "labels"),
        Field("backupVolume"),
        Field("requestedBackupRestore"),
        Field("disableFrontend", "boolean"),
        Field("active", "boolean", _since(1, 1), default=True),
        Field("requestedDataSource", span=_since(1, 3)),
    ),
    "Replica": (
        *_INSTANCE,
        Field("active", "boolean", default=True),
        Field("engineName"),
        Field("healthyAt"),
        Field("failedAt"),
        Field("diskID"),
        Field("baseImage", span=Span(before=(1, 1, 0))),
        Field("dataPath", span=Span(before=(1, 1, 0))),
        Field("diskPath", span=_since(1, 1)),
        Field("dataDirectoryName", span=_since(1, 1)),
        Field("backingImage", span=_since(1, 1)),
        Field("hardNodeAffinity", span=_since(1, 1)),
        Field("rebuildRetryCount", "integer", _since(1, 1)),
        Field("lastHealthyAt", span=_since(1, 6)),
        Field("lastFailedAt", span=_since(1, 6)),
        Field("evictionRequested", "boolean", _since(1, 6)),
    ),
    "EngineImage": (Field("image"),),
    "InstanceManager": (
        Field("image"),
        Field("nodeID"),
        Field("type", values=_enum("engine", "replica", aio=(1, 5, 0))),
        Field("engineImage", span=Span(before=(1, 3, 0))),
        Field("dataEngine", span=_since(1, 6), values=_enum("v1", "v2"), default="v1"),
    ),
    "Node": (
        Field("name"),
        Field("disks", "object"),
        Field("allowScheduling", "boolean", default=True),
        Field("tags", "strings"),
        Field("evictionRequested", "boolean", _since(1, 1)),
        Field("engineManagerCPURequest", "integer", Span(since=(1, 1, 1), before=(1, 5, 0))),
        Field("replicaManagerCPURequest", "integer", Span(since=(1, 1, 1), before=(1, 5, 0))),
        Field("instanceManagerCPURequest", "integer", _since(1, 5)),
    ),
    "BackupTarget": (
        Field("backupTargetURL"),
        Field("credentialSecret"),
        Field("pollInterval", default="5m0s"),
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


def new(kind: str, release: Release, **filled: t.Any) -> Object:
    """A specification with these fields filled, and the others as Longhorn leaves them."""
    known = of(kind, release)
    return {name: field.unfilled(release) for name, field in known.items()} | {
        name: value for name, value in filled.items() if name in known
    }


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
