# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's custom resources as model objects, the edge where API documents end.

An object that cannot be read is an error with its name, never a shorter list.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import ApiFailure, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.engine_image import EngineImage
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import CronJob
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
        """From the custom resource; conditions are a map up to 1.2 and a list since."""
        conditions = (document.get("status") or {}).get("conditions") or {}
        items = conditions.values() if isinstance(conditions, Mapping) else conditions
        ready: Mapping[str, t.Any] = next((item for item in items if str(item.get("type", "")).lower() == "ready"), {})
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
    """Reads Longhorn's objects in one namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def require_longhorn(self) -> str:
        """The default engine image, whose setting every Longhorn has; NotFound where none is installed."""
        self._client.require_namespace(self._namespace)
        try:
            document = self._client.get(kinds.SETTINGS, names.DEFAULT_ENGINE_IMAGE_SETTING, namespace=self._namespace)
        except NotFound as error:
            raise NotFound(
                "Longhorn is not installed",
                subject=f"namespace {self._namespace}",
                expected=f"its setting {names.DEFAULT_ENGINE_IMAGE_SETTING}",
                seen=error.seen,
                advice="Install Longhorn, or set the option namespace to where it is.",
            ) from error
        return str(document.get("value") or "")

    def settings(self) -> dict[str, str]:
        """All settings by name."""
        items = self._client.list(kinds.SETTINGS, namespace=self._namespace).items
        return {str(item["metadata"]["name"]): str(item.get("value") or "") for item in items}

    def setting(self, name: str) -> str:
        """One setting's value; empty when it is not there."""
        document = self._client.find(kinds.SETTINGS, name, namespace=self._namespace)
        return str((document or {}).get("value") or "")

    def volume(self, name: str) -> Volume | None:
        """One volume."""
        return self._find(kinds.VOLUMES, name, Volume.from_object)

    def volumes(self) -> tuple[Volume, ...]:
        """All volumes."""
        return self._list(kinds.VOLUMES, Volume.from_object)

    def engine_image(self, name: str) -> EngineImage | None:
        """One engine image, by its object's name."""
        return self._find(kinds.ENGINE_IMAGES, name, EngineImage.from_object)

    def engine_images(self) -> tuple[EngineImage, ...]:
        """All engine images."""
        return self._list(kinds.ENGINE_IMAGES, EngineImage.from_object)

    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name."""
        return tuple(sorted(self._list(kinds.LONGHORN_NODES, Node.from_object), key=lambda node: node.name))

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

    def mark(self, kind: Kind, name: str, *, run_id: str) -> None:
        """Puts a run's mark on an object that this run has just made."""
        if run_id:
            patch = {"metadata": {"labels": {names.RUN_ID_LABEL: run_id}}}
            self._client.patch(kind, name, patch, namespace=self._namespace)

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
