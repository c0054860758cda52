# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a recurring job from 1.2 on: ``longhorn-manager recurring-job NAME``, for all volumes with its label.

It sees the cluster and its volumes only through the protocols below, so that it runs against lists as well. What
differs between releases is in the rules.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import typing as t
import uuid

from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.jobs import LABEL, Backup, JobError, Progress, Snapshot
from longhorn_qa_lab.longhorn.logs import Caller, Log
from longhorn_qa_lab.longhorn.recurring_job_rules import Line, Rules, Words

ALLOW_DETACHED: t.Final = "allow-recurring-job-while-volume-detached"
CLEAN_BACKUP_SNAPSHOTS: t.Final = "auto-cleanup-recurring-job-backup-snapshot"
FULL_BACKUP_INTERVAL: t.Final = "full-backup-interval"

_CLEANUP: t.Final = "snapshot-cleanup"
_DELETE: t.Final = "snapshot-delete"
_TRIM: t.Final = "filesystem-trim"
_BACKUPS: t.Final = ("backup", "backup-force-create")
_SNAPSHOTS: t.Final = ("snapshot", "snapshot-force-create")
_PRE_CLEANED: t.Final = ("snapshot", "backup")

_START_POLLS: t.Final = 90
_READY_POLLS: t.Final = 390
_ATTACH_POLLS: t.Final = 300


@dataclasses.dataclass(frozen=True)
class RecurringJob:
    """The object, as far as the process reads it."""

    name: str
    task: str
    retain: int = 1
    concurrency: int = 1
    groups: tuple[str, ...] = ()
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    parameters: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def all_labels(self) -> dict[str, str]:
        """What its snapshots and backups are labelled with."""
        return {**self.labels, LABEL: self.name}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A volume with the job's label."""

    name: str
    state: str = "attached"
    robustness: str = "healthy"
    restoring: bool = False


@dataclasses.dataclass(frozen=True)
class Look:
    """A volume as the manager shows it now."""

    state: str = "attached"
    engines: int = 1
    running: bool = True
    last_backup: str = ""
    last_attached_by: str = ""
    frontend_disabled: bool = False
    purging: bool = False
    #: Replica -> why it could not purge.
    purge_errors: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


class Volume(t.Protocol):
    """What a job asks the manager to do to a volume. Failures are JobError."""

    def look(self) -> Look | None:
        """None: there is no such volume."""

    def ready_node(self) -> str: ...
    def attach(self, node: str, by: str) -> None: ...
    def detach(self) -> None: ...
    def snapshots(self) -> list[Snapshot]: ...
    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None: ...
    def is_ready(self, snapshot: str) -> bool: ...
    def delete_snapshot(self, name: str) -> None: ...
    def purge(self) -> None: ...
    def trim(self) -> None: ...
    def start_backup(self, snapshot: str, labels: t.Mapping[str, str], mode: str) -> None: ...
    def backup_progress(self, snapshot: str) -> Progress | None: ...
    def snapshot_of(self, backup: str) -> str: ...
    def backups(self) -> list[Backup]: ...
    def delete_backup(self, name: str) -> None: ...


class Cluster(t.Protocol):
    """What the process reads and writes of the cluster itself. Failures are JobError."""

    def recurring_job(self, name: str) -> RecurringJob: ...
    def count_execution(self, name: str) -> int: ...
    def is_set(self, setting: str) -> bool: ...
    def labelled(self, label: str) -> list[Candidate]: ...
    def volume(self, name: str) -> Volume: ...
    def warn(self, job: str, reason: str, message: str) -> str:
        """Post an Event about the RecurringJob; its reference in Go's words."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where a process runs."""

    cluster: Cluster
    rules: Rules
    log: Log
    #: Seconds between two looks.
    poll: float
    sleep: t.Callable[[float], None]

    def say(self, log: Log, line: Line | None, *, error: object = "", **values: object) -> None:
        """Log a line of the rules, if the release has it."""
        if line is None:
            return
        text = line.text.format(error=error, **values)
        if error and "{error}" not in line.text:
            log = log.having(error=error)
        if line.volume:
            log = log.having(volume=values["volume"])
        log.say(line.level, text, self._caller(line, values))

    def _caller(self, line: Line, values: t.Mapping[str, object]) -> Caller:
        function = line.at.format(Work=str(values.get("work", "")).title().replace(" ", ""))
        if function.startswith("."):
            function = f"{self.rules.receiver}{function}"
        if not function.startswith("app."):
            function = f"{self.rules.package}.{function}"
        return caller(function, line.file or self.rules.file)


