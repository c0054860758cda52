# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's controller of Backup objects, from 1.2 on.

An object that names a snapshot makes the engine back it up. An object that is to go stays, Terminating, until the
default engine image's binary has deleted the backup in the store, which the job that asked for it never learns of.
"""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.longhorn import (
    backup_objects,
    backup_volumes,
    controller_tickets,
    engine,
    errands,
    logs,
    names,
    parts,
    settings,
    targets,
    world,
)
from longhorn_qa_lab.longhorn.backup_objects import target_of, volume_of
from longhorn_qa_lab.longhorn.backup_volumes import BackupVolumes
from longhorn_qa_lab.longhorn.context import Context, post_event
from longhorn_qa_lab.longhorn.decide import Note, Object
from longhorn_qa_lab.longhorn.releases import Span

_IN_BACKGROUND: t.Final = Span(since=(1, 8, 0))
_MANY_LOCK_RETRIES: t.Final = Span(since=(1, 3, 3))
_SNAPSHOT_OBJECTS: t.Final = Span(since=(1, 5, 0))
_HOURLY_RESYNC: t.Final = Span(before=(1, 3, 0))
_COMPONENT: t.Final = "longhorn-backup-controller"
_ATTACHER: t.Final = "backup-controller"
_FINAL: t.Final = ("Completed", "Error", "Unknown", "Deleting")
_STATES: t.Final = {"in_progress": "InProgress", "complete": "Completed", "error": "Error"}
_FAILED: t.Final = "Failed to delete the backup {url} in the backupstore, err {error}"

_RETRIES: t.Final = 3
_LOCK_RETRIES: t.Final = 16
_FIRST_DELAY: t.Final = 0.005
_RESYNC: t.Final = 30.0
_LONG_RESYNC: t.Final = 3600.0
_SHORTEST_BACK_OFF: t.Final = 60.0
_LONGEST_BACK_OFF: t.Final = 24 * 3600.0

_NEW_STATUS: t.Final[Object] = {
    "backupCreatedAt": "",
    "error": "",
    "labels": None,
    "lastSyncedAt": None,
    "messages": None,
    "ownerID": "",
    "progress": 0,
    "replicaAddress": "",
    "size": "",
    "snapshotCreatedAt": "",
    "snapshotName": "",
    "state": "",
    "url": "",
    "volumeCreated": "",
    "volumeName": "",
    "volumeSize": "",
}


@dataclasses.dataclass
class _Deletion:
    """How often a deletion has failed, and when it is due again."""

    failures: int = 0
    due: float = 0.0
    back_off: float = 0.0


class Backups:
    """Looked after by the control loop, once per pass."""

    def __init__(
        self,
        context: Context,
        egress: Path | None,
        clock: t.Callable[[], float] = time.monotonic,
        spawn: errands.Spawn = errands.in_a_thread,
    ) -> None:
        self._c = context
        self._w = context.cluster
        self._egress = egress
        self._clock = clock
        self._errands = errands.Errands(self._w.touch, spawn)
        self._volumes = BackupVolumes(context, egress, clock, self._errands)
        self._deletions: dict[str, _Deletion] = {}
        self._inspected: dict[str, float] = {}
        self._said: dict[str, str] = {}
        self._log = context.log.having(controller="longhorn-backup", node=context.node)

    def tasks(self) -> t.Iterator[tuple[str, t.Callable[[], None]]]:
        """One look at every Backup object, then at the volumes in the store, each by itself."""
        if not self._c.release.has(world.BACKUPS.span):
            return
        there = {backup["metadata"]["name"]: backup for backup in self._w.all(world.BACKUPS)}
        for name, backup in there.items():
            work = self._delete if backup["metadata"].get("deletionTimestamp") else self._follow
            yield f"backup {name}", functools.partial(work, backup)
        for forgotten in (self._deletions, self._inspected, self._said):
            for name in set(forgotten) - set(there):
                del forgotten[name]
        yield from self._volumes.tasks()

    def _access(self, backup: Object) -> targets.Access:
        return targets.access(self._c, self._egress, target_of(backup))

    # --- creation ---

    def _follow(self, backup: Object) -> None:
        """Have the backup made, and show how far it is."""
        old = {**_NEW_STATUS, **(backup.get("status") or {})}
        status = {**old, "ownerID": self._c.node, "messages": old["messages"] or {}}
        if backup["spec"].get("snapshotName") and not old["lastSyncedAt"] and old["state"] not in _FINAL:
            self._make(backup, status)
        elif _wants_sync(backup, old):
            self._inspect(backup, status)
        if status["state"] != old["state"] and status["state"] not in ("", "Pending"):
            self._tell_volume(backup, status)
        if status["state"] in _FINAL:
            name = backup["metadata"]["name"]
            controller_tickets.drop(self._c, volume_of(backup), controller=_ATTACHER, subject=name)
        self._w.replace_status(world.BACKUPS, backup, status)

    def _make(self, backup: Object, status: Object) -> None:
        name, volume = backup["metadata"]["name"], volume_of(backup)
        status["snapshotName"] = backup["spec"]["snapshotName"]
        if self._w.find(world.VOLUMES, volume) is None:
            text = f'Cannot find the corresponding volume: volume.longhorn.io "{volume}" not found'
            status |= {"state": "Error", "error": text, "lastSyncedAt": _now()}
            return
        begun = self._errands.take(("begin", name))
        if begun is not None and begun.error is not None:
            status |= {"state": "Error", "error": str(begun.error), "lastSyncedAt": _now()}
            self._log.having(backup=name, error=begun.error).warning(
                f"Failed to enable the backup monitor for backup {name}"
            )
            return
        entry = self._entries(volume).get(name)
        if entry is not None:
            self._take_progress(backup, status, entry)
        elif not (
            self._errands.is_running(("begin", name)) or self._must_wait(backup, status) or self._is_deleting(volume)
        ):
            self._begin(backup)

    def _is_deleting(self, volume: str) -> bool:
        """Whether a deletion is under way: its lock would be in the way, which in real time is seldom so."""
        return any(
            self._errands.is_running(("delete", other["metadata"]["name"]))
            for other in backup_objects.of_volume(self._w, volume)
        )

    def _is_creating(self, volume: str) -> bool:
        """Whether a backup is under way, whose lock a deletion would be in the way of: the engine knows it first."""
        return any(entry["state"] == "in_progress" for entry in self._entries(volume).values()) or any(
            self._errands.is_running(("begin", other["metadata"]["name"]))
            for other in backup_objects.of_volume(self._w, volume)
        )

    def _entries(self, volume: str) -> Object:
        """What the engine says of the volume's backups, by their names."""
        try:
            return t.cast(Object, self._c.disk.read(volume)["backups"])
        except LookupError:
            return {}

    def _must_wait(self, backup: Object, status: Object) -> bool:
        """Whether something has to happen first; then the backup is Pending."""
        reason, error = self._reason_to_wait(backup)
        name = backup["metadata"]["name"]
        if not reason:
            self._said.pop(name, None)
            return False
        status |= {"state": "Pending", "messages": {"info": reason}}
        if self._said.get(name) != reason:
            self._said[name] = reason
            self._log.having(backup=name, error=error).warning(
                f"Waiting to enable the backup monitor for backup {name}"
            )
        return True

    def _reason_to_wait(self, backup: Object) -> tuple[str, str]:
        volume, snapshot = volume_of(backup), backup["spec"]["snapshotName"]
        stopped = self._stopped_engine(backup)
        if stopped:
            return (
                f"Waiting for the engine {stopped} to be ready",
                f"waiting for the engine {stopped} to be running before enabling backup monitor",
            )
        if self._c.release.has(_SNAPSHOT_OBJECTS):
            found = self._w.find(world.SNAPSHOTS, snapshot)
            if found is not None and not (found.get("status") or {}).get("readyToUse"):
                return (
                    f"Waiting for the snapshot {snapshot} to be ready",
                    f"waiting for the snapshot {snapshot} to be ready before enabling backup monitor",
                )
        if self._c.release.has(_IN_BACKGROUND):
            for other in self._w.all(world.BACKUPS):
                if volume_of(other) == volume and (other.get("status") or {}).get("state") == "Deleting":
                    name = other["metadata"]["name"]
                    return (
                        f"Wait for backup {name} to be deleted",
                        f"waiting for the backup {name} to be deleted before enabling backup monitor",
                    )
        return "", ""

    def _stopped_engine(self, backup: Object) -> str:
        """The volume's engine while it has to be started for the backup; none where nobody would start it."""
        if self._c.release.attachment != "tickets":
            return ""
        for found in self._w.all(world.ENGINES, volume=volume_of(backup)):
            if (found.get("status") or {}).get("currentState") != "running":
                name = backup["metadata"]["name"]
                controller_tickets.hold(self._c, volume_of(backup), controller=_ATTACHER, subject=name)
                return str(found["metadata"]["name"])
        return ""

    def _begin(self, backup: Object) -> None:
        name, volume = backup["metadata"]["name"], volume_of(backup)

        def begin() -> None:
            access = self._access(backup)
            parts.reach(self._c, volume).start_backup(
                backup=name,
                snapshot=backup["spec"]["snapshotName"],
                target=access.url,
                labels=backup["spec"].get("labels") or {},
                credentials=access.credentials,
                egress=access.egress,
            )

        self._errands.start(("begin", name), begin)

    def _take_progress(self, backup: Object, status: Object, entry: Object) -> None:
        state = _STATES[entry["state"]]
        status |= {
            "progress": entry["progress"],
            "url": entry["backupURL"],
            "error": entry["error"],
            "replicaAddress": entry["replicaAddress"],
        }
        if state == "Completed":
            self._inspect(backup, status)
            return
        status["state"] = state
        if state == "Error":
            status["lastSyncedAt"] = _now()

    def _inspect(self, backup: Object, status: Object) -> None:
        """Once the backup is complete, the store is the source of truth, for the volume's object as well."""
        name, volume = backup["metadata"]["name"], volume_of(backup)
        if self._clock() < self._inspected.get(name, 0.0):
            return
        outcome = self._errands.once(("inspect", name), lambda: _read(self._access(backup), volume, name))
        if outcome is None:
            return
        if outcome.value is None:
            self._inspected[name] = self._clock() + _RESYNC * self._c.poll_scale
            error = outcome.error or f"cannot find {name} in backupstore"
            self._log.having(backup=name, error=error).error("Error inspecting backup config")
            return
        found, stored = outcome.value
        self._volumes.take(volume, target_of(backup), stored)
        status |= found | {"state": "Completed", "progress": 100, "lastSyncedAt": _now()}
        status |= {"backupTargetName": target_of(backup)} if self._c.release.has(_IN_BACKGROUND) else {}

    def _tell_volume(self, backup: Object, status: Object) -> None:
        volume = self._w.find(world.VOLUMES, volume_of(backup))
        if volume is None or not backup["spec"].get("snapshotName"):
            return
        labels = logs.go_map(backup["spec"].get("labels") or {})
        text = f"Snapshot {backup['spec']['snapshotName']} backup {backup['metadata']['name']} label {labels}"
        kind = "Warning" if status["error"] else "Normal"
        text = f"{text}: {status['error']}" if status["error"] else text
        post_event(self._c, volume, Note("Volume", status["state"], text, kind), _COMPONENT)

    # --- deletion ---

    def _delete(self, backup: Object) -> None:
        if not self._is_in_our_store(backup):
            self._release(backup)
        elif self._c.release.has(_IN_BACKGROUND):
            self._delete_in_background(backup)
        else:
            self._delete_with_retries(backup)

    def _is_in_our_store(self, backup: Object) -> bool:
        """Whether there is a store to delete it from, and nobody is deleting the whole volume there."""
        url, _secret = targets.written_down(self._c, target_of(backup))
        volume = self._volumes.find(volume_of(backup), target_of(backup))
        return bool(url) and volume is not None and not volume["metadata"].get("deletionTimestamp")

    def _start_deletion(self, backup: Object) -> None:
        name, volume = backup["metadata"]["name"], volume_of(backup)
        binary = parts.binary(self._c, self._c.setting(settings.DEFAULT_ENGINE_IMAGE))

        def delete() -> None:
            access = self._access(backup)
            url = access.url_of(volume, name)
            self._log.having(backup=name).info(f"Start Deleting backup {url}")
            try:
                engine.remove_backup(binary, url, credentials=access.credentials, egress=access.egress)
            except engine.CommandError as error:
                if not self._is_gone(access, volume, name, error):
                    raise
            self._log.having(backup=name).info(f"Complete deleting backup {url}")

        self._errands.start(("delete", name), delete)

    def _is_gone(self, access: targets.Access, volume: str, name: str, error: engine.CommandError) -> bool:
        """Whether the backup is not in the store although its deletion failed: later releases look for themselves."""
        if self._c.release.has(_IN_BACKGROUND):
            return access.store().backup(volume, name) is None
        return "cannot find" in str(error)

    def _delete_with_retries(self, backup: Object) -> None:
        """Until 1.7: some tries at once, then again whenever the object is looked at anew."""
        name = backup["metadata"]["name"]
        deletion = self._deletions.setdefault(name, _Deletion())
        if self._clock() >= deletion.due and not self._is_creating(volume_of(backup)):
            deletion.due = float("inf")
            self._start_deletion(backup)
        outcome = self._errands.take(("delete", name))
        if outcome is None:
            return
        if outcome.error is None:
            self._release(backup)
            return
        log = self._log.having(error=outcome.error)
        log.having(backup=name).error("Error deleting remote backup")
        key = f"{names.NAMESPACE}/{name}"
        log = self._log.having(error=f"longhorn-backup: fail to sync backup {key}: {outcome.error}")
        locked = "failed lock" in str(outcome.error) and self._c.release.has(_MANY_LOCK_RETRIES)
        if deletion.failures < (_LOCK_RETRIES if locked else _RETRIES):
            because = " because of the failure of lock acquisition" if locked else ""
            log.warning(f"Error syncing Longhorn backup {key}{because}")
            deletion.due = self._clock() + _FIRST_DELAY * 2**deletion.failures * self._c.poll_scale
            deletion.failures += 1
            return
        log.warning(f"Dropping Longhorn backup {key} out of the queue")
        resync = _LONG_RESYNC if self._c.release.has(_HOURLY_RESYNC) else _RESYNC
        deletion.failures, deletion.due = 0, self._clock() + resync * self._c.poll_scale

    def _delete_in_background(self, backup: Object) -> None:
        """From 1.8 on: Deleting, then gone or Error, and again after a back-off that doubles."""
        name = backup["metadata"]["name"]
        status = {**_NEW_STATUS, **(backup.get("status") or {})}
        deletion = self._deletions.setdefault(name, _Deletion())
        if status["state"] != "Deleting":
            if self._clock() < deletion.due or self._is_creating(volume_of(backup)):
                return
            backup = self._w.replace_status(world.BACKUPS, backup, {**status, "state": "Deleting", "messages": {}})
            status = backup["status"]
            deletion.back_off = min(max(_SHORTEST_BACK_OFF, deletion.back_off * 2), _LONGEST_BACK_OFF)
            deletion.due = self._clock() + deletion.back_off * self._c.poll_scale
            self._start_deletion(backup)
        outcome = self._errands.take(("delete", name))
        if outcome is not None and outcome.error is None:
            self._release(backup)
            return
        url = status["url"]
        if outcome is not None:
            error = _FAILED.format(url=url, error=outcome.error)
            self._log.having(backup=name).warning(f"Failed to delete backup in the backupstore, {error}")
            self._fail(backup, status, _FAILED.format(url=url, error=error))
        elif not self._errands.is_running(("delete", name)):
            self._fail(backup, status, "No deletion in progress record, retry the deletion command")

    def _fail(self, backup: Object, status: Object, message: str) -> None:
        self._w.replace_status(world.BACKUPS, backup, {**status, "state": "Error", "messages": {"error": message}})

    def _release(self, backup: Object) -> None:
        """The backup is gone: so may be its object."""
        name, status = backup["metadata"]["name"], backup.get("status") or {}
        volume = self._volumes.find(volume_of(backup), target_of(backup))
        if volume is not None and (volume.get("status") or {}).get("lastBackupName") == name:
            self._volumes.request(volume_of(backup), target_of(backup))
        if status.get("state") in ("Error", "Unknown"):
            text = f"Failed backup {name} has been deleted: {status.get('error', '')}"
            post_event(self._c, backup, Note("Backup", status["state"], text, "Warning"), _COMPONENT)
        self._volumes.gone.add(name)
        self._w.release(world.BACKUPS, backup)


