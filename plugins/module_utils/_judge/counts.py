# SPDX-License-Identifier: GPL-3.0-or-later
"""How many artefacts each invocation made, and how sure that is.

Shared by the two "exactly one" checks and by the schedule's. An artefact that may belong to one of several invocations
makes none of them wrong as long as giving it to one that lacks an artefact would make all of them right.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import (
    Artefact,
    Case,
    Invocation,
)
from ansible_collections.longhorn.qa.plugins.module_utils._judge.deletions import log_problems
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import evidence_path
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.log_patterns import LogPattern

State = t.Literal["one", "none", "more", "skipped", "refused", "unknown"]


class Count(t.NamedTuple):
    """One invocation's artefacts of one kind."""

    invocation: Invocation
    state: State
    artefacts: tuple[Artefact, ...]
    text: str
    said: Evidence | None = None  # where the Job itself says why it made nothing

    @property
    def evidence(self) -> list[Evidence]:
        shown = [item for artefact in self.artefacts for item in artefact.evidence[:2]]
        return shown or [self.said or self.invocation.evidence]


def count(case: Case, kind: ArtefactKind) -> list[Count]:
    """One count per judged invocation. That something is missing is for the caller to believe or not."""
    return [_count(case, invocation, kind) for invocation in case.judged]


def surplus(case: Case, kind: ArtefactKind) -> list[Artefact]:
    """Loose artefacts that no assignment can make right: every Job that may have made them has one already."""
    if case.lacks("jobs"):
        return []  # a Job that was not seen may have made it
    return [
        item
        for item in case.loose
        if item.kind == kind
        and not item.maybe_older
        and item.candidates
        and all(case.invocations[place].made(kind) for place in item.candidates)
        and not all(case.invocations[place].cut for place in item.candidates)
    ]


def swallowed(case: Case, invocation: Invocation) -> tuple[ArtefactKind, Evidence] | None:
    """What a Job did not make for the volume because of an error that only its log tells of; None if there is none."""
    lacking = lacks(case, invocation) if invocation.seen.last.complete else []
    error = error_of(case, invocation) if lacking else None
    return None if error is None else (lacking[0], error)


def lacks(case: Case, invocation: Invocation) -> list[ArtefactKind]:
    """What a Job was to make and is not known to have made."""
    return [kind for kind in made_kinds(case) if not invocation.made(kind)]


def error_of(case: Case, invocation: Invocation) -> Evidence | None:
    """The line by which a Job says that it could not go on with the volume; its exit status may say otherwise."""
    return said(case, invocation, errors_of(case))


def errors_of(case: Case) -> list[LogPattern]:
    """Those lines, if the release has any."""
    profile = case.profile
    patterns = (*profile.warnings, *profile.creation_errors) if profile is not None else ()
    return [pattern for pattern in patterns if pattern.level == "error" and pattern.source == "job"]


def made_kinds(case: Case) -> tuple[ArtefactKind, ...]:
    """What an invocation of this task is to make."""
    if case.cell.makes_backups:
        return ("snapshot", "backup")
    return ("snapshot",) if case.cell.makes_snapshots else ()


def _count(case: Case, invocation: Invocation, kind: ArtefactKind) -> Count:
    made = invocation.made(kind)
    loose = [item for item in case.loose if item.kind == kind and invocation.position in item.candidates]
    if len(made) == 1:
        return Count(invocation, "one", tuple(made), f"Job {invocation.name} made {kind} {made[0].name}")
    if made:
        names = ", ".join(f"{item.name} by {item.attempt}" for item in made)
        if _may_be_anothers(case, made, kind):
            text = f"{names}: one of them may be an earlier Job's, which made none that is known"
            return Count(invocation, "unknown", tuple(made), text)
        return Count(invocation, "more", tuple(made), f"Job {invocation.name} made {len(made)} {kind}s: {names}")
    if loose:
        names = ", ".join(item.name for item in loose)
        text = f"Job {invocation.name} made no {kind} that is surely its own; it may have made {names}"
        return Count(invocation, "unknown", tuple(loose), text)
    profile = case.profile
    skipped = said(case, invocation, profile.skip_lines if profile is not None else ())
    if skipped is not None:
        return Count(invocation, "skipped", (), f"Job {invocation.name} had nothing to do: {skipped.text}", skipped)
    refused = said(case, invocation, profile.refusals if profile is not None else ())
    if refused is not None and not invocation.snapshots:
        text = f"Job {invocation.name} made no {kind}, because it could not delete old snapshots: {refused.text}"
        return Count(invocation, "refused", (), text, refused)
    problems = log_problems(invocation) if profile is not None and (profile.skip_lines or profile.refusals) else []
    if problems:
        text = f"Job {invocation.name} made no {kind}; whether it says why is not known: {problems[0]}"
        return Count(invocation, "unknown", (), text)
    if _may_have_lost_one(case, invocation, kind):
        text = f"Job {invocation.name} may have made a {kind} that counts for the next one"
        return Count(invocation, "unknown", (), text)
    return Count(invocation, "none", (), f"Job {invocation.name} made no {kind}")


def _may_be_anothers(case: Case, made: list[Artefact], kind: ArtefactKind) -> bool:
    """Whether all but one could belong to other Jobs that made none."""
    free = {
        place
        for item in made
        for place in item.candidates
        if place != item.invocation and not case.invocations[place].made(kind)
    }
    return len(free) >= len(made) - 1


def _may_have_lost_one(case: Case, invocation: Invocation, kind: ArtefactKind) -> bool:
    later = case.invocations[invocation.position + 1 :]
    return any(invocation.position in item.candidates for other in later for item in other.made(kind))


def said(case: Case, invocation: Invocation, patterns: Iterable[LogPattern]) -> Evidence | None:
    """The first line in a Job's own log that is one of these, and about the cell's volume."""
    wanted = [pattern for pattern in patterns if pattern.source == "job"]
    for attempt in invocation.attempts:
        for line in attempt.log.about(case.cell.volume) if attempt.log is not None and wanted else ():
            if attempt.log is not None and any(p.find(line, case.cell.volume) is not None for p in wanted):
                error = line.get("error")
                text = line.message if error is None else f"{line.message}: {error}"
                return Evidence(evidence_path(attempt.log), f"line {line.number}", text[:200])
    return None
