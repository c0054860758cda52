# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories of a whole run on any release, made by hand from the collected facts.

Knows nothing of the tables that it is to test: what a release does, in which order and with which words, stands here
once more (sections 0 and 4 of the facts), so that the two can disagree. A run has one recurring job, one or two
volumes, and invocations that are made by hand one after another, or by the schedule every five minutes.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import quote

FAULTY, BYSTANDER = "vol-a", "vol-b"
START = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
KINDS = ("cronjobs", "jobs", "pods", "events", "engines", "volumes", "logs", "store")
CLUSTER_WIDE = ("disable-snapshot-purge", "default-engine-image")
STUB = "stubbed deletion for testing"


@dataclass(frozen=True)
class Release:
    """What the facts say of one release."""

    jobs: t.Literal["volume", "shared"]
    clean_up: t.Literal["warns", "fatal", "logs", "passes on", "loses"]  # 0: what a failing clean-up does
    through_api: bool = True
    pre_clean: bool = False
    cleans_before_backup: bool = False
    snapshots: t.Literal["engine", "mirrored", "objects"] = "engine"
    backups: t.Literal["job", "manager", "objects"] = "objects"
    engine_log: bool = False
    counts: bool = False
    failed: str = ""
    wrapped: bool = True
    made: str = "Created the snapshot {}"
    deleted: tuple[str, str] = ("debug", "Deleted snapshot {}")
    backed_up: tuple[str, str] = ("debug", "Complete creating backup {}")
    after_backup: str = "Created backup successfully but errored on cleanup for {}"
    word: str = "cleaned"
    controller: t.Literal["line", "state"] = "line"


_OLD = Release("volume", "warns", backups="manager", engine_log=True)
_OBJECTS: dict[str, t.Any] = {
    "snapshots": "objects", "made": "Complete creating the snapshot {}", "counts": False,
    "deleted": ("info", "Cleaned up snapshot CR {} for {volume}"),
    "backed_up": ("info", "Completed creating backup {}"),
}  # fmt: skip
_LATER = {**_OBJECTS, "counts": True, "controller": "state"}
RELEASES: dict[str, Release] = {
    "2020-06": Release("volume", "warns", through_api=False, backups="job", engine_log=True),
    "v1.0.0": Release("volume", "fatal", through_api=False, backups="job", engine_log=True),
    "v1.0.1": _OLD,
    "v1.1.3": _OLD,
    "v1.2.6": Release(
        "shared", "logs", cleans_before_backup=True, engine_log=True, failed="failed to run job for volume",
        wrapped=False, deleted=("debug", "Cleaned up snapshot {} for {volume}"), word="Cleaned",
        after_backup="created backup successfully but errored on cleanup for {}: ",
    ),
    "v1.3.3": Release(
        "shared", "logs", pre_clean=True, snapshots="mirrored", failed="Failed to run job for volume",
    ),
    "v1.4.4": Release(
        "shared", "passes on", pre_clean=True, snapshots="mirrored", failed="Failed to run job for volume",
    ),
    "v1.5.5": Release("shared", "passes on", pre_clean=True, failed="Failed to run job for volume", **_OBJECTS),
    "v1.8.2": Release("shared", "passes on", pre_clean=True, failed="Failed to run job for volume", **_LATER),
    "v1.9.2": Release("shared", "loses", pre_clean=True, failed="Failed to run volume job", **_LATER),
    "v1.12.1": Release("shared", "loses", pre_clean=True, failed="Failed to run volume job", **_LATER),
}  # fmt: skip


class JobError(Exception):
    """The job cannot go on with this volume."""


@dataclass
class Thing:
    """A snapshot or a backup."""

    name: str
    job: str
    document: dict[str, t.Any] | None = None  # its object, if the release has one
    of: str = ""  # of a backup: its snapshot
    deleting: bool = False


@dataclass
class Volume:
    name: str
    snapshots: list[Thing] = field(default_factory=list)
    backups: list[Thing] = field(default_factory=list)


