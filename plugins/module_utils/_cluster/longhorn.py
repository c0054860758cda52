# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's custom resources as model objects, the edge where API documents end.

An object that cannot be read is an error with its name, never a shorter list.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import ApiFailure, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, shape
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.artefacts import (
    Backup,
    Snapshot,
    snapshots_of_engine,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.attachment import tickets_of
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.backup_target import BackupTarget, TargetObject
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.conditions import condition
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.engine_image import EngineImage
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import CronJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job_object import JobObject
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.setting import Setting
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.shape import Shape
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.volume import Volume

T = t.TypeVar("T")
MANAGER_LABEL = "app=longhorn-manager"


@dataclass(frozen=True)
class Node:
    """A node of Longhorn's."""

    name: str
    ready: bool
    schedulable: bool  # may hold replicas
    reason: str = ""  # why it is not ready

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> Node:
        """From the custom resource."""
        ready = condition((document.get("status") or {}).get("conditions"), "ready")
        return cls(
            name=str(document["metadata"]["name"]),
            ready=ready.get("status") == "True",
            schedulable=bool((document.get("spec") or {}).get("allowScheduling", True)),
            reason=str(ready.get("message") or ready.get("reason") or ""),
        )

    def summary(self) -> dict[str, t.Any]:
        """What a module returns."""
        return {"name": self.name, "ready": self.ready, "schedulable": self.schedulable, "reason": self.reason}


class LonghornObjects:
    """Reads Longhorn's objects in one namespace, in the version that the server has."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    @cached_property
    def shape(self) -> Shape:
        """What this Longhorn's API is like; asked once."""
        for version in shape.VERSIONS:
            served = self._client.plurals(f"{shape.GROUP}/{version}")
            if served:
                return Shape(version, served)
        raise self._not_installed(f"the API {shape.GROUP}", f"{self._client.host} without it")

    def kind(self, plural: str) -> Kind:
        """A kind of Longhorn's, in the version that the server has."""
        return kinds.longhorn(plural, self.shape.version)

    def require_longhorn(self) -> str:
        """The default engine image, whose setting every Longhorn has; NotFound where none is installed."""
        self._client.require_namespace(self._namespace)
        kind, name = self.kind("settings"), names.DEFAULT_ENGINE_IMAGE_SETTING
        try:
            document = self._client.get(kind, name, namespace=self._namespace)
        except NotFound as error:
            raise self._not_installed(f"its setting {name}", error.seen) from error
        return str(document.get("value") or "")

    def settings(self) -> dict[str, str]:
        """All settings by name."""
        items = self._client.list(self.kind("settings"), namespace=self._namespace).items
        return {str(item["metadata"]["name"]): str(item.get("value") or "") for item in items}

    def setting_object(self, name: str) -> Setting | None:
        """One setting; None when this release has none of that name."""
        return self._find(self.kind("settings"), name, Setting.from_object)

    def setting(self, name: str) -> str:
        """One setting's value; empty when it is not there."""
        document = self._client.find(self.kind("settings"), name, namespace=self._namespace)
        return str((document or {}).get("value") or "")

    def volume(self, name: str) -> Volume | None:
        """One volume."""
        return self._find(self.kind("volumes"), name, Volume.from_object)

    def volume_with_tickets(self, name: str) -> Volume | None:
        """One volume, with whoever wants it attached where this Longhorn keeps that apart."""
        if not self.shape.attachment_tickets:
            return self.volume(name)
        held = self._find(self.kind("volumeattachments"), name, tickets_of) or ()
        return self._find(self.kind("volumes"), name, lambda document: Volume.from_object(document, tickets=held))

    def replica_nodes(self, volume: str) -> frozenset[str]:
        """The nodes on which a volume has replicas."""
        found = self._client.list(
            self.kind("replicas"), namespace=self._namespace, labels=f"{names.VOLUME_LABEL}={volume}"
        )
        nodes = (str((item.get("spec") or {}).get("nodeID") or "") for item in found.items)
        return frozenset(node for node in nodes if node)

    def volumes(self) -> tuple[Volume, ...]:
        """All volumes."""
        return self._list(self.kind("volumes"), Volume.from_object)

    def engine_image(self, name: str) -> EngineImage | None:
        """One engine image, by its object's name."""
        return self._find(self.kind("engineimages"), name, EngineImage.from_object)

    def engine_images(self) -> tuple[EngineImage, ...]:
        """All engine images."""
        return self._list(self.kind("engineimages"), EngineImage.from_object)

    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name."""
        return tuple(sorted(self._list(self.kind("nodes"), Node.from_object), key=lambda node: node.name))

    def cronjob(self, name: str, *, kind: Kind) -> CronJob | None:
        """One CronJob; ``kind`` is the version that the server has."""
        return self._find(kind, name, CronJob.from_object)

    def cronjob_kind(self) -> Kind:
        """The newest version of CronJobs that the server has."""
        return self._client.first_served(kinds.CRONJOBS, kinds.CRONJOBS_V1BETA1)

    def manager_image(self) -> str:
        """The image of the longhorn-manager pods; NotFound when there is none, ApiFailure when they differ."""
        pods = self._client.list(kinds.PODS, namespace=self._namespace, labels=MANAGER_LABEL).items
        images = sorted({_image_of(pod) for pod in pods})
        if not images:
            raise NotFound(
                "no longhorn-manager pod exists",
                subject=f"namespace {self._namespace}",
                expected=f"pods with the label {MANAGER_LABEL}",
                advice="Is Longhorn installed in this namespace? Set the option namespace if it is in another one.",
            )
        if len(images) > 1:
            raise ApiFailure(
                "the longhorn-manager pods are of different images: an upgrade is going on",
                subject=f"namespace {self._namespace}",
                seen=", ".join(images),
                advice="Wait until the upgrade has ended.",
            )
        return images[0]

    def recurring_job(self, name: str) -> JobObject | None:
        """One recurring job, where it is an object."""
        return self._find(self.kind("recurringjobs"), name, JobObject.from_object)

    def recurring_jobs(self) -> tuple[JobObject, ...]:
        """All recurring jobs, where they are objects."""
        return self._list(self.kind("recurringjobs"), JobObject.from_object)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots, by volume and name: objects since 1.3, before what the engines tell."""
        if self.shape.snapshot_objects:
            found = self._list(self.kind("snapshots"), Snapshot.from_object)
        else:
            found = tuple(one for told in self._list(self.kind("engines"), snapshots_of_engine) for one in told)
        return tuple(sorted(found, key=lambda one: (one.volume, one.name)))

    def backups(self) -> tuple[Backup, ...]:
        """All Backup objects, since 1.2, by volume and name."""
        found = self._list(self.kind("backups"), Backup.from_object)
        return tuple(sorted(found, key=lambda one: (one.volume, one.name)))

    def backup_target_settings(self) -> BackupTarget | None:
        """The backup target as settings have it, up to 1.7; None since."""
        url = self.setting_object(names.BACKUP_TARGET_SETTING)
        if url is None:
            return None
        interval = self.setting(names.BACKUP_POLL_SETTING)
        return BackupTarget(
            url=url.value,
            credential_secret=self.setting(names.BACKUP_SECRET_SETTING),
            poll_interval=int(interval) if interval.isdigit() else None,
        )

    def backup_target(self, name: str) -> TargetObject | None:
        """One BackupTarget object, since 1.2."""
        return self._find(self.kind("backuptargets"), name, TargetObject.from_object)

    def backup_targets(self) -> tuple[TargetObject, ...]:
        """All BackupTarget objects, since 1.2."""
        return self._list(self.kind("backuptargets"), TargetObject.from_object)

    def backup_target_url(self) -> str:
        """The default backup target's address: a setting up to 1.7, an object since; empty when none is set."""
        setting = self.setting_object(names.BACKUP_TARGET_SETTING)
        if setting is not None or not self.shape.backup_objects:
            return setting.value if setting else ""
        found = self.backup_target(names.DEFAULT_BACKUP_TARGET)
        return found.target.url if found else ""

    def backup_volumes(self) -> dict[str, str]:
        """The volumes that have backups, by the names of their BackupVolume objects; the two differ since 1.8."""
        found = self._client.list(self.kind("backupvolumes"), namespace=self._namespace).items
        own = {str(item["metadata"]["name"]): item.get("spec") or {} for item in found}
        return {name: str(spec.get("volumeName") or name) for name, spec in own.items()}

    def mark(self, plural: str, name: str, *, run_id: str) -> None:
        """Puts a run's mark on an object that this run has just made."""
        if run_id:
            self.label(plural, name, {names.RUN_ID_LABEL: run_id})

    def label(self, plural: str, name: str, labels: Mapping[str, str | None]) -> None:
        """Sets labels of an object, and takes away those that are None."""
        self._client.patch(self.kind(plural), name, {"metadata": {"labels": dict(labels)}}, namespace=self._namespace)

    def _not_installed(self, expected: str, seen: str) -> NotFound:
        return NotFound(
            "Longhorn is not installed",
            subject=f"namespace {self._namespace}",
            expected=expected,
            seen=seen,
            advice="Install Longhorn, or set the option namespace to where it is.",
        )

    def _find(self, kind: Kind, name: str, build: Callable[[Object], T]) -> T | None:
        document = self._client.find(kind, name, namespace=self._namespace)
        return None if document is None else self._built(kind, document, build)

    def _list(self, kind: Kind, build: Callable[[Object], T]) -> tuple[T, ...]:
        items = self._client.list(kind, namespace=self._namespace).items
        return tuple(self._built(kind, item, build) for item in items)

    def _built(self, kind: Kind, document: Object, build: Callable[[Object], T]) -> T:
        try:
            return build(document)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            name = str((document.get("metadata") or {}).get("name", ""))
            raise ApiFailure(
                "the object is not shaped as this Longhorn's objects are",
                subject=kind.described(self._namespace, name),
                seen=f"{type(error).__name__}: {error}",
            ) from error


def _image_of(pod: Object) -> str:
    containers: t.Any = (pod.get("spec") or {}).get("containers") or ({},)
    named = [item for item in containers if item.get("name") == "longhorn-manager"] or containers
    return str(named[0].get("image", ""))
