# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of releases, proven on log lines of the real software.

The lines marked "recorded" are verbatim from runs of the real Longhorn (single node, 32 MiB volumes); those of v1.0.0
are put together from the collected facts, because a failed attempt's log goes away with its pod.
"""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.log_patterns import LogPattern
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import (
    RELEASES,
    UnknownRelease,
    choose_release,
    profile,
    release_of,
)

WITHOUT_OBJECTS = ("2020-06", "v1.0.0", "v1.0.1", "v1.0.2", "v1.1.0", "v1.1.3")  # a job for each volume
_STUB = "/var/lib/longhorn/engine-binaries/quay.io-ttpcodes-longhorn-engine-no-cleanup/longhorn"

# 2020-06, pod test-nc-back-c-ncbck-c-29923391-nh8j5: recorded.
SNAPSHOT_DIRECT = (
    r'time="2026-11-23T03:11:01Z" level=warning msg="created snapshot successfully but errored on cleanup for '
    r"test-nc-back: error deleting snapshot 'c-ncbck-3550d1bd': Failed to execute: " + _STUB + " "
    r"[--url 10.200.0.201:10003 snapshot rm c-ncbck-3550d1bd], output , stderr, "
    r'time=\"2026-11-23T03:11:01Z\" level=fatal msg=\"stubbed snapshot deletion for testing\"\n, error exit status 1"'
)
BACKUP_DIRECT = (
    r'time="2026-11-23T03:11:07Z" level=warning msg="created backup successfully but errored on cleanup for '
    r"test-nc-back: Cleaned up backup s3://lhbucket@us-east-1/?backup=backup-e569a883898b437c&volume=test-nc-back "
    r"failed for test-nc-back: error deleting backup "
    r"s3://lhbucket@us-east-1/?backup=backup-e569a883898b437c&volume=test-nc-back: failed to execute: " + _STUB + " "
    r"[backup rm s3://lhbucket@us-east-1/?backup=backup-e569a883898b437c&volume=test-nc-back], output , stderr, "
    r'time=\"2026-11-23T03:11:07Z\" level=fatal msg=\"stubbed backup deletion for testing\"\n, error exit status 1"'
)
# v1.0.1, pods test-nc-back-c-ncback-c-29923339-f49q2 and test-nc-snap-c-ncsnap-c-29923339-ghmpl: recorded.
SNAPSHOT_API_MESSAGE_LAST = (
    r'time="2026-11-23T02:19:02Z" level=warning msg="created snapshot successfully but errored on cleanup for '
    r"test-nc-back: Bad response statusCode [500]. Status [500 Internal Server Error]. Body: [code=Server Error, "
    r"detail=, message=fail to delete snapshot: error deleting snapshot 'c-ncback-ff89408c': Failed to execute: "
    + _STUB
    + r" [--url 10.200.0.86:10003 snapshot rm c-ncback-ff89408c], output , stderr, "
    r"time=\"2026-11-23T02:19:02Z\" level=fatal msg=\"stubbed snapshot deletion for testing\"\n, error exit status 1] "
    r'from [http://longhorn-backend:9500/v1/volumes/test-nc-back?action=snapshotDelete]"'
)
SNAPSHOT_API_MESSAGE_FIRST = (
    r'time="2026-11-23T02:19:02Z" level=warning msg="created snapshot successfully but errored on cleanup for '
    r"test-nc-snap: Bad response statusCode [500]. Status [500 Internal Server Error]. Body: [message=fail to delete "
    r"snapshot: error deleting snapshot 'c-ncsnap-0841f9d4': Failed to execute: " + _STUB + " "
    r"[--url 10.200.0.86:10002 snapshot rm c-ncsnap-0841f9d4], output , stderr, "
    r"time=\"2026-11-23T02:19:02Z\" level=fatal msg=\"stubbed snapshot deletion for testing\"\n, error exit status 1, "
    r'code=Server Error, detail=] from [http://longhorn-backend:9500/v1/volumes/test-nc-snap?action=snapshotDelete]"'
)
# v1.0.1/defeng, pod longhorn-manager-2nll4: recorded.
MANAGER_BACKUP_ERROR = (
    r'time="2026-11-23T02:24:06Z" level=error msg="error deleting backup '
    r"s3://lhbucket@us-east-1/?backup=backup-919a0a43844744d9&volume=test-nc-back-defeng: failed to execute: "
    r"/var/lib/longhorn/engine-binaries/quay.io-ttpcodes-longhorn-engine-no-cleanup-backup/longhorn "
    r"[backup rm s3://lhbucket@us-east-1/?backup=backup-919a0a43844744d9&volume=test-nc-back-defeng], output , stderr, "
    r'time=\"2026-11-23T02:24:06Z\" level=fatal msg=\"stubbed backup deletion for testing\"\n, error exit status 1"'
)
MANAGER_BACKUP_DONE = (
    r'time="2026-11-23T02:17:08Z" level=info msg="Complete deleting backup '
    r's3://lhbucket@us-east-1/?backup=backup-4692b11ef6a0445a&volume=test-ncb-back"'
)
# v1.0.1/defeng, job pod: recorded; "cleaned up" although the deletion then failed in the manager.
BACKUP_ACCEPTED = (
    r'time="2026-11-23T02:24:06Z" level=debug msg="Cleaned up backup backup-919a0a43844744d9 for test-nc-back-defeng"'
)
# 2020-06, pod test-d-back-c-dbck-c-29923391-cqlmg: recorded.
SNAPSHOT_CLEANED = r'time="2026-11-23T03:11:01Z" level=debug msg="Cleaned up snapshot c-dbck-1ae8da98 for test-d-back"'
BACKUP_CLEANED = (
    r'time="2026-11-23T03:11:06Z" level=debug msg="Cleaned up backup '
    r's3://lhbucket@us-east-1/?backup=backup-ef593a51d83a40d7&volume=test-d-back for test-d-back"'
)
BACKUP_LINK = (
    r'time="2026-11-23T03:11:01Z" level=debug msg="Backup backup-1fc0759dadd74b08 created for volume test-d-back '
    r'snapshot c-dbck-fec639d9"'
)
BACKUP_COMPLETE = (
    r'time="2026-11-23T03:11:06Z" level=debug msg="Complete creating backup '
    r's3://lhbucket@us-east-1/?backup=backup-1fc0759dadd74b08&volume=test-d-back"'
)
# 2020-06, instance-manager-e-a8afa7a7, without the engine's name in front: recorded.
SNAPSHOT_MADE = (
    r'time="2026-11-23T03:09:01Z" level=info msg="Snapshot: 10.200.0.202:10015 c-dbck-c137b15c UserCreated true '
    r'Created at 2026-11-23T03:09:01Z, Labels map[RecurringJob:c-dbck]"'
)
# v1.0.0: from the facts.
SNAPSHOT_FATAL = (
    r"""time="2020-06-01T10:00:02Z" level=fatal msg="Error taking snapshot: error deleting snapshot 'c-nc-0a1b2c3d': """
    r"""Failed to execute: /bin/longhorn [--url 10.0.0.9:10000 snapshot rm c-nc-0a1b2c3d], output , stderr, """
    r"""stubbed, error exit status 1" """
).strip()
SNAPSHOT_FATAL_IN_BACKUP = SNAPSHOT_FATAL.replace(
    "Error taking snapshot: ", "Error taking snapshot: failed to complete backupAndCleanup for v-back: "
)
BACKUP_FATAL = (
    r'time="2020-06-01T10:00:09Z" level=fatal msg="Error taking snapshot: failed to complete backupAndCleanup for '
    r"v-back: Cleaned up backup s3://b@r/?backup=backup-0123456789abcdef&volume=v-back failed for v-back: error "
    r"deleting backup s3://b@r/?backup=backup-0123456789abcdef&volume=v-back: failed to execute: /bin/longhorn "
    r'[backup rm s3://b@r/?backup=backup-0123456789abcdef&volume=v-back], output , stderr, stub, error exit status 1"'
)
PURGE_FATAL = (
    r'time="2020-06-01T10:00:09Z" level=fatal msg="Error taking snapshot: encountered one or more errors while '
    r'purging snapshots"'
)
CREATION_FATAL = (
    r'time="2020-06-01T10:00:02Z" level=fatal msg="Error taking snapshot: cannot find suitable engine: '
    r'volume is detached"'
)