@dataclass
class Run:
    """One run. ``fault`` is what the table calls it: "none", or an effect and a deletion."""

    release: str
    task: str
    fault: str = "none"
    fault_type: str = ""
    invocations: int = 3
    retain: int = 1
    scheduled: bool = False

    def __post_init__(self) -> None:
        self.rules = RELEASES[self.release]
        self.version = 1000
        self.serial = 0
        self.records: list[t.Any] = []
        self.logs: dict[str, bytes] = {}
        self.lines: list[str] = []  # of the attempt that runs
        self.manager: list[str] = []
        self.engine: list[str] = []
        self.pending: list[tuple[Volume, Thing, str]] = []  # deletions that somebody else does, later
        shared = self.rules.jobs == "shared"
        self.job = "nightly" if shared else "c-job"
        self.cronjob = self.job if shared else f"{FAULTY}-{self.job}-c"
        self.volumes = [Volume(name) for name in (FAULTY, BYSTANDER)[: 2 if shared else 1]]
        self.live = self.fault != "none"
        self.executions = 0
        self.cron_line = "*/5 * * * *" if self.scheduled else "0 0 1 1 *"

    # --- the run ---

    def history(self) -> model.History:
        """The record of the invocations."""
        self._begin()
        for number in range(1, self.invocations + 1):
            self._invocation(self._by_tick() if self.scheduled else f"{self.cronjob}-qa-{number}")
        return self._end()

    def _by_tick(self) -> str:
        """Time goes on to the next tick; the Job's name tells it in minutes."""
        self.version += 300 - self.version % 300
        return f"{self.cronjob}-{int(self._now().timestamp()) // 60}"

    def after_recovery(self) -> model.History:
        """The record of one invocation more, when nothing fails any more."""
        self.history()
        self.live = False
        self._settle()
        self.records, self.logs, self.manager, self.engine = [], {}, [], []
        self._begin(anew=False)
        self._invocation(f"{self.cronjob}-qa-recovery")
        return self._end()

    def _begin(self, *, anew: bool = True) -> None:
        effect, _space, deletion = self.fault.partition(" ")
        cells = []
        for place, volume in enumerate(self.volumes):
            faulty = self.live and (place == 0 or self.fault_type in CLUSTER_WIDE)
            cells.append(
                model.Cell(
                    volume.name, t.cast(model.Task, self.task), self.job, self.cronjob, self.cron_line, self.retain,
                    faults=(t.cast(model.Fault, deletion),) if faulty else (),
                    fault_type=t.cast(model.FaultType, self.fault_type or "engine-image"),
                )
            )  # fmt: skip
        self.visible = effect == "visible"
        kinds = [*KINDS, *(["recurringjobs", "backups"] if self.rules.jobs == "shared" else [])]
        kinds += ["snapshots"] if self.rules.snapshots != "engine" else []
        subjects = model.Subjects(release=self.release, cells=tuple(cells))
        self.records.append(model.Start(1, START, subjects, kinds=tuple(kinds)))
        if anew and self.task == "snapshot-delete":
            for volume in self.volumes:
                for _ in range(3):
                    self._make_snapshot(volume, job="")
            self.records[1:] = []
            self.engine.clear()
        self._list_all()

    def _list_all(self) -> None:
        self.cron = {"metadata": self._meta(self.cronjob, "cron"), "spec": {"schedule": self.cron_line}, "status": {}}
        self._see("cronjobs", "ADDED", self.cron, via="list")
        self._count(0, via="list")
        for volume in self.volumes:
            self._show_engine(volume, via="list")
            for kind, things in (("snapshots", volume.snapshots), ("backups", volume.backups)):
                for thing in things:
                    if thing.document is not None:
                        self._see(kind, "ADDED", thing.document, via="list", touch=False)
        for kind in ("snapshots", "backups", "jobs"):
            self.records.append(model.ListDone(1, self._now(), kind, str(self.version)))

    def _invocation(self, name: str) -> None:
        uid = f"uid-{name}"
        job: dict[str, t.Any] = {
            "metadata": {
                **self._meta(name, uid),
                "labels": {} if self.scheduled else {"longhorn.qa/triggered": "x"},
                "ownerReferences": [{"kind": "CronJob", "name": self.cronjob, "uid": "cron", "controller": True}],
            },
            "status": {"startTime": self._text()},
        }
        self._see("jobs", "ADDED", job)
        self._event("SuccessfulCreate", f"Created job {name}")
        pod = f"{name}-abcde"
        ok = False
        for attempt in range(4):
            ok = self._attempt(name, pod, uid, attempt)
            if ok:
                break
        kind = {"type": "Complete"} if ok else {"type": "Failed", "reason": "BackoffLimitExceeded"}
        job["status"] |= {"conditions": [{**kind, "status": "True", "lastTransitionTime": self._text()}]}
        self._see("jobs", "MODIFIED", job)
        self._event("SawCompletedJob", f"Saw completed job: {name}, status: {kind['type']}")
        self._settle()
        backups = tuple(
            model.StoredBackup(volume.name, item.name, f"key/{item.name}", labels={"RecurringJob": item.job})
            for volume in self.volumes
            for item in volume.backups
        )
        self.records.append(model.Store(1, self._now(), "s3://b", backups))

    def _event(self, reason: str, message: str) -> None:
        """Of the CronJob's controller, which tells nothing of Jobs that somebody else made."""
        if self.scheduled:
            self.serial += 1
            involved = {"kind": "CronJob", "name": self.cronjob, "uid": "cron"}
            document = {"metadata": self._meta(f"event-{self.serial}"), "involvedObject": involved}
            self._see("events", "ADDED", {**document, "reason": reason, "message": message, "count": 1})

    def _attempt(self, job: str, pod: str, owner: str, number: int) -> bool:
        self.lines = []
        self._count(1)
        errors = []
        for volume in self.volumes:
            try:
                self._work(volume)
            except JobError as error:
                errors.append(error)
        code = 1 if errors and self.rules.clean_up in ("fatal", "passes on") else 0
        if code and self.rules.clean_up == "passes on":
            self._say("fatal", "Failed to do a recurring job", error=str(errors[-1]))
        uid = f"uid-{pod}"
        status = {
            "name": "c", "restartCount": number,
            "state": {"terminated": {"exitCode": code, "startedAt": self._text(), "finishedAt": self._text()}},
        }  # fmt: skip
        document = {
            "metadata": {
                **self._meta(pod, uid),
                "ownerReferences": [{"kind": "Job", "name": job, "uid": owner, "controller": True}],
            },
            "status": {"phase": "Running", "containerStatuses": [status]},
        }
        self._see("pods", "MODIFIED" if number else "ADDED", document)
        self._log(uid, pod, number, self.lines)
        return code == 0

    def _end(self) -> model.History:
        self._log("uid-manager", "longhorn-manager-1", 0, self.manager)
        if self.rules.engine_log:
            self._log("uid-im", "instance-manager-e-1", 0, self.engine)
        self.records.append(model.End(1, self._now(), "invocations"))
        records = []
        for number, record in enumerate(self.records, start=1):
            object.__setattr__(record, "number", number)
            records.append(record)
        return model.History(records=tuple(records), logs=dict(self.logs))

    # --- what a job does with a volume (4.2) ---

    def _work(self, volume: Volume) -> None:
        if self.rules.jobs == "volume":
            self._old_work(volume)
            return
        try:
            self._new_work(volume)
        except JobError as error:
            self._say("error", self.rules.failed, volume, error=str(error), outer=True)
            raise

    def _old_work(self, volume: Volume) -> None:
        """4.7, 4.8."""
        try:
            snapshot = self._make_snapshot(volume)
            self._forgive("snapshot", volume, lambda: self._clean_snapshots(volume, self._over(volume.snapshots)))
            if self.task == "backup":
                self._make_backup(volume, snapshot)
                self._forgive("backup", volume, lambda: self._clean_backups(volume))
        except JobError as error:
            prefix = f"failed to complete backupAndCleanup for {volume.name}: " if self.task == "backup" else ""
            self._say("fatal", f"Error taking snapshot: {prefix}{error}")
            raise

    def _forgive(self, kind: str, volume: Volume, do: t.Callable[[], None]) -> None:
        try:
            do()
        except JobError as error:
            if self.rules.clean_up == "fatal":
                raise
            self._say("warning", f"created {kind} successfully but errored on cleanup for {volume.name}: {error}")

    def _new_work(self, volume: Volume) -> None:
        """4.9, 4.10."""
        if self.rules.pre_clean and self.task in ("snapshot", "backup"):
            self._clean_snapshots(volume, self._surplus(volume, ""))
        if self.task.startswith("backup"):
            self._back_up(volume)
        elif self.task == "filesystem-trim":
            self._named(f"failed to complete filesystem-trim for {volume.name}: ", lambda: self._purge(volume))
            self._say("info", "Finished recurring filesystem trim", volume)
        else:
            self._named("failed recurring snapshot: " if self.rules.wrapped else "", lambda: self._snapshots(volume))
            self._say("info", "Finished recurring snapshot", volume)

    def _snapshots(self, volume: Volume) -> None:
        if self.task in ("snapshot", "snapshot-force-create"):
            self._make_snapshot(volume)
        if self.task == "snapshot-cleanup":
            self._purge(volume)
        else:
            self._clean_snapshots(volume, self._surplus(volume, ""))

    def _back_up(self, volume: Volume) -> None:
        prefix = f"failed to complete backupAndCleanup for {volume.name}: "
        made: list[Thing] = []
        self._named(prefix, lambda: made.append(self._make_snapshot(volume)))
        if self.rules.cleans_before_backup:
            self._named(prefix, lambda: self._clean_snapshots(volume, self._surplus(volume, made[0].name)))
        self._make_backup(volume, made[0])
        try:
            self._clean_backups(volume)
            self._clean_snapshots(volume, [item for item in self._own(volume.snapshots) if item is not made[0]])
        except JobError as error:
            text = self.rules.after_backup.format(volume.name)
            if text.endswith(": "):
                self._say("warning", f"{text}{error}", volume)
            else:
                self._say("warning", text, volume, error=str(error))

    def _named(self, prefix: str, do: t.Callable[[], t.Any]) -> None:
        try:
            do()
        except JobError as error:
            raise JobError(f"{prefix}{error}") from error

    def _surplus(self, volume: Volume, current: str) -> list[Thing]:
        """4.3."""
        if self.task == "snapshot-delete":
            return self._over(volume.snapshots, everybody=True)
        if self.task.startswith("snapshot"):
            return self._over(volume.snapshots)
        kept = {current, volume.backups[-1].of if volume.backups else ""}
        return [item for item in self._own(volume.snapshots) if item.name not in kept]

    def _own(self, things: list[Thing]) -> list[Thing]:
        return [item for item in things if item.job == self.job]

    def _over(self, things: list[Thing], *, everybody: bool = False) -> list[Thing]:
        counted = things if everybody else self._own(things)
        return counted[: max(0, len(counted) - self.retain)]

    # --- snapshots and backups ---

    def _make_snapshot(self, volume: Volume, job: str | None = None) -> Thing:
        self.serial += 1
        thing = Thing(f"snap-{self.serial:04x}", self.job if job is None else job)
        labels = {"RecurringJob": thing.job} if thing.job else {}
        own = self.rules.snapshots == "objects"
        if self.rules.snapshots != "engine":
            thing.document = {
                "metadata": {**self._meta(thing.name), "labels": {"longhornvolume": volume.name}},
                "spec": {"volume": volume.name, "createSnapshot": own, "labels": labels if own else None},
                "status": {} if own else {"labels": labels, "creationTime": self._text()},
            }
        if own:
            self._see("snapshots", "ADDED", thing.document)
        volume.snapshots.append(thing)
        self._show_engine(volume)
        if thing.document is not None:
            thing.document["status"] |= {"labels": labels, "creationTime": self._text(), "readyToUse": True}
            self._see("snapshots", "MODIFIED" if own else "ADDED", thing.document)
        told = f"Snapshot: 10.0.0.1:1 {thing.name} UserCreated true Created at {self._text()}, "
        label = f"RecurringJob:{thing.job}" if thing.job else ""
        self.engine.append(f"[{volume.name}-e-1] {self._line('info', f'{told}Labels map[{label}]')}")
        if self.rules.jobs == "shared" and thing.job:
            self._say("info", self.rules.made.format(thing.name), volume)
        return thing

    def _clean_snapshots(self, volume: Volume, things: list[Thing]) -> None:
        for thing in list(things):
            self._delete_snapshot(volume, thing)
            if self.rules.jobs == "shared":
                level, text = self.rules.deleted
                self._say(level, text.format(thing.name, volume=volume.name), volume)
            else:
                self._say("debug", f"Cleaned up snapshot {thing.name} for {volume.name}")

    def _delete_snapshot(self, volume: Volume, thing: Thing) -> None:
        objects = self.rules.snapshots == "objects"
        if self._fails(volume, "snapshot-delete") and self.visible:
            raise JobError(self._refusal(volume, thing, "snapshotCRDelete" if objects else "snapshotDelete"))
        if objects:
            self._terminate(volume, thing, "snapshots")
            return
        volume.snapshots.remove(thing)
        self._show_engine(volume)
        if thing.document is not None:
            self._see("snapshots", "DELETED", thing.document)

    def _purge(self, volume: Volume) -> None:
        if self._fails(volume, "snapshot-delete"):
            text = "cannot purge snapshots while disable-snapshot-purge setting is true"
            raise JobError(self._answer(volume, f"fail to purge snapshot: {text}", "snapshotPurge"))

    def _make_backup(self, volume: Volume, snapshot: Thing) -> None:
        self.serial += 1
        thing = Thing(f"backup-{self.serial:016x}", self.job, of=snapshot.name)
        if self.rules.backups == "objects":
            thing.document = {
                "metadata": {**self._meta(thing.name), "labels": {"backup-volume": volume.name}},
                "spec": {"snapshotName": snapshot.name, "labels": {"RecurringJob": self.job}},
                "status": {"state": "InProgress"},
            }
            self._see("backups", "ADDED", thing.document)
            thing.document["status"] |= {"state": "Completed", "snapshotName": snapshot.name}
            self._see("backups", "MODIFIED", thing.document)
        volume.backups.append(thing)
        self._show_engine(volume)
        if self.rules.jobs == "shared":
            level, text = self.rules.backed_up
            self._say(level, text.format(thing.name), volume)
            return
        if not self.rules.through_api:
            self._say("debug", f"Backup {thing.name} created for volume {volume.name} snapshot {snapshot.name}")
        self._say("debug", f"Complete creating backup {self._url(volume, thing)}")

    def _clean_backups(self, volume: Volume) -> None:
        for thing in self._over(volume.backups):
            address = self._url(volume, thing)
            shown = address if self.rules.backups == "job" else thing.name
            if self._fails(volume, "backup-delete") and self.visible:
                inner = f"error deleting backup {address}: failed to execute: longhorn [backup rm {address}], {STUB}"
                if self.rules.backups == "objects":
                    inner = self._answer(volume, f"backups.longhorn.io {thing.name}: refused", "backupDelete")
                word = self.rules.word if self.rules.jobs == "shared" else "Cleaned"
                raise JobError(f"{word} up backup {shown} failed for {volume.name}: {inner}")
            self._delete_backup(volume, thing)
            later = self.rules.deleted[0] if self.rules.snapshots == "objects" else "debug"
            self._say(later, f"Cleaned up backup {shown} for {volume.name}", volume)

    def _delete_backup(self, volume: Volume, thing: Thing) -> None:
        if self.rules.backups == "objects":
            self._terminate(volume, thing, "backups")
        elif self.rules.backups == "job":
            volume.backups.remove(thing)
        elif self._fails(volume, "backup-delete"):
            text = f"error deleting backup {self._url(volume, thing)}: failed to execute: longhorn, {STUB}"
            self.manager.append(self._line("error", text))
        else:
            self.pending.append((volume, thing, "backups"))

    def _terminate(self, volume: Volume, thing: Thing, kind: str) -> None:
        """A deletion that is accepted, and done by somebody else; the object is there as long."""
        assert thing.document is not None
        if not thing.deleting:
            thing.deleting = True
            thing.document["metadata"]["deletionTimestamp"] = self._text()
            self._see(kind, "MODIFIED", thing.document)
            self.pending.append((volume, thing, kind))
        if not self._fails(volume, "snapshot-delete" if kind == "snapshots" else "backup-delete"):
            return
        error = f"error deleting backup {self._url(volume, thing)}: failed to delete objects [x]"
        if kind == "snapshots":
            text = "Cannot start SnapshotPurge to delete snapshot {} while disable-snapshot-purge setting is true"
            self.manager.append(self._line("warning", text.format(thing.name)))
        elif self.rules.controller == "line":
            self.manager.append(self._line("error", "Error deleting remote backup", backup=thing.name, error=error))
        else:
            told = f"Failed to delete the backup {self._url(volume, thing)} in the backupstore, err {error}"
            thing.document["status"] |= {"state": "Error", "messages": {"error": told}}
            self._see(kind, "MODIFIED", thing.document)

    def _settle(self) -> None:
        """Somebody else does what was asked for, as far as it can be done."""
        left = []
        for volume, thing, kind in self.pending:
            if self._fails(volume, "snapshot-delete" if kind == "snapshots" else "backup-delete"):
                left.append((volume, thing, kind))
                continue
            (volume.snapshots if kind == "snapshots" else volume.backups).remove(thing)
            self._show_engine(volume)
            if thing.document is not None:
                self._see(kind, "DELETED", thing.document)
            else:
                self.manager.append(self._line("info", f"Complete deleting backup {self._url(volume, thing)}"))
        self.pending = left

    def _fails(self, volume: Volume, deletion: str) -> bool:
        everywhere = self.fault_type in CLUSTER_WIDE
        return self.live and self.fault.endswith(f" {deletion}") and (everywhere or volume.name == FAULTY)

    # --- words ---

    def _refusal(self, volume: Volume, thing: Thing, action: str) -> str:
        if action == "snapshotCRDelete":
            text = f'failed to delete snapshot CR: snapshots.longhorn.io "{thing.name}" is forbidden: {STUB}'
            return self._answer(volume, text, action)
        inner = (
            f"error deleting snapshot '{thing.name}': Failed to execute: longhorn [snapshot rm {thing.name}], {STUB}"
        )
        return self._answer(volume, f"fail to delete snapshot: {inner}", action) if self.rules.through_api else inner

    def _answer(self, volume: Volume, message: str, action: str) -> str:
        return (
            "Bad response statusCode [500]. Status [500 Internal Server Error]. Body: [code=Server Error, detail=, "
            f"message={message}] from [http://longhorn-backend:9500/v1/volumes/{volume.name}?action={action}]"
        )

    def _url(self, volume: Volume, thing: Thing) -> str:
        return f"s3://b@r/?backup={thing.name}&volume={volume.name}"

    def _say(self, level: str, text: str, volume: Volume | None = None, *, outer: bool = False, **fields: str) -> None:
        shared = self.rules.jobs == "shared"
        if volume is not None and shared:
            one_name = self.rules.failed == "Failed to run volume job"
            fields["volume" if outer and not one_name else "volumeName"] = volume.name
        self.lines.append(self._line(level, text, **fields))

    def _line(self, level: str, text: str, **fields: str) -> str:
        told = "".join(f" {key}={quote(value)}" for key, value in sorted(fields.items()))
        return f'time="{self._text()}" level={level} msg={quote(text)}{told}'

    # --- records ---

    def _now(self) -> datetime:
        return START + timedelta(seconds=self.version)

    def _text(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _meta(self, name: str, uid: str = "") -> dict[str, t.Any]:
        return {"name": name, "uid": uid or f"uid-{name}", "creationTimestamp": self._text()}

    def _see(self, kind: str, change: str, document: t.Any, *, via: str = "watch", touch: bool = True) -> None:
        if touch:
            self.version += 1
            document["metadata"]["resourceVersion"] = str(self.version)
        seen = copy.deepcopy(document)
        self.records.append(
            model.ObjectSeen(1, self._now(), kind, t.cast(model.Change, change), seen, t.cast(model.Via, via))
        )

    def _show_engine(self, volume: Volume, via: str = "watch") -> None:
        snapshots = {item.name: {"labels": {"RecurringJob": item.job} if item.job else {}} for item in volume.snapshots}
        backups = {item.name: {"snapshotName": item.of, "state": "complete"} for item in volume.backups}
        document = {
            "metadata": self._meta(f"{volume.name}-e-1"),
            "spec": {"volumeName": volume.name},
            "status": {"snapshots": {**snapshots, "volume-head": {}}, "backupStatus": backups},
        }
        self._see("engines", "MODIFIED", document, via=via)

    def _count(self, rise: int, via: str = "watch") -> None:
        if self.rules.jobs == "volume":
            return
        self.executions += rise
        status = {"executionCount": self.executions} if self.rules.counts else {}
        document = {"metadata": self._meta(self.job), "spec": {"task": self.task}, "status": status}
        self._see("recurringjobs", "MODIFIED", document, via=via)

    def _log(self, uid: str, pod: str, attempt: int, lines: list[str]) -> None:
        content = "".join(f"{line}\n" for line in lines).encode()
        path = f"logs/{uid}/{attempt}.log"
        self.logs[path] = content
        self.records.append(model.Log(1, self._now(), uid, pod, "c", attempt, "opened", path))
        self.records.append(
            model.Log(1, self._now(), uid, pod, "c", attempt, "closed", path, len(content), complete=True)
        )