def _wants_sync(backup: Object, status: Object) -> bool:
    """Whether the store has never been asked, or somebody wants it to be asked again."""
    wanted = backup["spec"].get("syncRequestedAt")
    if status["state"] not in ("", "Completed"):
        return False
    return not status["lastSyncedAt"] or bool(wanted and wanted > status["lastSyncedAt"])


def _now() -> str:
    return logs.stamp(logs.now())


def _read(access: targets.Access, volume: str, name: str) -> tuple[Object, backup_volumes.Found] | None:
    """A backup's status and its volume as the store has them; None when it is not there, or not complete."""
    store = access.store()
    found, stored = store.backup(volume, name), backup_volumes.read(store, volume)
    if found is None or stored is None or not found.get("CreatedTime"):
        return None
    about = stored.config
    status: Object = {
        "backupCreatedAt": found["CreatedTime"],
        "labels": found.get("Labels"),
        "messages": {},
        "size": found["Size"],
        "snapshotCreatedAt": found["SnapshotCreatedAt"],
        "snapshotName": found["SnapshotName"],
        "url": access.url_of(volume, name),
        "volumeCreated": about.get("CreatedTime", ""),
        "volumeName": volume,
        "volumeSize": about.get("Size", ""),
    }
    for field, key in _LATER_FIELDS.items():
        if key in found:
            status[field] = found[key]
    return status, stored


_LATER_FIELDS: t.Final = {
    "compressionMethod": "CompressionMethod",
    "newlyUploadDataSize": "NewlyUploadedDataSize",
    "reUploadedDataSize": "ReUploadedDataSize",
}
