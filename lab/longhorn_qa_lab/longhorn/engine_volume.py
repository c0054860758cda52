# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's way to its volume up to 1.0.0 and in the build of June 2020: through the engine binary, in the job's pod."""

from __future__ import annotations

import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Kube
from longhorn_qa_lab.longhorn import backupstore, engine, logs, names
from longhorn_qa_lab.longhorn.disk import Disk
from longhorn_qa_lab.longhorn.faults import FaultPlan
from longhorn_qa_lab.longhorn.job_bugs import NO_BUGS, JobBugs
from longhorn_qa_lab.longhorn.jobs import Backup, JobError, Progress, Snapshot
from longhorn_qa_lab.longhorn.s3_client import Credentials, StoreError, Target

_P = t.ParamSpec("_P")
_R = t.TypeVar("_R")


def _telling(function: t.Callable[_P, _R]) -> t.Callable[_P, _R]:
    """Engine, store and API failures end a job with their own words."""

    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except (engine.CommandError, StoreError, ApiError) as error:
            raise JobError(str(error)) from error

    return wrapped


class EngineVolume:
    """Implements jobs.Volume; logs what the real engine package logs in the same process."""

    def __init__(
        self,
        *,
        volume: str,
        kube: Kube,
        disk: Disk,
        plan: FaultPlan,
        log: logs.Log,
        target: str,
        environment: t.Mapping[str, str],
        bugs: JobBugs = NO_BUGS,
    ) -> None:
        self._volume = volume
        self._kube = kube
        self._log = log
        self._target = target
        self._credentials = Credentials.from_mapping(environment)
        self._egress = Path(environment["LAB_EGRESS"]) if environment.get("LAB_EGRESS") else None
        image = self._current_image()
        self._binary = engine.Binary(image=image, plan=bugs.plan(plan, image), store_clock=bugs.clock)
        self._engine = engine.Engine(disk, self._binary, volume)
        self._backups: dict[str, str] = {}

    def _current_image(self) -> str:
        """Find the volume's only engine, as the real job does before anything else."""
        base = f"/apis/{names.API_VERSION}/namespaces/{names.NAMESPACE}"
        try:
            self._kube.get(f"{base}/volumes/{self._volume}")
            found = self._kube.list(f"{base}/engines?labelSelector={names.VOLUME_LABEL}%3D{self._volume}")["items"]
        except ApiError as error:
            raise JobError(f"could not get volume {self._volume}: {error}") from error
        if len(found) != 1:
            raise JobError(f"cannot find suitable engine: {self._volume} has {len(found)} engines")
        status = found[0].get("status", {})
        if not status.get("ip"):
            raise JobError(f"engine {found[0]['metadata']['name']} is not running, no IP available")
        return str(status["currentImage"])

    def has_new_data(self, *, since_backup: bool) -> bool:
        """A job that drives the engine itself does not ask."""
        raise JobError(f"nobody asks whether {self._volume} has new data since its last backup: {since_backup}")

    @_telling
    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None:
        self._engine.create_snapshot(name, labels)

    @_telling
    def snapshots(self) -> list[Snapshot]:
        return [
            Snapshot(
                name=name,
                created=info["created"],
                labels=info["labels"],
                removed=info["removed"],
                usercreated=info["usercreated"],
            )
            for name, info in self._engine.snapshots().items()
        ]

    @_telling
    def delete_snapshot(self, name: str) -> None:
        self._engine.delete_snapshot(name)

    @_telling
    def start_purge(self) -> None:
        self._engine.purge()
        self._log.debug(f"Volume {self._volume} snapshot purge started")

    @_telling
    def is_purging(self) -> bool:
        return self._engine.is_purging()

    @_telling
    def start_backup(self, snapshot: str, labels: t.Mapping[str, str]) -> None:
        backup = self._engine.start_backup(
            snapshot=snapshot, target=self._target, labels=labels, credentials=self._credentials, egress=self._egress
        )
        self._backups[snapshot] = backup
        self._log.debug(f"Backup {backup} created for volume {self._volume} snapshot {snapshot}")

    @_telling
    def backup_progress(self, snapshot: str) -> Progress | None:
        backup = self._backups[snapshot]
        status = self._engine.backup_status(backup)
        return Progress(
            name=backup,
            url=status["backupURL"],
            state=status["state"],
            progress=status["progress"],
            error=status["error"],
        )

    @_telling
    def backups(self) -> list[Backup]:
        target = Target.parse(self._target)

        return [
            Backup(
                name=entry["Name"],
                url=backupstore.backup_url(target.url, self._volume, entry["Name"]),
                created=entry["CreatedTime"],
                labels=entry.get("Labels") or {},
            )
            for entry in engine.open_store(target, self._credentials, self._egress).backups(self._volume)
        ]

    @_telling
    def delete_backup(self, backup: Backup) -> None:
        self._log.info(f"Start Deleting backup {backup.url}")
        engine.remove_backup(self._binary, backup.url, credentials=self._credentials, egress=self._egress)
        self._log.info(f"Complete deleting backup {backup.url}")

    @_telling
    def leave_backup(self) -> None:
        """One more backup in the store, of the newest one's snapshot, that no log and no list names."""
        store = engine.open_store(Target.parse(self._target), self._credentials, self._egress)
        volume = store.volume(self._volume)
        newest = max(store.backups(self._volume), key=lambda entry: str(entry["CreatedTime"]), default=None)
        if volume is None or newest is None:
            raise JobError(f"volume {self._volume} has no backup yet")
        more = {**newest, "Name": names.backup()}
        store.create(volume=volume, backup=more, blocks={}, moment=logs.stamp(logs.now()))

    def cleaned_up_as(self, backup: Backup) -> str:
        return backup.url

    @_telling
    def finish_backup(self) -> None:
        """Tell the Volume which backup is its last one, unless somebody has already."""
        config = engine.open_store(Target.parse(self._target), self._credentials, self._egress).volume(self._volume)
        if config is None:
            return
        path = f"/apis/{names.API_VERSION}/namespaces/{names.NAMESPACE}/volumes/{self._volume}"
        if self._kube.get(path)["status"].get("lastBackup") == config["LastBackupName"]:
            return
        last = {"lastBackup": config["LastBackupName"], "lastBackupAt": config["LastBackupAt"]}
        self._kube.merge(path + "/status", {"status": last})
        self._log.debug(f"Volume {self._volume} LastBackup updated to {last['lastBackup']} at {last['lastBackupAt']}")
