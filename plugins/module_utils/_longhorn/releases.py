# SPDX-License-Identifier: GPL-3.0-or-later
"""What each Longhorn release is known to do, as a data table.

The judge asks this table which log line a failing deletion leaves, who does that deletion, and what is a known bug; no
check knows a release by name. What a release can be asked for stands with what is asked: ``tasks``, ``faults``,
``recurring_job``, ``backup_target``, ``permissions``. What is intended is the same for all of them, and stands in the
checks; here is only where a release is known to do otherwise. A release that is not in the table is judged by what is
intended alone, and the verdict says so. Section numbers in comments are those of the project's collected Longhorn
facts.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Cell, Fault, Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import log_patterns as lines
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import tasks, versions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.log_patterns import LogPattern

# Whose code does a deletion: the volume's or the default engine image's binary, or the instance manager.  (5.1)
Engine = t.Literal["volume-image", "default-image", "instance-manager"]
# What shows every snapshot that was made: the engine's own log; the job's log, with the engine's status beside it; or
# Longhorn's own objects, whose life is watched.
SnapshotSource = t.Literal["engine log", "job log", "objects"]
# What has to be seen for a failing check to be a known issue's doing.
Sign = t.Literal["", "ended", "retried", "swallowed"]
# Of the line that a job leaves which sees a deletion fail; "fatal" ends its process.
Level = t.Literal["warning", "error", "fatal"]

_RELEASE_TAG = re.compile(r"v\d+\.\d+\.\d+")


class UnknownRelease(ValueError):
    """No profile for this release and task, or no release could be told; the message says what to do."""


@dataclass(frozen=True)
class KnownIssue:
    """An upstream bug that makes a check fail on this release."""

    check: str
    issue: str  # "longhorn#1424"
    sentence: str
    fixed_in: str  # empty where no fix is known
    sign: Sign = ""

    @property
    def fix(self) -> str:
        return f"fixed in {self.fixed_in}" if self.fixed_in else "no fix is known"

    def __str__(self) -> str:
        return f"{self.issue}: {self.sentence} ({self.fix})"


@dataclass(frozen=True)
class CleanUpFailure:
    """What a job does that sees a deletion fail, and what is made all the same.  (0, 4.3: of jobs that keep one)"""

    level: Level = "warning"
    since: int = 2  # the first invocation that sees it; before, there is nothing to delete
    most_snapshots: int | None = None  # what there is then, however many invocations follow; None: it grows
    most_backups: int | None = None
    event: str = ""  # reason of the Event on the recurring job, which may be lost  (7)

    @property
    def exit_code(self) -> int:
        """Of the job's process. With 1 Kubernetes starts it again, until the Job is Failed."""
        return int(self.level == "fatal")

    @property
    def signs(self) -> tuple[Sign, ...]:
        """What known issues can be told by."""
        if self.exit_code:
            return ("", "ended", "retried")
        return () if self.most_snapshots is None and self.most_backups is None else ("swallowed",)


