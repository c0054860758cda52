# SPDX-License-Identifier: GPL-3.0-or-later
"""What a history is made of.

A history is the append-only recording of one run. This file is the vocabulary that everybody else shares: the recorder
and the dump converter write these records, the judge reads them. Pure: no clock, no I/O.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

SCHEMA = "longhorn.qa/history/1"
MANAGER_LIST = "longhorn-manager"  # a store's target when the manager listed it: the backups of one volume only

Task = t.Literal[
    "snapshot",
    "backup",
    "snapshot-force-create",
    "backup-force-create",
    "snapshot-delete",
    "snapshot-cleanup",
    "filesystem-trim",
]
Fault = t.Literal["snapshot-delete", "backup-delete"]
# What makes these deletions fail: a stub as the volume's or as Longhorn's default engine image, an engine built to
# refuse inside its replicas, a store or an API server that refuses to delete, Longhorn's own setting, locked objects.
FaultType = t.Literal[
    "engine-image",
    "default-engine-image",
    "patched-engine-image",
    "backup-store",
    "bucket-policy",
    "admission",
    "disable-snapshot-purge",
    "object-lock",
]
Origin = t.Literal["recorder", "dump"]
Change = t.Literal["ADDED", "MODIFIED", "DELETED"]
Via = t.Literal["list", "watch"]
LogState = t.Literal["opened", "closed"]

JsonObject = Mapping[str, t.Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One volume of a run: engine image x task, with the faults expected there.

    ``faults`` is ``None`` when nobody stated what to expect (foreign material); an empty tuple is a control, whose
    clean-up must succeed. Since release 1.2 several cells may share a recurring job, and so a CronJob.
    """

    volume: str
    task: Task
    job: str  # the recurring job's own name, the value of the RecurringJob label
    cronjob: str
    cron: str = ""
    retain: int = 1
    engine_image: str = ""  # empty: the default engine image
    faults: tuple[Fault, ...] | None = None
    fault_type: FaultType = "engine-image"  # what makes them happen; without faults it means nothing

    @property
    def makes_snapshots(self) -> bool:
        """Whether an invocation is to make a snapshot; a backup needs one too."""
        return self.task in ("snapshot", "snapshot-force-create") or self.makes_backups

    @property
    def makes_backups(self) -> bool:
        """Whether an invocation is to make a backup."""
        return self.task in ("backup", "backup-force-create")


@dataclass(frozen=True, slots=True)
class Subjects:
    """What a history is about; part of its ``start`` record."""

    release: str  # "2020-06", "v1.0.0", "v1.0.1" ...; empty when unknown
    namespace: str = "longhorn-system"
    run_id: str = ""
    cells: tuple[Cell, ...] = ()
    default_engine_faults: tuple[Fault, ...] = ()  # deletions that the *default* engine image fails


@dataclass(frozen=True, slots=True)
class _Stamped:
    number: int  # position in the history, from 1, without holes
    at: datetime  # the writer's clock, aware UTC; for reading only, never decides a verdict


@dataclass(frozen=True, slots=True)
class Start(_Stamped):
    """First record. A resumed history has one more for each resumption."""

    subjects: Subjects
    origin: Origin = "recorder"
    schema: str = SCHEMA
    kinds: tuple[str, ...] = ()  # what the writer set out to see: "jobs", "pods", "logs", "store" ...


@dataclass(frozen=True, slots=True)
class ObjectSeen(_Stamped):
    """An API object as a list or watch delivered it, without managedFields."""

    kind: str  # plural resource name: cronjobs, jobs, pods, events, engines, volumes, recurringjobs, snapshots, backups
    change: Change
    object: JsonObject
    via: Via = "watch"


@dataclass(frozen=True, slots=True)
class ListDone(_Stamped):
    """A complete LIST of one kind ended; older objects that it did not show do not exist."""

    kind: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Log(_Stamped):
    """The life of one log file of the history: opened, and closed with a reason.

    ``path`` is relative to the history's folder. ``complete`` is true on a ``closed`` record when the log was read to
    the end of a container that had ended; a log that was never there is closed at 0 bytes with ``complete`` false.
    """

    pod_uid: str
    pod: str
    container: str
    attempt: int  # restartCount of the container that wrote it
    state: LogState
    path: str
    bytes: int = 0
    complete: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """One backup as the store itself has it."""

    volume: str
    name: str
    key: str
    last_modified: str = ""  # the store's clock
    snapshot: str = ""  # from the backup's cfg file, when it was read
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = ""  # when its snapshot was made, by the backup's cfg file; else when the backup was


@dataclass(frozen=True, slots=True)
class Store(_Stamped):
    """A listing of the backup store. ``error`` set: nothing is known about its content."""

    target: str
    backups: tuple[StoredBackup, ...] = ()
    error: str = ""
    deleted: tuple[StoredBackup, ...] = ()  # what a bucket with versions still tells of backups that are gone


@dataclass(frozen=True, slots=True)
class Gap(_Stamped):
    """Something that could not be seen, from when to when, and why."""

    kind: str  # a resource's plural, "logs" or "store"
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    subject: str = ""  # a pod's name, a volume's name; empty: the whole kind


@dataclass(frozen=True, slots=True)
class Clock(_Stamped):
    """Offset of another clock from the writer's, in seconds (positive: the other is ahead)."""

    source: str  # "apiserver", "store"
    offset: float


@dataclass(frozen=True, slots=True)
class Note(_Stamped):
    """Something worth telling a reader; never decides a verdict."""

    text: str


@dataclass(frozen=True, slots=True)
class End(_Stamped):
    """Last record of a run that ended by itself. ``reason``: "invocations", "deadline", "interrupted", "dump"."""

    reason: str


Record = t.Union[Start, ObjectSeen, ListDone, Log, Store, Gap, Clock, Note, End]


@dataclass(frozen=True, slots=True)
class History:
    """A history as read: its records, the bytes of its logs by path, and what was wrong with the files, if anything."""

    records: Sequence[Record]
    logs: Mapping[str, bytes] = field(default_factory=dict)
    damage: tuple[str, ...] = ()  # each begins with the file: "history.jsonl:812: truncated record"

    @property
    def subjects(self) -> Subjects:
        """What the run set out to see; of a resumed history, as stated last."""
        return [record for record in self.records if isinstance(record, Start)][-1].subjects
