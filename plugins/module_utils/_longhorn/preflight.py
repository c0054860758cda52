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
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, recurring_job
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.recurring_job import RecurringJob
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile, UnknownRelease, profile

EVENT_BURST = 25  # events of one object that Kubernetes lets through at once
EVENT_REFILL = timedelta(minutes=5)  # for each one after these
_EVENTS_PER_INVOCATION = 3  # SuccessfulCreate, SawCompletedJob, and SuccessfulDelete of an older Job
_LARGE_OFFSET = 5.0  # seconds; nothing is decided by it, but reading times side by side is hard then
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
    if seen.interval is None or intended.timeout is None or intended.trigger:
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


def _cell_problems(seen: Seen, intended: Intended) -> list[str]:
    problems = [] if intended.cells else ["there is no cell to run"]
    problems += names.run_id_problems(intended.run_id)
    for cell in intended.cells:
        problems += [f"cell {cell.volume}: {problem}" for problem in _own_problems(cell)]
        problems += _taken(seen, intended, cell)
    twice = sorted({cell.volume for cell in intended.cells if _count(intended, cell.volume) > 1})
    problems += [f"volume name {name!r} is given to more than one cell" for name in twice]
    profiles = [_profile(seen, cell) for cell in intended.cells]
    if intended.cells and all(profiles) and all(_vacuous(seen, intended, cell) for cell in intended.cells):
        problems.append(
            "no cell can be conclusive: this release deletes backups with the default engine image, which is not known "
            "to fail. Make one of the stub images the default engine image for the run"
        )
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


def _own_problems(cell: Cell) -> list[str]:
    job = RecurringJob(cell.job, cell.task, cell.cron or "-", cell.retain)
    problems = names.volume_name_problems(cell.volume) + recurring_job.problems(job)
    problems += names.image_problems(cell.engine_image) if cell.engine_image else []
    if cell.cronjob != names.cronjob_name(cell.volume, cell.job):
        problems.append(f"the CronJob will be called {names.cronjob_name(cell.volume, cell.job)}, not {cell.cronjob}")
    return problems


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
    return [
        _row("Kubernetes", f"{seen.kubernetes} at {seen.server}"),
        _row("Longhorn", f"{release}, manager image {seen.manager_image or 'unknown'}"),
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
        lines += [f"    {line}" for line in _expectation(seen, intended, cell)]
    return lines


def _expectation(seen: Seen, intended: Intended, cell: Cell) -> list[str]:
    """What has to be seen in a cell for it to pass, and why it might prove nothing."""
    known = _profile(seen, cell)
    if known is None:
        return []
    if cell.faults is None:
        return ["nothing is stated about what fails here"]
    if not cell.faults:
        return ["a control: clean-up has to succeed"]
    vacuous = planned.vacuous_faults(cell, known, intended.default_engine_faults)
    lines = []
    for fault in cell.faults:
        if fault in vacuous:
            lines.append(
                f"{fault}: known vacuous, {known.release} does it with the default engine image; "
                "make the stub the default one to prove it"
            )
        else:
            lines.append(f"{fault} fails: {_shown_by(known, fault)}")
    issues = sorted({f"{issue.issue}, fixed in {issue.fixed_in}" for issue in known.known_issues})
    return lines + [f"known to fail on {known.release}: {issue}" for issue in issues]


def _shown_by(known: Profile, fault: Fault) -> str:
    if known.retries_on_cleanup_failure:
        return "the job ends with a fatal line and is started again, although it should not"
    if fault in known.asynchronous:
        return "the job is silent and ends well, the manager logs an error"
    return "the job logs a warning and ends well"


def _vacuous(seen: Seen, intended: Intended, cell: Cell) -> bool:
    known = _profile(seen, cell)
    return known is not None and bool(planned.vacuous_faults(cell, known, intended.default_engine_faults))


def _profile(seen: Seen, cell: Cell) -> Profile | None:
    try:
        return profile(seen.release, cell.task) if seen.release else None
    except UnknownRelease:
        return None


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
