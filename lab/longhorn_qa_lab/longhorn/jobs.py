# SPDX-License-Identifier: GPL-3.0-or-later
"""The recurring job's own process up to 1.1: ``longhorn-manager snapshot …`` of each release.

Until 1.0.0 and in the build of June 2020 the job drives the volume's engine binary itself; 1.0.1 asks the manager's
API. The order of steps and the words are Longhorn's; what a release does when the clean-up fails is data.
"""

from __future__ import annotations

import dataclasses
import typing as t

from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.logs import Log
from longhorn_qa_lab.longhorn.releases import Release

LABEL: t.Final = "RecurringJob"


class JobError(RuntimeError):
    """The job cannot go on; the text is what Longhorn logs."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A snapshot in a list; where snapshots are objects, one may be wanted that does not exist yet."""

    name: str
    created: str
    labels: t.Mapping[str, str]
    removed: bool
    usercreated: bool
    wanted: bool = False
    exists: bool = True


@dataclasses.dataclass(frozen=True)
class Backup:
    """A backup in a list. 1.0.1 speaks of backups by name, earlier ones by URL."""

    name: str
    url: str
    created: str
    labels: t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Progress:
    """A running backup as the engine reports it."""

    name: str
    url: str
    state: str
    progress: int
    error: str


class Volume(t.Protocol):
    """What a job can do to its volume, however its release does it. Failures are JobError."""

    def has_new_data(self, *, since_backup: bool) -> bool:
        """Whether something has been written since the last snapshot, or else since the last backup."""

    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None: ...
    def snapshots(self) -> list[Snapshot]: ...
    def delete_snapshot(self, name: str) -> None: ...
    def start_purge(self) -> None: ...
    def is_purging(self) -> bool: ...
    def start_backup(self, snapshot: str, labels: t.Mapping[str, str]) -> None: ...
    def backup_progress(self, snapshot: str) -> Progress | None: ...
    def backups(self) -> list[Backup]: ...
    def delete_backup(self, backup: Backup) -> None: ...
    def cleaned_up_as(self, backup: Backup) -> str: ...
    def finish_backup(self) -> None: ...
    def leave_backup(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class Job:
    """One run: which volume, how many to keep, and what to make."""

    volume: str
    name: str
    labels: t.Mapping[str, str]
    retain: int
    backup: bool
    poll: float


_SPARING_SINCE: t.Final = (1, 1, 0)
_START_POLLS: t.Final = 90


class Runner:
    """Runs a job against a volume. From 1.1 on it says what it does, and spares what would hold nothing new."""

    def __init__(
        self, job: Job, volume: Volume, *, release: Release, log: Log, sleep: t.Callable[[float], None]
    ) -> None:
        self._job = job
        self._volume = volume
        self._release = release
        self._log = log
        self._sleep = sleep
        self._sparing = release.number >= _SPARING_SINCE
        self._snapshot = f"{job.name}-{names.random_id()}"

    def run(self) -> None:
        """Do the job; JobError is fatal."""
        if self._sparing:
            kind = "backup" if self._job.backup else "snapshot"
            self._log.info(f"Running recurring {kind} for volume {self._job.volume}")
        if not self._job.backup:
            self._snapshot_and_clean_up()
            return
        try:
            if self._sparing and not self._volume.has_new_data(since_backup=True):
                self._log.info(
                    f"Skipping taking backup because volume {self._job.volume} is either empty or doesn't have new "
                    "data since the last backup"
                )
                return
            self._snapshot_and_clean_up()
            self._back_up()
            self._forgive("backup", self._clean_up_backups)
        except JobError as error:
            raise JobError(f"failed to complete backupAndCleanup for {self._job.volume}: {error}") from error

    def _snapshot_and_clean_up(self) -> None:
        if self._sparing and not self._job.backup and not self._volume.has_new_data(since_backup=False):
            self._log.info(
                f"Skipping taking snapshot because the volume {self._job.volume} doesn't have new data in volume-head"
            )
            return
        self._volume.create_snapshot(self._snapshot, self._job.labels)
        self._forgive("snapshot", self._clean_up_snapshots)

    def _forgive(self, kind: str, clean_up: t.Callable[[], None]) -> None:
        """The difference the whole procedure is about: a failed clean-up is fatal, or only worth a warning."""
        try:
            clean_up()
        except JobError as error:
            if self._release.cleanup_failure == "fatal":
                raise
            self._log.warning(f"created {kind} successfully but errored on cleanup for {self._job.volume}: {error}")

    def _clean_up_snapshots(self) -> None:
        candidates = [
            snapshot
            for snapshot in self._volume.snapshots()
            if snapshot.usercreated and not snapshot.removed and snapshot.labels.get(LABEL) == self._job.labels[LABEL]
        ]
        surplus = beyond(candidates, self._job.retain)
        for snapshot in surplus:
            self._volume.delete_snapshot(snapshot.name)
            self._log.debug(f"Cleaned up snapshot {snapshot.name} for {self._job.volume}")
        if surplus:
            self._volume.start_purge()
            while self._volume.is_purging():
                self._sleep(self._job.poll)

    def _back_up(self) -> None:
        self._volume.start_backup(self._snapshot, self._job.labels)
        looks = 0
        while True:
            seen = self._volume.backup_progress(self._snapshot)
            looks += 1
            if seen is None and self._sparing and looks == _START_POLLS:
                raise JobError(
                    f"timeout waiting for the backup of the snapshot {self._snapshot} of volume {self._job.volume} "
                    "to start"
                )
            if seen is not None and self._is_backed_up(seen):
                return
            self._sleep(self._job.poll)

    def _is_backed_up(self, seen: Progress) -> bool:
        called, failed = (seen.url, "failed") if self._sparing else (seen.name, "Failed")
        if seen.state == "complete":
            self._log.debug(f"Complete creating backup {seen.url}")
            return True
        if seen.state == "error":
            raise JobError(f"{failed} to create backup {seen.url}: {seen.error}")
        self._log.debug(f"Creating backup {called}, current progress {seen.progress}")
        return False

    def _clean_up_backups(self) -> None:
        candidates = [b for b in self._volume.backups() if b.labels.get(LABEL) == self._job.labels[LABEL]]
        for backup in beyond(candidates, self._job.retain):
            called = self._volume.cleaned_up_as(backup)
            try:
                self._volume.delete_backup(backup)
            except JobError as error:
                raise JobError(f"Cleaned up backup {called} failed for {self._job.volume}: {error}") from error
            self._log.debug(f"Cleaned up backup {called} for {self._job.volume}")
        self._volume.finish_backup()


class _Dated(t.Protocol):
    @property
    def created(self) -> str: ...


_Item = t.TypeVar("_Item", bound=_Dated)


def beyond(items: t.Sequence[_Item], retain: int) -> list[_Item]:
    """The oldest items over what is to be kept; retain 0 counts as 1."""
    surplus = max(0, len(items) - max(1, retain))
    return sorted(items, key=lambda item: item.created)[:surplus]


def execute(runner: t.Callable[[], None], log: Log) -> int:
    """Run to an exit code, the way the real command ends."""
    try:
        runner()
    except JobError as error:
        log.fatal(f"Error taking snapshot: {error}")
        return 1
    return 0