@dataclass(frozen=True)
class Profile:
    """What one release does for one task. Any line of ``warnings`` proves that its deletion was tried and failed."""

    release: str
    task: Task
    deletion_runs_with: Mapping[Fault, Engine]  # the deletions of this task, and who does each
    warnings: tuple[LogPattern, ...] = ()
    fatal: tuple[LogPattern, ...] = ()  # the line that ends an attempt because a deletion failed
    cleaned_up: tuple[LogPattern, ...] = ()  # a deletion succeeded, or was accepted when it is asynchronous
    created: tuple[LogPattern, ...] = ()  # an artefact was made
    creation_errors: tuple[LogPattern, ...] = ()  # the attempt ended because an artefact could not be made
    refusals: tuple[LogPattern, ...] = ()  # nothing was made, because old artefacts cannot be deleted
    skip_lines: tuple[LogPattern, ...] = ()  # the release itself says that nothing was to be done
    asynchronous: frozenset[Fault] = frozenset()  # accepted deletions are done later, behind the job's back
    pre_clean: bool = False  # old artefacts are deleted before anything is made
    snapshots_last: bool = False  # a backup task deletes old snapshots after old backups, if at all
    failures: Mapping[Fault, CleanUpFailure] = field(default_factory=dict)  # of deletions that the job sees fail
    counts_executions: bool = False  # the recurring job's object counts starts of the process
    snapshot_source: SnapshotSource = "engine log"
    kinds: tuple[str, ...] = ()  # objects of Longhorn's that tell of jobs and what they made
    known_issues: tuple[KnownIssue, ...] = ()
    like: str = ""  # not a known release: its lines are looked for in the words of this one

    def needs_default_engine_image(self, fault: Fault) -> bool:
        """Whether that deletion runs with the default engine image, so that a volume's own stub never sees it."""
        return self.deletion_runs_with.get(fault) == "default-image"

    @property
    def remark(self) -> str:
        """What a reader has to know of a verdict about a release that nobody knows; else empty."""
        if not self.like:
            return ""
        return (
            f"Longhorn {self.release} is not known here, {self.like} is the last known before it: judged is what is "
            "intended, and log lines are looked for in that release's words"
        )


# --- known issues -----------------------------------------------------------------------------------------------------
# 0, 4.7, 8: #1424. A failing clean-up ends the process, and the Job starts it again.
_RETRIES = tuple(
    KnownIssue(check, "longhorn#1424", sentence, "v1.0.1", sign)
    for check, sentence, sign in t.cast(
        tuple[tuple[str, str, Sign], ...],
        (
            ("job-succeeded", "a failing clean-up ends the job's process with status 1, so the Job fails", ""),
            ("single-attempt", "the Job starts the container again after each failing clean-up", ""),
            ("one-snapshot-per-invocation", "each further attempt makes one more snapshot", ""),
            (
                "one-backup-per-invocation",
                "each further attempt makes one more backup; with snapshot deletion failing, none is made",
                "",
            ),
            ("count-matches-schedule", "snapshots and backups grow by the number of attempts, not of ticks", ""),
            ("cleanup-warning", "a failing clean-up is no warning, but the fatal line that ends the process", "ended"),
            ("events-recorded", "the CronJob's event says that the Job failed", ""),
        ),
    )
)
# 0, 8: #10154. The same once more, since the error of a volume is passed on, and now for all volumes of the Job.
_RETRIES_ALL = tuple(
    KnownIssue(check, "longhorn#10154", sentence, "", "retried")
    for check, sentence in (
        ("job-succeeded", "a failing clean-up of one volume ends the job's process with status 1, so the Job fails"),
        ("single-attempt", "the Job is started again for all of its volumes after a failing clean-up of one"),
        ("one-snapshot-per-invocation", "each further attempt makes one more snapshot of every volume that lets it"),
        ("one-backup-per-invocation", "each further attempt makes one more backup of every volume that lets it"),
        ("count-matches-schedule", "snapshots and backups grow by the number of attempts, not of ticks"),
        ("events-recorded", "the CronJob's event says that the Job failed"),
        ("retain-kept", "the last attempt is ended when the Job fails, and leaves what it has just made"),
    )
)
# 0, 8: #4255, #2099. Errors are a volume's own affair.
_SWALLOWED = KnownIssue(
    "job-succeeded",
    "longhorn#4255",
    "the error of a volume is only logged, so a Job that made nothing for it is Complete",
    "v1.4.4 and v1.5.2",
    "swallowed",
)
# 0, 4.2: the same, and the clean-up comes before the backup; since 1.3.3 and 1.4.2 before the snapshot (#4898).
_NO_BACKUP = KnownIssue(
    "one-backup-per-invocation",
    "longhorn#4255",
    "the clean-up before the backup fails, which is only logged, and no backup is made",
    "v1.4.4 and v1.5.2",
    "swallowed",
)
# 0, 8: #13587. That it is fixed is known from issues only.
_LOST = KnownIssue(
    "job-succeeded",
    "longhorn#13587",
    "the error of a volume is logged and then lost, so a Job that made nothing for it is Complete",
    "v1.12.2, as its issue says",
    "swallowed",
)


