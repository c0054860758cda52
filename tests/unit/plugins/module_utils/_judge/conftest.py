# SPDX-License-Identifier: GPL-3.0-or-later
"""The real recordings as histories, and a way to change one thing in them.

Needs nothing but the standard library, pytest and PyYAML: the judge is pure, so its tests are.
"""

from __future__ import annotations

import pickle
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
import yaml

from ansible_collections.longhorn.qa.plugins.module_utils._history import documents, dump, model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._history.dump import import_dump
from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import Line, read_lines
from ansible_collections.longhorn.qa.plugins.module_utils._history.records import cell_from
from ansible_collections.longhorn.qa.plugins.module_utils._judge import index
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import Judgement, examine, judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile, profile

TESTS = Path(__file__).parents[4]
RECORDINGS = TESTS / "recordings"
EXPECTED: dict[str, t.Any] = yaml.safe_load((TESTS / "expected" / "recordings.yml").read_text())["recordings"]
AT = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
KINDS = ("cronjobs", "jobs", "pods", "events", "engines", "volumes", "logs", "store")

Verdicts = dict[str, dict[str, str]]


def every_minute(expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The ticks of the one schedule that the recordings have."""
    if expression != "* * * * *":
        raise ValueError("not the schedule of the recordings")
    tick = since.replace(second=0, microsecond=0)
    found = []
    while tick <= until:
        if tick >= since:
            found.append(tick)
        tick += timedelta(minutes=1)
    return tuple(found)


def verdicts_of(judgement: Judgement) -> Verdicts:
    return {cell.cell.volume: {check.check: check.verdict for check in cell.checks} for cell in judgement.cells}


@cache
def files_of(name: str) -> dict[str, bytes]:
    folder = RECORDINGS / EXPECTED[name]["folder"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def subjects_of(name: str) -> model.Subjects:
    table = EXPECTED[name]
    names = ("volume", "task", "job", "cronjob", "cron", "retain", "engine_image", "faults")
    cells = tuple(cell_from({key: cell[key] for key in names}) for cell in table["cells"])
    return model.Subjects(
        release=table["release"], cells=cells, default_engine_faults=tuple(table["default_engine_faults"])
    )


def judged(history: model.History) -> Judgement:
    return judge(history, profiles=profile, ticks=every_minute)


@cache
def _documents(content: bytes) -> tuple[t.Any, ...]:
    return tuple(documents.read_documents(content))


@cache
def _lines(content: bytes) -> tuple[Line, ...]:
    return tuple(read_lines([content]))


_SHARED: set[int] = set()  # ids of the recordings' own documents, which stay as they are


def _once(lift: Callable[[t.Any], t.Any]) -> Callable[[t.Any], t.Any]:
    facts: dict[int, t.Any] = {}

    def fact(document: t.Any) -> t.Any:
        place = id(document)
        if place not in _SHARED:
            return lift(document)
        if place not in facts:
            facts[place] = lift(document)
        return facts[place]

    return fact


_LIFTS = {name: _once(getattr(objects, name)) for name in ("cronjob", "job", "pod", "event", "engine")}


@pytest.fixture(autouse=True)
def parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recordings are judged hundreds of times, nearly the same each time; what is pure is done once."""
    monkeypatch.setattr(dump, "read_documents", _documents)
    monkeypatch.setattr(index, "read_lines", lambda chunks: _lines(b"".join(chunks)))
    for name, lift in _LIFTS.items():
        monkeypatch.setattr(objects, name, lift)


def judged_dump(name: str, files: dict[str, bytes]) -> Judgement:
    return judged(import_dump(files, subjects=subjects_of(name), at=AT).history)


@dataclass
class Mutant:
    """A recording as our own recorder would have written it, open to change; ``judge`` numbers it anew."""

    records: list[t.Any]
    logs: dict[str, bytes]
    subjects: model.Subjects
    log_paths: dict[str, str] = field(default_factory=dict)  # by pod's name
    profiles: Callable[[str, model.Task], Profile] = profile
    damage: tuple[str, ...] = ()
    own: set[int] = field(default_factory=set)  # ids of the documents that are no longer the recording's

    def history(self, *, number: bool = True) -> model.History:
        records = self.records
        if number:
            records = [replace(record, number=place) for place, record in enumerate(records, start=1)]
        return model.History(records=tuple(records), logs=self.logs, damage=self.damage)

    def judge(self) -> Judgement:
        return judged(self.history())

    def examine(self) -> tuple[Judgement, tuple[Case, ...]]:
        return examine(self.history(), profiles=self.profiles, ticks=every_minute)

    def verdicts(self) -> Verdicts:
        return verdicts_of(self.judge())

    def of_numbered(self) -> dict[str, t.Any]:
        """Verdicts of records that keep the numbers they have."""
        judgement = judged(self.history(number=False))
        return {"verdict": judgement.verdict, "checks": verdicts_of(judgement)}

    def of(self, kind: str, name: str = "") -> Iterator[dict[str, t.Any]]:
        """The documents of a kind whose name starts so, for changing in place: copies, the recording is shared."""
        for place, record in enumerate(self.records):
            wanted = isinstance(record, model.ObjectSeen) and record.kind == kind
            if wanted and record.object["metadata"]["name"].startswith(name):
                if id(record.object) not in self.own:
                    record = self.records[place] = replace(record, object=pickle.loads(pickle.dumps(record.object)))
                    self.own.add(id(record.object))
                yield t.cast(dict[str, t.Any], record.object)

    def each(self, kind: str, name: str, do: Callable[[dict[str, t.Any]], object]) -> None:
        """Change these documents, of which there is one at least."""
        documents = list(self.of(kind, name))
        assert documents
        for document in documents:
            do(document)

    def state(self, *, volume: str = "", **fields: t.Any) -> None:
        """What the run set out to see, stated otherwise; with a volume, of its cell."""
        changed = replace(self.subjects, **fields) if not volume else self.subjects
        cells = (replace(cell, **fields) if cell.volume == volume else cell for cell in changed.cells)
        self.subjects = replace(changed, cells=tuple(cells))
        self.records[0] = replace(self.records[0], subjects=self.subjects)

    def stores(self, do: Callable[[int, model.Store], model.Store | None]) -> None:
        """Change the listings of the store, or drop them."""
        place = 0
        records = []
        for record in self.records:
            kept: t.Any = record
            if isinstance(record, model.Store):
                kept, place = do(place, record), place + 1
            records += [kept] if kept is not None else []
        self.records = records

    def drop(self, wanted: Callable[[t.Any], bool]) -> int:
        before = len(self.records)
        self.records = [record for record in self.records if not wanted(record)]
        return before - len(self.records)

    def drop_object(self, kind: str, name: str, change: str = "") -> int:
        return self.drop(
            lambda record: (
                isinstance(record, model.ObjectSeen)
                and record.kind == kind
                and record.object["metadata"]["name"].startswith(name)
                and (not change or record.change == change)
            )
        )

    def add(self, record: t.Any) -> None:
        """Before the end record."""
        self.records.insert(len(self.records) - 1, record)

    def edit_log(self, pod: str, old: str, new: str) -> int:
        """Replace text in the logs of pods whose name starts so; how often it was found."""
        found = 0
        for name, path in self.log_paths.items():
            if name.startswith(pod):
                found += self.logs[path].count(old.encode())
                self.set_log(name, self.logs[path].replace(old.encode(), new.encode()))
        return found

    def set_log(self, pod: str, content: bytes) -> None:
        path = self.log_paths[pod]
        self.logs[path] = content
        self.records = [
            replace(record, bytes=len(content)) if isinstance(record, model.Log) and record.path == path else record
            for record in self.records
        ]

    def drop_log(self, pod: str) -> None:
        (path,) = [path for name, path in self.log_paths.items() if name.startswith(pod)]
        self.drop(lambda record: isinstance(record, model.Log) and record.path == path)
        del self.logs[path]

    def add_log(self, pod_uid: str, pod: str, attempt: int, content: bytes) -> None:
        path = f"logs/{pod_uid}/{attempt}.log"
        self.logs[path] = content
        opened = model.Log(1, AT, pod_uid, pod, "c", attempt, "opened", path)
        self.add(opened)
        self.add(replace(opened, state="closed", bytes=len(content), complete=True))

    def gap(self, kind: str, subject: str = "") -> None:
        self.add(model.Gap(1, AT, kind, "the watch was cut", subject=subject))


def _by_server_time(records: list[t.Any]) -> list[t.Any]:
    """Listings of the store among the objects, as a live recorder writes them."""
    stores = [record for record in records if isinstance(record, model.Store)]
    out: list[t.Any] = []
    now = datetime(2000, 1, 1, tzinfo=timezone.utc)
    for record in records:
        if isinstance(record, model.ObjectSeen):
            meta = objects.meta_of(record.object)
            ended = objects.job(record.object).ended if record.kind == "jobs" else None
            now = max(now, meta.created or now, ended or now)
            while stores and stores[0].at < now:
                out.append(stores.pop(0))
        if not isinstance(record, model.Store):
            out.append(record)
    return [*out[:-1], *stores, out[-1]]


def _foreign(record: t.Any) -> bool:
    """What our own recorder would not have written: holes of the collecting, and lists that the manager made."""
    return isinstance(record, model.Gap) or (isinstance(record, model.Store) and record.target == model.MANAGER_LIST)


@cache
def _recorded(name: str) -> tuple[tuple[t.Any, ...], dict[str, bytes]]:
    imported = import_dump(files_of(name), subjects=subjects_of(name), at=AT).history
    records = _by_server_time([record for record in imported.records if not _foreign(record)])
    first, last = records[0], records[-1]
    body = [replace(item, complete=True) if isinstance(item, model.Log) else item for item in records[1:-1]]
    _SHARED.update(id(record.object) for record in body if isinstance(record, model.ObjectSeen))
    start = replace(first, origin="recorder", kinds=KINDS)
    return (start, *body, replace(last, reason="invocations")), dict(imported.logs)


@pytest.fixture
def mutant() -> Callable[[str], Mutant]:
    """A recording by name, as if recorded by ourselves."""

    def make(name: str, volumes: tuple[str, ...] = ()) -> Mutant:
        return _mutant(name, volumes)

    return make


@pytest.fixture(scope="session")
def untouched() -> Verdicts:
    """The verdicts of 2020-06 as our own recording."""
    return _mutant("2020-06", ()).verdicts()


def _mutant(name: str, volumes: tuple[str, ...]) -> Mutant:
    return _changeable(*(_narrowed(name, volumes) if volumes else _recorded(name)))


def _changeable(records: t.Sequence[t.Any], logs: dict[str, bytes]) -> Mutant:
    paths = {record.pod: record.path for record in records if isinstance(record, model.Log)}
    return Mutant(list(records), dict(logs), records[0].subjects, paths)


@cache
def _narrowed(name: str, volumes: tuple[str, ...]) -> tuple[tuple[t.Any, ...], dict[str, bytes]]:
    """A recording of some of its volumes only, which is judged the faster."""
    records, logs = _recorded(name)
    subjects = subjects_of(name)
    left_out = tuple(f"{cell.volume}-" for cell in subjects.cells if cell.volume not in volumes)

    def kept(record: t.Any) -> bool:
        if isinstance(record, model.Log):
            return not record.pod.startswith(left_out)
        return not (
            isinstance(record, model.ObjectSeen) and f"{record.object['metadata']['name']}-".startswith(left_out)
        )

    cells = tuple(cell for cell in subjects.cells if cell.volume in volumes)
    start = replace(records[0], subjects=replace(subjects, cells=cells))
    records = (start, *(record for record in records[1:] if kept(record)))
    paths = {record.path for record in records if isinstance(record, model.Log)}
    return records, {path: content for path, content in logs.items() if path in paths}


@pytest.fixture
def recordings() -> t.Any:
    """Access to the recordings' files for tests that change files."""
    return _Recordings


class _Recordings:
    names = tuple(EXPECTED)
    expected = EXPECTED
    files = staticmethod(files_of)
    judged = staticmethod(judged_dump)
    verdicts = staticmethod(verdicts_of)


# --- a small run, made up: every source as plain as it can be, so that a case says in a line what is different ------

SNAP, BACK = (
    model.Cell("snap", "snapshot", "s", "snap-c", cron="* * * * *", faults=("snapshot-delete",)),
    model.Cell("back", "backup", "b", "back-c", cron="* * * * *", faults=("backup-delete",)),
)
FIRST_TICK = 29923801  # in unix minutes, as Job names have it: 2026-11-23T10:01:00Z
OF_IT = {SNAP.volume: ("s-1", "s-2", "s-3"), BACK.volume: ("t-1", "t-2", "t-3")}  # the snapshots of its three Jobs


def _moment(minute: int, second: int = 0) -> str:
    return f"2026-11-23T10:{minute:02}:{second:02}Z"


@dataclass
class _Small:
    """Two volumes, three Jobs each, and nothing wrong. Minute n has resourceVersions from 1000 n on."""

    records: list[t.Any] = field(default_factory=list)
    logs: dict[str, bytes] = field(default_factory=dict)

    def build(self) -> None:
        subjects = model.Subjects(release="2020-06", cells=(SNAP, BACK))
        self.records.append(model.Start(1, AT, subjects, kinds=KINDS))
        self.records.append(model.ListDone(1, AT, "jobs", "100"))
        for cell in subjects.cells:
            self._see("cronjobs", "ADDED", self._cronjob(cell, 0), 200, 0)
        for minute in (1, 2, 3):
            for place, cell in enumerate(subjects.cells):
                self._invocation(cell, minute, 1000 * minute + 100 * place)
            backups = tuple(
                model.StoredBackup("back", f"b-{n}", f"k-{n}", snapshot=f"t-{n}") for n in range(1, minute + 1)
            )
            self.records.append(model.Store(1, AT, "s3://t", backups))
        self._log("instance-manager-e-1", "i-1", "".join(self._engine_lines()))
        self.records.append(model.End(1, AT, "invocations"))

    def _see(self, kind: str, change: str, document: dict[str, t.Any], version: int, minute: int) -> None:
        document["metadata"] |= {"resourceVersion": str(version), "creationTimestamp": _moment(minute)}
        self.records.append(model.ObjectSeen(1, AT, kind, t.cast(model.Change, change), document))

    @staticmethod
    def _cronjob(cell: model.Cell, minute: int) -> dict[str, t.Any]:
        meta = {"name": cell.cronjob, "uid": f"uid-{cell.cronjob}", "generation": 1}
        status = {"lastScheduleTime": _moment(minute)} if minute else {}
        return {"metadata": meta, "spec": {"schedule": cell.cron, "suspend": False}, "status": status}

    def _invocation(self, cell: model.Cell, minute: int, at: int) -> None:
        name = f"{cell.cronjob}-{FIRST_TICK + minute - 1}"
        self._see("cronjobs", "MODIFIED", self._cronjob(cell, minute), at + 1, 0)
        self._job(cell, name, {}, at + 10, minute)
        self._event(cell, name, "SuccessfulCreate", f"Created job {name}", at + 11, minute)
        self._pod(name, {"running": {"startedAt": _moment(minute, 5)}}, at + 15, minute)
        self._engine(cell, minute, at + 20)
        ended = {"exitCode": 0, "startedAt": _moment(minute, 5), "finishedAt": _moment(minute, 15)}
        self._pod(name, {"terminated": ended}, at + 30, minute)
        self._log(f"{name}-aaaaa", f"uid-{name}-aaaaa", "".join(self._job_lines(cell, minute)))
        over = {"type": "Complete", "status": "True"}
        self._job(cell, name, {"completionTime": _moment(minute, 20), "conditions": [over]}, at + 40, minute)
        self._event(cell, name, "SawCompletedJob", f"Saw completed job: {name}, status: Complete", at + 41, minute)

    def _job(self, cell: model.Cell, name: str, status: dict[str, t.Any], version: int, minute: int) -> None:
        owner = {"kind": "CronJob", "name": cell.cronjob, "uid": f"uid-{cell.cronjob}", "controller": True}
        meta = {"name": name, "uid": f"uid-{name}", "ownerReferences": [owner]}
        change = "MODIFIED" if status else "ADDED"
        self._see("jobs", change, {"metadata": meta, "status": status}, version, minute)

    def _pod(self, job: str, state: dict[str, t.Any], version: int, minute: int) -> None:
        owner = {"kind": "Job", "name": job, "uid": f"uid-{job}", "controller": True}
        meta = {"name": f"{job}-aaaaa", "uid": f"uid-{job}-aaaaa", "ownerReferences": [owner]}
        status = {"containerStatuses": [{"name": "c", "restartCount": 0, "state": state}]}
        self._see(
            "pods", "ADDED" if "running" in state else "MODIFIED", {"metadata": meta, "status": status}, version, minute
        )

    def _event(self, cell: model.Cell, name: str, reason: str, message: str, version: int, minute: int) -> None:
        about = {"kind": "CronJob", "name": cell.cronjob, "uid": f"uid-{cell.cronjob}"}
        meta = {"name": f"{name}.{version}", "uid": f"uid-{name}.{version}"}
        self._see(
            "events",
            "ADDED",
            {"metadata": meta, "involvedObject": about, "reason": reason, "message": message},
            version,
            minute,
        )

    def _engine(self, cell: model.Cell, minute: int, version: int) -> None:
        """Deletions of snapshots fail for the one volume, those of backups for the other: all of them stay."""
        names = OF_IT[cell.volume][:minute] if cell.task == "snapshot" else OF_IT[cell.volume][minute - 1 : minute]
        backups = {f"b-{n}": {"snapshotName": f"t-{n}", "state": "complete"} for n in range(1, minute + 1)}
        status = {
            "snapshots": {name: {"name": name, "labels": {"RecurringJob": cell.job}} for name in names},
            "backupStatus": backups if cell.task == "backup" else {},
            "currentReplicaAddressMap": {f"{cell.volume}-r": f"10.0.0.{len(cell.volume)}:{len(cell.job)}"},
        }
        meta = {"name": f"{cell.volume}-e-1", "uid": f"uid-{cell.volume}-e-1"}
        self._see(
            "engines", "MODIFIED", {"metadata": meta, "spec": {"volumeName": cell.volume}, "status": status}, version, 0
        )

    def _log(self, pod: str, uid: str, text: str) -> None:
        opened = model.Log(1, AT, uid, pod, "c", 0, "opened", f"logs/{pod}/0.log")
        self.logs[opened.path] = text.encode()
        self.records += [opened, replace(opened, state="closed", bytes=len(text), complete=True)]

    @staticmethod
    def _job_lines(cell: model.Cell, minute: int) -> Iterator[str]:
        def line(level: str, message: str) -> str:
            return f'time="{_moment(minute, 10)}" level={level} msg="{message}"\n'

        url = "s3://t@r/?backup={}&volume=back"
        yield line("debug", "job started")
        if cell.task == "backup":
            yield line("debug", f"Backup b-{minute} created for volume back snapshot t-{minute}")
            yield line("debug", f"Complete creating backup {url.format(f'b-{minute}')}")
        if minute > 1 and cell.task == "snapshot":
            words = "created snapshot successfully but errored on cleanup for snap: error deleting snapshot"
            yield line("warning", f"{words} 's-{minute - 1}': it may not be")
        elif minute > 1:
            yield line("debug", f"Cleaned up snapshot t-{minute - 1} for back")
            words = "created backup successfully but errored on cleanup for back: Cleaned up backup"
            yield line("warning", f"{words} {url.format(f'b-{minute - 1}')} failed for back: it may not be")

    @staticmethod
    def _engine_lines() -> Iterator[str]:
        for minute in (1, 2, 3):
            for cell in (SNAP, BACK):
                name = OF_IT[cell.volume][minute - 1]
                words = f"Snapshot: 10.0.0.4:1 {name} UserCreated true Created at {_moment(minute, 10)}"
                stamp = f'time="{_moment(minute, 10)}"'
                yield f'[{cell.volume}-e-1] {stamp} level=info msg="{words}, Labels map[RecurringJob:{cell.job}]"\n'


@cache
def _small() -> _Small:
    small = _Small()
    small.build()
    _SHARED.update(id(record.object) for record in small.records if isinstance(record, model.ObjectSeen))
    return small


@pytest.fixture(scope="session")
def small_run() -> Callable[[], Mutant]:
    """A made-up run as if recorded by ourselves, in which everything is right."""
    return lambda: _changeable(_small().records, _small().logs)
