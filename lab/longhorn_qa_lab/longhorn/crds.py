# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of each release, with the names and versions under which its API server knows them.

v1beta1 takes any field; v1beta2 has a structure, so that the API server drops a field that a release does not know. The
status is open in both: only Longhorn itself writes it.
"""

from __future__ import annotations

import dataclasses
import typing as t

from longhorn_qa_lab.longhorn import fields, names
from longhorn_qa_lab.longhorn.releases import EVER, Release, Span

Object = dict[str, t.Any]

_AGE: t.Final = "Age=date:.metadata.creationTimestamp"


@dataclasses.dataclass(frozen=True)
class Crd:
    """A kind: what it is called, and in which releases it is."""

    kind: str
    plural: str
    short: str
    span: Span = EVER
    status: Span = EVER
    #: NAME=TYPE:PATH, as kubectl shows objects of v1beta2.
    columns: tuple[str, ...] = ()


def _since(*number: int) -> Span:
    major, minor, patch = number
    return Span(since=(major, minor, patch))


_STATE: t.Final = "State=string:.status.state"
CRDS: t.Final = (
    Crd(
        "Volume",
        "volumes",
        "lhv",
        columns=(
            _STATE,
            "Robustness=string:.status.robustness",
            "Size=string:.spec.size",
            "Node=string:.status.currentNodeID",
            _AGE,
        ),
    ),
    Crd("Engine", "engines", "lhe", columns=("State=string:.status.currentState", "Node=string:.spec.nodeID", _AGE)),
    Crd("Replica", "replicas", "lhr", columns=("State=string:.status.currentState", "Node=string:.spec.nodeID", _AGE)),
    Crd(
        "EngineImage",
        "engineimages",
        "lhei",
        columns=(_STATE, "Image=string:.spec.image", "RefCount=integer:.status.refCount", _AGE),
    ),
    Crd("InstanceManager", "instancemanagers", "lhim", columns=("State=string:.status.currentState", _AGE)),
    Crd("Node", "nodes", "lhn", columns=("AllowScheduling=boolean:.spec.allowScheduling", _AGE)),
    Crd("Setting", "settings", "lhs", status=_since(1, 7, 0), columns=("Value=string:.value", _AGE)),
    Crd("ShareManager", "sharemanagers", "lhsm", _since(1, 1, 0)),
    Crd("BackingImage", "backingimages", "lhbi", _since(1, 1, 0)),
    Crd("BackingImageManager", "backingimagemanagers", "lhbim", _since(1, 1, 0)),
    Crd("BackingImageDataSource", "backingimagedatasources", "lhbids", _since(1, 2, 0)),
    Crd(
        "BackupTarget",
        "backuptargets",
        "lhbt",
        _since(1, 2, 0),
        columns=(
            "URL=string:.spec.backupTargetURL",
            "Credential=string:.spec.credentialSecret",
            "LastBackupAt=string:.spec.pollInterval",
            "Available=boolean:.status.available",
        ),
    ),
    Crd("BackupVolume", "backupvolumes", "lhbv", _since(1, 2, 0), columns=("CreatedAt=string:.status.createdAt",)),
    Crd(
        "Backup",
        "backups",
        "lhb",
        _since(1, 2, 0),
        columns=("SnapshotName=string:.status.snapshotName", _STATE, "LastSyncedAt=string:.status.lastSyncedAt"),
    ),
    Crd(
        "RecurringJob",
        "recurringjobs",
        "lhrj",
        _since(1, 2, 0),
        columns=(
            "Groups=string:.spec.groups",
            "Task=string:.spec.task",
            "Cron=string:.spec.cron",
            "Retain=integer:.spec.retain",
            "Concurrency=integer:.spec.concurrency",
            _AGE,
            "Labels=string:.spec.labels",
        ),
    ),
    Crd(
        "Snapshot",
        "snapshots",
        "lhsnap",
        _since(1, 3, 0),
        columns=(
            "Volume=string:.spec.volume",
            "CreationTime=string:.status.creationTime",
            "ReadyToUse=boolean:.status.readyToUse",
            "RestoreSize=string:.status.restoreSize",
            "Size=string:.status.size",
            _AGE,
        ),
    ),
    Crd("Orphan", "orphans", "lho", _since(1, 3, 0)),
    Crd("SupportBundle", "supportbundles", "lhbundle", _since(1, 4, 0)),
    Crd("SystemBackup", "systembackups", "lhsb", _since(1, 4, 0)),
    Crd("SystemRestore", "systemrestores", "lhsr", _since(1, 4, 0)),
    Crd("VolumeAttachment", "volumeattachments", "lhva", _since(1, 5, 0), columns=(_AGE,)),
    Crd("BackupBackingImage", "backupbackingimages", "lhbbi", _since(1, 6, 0)),
    Crd("EngineFrontend", "enginefrontends", "lhef", _since(1, 12, 0)),
    Crd("Shard", "shards", "lhsd", _since(1, 12, 0)),
    Crd("ShardGroup", "shardgroups", "lhsg", _since(1, 12, 0)),
)

_FIRST_WITH_V1BETA2: t.Final = (1, 3, 0)


def kinds(release: Release) -> list[Crd]:
    """The kinds that a release has."""
    return [crd for crd in CRDS if release.has(crd.span)]


def manifests(release: Release) -> list[Object]:
    return [_manifest(crd, release) for crd in kinds(release)]


def _manifest(crd: Crd, release: Release) -> Object:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{crd.plural}.{names.GROUP}", "labels": {"longhorn-manager": crd.kind}},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "preserveUnknownFields": False,
            "names": {
                "kind": crd.kind,
                "listKind": f"{crd.kind}List",
                "plural": crd.plural,
                "singular": crd.kind.lower(),
                "shortNames": [crd.short],
            },
            "versions": [_version(name, crd, release) for name in _versions(crd, release)],
        },
    }


def _versions(crd: Crd, release: Release) -> list[str]:
    """A kind that came with v1beta2 has never had another version."""
    old = release.old_crd_version != "absent" and crd.span.since < _FIRST_WITH_V1BETA2
    return ["v1beta1", release.crd_version] if old else [release.crd_version]


def _version(name: str, crd: Crd, release: Release) -> Object:
    current = name == release.crd_version
    version: Object = {
        "name": name,
        "served": current or release.old_crd_version == "served",
        "storage": current,
        "schema": {"openAPIV3Schema": fields.schema(crd.kind, release) if name == "v1beta2" else fields.ANYTHING},
    }
    if release.has(crd.status):
        version["subresources"] = {"status": {}}
    if name == "v1beta2" and crd.columns:
        version["additionalPrinterColumns"] = [_column(text) for text in crd.columns]
    return version


def _column(text: str) -> Object:
    name, _, rest = text.partition("=")
    kind, _, path = rest.partition(":")
    return {"name": name, "type": kind, "jsonPath": path}
