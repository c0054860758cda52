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
    api.manager("GET v1/backupvolumes", {"data": [{"name": "test-1"}]})
    backup = {"name": "backup-1", "url": "u", "volumeName": "test-1", "snapshotName": "s", "created": "c"}
    api.manager("POST v1/backupvolumes/test-1?action=backupList", {"data": [{**backup, "labels": {"a": "b"}}]})

    result = run(api, "all")

    assert result["nodes"] == [{"name": "node-1", "ready": True, "schedulable": True, "reason": ""}]
    assert result["engine_images"][0]["default"]
    assert result["volumes"][0]["size"] == 33554432
    assert result["settings"] == {"backup-target": "s3://b@r/"}
    assert result["recurring_jobs"][0]["cronjob"] == "test-1-c-1-c"
    assert result["backups"] == [
        {"name": "backup-1", "url": "u", "volume": "test-1", "snapshot": "s", "created": "c", "labels": {"a": "b"}}
    ]


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
