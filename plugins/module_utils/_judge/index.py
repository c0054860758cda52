# SPDX-License-Identifier: GPL-3.0-or-later
"""A history, lifted to facts once and arranged by what the judge asks for.

One pass over the records, whatever the number of volumes. Order is the server's: an object's resourceVersion. Whether a
kind was watched without a hole is kept per kind, because only then does "not seen" mean "did not happen".
"""

from __future__ import annotations

import bisect
import re
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._history import logtext, model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import Line, read_lines
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import KINDS, Lives
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.log_patterns import volume_of

_ENGINE_PROCESS = re.compile(r"(.+)-e-[0-9a-f]+")
_SNAPSHOT_LINE = re.compile(
    r"Snapshot: (?:tcp://)?(\S+) (\S+) UserCreated true Created at \S+, Labels map\[(.*)\]$", re.DOTALL
)
_BACKEND_LINE = re.compile(r"Adding backend: (?:tcp://)?(\S+)$")
_JOB_LABEL = re.compile(r"(?:^| )RecurringJob:(\S+)")
_VOLUME_IN_URL = re.compile(r"[?&]volume=([^&\s\"'\]:,]+)")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]")


@dataclass(slots=True, eq=False)
class LogFile:
    """One attempt's log, read when somebody asks. ``problem`` says why it is not the whole log, if it is not."""

    path: str
    pod: str
    attempt: int
    problem: str
    files: Mapping[str, bytes] = field(repr=False)  # by path; empty when what is there is no log
    held: int | None  # bytes in its file; None when there is none
    origin: str = ""
    closed: int = 0  # number of the record that says so last; 0: none does
    size: int = 0  # bytes, and whether that was all, by that record
    complete: bool = False
    _lines: tuple[Line, ...] | None = field(default=None, repr=False)
    _by_volume: dict[str, list[Line]] | None = field(default=None, repr=False)

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, kept: a service's log, which may be large, is better read with ``read``."""
        if self._lines is None:
            self._lines = tuple(self.read())
        return self._lines

    def read(self) -> Iterator[Line]:
        """The lines one by one."""
        return read_lines([self.files.get(self.path, b"")])

    def about(self, volume: str) -> Sequence[Line]:
        """The lines that may be about a volume: not those that name another one in a field."""
        if self._by_volume is None:
            self._by_volume = {"": []}
            for line in self.lines:
                self._by_volume.setdefault(volume_of(line), []).append(line)
        own, general = self._by_volume.get(volume), self._by_volume[""]
        if not own:
            return general
        return sorted([*general, *own], key=lambda line: line.number) if general else own


class LoggedSnapshot(t.NamedTuple):
    """A creation as an engine's own log tells it: complete and in order, but without a resourceVersion."""

    name: str
    job: str
    path: str
    line: int


@dataclass(slots=True)
class JobSeen:
    """A Job over its life."""

    first: objects.JobFact
    last: objects.JobFact
    listed: bool  # a LIST showed it first
    added: int  # resourceVersion of its first sighting
    over: int | None = None  # resourceVersion at which it was Complete or Failed
    deleted: int | None = None
    added_record: int = 0  # the records' numbers, to order them against listings of the store
    over_record: int = 0
    baseline: bool = False  # it was there before the recording began


@dataclass(slots=True)
class PodSeen:
    meta: objects.Meta  # as it was first
    restarts: int = 0
    runs: tuple[objects.ContainerRun, ...] = ()
    version: int = 0

    def run(self, attempt: int) -> objects.ContainerRun | None:
        """One start of the container, as the newest status that tells of it shows it."""
        return next((run for run in self.runs if run.attempt == attempt), None)


@dataclass(slots=True)
class CronJobSeen:
    first: objects.CronJobFact
    last: objects.CronJobFact
    listed: bool
    added_record: int
    baseline: bool = False
    states: list[objects.CronJobFact] = field(default_factory=list)
    deleted: int | None = None