# --- a deletion that the job sees fail -------------------------------------------------------------------------------
Failures = Mapping[tuple[Task, Fault], CleanUpFailure]

_WARNS = CleanUpFailure()
_ENDS = CleanUpFailure("fatal")
_GOES_ON = CleanUpFailure("error")
_BACKUPS: Failures = {("backup", "backup-delete"): _WARNS, ("backup-force-create", "backup-delete"): _WARNS}

# 0, first row; 4.3: snapshots are cleaned up before there is a backup.
_FAILS_1_0_0: Failures = {
    ("snapshot", "snapshot-delete"): _ENDS,
    ("backup", "snapshot-delete"): replace(_ENDS, most_backups=1),
    ("backup", "backup-delete"): _ENDS,
}
# 0, second row.
_FAILS_1_0_1: Failures = {("snapshot", "snapshot-delete"): _WARNS, ("backup", "snapshot-delete"): _WARNS, **_BACKUPS}
# 0, third row; 4.2, 4.3: as before, but the last backup's snapshot is kept, so it is the third that has to delete.
_FAILS_1_2_0: Failures = {
    ("snapshot", "snapshot-delete"): _GOES_ON,
    ("backup", "snapshot-delete"): replace(_GOES_ON, since=3, most_backups=2),
    ("snapshot-delete", "snapshot-delete"): _GOES_ON,
    ("snapshot-cleanup", "snapshot-delete"): _GOES_ON,
    **_BACKUPS,
}


def _with_pre_clean(level: Level) -> Failures:
    """0, 4.2, 4.3: nothing is made while more than one is there, and the clean-up after a backup only warns.  (4.9)"""
    plain = CleanUpFailure(level)
    told = replace(plain, event="FailedDeleting")
    return {
        ("snapshot", "snapshot-delete"): replace(told, most_snapshots=2),
        ("backup", "snapshot-delete"): replace(told, since=3, most_snapshots=2, most_backups=2),
        ("snapshot-force-create", "snapshot-delete"): told,
        ("backup-force-create", "snapshot-delete"): replace(told, level="warning"),
        ("snapshot-delete", "snapshot-delete"): plain,
        ("snapshot-cleanup", "snapshot-delete"): plain,
        ("filesystem-trim", "snapshot-delete"): plain,
        **_BACKUPS,
    }


# --- generations ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class _Generation:
    """Releases that do the same; a backup task does everything that a snapshot task does, and more."""

    releases: tuple[str, ...]
    snapshots_deleted_by: Engine
    backups_deleted_by: Engine
    asynchronous: frozenset[Fault]
    snapshot_source: SnapshotSource
    kinds: tuple[str, ...]
    created: tuple[LogPattern, ...]
    cleaned_up: tuple[LogPattern, ...]
    warnings: tuple[LogPattern, ...]
    creation_errors: tuple[LogPattern, ...]
    failures: Failures
    fatal: tuple[LogPattern, ...] = ()
    refusals: tuple[LogPattern, ...] = ()
    skip_lines: tuple[LogPattern, ...] = ()
    pre_clean: bool = False
    snapshots_last: bool = False
    counts_executions: bool = False
    known_issues: tuple[KnownIssue, ...] = ()

    def profile(self, release: str, task: Task) -> Profile:
        """As far as it is about the task."""
        makes_backups = Cell("", task, "", "").makes_backups
        purges = task in tasks.PURGING
        pre_clean = self.pre_clean and task in tasks.PRE_CLEANED
        deletions: dict[Fault, Engine] = {"snapshot-delete": self.snapshots_deleted_by}
        deletions |= {"backup-delete": self.backups_deleted_by} if makes_backups else {}
        about = tuple if makes_backups else _not_about_backups
        return Profile(
            release=release,
            task=task,
            deletion_runs_with=deletions,
            warnings=about(self.warnings),
            fatal=about(self.fatal),
            cleaned_up=(lines.PURGED,) if purges else about(self.cleaned_up),
            created=about(self.created),
            creation_errors=self.creation_errors,
            refusals=self.refusals if pre_clean else (),
            skip_lines=self.skip_lines,
            asynchronous=frozenset() if purges else self.asynchronous & set(deletions),
            pre_clean=pre_clean,
            snapshots_last=self.snapshots_last and makes_backups,
            failures={deletion: self.failures[task, deletion] for deletion in deletions},
            counts_executions=self.counts_executions,
            snapshot_source=self.snapshot_source,
            kinds=self.kinds,
            known_issues=tuple(
                issue for issue in self.known_issues if makes_backups or issue.check != "one-backup-per-invocation"
            ),
        )


