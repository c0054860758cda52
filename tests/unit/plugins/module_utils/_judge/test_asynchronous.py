# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletions that a job only asks for, tasks that delete or purge, and what is left in the end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.plugins.module_utils._judge import made
from tests.unit.plugins.module_utils._judge.changed import (
    HIDDEN,
    SHARED,
    STORE,
    VISIBLE,
    WITH_OBJECTS,
    Change,
    Changed,
    changed,
    checks,
    not_pass,
    without,
)
from tests.unit.plugins.module_utils._judge.made import FAULTY, Run

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.logfmt import read_lines


# --- what becomes of deletions ---------------------------------------------------------------------------------------
def manager_logs_json(history: Changed) -> None:
    """As with the chart's value longhornManager.log.format; jobs log text all the same (4.6)."""
    for place, record in enumerate(history.records):
        if isinstance(record, model.Log) and record.pod.startswith("longhorn-manager-") and record.state == "closed":
            lines = [dict(sorted(line.fields)) for line in read_lines([history.logs[record.path]])]
            assert lines
            history.logs[record.path] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
            history.records[place] = replace(record, bytes=len(history.logs[record.path]))


@pytest.mark.parametrize(
    ("release", "task", "effect"),
    [("v1.0.1", "backup", STORE), ("v1.1.3", "backup", STORE), ("v1.12.1", "snapshot", (HIDDEN, "engine-image"))],
)
def test_a_manager_may_log_json(release: str, task: str, effect: tuple[str, str]) -> None:
    assert not_pass(changed(Run(release, task, *effect), manager_logs_json)) == {}


def stays(name: str) -> Change:
    """The object is never gone."""
    kind = "backups" if name.startswith("backup") else "snapshots"
    return without(kind, name, "DELETED")


def test_an_object_that_stays_terminating_through_the_next_job_was_not_deleted() -> None:
    judgement = changed(Run("v1.8.2", "snapshot"), stays("snap-0001"))
    assert not_pass(judgement) == {"fault-live": "fail", "retain-kept": "fail"}
    said = checks(judgement)
    assert "snapshot-delete failed in Job nightly-qa-2, where nothing should fail" in said["fault-live"].summary
    assert "snapshot snap-0001 stays Terminating" in "".join(str(item) for item in said["fault-live"].evidence)
    assert said["retain-kept"].summary == (
        "snapshots left: 2 (snap-0005, snap-0001), retain is 1; still Terminating: snap-0001"
    )


def test_the_last_deletion_may_be_under_way_when_the_record_ends() -> None:
    judgement = changed(Run("v1.8.2", "snapshot"), stays("snap-0003"))
    assert not_pass(judgement) == {}
    assert "the last snapshot-delete was asked for, and not done when the record ended" in (
        checks(judgement)["fault-live"].summary
    )


def test_a_single_deletion_under_way_proves_nothing() -> None:
    judgement = changed(Run("v1.8.2", "snapshot", invocations=2), stays("snap-0001"))
    assert not_pass(judgement) == {"fault-live": "inconclusive", "retain-kept": "inconclusive"}
    for check in ("fault-live", "retain-kept"):
        assert "Record a little longer after the last Job." in checks(judgement)[check].advice


def test_an_object_that_was_never_asked_to_go() -> None:
    """The job says that it was cleaned up, and nothing came of it."""

    def ignored(history: Changed) -> None:
        stays("snap-0001")(history)
        history.drop(
            lambda r: (
                isinstance(r, model.ObjectSeen)
                and r.kind == "snapshots"
                and r.object["metadata"]["name"] == "snap-0001"
                and "deletionTimestamp" in r.object["metadata"]
            )
        )

    found = checks(changed(Run("v1.8.2", "snapshot"), ignored))["fault-live"]
    assert found.verdict == "fail"
    assert "stays, and is not even Terminating" in "".join(str(item) for item in found.evidence)


@pytest.mark.parametrize("kind", ["snapshots", "backups"])
def test_without_the_objects_nothing_is_known_of_deletions(kind: str) -> None:
    judgement = changed(Run("v1.8.2", "backup"), without(kind), lambda h: h.gap(kind))
    assert checks(judgement)["fault-live"].verdict == "inconclusive"
    judgement = changed(Run("v1.8.2", "backup"), without(kind))
    assert "has no object in the history" in checks(judgement)["fault-live"].summary


