# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of releases since 1.2: which exact releases do what, and the lines by which they say so.

Lines are put together from the collected facts (sections 4.8 to 4.10 and 5.1).
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import Line, parse_line, quote
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.log_patterns import LogPattern
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import (
    RELEASES,
    UnknownRelease,
    choose_release,
    profile,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.versions import between

Task = model.Task
SINCE_1_2 = tuple(release for release in RELEASES if between(release, "v1.2.0"))
# 0, "Which tags have what"
PRE_CLEAN = {"v1.3.3", "v1.4.2", "v1.4.3", "v1.4.4"} | {r for r in RELEASES if between(r, "v1.5.0")}
RETRIES = {"v1.0.0", "v1.4.4"} | {r for r in RELEASES if between(r, "v1.5.2", "v1.8.2")}
OLD_WORDS = {r for r in RELEASES if between(r, "v1.2.0", "v1.3.2")} | {"v1.4.0"}
OLD_FAILURE = OLD_WORDS


def url(volume: str, action: str) -> str:
    return (
        "Bad response statusCode [500]. Status [500 Internal Server Error]. Body: [code=Server Error, detail=, "
        f"message=refused] from [http://longhorn-backend:9500/v1/volumes/{volume}?action={action}]"
    )


def line(level: str, message: str, **fields: str) -> Line:
    """A line as a job's log has it, with func and file in between."""
    told = " ".join(f"{key}={quote(value)}" for key, value in fields.items())
    return parse_line(f'time="2026-08-21T02:13:08Z" level={level} msg={quote(message)} func=app.x file="x.go:1" {told}')


def found(patterns: t.Iterable[LogPattern], item: Line, volume: str = "v") -> list[t.Any]:
    return [(pattern.deletion, names) for pattern in patterns if (names := pattern.find(item, volume)) is not None]


def failed(release: str, error: str, volume: str = "v") -> Line:
    """The line by which this release says that it could not go on with a volume."""
    if between(release, "v1.9.0"):
        return line("error", "Failed to run volume job", error=error, volumeName=volume)
    word = "failed" if release in OLD_FAILURE else "Failed"
    return line("error", f"{word} to run job for volume", error=error, volume=volume)


def test_every_release_from_1_0_0_to_1_12_1_is_there_once() -> None:
    last = {0: 2, 1: 3, 2: 6, 3: 3, 4: 4, 5: 5, 6: 4, 7: 4, 8: 2, 9: 3, 10: 2, 11: 3, 12: 1}
    every = [f"v1.{minor}.{patch}" for minor, highest in last.items() for patch in range(highest + 1)]
    assert ("2020-06", *every) == RELEASES


@pytest.mark.parametrize(
    ("releases", "tasks"),
    [
        pytest.param(("2020-06", "v1.1.3", "v1.2.6", "v1.3.2", "v1.4.0"), "snapshot backup", id="two"),
        pytest.param(("v1.4.1",), "snapshot backup snapshot-delete snapshot-cleanup", id="without force"),
        pytest.param(
            ("v1.3.3", "v1.4.2", "v1.4.4"),
            "snapshot backup snapshot-force-create backup-force-create snapshot-delete snapshot-cleanup",
            id="with force",
        ),
        pytest.param(("v1.5.0", "v1.8.2", "v1.12.1"), " ".join(t.get_args(Task)), id="all"),
    ],
)
def test_tasks(releases: tuple[str, ...], tasks: str) -> None:
    for release in releases:
        for task in t.get_args(Task):
            if task in tasks.split():
                assert profile(release, task).task == task
            else:
                with pytest.raises(UnknownRelease, match=f"task '{task}' has no profile for Longhorn {release}"):
                    profile(release, task)


@pytest.mark.parametrize("release", RELEASES)
def test_what_a_failing_clean_up_does(release: str) -> None:
    known = profile(release, "snapshot")
    assert known.pre_clean == (release in PRE_CLEAN) == bool(known.refusals)
    failure = known.failures["snapshot-delete"]
    assert failure.exit_code == (release in RETRIES)
    assert (failure.most_snapshots == 2) == (release in PRE_CLEAN)
    assert (failure.event == "FailedDeleting") == (release in PRE_CLEAN)
    issues = {issue.issue for issue in known.known_issues}
    if release in RETRIES:
        assert issues == {"longhorn#1424" if release == "v1.0.0" else "longhorn#10154"}
    elif between(release, "v1.9.0"):
        assert issues == {"longhorn#13587"}
    else:
        assert issues == ({"longhorn#4255"} if between(release, "v1.2.0") else set())


@pytest.mark.parametrize("release", SINCE_1_2)
def test_a_backup_that_the_clean_up_before_it_prevents_is_a_known_issue_of_those_that_clean_up_first(
    release: str,
) -> None:
    checks = {issue.check for issue in profile(release, "backup").known_issues if issue.issue == "longhorn#4255"}
    first = between(release, "v1.2.0", "v1.3.2") or release in ("v1.4.0", "v1.4.1")
    assert ("one-backup-per-invocation" in checks) == first
    assert "one-backup-per-invocation" not in {issue.check for issue in profile(release, "snapshot").known_issues}


@pytest.mark.parametrize("release", RELEASES)
def test_where_deletions_run_and_what_shows_snapshots(release: str) -> None:
    known = profile(release, "backup")
    asynchronous = {"snapshot-delete"} if between(release, "v1.5.0") else set()
    asynchronous |= {"backup-delete"} if between(release, "v1.0.1") else set()
    assert known.asynchronous == asynchronous
    place = "instance-manager" if between(release, "v1.3.0") else "volume-image"
    assert known.deletion_runs_with["snapshot-delete"] == place
    source = "objects" if between(release, "v1.5.0") else "job log" if between(release, "v1.3.0") else "engine log"
    assert known.snapshot_source == source
    kinds = ["recurringjobs", "backups"] if between(release, "v1.2.0") else []
    assert list(known.kinds) == kinds + (["snapshots"] if between(release, "v1.3.0") else [])
    assert known.counts_executions == between(release, "v1.7.0")
    assert known.snapshots_last == between(release, "v1.2.0")


@pytest.mark.parametrize("release", SINCE_1_2)
@pytest.mark.parametrize("prefix", ["", "failed recurring snapshot: "])
def test_a_failing_snapshot_deletion_is_a_line_of_level_error(release: str, prefix: str) -> None:
    action = "snapshotCRDelete" if between(release, "v1.5.0") else "snapshotDelete"
    known = profile(release, "snapshot")
    item = failed(release, prefix + url("v", action))
    assert found(known.warnings, item) == [("snapshot-delete", {})]
    assert found(known.creation_errors, item) == []
    assert bool(found(known.refusals, item)) == (release in PRE_CLEAN and not prefix)
    assert found(known.warnings, item, "v2") == []
    assert found(known.warnings, failed(release, prefix + url("v", action), "v2")) == []


@pytest.mark.parametrize("release", SINCE_1_2)
@pytest.mark.parametrize(
    "error",
    [
        "failed to complete backupAndCleanup for v: failed to create backup b: no space",
        "could not get volume v",
        url("v", "snapshotCreate"),
        url("v", "snapshotCRCreate"),
    ],
)
def test_a_failed_creation_is_told_from_a_failed_clean_up(release: str, error: str) -> None:
    known = profile(release, "backup")
    assert len(found(known.creation_errors, failed(release, error))) == 1
    assert found(known.warnings, failed(release, error)) == found(known.refusals, failed(release, error)) == []


@pytest.mark.parametrize("release", SINCE_1_2)
def test_a_job_that_could_not_begin_with_a_volume(release: str) -> None:
    error = 'could not create longhorn-manager api client: Get "http://longhorn-backend:9500/v1": refused'
    if between(release, "v1.9.0"):
        item = line("error", "Failed to initialize job for volume v", error=error)
    else:
        word = "failed" if release in OLD_FAILURE else "Failed"
        item = line("error", f"{word} to create new job for volume", error=error, volume="v")
    assert len(found(profile(release, "snapshot").creation_errors, item)) == 1


@pytest.mark.parametrize("release", SINCE_1_2)
def test_after_a_backup_every_failing_clean_up_is_a_warning(release: str) -> None:
    known = profile(release, "backup")
    action = "snapshotCRDelete" if between(release, "v1.5.0") else "snapshotDelete"
    word = "Cleaned" if between(release, "v1.2.0", "v1.2.6") else "cleaned"
    for deletion, error, names in (
        (
            "backup-delete",
            f"{word} up backup backup-1 failed for v: {url('v', 'backupDelete')}",
            {"backup": "backup-1"},
        ),
        ("snapshot-delete", url("v", action), {}),
    ):
        if release in OLD_WORDS:
            item = line("warning", f"created backup successfully but errored on cleanup for v: {error}", volumeName="v")
        else:
            message = "Created backup successfully but errored on cleanup for v"
            item = line("warning", message, error=error, volumeName="v")
        assert found(known.warnings, item) == [(deletion, names)]
        assert found(profile(release, "snapshot").warnings, item) == ([] if deletion == "backup-delete" else
                                                                       [(deletion, names)])  # fmt: skip


@pytest.mark.parametrize("release", SINCE_1_2)
def test_what_was_made_and_what_was_deleted(release: str) -> None:
    known = profile(release, "backup")
    level = "info" if between(release, "v1.5.5") else "debug"
    made = "Complete creating the snapshot" if between(release, "v1.5.0") else "Created the snapshot"
    assert found(known.created, line("info", f"{made} s-1", volumeName="v")) == [(None, {"snapshot": "s-1"})]
    assert found(known.created, line("info", f"{made} s-1", volumeName="v2")) == []
    assert found(known.created, line("info", f"{made} s-1")) == [], "whose it is does not stand there"
    complete = "Completed" if between(release, "v1.5.5") else "Complete"
    item = line(level, f"{complete} creating backup backup-1", volumeName="v")
    assert found(known.created, item) == [(None, {"backup": "backup-1"})]
    if between(release, "v1.5.0"):
        item = line(level, "Cleaned up snapshot CR s-1 for v", volumeName="v")
    elif release in OLD_WORDS:
        item = line("debug", "Cleaned up snapshot s-1 for v", volumeName="v")
    else:
        item = line("debug", "Deleted snapshot s-1", volume="v", volumeName="v")
    assert found(known.cleaned_up, item) == [("snapshot-delete", {"snapshot": "s-1"})]
    item = line(level, "Cleaned up backup backup-1 for v", volumeName="v")
    assert found(known.cleaned_up, item) == [("backup-delete", {"backup": "backup-1"})]


@pytest.mark.parametrize("release", [r for r in SINCE_1_2 if between(r, "v1.5.0") or r in ("v1.3.3", "v1.4.4")])
def test_a_task_that_only_purges_says_at_its_end_that_it_could(release: str) -> None:
    known = profile(release, "snapshot-cleanup")
    assert known.asynchronous == frozenset()
    done = line("info", "Finished recurring snapshot", volumeName="v")
    assert found(known.cleaned_up, done) == [("snapshot-delete", {})]
    error = "failed recurring snapshot: " + url("v", "snapshotPurge")
    assert found(known.warnings, failed(release, error)) == [("snapshot-delete", {})]
    if between(release, "v1.5.0"):
        done = line("info", "Finished recurring filesystem trim", volumeName="v")
        assert found(profile(release, "filesystem-trim").cleaned_up, done) == [("snapshot-delete", {})]


@pytest.mark.parametrize("release", SINCE_1_2)
def test_a_line_that_only_quotes_a_failure_is_none(release: str) -> None:
    """The job's own log repeats the Event that it posts."""
    message = (
        "Event(v1.ObjectReference{Kind:\"RecurringJob\"}): type: 'Warning' reason: 'FailedDeleting' failed to clean up "
        f"old snapshots of volume v: {url('v', 'snapshotDelete')}"
    )
    known = profile(release, "backup")
    for item in (line("info", message), line("error", message, volume="v")):
        assert found((*known.warnings, *known.refusals, *known.fatal, *known.creation_errors), item) == []


@pytest.mark.parametrize("release", sorted(RETRIES - {"v1.0.0"}))
def test_the_line_that_ends_a_process_names_the_volume_in_an_address(release: str) -> None:
    action = "snapshotCRDelete" if between(release, "v1.5.0") else "snapshotDelete"
    item = line("fatal", "Failed to do a recurring job", error="failed recurring snapshot: " + url("v", action))
    known = profile(release, "snapshot")
    assert found(known.fatal, item) == [("snapshot-delete", {})]
    assert found(known.fatal, item, "v2") == found(known.creation_errors, item) == []
    begun = line("fatal", "Failed to do a recurring job", error="failed to update job execution count: conflict")
    assert len(found(known.creation_errors, begun)) == 1
    assert found(known.fatal, begun) == []


@pytest.mark.parametrize("release", [r for r in RELEASES if between(r, "v1.0.1")])
def test_the_manager_tells_of_backups_that_it_cannot_delete(release: str) -> None:
    address = "s3://b@r/?backup=backup-1&volume=v"
    error = f"error deleting backup {address}: failed to execute: longhorn [backup rm {address}]"
    if between(release, "v1.2.0"):
        item = line("error", "Error deleting remote backup", backup="backup-1", error=error)
    else:
        item = line("error", error)
    names = {"url": address, "backup": "backup-1"}
    assert found(profile(release, "backup").warnings, item) == [("backup-delete", names)]
    assert found(profile(release, "backup").warnings, item, "v-2") == []
    item = line("warning", f"Failed to delete backup in the backupstore, {error}", backup="backup-1")
    assert bool(found(profile(release, "backup").warnings, item)) == between(release, "v1.8.0")


@pytest.mark.parametrize("release", [r for r in RELEASES if between(r, "v1.5.0")])
def test_the_manager_tells_of_snapshots_that_it_cannot_delete(release: str) -> None:
    known = profile(release, "snapshot").warnings
    text = "Cannot start SnapshotPurge to delete snapshot s-1 while disable-snapshot-purge setting is true"
    told = found(known, line("warning", text, snapshot="s-1"))
    assert told == ([("snapshot-delete", {"snapshot": "s-1"})] if between(release, "v1.5.2") else [])
    error = "longhorn-snapshot: failed to sync snapshot longhorn-system/s-1: refused"
    told = found(known, line("error", "Failed to sync Longhorn snapshot", error=error))
    assert told == [("snapshot-delete", {"snapshot": "s-1"})]


@pytest.mark.parametrize("release", ["v1.1.0", "v1.1.3", "v1.2.0", "v1.2.2"])
@pytest.mark.parametrize(
    "text",
    [
        "Skipping taking snapshot because the volume v doesn't have new data in volume-head",
        "Skipping taking backup because volume v is either empty or doesn't have new data since the last backup",
    ],
)
def test_nothing_new_is_nothing_to_do(release: str, text: str) -> None:
    assert len(found(profile(release, "backup").skip_lines, line("info", text))) == 1
    assert found(profile(release, "backup").skip_lines, line("info", text.replace(" v ", " w "))) == []
    assert found(profile("v1.2.3", "backup").skip_lines, line("info", text)) == []
    assert profile("v1.0.2", "backup").skip_lines == ()


@pytest.mark.parametrize("release", SINCE_1_2)
@pytest.mark.parametrize("level", ["debug", "info", "warning"])
@pytest.mark.parametrize(
    "text",
    [
        "Bypassed to create job for v volume during restoring from the backup",
        "Cannot create job for v volume in state detached",
        "Volume v not found, skipping",
    ],
)
def test_a_volume_that_is_left_out_is_nothing_to_do(release: str, level: str, text: str) -> None:
    skips = profile(release, "snapshot").skip_lines
    assert len(found(skips, line(level, text))) == 1
    assert found(skips, line(level, text.replace("v vol", "w vol").replace("Volume v", "Volume w"))) == []
    assert found(skips, line("error", text)) == []


def test_a_line_names_one_volume_only() -> None:
    pattern = LogPattern("job", "info", "done with {volume}$")
    assert pattern.find(line("info", "done with v"), "v") == {}
    assert pattern.find(line("info", "done with v", volumeName="v"), "v") == {}
    assert pattern.find(line("info", "done with v", volumeName="w"), "v") is None
    assert pattern.find(line("debug", "done with v"), "v") is None
    assert pattern.find(line("info", "done with v"), "w") is None


def test_every_field_of_a_pattern_has_to_match() -> None:
    pattern = LogPattern("job", "info", "x", fields={"error": "bad {volume}", "other": "(?P<snapshot>s)"})
    assert pattern.find(line("info", "x", error="bad v", other="s"), "v") == {"snapshot": "s"}
    assert pattern.find(line("info", "x", error="bad w", other="s"), "v") is None
    assert pattern.find(line("info", "x", error="bad v"), "v") is None


@pytest.mark.parametrize(
    ("release", "like"),
    [
        pytest.param("v1.12.2", "v1.12.1", id="the next one"),
        pytest.param("v2.0.0", "v1.12.1", id="far away"),
        pytest.param("v1.4.5", "v1.4.4", id="between two known ones"),
    ],
)
def test_a_release_that_is_not_known_is_judged_by_what_is_intended(release: str, like: str) -> None:
    assert choose_release(stated=release, manager_image="") == release
    known = profile(release, "backup")
    assert (known.release, known.like) == (release, like)
    assert known.known_issues == ()
    assert known.failures == {}
    assert release in known.remark
    assert like in known.remark
    assert known.warnings == profile(like, "backup").warnings


def test_a_known_release_needs_no_remark() -> None:
    assert {profile(release, "snapshot").remark for release in RELEASES} == {""}


def test_a_known_issue_says_when_it_is_mended() -> None:
    (lost,) = profile("v1.12.1", "snapshot").known_issues
    assert str(lost).endswith("is Complete (fixed in v1.12.2, as its issue says)")
    assert "fixed in v1.4.4 and v1.5.2" in str(profile("v1.2.6", "backup").known_issues[1])
    assert str(profile("v1.8.2", "snapshot").known_issues[0]).endswith("so the Job fails (no fix is known)")
