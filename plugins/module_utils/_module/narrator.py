# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells a recording while it grows: from the records of a history to a few lines a person wants to read.

It shows names, times and counts. Log text is hostile: of it only the message of a warning is shown, made printable and
short.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._history import logfmt, model, objects

Ticks = Callable[[str, datetime, datetime], tuple[datetime, ...]]
_LONGEST = 140
_LOG_BYTES = 1 << 20  # how much of a log is looked through for warnings


@dataclass
class _Job:
    name: str
    cells: tuple[model.Cell, ...]
    number: int
    began: datetime
    pods: set[str] = field(default_factory=set)
    attempts: int = 1
    over: bool = False
    artefacts: dict[str, set[str]] = field(default_factory=dict)  # by volume

    @property
    def title(self) -> str:
        """The volume, or the recurring job of several."""
        return self.cells[0].volume if len(self.cells) == 1 else self.cells[0].job


class Narrator:
    """``lines`` for each record, in their order. ``read_log`` gives the first bytes of a log by its path."""

    def __init__(self, *, wanted: int, read_log: Callable[[str, int], bytes], ticks: Ticks) -> None:
        self._wanted = wanted
        self._read_log = read_log
        self._ticks = ticks
        self._cells: dict[str, tuple[model.Cell, ...]] = {}  # by CronJob
        self._jobs: dict[str, _Job] = {}
        self._known: dict[str, set[str]] = {}  # snapshots by volume
        self._listed: set[str] = set()
        self._older: set[str] = set()  # UIDs of Jobs from before the recording

    def lines(self, record: model.Record) -> list[str]:
        """What to show about this record; mostly nothing."""
        return [printable(line) for line in self._told(record)]

    def _told(self, record: model.Record) -> list[str]:
        match record:
            case model.Start():
                cells = record.subjects.cells
                self._cells = {
                    name: tuple(cell for cell in cells if cell.cronjob == name)
                    for name in dict.fromkeys(cell.cronjob for cell in cells)
                }
                return [f"recording {_times(len(cells), 'cell')}, {_times(self._wanted, 'invocation')} each"]
            case model.ListDone():
                self._listed.add(record.kind)
            case model.ObjectSeen():
                return self._object(record)
            case model.Log() if record.state == "closed":
                return self._log(record)
            case model.Gap():
                return [f"gap: {' '.join(filter(None, (record.kind, record.subject)))}: {record.reason}"]
            case model.Note():
                return [record.text]
            case model.Store():
                return [f"store: {record.error}" if record.error else f"store: {len(record.backups)} backups"]
            case model.End():
                return [f"the recording ended: {record.reason}"]
        return []

    def _object(self, record: model.ObjectSeen) -> list[str]:
        try:
            if record.kind == "jobs":
                return self._job(record)
            if record.kind == "pods":
                return self._pod(objects.pod(record.object))
            if record.kind == "engines":
                return self._engine(objects.engine(record.object))
        except objects.ObjectError:
            pass  # half an object tells nothing
        return []

    def _job(self, record: model.ObjectSeen) -> list[str]:
        fact = objects.job(record.object)
        known, cells = self._jobs.get(fact.meta.uid), self._cells.get(fact.meta.owner_name)
        if "jobs" not in self._listed:
            self._older.add(fact.meta.uid)
        if cells is None or fact.meta.uid in self._older:
            return []
        if known is None:
            number = 1 + sum(job.cells == cells for job in self._jobs.values())
            known = self._jobs[fact.meta.uid] = _Job(fact.meta.name, cells, number, record.at)
            count = f"{number}/{self._wanted}" if number <= self._wanted else f"{number}, beyond {self._wanted} wanted"
            return [f"{known.title}: Job {fact.meta.name} began, {self._why(fact)} ({count})"]
        if known.over or not fact.over:
            return []
        known.over = True
        seconds = (record.at - known.began).total_seconds()
        word = "Complete" if fact.complete else f"Failed ({fact.reason})"
        told = f"{known.title}: Job {known.name} {word} after {seconds:.0f} s, {_times(known.attempts, 'attempt')}"
        return [told + self._next(cells[0], record.at)]

    def _why(self, fact: objects.JobFact) -> str:
        tick = None if fact.by_hand else objects.tick_of(fact.meta.name)
        return f"tick {tick:%H:%M}" if tick else "triggered"

    def _next(self, cell: model.Cell, now: datetime) -> str:
        try:
            tick = next(tick for tick in self._ticks(cell.cron, now, now + timedelta(hours=2)) if tick > now)
        except (ValueError, StopIteration):
            return ""
        return f"; next tick in {(tick - now).total_seconds():.0f} s"

    def _pod(self, fact: objects.PodFact) -> list[str]:
        job = next((job for job in self._jobs.values() if job.name == fact.meta.owner_name), None)
        if job is None:
            return []
        job.pods.add(fact.meta.uid)
        if fact.restarts + 1 <= job.attempts:
            return []
        job.attempts = fact.restarts + 1
        return [f"{job.title}: Job {job.name} is tried again, attempt {job.attempts}"]

    def _engine(self, fact: objects.EngineFact) -> list[str]:
        names = {snapshot.name for snapshot in fact.snapshots if snapshot.job}
        new = names - self._known.get(fact.volume, set())
        first = fact.volume not in self._known
        self._known.setdefault(fact.volume, set()).update(names)
        jobs = reversed(self._jobs.values())
        job = next((job for job in jobs if fact.volume in [cell.volume for cell in job.cells]), None)
        if job is None or first or not new:
            return []
        made = job.artefacts.setdefault(fact.volume, set())
        made |= new
        told = _times(len(made), "snapshot")
        return [f"{fact.volume}: snapshot {', '.join(sorted(new))} seen ({told} since Job {job.name} began)"]

    def _log(self, record: model.Log) -> list[str]:
        job = next((job for job in self._jobs.values() if record.pod_uid in job.pods), None)
        if job is None:
            return []
        told = [] if record.complete else [f"{job.title}: log of {record.pod} is not complete: {record.reason}"]
        content = self._read_log(record.path, _LOG_BYTES)
        warnings = [line for line in logfmt.read_lines([content]) if line.level in ("warning", "error", "fatal")]
        if warnings:
            more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
            told.append(f"{job.title}: {warnings[0].level} seen{more}: {warnings[0].message}")
        return told


def printable(text: str) -> str:
    """One short line without anything a terminal would act on."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."


def _times(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def invocations_of(arguments: t.Mapping[str, t.Any]) -> int:
    """How many invocations the task asks for, as far as its arguments say."""
    value = arguments.get("invocations", 3)
    return int(value) if str(value).isdigit() else 3
