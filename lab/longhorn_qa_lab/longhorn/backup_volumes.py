# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's controller of BackupVolume objects, from 1.2 on: which volumes are in the store, and their backups."""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from pathlib import Path

from longhorn_qa_lab.longhorn import backup_objects, errands, logs, names, targets, world
from longhorn_qa_lab.longhorn.backupstore import BackupStore
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import Span

_SEVERAL_TARGETS: t.Final = Span(since=(1, 8, 0))
_BLOCK: t.Final = 2 << 20


@dataclasses.dataclass(frozen=True)
class Found:
    """A volume in the store, and the names of its complete backups."""

    config: Object
    backups: frozenset[str]


def read(store: BackupStore, volume: str) -> Found | None:
    """What the store has of a volume."""
    config = store.volume(volume)
    if config is None:
        return None
    return Found(config, frozenset(str(backup["Name"]) for backup in store.backups(volume)))


class BackupVolumes:
    """Looked after by the control loop, once per pass."""

    def __init__(
        self, context: Context, egress: Path | None, clock: t.Callable[[], float], work: errands.Errands
    ) -> None:
        self._c = context
        self._w = context.cluster
        self._egress = egress
        self._clock = clock
        self._errands = work
        self._requested: set[tuple[str, str]] = set()
        self._polled: dict[str, tuple[t.Any, float]] = {}
        #: Backups that have been deleted, and may still be in what is read from the store.
        self.gone: set[str] = set()
        self._log = context.log.having(controller="longhorn-backup-volume", node=context.node)

    def find(self, volume: str, target: str) -> Object | None:
        """The object of a volume's backups in a target."""
        for found in self._w.all(world.BACKUP_VOLUMES):
            if backup_objects.place_of(found) == (volume, target):
                return found
        return None

    def request(self, volume: str, target: str) -> None:
        """Have a volume looked up in the store as soon as possible."""
        self._requested.add((volume, target))

    def tasks(self) -> t.Iterator[tuple[str, t.Callable[[], None]]]:
        """One look at each target, each volume that is asked for, and each BackupVolume object."""
        for target in self._targets():
            yield f"backup target {target}", functools.partial(self._poll, target)
        for place in sorted(self._requested):
            yield f"backup volume {place[0]}", functools.partial(self._serve, place)
        for document in self._w.all(world.BACKUP_VOLUMES):
            yield f"backup volume {document['metadata']['name']}", functools.partial(self._sync, document)

    def _serve(self, place: tuple[str, str]) -> None:
        if self._look_up(*place):
            self._requested.discard(place)

    def _sync(self, document: Object) -> None:
        volume, target = backup_objects.place_of(document)
        if document["metadata"].get("deletionTimestamp"):
            self._delete(document, volume, target)
        elif _wants_sync(document):
            self.request(volume, target)

    def _targets(self) -> list[str]:
        return [found["metadata"]["name"] for found in self._w.all(world.BACKUP_TARGETS)] or [targets.DEFAULT]

    def _poll(self, target: str) -> None:
        """Which volumes the store has: when the target is another one, when asked to, and now and then."""
        document = self._w.find(world.BACKUP_TARGETS, target) or {}
        url, secret = targets.written_down(self._c, target)
        occasion = (url, secret, (document.get("spec") or {}).get("syncRequestedAt"))
        before, due = self._polled.get(target, (None, 0.0))
        if not url:
            self._forget(target)
            return
        outcome = self._errands.take(("poll", target))
        if outcome is not None and outcome.error is None:
            for volume in outcome.value:
                self.request(volume, target)
        if occasion != before or self._clock() >= due:
            self._polled[target] = (occasion, self._clock() + self._c.release.store_poll * self._c.poll_scale)
            access = targets.access
            self._errands.start(
                ("poll", target),
                lambda: [config["Name"] for config in access(self._c, self._egress, target).store().volumes()],
            )

    def _forget(self, target: str) -> None:
        """Without a store its objects go; what is in the store stays."""
        self._polled.pop(target, None)
        for document in self._w.all(world.BACKUP_VOLUMES):
            if backup_objects.place_of(document)[1] == target and not document["metadata"].get("deletionTimestamp"):
                self._w.delete(world.BACKUP_VOLUMES, document["metadata"]["name"])

    # --- what is there ---

    def _look_up(self, volume: str, target: str) -> bool:
        """Ask the store for a volume; whether that is done."""
        key = ("volume", volume, target)
        if not targets.written_down(self._c, target)[0]:
            return True
        outcome = self._errands.once(key, lambda: read(targets.access(self._c, self._egress, target).store(), volume))
        if outcome is None:
            return False
        if outcome.error is not None:
            self._log.having(backupVolume=volume, error=outcome.error).error("Error listing backups from backup target")
            return True
        if outcome.value is not None:
            self.take(volume, target, outcome.value)
        return True

    def take(self, volume: str, target: str, found: Found) -> None:
        """Bring the objects in line with what the store has of a volume."""
        document = self.find(volume, target) or self._w.create(world.BACKUP_VOLUMES, self._new(volume, target))
        if document["metadata"].get("deletionTimestamp"):
            return
        config = found.config
        status = {
            **(document.get("status") or {}),
            "createdAt": config["CreatedTime"],
            "dataStored": str(int(config["BlockCount"]) * _BLOCK),
            "labels": config.get("Labels") or {},
            "lastBackupAt": config["LastBackupAt"],
            "lastBackupName": config["LastBackupName"],
            "lastSyncedAt": logs.stamp(logs.now()),
            "messages": {},
            "ownerID": self._c.node,
            "size": config["Size"],
        }
        self._w.replace_status(world.BACKUP_VOLUMES, document, status)
        self._take_backups(volume, target, found.backups)
        self._note_last_backup(volume, target, config)

    def _take_backups(self, volume: str, target: str, stored: frozenset[str]) -> None:
        """An object for each backup in the store, and none for what is not there any more."""
        there = {item["metadata"]["name"]: item for item in backup_objects.of_volume(self._w, volume, target)}
        for name in sorted(stored - set(there) - self.gone):
            self._w.create(
                world.BACKUPS,
                backup_objects.new(name, volume=volume, target=self._label(target), spec={"labels": None}),
            )
        for name in set(there) - stored:
            item = there[name]
            made_here = item["spec"].get("snapshotName") and (item.get("status") or {}).get("state") != "Completed"
            if not made_here and not item["metadata"].get("deletionTimestamp"):
                self._w.delete(world.BACKUPS, name)

    def _note_last_backup(self, volume: str, target: str, config: Object) -> None:
        document = self._w.find(world.VOLUMES, volume)
        if document is None or not document.get("status"):
            return
        if document["spec"].get("backupTargetName", targets.DEFAULT) != target:
            return
        last = {"lastBackup": config["LastBackupName"], "lastBackupAt": config["LastBackupAt"]}
        self._w.replace_status(world.VOLUMES, document, {**document["status"], **last})

    def _label(self, target: str) -> str:
        return target if self._c.release.has(_SEVERAL_TARGETS) else ""

    def _new(self, volume: str, target: str) -> Object:
        several = self._c.release.has(_SEVERAL_TARGETS)
        metadata: Object = {
            "name": f"{volume}-{names.random_id()}" if several else volume,
            "namespace": names.NAMESPACE,
            "finalizers": [names.FINALIZER],
        }
        if several:
            metadata["labels"] = {backup_objects.TARGET_LABEL: target, backup_objects.VOLUME_LABEL: volume}
        spec = {"volumeName": volume, "backupTargetName": target} if several else {}
        return {"kind": "BackupVolume", "metadata": metadata, "spec": spec}

    # --- to go ---

    def _delete(self, document: Object, volume: str, target: str) -> None:
        """With the object goes all that the store has of the volume, if there still is a store."""
        key = ("delete volume", volume, target)
        for backup in backup_objects.of_volume(self._w, volume, target):
            if not backup["metadata"].get("deletionTimestamp"):
                self._w.delete(world.BACKUPS, backup["metadata"]["name"])
        if targets.written_down(self._c, target)[0]:
            outcome = self._errands.once(key, lambda: self._remove(volume, target))
            if outcome is None:
                return
            if outcome.error is not None:
                self._log.having(backupVolume=volume, error=outcome.error).error("Error deleting remote backup volume")
                return
        self._w.release(world.BACKUP_VOLUMES, document)

    def _remove(self, volume: str, target: str) -> None:
        targets.access(self._c, self._egress, target).store().delete_volume(volume)


def _wants_sync(document: Object) -> bool:
    wanted = (document.get("spec") or {}).get("syncRequestedAt")
    return bool(wanted and wanted > ((document.get("status") or {}).get("lastSyncedAt") or ""))
