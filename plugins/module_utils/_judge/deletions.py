# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each invocation's clean-up, per kind of deletion.

A job's own log tells most of it. Where the release only asks for a deletion and somebody else does it later, what was
asked for is put together by name with what came of it: until 1.1 with the manager's log, the n-th request for a backup
with the n-th outcome for that backup; since then with Longhorn's own object, which is Terminating until it is done.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import Line
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case, Invocation
from ansible_collections.longhorn.qa.plugins.module_utils._judge.index import LogFile, evidence_path
from ansible_collections.longhorn.qa.plugins.module_utils._judge.lives import ArtefactKind, Life
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.log_patterns import LogPattern
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.tasks import PURGING

Asked = list[tuple[str, Evidence]]  # the names that an invocation asked to be deleted, and where it says so


@dataclass
class CleanUp:
    """One invocation's deletions of one kind."""

    invocation: Invocation
    fault: Fault
    due: bool  # it went over retain, so something had to be deleted
    warned: list[Evidence] = field(default_factory=list)  # failed, with the line the release is known to log
    fatal: list[Evidence] = field(default_factory=list)  # failed, and ended the attempt
    stuck: list[Evidence] = field(default_factory=list)  # accepted, and not done by the end of the next Job
    done: list[Evidence] = field(default_factory=list)
    asked: list[Evidence] = field(default_factory=list)  # accepted by the manager, outcome unknown
    blind: list[str] = field(default_factory=list)  # why something may have happened unseen
    unheard: list[str] = field(default_factory=list)  # why the manager may have said something that is not there

    @property
    def failed(self) -> list[Evidence]:
        return [*self.warned, *self.fatal, *self.stuck]


def kind_of(fault: Fault) -> ArtefactKind:
    """What a deletion deletes."""
    return "snapshot" if fault == "snapshot-delete" else "backup"


def clean_ups(case: Case, fault: Fault) -> list[CleanUp]:
    """The judged invocations' deletions of one kind, in order; read once, after the artefacts were given out."""
    if fault not in case.clean_ups:
        case.clean_ups[fault] = _clean_ups(case, fault)
    return case.clean_ups[fault]


def _clean_ups(case: Case, fault: Fault) -> list[CleanUp]:
    profile = case.profile
    if profile is None:
        return []
    due = _due(case, profile, fault)
    found = [_read(case, profile, item, fault, due=due) for item, due in zip(case.invocations, due, strict=True)]
    items, asked = [item for item, _names in found], [names for _item, names in found]
    if fault in profile.asynchronous:
        join = _join_objects if f"{kind_of(fault)}s" in profile.kinds else _join_manager
        join(case, profile, fault, items, asked)
    return [item for item in items if not item.invocation.cut]


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
    manager_lines = [line for _path, line in case.index.manager_lines.get(case.cell.volume, [])]
    names = _removed(case, manager_lines)
    return names.union(*(removed_by(case, item) for item in case.invocations))


def removed_by(case: Case, invocation: Invocation) -> set[str]:
    """Names of the backups that a Job's own log says were deleted or will be."""
    logs = [attempt.log for attempt in invocation.attempts if attempt.log is not None]
    return _removed(case, [line for log in logs for line in log.about(case.cell.volume)])


def _removed(case: Case, told: Iterable[Line]) -> set[str]:
    patterns = case.profile.cleaned_up if case.profile is not None else ()
    found = (pattern.find(line, case.cell.volume) for line in told for pattern in patterns)
    return {names.get("backup", "") for names in found if names is not None}


def present(case: Case, version: int) -> set[str]:
    """Names of all the volume's snapshots at a moment, whoever made them, as far as they were seen."""
    if case.profile is not None and case.profile.snapshot_source == "objects":
        lives = case.index.lives.of("snapshot", case.cell.volume)
        return {name for name, some in lives.items() if any(_is_there(life, version) for life in some)}
    looks = [fact for fact in case.index.engines.get(case.cell.volume, []) if fact.known]
    place = bisect.bisect_right(looks, version, key=lambda fact: fact.meta.version)
    return {item.name for item in looks[place - 1].snapshots if not item.removed} if place else set()


def _is_there(life: Life, version: int) -> bool:
    return life.added <= version and (life.gone is None or life.gone > version)


def _read(case: Case, profile: Profile, invocation: Invocation, fault: Fault, *, due: bool) -> tuple[CleanUp, Asked]:
    item = CleanUp(invocation=invocation, fault=fault, due=due)
    item.blind.extend(log_problems(invocation))
    asked: Asked = []
    for attempt in invocation.attempts:
        if attempt.log is None:
            continue
        for line in attempt.log.about(case.cell.volume):
            if _name(profile.warnings, line, case, fault, source="job") is not None:
                item.warned.append(_where(attempt.log, line))
            elif _name(profile.fatal, line, case, fault, source="job") is not None:
                item.fatal.append(_where(attempt.log, line))
            elif (name := _name(profile.cleaned_up, line, case, fault, source="job")) is not None:
                where = _where(attempt.log, line)
                (item.asked if fault in profile.asynchronous else item.done).append(where)
                asked.append((name, where))
    item.due = item.due or bool(item.failed or item.done or item.asked)
    return item, asked


def _name(patterns: tuple[LogPattern, ...], line: Line, case: Case, fault: Fault, *, source: str) -> str | None:
    """The name that the first matching pattern found ("" if it has none), or None."""
    for pattern in patterns:
        if pattern.source == source and pattern.deletion == fault:
            names = pattern.find(line, case.cell.volume)
            if names is not None:
                return names.get(kind_of(fault), "")
    return None


