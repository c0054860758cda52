# SPDX-License-Identifier: GPL-3.0-or-later
"""The log lines by which Longhorn's releases tell what a recurring job did: the words of the table in ``releases``.

Section numbers in comments are those of the project's collected Longhorn facts; "recorded" means that the line was
taken from a run of the real software. Matched is what a line says, never how it looks: lines quote each other.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import Line
from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault

Source = t.Literal["job", "manager", "engine-manager"]


def volume_of(line: Line) -> str:
    """The volume that a line's own fields say it is about, as those of a job of several do; empty when none does.

    The names of the fields are of 4.9 and 4.10.
    """
    return line.get("volumeName") or line.get("volume") or ""


@lru_cache(maxsize=8192)
def _compiled(pattern: str, volume: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("{volume}", re.escape(volume)), re.DOTALL)


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
    fields: Mapping[str, str] = field(default_factory=dict)  # like ``pattern``, on other fields of the line
    volume_field: bool = False  # the line is about the volume that a field of it names

    def regex(self, volume: str) -> re.Pattern[str]:
        """The expression for one volume. The name is escaped; braces of the expression itself keep their meaning."""
        return _compiled(self.pattern, volume if "{volume}" in self.pattern else "")

    def match(self, message: str, *, level: str, volume: str) -> re.Match[str] | None:
        """The match on a message alone, or None. The caller sees to it that the line comes from ``source``."""
        return self.regex(volume).match(message) if level == self.level else None

    def find(self, line: Line, volume: str) -> Mapping[str, str] | None:
        """The names that a line tells, if it is such a line and about this volume; None if it is not."""
        if line.level != self.level:
            return None
        stated = volume_of(line)
        if stated != volume and (stated or self.volume_field):
            return None
        names: dict[str, str] = {}
        for key, pattern in (("msg", self.pattern), *self.fields.items()):
            text = line.get(key)
            found = None if text is None else _compiled(pattern, volume if "{volume}" in pattern else "").match(text)
            if found is None:
                return None
            names |= {name: value for name, value in found.groupdict().items() if value is not None}
        return names


# --- until 1.1: a job for each volume -------------------------------------------------------------------------------
_SNAPSHOT_ERROR = r"error deleting snapshot '(?P<snapshot>[^']+)'"
_BACKUP_URL = r"(?P<url>\S+[?&]backup=(?P<backup>[^&\s]+)&volume={volume})"
_END = r"(?![\w-]|\.\w)"  # of a name
# The manager's answer as the job prints it. The order of code, detail and message changes from line to line.  (4.8)
_THROUGH_API = r"(?:Bad response statusCode \[\d+\]\..*?Body: \[.*?message=fail to delete snapshot: )?"

# 4.8. Both forms, direct (2020-06) and through the manager's API (v1.0.1), are recorded.
SNAPSHOT_WARNING = LogPattern(
    "job",
    "warning",
    r"created snapshot successfully but errored on cleanup for {volume}: " + _THROUGH_API + _SNAPSHOT_ERROR,
    "snapshot-delete",
)
# 4.8: purging is part of the clean-up, and says so with other words.
PURGE_WARNING = LogPattern(
    "job",
    "warning",
    r"created snapshot successfully but errored on cleanup for {volume}: .*errors while purging snapshots",
    "snapshot-delete",
)
# 4.8; recorded for 2020-06, with the backup's address.
BACKUP_WARNING = LogPattern(
    "job",
    "warning",
    r"created backup successfully but errored on cleanup for {volume}: "
    r"Cleaned up backup " + _BACKUP_URL + r" failed for {volume}: ",
    "backup-delete",
)
# 4.8: from v1.0.1 on the job names the backup only; it logs this when the manager refuses the deletion at once.
# 4.9: its first word is small since 1.3.
BACKUP_WARNING_BY_NAME = LogPattern(
    "job",
    "warning",
    r"created backup successfully but errored on cleanup for {volume}: "
    r"[Cc]leaned up backup (?P<backup>\S+) failed for {volume}: ",
    "backup-delete",
)

# 4.7. A backup job wraps the snapshot's error in its own prefix.
_WRAPPED = r"Error taking snapshot: (?:failed to complete backupAndCleanup for {volume}: )?"
SNAPSHOT_FATAL = LogPattern("job", "fatal", _WRAPPED + _SNAPSHOT_ERROR + ": ", "snapshot-delete")
PURGE_FATAL = LogPattern("job", "fatal", _WRAPPED + r".*errors while purging snapshots", "snapshot-delete")
BACKUP_FATAL = LogPattern(
    "job", "fatal", _WRAPPED + r"Cleaned up backup " + _BACKUP_URL + r" failed for {volume}: ", "backup-delete"
)

# 4.7, and recorded for 2020-06 and v1.0.1. The address form is of the releases whose jobs delete backups themselves.
SNAPSHOT_CLEANED = LogPattern("job", "debug", r"Cleaned up snapshot (?P<snapshot>\S+) for {volume}$", "snapshot-delete")
BACKUP_CLEANED = LogPattern("job", "debug", r"Cleaned up backup " + _BACKUP_URL + r" for {volume}$", "backup-delete")
BACKUP_ACCEPTED = LogPattern("job", "debug", r"Cleaned up backup (?P<backup>\S+) for {volume}$", "backup-delete")

# Addendum; recorded for 2020-06: the only line that ties a backup to its snapshot.
BACKUP_OF_SNAPSHOT = LogPattern(
    "job", "debug", r"Backup (?P<backup>\S+) created for volume {volume} snapshot (?P<snapshot>\S+)$"
)
# 4.7, 4.8; recorded for 2020-06 and v1.0.1.
BACKUP_COMPLETE = LogPattern("job", "debug", r"Complete creating backup " + _BACKUP_URL + r"$")
# Addendum; recorded for 2020-06 and v1.0.1. The line's prefix names the engine, and so the volume.
SNAPSHOT_MADE = LogPattern(
    "engine-manager",
    "info",
    r"Snapshot: \S+ (?P<snapshot>\S+) UserCreated true Created at (?P<created>\S+), Labels map\[(?P<labels>.*)\]$",
)
# 4.7, 4.8: the same prefix as a failing clean-up of v1.0.0, which is therefore ruled out here.
CREATION_FATAL = LogPattern(
    "job",
    "fatal",
    r"Error taking snapshot: (?!(?:failed to complete backupAndCleanup for {volume}: )?"
    r"(?:error deleting snapshot|Cleaned up backup|.*errors while purging snapshots))",
)
# 4.2: of 1.1.0 to 1.2.2.
NO_NEW_DATA = (
    LogPattern("job", "info", r"Skipping taking snapshot because .*\bvolume {volume} doesn't have new data"),
    LogPattern("job", "info", r"Skipping taking backup because volume {volume} is either empty or doesn't have new"),
)

# 4.1: a job leaves volumes out, and says so at one level or another. The last one is of 1.12.1.
LEFT_OUT = tuple(
    LogPattern("job", level, text)
    for level in ("debug", "info", "warning")
    for text in (
        r"Bypassed to create job for {volume} volume during restoring",
        r"Cannot create job for {volume} volume in state \w+$",
        r"Volume {volume} not found, skipping$",
    )
)

# --- since 1.2: a job for several volumes, whose lines name theirs in a field -----------------------------------------
# What the manager answers to a deletion or a purge.  (4.8, 5.1, 5.3 row 10)
_NOT_DELETED = (
    r".*(?:action=snapshot(?:CR)?Delete|action=snapshotPurge|fail(?:ed)? to delete snapshot|error deleting snapshot"
    r"|purge snapshots?|purging snapshots)"
)
# A task's own work says whose it is; what comes before it, the pre-clean, does not.  (4.2, 4.9)
_OWN_WORK = r"(?:failed recurring snapshot: |failed to complete (?:backupAndCleanup|filesystem-trim) for {volume}: )"


def of_volume(level: str, pattern: str, deletion: Fault | None = None, *, error: str = "") -> LogPattern:
    """A line of a job that names its volume in a field."""
    fields = {"error": error} if error else {}
    return LogPattern("job", level, pattern, deletion, fields, volume_field=True)


@dataclass(frozen=True)
class Failure:
    """The line by which a job says that it could not go on with a volume, told apart by its error."""

    message: str

    @property
    def clean_up(self) -> LogPattern:
        """An old snapshot could not be deleted, before or after something was made."""
        return of_volume("error", self.message, "snapshot-delete", error=_NOT_DELETED)

    @property
    def refusal(self) -> LogPattern:
        """Nothing was made, because old snapshots cannot be deleted."""
        return of_volume("error", self.message, "snapshot-delete", error="(?!" + _OWN_WORK + ")" + _NOT_DELETED)

    @property
    def creation(self) -> LogPattern:
        """Anything else: nothing more was made, because that failed."""
        return of_volume("error", self.message, error="(?!" + _NOT_DELETED + ")")


FAILED_1_2 = Failure(r"failed to run job for volume$")
FAILED_1_3_3 = Failure(r"Failed to run job for volume$")
FAILED_1_9 = Failure(r"Failed to run volume job$")
NOT_STARTED = of_volume("error", r"[Ff]ailed to create new job for volume$")
NOT_STARTED_1_9 = LogPattern("job", "error", r"Failed to initialize job for volume {volume}$")

# 0, 4.9: the process ends with status 1; the error is the last volume's, whose address is in it.
GAVE_UP = LogPattern(
    "job",
    "fatal",
    r"Failed to do a recurring job$",
    "snapshot-delete",
    {"error": r".*/volumes/{volume}\?action=snapshot(?:(?:CR)?Delete|Purge)\b"},
)
# 4.1: before anything was tried.
COULD_NOT_BEGIN = LogPattern(
    "job",
    "fatal",
    r"Failed to do a recurring job$",
    fields={"error": r"failed to (?:get|update job execution count)\b"},
)

# 4.9, 4.10: the clean-up after a backup only warns, whichever deletion failed.
_BACKUP_MADE = r"[Cc]reated backup successfully but errored on cleanup for {volume}"
AFTER_BACKUP_1_2 = (
    BACKUP_WARNING_BY_NAME,
    LogPattern("job", "warning", _BACKUP_MADE + r": (?![Cc]leaned up backup )" + _NOT_DELETED, "snapshot-delete"),
)
AFTER_BACKUP = (
    of_volume(
        "warning",
        _BACKUP_MADE + "$",
        "backup-delete",
        error=r"[Cc]leaned up backup (?P<backup>\S+) failed for {volume}: ",
    ),
    of_volume("warning", _BACKUP_MADE + "$", "snapshot-delete", error=r"(?![Cc]leaned up backup )" + _NOT_DELETED),
)
# 4.8: errors while purging are told, and nothing else comes of them.
PURGE_ERRORS = of_volume("warning", r"[Ee]ncountered one or more errors while purging snapshots$", "snapshot-delete")

CREATED_SNAPSHOT = of_volume("info", r"Created the snapshot (?P<snapshot>\S+)$")
COMPLETED_SNAPSHOT = of_volume("info", r"Complete creating the snapshot (?P<snapshot>\S+)$")
CREATED_BACKUP = of_volume("debug", r"Complete creating backup (?P<backup>\S+)$")
COMPLETED_BACKUP = of_volume("info", r"Completed creating backup (?P<backup>\S+)$")
DELETED_SNAPSHOT = of_volume("debug", r"Deleted snapshot (?P<snapshot>\S+)$", "snapshot-delete")
DELETED_SNAPSHOT_OBJECT = LogPattern(
    "job", "debug", r"Cleaned up snapshot CR (?P<snapshot>\S+) for {volume}$", "snapshot-delete"
)
# 4.9, 4.10: the task's last line, which comes only when its purge went well.
PURGED = of_volume("info", r"Finished recurring (?:snapshot|filesystem trim)$", "snapshot-delete")

# --- the manager ------------------------------------------------------------------------------------------------------
# 4.8, 5.1; recorded for v1.0.1 with the stub as the default engine image. The job itself is silent then.
MANAGER_BACKUP_ERROR = LogPattern("manager", "error", r"error deleting backup " + _BACKUP_URL + r": ", "backup-delete")
# Recorded for v1.0.1: the manager's own words when the deletion it accepted was really done.
MANAGER_BACKUP_DONE = LogPattern("manager", "info", r"Complete deleting backup " + _BACKUP_URL + r"$", "backup-delete")
# 5.1, follow-ups: the controllers of Backup and Snapshot objects.
CONTROLLER_BACKUP_ERROR = LogPattern(
    "manager",
    "error",
    r"(?:Error deleting remote backup|Failed to sync Longhorn backup)$",
    "backup-delete",
    {"error": r".*?" + _BACKUP_URL + _END},
)
CONTROLLER_BACKUP_WARNING = LogPattern(
    "manager",
    "warning",
    r"Failed to delete (?:the )?backup .*?" + _BACKUP_URL + _END,
    "backup-delete",
)
# 5.3 row 10.
PURGE_DISABLED = LogPattern(
    "manager",
    "warning",
    r"Cannot start SnapshotPurge to delete snapshot (?P<snapshot>\S+) .*while disable-snapshot-purge setting is true",
    "snapshot-delete",
)
CONTROLLER_SNAPSHOT_ERROR = LogPattern(
    "manager",
    "error",
    r"Failed to sync Longhorn snapshot$",
    "snapshot-delete",
    {"error": r".*?failed to sync snapshot (?:[^/\s]+/)?(?P<snapshot>[^:\s]+): "},
)


def at_level(level: str, *patterns: LogPattern) -> tuple[LogPattern, ...]:
    """The same lines, as a release logs them that says them louder or softer."""
    return tuple(replace(pattern, level=level) for pattern in patterns)
