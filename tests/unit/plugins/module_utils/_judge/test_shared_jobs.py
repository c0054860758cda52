# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of several volumes, since 1.2: whose line a line is, how many were made, and what a Job says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.plugins.module_utils._judge.changed import (
    SHARED,
    VISIBLE,
    WITH_OBJECTS,
    Change,
    Changed,
    backup,
    cell_of,
    changed,
    checks,
    not_pass,
    snapshot,
    without,
)
from tests.unit.plugins.module_utils._judge.made import BYSTANDER, FAULTY, Run

from ansible_collections.longhorn.qa.plugins.module_utils._history import model


# --- whose line a line is --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", SHARED)
def test_a_line_about_another_volume_of_the_job_is_not_the_cells_own(release: str) -> None:
    field = "volumeName" if release in ("v1.9.2", "v1.12.1") else "volume"
    fault_type = "engine-image" if release == "v1.2.6" else "admission"
    if release in ("v1.3.3", "v1.4.4"):
        fault_type = "patched-engine-image"
    task = "snapshot-force-create" if release != "v1.2.6" else "snapshot"
    run = Run(release, task, VISIBLE, fault_type)

    def move(history: Changed) -> None:
        for word in ("failed", "Failed"):
            for text in ("to run job for volume", "to run volume job"):
                for path, content in history.logs.items():
                    lines = content.decode().splitlines(keepends=True)
                    moved = [
                        line.replace(f"{field}={FAULTY}", f"{field}={BYSTANDER}") if f"{word} {text}" in line else line
                        for line in lines
                    ]
                    history.logs[path] = "".join(moved).encode()
        for place, record in enumerate(history.records):
            if isinstance(record, model.Log) and record.state == "closed":
                history.records[place] = replace(record, bytes=len(history.logs[record.path]))

    judgement = changed(run, move)
    assert checks(judgement)["cleanup-warning"].verdict == "fail"
    assert "has no snapshot-delete warning" in checks(judgement)["cleanup-warning"].summary
    other = checks(judgement, BYSTANDER)
    # an error that names the faulty volume's address stays about deleting snapshots, whoever's field it has
    assert other["cleanup-warning"].verdict == "fail"
    assert "where nothing should fail" in other["cleanup-warning"].summary


def test_a_line_of_the_bystanders_snapshot_names_the_bystanders() -> None:
    judgement = changed(Run("v1.8.2", "snapshot"))
    for volume in (FAULTY, BYSTANDER):
        names = [name for item in cell_of(judgement, volume).invocations for name in item.snapshots]
        assert len(set(names)) == 3
    first, second = ({n for i in cell_of(judgement, v).invocations for n in i.snapshots} for v in (FAULTY, BYSTANDER))
    assert not first & second


# --- how many were made ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", WITH_OBJECTS)
def test_an_object_that_no_log_names_is_one_too_many(release: str) -> None:
    judgement = changed(
        Run(release, "snapshot"), lambda h: h.put("snapshots", snapshot("extra"), after="nightly-qa-2-abcde")
    )
    said = checks(judgement)
    assert not_pass(judgement) == {"one-snapshot-per-invocation": "fail", "retain-kept": "fail"}
    assert "extra" in said["one-snapshot-per-invocation"].summary
    assert "Job nightly-qa-2 made 2 snapshots" in said["one-snapshot-per-invocation"].summary
    assert said["one-snapshot-per-invocation"].known_issue == "", "nothing was retried, so that is not why"
    assert cell_of(judgement).contract == "fails the contract"
    assert any(item.what == "snapshots/extra" for item in said["one-snapshot-per-invocation"].evidence)


@pytest.mark.parametrize("job", ["another", ""], ids=["another job's", "a user's"])
def test_somebody_elses_snapshot_does_not_count(job: str) -> None:
    extra = snapshot("extra", job)
    judgement = changed(Run("v1.8.2", "snapshot"), lambda h: h.put("snapshots", extra, after="nightly-qa-2-abcde"))
    assert not_pass(judgement) == {}


def test_a_snapshot_that_is_missing() -> None:
    judgement = changed(
        Run("v1.8.2", "snapshot"),
        without("snapshots", "snap-0003"),
        lambda h: [r.object["status"]["snapshots"].pop("snap-0003", None) for r in h.of("engines")],
        lambda h: h.edit("nightly-qa-2", "Complete creating the snapshot snap-0003", "x"),
    )
    found = not_pass(judgement)
    assert found["one-snapshot-per-invocation"] == "fail"
    assert "Job nightly-qa-2 made no snapshot" in checks(judgement)["one-snapshot-per-invocation"].summary
    assert "job-succeeded" not in found, "no error was said"


def test_a_snapshot_that_only_the_engine_shows_counts_too() -> None:
    """longhorn#10184: an engine's snapshot without an object."""

    def show(history: Changed) -> None:
        for record in history.of("engines", FAULTY):
            if "snap-0003" in record.object["status"]["snapshots"]:
                record.object["status"]["snapshots"]["extra"] = {"labels": {"RecurringJob": "nightly"}}

    judgement = changed(Run("v1.8.2", "snapshot"), show)
    assert not_pass(judgement)["one-snapshot-per-invocation"] == "fail"


