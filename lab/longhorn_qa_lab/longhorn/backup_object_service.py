# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's requests on backups, from 1.2 on: they make and delete objects, and controllers do the work."""

from __future__ import annotations

from longhorn_qa_lab.longhorn import backup_objects, checks, names, targets, views, world
from longhorn_qa_lab.longhorn.backup_service import Backups
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.parts import ApiFault, Doing, Gone
from longhorn_qa_lab.longhorn.releases import Span

_MODES: Span = Span(since=(1, 7, 0))
_SEVERAL_TARGETS: Span = Span(since=(1, 8, 0))


class BackupObjects(Backups):
    """Backups as objects; until 1.1 there are none, and the store is asked."""

    @property
    def _has_objects(self) -> bool:
        return self._c.release.has(world.BACKUPS.span)

    def _backup_fields(self, volume: str) -> Object:
        """What a volume shows of its backups, where that does not come from its engine."""
        if not self._has_objects:
            return {}
        found = backup_objects.of_volume(self._w, volume)
        return {"backupStatus": [backup_objects.progress_view(backup) for backup in found]}

    def _back_up(self, volume: str, body: Object) -> None:
        if not self._has_objects:
            super()._back_up(volume, body)
            return
        snapshot = str(body.get("name") or "")
        with Doing(f"{self._fail} to backup snapshot"):
            document = self._w.find(world.VOLUMES, volume)
            if document is None or not snapshot:
                raise checks.Refused("volume and snapshot name required")
            target = str(document["spec"].get("backupTargetName") or targets.DEFAULT)
            self._require_target(target)
            spec: Object = {"snapshotName": snapshot, "labels": dict(body.get("labels") or {})}
            if self._c.release.has(_MODES):
                spec["backupMode"] = body.get("backupMode") or "incremental"
            label = target if self._c.release.has(_SEVERAL_TARGETS) else ""
            self._w.create(world.BACKUPS, backup_objects.new(names.backup(), volume=volume, target=label, spec=spec))

    def _require_target(self, target: str) -> None:
        """Until 1.7 a target that is written down is enough; later it must be there."""
        url, _secret = targets.written_down(self._c, target)
        if not url:
            raise checks.Refused(f"backup target {target} is not set")
        found = self._w.find(world.BACKUP_TARGETS, target)
        if self._c.release.has(_SEVERAL_TARGETS) and not ((found or {}).get("status") or {}).get("available"):
            raise checks.Refused(f"backup target {target} is not available")

    def backup_volumes(self, base: str) -> list[Object]:
        if not self._has_objects:
            return super().backup_volumes(base)
        return [backup_objects.volume_view(found, base=base) for found in self._w.all(world.BACKUP_VOLUMES)]

    def backup_volume(self, name: str, base: str) -> Object:
        if not self._has_objects:
            return super().backup_volume(name, base)
        return backup_objects.volume_view(self._backup_volume(name), base=base)

    def _backup_volume(self, name: str) -> Object:
        found = self._w.find(world.BACKUP_VOLUMES, name)
        if found is None:
            raise Gone
        return found

    def delete_backup_volume(self, name: str) -> None:
        if not self._has_objects:
            super().delete_backup_volume(name)
            return
        self._backup_volume(name)
        with Doing(f"failed to delete backup volume '{name}'"):
            self._w.delete(world.BACKUP_VOLUMES, name)

    def act_on_backups(self, volume: str, action: str, body: Object, base: str) -> Object:
        if not self._has_objects:
            return super().act_on_backups(volume, action, body, base)
        place = backup_objects.place_of(self._backup_volume(volume))
        found = {item["metadata"]["name"]: item for item in backup_objects.of_volume(self._w, *place)}
        if action == "backupList":
            shown = [backup_objects.view(found[name], base=base) for name in sorted(found)]
            return views.collection(shown, kind="backup", url=f"{base}/backupvolumes/{volume}")
        name = str(body.get("name", ""))
        if action == "backupGet":
            if name not in found:
                raise Gone
            return backup_objects.view(found[name], base=base)
        if action == "backupDelete":
            self._delete_backup_object(volume, name)
            return self.backup_volume(volume, base)
        raise ApiFault(f"the lab's manager does not know the action {action} of backup volumes", 404)

    def _delete_backup_object(self, volume: str, name: str) -> None:
        """Only asks; an object that is Terminating already may be asked for again."""
        doing = "failed to delete" if self._fail == "failed" else "error deleting"
        with Doing(f"{doing} backup '{name}' of volume '{volume}'"):
            if self._w.find(world.BACKUPS, name) is not None:
                self._w.delete(world.BACKUPS, name)
        self._c.log.debug(f"Removed backup {name} of volume {volume}")