@dataclass
class Index:
    """Everything the judge asks a history."""

    history: model.History
    subjects: model.Subjects
    origin: model.Origin
    cronjobs: dict[str, list[CronJobSeen]] = field(default_factory=dict)  # by name
    jobs: dict[str, list[JobSeen]] = field(default_factory=dict)  # by CronJob's name, in the order of their making
    pods: dict[str, list[PodSeen]] = field(default_factory=dict)  # by Job's UID
    events: dict[str, list[objects.EventFact]] = field(default_factory=dict)  # by involved UID, newest state each
    engines: dict[str, list[objects.EngineFact]] = field(default_factory=dict)  # by volume, in order
    logs: dict[tuple[str, int], LogFile] = field(default_factory=dict)  # by pod's name and attempt
    manager_lines: dict[str, list[tuple[str, Line]]] = field(default_factory=dict)  # by volume: path, line
    manager_logs: list[LogFile] = field(default_factory=list)
    engine_logs: list[LogFile] = field(default_factory=list)
    engine_snapshots: dict[str, list[LoggedSnapshot]] = field(default_factory=dict)  # by volume, in the log's order
    stray_snapshots: list[LoggedSnapshot] = field(default_factory=list)  # whose volume the log does not say
    lives: Lives = field(default_factory=Lives)
    executions: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # by recurring job: version, count
    stores: list[model.Store] = field(default_factory=list)
    managers: list[model.Store] = field(default_factory=list)  # the manager's own lists, of one volume each
    gaps: dict[str, list[model.Gap]] = field(default_factory=dict)  # by kind
    clock: list[tuple[int, datetime]] = field(default_factory=list)  # latest server time by then, by resourceVersion
    ended: model.End | None = None
    first_listed: int | None = None  # resourceVersion of the recorder's first LIST of Jobs
    began: datetime | None = None  # what the API server's clock showed before that
    last_clock: datetime | None = None  # and what it showed last
    watched: set[str] = field(default_factory=set)
    listed: dict[str, int] = field(default_factory=dict)  # by kind: resourceVersion of its first LIST
    first_job: int = 0  # and that at which the first Job of a CronJob was added since the beginning
    records: int = 0
    hole: str = ""  # the first number that is missing among the records', if any

    def not_watched(self, kind: str) -> str:
        """Why this kind's absence proves nothing; empty when it was watched from beginning to end."""
        if kind not in self.watched:
            return f"{kind} were not watched"
        if kind != "jobs" and self.origin == "recorder" and 0 < self.first_job < self.listed.get(kind, 0):
            return f"{kind} were seen only after the first Job had begun"
        holes = self.gaps.get(kind, [])
        return f"{kind}: {holes[0].reason}" if holes else self.unreadable

    @property
    def unreadable(self) -> str:
        """Why a record of any kind may be missing; empty when none is. A damaged log hides nothing but itself."""
        damage = [text for text in self.history.damage if not text.startswith("logs/")]
        return self.hole or (f"damaged file: {damage[0]}" if damage else "")

    def server_time(self, version: int | None) -> datetime | None:
        """The latest time that the cluster itself had stamped on anything by then."""
        if version is None:
            return self.clock[-1][1] if self.clock else None
        place = bisect.bisect_right(self.clock, version, key=lambda item: item[0])
        return self.clock[place - 1][1] if place else None


def build(history: model.History) -> Index:
    """Arrange a history's records."""
    index = Index(history=history, subjects=model.Subjects(release=""), origin="recorder")
    collector = _Collector(index=index)
    for number, record in enumerate(history.records, start=1):
        if record.number != number and not index.hole:
            index.hole = f"record {number} is missing: the next one is {record.number}"
        take = collector.taken.get(type(record))
        if take is not None:
            take(collector, record)
        index.records = number
    collector.finish()
    return index


