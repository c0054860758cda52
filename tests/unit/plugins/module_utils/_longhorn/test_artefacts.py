# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots and backups, from objects, from engines and from the manager's list."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.artefacts import (
    Backup,
    Snapshot,
    snapshots_of_engine,
)


def test_an_engine_tells_its_snapshots_without_the_place_it_writes_to() -> None:
    engine = {
        "spec": {"volumeName": "test-1"},
        "status": {
            "snapshots": {
                "b": {"created": "2026-01-01T00:00:00Z", "usercreated": True, "labels": {"RecurringJob": "c-1"}},
                "a": {"created": "", "usercreated": False, "removed": True, "labels": None},
                "volume-head": {"parent": "b"},
            }
        },
    }
    assert snapshots_of_engine(engine) == (
        Snapshot("a", "test-1", user_created=False, removed=True),
        Snapshot("b", "test-1", "2026-01-01T00:00:00Z", {"RecurringJob": "c-1"}),
    )


def test_an_engine_that_does_not_run_tells_nothing() -> None:
    assert snapshots_of_engine({"spec": {"volumeName": "test-1"}, "status": {"snapshots": None}}) == ()


def test_a_half_born_snapshot_is_read() -> None:
    born = Snapshot.from_object({"metadata": {"name": "s"}, "spec": {"volume": "test-1", "labels": {"a": "b"}}})
    assert (born.volume, born.labels, born.ready, born.created) == ("test-1", {"a": "b"}, False, "")


def test_a_half_born_backup_is_told_by_its_label() -> None:
    document = {"metadata": {"name": "backup-1", "labels": {"backup-volume": "test-1"}}, "spec": {"snapshotName": "s"}}
    born = Backup.from_object(document)
    assert (born.volume, born.snapshot, born.state, born.target) == ("test-1", "s", "", "default")


def test_a_list_and_an_object_tell_the_same() -> None:
    answer = {
        "name": "backup-1", "url": "u", "volumeName": "test-1", "snapshotName": "s", "created": "c",
        "labels": {"a": "b"},
    }  # fmt: skip
    status = {
        "url": "u", "volumeName": "test-1", "snapshotName": "s", "backupCreatedAt": "c", "labels": {"a": "b"},
        "state": "Completed",
    }  # fmt: skip
    told = Backup.from_object({"metadata": {"name": "backup-1"}, "status": status}).summary()
    assert {**told, "state": ""} == Backup.from_answer(answer).summary()