def test_a_fault_that_lets_deletions_through_was_not_live() -> None:
    run = Run("v1.8.2", "snapshot", HIDDEN, "disable-snapshot-purge")

    def let_through(history: Changed) -> None:
        for name in ("snap-0001", "snap-0003"):
            document = {"metadata": {"name": name}, "spec": {"volume": FAULTY, "createSnapshot": True}}
            document["spec"]["labels"] = {"RecurringJob": "nightly"}
            history.put("snapshots", document, after="nightly-qa-3-abcde", change="DELETED")

    found = checks(changed(run, let_through))["fault-live"]
    assert found.verdict == "inconclusive"
    assert "so the fault was not live" in found.summary


def test_what_nobody_says_of_a_deletion_that_does_not_happen() -> None:
    text = "Cannot start SnapshotPurge"
    run = Run("v1.8.2", "snapshot", HIDDEN, "disable-snapshot-purge")
    found = checks(changed(run, lambda h: h.edit("longhorn-manager", text, "x")))["cleanup-warning"]
    assert found.verdict == "fail"
    assert "did not happen, and neither the manager nor the object says so" in found.summary
    run = Run("v1.8.2", "snapshot", HIDDEN, "disable-snapshot-purge")
    judgement = changed(run, lambda h: h.drop_log("longhorn-manager"))
    assert checks(judgement)["cleanup-warning"].verdict == "inconclusive"
    assert checks(judgement)["fault-live"].verdict == "pass", "the objects show that"


def test_a_backup_whose_object_does_not_say_why_it_stays() -> None:
    def silent(history: Changed) -> None:
        for record in history.of("backups"):
            record.object["status"].pop("messages", None)

    run = Run("v1.8.2", "backup", *STORE)
    assert "the backup s3://b@r/?backup=" in "".join(
        str(item) for item in checks(changed(run))["cleanup-warning"].evidence
    )
    run = Run("v1.8.2", "backup", *STORE)
    judgement = changed(run, silent)
    assert not_pass(judgement) == {"cleanup-warning": "fail"}


def test_a_message_of_a_backup_that_could_not_be_made_is_none_of_its_deletion() -> None:
    def failed(history: Changed) -> None:
        for record in history.of("backups"):
            if (
                "deletionTimestamp" not in record.object["metadata"]
                and record.object["status"]["state"] != "InProgress"
            ):
                record.object["status"] |= {"state": "Error", "error": "no space"}
            record.object["status"].pop("messages", None)

    assert checks(changed(Run("v1.8.2", "backup", *STORE), failed))["cleanup-warning"].verdict == "fail"


@pytest.mark.parametrize("release", SHARED)
def test_a_snapshot_job_of_a_release_that_is_not_told_to_fail(release: str) -> None:
    """A fault that this release never lets happen proves nothing, and what would is said."""
    run = Run(release, "snapshot")
    history = run.history()
    cells = tuple(replace(c, faults=("snapshot-delete",), fault_type="object-lock") for c in history.subjects.cells)
    start = replace(history.records[0], subjects=replace(history.subjects, cells=cells))  # type: ignore[arg-type]
    judgement = Changed([start, *history.records[1:]], dict(history.logs)).judge()
    found = checks(judgement)["fault-live"]
    assert found.verdict == "inconclusive"
    assert f"object-lock does not make snapshot-delete fail on Longhorn {release}" in found.advice
    assert {"v1.2.6": "engine-image", "v1.3.3": "patched-engine-image", "v1.4.4": "patched-engine-image"}.get(
        release, "admission"
    ) in found.advice


def test_a_fault_that_should_be_there_is_to_be_looked_for() -> None:
    run = Run("v1.8.2", "snapshot")
    history = run.history()
    cells = tuple(replace(c, faults=("snapshot-delete",), fault_type="admission") for c in history.subjects.cells)
    start = replace(history.records[0], subjects=replace(history.subjects, cells=cells))  # type: ignore[arg-type]
    found = checks(Changed([start, *history.records[1:]], dict(history.logs)).judge())["fault-live"]
    assert found.advice == "Check that the fault admission is in place."