@pytest.mark.parametrize(
    ("release", "change", "words"),
    [
        pytest.param("v1.8.2", lambda h: h.gap("snapshots"), "snapshots: the watch was cut", id="objects with a gap"),
        pytest.param("v1.3.3", lambda h: h.gap("engines"), "engines: the watch was cut", id="engines with a gap"),
        pytest.param("v1.4.4", lambda h: h.drop_log("nightly-qa-2"), "is not in the history", id="a job's log lost"),
        pytest.param(
            "v1.2.6", lambda h: h.drop_log("instance-manager-e"), "no instance-manager-e log", id="engine log"
        ),
    ],
)
def test_without_its_source_the_number_is_not_known(release: str, change: Change, words: str) -> None:
    found = checks(changed(Run(release, "snapshot"), change))["one-snapshot-per-invocation"]
    assert found.verdict == "inconclusive"
    assert words in found.summary


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda h: h.gap("engines"), id="engines with a gap"),
        pytest.param(lambda h: h.drop_log("nightly-qa-2"), id="a job's log lost"),
    ],
)
def test_objects_alone_tell_the_number(change: Change) -> None:
    judgement = changed(Run("v1.8.2", "backup"), change)
    for check in ("one-snapshot-per-invocation", "one-backup-per-invocation"):
        assert checks(judgement)[check].verdict == "pass", checks(judgement)[check].summary
    assert "by Longhorn's own objects" in checks(judgement)["one-snapshot-per-invocation"].summary


def test_what_a_release_looks_for_is_what_its_pass_says() -> None:
    words = {
        release: checks(changed(Run(release, "snapshot")))["one-snapshot-per-invocation"].summary
        for release in ("v1.2.6", "v1.3.3", "v1.12.1")
    }
    assert words["v1.2.6"].endswith("by the engine's status and the engine's log")
    assert words["v1.3.3"].endswith("by the Jobs' logs, the engine's status and Longhorn's objects")
    assert words["v1.12.1"].endswith("by Longhorn's own objects")


@pytest.mark.parametrize("release", SHARED)
def test_a_backup_too_many(release: str) -> None:
    judgement = changed(
        Run(release, "backup"), lambda h: h.put("backups", backup("backup-x", "snap-0001"), after="nightly-qa-1-abcde")
    )
    found = not_pass(judgement)
    assert found["one-backup-per-invocation"] == "fail"
    assert "backup-x" in checks(judgement)["one-backup-per-invocation"].summary
    assert found["store-agrees"] == "fail", "neither the Job's log nor the store has it"


def test_a_backup_too_few() -> None:
    def take(history: Changed) -> None:
        name = next(r.object["metadata"]["name"] for r in history.of("backups") if r.change == "ADDED")
        without("backups", name)(history)
        for record in history.of("engines"):
            record.object["status"]["backupStatus"].pop(name, None)
        history.edit("nightly-qa-1", f"Completed creating backup {name}", "x")
        for place, record in enumerate(history.records):
            if isinstance(record, model.Store):
                kept = tuple(item for item in record.backups if item.name != name)
                history.records[place] = replace(record, backups=kept)

    judgement = changed(Run("v1.9.2", "backup"), take)
    assert not_pass(judgement)["one-backup-per-invocation"] == "fail"


def test_a_backup_of_an_older_snapshot() -> None:
    def older(history: Changed) -> None:
        for record in history.of("backups"):
            if record.object["spec"]["snapshotName"] == "snap-0005":
                record.object["spec"]["snapshotName"] = "snap-0001"
                record.object["status"]["snapshotName"] = "snap-0001"

    judgement = changed(Run("v1.8.2", "backup"), older)
    assert not_pass(judgement)["one-backup-per-invocation"] == "fail"
    assert "made by Job nightly-qa-1" in checks(judgement)["one-backup-per-invocation"].summary


def test_a_backup_that_the_api_does_not_know() -> None:
    def take(history: Changed) -> None:
        without("backups")(history)
        for record in history.of("engines"):
            record.object["status"]["backupStatus"] = {}

    found = checks(changed(Run("v1.8.2", "backup"), take))["store-agrees"]
    assert found.verdict == "fail"
    assert "is unknown to the API (backups.longhorn.io)" in found.summary


@pytest.mark.parametrize("task", ["snapshot-delete", "snapshot-cleanup", "filesystem-trim"])
def test_a_task_that_makes_nothing_makes_nothing(task: str) -> None:
    judgement = changed(
        Run("v1.8.2", task),
        lambda h: h.put("snapshots", snapshot("extra"), after="nightly-qa-2-abcde"),
        lambda h: h.put("backups", backup("backup-x", "extra"), after="nightly-qa-2-abcde"),
    )
    assert f"task {task} made snapshot extra" in checks(judgement)["one-snapshot-per-invocation"].summary
    assert f"task {task} made backup backup-x" in checks(judgement)["one-backup-per-invocation"].summary
    assert {"one-snapshot-per-invocation", "one-backup-per-invocation"} <= set(not_pass(judgement))


