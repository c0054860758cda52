# SPDX-License-Identifier: GPL-3.0-or-later
"""What the webhooks of 1.3 and later do to objects that somebody writes without the manager's API."""

from __future__ import annotations

import base64
import copy
import json
import typing as t
from pathlib import Path

import pytest
from simulated_manager import BASE, NODE, Manager

from longhorn_qa_lab.kube import ApiError, Object
from longhorn_qa_lab.longhorn import names, webhooks, world
from longhorn_qa_lab.longhorn.admission import Admission, Request
from longhorn_qa_lab.longhorn.parts import ApiFault
from longhorn_qa_lab.longhorn.releases import RELEASES

WITH_WEBHOOKS = [name for name, row in RELEASES.items() if row.webhooks]
STUB = "quay.io/ttpcodes/longhorn-engine:no-cleanup"


@pytest.fixture(params=WITH_WEBHOOKS)
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Manager:
    """A manager of each release with webhooks."""
    return Manager(tmp_path, request.param)


@pytest.fixture
def newest(tmp_path: Path) -> Manager:
    """A manager of the newest release."""
    return Manager(tmp_path, WITH_WEBHOOKS[-1])


def write(manager: Manager, kind: world.Kind, name: str, **rest: t.Any) -> Object:
    """An object as kubectl would make it."""
    made = manager.world.create(kind, {"kind": "Any", "metadata": {"name": name}, **rest})
    manager.settle()
    return made


def change(manager: Manager, kind: world.Kind, name: str, **spec: t.Any) -> None:
    """A change as kubectl would make it."""

    def alter(document: Object) -> None:
        document["spec"] |= spec

    manager.world.update(kind, name, alter)
    manager.settle()


def test_a_volume_written_by_hand_becomes_a_whole_one(manager: Manager) -> None:
    spec = {"size": "10000000", "frontend": "blockdev", "image": "me:1", "engineImage": "me:2"}
    write(manager, world.VOLUMES, "test", spec=spec)
    made, release = manager.all(world.VOLUMES)["test"], manager.context.release
    assert made["spec"]["size"] == str(10 << 20), "whole blocks"
    assert release.image_of(made["spec"]) == manager.context.engine_image, "nobody chooses the image of a new volume"
    assert (made["spec"]["numberOfReplicas"], made["spec"]["accessMode"]) == (3, "rwo")
    assert made["metadata"]["finalizers"] == [names.FINALIZER]
    assert made["metadata"]["labels"][names.VOLUME_LABEL] == "test"
    assert made["status"]["state"] == "detached"


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        pytest.param("a_%", {"size": "1", "frontend": "blockdev"}, "invalid name a_%", id="name"),
        pytest.param("test", {"size": "1"}, "invalid volume frontend specified: ", id="no frontend"),
        pytest.param("test", {"size": "1Gi", "frontend": "blockdev"}, "into int64", id="a size with a unit"),
        pytest.param(
            "test", {"size": "1", "frontend": "blockdev", "numberOfReplicas": 21}, "between 1 to 20", id="replicas"
        ),
    ],
)
def test_volumes_that_cannot_be(manager: Manager, name: str, spec: Object, words: str) -> None:
    before = copy.deepcopy(manager.kube.objects)
    with pytest.raises(ApiError) as error:
        write(manager, world.VOLUMES, name, spec=spec)
    assert words in str(error.value)
    assert str(error.value).startswith('admission webhook "')
    assert manager.kube.objects == before


def test_a_volume_does_not_shrink(newest: Manager) -> None:
    newest.volume()
    with pytest.raises(ApiError, match="shrinking volume test size from 33554432 to 2097152 is not supported"):
        change(newest, world.VOLUMES, "test", size=str(2 << 20))


def test_an_incompatible_image_is_refused_with_its_field(newest: Manager) -> None:
    newest.image(STUB)
    newest.volume(attached=False)
    with pytest.raises(ApiError, match="is incompatible"):
        change(newest, world.VOLUMES, "test", image=STUB)
    old = newest.all(world.VOLUMES)["test"]
    new = {**old, "spec": {**old["spec"], "image": STUB}}
    hooks = Hooks(newest)
    answer = hooks.answer("/v1/webhook/validation", hooks.request("UPDATE", "volumes", new, old))
    assert answer["allowed"] is False
    assert (answer["status"]["code"], answer["status"]["reason"]) == (422, "Invalid")
    assert answer["status"]["details"]["causes"][0]["field"] == "volume.spec.image"


def test_recurring_jobs_are_completed_and_refused(manager: Manager) -> None:
    spec = {"name": "nightly", "task": "snapshot-cleanup", "cron": "* * * * *", "retain": 5, "concurrency": 1}
    write(manager, world.RECURRING_JOBS, "nightly", spec=spec)
    made = manager.all(world.RECURRING_JOBS)["nightly"]
    assert (made["spec"]["retain"], made["spec"]["groups"]) == (0, [])
    assert list(manager.all(world.CRON_JOBS)) == ["nightly"]
    for retain, words in ((-5, None), (101, "retain value should be less than or equal to 100")):
        if words is None:
            change(manager, world.RECURRING_JOBS, "nightly", task="snapshot", retain=retain)
            assert manager.all(world.RECURRING_JOBS)["nightly"]["spec"]["retain"] == 1
        else:
            with pytest.raises(ApiError, match=words):
                change(manager, world.RECURRING_JOBS, "nightly", retain=retain)