# --- tasks that delete or purge --------------------------------------------------------------------------------------
def test_snapshots_over_retain_that_the_task_does_not_delete() -> None:
    judgement = changed(
        Run("v1.8.2", "snapshot-delete"), lambda h: h.edit("nightly-qa-1", "Cleaned up snapshot CR", "Looked at")
    )
    found = checks(judgement)["fault-live"]
    assert found.verdict == "inconclusive"
    assert "that snapshot-delete succeeded in Job nightly-qa-1 is not known" in found.summary


def test_nothing_over_retain_is_nothing_to_delete() -> None:
    judgement = changed(Run("v1.8.2", "snapshot-delete", retain=3))
    found = checks(judgement)["fault-live"]
    assert found.verdict == "inconclusive"
    assert "snapshot-delete was never due" in found.summary


@pytest.mark.parametrize("task", ["snapshot-cleanup", "filesystem-trim"])
def test_a_purge_that_nobody_says_was_done(task: str) -> None:
    judgement = changed(Run("v1.8.2", task), lambda h: h.edit("nightly-qa-2", "Finished recurring", "Left"))
    assert not_pass(judgement) == {"fault-live": "inconclusive"}


# --- what is left ----------------------------------------------------------------------------------------------------
RECOVERIES = [
    pytest.param(release, task, fault, fault_type, id=f"{release} {task} {fault}")
    for release in made.RELEASES
    for task, fault, fault_type in (
        ("snapshot", VISIBLE, "engine-image"),
        ("backup", VISIBLE, "engine-image"),
        ("snapshot-force-create", VISIBLE, "admission"),
        ("snapshot-delete", VISIBLE, "admission"),
        ("snapshot", HIDDEN, "disable-snapshot-purge"),
        ("backup", *STORE),
    )
    if (release in WITH_OBJECTS or not fault_type.startswith(("adm", "dis")))
    and (release not in ("2020-06", "v1.0.0") or fault_type == "engine-image")
]


@pytest.mark.parametrize(("release", "task", "fault", "fault_type"), RECOVERIES)
def test_once_the_fault_is_gone_one_job_brings_back_what_is_to_be_retained(
    release: str, task: str, fault: str, fault_type: str
) -> None:
    """But where the bystander of a snapshot-delete job has nothing over retain any more, which proves nothing."""
    run = Run(release, task, fault, fault_type)
    judgement = changed(run, recovered=True)
    for cell in judgement.cells[: 1 if task == "snapshot-delete" else 2]:
        assert {
            check.check: check.summary for check in cell.checks if check.verdict not in ("pass", "not_applicable")
        } == {}
        assert {check.check: check.verdict for check in cell.checks}["retain-kept"] == "pass"
        assert cell.contract == "meets the contract"


def test_a_snapshot_that_is_left_over() -> None:
    run = Run("v1.8.2", "snapshot", VISIBLE, "admission")
    judgement = changed(run, stays("snap-0001"), recovered=True)
    found = checks(judgement)["retain-kept"]
    assert found.verdict == "pass", "it goes, like the other one did"
    run = Run("v1.8.2", "snapshot", VISIBLE, "admission")

    def ignored(history: Changed) -> None:
        history.drop(
            lambda r: (
                isinstance(r, model.ObjectSeen) and r.object["metadata"]["name"] == "snap-0001" and r.via == "watch"
            )
        )

    found = checks(changed(run, ignored, recovered=True))["retain-kept"]
    assert found.verdict == "fail"
    assert found.summary.startswith("snapshots left: 2 (snap-0001, ")


def test_a_backup_that_is_left_in_the_store() -> None:
    def keep(history: Changed) -> None:
        for place, record in enumerate(history.records):
            if isinstance(record, model.Store):
                extra = model.StoredBackup(FAULTY, "backup-old", "k", labels={"RecurringJob": "c-job"})
                history.records[place] = replace(record, backups=(*record.backups, extra))

    judgement = changed(Run("v1.1.3", "backup", *STORE), keep, recovered=True)
    assert checks(judgement)["retain-kept"].verdict == "fail"
    assert "backups left: 2" in checks(judgement)["retain-kept"].summary