@dataclass
class _Collector:
    index: Index
    starts: list[model.Start] = field(default_factory=list)
    baseline_until: int = 0  # number of the record that ends the recorder's first LIST of Jobs
    job_by_uid: dict[str, JobSeen] = field(default_factory=dict)
    pod_by_uid: dict[str, PodSeen] = field(default_factory=dict)
    cronjob_by_uid: dict[str, CronJobSeen] = field(default_factory=dict)
    event_by_uid: dict[str, objects.EventFact] = field(default_factory=dict)
    engine_facts: list[objects.EngineFact] = field(default_factory=list)
    last_logs: dict[str, model.Log] = field(default_factory=dict)  # by path, as closed_logs
    closed_logs: dict[str, model.Log] = field(default_factory=dict)
    by_stream: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)  # of snapshots and backups, to their volumes

    def _start(self, record: model.Start) -> None:
        self.starts.append(record)
        self.index.ended = None  # what goes on has not ended

    def _log_seen(self, record: model.Log) -> None:
        self.last_logs[record.path] = record
        if record.state == "closed":
            self.closed_logs[record.path] = record

    def _store(self, record: model.Store) -> None:
        (self.index.managers if record.target == model.MANAGER_LIST else self.index.stores).append(record)

    def _gap(self, record: model.Gap) -> None:
        self.index.gaps.setdefault(record.kind, []).append(record)

    def _clock(self, record: model.Clock) -> None:
        if record.source == "apiserver":
            self.index.last_clock = record.at + timedelta(seconds=record.offset)
            if self.index.began is None and self.index.first_listed is None:
                self.index.began = self.index.last_clock

    def _end(self, record: model.End) -> None:
        self.index.ended = record

    def _list_done(self, record: model.ListDone) -> None:
        self.index.lives.list_done(record)
        if len(self.starts) == 1:
            self.index.listed.setdefault(record.kind, objects.version_number(record.resource_version))
        if record.kind == "jobs" and self.index.first_listed is None:
            self.index.first_listed = objects.version_number(record.resource_version)
            self.baseline_until = record.number

    def _object(self, record: model.ObjectSeen) -> None:
        if record.via == "watch":
            self.by_stream.add(record.kind)
        lift = self.lifted.get(record.kind)
        if lift is None:
            return
        try:
            self._stamp(lift(self, record))
        except objects.ObjectError as error:
            gap = model.Gap(
                number=record.number, at=record.at, kind=record.kind, reason=f"record {record.number}: {error}"
            )
            self.index.gaps.setdefault(record.kind, []).append(gap)

    def _stamp(self, meta: objects.Meta) -> None:
        """Times of creation only: the API server sets them, whoever's clock an event or a pod's status tells of.

        What tells nothing new, as nearly all of them do, is not kept.
        """
        clock, moment = self.index.clock, meta.created
        if moment is not None and not (clock and meta.version >= clock[-1][0] and moment <= clock[-1][1]):
            clock.append((meta.version, moment))

    def _cronjob(self, record: model.ObjectSeen) -> objects.Meta:
        fact = objects.cronjob(record.object)
        meta = fact.meta
        seen = self.cronjob_by_uid.get(meta.uid)
        if seen is None:
            seen = CronJobSeen(first=fact, last=fact, listed=record.via == "list", added_record=record.number)
            self.cronjob_by_uid[meta.uid] = seen
        seen.states.append(fact)
        if meta.version < seen.first.meta.version:
            seen.first = fact
        if meta.version >= seen.last.meta.version:
            seen.last = fact
        if record.change == "DELETED":
            seen.deleted = meta.version
        return meta

    def _job(self, record: model.ObjectSeen) -> objects.Meta:
        fact = objects.job(record.object)
        meta = fact.meta
        seen = self.job_by_uid.get(meta.uid)
        if seen is None:
            listed = record.via == "list"
            seen = JobSeen(first=fact, last=fact, listed=listed, added=meta.version, added_record=record.number)
            self.job_by_uid[meta.uid] = seen
        if meta.version < seen.added:
            seen.first, seen.added = fact, meta.version
        if meta.version >= seen.last.meta.version:
            seen.last = fact
        if fact.over and (seen.over is None or meta.version < seen.over):
            seen.over, seen.over_record = meta.version, record.number
        if record.change == "DELETED":
            seen.deleted = meta.version
        return meta

    def _pod(self, record: model.ObjectSeen) -> objects.Meta:
        fact = objects.pod(record.object)
        meta = fact.meta
        seen = self.pod_by_uid.get(meta.uid)
        if seen is None:
            seen = self.pod_by_uid[meta.uid] = PodSeen(meta)
        if meta.version < seen.meta.version:
            seen.meta = meta
        seen.restarts = max(seen.restarts, fact.restarts)
        seen.version = max(seen.version, meta.version)
        for run in fact.runs:
            before = seen.run(run.attempt)
            if before is None or before.finished is None:
                seen.runs = (*(other for other in seen.runs if other is not before), run)
        return meta

    def _event(self, record: model.ObjectSeen) -> objects.Meta:
        fact = objects.event(record.object)
        meta = fact.meta
        before = self.event_by_uid.get(meta.uid)
        if record.change != "DELETED" and (before is None or before.meta.version <= meta.version):
            self.event_by_uid[meta.uid] = fact
        return meta

    def _engine(self, record: model.ObjectSeen) -> objects.Meta:
        fact = objects.engine(record.object)
        meta = fact.meta
        if record.change != "DELETED":
            self.engine_facts.append(fact)
        return meta

    def _recurring_job(self, record: model.ObjectSeen) -> objects.Meta:
        fact = objects.recurring_job(record.object)
        if fact.executions is not None and record.change != "DELETED":
            self.index.executions.setdefault(fact.meta.name, []).append((fact.meta.version, fact.executions))
        return fact.meta

    def _artefact(self, record: model.ObjectSeen) -> objects.Meta:
        return self.index.lives.take(record).meta

    def finish(self) -> None:
        """Everything that needs all records to have been seen. What is arranged is let go of: memory is highest now."""
        index = self.index
        index.subjects, index.origin = self.starts[-1].subjects, self.starts[-1].origin
        until = 0 if self.starts[0].origin == "dump" else self.baseline_until
        for cronjob in sorted(self.cronjob_by_uid.values(), key=lambda item: item.first.meta.version):
            cronjob.baseline = cronjob.listed and cronjob.added_record < until
            cronjob.states = _changes(cronjob.states)
            index.cronjobs.setdefault(cronjob.first.meta.name, []).append(cronjob)
        self.cronjob_by_uid.clear()
        for job in sorted(self.job_by_uid.values(), key=lambda item: (item.added, item.first.meta.name)):
            job.baseline = job.listed and job.added_record < until
            if job.first.meta.owner_kind == "CronJob":
                index.jobs.setdefault(job.first.meta.owner_name, []).append(job)
        index.first_job = min(
            (job.added for some in index.jobs.values() for job in some if not job.baseline), default=0
        )
        self.job_by_uid.clear()
        for pod in sorted(self.pod_by_uid.values(), key=lambda item: (item.meta.version, item.meta.name)):
            if pod.meta.owner_kind == "Job":
                index.pods.setdefault(pod.meta.owner_uid, []).append(pod)
        self.pod_by_uid.clear()
        for event in sorted(self.event_by_uid.values(), key=lambda item: item.meta.version):
            index.events.setdefault(event.uid, []).append(event)
        self.event_by_uid.clear()
        for engine in sorted(self.engine_facts, key=lambda item: item.meta.version):
            index.engines.setdefault(engine.volume, []).append(engine)
        for counts in index.executions.values():
            counts.sort()
        index.lives.finish()
        self.names = dict(index.lives.volumes())
        index.watched = self._watched()
        index.clock = _rising(index.clock)
        holes = {gap.subject: gap for gap in reversed(index.gaps.get("logs", []))}  # the first of each
        damage = {text.partition(":")[0]: text for text in reversed(index.history.damage)}
        for path in list(self.last_logs):
            self._log(self.last_logs.pop(path), holes=holes, damage=damage.get(path, ""))
        _place_engine_lines(index)

    def _watched(self) -> set[str]:
        """A recorder says what it watched; of a dump, only what came as a stream was."""
        if self.index.origin == "dump":
            return self.by_stream | {"logs", "store"}
        stated = {kind for start in self.starts for kind in start.kinds}
        return stated or self.by_stream

    def _log(self, record: model.Log, *, holes: Mapping[str, model.Gap], damage: str) -> None:
        name = record.pod
        service = name.startswith(("longhorn-manager-", "instance-manager-"))
        file = _log_file(record, self.closed_logs.pop(record.path, None), self.index.history.logs, endless=service)
        if holes or damage:
            about_it = sorted((holes[key] for key in ("", name) if key in holes), key=lambda gap: gap.number)
            file.problem = file.problem or damage or (about_it[0].reason if about_it else "")
        if name.startswith("longhorn-manager-"):
            self.index.manager_logs.append(file)
            for line in file.read():
                for volume in self._volumes_of(line):
                    self.index.manager_lines.setdefault(volume, []).append((file.path, line))
        elif name.startswith("instance-manager-"):
            if not name.startswith("instance-manager-r-"):
                self.index.engine_logs.append(file)
        else:
            self.index.logs[(name, record.attempt)] = file

    def _volumes_of(self, line: Line) -> Iterable[str]:
        """The volumes that a manager's line is about: by an address, a field, or the name of a snapshot or backup."""
        text = line.message if line.get("error") is None else f"{line.message} {line.get('error')}"
        found = dict.fromkeys(_VOLUME_IN_URL.findall(text))
        if line.level in ("warning", "error"):
            found |= dict.fromkeys(self.names[name] for name in _NAME.findall(text) if name in self.names)
            found |= dict.fromkeys(filter(None, [volume_of(line)]))
        return found

    taken: t.ClassVar[Mapping[type, Callable[[_Collector, t.Any], None]]] = {
        model.ObjectSeen: _object, model.Log: _log_seen, model.Start: _start, model.Store: _store, model.Gap: _gap,
        model.ListDone: _list_done, model.Clock: _clock, model.End: _end,
    }  # fmt: skip
    lifted: t.ClassVar[Mapping[str, Callable[[_Collector, model.ObjectSeen], objects.Meta]]] = {
        "cronjobs": _cronjob, "jobs": _job, "pods": _pod, "events": _event, "engines": _engine,
        "recurringjobs": _recurring_job, **dict.fromkeys(KINDS, _artefact),
    }  # fmt: skip


