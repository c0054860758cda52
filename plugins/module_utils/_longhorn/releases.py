# SPDX-License-Identifier: GPL-3.0-or-later
"""What each Longhorn release is known to do, as a data table.

The judge asks this table which log line a failing deletion leaves, where that deletion runs, and what is a known bug;
nobody else may know a release by name. A release that is not in the table has no profile: guessing would turn an
unknown behaviour into a verdict. Section numbers in comments are those of the project's collected Longhorn facts;
"recorded" means that the line was taken from a run of the real software.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault, Task

Engine = t.Literal["volume-image", "default-image"]
Source = t.Literal["job", "manager", "engine-manager"]

_RELEASE_TAG = re.compile(r"v\d+\.\d+\.\d+")


class UnknownRelease(ValueError):
    """No profile for this release and task, or no release could be told; the message says what to do."""


@dataclass(frozen=True)
class LogPattern:
    """A log line by its parsed fields. ``pattern`` is a regular expression on ``msg``, anchored at its start.

    ``{volume}`` stands for the volume's name. Named groups tell what the line is about: ``snapshot`` and ``backup`` are
    names, ``url`` is a backup's address, which ends in ``?backup=<name>&volume=<volume>``.
    """

    source: Source
    level: str
    pattern: str
    deletion: Fault | None = None  # which deletion the line is about, when it is about one

    def regex(self, volume: str) -> re.Pattern[str]:
        """The expression for one volume. The name is escaped; braces of the expression itself keep their meaning."""
        return re.compile(self.pattern.replace("{volume}", re.escape(volume)), re.DOTALL)

    def match(self, message: str, *, level: str, volume: str) -> re.Match[str] | None:
        """The match on a parsed line, or None. The caller sees to it that the line comes from ``source``."""
        return self.regex(volume).match(message) if level == self.level else None


@dataclass(frozen=True)
class KnownIssue:
    """An upstream bug that makes a check fail on this release."""

    check: str
    issue: str  # "longhorn#1424"
    sentence: str
    fixed_in: str


@dataclass(frozen=True)
class Profile:
    """What one release does for one task. Any line of ``warnings`` proves that its deletion was tried and failed."""

    release: str
    task: Task
    deletion_runs_with: Mapping[Fault, Engine]  # the deletions of this task, and whose engine binary does each
    warnings: tuple[LogPattern, ...] = ()
    fatal: tuple[LogPattern, ...] = ()  # the line that ends an attempt because a deletion failed
    cleaned_up: tuple[LogPattern, ...] = ()  # a deletion succeeded, or was accepted when it is asynchronous
    created: tuple[LogPattern, ...] = ()  # an artefact was made
    creation_errors: tuple[LogPattern, ...] = ()  # the attempt ended because an artefact could not be made
    skip_lines: tuple[LogPattern, ...] = ()  # the release itself says that nothing was to be done
    asynchronous: frozenset[Fault] = frozenset()  # the job only asks for these deletions and never sees them fail
    retries_on_cleanup_failure: bool = False
    intended_exit_ok: bool = True
    known_issues: tuple[KnownIssue, ...] = ()
    max_job_name: int = 8  # 3.1
    max_retain: int = 50  # 3.1: the sum over the volume's jobs
    max_volume_name: int = 40  # 1.4

    def needs_default_engine_image(self, fault: Fault) -> bool:
        """Whether that deletion runs with the default engine image, so that a volume's own stub never sees it."""
        return self.deletion_runs_with.get(fault) == "default-image"


_SNAPSHOT_ERROR = r"error deleting snapshot '(?P<snapshot>[^']+)'"
_BACKUP_URL = r"(?P<url>\S+[?&]backup=(?P<backup>[^&\s]+)&volume={volume})"
# The manager's answer as the job prints it. The order of code, detail and message changes from line to line.  (4.8)
_THROUGH_API = r"(?:Bad response statusCode \[\d+\]\..*?Body: \[.*?message=fail to delete snapshot: )?"