@pytest.mark.parametrize(
    ("volume", "name", "job", "left"),
    [
        pytest.param("vol-x", "backup-x", "c-job", 1, id="another volume's"),
        pytest.param(FAULTY, "backup-x", "other", 1, id="another recurring job's"),
        pytest.param(FAULTY, "", "", 2, id="the first Job's, by its name"),
    ],
)
def test_which_backups_in_the_store_are_left_of_the_cell(volume: str, name: str, job: str, left: int) -> None:
    """The last listing has one more."""

    def listed(history: Changed) -> None:
        place, last = [(n, r) for n, r in enumerate(history.records) if isinstance(r, model.Store)][-1]
        first = next(r for r in history.records if isinstance(r, model.Store)).backups[0].name
        extra = model.StoredBackup(volume, name or first, "k", labels={"RecurringJob": job} if job else {})
        history.records[place] = replace(last, backups=(*last.backups, extra))

    found = checks(changed(Run("v1.1.3", "backup"), listed))["retain-kept"]
    assert found.verdict == ("pass" if left == 1 else "fail")
    assert f"backups left: {left}" in found.summary


def unseen(history: Changed) -> None:
    """The engine after the last Job's snapshot."""
    history.drop(
        lambda r: (
            isinstance(r, model.ObjectSeen) and r.kind == "engines" and "snap-0005" in r.object["status"]["snapshots"]
        )
    )


def unmade(history: Changed) -> None:
    """That snapshot: the last Job made none, and deleted the one before all the same."""
    without("snapshots", "snap-0005")(history)
    for record in history.of("engines"):
        record.object["status"]["snapshots"].pop("snap-0005", None)
    history.edit("nightly-qa-3", "Created the snapshot snap-0005", "Created no snapshot")


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        pytest.param(unseen, "inconclusive", "the engine was not seen after the last Job's snapshot", id="not seen"),
        pytest.param(unmade, "pass", "snapshots left: 0, retain is 1", id="not made"),
    ],
)
def test_the_engine_is_looked_at_after_the_last_snapshot(change: Change, verdict: str, words: str) -> None:
    found = checks(changed(Run("v1.4.4", "snapshot"), change))["retain-kept"]
    assert (found.verdict, found.summary) == (verdict, words)


@pytest.mark.parametrize(
    ("release", "change", "words"),
    [
        pytest.param("v1.1.3", lambda h: h.drop(lambda r: isinstance(r, model.Store)), "the store was not listed",
                     id="no listing"),
        pytest.param("v1.1.3", lambda h: h.gap("engines"), "engines: the watch was cut", id="engines with a gap"),
        pytest.param("v1.8.2", lambda h: h.gap("snapshots"), "snapshots: the watch was cut", id="snapshots with a gap"),
        pytest.param("v1.8.2", lambda h: h.gap("backups"), "backups: the watch was cut", id="backups with a gap"),
        pytest.param("v1.4.4", without("engines"), "the engine was not seen", id="no engine"),
    ],
)  # fmt: skip
def test_what_is_left_has_to_be_looked_at(release: str, change: Change, words: str) -> None:
    found = checks(changed(Run(release, "backup"), change))["retain-kept"]
    assert found.verdict == "inconclusive"
    assert words in found.summary


@pytest.mark.parametrize("task", ["snapshot-cleanup", "filesystem-trim"])
def test_a_task_that_purges_retains_nothing(task: str) -> None:
    found = checks(changed(Run("v1.8.2", task)))["retain-kept"]
    assert (found.verdict, found.summary) == ("not_applicable", f"task {task} has nothing to retain")


def test_task_snapshot_delete_retains_among_everybodys() -> None:
    def ignored(history: Changed) -> None:
        history.drop(
            lambda r: (
                isinstance(r, model.ObjectSeen)
                and r.kind == "snapshots"
                and r.object["metadata"]["name"] == "snap-0001"
                and r.via == "watch"
            )
        )

    found = checks(changed(Run("v1.8.2", "snapshot-delete"), ignored))["retain-kept"]
    assert found.verdict == "fail"