_FIELDS = re.compile(r'level=(\w+) msg="((?:[^"\\]|\\.)*)"$')


def parsed(line: str) -> tuple[str, str]:
    """Level and message of a text line, quoting undone."""
    found = _FIELDS.search(line)
    assert found is not None, f"not a log line: {line}"
    return found.group(1), json.loads(f'"{found.group(2)}"')


def matches(patterns: t.Iterable[LogPattern], line: str, volume: str) -> list[tuple[LogPattern, re.Match[str]]]:
    level, message = parsed(line)
    found = [(pattern, pattern.match(message, level=level, volume=volume)) for pattern in patterns]
    return [(pattern, match) for pattern, match in found if match is not None]


WARNINGS = [
    pytest.param("2020-06", "backup", SNAPSHOT_DIRECT, "test-nc-back", "job", "snapshot-delete",
                 {"snapshot": "c-ncbck-3550d1bd"}, id="2020-06-snapshot-warning-direct"),
    pytest.param("2020-06", "backup", BACKUP_DIRECT, "test-nc-back", "job", "backup-delete",
                 {"backup": "backup-e569a883898b437c"}, id="2020-06-backup-warning-direct"),
    pytest.param("v1.0.1", "backup", SNAPSHOT_API_MESSAGE_LAST, "test-nc-back", "job", "snapshot-delete",
                 {"snapshot": "c-ncback-ff89408c"}, id="v1.0.1-through-the-api-message-last"),
    pytest.param("v1.0.1", "snapshot", SNAPSHOT_API_MESSAGE_FIRST, "test-nc-snap", "job", "snapshot-delete",
                 {"snapshot": "c-ncsnap-0841f9d4"}, id="v1.0.1-through-the-api-message-first"),
    pytest.param("v1.0.1", "backup", MANAGER_BACKUP_ERROR, "test-nc-back-defeng", "manager", "backup-delete",
                 {"backup": "backup-919a0a43844744d9"}, id="v1.0.1-manager-logs-the-backup-deletion"),
]  # fmt: skip