def _changes(states: list[objects.CronJobFact]) -> list[objects.CronJobFact]:
    """In the server's order, only those whose spec is not that of the one before: each tick makes another status."""
    states.sort(key=lambda state: state.meta.version)
    told = [(state.schedule, state.time_zone, state.suspended) for state in states]
    return [state for place, state in enumerate(states) if place == 0 or told[place] != told[place - 1]]


def _rising(stamps: list[tuple[int, datetime]]) -> list[tuple[int, datetime]]:
    """The latest time stamped on anything up to each resourceVersion."""
    rising: list[tuple[int, datetime]] = []
    for version, moment in sorted(stamps):
        rising.append((version, max(moment, rising[-1][1]) if rising else moment))
    return rising


def _log_file(record: model.Log, closed: model.Log | None, files: Mapping[str, bytes], *, endless: bool) -> LogFile:
    """A log and what is wrong with it. That a service's log has no end yet is nothing wrong."""
    content = files.get(record.path)
    problem = ""
    error = logtext.tool_error(content) if content is not None else ""
    if record.state == "opened":
        problem = "it was not closed"
    elif not record.complete and not endless:
        problem = record.reason or "it was not read to the end"
    if content is None:
        problem = "its file is not in the history"
    elif record.state == "closed" and len(content) < record.bytes:
        problem = f"its file has {len(content)} of {record.bytes} bytes"
    elif error:
        problem = f"it ends with the error of the tool that read it ({error[:80]})"
    usable = content is not None and not (error and logtext.only_tool_error(content))
    origin = record.reason.removeprefix("imported from ") if record.reason.startswith("imported from ") else ""
    held = None if content is None else len(content)
    file = LogFile(record.path, record.pod, record.attempt, problem, files if usable else {}, held, origin)
    if closed is not None:
        file.closed, file.size, file.complete = closed.number, closed.bytes, closed.complete
    return file


