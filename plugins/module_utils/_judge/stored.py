# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store remembers when nothing else does: more backups of a recurring job than its schedule can have made.

Each backup says which job made it and when its snapshot was taken. A Job starts after the one before it is over and
runs for the latest tick then, so between two snapshots there are as many ticks as Jobs, give or take one: only what is
beyond that is called wrong. What was deleted cannot be counted, unless the bucket keeps versions.
"""

from __future__ import annotations

import bisect
import itertools
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.objects import JOB_LABEL
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time
from ansible_collections.longhorn.qa.plugins.module_utils._judge.correlate import Case
from ansible_collections.longhorn.qa.plugins.module_utils._judge.schedule import Ticks
from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import Evidence, Finding

_PAUSE = timedelta(days=2)  # a longer one parts the backups: what happened in between is nobody's guess
_SLACK = 1  # the first one may be late for its tick, and the next one with it


@dataclass(frozen=True)
class _Made:
    """One backup of the job."""

    at: datetime
    name: str
    evidence: Evidence


def compare(finding: Finding, case: Case, ticks: Ticks) -> None:
    """Look back only: of a run that was recorded, better is known."""
    if case.index.origin != "dump":
        return
    made = _made(case)
    if not made:
        return
    if not case.cell.cron:
        finding.unclear(
            f"the store has {len(made)} backups of job {case.cell.job}; when it was to run is not known",
            advice="State the schedule of the job as it was (expect).",
        )
        return
    try:
        groups = [_Group(tuple(group), case.cell.cron, ticks) for group in _groups(made)]
    except ValueError as error:
        finding.unclear(f"the schedule {case.cell.cron!r} cannot be read: {error}")
        return
    _tell(finding, case, groups)


def _tell(finding: Finding, case: Case, groups: list[_Group]) -> None:
    doubt = _doubt(case)
    crowds = [group for group in groups if group.surplus]
    for group in crowds:
        text = (
            f"the store has {len(group.made)} backups of job {case.cell.job} from {_shown(group.made[0].at)} "
            f"to {_shown(group.made[-1].at)}, at least {group.surplus} more than {case.cell.cron!r} makes by itself"
        )
        if doubt:
            finding.unclear(f"{text}, but {doubt}", *group.evidence)
        else:
            finding.bad(text, *group.evidence)
    if not crowds:
        pairs = sum(group.doubles for group in groups)
        count = sum(len(group.made) for group in groups)
        if pairs:
            finding.unclear(
                f"{pairs} times the store has two backups of job {case.cell.job} between the same two ticks, as a late "
                "Job or one made by hand leaves them too"
            )
        else:
            finding.right.append(f"the {count} backups in the store fit the schedule")
    if not any(store.deleted for store in case.index.stores):
        finding.unclear("what was deleted from the store is not known", advice="Keep versions in the bucket.")


def _doubt(case: Case) -> str:
    """Why the schedule may have been another one when the backups were made."""
    if case.index.gaps.get("cronjobs"):
        return "whether the schedule was always this one is not known"
    last = case.cronjobs[-1].last.meta if case.cronjobs else None
    if last is not None and last.generation > 1:
        return "the CronJob was changed after it was made, maybe in its schedule"
    if any(item.by_hand for item in case.invocations):
        return "Jobs of this CronJob were made by hand"
    return ""


def _made(case: Case) -> list[_Made]:
    """The backups of the job by time, each once. Those from before the CronJob had another schedule, or none."""
    since = case.cronjobs[0].first.meta.created if case.cronjobs else None
    found: dict[str, _Made] = {}
    for store in case.index.stores:
        for backup in (*store.backups, *store.deleted):
            moment = parse_time(backup.created)
            if not _of_cell(case, backup) or moment is None or (since is not None and moment < since):
                continue
            found[backup.name] = _Made(
                moment, backup.name, Evidence("store listing", f"record {store.number}", backup.key)
            )
    return sorted(found.values(), key=lambda item: (item.at, item.name))


def _of_cell(case: Case, backup: model.StoredBackup) -> bool:
    return backup.volume == case.cell.volume and backup.labels.get(JOB_LABEL) == case.cell.job


def _groups(made: Iterable[_Made]) -> Iterator[list[_Made]]:
    group: list[_Made] = []
    for item in made:
        if group and item.at - group[-1].at > _PAUSE:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


class _Group:
    """Backups without a long pause between them, against the ticks of their time."""

    def __init__(self, made: tuple[_Made, ...], expression: str, ticks: Ticks) -> None:
        self.made = made
        due = ticks(expression, made[0].at, made[-1].at)
        passed = [bisect.bisect_right(due, item.at) for item in made]
        ahead = [place - count for place, count in enumerate(passed)]
        lowest = itertools.accumulate(ahead, min)
        self.surplus = max(0, max(map(operator.sub, ahead, lowest)) - _SLACK)
        self.doubles = sum(first == second for first, second in itertools.pairwise(passed))

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(item.evidence for item in self.made)


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