# 4.8. Both forms, direct (2020-06) and through the manager's API (v1.0.1), are recorded.
_SNAPSHOT_WARNING = LogPattern(
    "job",
    "warning",
    r"created snapshot successfully but errored on cleanup for {volume}: " + _THROUGH_API + _SNAPSHOT_ERROR,
    "snapshot-delete",
)
# 4.8: purging is part of the clean-up, and says so with other words.
_PURGE_WARNING = LogPattern(
    "job",
    "warning",
    r"created snapshot successfully but errored on cleanup for {volume}: .*errors while purging snapshots",
    "snapshot-delete",
)
# 4.8; recorded for 2020-06, with the backup's address.
_BACKUP_WARNING = LogPattern(
    "job",
    "warning",
    r"created backup successfully but errored on cleanup for {volume}: "
    r"Cleaned up backup " + _BACKUP_URL + r" failed for {volume}: ",
    "backup-delete",
)
# 4.8: from v1.0.1 on the job names the backup only; it logs this when the manager refuses the deletion at once.
_BACKUP_WARNING_BY_NAME = LogPattern(
    "job",
    "warning",
    r"created backup successfully but errored on cleanup for {volume}: "
    r"Cleaned up backup (?P<backup>\S+) failed for {volume}: ",
    "backup-delete",
)
# 4.8, 5.1; recorded for v1.0.1 with the stub as the default engine image. The job itself is silent then.
_MANAGER_BACKUP_ERROR = LogPattern("manager", "error", r"error deleting backup " + _BACKUP_URL + r": ", "backup-delete")

# 4.7. A backup job wraps the snapshot's error in its own prefix.
_WRAPPED = r"Error taking snapshot: (?:failed to complete backupAndCleanup for {volume}: )?"
_SNAPSHOT_FATAL = LogPattern("job", "fatal", _WRAPPED + _SNAPSHOT_ERROR + ": ", "snapshot-delete")
_PURGE_FATAL = LogPattern("job", "fatal", _WRAPPED + r".*errors while purging snapshots", "snapshot-delete")
_BACKUP_FATAL = LogPattern(
    "job", "fatal", _WRAPPED + r"Cleaned up backup " + _BACKUP_URL + r" failed for {volume}: ", "backup-delete"
)

# 4.7, and recorded for 2020-06 and v1.0.1. The address form is of the releases whose jobs delete backups themselves.
_SNAPSHOT_CLEANED = LogPattern(
    "job", "debug", r"Cleaned up snapshot (?P<snapshot>\S+) for {volume}$", "snapshot-delete"
)
_BACKUP_CLEANED = LogPattern("job", "debug", r"Cleaned up backup " + _BACKUP_URL + r" for {volume}$", "backup-delete")
_BACKUP_ACCEPTED = LogPattern("job", "debug", r"Cleaned up backup (?P<backup>\S+) for {volume}$", "backup-delete")
# Recorded for v1.0.1: the manager's own words when the deletion it accepted was really done.
_MANAGER_BACKUP_DONE = LogPattern("manager", "info", r"Complete deleting backup " + _BACKUP_URL + r"$", "backup-delete")

# Addendum; recorded for 2020-06: the only line that ties a backup to its snapshot.
_BACKUP_OF_SNAPSHOT = LogPattern(
    "job", "debug", r"Backup (?P<backup>\S+) created for volume {volume} snapshot (?P<snapshot>\S+)$"
)
# 4.7, 4.8; recorded for 2020-06 and v1.0.1.
_BACKUP_COMPLETE = LogPattern("job", "debug", r"Complete creating backup " + _BACKUP_URL + r"$")
# Addendum; recorded for 2020-06 and v1.0.1. The line's prefix names the engine, and so the volume.
_SNAPSHOT_MADE = LogPattern(
    "engine-manager",
    "info",
    r"Snapshot: \S+ (?P<snapshot>\S+) UserCreated true Created at (?P<created>\S+), Labels map\[(?P<labels>.*)\]$",
)

# 4.7, 4.8: the same prefix as a failing clean-up of v1.0.0, which is therefore ruled out here.
_CREATION_ERROR = LogPattern(
    "job",
    "fatal",
    r"Error taking snapshot: (?!(?:failed to complete backupAndCleanup for {volume}: )?"
    r"(?:error deleting snapshot|Cleaned up backup|.*errors while purging snapshots))",
)


def _retried(check: str, sentence: str) -> KnownIssue:
    """#1424 as it shows in one check (0, 4.7, 8): a failing clean-up ends the process, and the Job starts it again."""
    return KnownIssue(check, "longhorn#1424", sentence, "v1.0.1")


_RETRIES = (
    _retried("job-succeeded", "a failing clean-up ends the job's process with status 1, so the Job fails"),
    _retried("single-attempt", "the Job starts the container again after each failing clean-up"),
    _retried("one-snapshot-per-invocation", "each further attempt makes one more snapshot"),
    _retried("count-matches-schedule", "snapshots and backups grow by the number of attempts, not of ticks"),
    _retried("events-recorded", "the CronJob's event says that the Job failed"),
)
_BACKUP_RETRIES = (
    *_RETRIES,
    _retried(
        "one-backup-per-invocation",
        "each further attempt makes one more backup; with snapshot deletion failing, none is made",
    ),
)