def test_the_managers_own_requests_meet_the_webhooks_too(manager: Manager) -> None:
    body = {"name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 101}
    with pytest.raises(ApiFault, match=r'admission webhook "validator.longhorn.io" denied the request: retain value'):
        manager.service.create_recurring_job(body, BASE)


def test_retention_follows_its_setting(newest: Manager) -> None:
    spec = {"name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 3}
    newest.service.update_setting("recurring-job-max-retention", {"value": "2"}, BASE)
    newest.settle()
    with pytest.raises(ApiError, match="less than or equal to 2"):
        write(newest, world.RECURRING_JOBS, "nightly", spec=spec)


def test_engine_images_in_use_stay(manager: Manager) -> None:
    path, name = manager.world.path(world.ENGINE_IMAGES), names.engine_image(manager.context.engine_image)
    with pytest.raises(ApiError, match="deleting the default engine image"):
        manager.kube.delete(f"{path}/{name}")
    mine = "registry.example/longhorn-engine:mine"
    manager.image(mine)
    manager.volume(attached=False)
    manager.act("engineUpgrade", image=mine)
    with pytest.raises(ApiError, match="is not allowed while being used"):
        manager.kube.delete(f"{path}/{names.engine_image(mine)}")


@pytest.mark.parametrize("release", [name for name in RELEASES if RELEASES[name].number >= (1, 5, 4)])
def test_purging_is_switched_off_only_after_the_clean_up_of_system_snapshots(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    with pytest.raises(ApiFault, match="when auto-cleanup-system-generated-snapshot setting is true"):
        manager.service.update_setting("disable-snapshot-purge", {"value": "true"}, BASE)
    for name, value in (("auto-cleanup-system-generated-snapshot", "false"), ("disable-snapshot-purge", "true")):
        manager.service.update_setting(name, {"value": value}, BASE)
        manager.settle()
    assert manager.service.setting("disable-snapshot-purge", BASE)["value"] == "true"


def test_a_setting_written_by_hand_is_checked(newest: Manager) -> None:
    def alter(document: Object) -> None:
        document["value"] = "maybe"

    with pytest.raises(ApiError, match="should be true or false"):
        newest.world.update(world.SETTINGS, "auto-salvage", alter)


def test_a_snapshot_written_by_hand_belongs_to_its_volume(newest: Manager) -> None:
    with pytest.raises(ApiError, match='"test" not found'):
        write(newest, world.SNAPSHOTS, "one", spec={"volume": "test", "createSnapshot": True})
    newest.volume()
    made = write(newest, world.SNAPSHOTS, "one", spec={"volume": "test", "createSnapshot": True})
    assert made["metadata"]["labels"] == {names.VOLUME_LABEL: "test"}
    assert made["metadata"]["ownerReferences"][0]["name"] == "test"
    with pytest.raises(ApiError, match="immutable"):
        change(newest, world.SNAPSHOTS, "one", volume="other")


class Hooks(webhooks.Webhooks):
    """The webhooks without a server."""

    def __init__(self, manager: Manager) -> None:
        self._admission = Admission(manager.context)
        self._log = manager.context.log
        self._reviews = Client()  # type: ignore[assignment]

    @staticmethod
    def request(operation: str, plural: str, new: Object, old: Object | None = None) -> Object:
        """A review's request."""
        return {"uid": "u", "operation": operation, "resource": {"resource": plural}, "object": new, "oldObject": old}


class Client:
    """Where a server would be."""

    def client(self, path: str) -> Object:
        return {"url": f"https://127.0.0.1:1{path}"}


def test_what_is_completed_goes_back_as_a_patch(newest: Manager) -> None:
    hooks = Hooks(newest)
    spec = {"name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 1, "concurrency": 1}
    job = {"metadata": {"name": "nightly"}, "spec": spec}
    answer = hooks.answer("/v1/webhook/mutation", hooks.request("CREATE", "recurringjobs", job))
    assert (answer["allowed"], answer["patchType"]) == (True, "JSONPatch")
    patch = {entry["path"]: entry["value"] for entry in json.loads(base64.b64decode(answer["patch"]))}
    assert patch == {
        "/metadata/finalizers": [names.FINALIZER],
        "/spec": {**spec, "groups": [], "labels": {}, "parameters": {}},
    }
    whole = {"metadata": {"name": "nightly", "finalizers": [names.FINALIZER]}, "spec": patch["/spec"]}
    again = hooks.answer("/v1/webhook/mutation", hooks.request("UPDATE", "recurringjobs", whole, whole))
    assert again == {"allowed": True}, "what is whole is left alone"


def test_the_api_server_is_told_of_the_kinds_that_a_release_looks_at(manager: Manager) -> None:
    told = dict(Hooks(manager).configurations())
    assert [path.rpartition("/")[2] for path in told] == [
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    ]
    for document in told.values():
        (webhook,) = document["webhooks"]
        kinds = {rule["resources"][0] for rule in webhook["rules"]}
        assert webhook["failurePolicy"] == "Fail"
        assert {"volumes", "recurringjobs"} <= kinds
        assert ("backuptargets" in kinds) is (manager.context.release.number >= (1, 8, 0))
        assert all("/" not in kind for kind in kinds), "Longhorn writes every status itself"


def test_attached_by_ticket_or_not_a_volume_passes_the_webhooks(manager: Manager) -> None:
    manager.volume()
    assert manager.all(world.VOLUMES)["test"]["status"]["currentNodeID"] == NODE


def test_a_request_on_anything_else_is_none_of_theirs(newest: Manager) -> None:
    assert "engines" not in Admission(newest.context).rules()
    assert Admission(newest.context).mutate("settings", Request("CREATE", {}, {"value": "1"})) == {"value": "1"}
