# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be seen in a cell for it to pass, said before anything is made; and why it might prove nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Fault
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import faults
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import log_patterns as lines
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import effect_in
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import (
    CleanUpFailure,
    Profile,
    UnknownRelease,
    profile,
)

_ATTEMPTS = (3, 4)  # of an invocation that fails: always four, of which the last may be killed  (4.3, addendum)
_SEEN = {
    "warning": "the job logs a warning and ends well",
    "error": "the job logs an error and ends well",
    "fatal": "the job ends with a fatal line and status 1 and is started again, although it should not",
}


def known(release: str, cell: Cell) -> Profile | None:
    """What is known of the release, if it is known."""
    try:
        return profile(release, cell.task) if release else None
    except UnknownRelease:
        return None


def remark(release: str) -> str:
    """What a reader has to know of everything that is said about a release that nobody knows; else empty."""
    try:
        return profile(release, "snapshot").remark if release else ""
    except UnknownRelease:
        return ""


def expectation(
    cell: Cell,
    release: str,
    default_engine_faults: Sequence[Fault],
    *,
    invocations: int = 3,
    sharing: Sequence[Cell] = (),
) -> list[str]:
    """A line for each fault of the cell, and what comes of them. ``sharing``: the other cells of its recurring job."""
    found = known(release, cell)
    if found is None:
        return []
    if cell.faults is None:
        return ["nothing is stated about what fails here"]
    told = [_told(cell, found, fault, default_engine_faults) for fault in cell.faults]
    own = _visible(cell, found, default_engine_faults)
    again = [item for other in sharing for item in _visible(other, found, default_engine_faults) if item.exit_code]
    if again and not own:
        told.append("shares its job with a volume whose failing clean-up starts it again")
    return [
        *(told if cell.faults else ["a control: clean-up has to succeed", *told]),
        *_made(cell, found, own, again, invocations),
        *_known_to_fail(found, own, again),
    ]


def remedy(cell: Cell, release: str, fault: Fault) -> str:
    """Why the cell's fault proves nothing on the release, and what would."""
    works = faults.working(release, fault, task=cell.task)
    better = f"use {' or '.join(works)}" if works else "nothing that we can do makes it fail there"
    return f"{cell.fault_type} does not make it fail on {release}; {better}"


def _told(cell: Cell, found: Profile, fault: Fault, default_engine_faults: Sequence[Fault]) -> str:
    effect = effect_in(cell, found.release, fault, default_engine_faults)
    if effect in ("none", "silent"):
        return f"{fault}: known vacuous, {remedy(cell, found.release, fault)}"
    start = f"{fault} fails ({cell.fault_type}): "
    if effect == "asynchronous":
        return f"{start}the job is silent and ends well, the manager's log has the failure"
    failure = found.failures.get(fault)
    if failure is None:
        return f"{start}the job has to say so and to end well"
    event = f", mostly with an Event {failure.event} on the recurring job" if failure.event else ""
    return f"{start}{_SEEN[failure.level]}{event}"


def _visible(cell: Cell, found: Profile, default_engine_faults: Sequence[Fault]) -> list[CleanUpFailure]:
    """The failures that the cell's job gets to see."""
    return [
        found.failures[fault]
        for fault in cell.faults or ()
        if fault in found.failures and effect_in(cell, found.release, fault, default_engine_faults) == "visible"
    ]


def _made(
    cell: Cell, found: Profile, own: Sequence[CleanUpFailure], again: Sequence[CleanUpFailure], invocations: int
) -> list[str]:
    """The numbers are known of jobs that keep one.  (4.3)"""
    if cell.retain != 1 or not cell.makes_snapshots:
        return []
    snapshots, backups = _numbers(own, again, invocations)
    what = [_number(*snapshots, "snapshots")] + ([_number(*backups, "backups")] if cell.makes_backups else [])
    fewer = ", fewer where nothing new was written" if lines.NO_NEW_DATA[0] in found.skip_lines else ""
    return [f"{invocations} invocations make {' and '.join(what)}{fewer}"]


def _numbers(
    own: Sequence[CleanUpFailure], again: Sequence[CleanUpFailure], invocations: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The least and the most snapshots and backups."""
    since = min((item.since for item in (*own, *again) if item.exit_code), default=invocations + 1)
    failing = max(invocations - since + 1, 0)
    tries = [invocations + failing * (attempts - 1) for attempts in _ATTEMPTS]
    return (
        _capped(tries, (item.most_snapshots for item in own)),
        _capped(tries, (item.most_backups for item in own)),
    )


def _capped(numbers: Sequence[int], most: Iterable[int | None]) -> tuple[int, int]:
    caps = [cap for cap in most if cap is not None]
    least, highest = (min(number, *caps) if caps else number for number in numbers)
    return least, highest


def _number(least: int, most: int, what: str) -> str:
    return f"{least} {what}" if least == most else f"{least} to {most} {what}"


def _known_to_fail(found: Profile, own: Sequence[CleanUpFailure], again: Sequence[CleanUpFailure]) -> list[str]:
    signs = {sign for item in (*own, *again) for sign in item.signs}
    issues = {issue.issue: issue.fix for issue in found.known_issues if issue.sign in signs}
    return [f"known to fail on {found.release}: {issue}, {fix}" for issue, fix in issues.items()]
