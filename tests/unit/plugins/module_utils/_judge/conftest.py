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
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import Judgement, judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile

TESTS = Path(__file__).parents[4]
RECORDINGS = TESTS / "recordings"
EXPECTED: dict[str, t.Any] = yaml.safe_load((TESTS / "expected" / "recordings.yml").read_text())["recordings"]
AT = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
KINDS = ("cronjobs", "jobs", "pods", "events", "engines", "volumes", "logs", "store")

Verdicts = dict[str, dict[str, str]]


def every_minute(expression: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """The ticks of the one schedule that the recordings have."""
    assert expression == "* * * * *"
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
    own: set[int] = field(default_factory=set)  # ids of the documents that are no longer the recording's

    def history(self, *, number: bool = True) -> model.History:
        records = self.records
        if number:
            records = [replace(record, number=place) for place, record in enumerate(records, start=1)]
        return model.History(records=tuple(records), logs=self.logs)

    def judge(self) -> Judgement:
        return judged(self.history())

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
    records, logs = _narrowed(name, volumes) if volumes else _recorded(name)
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