@pytest.mark.parametrize(("release", "task", "line", "volume", "source", "deletion", "names"), WARNINGS)
def test_each_real_warning_is_recognised_by_exactly_one_pattern(
    release: str, task: t.Any, line: str, volume: str, source: str, deletion: str, names: dict[str, str]
) -> None:
    found = matches(profile(release, task).warnings, line, volume)
    assert [(pattern.source, pattern.deletion) for pattern, _match in found] == [(source, deletion)]
    assert {key: found[0][1].group(key) for key in names} == names


@pytest.mark.parametrize(("release", "task", "line", "volume", "source", "deletion", "names"), WARNINGS)
def test_a_warning_of_another_volume_or_level_is_not_taken(
    release: str, task: t.Any, line: str, volume: str, source: str, deletion: str, names: dict[str, str]
) -> None:
    patterns = profile(release, task).warnings
    assert matches(patterns, line, "another-volume") == []
    assert matches(patterns, line, volume[:-1]) == []
    assert matches(patterns, re.sub(r"level=\w+ msg", "level=info msg", line, count=1), volume) == []


@pytest.mark.parametrize(
    ("line", "volume", "task", "deletion", "names"),
    [
        pytest.param(SNAPSHOT_FATAL, "v-snap", "snapshot", "snapshot-delete", {"snapshot": "c-nc-0a1b2c3d"},
                     id="snapshot-task"),
        pytest.param(SNAPSHOT_FATAL_IN_BACKUP, "v-back", "backup", "snapshot-delete", {"snapshot": "c-nc-0a1b2c3d"},
                     id="backup-task-snapshot-deletion"),
        pytest.param(BACKUP_FATAL, "v-back", "backup", "backup-delete", {"backup": "backup-0123456789abcdef"},
                     id="backup-task-backup-deletion"),
        pytest.param(PURGE_FATAL, "v-snap", "snapshot", "snapshot-delete", {}, id="purge"),
    ],
)  # fmt: skip
def test_v1_0_0_ends_the_attempt_with_a_line_that_names_the_deletion(
    line: str, volume: str, task: t.Any, deletion: str, names: dict[str, str]
) -> None:
    known = profile("v1.0.0", task)
    found = matches(known.fatal, line, volume)
    assert [pattern.deletion for pattern, _match in found] == [deletion]
    assert {key: found[0][1].group(key) for key in names} == names
    assert matches(known.creation_errors, line, volume) == [], "a failed clean-up is not a failed creation"
    assert known.warnings == ()


