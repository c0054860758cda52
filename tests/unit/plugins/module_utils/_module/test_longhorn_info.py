# SPDX-License-Identifier: GPL-3.0-or-later
"""longhorn_info: reads what is asked for and nothing else; an error is never an empty answer."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._module import longhorn_info

PODS = "?labelSelector=app%3Dlonghorn-manager"
DEFAULT = "longhornio/longhorn-engine:v1.0.1"
VOLUME = {
    "metadata": {"name": "test-1"},
    "spec": {
        "size": "33554432",
        "engineImage": DEFAULT,
        "recurringJobs": [{"name": "c-1", "task": "backup", "cron": "* * * * *", "retain": 1}],
    },
}


def managers(api: t.Any, *images: str) -> None:
    items = [{"metadata": {"name": image}, "spec": {"containers": [{"image": image}]}} for image in images]
    api.on(f"GET {api.path('pods')}{PODS}", {"metadata": {"resourceVersion": "1"}, "items": items})


def run(api: t.Any, *subsets: str, **params: t.Any) -> dict[str, t.Any]:
    given = {"namespace": "longhorn-system", "longhorn_release": "", "gather_subset": list(subsets), **params}
    return longhorn_info.run(given, check_mode=False, client=api.client)


def test_the_release_is_read_from_the_managers_image(api: t.Any) -> None:
    api.longhorn()
    managers(api, "longhornio/longhorn-manager:v1.0.1", "longhornio/longhorn-manager:v1.0.1")

    assert run(api, "release") == {
        "changed": False, "release": "v1.0.1", "manager_image": "longhornio/longhorn-manager:v1.0.1",
    }  # fmt: skip


def test_the_manager_is_found_among_the_containers_of_its_pod(api: t.Any) -> None:
    api.longhorn()
    containers = [{"name": "sidecar", "image": "s:v9.9.9"}, {"name": "longhorn-manager", "image": "m:v1.0.1"}]
    pod = {"metadata": {"name": "m"}, "spec": {"containers": containers}}
    api.on(f"GET {api.path('pods')}{PODS}", {"metadata": {}, "items": [pod]})

    assert run(api, "release")["manager_image"] == "m:v1.0.1"


def test_an_unknown_release_is_a_warning_only(api: t.Any) -> None:
    api.longhorn()
    managers(api, "longhornio/longhorn-manager:master")

    result = run(api, "release")

    assert result["release"] == ""
    assert "longhorn_release" in result["warnings"][0]


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        pytest.param([], errors.NotFound, "no longhorn-manager pod", id="no-manager"),
        pytest.param(["m:v1.0.0", "m:v1.0.1"], errors.ApiFailure, "upgrade is going on", id="two-versions-at-once"),
    ],
)
def test_a_manager_that_cannot_be_told_fails(api: t.Any, images: list[str], error: type[Exception], words: str) -> None:
    api.longhorn()
    managers(api, *images)

    with pytest.raises(error, match=words):
        run(api, "release")


def test_everything(api: t.Any) -> None:
    api.longhorn()
    managers(api, "longhornio/longhorn-manager:v1.0.1")
    ready = {"Ready": {"type": "Ready", "status": "True"}}
    api.objects("nodes", {"metadata": {"name": "node-1"}, "status": {"conditions": ready}})
    api.objects("engineimages", {"metadata": {"name": "ei-3bd16bdf"}, "spec": {"image": DEFAULT}})
    api.objects("volumes", VOLUME)
    api.objects("settings", {"metadata": {"name": "backup-target"}, "value": "s3://b@r/"})
    api.setting("backup-target", "s3://b@r/")
    api.setting("backup-target-credential-secret", "s")
    api.setting("backupstore-poll-interval", "300")
    created = {
        "created": "2026-11-23T08:00:00Z",
        "usercreated": True,
        "removed": False,
        "labels": {"RecurringJob": "c-1"},
    }
    engine = {
        "metadata": {"name": "test-1-e-1"}, "spec": {"volumeName": "test-1"},
        "status": {"snapshots": {"s": created, "volume-head": {}}},
    }  # fmt: skip
    api.objects("engines", engine)
    api.manager("GET v1/backupvolumes", {"data": [{"name": "test-1"}]})
    backup = {"name": "backup-1", "url": "u", "volumeName": "test-1", "snapshotName": "s", "created": "c"}
    api.manager("POST v1/backupvolumes/test-1?action=backupList", {"data": [{**backup, "labels": {"a": "b"}}]})

    result = run(api, "all")

    assert result["nodes"] == [{"name": "node-1", "ready": True, "schedulable": True, "reason": ""}]
    assert result["engine_images"][0]["default"]
    assert result["volumes"][0]["size"] == 33554432
    assert result["settings"] == {"backup-target": "s3://b@r/"}
    assert result["recurring_jobs"][0]["cronjob"] == "test-1-c-1-c"
    assert result["snapshots"] == [
        {
            "name": "s", "volume": "test-1", "created": "2026-11-23T08:00:00Z", "labels": {"RecurringJob": "c-1"},
            "user_created": True, "removed": False, "ready": True, "error": "", "deleting": False,
        }
    ]  # fmt: skip
    told = {"name": "backup-1", "url": "u", "volume": "test-1", "snapshot": "s", "created": "c", "labels": {"a": "b"}}
    assert result["backups"] == [{**told, "state": "", "error": "", "target": "default", "deleting": False}]
    assert result["backup_targets"] == [
        {"name": "default", "url": "s3://b@r/", "credential_secret": "s", "poll_interval": 300, "available": None}
    ]


def test_objects_of_later_releases(api: t.Any) -> None:
    api.longhorn(shape="1.5")
    labels = {"recurring-job.longhorn.io/nightly": "enabled"}
    grouped = {"recurring-job-group.longhorn.io/g": "enabled"}
    api.objects(
        "volumes",
        *({"metadata": {"name": name, "labels": given}} for name, given in (("b", labels), ("a", grouped), ("c", {}))),
    )
    spec = {"name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 1, "groups": ["g"]}
    job = {"metadata": {"name": "nightly"}, "spec": spec, "status": {"executionCount": 4}}
    api.objects("recurringjobs", job)
    snapshot = {
        "metadata": {"name": "s", "deletionTimestamp": "2026-11-23T08:00:00Z"}, "spec": {"volume": "a"},
        "status": {"creationTime": "c", "readyToUse": False, "error": "e", "userCreated": True, "markRemoved": True},
    }  # fmt: skip
    api.objects("snapshots", snapshot)
    backup = {
        "metadata": {"name": "backup-1", "labels": {"backup-volume": "a"}}, "spec": {"snapshotName": "s"},
        "status": {"state": "Error", "error": "no", "backupTargetName": "second"},
    }  # fmt: skip
    api.objects("backups", backup)
    api.object("settings", "backup-target", None)
    api.objects("backuptargets", {"metadata": {"name": "second"}, "spec": {"backupTargetURL": "s3://b@r/"}})

    result = run(api, "recurring_jobs", "snapshots", "backups", "backup_targets")

    (found,) = result["recurring_jobs"]
    assert (found["volumes"], found["cronjob"], found["execution_count"]) == (["a", "b"], "nightly", 4)
    (found,) = result["snapshots"]
    assert (found["volume"], found["deleting"], found["removed"], found["ready"], found["error"]) == (
        "a",
        True,
        True,
        False,
        "e",
    )
    (found,) = result["backups"]
    assert (found["volume"], found["state"], found["target"], found["snapshot"]) == ("a", "Error", "second", "s")
    assert result["backup_targets"][0]["available"] is False


def test_from_1_2_to_1_7_the_manager_tells_of_the_target_that_settings_make(api: t.Any) -> None:
    api.longhorn(shape="1.2")
    api.setting("backup-target", "s3://b@r/")
    api.setting("backup-target-credential-secret", "s")
    api.setting("backupstore-poll-interval", "0")
    api.objects("backuptargets", {"metadata": {"name": "default"}, "status": {"available": True}})

    (found,) = run(api, "backup_targets")["backup_targets"]
    assert (found["url"], found["poll_interval"], found["available"]) == ("s3://b@r/", 0, True)


def test_without_a_backup_target_there_are_no_backups(api: t.Any) -> None:
    api.longhorn()
    api.setting("backup-target", "")

    assert run(api, "backups")["backups"] == []


def test_backups_that_cannot_be_listed_are_a_failure_not_an_empty_list(api: t.Any) -> None:
    api.longhorn()
    api.setting("backup-target", "s3://b@r/")
    api.manager("GET v1/backupvolumes", api.refused("error listing backups: AccessDenied"))

    with pytest.raises(errors.Refused, match="AccessDenied"):
        run(api, "backups")


def test_an_object_of_another_shape_is_a_failure_that_names_it(api: t.Any) -> None:
    api.longhorn()
    api.objects("volumes", {"metadata": {"name": "odd"}, "spec": {"size": "a lot"}})

    with pytest.raises(errors.ApiFailure, match="odd"):
        run(api, "volumes")
