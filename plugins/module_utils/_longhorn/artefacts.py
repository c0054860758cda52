# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots and backups as a look at the cluster tells them: objects where there are any, else what engines tell."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names

_HEAD = "volume-head"  # not a snapshot, but where the volume is written to


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of a volume."""

    name: str
    volume: str
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    user_created: bool = True
    removed: bool = False  # marked for the next purge
    ready: bool = True
    error: str = ""
    deleting: bool = False  # its object waits for a controller

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> Snapshot:
        """From the custom resource, since 1.3."""
        metadata, spec, status = (document.get(part) or {} for part in ("metadata", "spec", "status"))
        return cls(
            name=str(metadata.get("name", "")),
            volume=str(spec.get("volume") or ""),
            created=str(status.get("creationTime") or ""),
            labels=dict(status.get("labels") or spec.get("labels") or {}),
            user_created=bool(status.get("userCreated")),
            removed=bool(status.get("markRemoved")),
            ready=bool(status.get("readyToUse")),
            error=str(status.get("error") or ""),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    def summary(self) -> dict[str, t.Any]:
        """What a module returns."""
        return {**asdict(self), "labels": dict(self.labels)}


def snapshots_of_engine(document: Mapping[str, t.Any]) -> tuple[Snapshot, ...]:
    """The snapshots that an engine tells; on releases without Snapshot objects the only word on them."""
    volume = str((document.get("spec") or {}).get("volumeName") or "")
    return snapshots_told(volume, (document.get("status") or {}).get("snapshots") or {})


def snapshots_told(volume: str, told: Mapping[str, Mapping[str, t.Any]]) -> tuple[Snapshot, ...]:
    """Snapshots by name as an engine, or the manager for it, tells them, without the one that is its head."""
    return tuple(
        Snapshot(
            name=name,
            volume=volume,
            created=str(one.get("created") or ""),
            labels=dict(one.get("labels") or {}),
            user_created=bool(one.get("usercreated")),
            removed=bool(one.get("removed")),
        )
        for name, one in sorted(told.items())
        if name != _HEAD
    )


@dataclass(frozen=True)
class Backup:
    """One backup. What only an object tells is empty where the manager's list told it."""

    name: str
    url: str
    volume: str
    snapshot: str
    created: str
    labels: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    error: str = ""
    target: str = names.DEFAULT_BACKUP_TARGET
    deleting: bool = False  # its object waits for a controller

    @classmethod
    def from_answer(cls, answer: Mapping[str, t.Any]) -> Backup:
        """From an element of the manager's action backupList."""
        return cls(
            name=str(answer.get("name", "")),
            url=str(answer.get("url", "")),
            volume=str(answer.get("volumeName", "")),
            snapshot=str(answer.get("snapshotName", "")),
            created=str(answer.get("created", "")),
            labels=dict(answer.get("labels") or {}),
        )

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> Backup:
        """From the custom resource, since 1.2."""
        metadata, spec, status = (document.get(part) or {} for part in ("metadata", "spec", "status"))
        labelled = (metadata.get("labels") or {}).get(names.BACKUP_VOLUME_LABEL)
        return cls(
            name=str(metadata.get("name", "")),
            url=str(status.get("url") or ""),
            volume=str(status.get("volumeName") or labelled or ""),
            snapshot=str(status.get("snapshotName") or spec.get("snapshotName") or ""),
            created=str(status.get("backupCreatedAt") or ""),
            labels=dict(status.get("labels") or spec.get("labels") or {}),
            state=str(status.get("state") or ""),
            error=str(status.get("error") or ""),
            target=str(status.get("backupTargetName") or names.DEFAULT_BACKUP_TARGET),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    def summary(self) -> dict[str, t.Any]:
        """What a module returns."""
        return {**asdict(self), "labels": dict(self.labels)}