def _not_about_backups(patterns: tuple[LogPattern, ...]) -> tuple[LogPattern, ...]:
    return tuple(item for item in patterns if item.deletion != "backup-delete" and "(?P<backup>" not in item.pattern)


def _tags(minor: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"v{minor}.{patch}" for patch in range(first, last + 1))


# 5.2, second row; recorded as 2020-06: jobs talk to the engine, and the fix is in. All deletions are the job's own.
_JUNE_2020 = _Generation(
    releases=(versions.JUNE_2020,),
    snapshots_deleted_by="volume-image",
    backups_deleted_by="volume-image",
    asynchronous=frozenset(),
    snapshot_source="engine log",
    kinds=(),
    created=(lines.SNAPSHOT_MADE, lines.BACKUP_OF_SNAPSHOT, lines.BACKUP_COMPLETE),
    cleaned_up=(lines.SNAPSHOT_CLEANED, lines.BACKUP_CLEANED),
    warnings=(lines.SNAPSHOT_WARNING, lines.PURGE_WARNING, lines.BACKUP_WARNING),
    creation_errors=(lines.CREATION_FATAL,),
    failures=_FAILS_1_0_1,
)
# 0, first row; 4.7; 5.1: the bug. There is no warning, only the fatal line that ends the attempt.
_1_0_0 = replace(
    _JUNE_2020,
    releases=_tags("1.0", 0, 0),
    warnings=(),
    fatal=(lines.SNAPSHOT_FATAL, lines.PURGE_FATAL, lines.BACKUP_FATAL),
    failures=_FAILS_1_0_0,
    known_issues=_RETRIES,
)
# 0, second row; 4.8; 5.1: jobs ask the manager. Backup deletion is asynchronous, with the default engine image, and
# "Cleaned up backup" means that it was accepted (addendum). Recorded as v1.0.1 and v1.0.1/defeng.
_1_0_1 = replace(
    _JUNE_2020,
    releases=_tags("1.0", 1, 2),
    backups_deleted_by="default-image",
    asynchronous=frozenset({"backup-delete"}),
    created=(lines.SNAPSHOT_MADE, lines.BACKUP_COMPLETE),
    cleaned_up=(lines.SNAPSHOT_CLEANED, lines.BACKUP_ACCEPTED, lines.MANAGER_BACKUP_DONE),
    warnings=(
        lines.SNAPSHOT_WARNING,
        lines.PURGE_WARNING,
        lines.MANAGER_BACKUP_ERROR,
        lines.BACKUP_WARNING_BY_NAME,
    ),
)
# 4.2: nothing is made when there is nothing new.
_1_1_0 = replace(_1_0_1, releases=_tags("1.1", 0, 3), skip_lines=lines.NO_NEW_DATA)