def caller(function: str, file: str) -> Caller:
    """A function of Longhorn's at a line that is always the same, and not the real one."""
    number = int(hashlib.sha256(function.encode()).hexdigest()[:4], 16) % 800 + 30
    return Caller(function, f"{file}:{number}")


def execute(name: str, setup: Setup) -> int:
    """Run the job of this name to the process's exit code."""
    try:
        Process(name, setup).run()
    except JobError as error:
        setup.say(setup.log, setup.rules.words.fatal, error=error)
        return 1
    return 0


class Process:
    """One start of the process: all volumes of one recurring job."""

    def __init__(self, name: str, setup: Setup) -> None:
        self._name = name
        self._s = setup
        self._words = setup.rules.words

    def run(self) -> None:
        """Do the job; JobError is fatal."""
        try:
            job = self._s.cluster.recurring_job(self._name)
        except JobError as error:
            self._say(self._words.no_job, error=error, job=self._name)
            return
        count = self._count(job)
        errors = self._run_all(job, count, self._volumes(job))
        if errors and self._s.rules.failure == "propagated":
            raise errors[0]

    def _say(self, line: Line | None, **values: t.Any) -> None:
        self._s.say(self._s.log, line, **values)

    def _count(self, job: RecurringJob) -> int:
        """A start more; the next start of the same Job's container counts again."""
        if not self._s.rules.counts_executions:
            return 0
        try:
            return self._s.cluster.count_execution(job.name)
        except JobError as error:
            raise JobError(f"failed to update job execution count: {error}") from error

    def _volumes(self, job: RecurringJob) -> list[str]:
        """The volumes with the job's label or one of its groups', each once."""
        allowed = self._s.cluster.is_set(ALLOW_DETACHED)
        self._say(self._words.setting, setting=ALLOW_DETACHED, value=str(allowed).lower())
        labels = [names.job_label(job.name), *(names.group_label(group) for group in job.groups)]
        chosen: list[str] = []
        for label in labels:
            self._say(self._words.labelled, label=f"{label}=enabled")
            for found in self._s.cluster.labelled(label):
                if found.name not in chosen and self._fits(found, detached=allowed):
                    chosen.append(found.name)
        self._say(self._words.found, count=len(chosen), job=job.name)
        return chosen

    def _fits(self, volume: Candidate, *, detached: bool) -> bool:
        if volume.restoring:
            self._say(self._words.restoring, volume=volume.name)
            return False
        if volume.robustness != "faulted" and (volume.state == "attached" or detached):
            return True
        self._say(self._words.unfit, volume=volume.name, state=volume.state)
        return False

    def _run_all(self, job: RecurringJob, count: int, volumes: t.Sequence[str]) -> list[JobError]:
        """All volumes, some at a time, whatever becomes of the others; the errors in the order of their coming."""
        errors: list[JobError] = []

        def work(volume: str) -> None:
            try:
                VolumeJob(self._s, job, count, volume).start()
            except JobError as error:
                errors.append(error)

        with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, job.concurrency)) as pool:
            for done in [pool.submit(work, volume) for volume in volumes]:
                done.result()
        return errors


