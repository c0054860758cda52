# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's controller of Snapshot objects, from 1.3 on.

An object with ``createSnapshot`` makes the engine take the snapshot; every other snapshot of an engine gets an object.
An object that is to go stays, Terminating, until the engine has the snapshot no more.
"""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t

from longhorn_qa_lab.kube import ApiError
from longhorn_qa_lab.longhorn import controller_tickets, engine, logs, names, parts, settings, snapshot_service, world
from longhorn_qa_lab.longhorn.context import Context, post_event
from longhorn_qa_lab.longhorn.decide import Note, Object
from longhorn_qa_lab.longhorn.releases import Span

_MAKES: t.Final = Span(since=(1, 5, 0))
_NEW_REASONS: t.Final = Span(since=(1, 6, 0))
_PURGE_CAN_BE_OFF: t.Final = Span(since=(1, 5, 4))
_COMPONENT: t.Final = "longhorn-snapshot-controller"
_ATTACHER: t.Final = "snapshot-controller"
_FIRST_DELAY: t.Final = 0.005
_LONGEST_DELAY: t.Final = 1000.0
#: What happens to a snapshot -> reason and type of its Event until 1.5, and from 1.6 on.
_REASONS: t.Final[t.Mapping[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "created": (("SnapshotCreate", "Normal"), ("Create", "Normal")),
    "marked": (("SnapshotDelete", "Warning"), ("Delete", "Normal")),
    "removed": (("", ""), ("Delete", "Normal")),
    "ready": (("SnapshotUpdate", "Normal"), ("Update", "Normal")),
    "not ready": (("SnapshotUpdate", "Warning"), ("Update", "Warning")),
    "failed": (("SnapshotError", "Warning"), ("Failed", "Warning")),
    "stopped": (("SnapshotDeleteError", "Warning"), ("", "")),
}
_NEW_STATUS: t.Final[Object] = {
    "children": None,
    "creationTime": "",
    "error": "",
    "labels": None,
    "markRemoved": False,
    "ownerID": "",
    "parent": "",
    "readyToUse": False,
    "restoreSize": 0,
    "size": 0,
    "userCreated": False,
}


@dataclasses.dataclass
class _Retry:
    """A sync that failed: when it is due again."""

    due: float = 0.0
    failures: int = 0


class Snapshots:
    """Looked after by the control loop, once per pass."""

    def __init__(self, context: Context, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._c = context
        self._w = context.cluster
        self._clock = clock
        self._retries: dict[str, _Retry] = {}
        self._warned: dict[str, t.Any] = {}
        self._log = context.log.having(controller="longhorn-snapshot", node=context.node)

    def tasks(self) -> t.Iterator[tuple[str, t.Callable[[], None]]]:
        """One look at every volume's snapshots and every Snapshot object, each by itself."""
        if not self._c.release.has(world.SNAPSHOTS.span):
            return
        for volume in self._w.all(world.VOLUMES):
            yield f"snapshots of volume {volume['metadata']['name']}", functools.partial(self._mirror, volume)
        there = {snapshot["metadata"]["name"]: snapshot for snapshot in self._w.all(world.SNAPSHOTS)}
        for name, snapshot in there.items():
            yield f"snapshot {name}", functools.partial(self._sync, snapshot)
        for forgotten in (self._retries, self._warned):
            for name in set(forgotten) - set(there):
                del forgotten[name]

    def _mirror(self, volume: Object) -> None:
        """An object for each snapshot that the engine reports, and none for what it has lost."""
        name = volume["metadata"]["name"]
        running = self._engine_of(name)
        found = (running.get("status") or {}).get("snapshots") if running else None
        if found is None or volume["metadata"].get("deletionTimestamp"):
            return
        there = {item["metadata"]["name"]: item for item in self._w.all(world.SNAPSHOTS, volume=name)}
        for snapshot in sorted(set(found) - set(there) - {engine.HEAD}, key=lambda key: (found[key]["created"], key)):
            self._w.create(world.SNAPSHOTS, snapshot_service.new(volume, snapshot, create=False, labels=None))
        for snapshot in set(there) - set(found):
            item = there[snapshot]
            lost = (item.get("status") or {}).get("creationTime") and not item["metadata"].get("deletionTimestamp")
            if lost and not item["spec"].get("createSnapshot"):
                self._w.delete(world.SNAPSHOTS, snapshot)

    def _engine_of(self, volume: str) -> Object | None:
        engines = self._w.all(world.ENGINES, volume=volume)
        return engines[0] if len(engines) == 1 else None

    def _sync(self, snapshot: Object) -> None:
        name = snapshot["metadata"]["name"]
        retry = self._retries.get(name)
        if retry is not None and self._clock() < retry.due:
            return
        try:
            self._reconcile(snapshot)
        except (engine.CommandError, *parts.REASONS) as error:
            if isinstance(error, ApiError) and error.status in (404, 409):
                self._w.touch()
                return
            self._put_off(name, error)
            return
        self._retries.pop(name, None)

    def _put_off(self, name: str, error: Exception) -> None:
        """Again after twice the time, without an end."""
        retry = self._retries.setdefault(name, _Retry())
        delay = min(_FIRST_DELAY * 2**retry.failures, _LONGEST_DELAY) * self._c.poll_scale
        retry.failures += 1
        retry.due = self._clock() + delay
        key = f"{names.NAMESPACE}/{name}"
        if self._c.release.has(_MAKES):
            text = f"longhorn-snapshot: failed to sync snapshot {key}: {error}"
            caller = logs.Caller("controller.handleReconcileErrorLogging", "utils.go:104")
            self._log.having(Snapshot=key, error=text).say("error", "Failed to sync Longhorn snapshot", caller)
        else:
            text = f"longhorn-snapshot: fail to sync snapshot {key}: {error}"
            self._log.having(error=text).warning(f"Error syncing Longhorn snapshot {key}")

    def _reconcile(self, snapshot: Object) -> None:
        old = {**_NEW_STATUS, **(snapshot.get("status") or {})}
        status = {**old, "ownerID": self._c.node}
        if snapshot["metadata"].get("deletionTimestamp"):
            if self._delete(snapshot, status):
                return
        else:
            try:
                self._create(snapshot, status)
            except engine.CommandError as error:
                self._write(snapshot, old, {**status, "error": str(error)})
                raise
        self._write(snapshot, old, status)

    def _write(self, snapshot: Object, old: Object, status: Object) -> None:
        snapshot = self._w.replace_status(world.SNAPSHOTS, snapshot, status)
        self._tell_changes(snapshot, old, status)

    # --- there, or to be there ---

    def _create(self, snapshot: Object, status: Object) -> None:
        """Have the snapshot taken if that was asked for, and show what the engine says of it."""
        name = snapshot["metadata"]["name"]
        engine_object = self._engine_of(snapshot["spec"]["volume"])
        engine_status = (engine_object or {}).get("status") or {}
        running = engine_status.get("currentState") == "running"
        found = engine_status.get("snapshots") or {}
        wanted = snapshot["spec"].get("createSnapshot") and not status["creationTime"]
        if wanted and not running:
            self._hold(snapshot)
            label = engine_object["metadata"]["name"] if engine_object else ""
            status["error"] = f"cannot take snapshot because the volume engine {label} is not running"
            return
        if wanted and name not in found:
            self._take(snapshot)
        if name in found:
            self._drop(snapshot)
            status |= _from_engine(found[name], engine_object or {}, ready=True)
        elif running and found and not wanted:
            status |= {"readyToUse": False, "error": _LOST}

    def _take(self, snapshot: Object) -> None:
        name, volume = snapshot["metadata"]["name"], snapshot["spec"]["volume"]
        reached = parts.reach(self._c, volume)
        if name in reached.snapshots():
            return
        self._log.info(f"Creating snapshot {name} of volume {volume}")
        reached.create_snapshot(name, snapshot["spec"].get("labels") or {})

    # --- to go ---

    def _delete(self, snapshot: Object, status: Object) -> bool:
        """Have the snapshot removed; whether the object has been let go."""
        name = snapshot["metadata"]["name"]
        volume = self._w.find(world.VOLUMES, snapshot["spec"]["volume"])
        if volume is None or volume["metadata"].get("deletionTimestamp"):
            self._release(snapshot)
            return True
        engine_object = self._engine_of(snapshot["spec"]["volume"])
        if engine_object is None or (engine_object.get("status") or {}).get("currentState") != "running":
            self._warn_stopped(snapshot, engine_object)
            return False
        if not self._remove(name, snapshot["spec"]["volume"], engine_object):
            status["readyToUse"] = False
            return False
        found = engine_object["status"].get("snapshots") or {}
        if name not in found:
            self._tell("removed", snapshot, "snapshot was removed from engine")
            self._release(snapshot)
            return True
        status |= _from_engine(found[name], engine_object, ready=False)
        return False

    def _remove(self, name: str, volume: str, engine_object: Object) -> bool:
        """Mark the snapshot and purge. What is the parent of the head is only marked, and waits."""
        reached = parts.reach(self._c, volume)
        info = reached.snapshots().get(name)
        if info is None:
            return True
        if self._c.release.has(_PURGE_CAN_BE_OFF) and self._c.setting(settings.DISABLE_PURGE) == "true":
            self._warn_once(name, sorted(engine_object["status"].get("snapshots") or {}))
            return False
        if not info["removed"]:
            self._log.info(f"Deleting snapshot {name}")
            reached.delete_snapshot(name)
        if engine.HEAD not in info["children"]:
            self._log.info(f"Starting SnapshotPurge to delete snapshot {name}")
            reached.purge()
        return True

    def _warn_once(self, name: str, occasion: t.Any) -> None:
        """Say that purging is off; again only when the engine's snapshots have changed."""
        if self._warned.get(name) == occasion:
            return
        self._warned[name] = occasion
        self._log.having(snapshot=name).warning(
            f"Cannot start SnapshotPurge to delete snapshot {name} while {settings.DISABLE_PURGE} setting is true"
        )

    def _hold(self, snapshot: Object) -> None:
        name, volume = snapshot["metadata"]["name"], snapshot["spec"]["volume"]
        controller_tickets.hold(self._c, volume, controller=_ATTACHER, subject=name)

    def _drop(self, snapshot: Object) -> None:
        name, volume = snapshot["metadata"]["name"], snapshot["spec"]["volume"]
        controller_tickets.drop(self._c, volume, controller=_ATTACHER, subject=name)

    def _warn_stopped(self, snapshot: Object, engine_object: Object | None) -> None:
        if self._c.release.has(_MAKES):
            self._hold(snapshot)
            return
        name = engine_object["metadata"]["name"] if engine_object else ""
        text = f"cannot delete snapshot because the volume engine {name} is not running"
        if self._warned.get(snapshot["metadata"]["name"]) != text:
            self._warned[snapshot["metadata"]["name"]] = text
            self._tell("stopped", snapshot, text)
            self._log.error(text)

    def _release(self, snapshot: Object) -> None:
        self._drop(snapshot)
        self._log.info(f"Removing finalizer for snapshot {snapshot['metadata']['name']}")
        self._w.release(world.SNAPSHOTS, snapshot)

    # --- events ---

    def _tell_changes(self, snapshot: Object, old: Object, new: Object) -> None:
        if new["markRemoved"] and not old["markRemoved"]:
            self._tell("marked", snapshot, "snapshot is marked as removed")
        if snapshot["spec"].get("createSnapshot") and new["creationTime"] and not old["creationTime"]:
            self._tell("created", snapshot, "successfully provisioned the snapshot")
        if new["error"] and new["error"] != old["error"]:
            self._tell("failed", snapshot, new["error"])
        if new["readyToUse"] != old["readyToUse"]:
            ready = new["readyToUse"]
            text = "snapshot becomes ready to use" if ready else "snapshot becomes not ready to use"
            self._tell("ready" if ready else "not ready", snapshot, text)

    def _tell(self, what: str, snapshot: Object, message: str) -> None:
        reason, kind = _REASONS[what][self._c.release.has(_NEW_REASONS)]
        if reason:
            post_event(self._c, snapshot, Note("Snapshot", reason, message, kind), _COMPONENT)


_LOST: t.Final = "lost track of the corresponding snapshot info inside volume engine"


def _from_engine(info: Object, engine_object: Object, *, ready: bool) -> Object:
    """A Snapshot's status as the engine reports the snapshot."""
    ready = ready and not info["removed"]
    found = {
        "children": info["children"],
        "creationTime": info["created"],
        "labels": info["labels"],
        "markRemoved": info["removed"],
        "parent": info["parent"],
        "readyToUse": ready,
        "restoreSize": int(engine_object["spec"].get("volumeSize") or 0),
        "size": int(info["size"]),
        "userCreated": info["usercreated"],
    }
    return {**found, "error": ""} if ready else found