# 0, third row; 3.2, 4.9: one job for several volumes, each of which fails alone, with a line of level error. Backups
# are objects, deleted by a controller. The clean-up of snapshots comes before the backup, and once more after it.
_1_2_0 = _Generation(
    releases=_tags("1.2", 0, 2),
    snapshots_deleted_by="volume-image",
    backups_deleted_by="default-image",
    asynchronous=frozenset({"backup-delete"}),
    snapshot_source="engine log",
    kinds=("recurringjobs", "backups"),
    created=(lines.SNAPSHOT_MADE, lines.CREATED_SNAPSHOT, lines.CREATED_BACKUP),
    cleaned_up=(lines.SNAPSHOT_CLEANED, lines.BACKUP_ACCEPTED),
    warnings=(
        lines.FAILED_1_2.clean_up,
        lines.PURGE_ERRORS,
        *lines.AFTER_BACKUP_1_2,
        lines.CONTROLLER_BACKUP_ERROR,
    ),
    creation_errors=(lines.FAILED_1_2.creation, lines.NOT_STARTED, lines.CREATION_FATAL),
    skip_lines=(*lines.NO_NEW_DATA, *lines.LEFT_OUT),
    snapshots_last=True,
    failures=_FAILS_1_2_0,
    known_issues=(_SWALLOWED, _NO_BACKUP),
)
_1_2_3 = replace(_1_2_0, releases=_tags("1.2", 3, 6), skip_lines=lines.LEFT_OUT)  # 4.2
# 5.1: the instance manager deletes snapshots; they have objects, which mirror the engine's.  (1.9)
_1_3_0 = replace(
    _1_2_3,
    releases=(*_tags("1.3", 0, 2), *_tags("1.4", 0, 0)),
    snapshots_deleted_by="instance-manager",
    snapshot_source="job log",
    kinds=("recurringjobs", "backups", "snapshots"),
    created=(lines.CREATED_SNAPSHOT, lines.CREATED_BACKUP),
)
# 4.9: other words.
_1_4_1 = replace(
    _1_3_0,
    releases=_tags("1.4", 1, 1),
    cleaned_up=(lines.DELETED_SNAPSHOT, lines.BACKUP_ACCEPTED),
    warnings=(
        lines.FAILED_1_3_3.clean_up,
        lines.PURGE_ERRORS,
        *lines.AFTER_BACKUP,
        lines.CONTROLLER_BACKUP_ERROR,
    ),
    creation_errors=(lines.FAILED_1_3_3.creation, lines.NOT_STARTED, lines.CREATION_FATAL),
)
# 0, fourth row; 4.2: nothing is made while old snapshots cannot be deleted, and no clean-up comes before the backup.
_1_3_3 = replace(
    _1_4_1,
    releases=(*_tags("1.3", 3, 3), *_tags("1.4", 2, 3)),
    refusals=(lines.FAILED_1_3_3.refusal,),
    pre_clean=True,
    failures=_with_pre_clean("error"),
    known_issues=(_SWALLOWED,),
)  # fmt: skip
# 0, fifth row: the error is passed on.
_1_4_4 = replace(
    _1_3_3,
    releases=_tags("1.4", 4, 4),
    fatal=(lines.GAVE_UP,),
    creation_errors=(lines.FAILED_1_3_3.creation, lines.NOT_STARTED, lines.COULD_NOT_BEGIN),
    failures=_with_pre_clean("fatal"),
    known_issues=_RETRIES_ALL,
)
# 0, fourth row again; 1.9, 5.1: snapshots are objects, deleted by a controller.
_1_5_0 = replace(
    _1_3_3,
    releases=_tags("1.5", 0, 1),
    asynchronous=frozenset({"snapshot-delete", "backup-delete"}),
    snapshot_source="objects",
    created=(lines.COMPLETED_SNAPSHOT, lines.CREATED_BACKUP),
    cleaned_up=(lines.DELETED_SNAPSHOT_OBJECT, lines.BACKUP_ACCEPTED),
    warnings=(*_1_3_3.warnings, lines.CONTROLLER_SNAPSHOT_ERROR),
)
# 0, fifth row.
_1_5_2 = replace(
    _1_5_0,
    releases=_tags("1.5", 2, 4),
    warnings=(*_1_5_0.warnings, lines.PURGE_DISABLED),
    fatal=_1_4_4.fatal,
    creation_errors=_1_4_4.creation_errors,
    failures=_with_pre_clean("fatal"),
    known_issues=_RETRIES_ALL,
)
# 4.9: louder.
_1_5_5 = replace(
    _1_5_2,
    releases=(*_tags("1.5", 5, 5), *_tags("1.6", 0, 4)),
    created=(lines.COMPLETED_SNAPSHOT, lines.COMPLETED_BACKUP),
    cleaned_up=lines.at_level("info", lines.DELETED_SNAPSHOT_OBJECT, lines.BACKUP_ACCEPTED),
)
_1_7_0 = replace(_1_5_5, releases=_tags("1.7", 0, 4), counts_executions=True)  # 4.1
# 5.1, follow-ups: a backup's deletion goes on in the background, and its object says how.
_1_8_0 = replace(
    _1_7_0,
    releases=_tags("1.8", 0, 2),
    warnings=(*_1_7_0.warnings, lines.CONTROLLER_BACKUP_WARNING),
)
# 0, sixth row; 4.10: the error is passed on, and lost on the way.
_1_9_0 = replace(
    _1_8_0,
    releases=(*_tags("1.9", 0, 3), *_tags("1.10", 0, 2), *_tags("1.11", 0, 3), *_tags("1.12", 0, 1)),
    warnings=(
        lines.FAILED_1_9.clean_up,
        lines.PURGE_ERRORS,
        *lines.AFTER_BACKUP,
        lines.CONTROLLER_BACKUP_ERROR,
        lines.CONTROLLER_SNAPSHOT_ERROR,
        lines.PURGE_DISABLED,
        lines.CONTROLLER_BACKUP_WARNING,
    ),
    refusals=(lines.FAILED_1_9.refusal,),
    creation_errors=(lines.FAILED_1_9.creation, lines.NOT_STARTED_1_9, lines.COULD_NOT_BEGIN),
    fatal=(),
    failures=_with_pre_clean("error"),
    known_issues=(_LOST,),
)

