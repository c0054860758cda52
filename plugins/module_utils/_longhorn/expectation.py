# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be seen in a cell for it to pass, said before anything is made; and why it might prove nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Fault
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import faults
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import vacuous_faults
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile, UnknownRelease, profile


def known(release: str, cell: Cell) -> Profile | None:
    """What is known of the release, if it is known."""
    try:
        return profile(release, cell.task) if release else None
    except UnknownRelease:
        return None


def expectation(cell: Cell, release: str, default_engine_faults: Sequence[Fault]) -> list[str]:
    """A line for each fault of the cell."""
    found = known(release, cell)
    if found is None:
        return []
    if cell.faults is None:
        return ["nothing is stated about what fails here"]
    if not cell.faults:
        return ["a control: clean-up has to succeed"]
    vacuous = vacuous_faults(cell, release, default_engine_faults)
    lines = [
        f"{fault}: known vacuous, {remedy(cell, release, fault)}"
        if fault in vacuous
        else f"{fault} fails ({cell.fault_type}): {_shown_by(cell, found, fault)}"
        for fault in cell.faults
    ]
    issues = sorted({f"{issue.issue}, fixed in {issue.fixed_in or 'no release yet'}" for issue in found.known_issues})
    return lines + [f"known to fail on {release}: {issue}" for issue in issues]


def remedy(cell: Cell, release: str, fault: Fault) -> str:
    """Why the cell's fault proves nothing on the release, and what would."""
    works = faults.working(release, fault, task=cell.task)
    better = f"use {' or '.join(works)}" if works else "nothing that we can do makes it fail there"
    return f"{cell.fault_type} does not make it fail on {release}; {better}"


def _shown_by(cell: Cell, found: Profile, fault: Fault) -> str:
    if found.retries_on_cleanup_failure:
        return "the job ends with a fatal line and is started again, although it should not"
    if faults.effect(found.release, cell.fault_type, fault, task=cell.task) == "visible":
        return "the job logs a warning and ends well"
    return "the job is silent and ends well, the manager logs an error"
