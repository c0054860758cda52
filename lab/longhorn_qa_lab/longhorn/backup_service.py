# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's requests on the backup store, and on backups in it."""

from __future__ import annotations

import copy
import threading
import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError
from longhorn_qa_lab.longhorn import backupstore, engine, logs, settings, targets, views, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.parts import REASONS, ApiFault, Doing, Gone, Part
from longhorn_qa_lab.longhorn.s3_client import Credentials

_LONGEST_DELETION: t.Final = 30.0


class Backups(Part):
    """Backups of volumes, and the volumes that have some."""

    def __init__(self, context: Context, *, egress: Path | None) -> None:
        super().__init__(context, egress=egress)
        self._deleting: dict[str, list[threading.Thread]] = {}

    def _back_up(self, volume: str, body: Object) -> None:
        snapshot, labels = str(body.get("name", "")), body.get("labels") or {}
        with Doing("fail to backup snapshot"):
            target, credentials = self._target()
            runner = self._engine(volume)
        self._wait_for_deletions(volume)
        try:
            backup = runner.start_backup(
                snapshot=snapshot, target=target, labels=labels, credentials=credentials, egress=self._egress
            )
        except REASONS as error:
            # Longhorn starts backups behind the answer: the caller never learns of this.
            self._c.log.error(
                f"Failed to backup snapshot {snapshot} with label {logs.go_map(labels)} for volume {volume}: {error}"
            )
            return
        self._c.log.debug(f"Backup {backup} created for volume {volume} snapshot {snapshot}")
        self._c.log.debug(f"Backup snapshot {snapshot} with label {logs.go_map(labels)} for volume {volume}")
        threading.Thread(target=self._after_backup, args=(volume, backup), daemon=True).start()

    def _wait_for_deletions(self, volume: str) -> None:
        """Let no lock be in the way, which in real time it seldom is."""
        for work in self._deleting.pop(volume, []):
            work.join(_LONGEST_DELETION)

    def _after_backup(self, volume: str, backup: str) -> None:
        """When the backup is there, it becomes the volume's last one."""
        for _ in range(600):
            time.sleep(2.0 * self._c.poll_scale)
            state = self._c.disk.read(volume)["backups"].get(backup, {}).get("state")
            if state != "in_progress":
                break
        try:
            store = self._store()
            config = store.volume(volume)
        except REASONS as error:
            self._c.log.warning(f"Failed to update volume LastBackup for {volume}: {error}")
            return
        if config is not None:
            self._note_last_backup(config)

    def _note_last_backup(self, config: Object) -> None:
        name, last = config["Name"], config["LastBackupName"]
        volume = self._w.find(world.VOLUMES, name)
        if volume is None or (volume.get("status") or {}).get("lastBackup") == last:
            return
        for _ in range(5):
            volume = self._w.find(world.VOLUMES, name)
            if volume is None:
                return
            status = {**copy.deepcopy(volume["status"]), "lastBackup": last, "lastBackupAt": config["LastBackupAt"]}
            try:
                self._w.replace_status(world.VOLUMES, volume, status)
            except ApiError:
                time.sleep(0.1)
                continue
            self._c.log.debug(f"Volume {name} LastBackup updated to {last} at {config['LastBackupAt']}")
            return

    def _target(self) -> tuple[str, Credentials]:
        access = targets.access(self._c, self._egress)
        return access.url, access.credentials

    def _store(self) -> backupstore.BackupStore:
        return targets.access(self._c, self._egress).store()

    def backup_volumes(self, base: str) -> list[Object]:
        """All volumes in the store. Looking also teaches the volumes their last backup, as in Longhorn."""
        with Doing("error listing backups"):
            found = self._store().volumes()
        for config in found:
            self._note_last_backup(config)
        return [views.backup_volume(config, base=base) for config in found]

    def backup_volume(self, name: str, base: str) -> Object:
        with Doing(f"error get backup volume '{name}'"):
            config = self._store().volume(name)
        if config is None:
            raise Gone
        return views.backup_volume(config, base=base)

    def delete_backup_volume(self, name: str) -> None:
        with Doing(f"error deleting backup volume '{name}'"):
            self._store().delete_volume(name)
        self._c.log.debug(f"Deleted backup volume {name}")

    def act_on_backups(self, volume: str, action: str, body: Object, base: str) -> Object:
        if action == "backupList":
            return self._list_backups(volume, base)
        name = str(body.get("name", ""))
        if action == "backupGet":
            found = [b for b in self._list_backups(volume, base)["data"] if b["name"] == name]
            if not found:
                raise ApiFault(f"error get backup '{name}' of volume '{volume}': cannot find {name} in backupstore")
            return t.cast(Object, found[0])
        if action == "backupDelete":
            self._delete_backup(volume, name)
            return {"actions": {}, "links": {"self": f"{base}/backupvolumes/{volume}"}, "type": "empty"}
        raise ApiFault(f"the lab's manager does not know the action {action} of backup volumes", 404)

    def _list_backups(self, volume: str, base: str) -> Object:
        with Doing(f"error listing backups for volume '{volume}'"):
            store = self._store()
            config = store.volume(volume)
            found = store.backups(volume) if config else []
            target = self._target()[0]
        return views.collection(
            [
                views.backup(
                    b, volume_config=config or {}, url=backupstore.backup_url(target, volume, b["Name"]), base=base
                )
                for b in found
            ],
            kind="backup",
            url=f"{base}/backupvolumes/{volume}",
        )

    def _delete_backup(self, volume: str, name: str) -> None:
        """Accept at once; the work is done behind the answer with the default engine image's binary."""
        with Doing(f"error deleting backup '{name}' of volume '{volume}'"):
            target, credentials = self._target()
        url = backupstore.backup_url(target, volume, name)
        binary = self._binary(self._c.setting(settings.DEFAULT_ENGINE_IMAGE))
        self._c.log.debug(f"Removed backup {name} of volume {volume}")
        work = threading.Thread(target=self._remove, args=(binary, url, credentials), daemon=True)
        self._deleting.setdefault(volume, []).append(work)
        work.start()
        if self._c.release.backup_deletion == "volume-image":
            work.join()

    def _remove(self, binary: engine.Binary, url: str, credentials: Credentials) -> None:
        self._c.log.info(f"Start Deleting backup {url}")
        try:
            engine.remove_backup(binary, url, credentials=credentials, egress=self._egress)
        except REASONS as error:
            self._c.log.error(str(error))
            return
        self._c.log.info(f"Complete deleting backup {url}")
