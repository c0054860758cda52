# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's picture of the cluster: every kind it cares about, listed and then watched.

Own writes enter the picture at once, so that the next decision already knows them; events that are older than what
is known are dropped.
"""

from __future__ import annotations

import copy
import dataclasses
import threading
import time
import typing as t

from longhorn_qa_lab.kube import ApiError, Kube, Object, Unreachable
from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.releases import EVER, Release, Span


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of object: where its collection is."""

    plural: str
    #: Without a version, where that depends on the release.
    group_version: str = names.GROUP
    span: Span = EVER


VOLUMES: t.Final = Kind("volumes")
ENGINES: t.Final = Kind("engines")
REPLICAS: t.Final = Kind("replicas")
ENGINE_IMAGES: t.Final = Kind("engineimages")
INSTANCE_MANAGERS: t.Final = Kind("instancemanagers")
NODES: t.Final = Kind("nodes")
SETTINGS: t.Final = Kind("settings")
BACKUP_TARGETS: t.Final = Kind("backuptargets", span=Span(since=(1, 2, 0)))
BACKUP_VOLUMES: t.Final = Kind("backupvolumes", span=Span(since=(1, 2, 0)))
BACKUPS: t.Final = Kind("backups", span=Span(since=(1, 2, 0)))
RECURRING_JOBS: t.Final = Kind("recurringjobs", span=Span(since=(1, 2, 0)))
SNAPSHOTS: t.Final = Kind("snapshots", span=Span(since=(1, 3, 0)))
VOLUME_ATTACHMENTS: t.Final = Kind("volumeattachments", span=Span(since=(1, 5, 0)))
CRON_JOBS: t.Final = Kind("cronjobs", "batch")
PODS: t.Final = Kind("pods", "v1")
DAEMON_SETS: t.Final = Kind("daemonsets", "apps/v1")
CONFIG_MAPS: t.Final = Kind("configmaps", "v1")
_WATCHED: t.Final = (
    VOLUMES,
    ENGINES,
    REPLICAS,
    ENGINE_IMAGES,
    INSTANCE_MANAGERS,
    NODES,
    SETTINGS,
    BACKUP_TARGETS,
    BACKUP_VOLUMES,
    BACKUPS,
    RECURRING_JOBS,
    SNAPSHOTS,
    VOLUME_ATTACHMENTS,
    CRON_JOBS,
    PODS,
    DAEMON_SETS,
    CONFIG_MAPS,
)

_RETRY_SECONDS: t.Final = 0.5


