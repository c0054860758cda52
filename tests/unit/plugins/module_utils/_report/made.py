# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories and documents for the tests of reports."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import examine
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document, document
from ansible_collections.longhorn.qa.plugins.module_utils._report.timeline import timeline

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
CELL = model.Cell(
    volume="vol", task="backup", job="c-x", cronjob="vol-c-x-c", cron="* * * * *", faults=("snapshot-delete",)
)
HOSTILE = (
    "\x1b[2J\x1b]8;;http://evil/\x07link\x1b]8;;\x07\x1b]52;c;AAAA\x07 </script><b>]]>\x00\u202egpj\u2066\r\n"
    "{{ 7*7 }}{% x %}|`x`|[a](http://b) @someone #12 =cmd|'/C calc'!A0 \x9b31m \ud800"
)


def ticks(_expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """Every full minute."""
    first = since.replace(second=0, microsecond=0)
    count = int((until - first).total_seconds() // 60)
    return tuple(at for number in range(count + 1) if since <= (at := first + timedelta(minutes=number)) <= until)


def clock(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Recording:
    """Records one after the other; resourceVersions rise by themselves, the writer's clock is an hour ahead."""

    def __init__(self, cell: model.Cell = CELL, release: str = "v1.0.1") -> None:
        self.records: list[model.Record] = []
        self.logs: dict[str, bytes] = {}
        kinds = ("cronjobs", "jobs", "pods", "events", "engines", "volumes", "logs", "store")
        subjects = model.Subjects(release=release, cells=(cell,))
        self._add(model.Start, subjects=subjects, kinds=kinds)
        self.cell = cell
        self.seen("cronjobs", cell.cronjob, "cron-uid", 0, spec={"schedule": cell.cron}, via="list")
        for kind in kinds[:6]:
            self._add(model.ListDone, kind=kind, resource_version=str(self.version))

    def _add(self, cls: t.Any, **values: t.Any) -> None:
        number = len(self.records) + 1
        self.records.append(cls(number=number, at=NOON + timedelta(hours=1, seconds=number), **values))

    @property
    def version(self) -> int:
        return 100 + len(self.records)

    def seen(
        self, kind: str, name: str, uid: str, created: float, *, owner: tuple[str, str, str] | None = None,
        change: model.Change = "ADDED", via: model.Via = "watch", meta: Mapping[str, t.Any] | None = None,
        **parts: t.Any,
    ) -> None:  # fmt: skip
        metadata: dict[str, t.Any] = {
            "name": name, "uid": uid, "resourceVersion": str(self.version), "creationTimestamp": clock(created),
            **(meta or {}),
        }  # fmt: skip
        if owner:
            metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "uid": owner[2], "controller": True}]
        self._add(model.ObjectSeen, kind=kind, change=change, via=via, object={"metadata": metadata, **parts})

    def job(self, name: str, start: float, end: float | None = None, *, failed: bool = False) -> None:
        status: dict[str, t.Any] = {"startTime": clock(start)}
        if end is not None:
            kind = "Failed" if failed else "Complete"
            status["conditions"] = [
                {"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": clock(end)}
            ]
        owner = ("CronJob", self.cell.cronjob, "cron-uid")
        self.seen("jobs", name, f"{name}-uid", start, owner=owner, status=status)

    def pod(self, job: str, runs: Sequence[tuple[float, float, int]]) -> None:
        """All starts of the one container; the status tells of the last two."""
        name = f"{job}-abcde"
        owner = ("Job", job, f"{job}-uid")
        for number, _run in enumerate(runs):
            state = {"restartCount": number, "name": "worker", "state": _terminated(runs[number])}
            if number:
                state["lastState"] = _terminated(runs[number - 1])
            status = {"phase": "Running", "containerStatuses": [state]}
            self.seen("pods", name, f"{name}-uid", runs[0][0], owner=owner, status=status)

    def log(self, job: str, attempt: int, content: bytes) -> None:
        path = f"logs/{job}-abcde-uid/{attempt}.log"
        self.logs[path] = content
        pod = f"{job}-abcde"
        common = {"pod_uid": f"{pod}-uid", "pod": pod, "container": "worker", "attempt": attempt, "path": path}
        self._add(model.Log, state="opened", **common)
        self._add(model.Log, state="closed", bytes=len(content), complete=True, **common)

    def engine(self, snapshots: Mapping[str, Mapping[str, t.Any]], backups: Sequence[str] = ()) -> None:
        shown = {
            name: {"labels": {"RecurringJob": self.cell.job}, "created": clock(entry["created"]), **{
                key: value for key, value in entry.items() if key != "created"
            }}
            for name, entry in snapshots.items()
        }  # fmt: skip
        status = {
            "snapshots": shown,
            "backupStatus": {
                name: {"snapshotName": next(iter(snapshots), ""), "state": "complete"} for name in backups
            },
        }
        self.seen("engines", "vol-e-1", "engine-uid", 0, change="MODIFIED", spec={"volumeName": "vol"}, status=status)

    def resource(
        self, kind: t.Literal["snapshots", "backups"], name: str, created: float, *, deleted: float | None = None,
        uid: str = "", gone: bool = False, via: model.Via = "watch",
    ) -> None:  # fmt: skip
        """Longhorn's own object of a snapshot or backup, as releases from 1.3 and 1.2 on have them."""
        label = {"snapshots": "longhornvolume", "backups": "backup-volume"}[kind]
        meta: dict[str, t.Any] = {"labels": {label: "vol"}, "finalizers": ["longhorn.io"]}
        if deleted is not None:
            meta["deletionTimestamp"] = clock(deleted)
        change: model.Change = "DELETED" if gone else "ADDED"
        self.seen(kind, name, uid or f"{name}-uid", created, meta=meta, change=change, via=via, spec={}, status={})

    def listed(self, kind: str) -> None:
        self._add(model.ListDone, kind=kind, resource_version=str(self.version))

    def event(self, reason: str, message: str, at: float) -> None:
        involved = {"kind": "CronJob", "name": self.cell.cronjob, "uid": "cron-uid"}
        self.seen(
            "events", f"e{self.version}", f"e{self.version}-uid", at,
            reason=reason, message=message, lastTimestamp=clock(at), count=1, involvedObject=involved,
        )  # fmt: skip

    def store(self, *names: str) -> None:
        backups = tuple(model.StoredBackup(volume="vol", name=name, key=f"backups/{name}.cfg") for name in names)
        self._add(model.Store, target="s3://b@r/", backups=backups)

    def gap(self, kind: str, reason: str) -> None:
        self._add(model.Gap, kind=kind, reason=reason)

    def history(self) -> model.History:
        return model.History(records=tuple(self.records), logs=self.logs)

    def report(self) -> Document:
        judgement, cases = examine(self.history(), profiles=profile, ticks=ticks)
        lanes = timeline(judgement, cases, ticks=ticks)
        return document([judgement], histories=["h"], generated=NOON, timelines=[lanes])


def _terminated(run: tuple[float, float, int]) -> dict[str, t.Any]:
    start, end, code = run
    return {"terminated": {"startedAt": clock(start), "finishedAt": clock(end), "exitCode": code}}