def test_a_task_that_makes_nothing_needs_somebody_who_would_have_seen() -> None:
    judgement = changed(
        Run("v1.8.2", "snapshot-cleanup"),
        lambda h: h.gap("snapshots"),
        lambda h: h.gap("backups"),
        lambda h: h.drop(lambda record: isinstance(record, model.Store)),
    )
    for check in ("one-snapshot-per-invocation", "one-backup-per-invocation"):
        assert checks(judgement)[check].verdict == "inconclusive"
    assert "neither Longhorn's objects nor the store was seen" in checks(judgement)["one-backup-per-invocation"].summary


def test_a_volume_that_the_job_leaves_out() -> None:
    """It is detached, which the release says at a level of its own."""
    judgement = changed(
        Run("v1.8.2", "snapshot"),
        without("snapshots", "snap-0003"),
        lambda h: [r.object["status"]["snapshots"].pop("snap-0003", None) for r in h.of("engines")],
        lambda h: h.edit(
            "nightly-qa-2",
            'msg="Complete creating the snapshot snap-0003" volumeName=vol-a',
            'msg="Cannot create job for vol-a volume in state detached"',
        ),
        lambda h: h.edit("nightly-qa-2", 'level=info msg="Cannot', 'level=warning msg="Cannot'),
    )
    found = checks(judgement)["one-snapshot-per-invocation"]
    assert found.verdict == "pass", found.summary
    assert "had nothing to do" in found.summary
    assert "2 of 3 Jobs made exactly one snapshot" in found.summary


# --- what a Job says of itself ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", ["v1.3.3", "v1.9.2", "v1.12.1"])
def test_a_refusal_that_nobody_says_is_a_snapshot_missing(release: str) -> None:
    fault_type = "patched-engine-image" if release == "v1.3.3" else "admission"
    word = "Failed to run job for volume" if release == "v1.3.3" else "Failed to run volume job"
    run = Run(release, "snapshot", VISIBLE, fault_type)
    assert "because it could not delete old snapshots" in checks(changed(run))["one-snapshot-per-invocation"].summary
    run = Run(release, "snapshot", VISIBLE, fault_type)
    judgement = changed(run, lambda h: h.edit("nightly-qa-3", word, "Something else"))
    assert not_pass(judgement)["one-snapshot-per-invocation"] == "fail"
    assert "job-succeeded" not in not_pass(judgement)


@pytest.mark.parametrize(
    ("release", "issue"),
    [
        pytest.param("v1.2.6", "longhorn#4255", id="logged"),
        pytest.param("v1.9.2", "longhorn#13587", id="lost"),
        pytest.param("v1.8.2", "", id="not known of this release"),
    ],
)
def test_complete_although_it_failed(release: str, issue: str) -> None:
    """A creation that fails: the Job's log says so, nothing is made, and the Job is Complete."""
    field, word = ("volumeName", "Failed to run volume job") if release == "v1.9.2" else ("volume", "Failed to run job")
    word = (
        "failed to run job for volume" if release == "v1.2.6" else f"{word} for volume" if field == "volume" else word
    )
    level, text = "info", "Created the snapshot" if release == "v1.2.6" else "Complete creating the snapshot"
    old = f'level={level} msg="{text} snap-0003" volumeName=vol-a'
    new = f'level=error msg="{word}" error="cannot create snapshot: no space" {field}=vol-a'

    def fail(history: Changed) -> None:
        if release != "v1.2.6":
            without("snapshots", "snap-0003")(history)
        else:
            history.edit("instance-manager-e", "Snapshot: 10.0.0.1:1 snap-0003", "Snapshot; snap-0003")
        for record in history.of("engines"):
            record.object["status"]["snapshots"].pop("snap-0003", None)
        history.edit("nightly-qa-2", old, new)

    judgement = changed(Run(release, "snapshot"), fail)
    found = checks(judgement)["job-succeeded"]
    assert found.verdict == "fail"
    assert "Job nightly-qa-2 is Complete although it failed: it made no snapshot of volume vol-a" in found.summary
    assert found.known_issue.startswith(issue)
    assert bool(found.known_issue) == bool(issue)
    assert any(item.where.startswith("line ") for item in found.evidence)
    assert checks(judgement, BYSTANDER)["job-succeeded"].verdict == "pass", "its own was made"


@pytest.mark.parametrize("release", ["v1.3.3", "v1.9.2", "v1.12.1"])
def test_a_job_that_made_nothing_and_whose_log_is_lost_may_have_failed(release: str) -> None:
    run = Run(release, "snapshot", VISIBLE, "patched-engine-image" if release == "v1.3.3" else "admission")
    found = checks(changed(run, lambda h: h.drop_log("nightly-qa-3")))["job-succeeded"]
    assert found.verdict == "inconclusive"
    assert "whether Job nightly-qa-3 says that it failed is not known" in found.summary
    found = checks(changed(Run(release, "snapshot"), lambda h: h.drop_log("nightly-qa-3")))["job-succeeded"]
    assert found.verdict == "pass", "it made what it was to make"
