# SPDX-License-Identifier: GPL-3.0-or-later
"""A history of any size that passes: one recurring snapshot job per volume, one invocation a minute.

Each invocation has the records that tell something: the Job's beginning and end, its pod's end, the CronJob's two
events and its new last tick, the engine's new snapshots, the log's opening and closing. Records that repeat what
others say are left out.
"""

from __future__ import annotations

import itertools
import tempfile
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property

from ansible_collections.longhorn.qa.plugins.module_utils._history import model

_BEGIN = datetime(2026, 11, 23, tzinfo=timezone.utc)
_ENGINE_LOG = "logs/engine-manager/0.log"
_RELEASE, _FAULT = "2020-06", "snapshot-delete"
_KINDS = ("cronjobs", "jobs", "pods", "events", "engines", "volumes", "logs", "store")
_JSON = dict[str, t.Any]


def generated(*, volumes: int, invocations: int) -> model.History:
    """All of it passes, but nothing of it is held in memory before somebody asks."""
    cells = tuple(
        model.Cell(
            f"vol-{number}", "snapshot", "snap", f"vol-{number}-snap-c", "* * * * *", faults=("snapshot-delete",)
        )
        for number in range(volumes)
    )
    records = _Records(cells=cells, invocations=invocations)
    return model.History(records=records, logs=_Logs(records))


@dataclass(frozen=True)
class _Job:
    """One invocation by its place: ``number`` is its minute."""

    cell: model.Cell
    number: int

    @property
    def tick(self) -> datetime:
        return _BEGIN + timedelta(minutes=self.number + 1)

    @property
    def name(self) -> str:
        return f"{self.cell.cronjob}-{int(self.tick.timestamp()) // 60}"

    @property
    def pod(self) -> str:
        return f"{self.name}-abcde"

    @property
    def snapshot(self) -> str:
        return f"snap-{self.cell.volume}-{self.number}"


@dataclass(frozen=True)
class _Records(Sequence[model.Record]):
    cells: tuple[model.Cell, ...]
    invocations: int

    def __len__(self) -> int:
        return sum(1 for _record in self)

    def __getitem__(self, place: t.Any) -> t.Any:
        return next(itertools.islice(self, place, None))

    def __iter__(self) -> Iterator[model.Record]:
        number = 0
        for number, record in enumerate(self._all(), start=1):
            object.__setattr__(record, "number", number)
            yield record

    def _all(self) -> Iterator[model.Record]:
        yield model.Start(1, _BEGIN, model.Subjects(release=_RELEASE, cells=self.cells), kinds=_KINDS)
        version = 1
        for cell in self.cells:
            version += 1
            yield _seen("cronjobs", "ADDED", _cronjob(cell, version, _BEGIN, None))
        yield _log("opened", "engine-manager", "instance-manager-e-1", _ENGINE_LOG, 0)
        for number in range(self.invocations):
            for cell in self.cells:
                yield from _invocation(_Job(cell, number), version)
                version += 10
        yield _log("closed", "engine-manager", "instance-manager-e-1", _ENGINE_LOG, 0)
        yield model.End(1, _BEGIN, "invocations")