_GENERATIONS = (
    _JUNE_2020, _1_0_0, _1_0_1, _1_1_0, _1_2_0, _1_2_3, _1_3_0, _1_3_3, _1_4_1, _1_4_4, _1_5_0, _1_5_2, _1_5_5, _1_7_0,
    _1_8_0, _1_9_0,
)  # fmt: skip
_TABLE: Mapping[str, _Generation] = {release: row for row in _GENERATIONS for release in row.releases}

RELEASES = tuple(sorted(_TABLE, key=lambda release: (versions.number(release), release)))
KNOWN = f"{versions.JUNE_2020}, {RELEASES[1]} to {RELEASES[-1]}"


def profile(release: str, task: Task) -> Profile:
    """What this release does for this task, or UnknownRelease."""
    like = release if release in _TABLE else _nearest(release)
    there = tasks.known_to(release)
    if task not in there:
        raise UnknownRelease(f"task {task!r} has no profile for Longhorn {release}; known are {', '.join(there)}")
    known = _TABLE[like].profile(release, task)
    return known if like == release else replace(known, like=like, known_issues=(), failures={})


def _nearest(release: str) -> str:
    """The last known release before one that is not known; UnknownRelease for what is none, or older than all."""
    try:
        number = versions.number(release)
    except ValueError:
        number = (0, 0, 0)
    before = [known for known in RELEASES[1:] if versions.number(known) < number]
    if not before:
        raise UnknownRelease(
            f"Longhorn release {release!r} has no profile; known are {KNOWN}, and of newer ones what is intended. "
            "If the manager is a custom build of one of these, name it with the option longhorn_release."
        )
    return before[-1]


def release_of(image: str) -> str:
    """The release a manager image's tag names, or an empty text when the tag is not exactly vX.Y.Z."""
    name = image.partition("@")[0].rpartition("/")[2]
    tag = name.partition(":")[2]
    return tag if _RELEASE_TAG.fullmatch(tag) else ""


def choose_release(*, stated: str, manager_image: str) -> str:
    """The release to work with: the one the user states, else the one the manager image names; never a guess."""
    release = stated.strip() or release_of(manager_image)
    if not release:
        raise UnknownRelease(
            f"the manager image {manager_image!r} does not name a release: its tag is not vX.Y.Z. "
            f"State it with the option longhorn_release; known are {KNOWN}"
        )
    profile(release, "snapshot")
    return release