class VolumeJob:
    """The job's work on one volume."""

    def __init__(self, setup: Setup, job: RecurringJob, count: int, volume: str) -> None:
        self._s = setup
        self._words: Words = setup.rules.words
        self._job = job
        self._count = count
        self._name = volume
        self._retain = max(1, job.retain) if setup.rules.keeps_one else job.retain
        self._snapshot = _snapshot_name(job.name, setup.rules)
        self._outer = setup.log.having(**self._outer_fields())
        self._inner = setup.log.having(**self._inner_fields())
        self._volume: Volume

    def start(self) -> None:
        """Do the work and say how it went."""
        self._s.say(self._outer, self._words.creating)
        try:
            self._volume = self._s.cluster.volume(self._name)
        except JobError as error:
            self._s.say(self._outer, self._words.no_client, error=error, volume=self._name)
            raise
        try:
            self._run()
        except JobError as error:
            self._s.say(self._outer, self._words.failed, error=error)
            raise
        self._s.say(self._outer, self._words.created)

    def _outer_fields(self) -> dict[str, object]:
        """The fields of the lines around the work, which from 1.9 on are those of all lines."""
        job, rules = self._job, self._s.rules
        labels = json.dumps(job.all_labels, separators=(",", ":"), sort_keys=True)
        found: dict[str, object] = {
            "concurrent": job.concurrency,
            "groups": ",".join(job.groups),
            "job": job.name,
            "retain": job.retain,
            "task": job.task,
        }
        if rules.counts_executions:
            found |= {"executionCount": self._count, "parameters": job.parameters}
        if rules.one_logger:
            return found | {"snapshotName": self._snapshot, "specLabels": labels, "volumeName": self._name}
        return found | {"labels": labels, "volume": self._name}

    def _inner_fields(self) -> dict[str, object]:
        rules = self._s.rules
        if rules.one_logger:
            return self._outer_fields()
        kind = "backup" if self._job.task in _BACKUPS else "snapshot"
        found: dict[str, object] = {
            "labels": self._job.all_labels,
            "namespace": names.NAMESPACE,
            "retain": self._retain,
            "snapshotName": self._snapshot,
            "volumeName": self._name,
        }
        found |= {"jobType": kind} if rules.snapshot_names == "short" else {"task": self._job.task}
        return found | ({"executionCount": self._count} if rules.counts_executions else {})

    def _say(self, line: Line | None, **values: t.Any) -> None:
        self._s.say(self._inner, line, volume=self._name, **values)

    def _look(self) -> Look:
        """The volume now, which must be there."""
        found = self._volume.look()
        if found is None:
            raise JobError(f"could not get volume {self._name}: the volume is gone")
        return found

    # --- the order of steps ---

    def _run(self) -> None:
        self._say(self._words.starts)
        if self._s.rules.skips_missing_volumes and self._volume.look() is None:
            self._say(self._words.gone)
            return
        seen = self._look()
        if seen.engines > 1:
            raise JobError(f"cannot run job for volume {self._name} that is using {seen.engines} engines")
        try:
            if seen.state not in ("attached", "detached"):
                raise JobError(
                    f"volume {self._name} is in an invalid state for recurring job: {seen.state}. "
                    "Volume must be in state Attached or Detached"
                )
            if seen.state == "detached" and self._s.rules.attaches:
                self._attach()
            self._do_task()
        finally:
            if self._s.rules.attaches:
                self._detach()

    def _do_task(self) -> None:
        task = self._job.task
        if self._s.rules.pre_clean and task in _PRE_CLEANED:
            self._clean_snapshots(backed_up=False)
        work, do = {
            _TRIM: ("filesystem trim", self._trim),
            **dict.fromkeys(_BACKUPS, ("backup", self._back_up_and_clean)),
        }.get(task, ("snapshot", self._snapshot_and_clean))
        self._say(self._words.running, work=work)
        do()
        self._say(self._words.finished, work=work)

    def _snapshot_and_clean(self) -> None:
        try:
            if self._job.task in _SNAPSHOTS:
                self._make_snapshot()
            elif self._job.task not in (_CLEANUP, _DELETE):
                raise JobError(f"Unsupported task: {self._job.task}")
            self._clean_snapshots(backed_up=False)
        except JobError as error:
            if not self._s.rules.names_the_task:
                raise
            raise JobError(f"failed recurring snapshot: {error}") from error

    def _back_up_and_clean(self) -> None:
        try:
            self._make_snapshot()
            if self._s.rules.cleans_before_backup:
                self._clean_snapshots(backed_up=False)
            self._back_up()
        except JobError as error:
            raise JobError(f"failed to complete backupAndCleanup for {self._name}: {error}") from error
        try:
            self._clean_backups()
            self._clean_snapshots(backed_up=True)
        except JobError as error:
            self._say(self._words.backup_unforgiven, error=error)

    def _trim(self) -> None:
        try:
            self._volume.trim()
            self._purge()
        except JobError as error:
            error = JobError(f"failed to complete filesystem-trim for {self._name}: {error}")
            if self._s.rules.tells_trims:
                self._tell("FailedFilesystemTrim", str(error))
            raise error from None

    # --- snapshots ---

    def _make_snapshot(self) -> None:
        """A snapshot of this run, or the one that an earlier run asked for and that is not there yet."""
        pending = self._pending() if self._s.rules.snapshots == "objects" else ""
        self._snapshot = pending or self._snapshot
        if not pending:
            self._volume.create_snapshot(self._snapshot, self._job.all_labels)
        if self._s.rules.snapshots == "objects":
            self._wait_ready()
        self._say(self._words.snapshot_made, snapshot=self._snapshot)

    def _pending(self) -> str:
        mine = [snapshot for snapshot in self._mine() if snapshot.wanted]
        newest = max(mine, key=lambda snapshot: snapshot.created, default=None)
        return newest.name if newest is not None and not newest.exists else ""

    def _wait_ready(self) -> None:
        for _ in range(_READY_POLLS):
            try:
                if self._volume.is_ready(self._snapshot):
                    return
            except JobError as error:
                raise JobError(f"error while waiting for snapshot {self._snapshot} to be ready: {error}") from error
            self._s.sleep(self._s.poll)
        raise JobError(f"timeouted waiting for the the snapshot {self._snapshot} of volume {self._name} to be ready")

    def _clean_snapshots(self, *, backed_up: bool) -> None:
        try:
            self._look()
            surplus = self._surplus(backed_up=backed_up)
            for name in surplus:
                self._volume.delete_snapshot(name)
                self._say(self._words.snapshot_gone, snapshot=name)
            if self._must_purge(surplus):
                self._purge()
        except JobError as error:
            if self._s.rules.tells_deletions:
                self._tell("FailedDeleting", f"failed to clean up old snapshots of volume {self._name}: {error}")
            raise

    def _must_purge(self, deleted: t.Sequence[str]) -> bool:
        """Objects of snapshots have a controller that purges for them."""
        if self._s.rules.snapshots == "objects":
            return self._job.task == _CLEANUP
        return bool(deleted) or self._job.task in (_CLEANUP, _DELETE)

    def _mine(self) -> list[Snapshot]:
        return [snapshot for snapshot in self._volume.snapshots() if snapshot.labels.get(LABEL) == self._job.name]

    def _surplus(self, *, backed_up: bool) -> list[str]:
        """The snapshots to delete, oldest first."""
        if self._job.task == _CLEANUP:
            return []
        if self._job.task == _DELETE:
            return _oldest([snapshot for snapshot in self._volume.snapshots() if snapshot.name != "volume-head"],
                           self._retain)  # fmt: skip
        by_setting = self._s.rules.backup_snapshots_by_setting
        if self._job.task in _SNAPSHOTS or (by_setting and not self._s.cluster.is_set(CLEAN_BACKUP_SNAPSHOTS)):
            return _oldest(self._mine(), self._retain)
        kept = {self._snapshot} if backed_up else {self._snapshot, self._last_backed_up()}
        return [name for name in _oldest(self._mine(), 0) if name not in kept]

    def _last_backed_up(self) -> str:
        """The snapshot of the volume's last backup; none when that cannot be found out."""
        try:
            last = self._look().last_backup
            return self._volume.snapshot_of(last) if last else ""
        except JobError:
            return ""

    def _purge(self) -> None:
        self._volume.purge()
        while (seen := self._look()).purging:
            self._s.sleep(self._s.poll)
        for replica, error in seen.purge_errors.items():
            self._say(self._words.purge_error, replica=replica, error=error)
        if seen.purge_errors:
            self._say(self._words.purge_errors)
        self._say(self._words.purged)

    # --- backups ---

    def _back_up(self) -> None:
        self._volume.start_backup(self._snapshot, self._job.all_labels, self._mode())
        self._wait_started()
        while not self._is_backed_up():
            self._s.sleep(self._s.poll)

    def _mode(self) -> str:
        """Every n-th execution is a full backup, where that is asked for."""
        text = self._job.parameters.get(FULL_BACKUP_INTERVAL, "0")
        try:
            interval = int(text)
        except ValueError as error:
            raise JobError(f"interval {text} is not number: {error}") from error
        return "full" if interval and self._count % interval == 0 else "incremental"

    def _wait_started(self) -> None:
        for _ in range(_START_POLLS):
            if self._volume.backup_progress(self._snapshot) is not None:
                return
            self._s.sleep(self._s.poll)
        raise JobError(
            f"timeout waiting for the backup of the snapshot {self._snapshot} of volume {self._name} to start"
        )

    def _is_backed_up(self) -> bool:
        if self._s.rules.attaches and not self._look().running:
            raise JobError(f"the volume {self._name} is detached on the middle of the backup process")
        seen = self._volume.backup_progress(self._snapshot)
        if seen is None:
            raise JobError(
                f"cannot find the status of the backup for snapshot {self._snapshot}. "
                "It might because the engine has restarted"
            )
        if seen.state == "Completed":
            self._say(self._words.backup_made, backup=seen.name)
            return True
        if seen.state in ("Error", "Unknown"):
            raise JobError(f"failed to create backup {seen.name}: {seen.error}")
        if seen.state not in ("", "Pending", "InProgress"):
            raise JobError(f"invalid state {seen.state} for backup {seen.name}")
        self._say(self._words.backup_progress, backup=seen.name, progress=seen.progress)
        return False

    def _clean_backups(self) -> None:
        mine = [backup for backup in self._volume.backups() if backup.labels.get(LABEL) == self._job.name]
        for name in _oldest(mine, self._retain):
            try:
                self._volume.delete_backup(name)
            except JobError as error:
                text = self._s.rules.backup_deletion_failed
                raise JobError(text.format(backup=name, volume=self._name, error=error)) from error
            self._say(self._words.backup_gone, backup=name)

    # --- events, attachment ---

    def _tell(self, reason: str, message: str) -> None:
        """An Event about the recurring job, which the process's log repeats."""
        try:
            reference = self._s.cluster.warn(self._job.name, reason, message)
        except JobError as error:
            self._say(self._words.no_event, error=error)
            return
        text = f"Event({reference}): type: 'Warning' reason: '{reason}' {message}"
        self._s.log.say("info", text, caller("record.(*eventBroadcasterImpl).StartLogging.func1", "event.go"))

    def _attach(self) -> None:
        try:
            node = self._volume.ready_node()
        except JobError as error:
            raise JobError(f"cannot do auto attaching for volume {self._name}: {error}") from error
        self._say(self._words.attaching, node=node)
        self._volume.attach(node, self._job.name)
        for _ in range(_ATTACH_POLLS):
            if self._look().state == "attached":
                self._say(self._words.attached)
                return
            self._s.sleep(self._s.poll / 5)
        raise JobError(f"timeout waiting for volume {self._name} to be in state attached")

    def _detach(self) -> None:
        """Detach the volume again if this job has attached it."""
        for _ in range(_ATTACH_POLLS):
            seen = self._volume.look()
            if seen is None or seen.last_attached_by != self._job.name:
                return
            if seen.state == "detached":
                self._say(self._words.detached)
                return
            if seen.state == "attached":
                self._say(self._words.detaching)
                self._volume.detach()
            self._s.sleep(self._s.poll * 2)


class _Dated(t.Protocol):
    @property
    def name(self) -> str: ...
    @property
    def created(self) -> str: ...


def _oldest(items: t.Iterable[_Dated], keep: int) -> list[str]:
    """Names of the items over what is to be kept, oldest first; the one just made counts."""
    ordered = sorted(items, key=lambda item: item.created)
    return [item.name for item in ordered[: max(0, len(ordered) - keep)]]


def _snapshot_name(job: str, rules: Rules) -> str:
    if rules.snapshot_names == "short":
        return f"{job}-c-{names.random_id()}"
    return f"{job}-c"[:8] + f"-{uuid.uuid4()}"