@pytest.mark.parametrize("release", WITHOUT_OBJECTS)
def test_a_fatal_line_of_a_failed_creation_is_told_from_a_failed_clean_up(release: str) -> None:
    known = profile(release, "snapshot")
    assert len(matches(known.creation_errors, CREATION_FATAL, "v-snap")) == 1
    assert matches(known.fatal, CREATION_FATAL, "v-snap") == []


@pytest.mark.parametrize(
    ("release", "line", "volume", "source", "deletion"),
    [
        pytest.param("2020-06", SNAPSHOT_CLEANED, "test-d-back", "job", "snapshot-delete", id="2020-06-snapshot"),
        pytest.param("2020-06", BACKUP_CLEANED, "test-d-back", "job", "backup-delete", id="2020-06-backup"),
        pytest.param("v1.0.1", SNAPSHOT_CLEANED, "test-d-back", "job", "snapshot-delete", id="v1.0.1-snapshot"),
        pytest.param("v1.0.1", BACKUP_ACCEPTED, "test-nc-back-defeng", "job", "backup-delete", id="v1.0.1-accepted"),
        pytest.param("v1.0.1", MANAGER_BACKUP_DONE, "test-ncb-back", "manager", "backup-delete", id="v1.0.1-done"),
    ],
)  # fmt: skip
def test_a_clean_up_that_worked_is_recognised(release: str, line: str, volume: str, source: str, deletion: str) -> None:
    found = matches(profile(release, "backup").cleaned_up, line, volume)
    assert [(pattern.source, pattern.deletion) for pattern, _match in found] == [(source, deletion)]


def test_a_failed_clean_up_is_never_read_as_one_that_worked() -> None:
    for release in RELEASES:
        for line, volume in ((SNAPSHOT_DIRECT, "test-nc-back"), (BACKUP_DIRECT, "test-nc-back")):
            message = parsed(line)[1]
            inner = message.partition(f"{volume}: ")[2]
            assert not [
                pattern
                for pattern in profile(release, "backup").cleaned_up
                if pattern.match(inner, level=pattern.level, volume=volume)
            ]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        pytest.param(BACKUP_LINK, {"backup": "backup-1fc0759dadd74b08", "snapshot": "c-dbck-fec639d9"}, id="link"),
        pytest.param(BACKUP_COMPLETE, {"backup": "backup-1fc0759dadd74b08"}, id="complete"),
        pytest.param(SNAPSHOT_MADE, {"snapshot": "c-dbck-c137b15c", "labels": "RecurringJob:c-dbck"}, id="snapshot"),
    ],
)
def test_lines_that_tell_what_was_made_name_it(line: str, names: dict[str, str]) -> None:
    found = matches(profile("2020-06", "backup").created, line, "test-d-back")
    assert len(found) == 1
    assert {key: found[0][1].group(key) for key in names} == names


def test_a_volume_name_with_regex_characters_is_taken_literally() -> None:
    pattern = LogPattern("job", "info", r"done for {volume}$")
    assert pattern.match("done for a.b", level="info", volume="a.b")
    assert not pattern.match("done for aXb", level="info", volume="a.b")


def test_who_deletes_backups_is_what_makes_a_stub_on_the_volume_vacuous() -> None:
    assert not profile("2020-06", "backup").needs_default_engine_image("backup-delete")
    assert not profile("v1.0.0", "backup").needs_default_engine_image("backup-delete")
    assert profile("v1.0.1", "backup").needs_default_engine_image("backup-delete")
    assert not profile("v1.0.1", "backup").needs_default_engine_image("snapshot-delete")
    assert profile("v1.0.1", "backup").asynchronous == {"backup-delete"}


