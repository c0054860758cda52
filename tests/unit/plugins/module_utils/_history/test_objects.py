# SPDX-License-Identifier: GPL-3.0-or-later
"""API objects as facts, whatever is missing or wrong in them."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._history import objects

META = {"name": "a", "uid": "u", "resourceVersion": "12"}
CRONJOB = {"kind": "CronJob", "uid": "x"}
LIFTS = [
    objects.cronjob, objects.job, objects.pod, objects.event, objects.engine, objects.recurring_job, objects.snapshot,
    objects.backup,
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize("lift", LIFTS, ids=[lift.__name__ for lift in LIFTS])
@given(spec=JSON, status=JSON)
def test_any_spec_and_status_give_a_fact(lift: t.Any, spec: t.Any, status: t.Any) -> None:
    fact = lift({"metadata": META, "spec": spec, "status": status, "involvedObject": spec, "source": status})
    assert fact.meta.version == 12


@pytest.mark.parametrize("lift", LIFTS, ids=[lift.__name__ for lift in LIFTS])
@pytest.mark.parametrize("missing", ["name", "uid"])
def test_object_without_identity_is_refused(lift: t.Any, missing: str) -> None:
    with pytest.raises(objects.ObjectError, match=missing):
        lift({"metadata": {key: value for key, value in META.items() if key != missing}})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test-c-yxam34-c-1591652160", datetime(2020, 6, 8, 21, 36, tzinfo=timezone.utc)),
        ("test-nc-snap-c-ncsnp-c-29923389", datetime(2026, 11, 23, 3, 9, tzinfo=timezone.utc)),
        ("test-c-qa-1", None),
        ("test-c", None),
    ],
    ids=["unix seconds of the first controller", "unix minutes of the second", "made by hand", "no number"],
)
def test_tick_is_in_the_jobs_name(name: str, expected: datetime | None) -> None:
    assert objects.tick_of(name) == expected


def test_failed_job_needs_no_failed_count() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    condition["lastTransitionTime"] = "2026-11-23T03:09:00Z"
    fact = objects.job({"metadata": META, "status": {"conditions": [condition]}})
    assert (fact.failed, fact.complete, fact.reason) == (True, False, "BackoffLimitExceeded")
    assert fact.ended == datetime(2026, 11, 23, 3, 9, tzinfo=timezone.utc)


def test_condition_that_is_not_true_does_not_count() -> None:
    fact = objects.job({"metadata": META, "status": {"conditions": [{"type": "Complete", "status": "False"}]}})
    assert not fact.over


@pytest.mark.parametrize(
    "mark",
    [
        {"annotations": {"cronjob.kubernetes.io/instantiate": "manual"}},
        {"labels": {"longhorn.qa/triggered": "true"}},
        {"annotations": {"longhorn.qa/triggered": "true"}},
    ],
    ids=["kubectl create job --from", "our label", "our annotation"],
)
def test_jobs_made_by_hand_are_told_apart(mark: dict[str, t.Any]) -> None:
    assert objects.job({"metadata": {**META, **mark}}).by_hand
    assert not objects.job({"metadata": META}).by_hand


def test_a_restart_count_that_no_pod_ever_has_is_cut() -> None:
    """Whoever goes through a pod's starts comes to an end, also where the history is forged."""
    fact = objects.pod(
        {"metadata": META, "status": {"containerStatuses": [{"name": "c", "restartCount": 2_000_000_000}]}}
    )
    assert fact.restarts == objects.MAX_RESTARTS


@pytest.mark.parametrize(
    ("text", "number"),
    [("18446744073709551615", 18446744073709551615), ("9" * 5000, 0), ("-1", 0), ("\u0663", 0), ("", 0)],
    ids=["the largest", "endless", "negative", "not ASCII", "empty"],
)
def test_a_resource_version_is_a_number_of_64_bits(text: str, number: int) -> None:
    assert objects.version_number(text) == number


def test_pod_tells_the_run_before_too() -> None:
    ended = {"terminated": {"exitCode": 1, "startedAt": "2026-11-23T03:09:00Z", "finishedAt": "2026-11-23T03:09:02Z"}}
    status = {"containerStatuses": [{"name": "c", "restartCount": 2, "state": {"waiting": {}}, "lastState": ended}]}
    fact = objects.pod({"metadata": META, "status": status})
    assert fact.restarts == 2
    assert [(run.attempt, run.exit_code) for run in fact.runs] == [(1, 1)]