@dataclass(frozen=True)
class _Logs(Mapping[str, bytes]):
    """Each log's bytes when it is asked for."""

    records: _Records

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        return 1 + len(self.records.cells) * self.records.invocations

    def __getitem__(self, path: str) -> bytes:
        if path == _ENGINE_LOG:
            self._engine_log.seek(0)
            return self._engine_log.read()
        return self._job_logs[path[len("logs/pod-") :].rpartition("-")[0]]

    @cached_property
    def _job_logs(self) -> Mapping[str, bytes]:
        """By CronJob: its Jobs say the same each time."""
        return {cell.cronjob: _job_log(cell) for cell in self.records.cells}

    @cached_property
    def _engine_log(self) -> t.IO[bytes]:
        """A file, as in a history on a disk: read when asked for and not kept."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it ends with this process
        for number in range(self.records.invocations):
            for place, cell in enumerate(self.records.cells):
                snapshot = _Job(cell, number).snapshot
                words = f"Snapshot: tcp://10.0.{place // 250}.{place % 250}:10000 {snapshot} UserCreated true"
                words += " Created at 2026-11-23T00:01:00Z, Labels map[RecurringJob:snap]"
                line = f'[{cell.volume}-e-1a2b3c4d] time="2026-11-23T00:01:00Z" level=info msg="{words}"\n'
                file.write(line.encode())
        return file


def _job_log(cell: model.Cell) -> bytes:
    words = f"created snapshot successfully but errored on cleanup for {cell.volume}: "
    words += f"error deleting snapshot '{cell.job}': e"
    return f'time="2026-11-23T00:01:01Z" level=warning msg="{words}"\n'.encode()


def _invocation(job: _Job, version: int) -> Iterator[model.Record]:
    begun, ended = _text(job.tick), _text(job.tick + timedelta(seconds=5))
    owner = _owner("CronJob", job.cell.cronjob)
    path = f"logs/pod-{job.name}/0.log"
    size = 143 + len(job.cell.volume) - len("vol-0") + 3
    head = _head(job.name, version + 1, begun, owner)
    yield _seen("jobs", "ADDED", {**_kind("batch/v1", "Job"), "metadata": head, "status": {}})
    yield _seen("cronjobs", "MODIFIED", _cronjob(job.cell, version + 2, _BEGIN, begun))
    yield _event(job, version + 3, "SuccessfulCreate", f"Created job {job.name}", begun)
    yield _log("opened", f"pod-{job.name}", job.pod, path, 0)
    yield _seen("engines", "MODIFIED", _engine(job, version + 4))
    yield _seen("pods", "MODIFIED", _pod(job, version + 5, begun, ended))
    yield _log("closed", f"pod-{job.name}", job.pod, path, size)
    conditions = [{"type": "Complete", "status": "True", "lastTransitionTime": ended}]
    head = _head(job.name, version + 6, begun, owner)
    status = {"conditions": conditions, "startTime": begun, "completionTime": ended}
    yield _seen("jobs", "MODIFIED", {**_kind("batch/v1", "Job"), "metadata": head, "status": status})
    done = f"Saw completed job: {job.name}, status: Complete"
    yield _event(job, version + 7, "SawCompletedJob", done, ended)


def _cronjob(cell: model.Cell, version: int, created: datetime, tick: str | None) -> _JSON:
    status = {"lastScheduleTime": tick} if tick else {}
    head = _head(cell.cronjob, version, _text(created), None)
    return {
        **_kind("batch/v1beta1", "CronJob"),
        "metadata": head,
        "spec": {"schedule": cell.cron, "suspend": False},
        "status": status,
    }


def _pod(job: _Job, version: int, begun: str, ended: str) -> _JSON:
    state = {"terminated": {"exitCode": 0, "startedAt": begun, "finishedAt": ended}}
    status = {
        "phase": "Succeeded",
        "containerStatuses": [{"name": "c", "restartCount": 0, "state": state, "lastState": {}}],
    }
    head = _head(job.pod, version, begun, _owner("Job", job.name))
    return {**_kind("v1", "Pod"), "metadata": head, "spec": {}, "status": status}


def _engine(job: _Job, version: int) -> _JSON:
    """The newest snapshot beside the one before it: the older ones could not be deleted, but are left out here."""
    names = [job.snapshot] if job.number == 0 else [_Job(job.cell, job.number - 1).snapshot, job.snapshot]
    snapshots = {name: {"name": name, "labels": {"RecurringJob": "snap"}, "usercreated": True} for name in names}
    head = _head(f"{job.cell.volume}-e-1a2b3c4d", version, _text(_BEGIN), None)
    return {
        **_kind("longhorn.io/v1beta1", "Engine"),
        "metadata": head,
        "spec": {"volumeName": job.cell.volume},
        "status": {"snapshots": snapshots, "backupStatus": {}},
    }


def _event(job: _Job, version: int, reason: str, message: str, moment: str) -> model.ObjectSeen:
    name = job.cell.cronjob
    involved = {"kind": "CronJob", "name": name, "uid": f"uid-{name}"}
    document = {
        **_kind("v1", "Event"),
        "metadata": _head(f"{job.name}.{reason}", version, moment, None),
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "source": {"component": "cronjob-controller"},
        "count": 1,
        "lastTimestamp": moment,
    }
    return _seen("events", "ADDED", document)


def _kind(version: str, kind: str) -> _JSON:
    return {"apiVersion": version, "kind": kind}


def _head(name: str, version: int, created: str, owner: _JSON | None) -> _JSON:
    head: _JSON = {
        "name": name,
        "namespace": "longhorn-system",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": created,
    }
    return {**head, "ownerReferences": [owner]} if owner else head


def _owner(kind: str, name: str) -> _JSON:
    return {"kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}


def _seen(kind: str, change: model.Change, document: _JSON) -> model.ObjectSeen:
    return model.ObjectSeen(1, _BEGIN, kind, change, document)


def _log(state: model.LogState, uid: str, pod: str, path: str, size: int) -> model.Log:
    return model.Log(1, _BEGIN, uid, pod, "c", 0, state, path, size, state == "closed")


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