@pytest.mark.parametrize("release", RELEASES)
def test_a_snapshot_job_deletes_snapshots_only(release: str) -> None:
    assert set(profile(release, "snapshot").deletion_runs_with) == {"snapshot-delete"}
    assert set(profile(release, "backup").deletion_runs_with) == {"snapshot-delete", "backup-delete"}


def test_v1_0_0_retries_and_says_which_issue_it_is() -> None:
    retrying = [r for r in WITHOUT_OBJECTS if profile(r, "snapshot").failures["snapshot-delete"].exit_code]
    assert retrying == ["v1.0.0"]
    issues = {issue.check: issue for issue in profile("v1.0.0", "backup").known_issues}
    assert {issue.issue for issue in issues.values()} == {"longhorn#1424"}
    assert {"job-succeeded", "single-attempt", "one-snapshot-per-invocation", "one-backup-per-invocation"} <= set(
        issues
    )
    assert profile("v1.0.1", "backup").known_issues == ()


def test_every_deletion_has_a_line_that_shows_its_failure() -> None:
    for release in RELEASES:
        for task in t.get_args(t.Literal["snapshot", "backup"]):
            known = profile(release, task)
            shown = {pattern.deletion for pattern in (*known.warnings, *known.fatal)}
            assert set(known.deletion_runs_with) == shown, (release, task)


@pytest.mark.parametrize(
    ("image", "release"),
    [
        pytest.param("longhornio/longhorn-manager:v1.0.1", "v1.0.1", id="released"),
        pytest.param("registry.example:5000/longhornio/longhorn-manager:v1.0.0", "v1.0.0", id="registry-with-port"),
        pytest.param("longhornio/longhorn-manager:v1.0.1@sha256:" + "0" * 64, "v1.0.1", id="tag-and-digest"),
        pytest.param("longhornio/longhorn-manager:v1.0.0-fix", "", id="custom-build"),
        pytest.param("longhornio/longhorn-manager:v1.0.1-rc1", "", id="release-candidate"),
        pytest.param("longhornio/longhorn-manager:master", "", id="branch"),
        pytest.param("registry.example:5000/longhornio/longhorn-manager", "", id="port-is-no-tag"),
        pytest.param("", "", id="empty"),
    ],
)
def test_the_release_is_read_from_the_manager_image(image: str, release: str) -> None:
    assert release_of(image) == release


def test_what_the_user_states_wins_over_the_tag() -> None:
    assert choose_release(stated="2020-06", manager_image="longhornio/longhorn-manager:v1.0.1") == "2020-06"
    assert choose_release(stated="", manager_image="longhornio/longhorn-manager:v1.0.1") == "v1.0.1"


@pytest.mark.parametrize(
    ("stated", "image", "words"),
    [
        pytest.param("", "longhornio/longhorn-manager:master", ["master", "longhorn_release", "2020-06"], id="neither"),
        pytest.param("v0.8.1", "longhornio/longhorn-manager:v1.0.1", ["v0.8.1", "v1.0.0"], id="stated-too-old"),
        pytest.param("latest", "longhornio/longhorn-manager:v1.0.1", ["latest", "v1.0.0"], id="stated-no-release"),
        pytest.param("", "longhornio/longhorn-manager:v0.8.1", ["v0.8.1", "v1.12.1"], id="tag-too-old"),
    ],
)
def test_a_release_that_cannot_be_told_is_refused_with_what_to_do(stated: str, image: str, words: list[str]) -> None:
    with pytest.raises(UnknownRelease) as caught:
        choose_release(stated=stated, manager_image=image)
    assert all(word in str(caught.value) for word in words)


def test_a_task_without_profile_is_refused() -> None:
    with pytest.raises(UnknownRelease, match="filesystem-trim"):
        profile("v1.0.1", t.cast(t.Any, "filesystem-trim"))
