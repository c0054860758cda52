# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight's one page: what will be run, on what, what it can prove, and everything that stands in its way.

All problems are collected, so that a person fixes them in one go and before anything is made. What only weakens a run
is a remark on the page: a vacuous cell runs, labelled so.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Fault
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import cells as planned
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import (
    expectation,
    names,
    recurring_job,
    versions,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import RecurringJob

EVENT_BURST = 25  # events of one object that Kubernetes lets through at once
EVENT_REFILL = timedelta(minutes=5)  # for each one after these
_EVENTS_PER_INVOCATION = 3  # SuccessfulCreate, SawCompletedJob, and SuccessfulDelete of an older Job
_LARGE_OFFSET = 5.0  # seconds; nothing is decided by it, but reading times side by side is hard then
_LOCK_EXPIRY = timedelta(seconds=150)
_AFTER_LAST_TICK = timedelta(seconds=60)  # what the last invocation may take


@dataclass(frozen=True)
class Intended:
    """The run that is asked for."""

    cells: tuple[Cell, ...]
    cron: str
    invocations: int
    timeout: timedelta | None  # None: as long as it needs
    run_id: str = ""
    trigger: bool = False
    default_engine_faults: tuple[Fault, ...] = ()
    left_out: tuple[str, ...] = ()  # what was wished for and cannot be
    short_interval: bool = False  # whether one below the store's lock expiry is meant


@dataclass(frozen=True)
class Seen:
    """What the cluster was like."""

    server: str
    kubernetes: str
    manager_image: str
    release: str  # empty: it could not be told, and ``problems`` says so
    release_is_stated: bool
    default_image: str
    ready_nodes: tuple[str, ...]
    other_nodes: tuple[str, ...]
    denied: tuple[str, ...]  # "create services/proxy in longhorn-system (to make volumes)"
    asked: int  # how many permissions were asked for
    clock_offset: float | None  # seconds that the API server is ahead
    volumes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # name to labels
    cronjobs: tuple[str, ...] = ()
    interval: timedelta | None = None  # between two ticks; None: the cron line is wrong
    problems: tuple[str, ...] = ()  # what was found while looking


@dataclass(frozen=True)
class Page:
    """What is shown, and what stops the run."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    timeout: int  # seconds that the run has


def page(seen: Seen, intended: Intended) -> Page:
    """Everything at once."""
    timeout = intended.timeout or needed_time(seen, intended)
    problems = [
        *seen.problems,
        *_cluster_problems(seen),
        *_time_problems(seen, intended),
        *_cell_problems(seen, intended),
    ]
    problems = list(dict.fromkeys(problems))  # a plan and its run can have the same one
    lines = [*_cluster_lines(seen), *_run_lines(seen, intended, timeout), *_cell_lines(seen, intended)]
    if problems:
        lines += ["", "Not possible:", *(f"  - {problem}" for problem in problems)]
    return Page(tuple(lines), tuple(problems), int(timeout.total_seconds()))


def needed_time(seen: Seen, intended: Intended) -> timedelta:
    """How long the run takes at least: up to one interval until the first tick, then one for each invocation."""
    interval = timedelta() if intended.trigger else (seen.interval or timedelta())
    return interval * intended.invocations + _AFTER_LAST_TICK * (intended.invocations if intended.trigger else 1)


def _cluster_problems(seen: Seen) -> list[str]:
    problems = [] if seen.ready_nodes else ["no node of Longhorn's is ready, so no volume can be attached"]
    if seen.denied:
        problems.append(f"permissions are missing (rbac/run.yml has them all): {', '.join(seen.denied)}")
    return problems


def _time_problems(seen: Seen, intended: Intended) -> list[str]:
    problems = []
    if intended.invocations < 1:
        problems.append(f"invocations {intended.invocations} is not allowed; it must be at least 1")
    if intended.timeout is not None and intended.timeout < timedelta():
        problems.append(f"timeout {_seconds(intended.timeout)} is not allowed; it must be at least 0")
        return problems
    if seen.interval is None or intended.trigger:
        return problems
    problems += _lock_problems(seen, intended, seen.interval)
    if intended.timeout is None:
        return problems
    if intended.timeout < seen.interval:
        problems.append(
            f"the deadline of {_seconds(intended.timeout)} is shorter than one interval of cron {intended.cron!r} "
            f"({_seconds(seen.interval)}): no invocation would be seen"
        )
    elif intended.timeout < seen.interval * intended.invocations:
        problems.append(
            f"the deadline of {_seconds(intended.timeout)} is too short for {intended.invocations} invocations of "
            f"cron {intended.cron!r}: they need up to {_seconds(needed_time(seen, intended))}"
        )
    return problems


def _lock_problems(seen: Seen, intended: Intended, interval: timedelta) -> list[str]:
    """A lock that a deletion left in the store holds up the next backup until it expires.  (facts 6.3)"""
    locks = bool(seen.release) and versions.between(seen.release, "v1.1.0")
    if not locks or intended.short_interval or interval >= _LOCK_EXPIRY:
        return []
    if not any(cell.makes_backups for cell in intended.cells):
        return []
    return [
        f"cron {intended.cron!r} comes every {_seconds(interval)}, and a lock in the backup store expires after "
        f"{_seconds(_LOCK_EXPIRY)} only: a failing deletion could hold up the next backup. Choose a longer interval, "
        "or set allow_short_interval"
    ]


def _cell_problems(seen: Seen, intended: Intended) -> list[str]:
    # Without a release nothing can be planned, and that is the problem already.
    problems = [] if intended.cells or not seen.release else ["there is no cell to run", *intended.left_out]
    problems += names.run_id_problems(intended.run_id)
    for cell in intended.cells:
        problems += [f"cell {cell.volume}: {problem}" for problem in _own_problems(cell, seen.release)]
        problems += _unstated(intended, cell)
        problems += _taken(seen, intended, cell)
    twice = sorted({cell.volume for cell in intended.cells if _count(intended, cell.volume) > 1})
    problems += [f"volume name {name!r} is given to more than one cell" for name in twice]
    with_faults = [cell for cell in intended.cells if cell.faults]
    if with_faults and all(_vacuous(seen, intended, cell) for cell in with_faults):
        problems += ["no cell can be conclusive: no deletion that should fail would", *_remedies(seen, intended)]
    if (
        intended.cells
        and intended.invocations >= 1
        and all(cell.retain >= intended.invocations for cell in intended.cells)
    ):
        problems.append(
            f"no cell can be conclusive: {intended.invocations} invocations of each job do not go beyond retain, so "
            "nothing has to be deleted. Record more invocations than retain"
        )
    return problems


def _remedies(seen: Seen, intended: Intended) -> list[str]:
    """What would make each kind of deletion fail, once for each."""
    found = {
        expectation.remedy(cell, seen.release, fault): fault
        for cell in intended.cells
        for fault in _vacuous(seen, intended, cell)
    }
    return [f"{fault}: {told}" for told, fault in found.items()]


def _own_problems(cell: Cell, release: str) -> list[str]:
    problems = names.volume_name_problems(cell.volume)
    problems += names.image_problems(cell.engine_image) if cell.engine_image else []
    known = recurring_job.limits(release or versions.JUNE_2020)
    problems += recurring_job.problems(RecurringJob(cell.job, cell.task, cell.cron or "-", cell.retain), known)
    expected = cell.job if known.objects else names.cronjob_name(cell.volume, cell.job)
    if cell.cronjob != expected:
        problems.append(f"the CronJob will be called {expected}, not {cell.cronjob}")
    return problems


def _unstated(intended: Intended, cell: Cell) -> list[str]:
    """Nobody can see from outside what the default engine image refuses."""
    if cell.fault_type != "default-engine-image":
        return []
    return [
        f"cell {cell.volume}: {fault} is to fail by default-engine-image, and default_engine_faults does not name it"
        for fault in cell.faults or ()
        if fault not in intended.default_engine_faults
    ]


def _taken(seen: Seen, intended: Intended, cell: Cell) -> list[str]:
    labels = seen.volumes.get(cell.volume)
    if labels is None:
        if cell.cronjob in seen.cronjobs:
            return [f"CronJob {cell.cronjob} exists without its volume {cell.volume}: remove it first"]
        return []
    if names.owned_by_run(labels, intended.run_id):
        return []
    return [f"volume {cell.volume} exists and was not made by this run: choose another run_id, or remove it"]


def _count(intended: Intended, volume: str) -> int:
    return sum(cell.volume == volume for cell in intended.cells)


def _cluster_lines(seen: Seen) -> list[str]:
    release = f"{seen.release or 'unknown'} ({'as stated' if seen.release_is_stated else 'by its tag'})"
    nodes = f"{len(seen.ready_nodes)} of {len(seen.ready_nodes) + len(seen.other_nodes)} ready"
    if seen.other_nodes:
        nodes += f"; not ready: {', '.join(seen.other_nodes)}"
    granted = seen.asked - len(seen.denied)
    remark = expectation.remark(seen.release)
    return [
        _row("Kubernetes", f"{seen.kubernetes} at {seen.server}"),
        _row("Longhorn", f"{release}, manager image {seen.manager_image or 'unknown'}"),
        *([_row("", remark)] if remark else []),
        _row("Default engine", seen.default_image),
        _row("Nodes", nodes),
        _row("Permissions", f"{granted} of {seen.asked} granted"),
        _row("Clock", _clock(seen.clock_offset)),
    ]


def _run_lines(seen: Seen, intended: Intended, timeout: timedelta) -> list[str]:
    when = "each started when the one before has ended" if intended.trigger else f"cron {intended.cron!r}"
    if seen.interval is not None and not intended.trigger:
        when += f", every {_seconds(seen.interval)}"
    return [
        _row("Invocations", f"{intended.invocations} of each job, {when}; deadline {_seconds(timeout)}"),
        _row("Events", _events(seen, intended)),
    ]


def _cell_lines(seen: Seen, intended: Intended) -> list[str]:
    lines = ["Cells"]
    for cell in intended.cells:
        lines.append(f"  {cell.volume}: {cell.task}, {cell.engine_image or 'default engine image'}")
        told = expectation.expectation(
            cell,
            seen.release,
            intended.default_engine_faults,
            invocations=intended.invocations,
            sharing=[one for one in intended.cells if one.cronjob == cell.cronjob and one != cell],
        )
        lines += [f"    {line}" for line in told]
    if intended.left_out:
        lines += ["Left out", *(f"  {reason}" for reason in intended.left_out)]
    return lines


def _vacuous(seen: Seen, intended: Intended, cell: Cell) -> tuple[Fault, ...]:
    if expectation.known(seen.release, cell) is None:
        return ()
    return planned.vacuous_faults(cell, seen.release, intended.default_engine_faults)


def _events(seen: Seen, intended: Intended) -> str:
    needed = _EVENTS_PER_INVOCATION * intended.invocations
    duration = timedelta() if intended.trigger else (seen.interval or timedelta()) * intended.invocations
    budget = EVENT_BURST + duration // EVENT_REFILL
    told = f"about {needed} for each CronJob; Kubernetes keeps {EVENT_BURST} and then one in 5 minutes"
    if needed <= budget:
        return f"{told}: enough"
    return f"{told}: those after invocation {budget // _EVENTS_PER_INVOCATION} may be lost, which is not a failure"


def _clock(offset: float | None) -> str:
    if offset is None:
        return "the API server does not tell its time"
    ahead = f"the API server is {abs(offset):.1f} s {'ahead of' if offset >= 0 else 'behind'} this host"
    return ahead + ("; times in the report are the server's" if abs(offset) > _LARGE_OFFSET else "")


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():.0f} s"


def _row(title: str, text: str) -> str:
    return f"{title:<16}{text}"


def plain(result: Page) -> dict[str, t.Any]:
    """For a module's result."""
    return {"page": list(result.lines), "problems": list(result.problems), "timeout": result.timeout}
