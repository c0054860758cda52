# SPDX-License-Identifier: GPL-3.0-or-later
"""Bug switches: what may go wrong on a volume beyond a failing clean-up, as data. Tests use them to show that each
check is able to fail. Who acts is named per bug; the parts look here which bugs a volume has.

A plan is a JSON document: ``{"volumes": {VOLUME: [BUG, ...]}}``, where the volume ``*`` stands for every one.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from longhorn_qa_lab.longhorn.releases import Release

PLAN_KEY: t.Final = "bugs.json"
EVERY_VOLUME: t.Final = "*"

#: The start of a job's process at which a bug that happens once does happen.
TURN: t.Final = 2

Actor = t.Literal["job", "engine status", "manager", "CronJob", "API server"]


@dataclasses.dataclass(frozen=True)
class Bug:
    """One thing that goes wrong."""

    actor: Actor
    does: str
    needs_engine: bool = False
    """Whether only a job that drives its engine itself can have it; from 1.0.1 on the manager does that."""


BUGS: t.Final[t.Mapping[str, Bug]] = {
    "duplicate-same-second": Bug("job", "the second Job makes two snapshots in the same second"),
    "duplicate-overlapping": Bug("job", "the second Job begins two backups of its snapshot at once", needs_engine=True),
    "duplicate-late": Bug("manager", "makes one more snapshot when the second Job is over"),
    "missing-artefact": Bug("job", "the second Job makes no backup, only its snapshot"),
    "second-pod": Bug("CronJob", "its Jobs have two pods, of which the second does nothing"),
    "restarted-container": Bug("job", "the second Job's container is killed when all is done, and starts again"),
    "complete-with-nothing": Bug("job", "the second Job ends well and has done nothing"),
    "failed-with-all": Bug("job", "the second Job does everything and ends with an error"),
    "warning-missing": Bug("job", "does not log warnings"),
    "warning-of-another-volume": Bug("job", "names another volume in its warnings"),
    "warning-quoted": Bug("job", "logs its warnings inside the message of another line"),
    "fault-never-fired": Bug("job", "deletes successfully, whatever the image's faults are", needs_engine=True),
    "snapshot-list-hides": Bug("engine status", "never shows the volume's second snapshot"),
    "snapshot-list-invents": Bug("engine status", "shows a snapshot that nobody made, once there are two"),
    "backup-list-hides": Bug("engine status", "never shows the volume's second backup"),
    "artefact-only-in-store": Bug(
        "job", "the second Job writes one more backup into the store, and nowhere else", needs_engine=True
    ),
    "artefact-only-in-api": Bug("engine status", "shows a finished backup that nobody made, once there are two"),
    "store-clock-off": Bug("job", "the times it writes into the store are an hour late", needs_engine=True),
    "event-lost": Bug("API server", "refuses the CronJob's events"),
    "event-of-an-earlier-job": Bug("API server", "has them refused, and has the same of an earlier CronJob instead"),
    "tick-missed": Bug("manager", "has a tick of an every-minute CronJob taken for served, once"),
    "tick-twice": Bug("manager", "makes a second Job for a tick when the first is over, once"),
    "outlives-next-tick": Bug("job", "the second Job runs until the next minute has begun"),
}


class BadBugPlan(ValueError):
    """A plan that cannot be understood; the message says which entry and why."""


@dataclasses.dataclass(frozen=True)
class BugPlan:
    """Which volumes have which bugs."""

    volumes: t.Mapping[str, t.Collection[str]] = dataclasses.field(default_factory=dict)

    def of(self, volume: str) -> frozenset[str]:
        return frozenset((*self.volumes.get(volume, ()), *self.volumes.get(EVERY_VOLUME, ())))


NONE: t.Final = BugPlan()


def parse(text: str) -> BugPlan:
    """A plan; an empty text is none."""
    if not text.strip():
        return NONE
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BadBugPlan(f"bug plan: not JSON: {error}") from error
    if not isinstance(document, dict) or set(document) != {"volumes"} or not isinstance(document["volumes"], dict):
        raise BadBugPlan("bug plan: expected an object with the key 'volumes' and no other, of volume: list of bugs")
    return BugPlan({volume: _bugs(volume, found) for volume, found in document["volumes"].items()})


def require(plan: BugPlan, release: Release) -> None:
    """Refuse what a release cannot have: bugs of jobs that drive an engine, where the manager does that, and later all
    but those of the engine's status, because one job works on several volumes."""
    for volume, found in plan.volumes.items():
        for name in found:
            reason = _unfit(BUGS[name], release)
            if reason:
                raise BadBugPlan(f"bug plan, volume {volume}: {name} is not for {release.name}: {reason}")


def _unfit(bug: Bug, release: Release) -> str:
    if release.recurring_jobs == "objects" and bug.actor != "engine status":
        return "its recurring jobs are objects for several volumes"
    if release.jobs_through == "api" and bug.needs_engine:
        return "its jobs drive no engine"
    return ""


def document(plan: t.Mapping[str, t.Sequence[str]]) -> str:
    """The JSON text of a plan, checked."""
    text = json.dumps({"volumes": {volume: list(found) for volume, found in plan.items()}})
    parse(text)
    return text


def _bugs(volume: str, found: object) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise BadBugPlan(f"bug plan, volume {volume}: expected a list of bugs")
    for name in found:
        if name not in BUGS:
            raise BadBugPlan(f"bug plan, volume {volume}: unknown bug {name!r}; known: {', '.join(BUGS)}")
    return tuple(found)
