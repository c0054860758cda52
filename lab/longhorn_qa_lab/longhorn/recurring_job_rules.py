# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process of a recurring job does and says in each release from 1.2 on, as data.

A row says only what is new since the row before it. What a failing clean-up does to the Job is the two fields
``pre_clean`` and ``failure``, and changed more often than anything else.
"""

from __future__ import annotations

import dataclasses
import typing as t

from longhorn_qa_lab.longhorn.releases import UnknownRelease

Level = t.Literal["debug", "info", "warning", "error", "fatal"]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the log. A text without ``{error}`` has its error, if any, in a field of that name."""

    level: Level
    text: str
    #: The Go function that logs it, with a dot in front for a method of the job, or with another package; and its file,
    #: where that is not the usual one.
    at: str
    file: str = ""
    #: Whether the line names the volume in one more field.
    volume: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Words:
    """All lines of the process."""

    no_job: Line = Line("error", "Failed to get recurring job {job}.", "recurringJob")
    setting: Line
    labelled: Line
    restoring: Line
    unfit: Line
    found: Line = Line("info", "Found {count} volumes with recurring job {job}", "recurringJob")
    fatal: Line

    creating: Line = Line("info", "Creating job", "startVolumeJob")
    no_client: Line
    failed: Line
    created: Line = Line("info", "Created job", "startVolumeJob")

    starts: Line = Line("info", "job starts running", ".run")
    gone: Line = Line("info", "Volume {volume} not found, skipping", ".run")
    attaching: Line = Line("info", "Automatically attach volume {volume} to node {node}", ".run")
    attached: Line = Line("info", "Volume {volume} is in state attached", ".run")
    detaching: Line = Line("info", "Attempting to detach volume {volume} from all nodes", ".handleVolumeDetachment")
    detached: Line = Line("info", "Volume {volume} is detached", ".handleVolumeDetachment")
    running: Line = Line("info", "Running recurring {work} for volume {volume}", ".run")
    snapshot_made: Line
    snapshot_gone: Line
    purge_error: Line
    purge_errors: Line
    purged: Line | None
    backup_progress: Line
    backup_made: Line
    backup_gone: Line
    backup_unforgiven: Line
    finished: Line
    no_event: Line = Line("warning", "failed to create an event log", ".doSnapshotCleanup.func1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """What the process of one release does."""

    words: Words
    #: Where its functions are: the package, the receiver of its methods, the file.
    package: str = "app"
    receiver: str = "(*Job)"
    file: str = "recurring_job.go"
    #: Whether snapshots and backups are made only after old snapshots could be deleted.
    pre_clean: bool = False
    #: Whether a backup job deletes old snapshots between its snapshot and its backup.
    cleans_before_backup: bool = True
    #: A snapshot is made by the engine at once, or is an object that somebody else makes true.
    snapshots: t.Literal["engine", "objects"] = "engine"
    #: What becomes of a volume's error: only a line; the exit code; or meant for the exit code and dropped on the way.
    failure: t.Literal["logged", "propagated", "lost"] = "logged"
    #: Whether an Event tells of snapshots that could not be deleted, and of a file system that could not be trimmed.
    tells_deletions: bool = False
    tells_trims: bool = False
    counts_executions: bool = False
    #: Whether a setting decides that the snapshots of backups are deleted at once; otherwise they are.
    backup_snapshots_by_setting: bool = False
    #: Whether retain 0 counts as 1.
    keeps_one: bool = False
    snapshot_names: t.Literal["short", "uuid"] = "uuid"
    #: Whether an error of a snapshot task says that it is one.
    names_the_task: bool = True
    #: The prefix of a backup's failing deletion.
    backup_deletion_failed: str = "cleaned up backup {backup} failed for {volume}: {error}"
    #: One set of fields for all lines of a volume; before, the line around the work and the work had their own.
    one_logger: bool = False
    #: Whether the process attaches a detached volume itself; later, whoever does the work does.
    attaches: bool = True
    skips_missing_volumes: bool = False


_1_2: t.Final = Rules(
    words=Words(
        setting=Line("debug", "Setting {setting} is {value}", "recurringJob"),
        labelled=Line("debug", "Get volumes from label {label}", "getVolumesBySelector"),
        restoring=Line(
            "debug",
            "Bypassed to create job for {volume} volume during restoring from the backup",
            "filterVolumesForJob",
        ),
        unfit=Line("debug", "Cannot create job for {volume} volume in state {state}", "filterVolumesForJob"),
        fatal=Line("fatal", "Error taking snapshot: {error}", "app.RecurringJobCmd.func1"),
        no_client=Line("error", "failed to create new job for volume", "recurringJob.func1"),
        failed=Line("error", "failed to run job for volume", "recurringJob.func1"),
        snapshot_made=Line("info", "Created the snapshot {snapshot}", ".doSnapshot"),
        snapshot_gone=Line("debug", "Cleaned up snapshot {snapshot} for {volume}", ".doSnapshotCleanup"),
        purge_error=Line("warning", "error purging snapshots on replica {replica}: {error}", ".doSnapshotCleanup"),
        purge_errors=Line("warning", "encountered one or more errors while purging snapshots", ".doSnapshotCleanup"),
        purged=None,
        backup_progress=Line("debug", "Creating backup {backup}, current progress {progress}", ".doRecurringBackup"),
        backup_made=Line("debug", "Complete creating backup {backup}", ".doRecurringBackup"),
        backup_gone=Line("debug", "Cleaned up backup {backup} for {volume}", ".doRecurringBackup"),
        backup_unforgiven=Line(
            "warning",
            "created backup successfully but errored on cleanup for {volume}: {error}",
            ".doRecurringBackup.func3",
        ),
        finished=Line("info", "Finish running recurring {work}", ".doRecurring{Work}.func1"),
    ),
    keeps_one=True,
    snapshot_names="short",
    names_the_task=False,
    backup_deletion_failed="Cleaned up backup {backup} failed for {volume}: {error}",
)

_1_3_3: t.Final = dataclasses.replace(
    _1_2,
    words=dataclasses.replace(
        _1_2.words,
        fatal=Line("fatal", "Failed to snapshot", "app.RecurringJobCmd.func1"),
        no_client=Line("error", "Failed to create new job for volume", "recurringJob.func1"),
        failed=Line("error", "Failed to run job for volume", "recurringJob.func1"),
        snapshot_gone=Line("debug", "Deleted snapshot {snapshot}", ".deleteSnapshots", volume=True),
        purge_error=Line("warning", "Error purging snapshots on replica {replica}: {error}", ".purgeSnapshots"),
        purge_errors=Line("warning", "Encountered one or more errors while purging snapshots", ".purgeSnapshots"),
        purged=Line("debug", "Purged snapshots", ".purgeSnapshots", volume=True),
        backup_unforgiven=Line(
            "warning", "Created backup successfully but errored on cleanup for {volume}", ".doRecurringBackup.func3"
        ),
        finished=Line("info", "Finished recurring {work}", ".doRecurring{Work}.func1"),
    ),
    pre_clean=True,
    cleans_before_backup=False,
    tells_deletions=True,
    keeps_one=False,
    snapshot_names="uuid",
    names_the_task=True,
    backup_deletion_failed="cleaned up backup {backup} failed for {volume}: {error}",
)

_1_4_4: t.Final = dataclasses.replace(
    _1_3_3,
    words=dataclasses.replace(
        _1_3_3.words,
        fatal=Line("fatal", "Failed to do a recurring job", "app.RecurringJobCmd.func1"),
        no_client=Line("error", "Failed to create new job for volume", "startVolumeJob"),
        failed=Line("error", "Failed to run job for volume", "startVolumeJob"),
    ),
    failure="propagated",
)

_1_5_5: t.Final = dataclasses.replace(
    _1_4_4,
    words=dataclasses.replace(
        _1_4_4.words,
        setting=Line("info", "Setting {setting} is {value}", "recurringJob"),
        labelled=Line("info", "Got volumes from label {label}", "getVolumesBySelector"),
        restoring=dataclasses.replace(_1_4_4.words.restoring, level="info"),
        unfit=dataclasses.replace(_1_4_4.words.unfit, level="warning"),
        snapshot_made=Line("info", "Complete creating the snapshot {snapshot}", ".doSnapshot"),
        snapshot_gone=Line("info", "Cleaned up snapshot CR {snapshot} for {volume}", ".doSnapshotCleanup"),
        purged=Line("info", "Purged snapshots", ".purgeSnapshots", volume=True),
        backup_progress=dataclasses.replace(_1_4_4.words.backup_progress, level="info"),
        backup_made=Line("info", "Completed creating backup {backup}", ".doRecurringBackup"),
        backup_gone=dataclasses.replace(_1_4_4.words.backup_gone, level="info"),
    ),
    snapshots="objects",
    attaches=False,
)

_1_8_2: t.Final = dataclasses.replace(_1_5_5, counts_executions=True, backup_snapshots_by_setting=True)

_1_9_2: t.Final = dataclasses.replace(
    _1_8_2,
    words=dataclasses.replace(
        _1_8_2.words,
        no_job=Line("error", "Failed to get recurring job {job}.", "app.recurringJob", "recurring_job.go"),
        setting=dataclasses.replace(_1_8_2.words.setting, at="StartVolumeJobs"),
        labelled=dataclasses.replace(_1_8_2.words.labelled, file="util.go"),
        restoring=dataclasses.replace(_1_8_2.words.restoring, file="util.go"),
        unfit=dataclasses.replace(_1_8_2.words.unfit, file="util.go"),
        found=dataclasses.replace(_1_8_2.words.found, at="StartVolumeJobs"),
        fatal=dataclasses.replace(_1_8_2.words.fatal, file="recurring_job.go"),
        creating=Line("info", "Creating volume job", "startVolumeJob"),
        no_client=Line("error", "Failed to initialize job for volume {volume}", "startVolumeJob"),
        failed=Line("error", "Failed to run volume job", "startVolumeJob"),
        created=Line("info", "Created volume job", "startVolumeJob"),
        starts=Line("info", "Starting volume job", ".run"),
    ),
    package="recurringjob",
    receiver="(*VolumeJob)",
    file="volume.go",
    failure="lost",
    one_logger=True,
)

_1_12_1: t.Final = dataclasses.replace(_1_9_2, tells_trims=True, skips_missing_volumes=True)

RULES: t.Final[t.Mapping[str, Rules]] = {
    "v1.2.6": _1_2,
    "v1.3.3": _1_3_3,
    "v1.4.4": _1_4_4,
    "v1.5.5": _1_5_5,
    "v1.8.2": _1_8_2,
    "v1.9.2": _1_9_2,
    "v1.12.1": _1_12_1,
}


def rules(release: str) -> Rules:
    """The rules of a release."""
    try:
        return RULES[release]
    except KeyError:
        raise UnknownRelease(
            f"release {release!r} has no process of recurring jobs; known: {', '.join(RULES)}"
        ) from None
