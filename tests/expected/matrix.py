# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads matrix.yml: what each release must be judged as, for every task and fault.

for cell in load():
    if not cell.impossible:
        problems = cell.volume.differences({"job-succeeded": "pass", …})
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("matrix.yml")
CHECKS = (
    "fault-live", "job-succeeded", "single-attempt", "one-snapshot-per-invocation", "one-backup-per-invocation",
    "no-overlap", "count-matches-schedule", "cleanup-warning", "events-recorded", "store-agrees", "retain-kept",
    "history-complete",
)  # fmt: skip
BACKUP_TASKS = ("backup", "backup-force-create")
PURGE_TASKS = ("snapshot-cleanup", "filesystem-trim")
NO_FAULT = "none"

_ENTRY = {"fault", "type", "releases", "tasks", "snapshots", "backups", "checks", "issue", "bystander", "impossible",
          "source", "sourced"}  # fmt: skip
_VOLUME = {"snapshots", "backups", "checks", "issue"}


class TableError(ValueError):
    """The table is not whole; the message names the entry."""


@dataclass(frozen=True)
class Volume:
    """What one volume of the job must be judged as."""

    checks: Mapping[str, tuple[str, ...]]  # every check, with all verdicts that may be right
    snapshots: tuple[int, int]  # the least and the most that may have been made
    backups: tuple[int, int]
    issue: str  # which a fail must name; empty where nothing may fail

    @property
    def verdict(self) -> str:
        """The worst that must come out: what may also be better counts as good."""
        certain = {verdicts[0] for verdicts in self.checks.values()}
        return next((word for word in ("fail", "inconclusive") if word in certain), "pass")

    def differences(self, found: Mapping[str, str]) -> list[str]:
        """One line for each check whose verdict is not one of those expected."""
        return [
            f"{check}: expected {' or '.join(right)}, found {found.get(check, 'nothing')}"
            for check, right in self.checks.items()
            if found.get(check) not in right
        ]


@dataclass(frozen=True)
class Cell:
    """One combination of the matrix."""

    release: str
    task: str
    fault: str  # "none", "visible snapshot-delete" …
    fault_type: str  # empty without a fault, or where none is possible
    impossible: str  # why there is no such combination; empty when there is one
    volume: Volume
    bystander: Volume | None  # None: this release's jobs have one volume each
    bystander_is_faulty: bool  # the fault is cluster-wide
    source: str
    sourced: bool

    @property
    def effect(self) -> str:
        return self.fault.partition(" ")[0]

    @property
    def deletion(self) -> str:
        return self.fault.partition(" ")[2]


def load(path: Path = TABLE) -> tuple[Cell, ...]:
    """Every combination once, in the table's order, or TableError."""
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    cells = [cell for entry in table["entries"] for cell in _cells(table, entry)]
    keys = [(cell.release, cell.task, cell.fault) for cell in cells]
    wanted = list(combinations(table["tasks"]))
    for key in wanted:
        if keys.count(key) != 1:
            raise TableError(f"{' × '.join(key)} stands in {keys.count(key)} entries; it must stand in one")
    if strangers := set(keys) - set(wanted):
        raise TableError(f"{' × '.join(sorted(strangers)[0])}: the release has no such task, or the task no such fault")
    return tuple(cells)


def combinations(tasks: Mapping[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """What the table must have: each release's tasks, with each fault that the task's deletions can have."""
    for release, names in tasks.items():
        for task in names:
            yield release, task, NO_FAULT
            for deletion in ("snapshot-delete", "backup-delete")[: 2 if task in BACKUP_TASKS else 1]:
                yield release, task, f"visible {deletion}"
                yield release, task, f"asynchronous {deletion}"


def _cells(table: Mapping[str, t.Any], entry: Mapping[str, t.Any]) -> Iterator[Cell]:
    where = f"{entry.get('fault')}, {entry.get('tasks')} on {entry.get('releases')}"
    if unknown := set(entry) - _ENTRY:
        raise TableError(f"{where}: unknown field {sorted(unknown)[0]!r}")
    impossible = entry.get("impossible", "")
    needed = {"fault", "releases", "tasks"} | (set() if impossible else {"source", "sourced"})
    if missing := needed - set(entry):
        raise TableError(f"{where}: {sorted(missing)[0]!r} is missing")
    releases = list(table["tasks"])
    for release in entry["releases"]:
        shared = releases.index(release) >= releases.index(table["first_with_bystander"])
        for task in entry["tasks"]:
            volume = _volume(table, entry, task=task, faulty=entry["fault"] != NO_FAULT, where=where)
            bystander = entry.get("bystander", "good")
            yield Cell(
                release=release,
                task=task,
                fault=entry["fault"],
                fault_type=entry.get("type", ""),
                impossible=impossible,
                volume=volume,
                bystander=_bystander(table, bystander, volume, task=task, where=where) if shared else None,
                bystander_is_faulty=bystander == "same",
                source=entry.get("source", ""),
                sourced=entry.get("sourced", False),
            )


def _bystander(table: Mapping[str, t.Any], stated: t.Any, volume: Volume, *, task: str, where: str) -> Volume:
    if stated == "same":
        return volume
    if stated == "good":
        made = {"snapshots": 3 if _makes_snapshots(task) else 0, "backups": 3 if task in BACKUP_TASKS else 0}
        return _volume(table, made, task=task, faulty=False, where=where)
    if not isinstance(stated, dict) or set(stated) - _VOLUME:
        raise TableError(f"{where}: bystander {stated!r} is neither good, same nor a volume's entry")
    return _volume(table, stated, task=task, faulty=False, where=f"{where}, bystander")


def _volume(table: Mapping[str, t.Any], entry: Mapping[str, t.Any], *, task: str, faulty: bool, where: str) -> Volume:
    kinds = {"all"} | ({"with a fault"} if faulty else set())
    kinds |= {"without backups"} if task not in BACKUP_TASKS else set()
    kinds |= {"purging only"} if task in PURGE_TASKS else set()
    verdicts = dict.fromkeys(CHECKS, ("pass",))
    for rule in table["always"]:
        if rule["cells"] in kinds:
            verdicts |= dict.fromkeys(rule["checks"], ("not_applicable",))
    verdicts |= {check: (right,) if isinstance(right, str) else tuple(right) for check, right in _checks(entry)}
    if unknown := set(verdicts) - set(CHECKS):
        raise TableError(f"{where}: check {sorted(unknown)[0]!r} is unknown")
    made = Volume(verdicts, _range(entry.get("snapshots", 0)), _range(entry.get("backups", 0)), entry.get("issue", ""))
    if (made.verdict == "fail") != bool(made.issue):
        raise TableError(f"{where}: an issue and a check that fails go together")
    return made


def _checks(entry: Mapping[str, t.Any]) -> Iterator[tuple[str, t.Any]]:
    yield from entry.get("checks", {}).items()


def _range(stated: t.Any) -> tuple[int, int]:
    least, most = (stated, stated) if isinstance(stated, int) else stated
    return least, most


def _makes_snapshots(task: str) -> bool:
    return task in ("snapshot", "snapshot-force-create", *BACKUP_TASKS)