# --- what had to be deleted -------------------------------------------------------------------------------------------
def _due(case: Case, profile: Profile, fault: Fault) -> list[bool]:
    """Per invocation: whether something of this kind had to be deleted, by what was there and what the task is."""
    if case.cell.task in PURGING:
        return [fault == "snapshot-delete"] * len(case.invocations)
    if case.cell.task == "snapshot-delete":
        return [len(present(case, item.seen.added)) > case.cell.retain for item in case.invocations]
    over = _over_retain(case, kind_of(fault))
    if fault == "snapshot-delete" and profile.snapshots_last:
        blocked = [_ended_by_backups(case, profile, item) for item in case.invocations]
        return [due and not ended for due, ended in zip(over, blocked, strict=True)]
    return over


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


def _ended_by_backups(case: Case, profile: Profile, invocation: Invocation) -> bool:
    """Whether the clean-up ended with a backup that could not be deleted, before it came to snapshots."""
    return any(
        _name(profile.warnings, line, case, "backup-delete", source="job") is not None
        for attempt in invocation.attempts
        if attempt.log is not None
        for line in attempt.log.about(case.cell.volume)
    )


# --- what came of it: Longhorn's own objects --------------------------------------------------------------------------
def _join_objects(case: Case, profile: Profile, fault: Fault, items: list[CleanUp], asked: list[Asked]) -> None:
    """A deletion is done when its object goes before the next Job is over, and stuck when it does not.

    The next Job's time is what a deletion may take: no clock can tell how long is too long. A name that is asked for
    once more is one that was there all the time.
    """
    kind = kind_of(fault)
    lives = case.index.lives.of(kind, case.cell.volume)
    ends = [item.invocation.seen.over for item in items]
    unwatched = case.lacks(f"{kind}s")
    told, unheard = _told_by_manager(case, profile, fault)
    before: set[str] = set()
    for place, (item, names) in enumerate(zip(items, asked, strict=True)):
        item.unheard.extend(unheard)
        later = next((end for end in ends[place + 1 :] if end is not None), None)
        for name in dict.fromkeys(name for name, _where in names):
            life = next(reversed(lives.get(name, [])), None)
            limit = ends[place] if name in before and ends[place] is not None else later
            if life is None or (unwatched and not _went_before(life, limit)):  # it may have gone sooner, or gone at all
                item.blind.extend(unwatched or [f"{kind} {name} has no object in the history"])
                item.warned.extend(told.get(name, []))
                continue
            _outcome_of(item, life, limit, told.get(name, []))
        before |= {name for name, _where in names}


def _went_before(life: Life, limit: int | None) -> bool:
    return life.gone is not None and (limit is None or life.gone < limit)


def _outcome_of(item: CleanUp, life: Life, limit: int | None, told: Sequence[Evidence]) -> None:
    if _went_before(life, limit):
        item.done.append(life.at(life.gone, f"{life.kind} {life.name} is gone"))
        return
    if life.complaint is not None:
        version, text = life.complaint
        item.warned.append(life.at(version, text[:240]))
    item.warned.extend(told)
    if limit is not None:
        state = "stays Terminating" if life.deleting is not None else "stays, and is not even Terminating"
        item.stuck.append(life.at(life.deleting, f"{life.kind} {life.name} {state}"))


def _told_by_manager(case: Case, profile: Profile, fault: Fault) -> tuple[Mapping[str, list[Evidence]], list[str]]:
    """The manager's lines about deletions that failed, by name; and why there may be more of them."""
    logs = {log.path: log for log in case.index.manager_logs}
    told: dict[str, list[Evidence]] = {}
    for path, line in case.index.manager_lines.get(case.cell.volume, []):
        name = _name(profile.warnings, line, case, fault, source="manager")
        if name is not None:
            told.setdefault(name, []).append(_where(logs[path], line))
    return told, _manager_problems(case)


def _manager_problems(case: Case) -> list[str]:
    if not case.index.manager_logs:
        return ["no longhorn-manager's log is in the history"]
    return [f"the manager's log {log.path}: {log.problem}" for log in case.index.manager_logs if log.problem]


# --- what came of it: the manager's log -------------------------------------------------------------------------------
def _join_manager(case: Case, profile: Profile, fault: Fault, items: list[CleanUp], asked: list[Asked]) -> None:
    """Give the manager's outcomes to the requests. Without a request of its own an outcome belongs to a lost log."""
    outcomes: dict[str, list[tuple[bool, Evidence]]] = {}
    logs = {log.path: log for log in case.index.manager_logs}
    for path, line in case.index.manager_lines.get(case.cell.volume, []):
        failed = _name(profile.warnings, line, case, fault, source="manager")
        done = _name(profile.cleaned_up, line, case, fault, source="manager") if failed is None else None
        name = failed if failed is not None else done
        if name is not None:
            outcomes.setdefault(name, []).append((failed is not None, _where(logs[path], line)))
    problems = _manager_problems(case)
    turns = _turns(asked)
    for item, names in zip(items, asked, strict=True):
        item.blind.extend(problems)
        for name, where in names:
            _outcome(item, outcomes.get(name, []), turns[name], where)


def _turns(asked: Iterable[Asked]) -> Mapping[str, list[Evidence]]:
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
    error = line.get("error")
    text = line.message if error is None else f"{line.message}: {error}"
    return Evidence(evidence_path(log), f"line {line.number}", text[:240])
