# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each invocation's clean-up, per kind of deletion.

A job's own log tells most of it. Where the release only asks for a deletion and the manager does it later, the two logs
are put together by the artefact's name: the n-th request for a backup goes with the n-th outcome for that backup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import Line
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import ArtefactKind, Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import LogFile, evidence_path
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.log_patterns import LogPattern
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile


@dataclass
class CleanUp:
    """One invocation's deletions of one kind."""

    invocation: Invocation
    fault: Fault
    due: bool  # it went over retain, so something had to be deleted
    warned: list[Evidence] = field(default_factory=list)  # failed, with the line the release is known to log
    fatal: list[Evidence] = field(default_factory=list)  # failed, and ended the attempt
    done: list[Evidence] = field(default_factory=list)
    asked: list[Evidence] = field(default_factory=list)  # accepted by the manager, outcome unknown
    blind: list[str] = field(default_factory=list)  # why something may have happened unseen
    read: list[Evidence] = field(default_factory=list)  # the logs that were looked through

    @property
    def failed(self) -> list[Evidence]:
        return [*self.warned, *self.fatal]


def kind_of(fault: Fault) -> ArtefactKind:
    """What a deletion deletes."""
    return "snapshot" if fault == "snapshot-delete" else "backup"


def clean_ups(case: Case, fault: Fault) -> list[CleanUp]:
    """The judged invocations' deletions of one kind, in order."""
    profile = case.profile
    if profile is None:
        return []
    over = _over_retain(case, kind_of(fault))
    found = [_read(case, profile, item, fault, due=due) for item, due in zip(case.invocations, over, strict=True)]
    if fault in profile.asynchronous:
        _join_manager(case, profile, fault, [item for item, _names in found], [names for _item, names in found])
    return [item for item, _names in found if not item.invocation.cut]


def log_problems(invocation: Invocation) -> list[str]:
    """Why an invocation's log may not show everything it did."""
    problems = []
    if not invocation.attempts:
        problems.append(f"no attempt of Job {invocation.name} was seen")
    for attempt in invocation.attempts:
        if attempt.log is None:
            problems.append(f"the log of {attempt} is not in the history")
        elif attempt.log.problem:
            problems.append(f"the log of {attempt}: {attempt.log.problem}")
    return problems


def removed(case: Case) -> set[str]:
    """Names of the backups that a log, a job's or the manager's, says were deleted or will be."""
    patterns = case.profile.cleaned_up if case.profile is not None else ()
    job_lines = [
        line for item in case.invocations for attempt in item.attempts if attempt.log for line in attempt.log.lines
    ]
    manager_lines = [line for _path, line in case.index.manager_lines.get(case.cell.volume, [])]
    names = set()
    for line in [*job_lines, *manager_lines]:
        for pattern in patterns:
            match = pattern.match(line.message, level=line.level, volume=case.cell.volume)
            if match is not None:
                names.add(match.groupdict().get("backup") or "")
    return names


def _read(
    case: Case, profile: Profile, invocation: Invocation, fault: Fault, *, due: bool
) -> tuple[CleanUp, list[tuple[str, Evidence]]]:
    item = CleanUp(invocation=invocation, fault=fault, due=due)
    item.blind.extend(log_problems(invocation))
    asked: list[tuple[str, Evidence]] = []
    for attempt in invocation.attempts:
        if attempt.log is None:
            continue
        item.read.append(Evidence(evidence_path(attempt.log), f"{len(attempt.log.lines)} lines"))
        for line in attempt.log.lines:
            where = _where(attempt.log, line)
            if _matches(profile.warnings, line, case, fault, source="job") is not None:
                item.warned.append(where)
            elif _matches(profile.fatal, line, case, fault, source="job") is not None:
                item.fatal.append(where)
            elif (name := _matches(profile.cleaned_up, line, case, fault, source="job")) is not None:
                (item.asked if fault in profile.asynchronous else item.done).append(where)
                asked.append((name, where))
    item.due = item.due or bool(item.failed or item.done or item.asked)
    return item, asked


def _matches(patterns: tuple[LogPattern, ...], line: Line, case: Case, fault: Fault, *, source: str) -> str | None:
    """The name that the first matching pattern found ("" if it has none), or None."""
    for pattern in patterns:
        if pattern.source != source or pattern.deletion != fault:
            continue
        match = pattern.match(line.message, level=line.level, volume=case.cell.volume)
        if match is not None:
            return match.groupdict().get(kind_of(fault)) or ""
    return None


def _over_retain(case: Case, kind: ArtefactKind) -> list[bool]:
    """Per invocation: whether, with what it made itself, more than ``retain`` of the job's artefacts existed."""
    loose = {place for item in case.loose if item.kind == kind for place in item.candidates}
    there = case.older_snapshots if kind == "snapshot" else case.older_backups
    over = []
    for invocation in case.invocations:
        own = len(invocation.made(kind)) or int(invocation.position in loose)
        there += own
        over.append(own > 0 and there > case.cell.retain)
    return over


def _join_manager(
    case: Case, profile: Profile, fault: Fault, items: list[CleanUp], asked: list[list[tuple[str, Evidence]]]
) -> None:
    """Give the manager's outcomes to the requests. Without a request of its own an outcome belongs to a lost log."""
    outcomes: dict[str, list[tuple[bool, Evidence]]] = {}
    logs = {log.path: log for log in case.index.manager_logs}
    for path, line in case.index.manager_lines.get(case.cell.volume, []):
        failed = _matches(profile.warnings, line, case, fault, source="manager")
        done = _matches(profile.cleaned_up, line, case, fault, source="manager") if failed is None else None
        name = failed if failed is not None else done
        if name is not None:
            outcomes.setdefault(name, []).append((failed is not None, _where(logs[path], line)))
    problems = [f"the manager's log {log.path}: {log.problem}" for log in case.index.manager_logs if log.problem]
    if not case.index.manager_logs:
        problems = ["no longhorn-manager's log is in the history"]
    turns = _turns(asked)
    for item, names in zip(items, asked, strict=True):
        item.blind.extend(problems)
        for name, where in names:
            _outcome(item, outcomes.get(name, []), turns[name], where)


def _turns(asked: list[list[tuple[str, Evidence]]]) -> Mapping[str, list[Evidence]]:
    """All requests for each name, in order."""
    turns: dict[str, list[Evidence]] = {}
    for names in asked:
        for name, where in names:
            turns.setdefault(name, []).append(where)
    return turns


def _outcome(item: CleanUp, outcomes: list[tuple[bool, Evidence]], turn: list[Evidence], where: Evidence) -> None:
    place = turn.index(where)
    kinds = {failed for failed, _evidence in outcomes}
    if place >= len(outcomes) or (len(kinds) > 1 and len(outcomes) != len(turn)):
        return
    failed, evidence = outcomes[place]
    (item.warned if failed else item.done).append(evidence)


def _where(log: LogFile, line: Line) -> Evidence:
    return Evidence(evidence_path(log), f"line {line.number}", line.message[:240])