@pytest.mark.parametrize(
    ("document", "count"),
    [
        ({"message": "m", "count": 3, "source": {"component": "c"}, "involvedObject": CRONJOB}, 3),
        ({"note": "m", "series": {"count": 4}, "reportingController": "c", "regarding": CRONJOB}, 4),
        ({"note": "m", "deprecatedCount": 2, "deprecatedSource": {"component": "c"}, "regarding": CRONJOB}, 2),
        ({"message": "m", "reportingComponent": "c", "involvedObject": CRONJOB}, 1),
    ],
    ids=["core/v1", "events.k8s.io with a series", "events.k8s.io with the old fields", "no count"],
)  # fmt: skip
def test_events_of_either_api(document: dict[str, t.Any], count: int) -> None:
    fact = objects.event({"metadata": META, **document})
    assert (fact.kind, fact.uid, fact.message, fact.source, fact.occurrences) == ("CronJob", "x", "m", "c", count)


def test_engine_knows_whether_it_was_told_anything() -> None:
    assert not objects.engine({"metadata": META, "status": {}}).known
    entry = {"snap": {"labels": {"RecurringJob": "c-x"}}, "volume-head": {}, "broken": 3}
    fact = objects.engine({"metadata": META, "spec": {"volumeName": "v"}, "status": {"snapshots": entry}})
    assert fact.known
    assert [(item.name, item.job) for item in fact.snapshots] == [("snap", "c-x")]


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
@pytest.mark.parametrize(
    ("kind", "plural"), [("RecurringJob", "recurringjobs"), ("Snapshot", "snapshots"), ("Backup", "backups")]
)
def test_kinds_of_longhorns_own_group_are_told_from_others(kind: str, plural: str, version: str) -> None:
    assert objects.plural_of({"apiVersion": f"longhorn.io/{version}", "kind": kind}) == plural
    assert objects.plural_of({"apiVersion": f"snapshot.storage.k8s.io/{version}", "kind": kind}) is None


def test_recurring_job_counts_starts_or_does_not() -> None:
    counted = objects.recurring_job({"metadata": META, "spec": {"task": "backup"}, "status": {"executionCount": 3}})
    assert counted.executions == 3
    assert objects.recurring_job({"metadata": META, "status": {"ownerID": "n"}}).executions is None


def test_snapshot_that_a_job_asked_for() -> None:
    meta = {**META, "labels": {"longhornvolume": "other"}, "deletionTimestamp": "2026-11-23T03:09:00Z"}
    labels = {"RecurringJob": "snap", "mine": "x"}
    spec = {"volume": "v", "createSnapshot": True, "labels": labels}
    status = {"creationTime": "2026-11-23T03:08:00Z", "error": "lost track"}
    fact = objects.snapshot({"metadata": meta, "spec": spec, "status": status})
    assert (fact.volume, fact.job, fact.asked_for, fact.error) == ("v", "snap", True, "lost track")
    assert fact.made == datetime(2026, 11, 23, 3, 8, tzinfo=timezone.utc)
    assert fact.deleting == datetime(2026, 11, 23, 3, 9, tzinfo=timezone.utc)
    assert (fact.snapshot, fact.state, fact.messages) == ("", "", ())


def test_snapshot_that_mirrors_the_engines() -> None:
    document = {"metadata": {**META, "labels": {"longhornvolume": "v"}}, "spec": {"createSnapshot": False}}
    document["status"] = {"labels": {"RecurringJob": "snap"}}
    fact = objects.snapshot(document)
    assert (fact.volume, fact.job, fact.asked_for, fact.deleting) == ("v", "snap", False, None)


def test_backup_that_a_job_asked_for_and_that_cannot_be_deleted() -> None:
    meta = {**META, "labels": {"backup-volume": "v", "longhornvolume": "other"}}
    spec = {"snapshotName": "s", "labels": {"RecurringJob": "back"}}
    status = {"state": "Error", "error": "e", "messages": {"error": "Failed to delete the backup"}, "volumeName": "x",
              "snapshotName": "t", "backupCreatedAt": "2026-11-23T03:08:00Z"}  # fmt: skip
    fact = objects.backup({"metadata": meta, "spec": spec, "status": status})
    assert (fact.volume, fact.job, fact.asked_for, fact.snapshot) == ("v", "back", True, "s")
    assert (fact.state, fact.error, fact.messages) == ("Error", "e", ("Failed to delete the backup",))
    assert fact.made == datetime(2026, 11, 23, 3, 8, tzinfo=timezone.utc)


def test_backup_that_was_found_in_the_store() -> None:
    status = {"volumeName": "v", "snapshotName": "t", "labels": {"RecurringJob": "back"}}
    fact = objects.backup({"metadata": META, "spec": {"syncRequestedAt": None}, "status": status})
    assert (fact.volume, fact.job, fact.asked_for, fact.snapshot) == ("v", "back", False, "t")


def test_engine_tells_which_snapshots_wait_for_a_purge() -> None:
    snapshots = {"a": {"removed": True, "labels": {"RecurringJob": "x"}}, "b": {"removed": False}, "c": {}}
    fact = objects.engine({"metadata": META, "status": {"snapshots": snapshots}})
    assert [(item.name, item.job, item.removed) for item in fact.snapshots] == [
        ("a", "x", True), ("b", "", False), ("c", "", False),
    ]  # fmt: skip