def _place_engine_lines(index: Index) -> None:
    """Each creation to its volume: by the line's own prefix, else by the replica's address."""
    addresses = {
        address: volume for volume, facts in index.engines.items() for fact in facts for address in fact.replicas
    }
    made: list[tuple[str, str, LoggedSnapshot]] = []
    for log in index.engine_logs:
        for line in log.read():
            message, process = line.message, _ENGINE_PROCESS.fullmatch(line.prefix)
            match = _SNAPSHOT_LINE.match(message)
            if match is not None and line.level == "info":
                made.append((process.group(1) if process else "", match.group(1), _logged(log, line, match)))
            elif process is not None and (backend := _BACKEND_LINE.match(message)):
                addresses[backend.group(1)] = process.group(1)
    placed: set[tuple[str, str]] = set()
    for volume, address, snapshot in made:
        volume = volume or addresses.get(address, "")
        if not volume:
            index.stray_snapshots.append(snapshot)
        elif (volume, snapshot.name) not in placed:  # one line for each replica
            placed.add((volume, snapshot.name))
            index.engine_snapshots.setdefault(volume, []).append(snapshot)


def _logged(log: LogFile, line: Line, match: re.Match[str]) -> LoggedSnapshot:
    _address, name, labels = match.groups()
    label = _JOB_LABEL.search(labels)
    return LoggedSnapshot(name=name, job=label.group(1) if label else "", path=evidence_path(log), line=line.number)


def evidence_path(log: LogFile) -> str:
    """How a report names a log file: as the dump did, if it came from one."""
    return log.origin or log.path