@dataclass(frozen=True)
class _Row:
    """One release, both tasks. The backup task also does everything the snapshot task does (4.2)."""

    snapshot: Mapping[str, t.Any]
    backup: Mapping[str, t.Any]
    both: Mapping[str, t.Any] = field(default_factory=dict)

    def profile(self, release: str, task: Task) -> Profile:
        own = self.snapshot if task == "snapshot" else self.backup
        return Profile(release=release, task=task, **{**self.both, **own})


_TABLE: Mapping[str, _Row] = {
    # 5.2, second row; recorded as 2020-06: jobs talk to the engine, and the fix is in. All deletions are the job's own.
    "2020-06": _Row(
        both={"creation_errors": (_CREATION_ERROR,)},
        snapshot={
            "deletion_runs_with": {"snapshot-delete": "volume-image"},
            "warnings": (_SNAPSHOT_WARNING, _PURGE_WARNING),
            "cleaned_up": (_SNAPSHOT_CLEANED,),
            "created": (_SNAPSHOT_MADE,),
        },
        backup={
            "deletion_runs_with": {"snapshot-delete": "volume-image", "backup-delete": "volume-image"},
            "warnings": (_SNAPSHOT_WARNING, _PURGE_WARNING, _BACKUP_WARNING),
            "cleaned_up": (_SNAPSHOT_CLEANED, _BACKUP_CLEANED),
            "created": (_SNAPSHOT_MADE, _BACKUP_OF_SNAPSHOT, _BACKUP_COMPLETE),
        },
    ),
    # 0, first row; 4.7; 5.1: the bug. There is no warning, only the fatal line that ends the attempt.
    "v1.0.0": _Row(
        both={"creation_errors": (_CREATION_ERROR,), "retries_on_cleanup_failure": True},
        snapshot={
            "deletion_runs_with": {"snapshot-delete": "volume-image"},
            "fatal": (_SNAPSHOT_FATAL, _PURGE_FATAL),
            "cleaned_up": (_SNAPSHOT_CLEANED,),
            "created": (_SNAPSHOT_MADE,),
            "known_issues": _RETRIES,
        },
        backup={
            "deletion_runs_with": {"snapshot-delete": "volume-image", "backup-delete": "volume-image"},
            "fatal": (_SNAPSHOT_FATAL, _PURGE_FATAL, _BACKUP_FATAL),
            "cleaned_up": (_SNAPSHOT_CLEANED, _BACKUP_CLEANED),
            "created": (_SNAPSHOT_MADE, _BACKUP_OF_SNAPSHOT, _BACKUP_COMPLETE),
            "known_issues": _BACKUP_RETRIES,
        },
    ),
    # 0, second row; 4.8; 5.1: jobs ask the manager. Backup deletion is asynchronous, with the default engine image, and
    # "Cleaned up backup" means that it was accepted (addendum). Recorded as v1.0.1 and v1.0.1/defeng.
    "v1.0.1": _Row(
        both={"creation_errors": (_CREATION_ERROR,)},
        snapshot={
            "deletion_runs_with": {"snapshot-delete": "volume-image"},
            "warnings": (_SNAPSHOT_WARNING, _PURGE_WARNING),
            "cleaned_up": (_SNAPSHOT_CLEANED,),
            "created": (_SNAPSHOT_MADE,),
        },
        backup={
            "deletion_runs_with": {"snapshot-delete": "volume-image", "backup-delete": "default-image"},
            "asynchronous": frozenset({"backup-delete"}),
            "warnings": (_SNAPSHOT_WARNING, _PURGE_WARNING, _MANAGER_BACKUP_ERROR, _BACKUP_WARNING_BY_NAME),
            "cleaned_up": (_SNAPSHOT_CLEANED, _BACKUP_ACCEPTED, _MANAGER_BACKUP_DONE),
            "created": (_SNAPSHOT_MADE, _BACKUP_COMPLETE),
        },
    ),
}

RELEASES = tuple(_TABLE)


def profile(release: str, task: Task) -> Profile:
    """What this release does for this task, or UnknownRelease."""
    row = _TABLE.get(release)
    if row is None:
        raise UnknownRelease(
            f"Longhorn release {release!r} has no profile; known are {', '.join(RELEASES)}. "
            "If the manager is a custom build of one of these, name it with the option longhorn_release."
        )
    if task not in ("snapshot", "backup"):
        raise UnknownRelease(f"task {task!r} has no profile for Longhorn {release}; known are snapshot, backup")
    return row.profile(release, task)


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
            f"State it with the option longhorn_release; known are {', '.join(RELEASES)}."
        )
    profile(release, "snapshot")
    return release