class World:
    """What is known of the cluster, and the only way to change it."""

    def __init__(self, kube: Kube, release: Release, *, cron_version: str = "v1beta1") -> None:
        self._kube = kube
        self._versions = {names.GROUP: release.crd_version, "batch": cron_version}
        self.watched = tuple(kind for kind in _WATCHED if release.has(kind.span))
        self._objects: dict[Kind, dict[str, Object]] = {kind: {} for kind in self.watched}
        self._lock = threading.RLock()
        self._changed = threading.Event()
        self._listed: set[Kind] = set()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Watch every kind, each in a daemon thread."""
        for kind in self.watched:
            threading.Thread(target=self._follow, args=(kind,), daemon=True, name=f"watch-{kind.plural}").start()

    def stop(self) -> None:
        self._stopping.set()
        self._changed.set()

    def wait_listed(self, timeout: float) -> bool:
        """Until every kind has been listed once."""
        deadline = time.monotonic() + timeout
        while len(self._listed) < len(self.watched):
            if time.monotonic() > deadline:
                return False
            self._stopping.wait(0.02)
        return True

    def wait_change(self, timeout: float) -> None:
        self._changed.wait(timeout)
        self._changed.clear()

    def touch(self) -> None:
        """Ask for another look."""
        self._changed.set()

    def api_version(self, kind: Kind) -> str:
        version = self._versions.get(kind.group_version)
        return f"{kind.group_version}/{version}" if version else kind.group_version

    def path(self, kind: Kind) -> str:
        """The collection's place in the API."""
        version = self.api_version(kind)
        root = "/api" if version == "v1" else "/apis"
        return f"{root}/{version}/namespaces/{names.NAMESPACE}/{kind.plural}"

    def all(self, kind: Kind, **labels: str) -> list[Object]:
        """Known objects, oldest first, optionally only those of a volume."""
        with self._lock:
            found = list(self._objects[kind].values())
        if "volume" in labels:
            found = [o for o in found if o["metadata"].get("labels", {}).get(names.VOLUME_LABEL) == labels["volume"]]
        return sorted(found, key=lambda o: (o["metadata"].get("creationTimestamp", ""), o["metadata"]["name"]))

    def find(self, kind: Kind, name: str) -> Object | None:
        with self._lock:
            return self._objects[kind].get(name)

    def create(self, kind: Kind, document: Object) -> Object:
        """Make an object; its version is the release's business."""
        versioned = {"apiVersion": self.api_version(kind), **document}
        return self._remember(kind, self._kube.create(self.path(kind), versioned))

    def replace(self, kind: Kind, document: Object) -> Object:
        return self._remember(kind, self._kube.replace(f"{self.path(kind)}/{document['metadata']['name']}", document))

    def replace_status(self, kind: Kind, document: Object, status: Object) -> Object:
        """Write a status if it is another than the known one."""
        if document.get("status") == status:
            return document
        changed = {**document, "status": status}
        return self._remember(
            kind, self._kube.replace(f"{self.path(kind)}/{document['metadata']['name']}/status", changed)
        )

    def replace_spec(self, kind: Kind, document: Object, spec: Object) -> Object:
        """Write a spec if it is another than the known one."""
        if document.get("spec") == spec:
            return document
        return self.replace(kind, {**document, "spec": spec})

    def update(self, kind: Kind, name: str, change: t.Callable[[Object], None], *, attempts: int = 5) -> Object:
        """Read, alter, write, again if somebody was faster."""
        for attempt in range(attempts):
            document = copy.deepcopy(self._kube.get(f"{self.path(kind)}/{name}"))
            change(document)
            try:
                return self.replace(kind, document)
            except ApiError as error:
                if error.status != 409 or attempt == attempts - 1:
                    raise
        raise AssertionError("unreachable")

    def delete(self, kind: Kind, name: str) -> None:
        self._kube.delete(f"{self.path(kind)}/{name}", propagationPolicy="Background")

    def release(self, kind: Kind, document: Object) -> None:
        """Take Longhorn's finalizer off a dying object."""
        metadata = {
            **document["metadata"],
            "finalizers": [entry for entry in document["metadata"].get("finalizers", []) if entry != names.FINALIZER],
        }
        try:
            self._kube.replace(f"{self.path(kind)}/{metadata['name']}", {**document, "metadata": metadata})
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def apply(self, path: str, document: Object) -> None:
        """Make or change an object that is in no picture."""
        self._kube.apply(path, document)

    def secret(self, name: str) -> Object | None:
        return self._kube.find(f"/api/v1/namespaces/{names.NAMESPACE}/secrets/{name}")

    def post_event(self, document: Object) -> None:
        self._kube.create(f"/api/v1/namespaces/{names.NAMESPACE}/events", document)

    def _remember(self, kind: Kind, document: Object) -> Object:
        with self._lock:
            known = self._objects[kind].get(document["metadata"]["name"])
            if known is None or _version(known) <= _version(document):
                self._objects[kind][document["metadata"]["name"]] = document
        self._changed.set()
        return document

    def _forget(self, kind: Kind, document: Object) -> None:
        with self._lock:
            known = self._objects[kind].get(document["metadata"]["name"])
            if known is not None and known["metadata"]["uid"] == document["metadata"]["uid"]:
                del self._objects[kind][document["metadata"]["name"]]
        self._changed.set()

    def _follow(self, kind: Kind) -> None:
        while not self._stopping.is_set():
            try:
                version = self._list(kind)
                for event in self._kube.watch(self.path(kind), version):
                    if event["type"] == "ERROR":
                        break
                    self._take(kind, event)
            except (ApiError, Unreachable, OSError):
                self._stopping.wait(_RETRY_SECONDS)

    def _list(self, kind: Kind) -> str:
        listing = self._kube.list(self.path(kind))
        api_version, list_kind = listing["apiVersion"], listing["kind"].removesuffix("List")
        found = {o["metadata"]["name"]: {"apiVersion": api_version, "kind": list_kind, **o} for o in listing["items"]}
        version = str(listing["metadata"]["resourceVersion"])
        with self._lock:
            # What has been written since the answer was made is known already, and its event is still to come.
            newer = {name: known for name, known in self._objects[kind].items() if _version(known) > int(version)}
            self._objects[kind] = found | newer
        self._listed.add(kind)
        self._changed.set()
        return version

    def _take(self, kind: Kind, event: Object) -> None:
        if event["type"] == "DELETED":
            self._forget(kind, event["object"])
        elif event["type"] in ("ADDED", "MODIFIED"):
            self._remember(kind, event["object"])


def _version(document: Object) -> int:
    return int(document["metadata"].get("resourceVersion") or 0)
