# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated manager as a whole, without a lab: its control loop and its API on an API server in memory."""

from __future__ import annotations

import base64
import copy
import json
import re
import time
import typing as t
from pathlib import Path

import pytest
from simulated_manager import BASE, NODE, Bucket, Manager

from longhorn_qa_lab.kube import Object
from longhorn_qa_lab.longhorn import bugs, decide, engine, faults, names, world
from longhorn_qa_lab.longhorn.backupstore import BackupStore
from longhorn_qa_lab.longhorn.parts import ApiFault, Gone
from longhorn_qa_lab.longhorn.releases import RELEASES

MINE = "registry.example/longhorn-engine:mine"
NO_CLEANUP = "quay.io/ttpcodes/longhorn-engine:no-cleanup"
STUB_WORDS = "stubbed snapshot deletion for testing"
SECRET = "s3-secret"


@pytest.fixture(params=list(RELEASES))
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Manager:
    """A manager of each release."""
    return Manager(tmp_path, request.param)


@pytest.fixture(params=["2020-06", "v1.0.0", "v1.0.1"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Manager:
    """A manager of each release whose volumes have their jobs themselves, suspended while they are detached."""
    return Manager(tmp_path, request.param)


@pytest.fixture
def newest(tmp_path: Path) -> Manager:
    """A manager of v1.0.1."""
    return Manager(tmp_path, "v1.0.1")


def test_a_fresh_manager_makes_what_longhorn_makes(manager: Manager) -> None:
    (image,) = manager.all(world.ENGINE_IMAGES).values()
    assert image["spec"]["image"] == manager.context.engine_image
    assert decide.is_usable(image["status"])
    states = {
        item["spec"]["type"]: item["status"]["currentState"] for item in manager.all(world.INSTANCE_MANAGERS).values()
    }
    assert states == dict.fromkeys(manager.context.release.instance_managers, "running")
    assert manager.service.setting("default-engine-image", BASE)["value"] == manager.context.engine_image
    assert list(manager.all(world.NODES)) == [NODE]


def test_life_of_a_volume(manager: Manager) -> None:
    assert manager.volume(attached=False)["status"]["state"] == "detached"
    manager.act("attach", hostId=NODE, disableFrontend=True)
    status = manager.all(world.VOLUMES)["test"]["status"]
    assert (status["state"], status["robustness"], status["frontendDisabled"]) == ("attached", "healthy", True)
    (running,) = manager.all(world.ENGINES).values()
    assert running["status"]["currentState"] == "running"
    manager.act("detach")
    assert manager.all(world.VOLUMES)["test"]["status"]["state"] == "detached"
    manager.service.delete_volume("test")
    manager.settle()
    assert [manager.all(kind) for kind in (world.VOLUMES, world.ENGINES, world.REPLICAS)] == [{}, {}, {}]


def test_attached_volume_can_be_deleted_with_its_jobs(old: Manager) -> None:
    old.volume(recurringJobs=[{"name": "c-1", "task": "snapshot", "cron": "* * * * *", "retain": 1}])
    assert list(old.all(world.CRON_JOBS)) == ["test-c-1-c"]
    old.service.delete_volume("test")
    old.settle()
    assert old.all(world.VOLUMES) == {}
    assert old.all(world.CRON_JOBS) == {}


def test_cron_job_follows_the_volume(old: Manager) -> None:
    manager = old
    manager.volume()
    job = {"name": "c-1", "task": "snapshot", "cron": "* * * * *", "retain": 1}
    manager.act("recurringUpdate", jobs=[job])
    (cron,) = manager.all(world.CRON_JOBS).values()
    assert (cron["metadata"]["name"], cron["spec"]["suspend"]) == ("test-c-1-c", False)
    assert cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["nodeName"] == NODE
    manager.act("recurringUpdate", jobs=[{**job, "cron": "*/3 * * * *"}])
    assert manager.all(world.CRON_JOBS)["test-c-1-c"]["spec"]["schedule"] == "*/3 * * * *"
    manager.act("detach")
    assert manager.all(world.CRON_JOBS)["test-c-1-c"]["spec"]["suspend"] is True
    manager.act("recurringUpdate", jobs=[])
    assert manager.all(world.CRON_JOBS) == {}


@pytest.mark.parametrize("attached", [True, False], ids=["live", "offline"])
def test_engine_upgrade(manager: Manager, attached: bool) -> None:
    manager.image(MINE)
    manager.volume(attached=attached)
    manager.act("engineUpgrade", image=MINE)
    status = manager.all(world.VOLUMES)["test"]["status"]
    assert (status["currentImage"], status["state"]) == (MINE, "attached" if attached else "detached")
    images = {item["spec"]["image"]: item["status"]["refCount"] for item in manager.all(world.ENGINE_IMAGES).values()}
    assert images == {manager.context.engine_image: 0, MINE: 1}


def test_snapshots_through_the_api(manager: Manager) -> None:
    manager.volume()
    manager.act("snapshotCreate", name="one", labels={"RecurringJob": "c-1"})
    manager.act("snapshotCreate", name="two")
    listed = {item["name"]: item for item in manager.act("snapshotList")["data"]}
    assert (set(listed), listed["two"]["parent"]) == ({"one", "two", "volume-head"}, "one")
    manager.act("snapshotDelete", name="one")
    assert manager.act("snapshotGet", name="one")["removed"] is True
    manager.act("snapshotPurge")
    assert {item["name"] for item in manager.act("snapshotList")["data"]} == {"two", "volume-head"}
    (running,) = manager.all(world.ENGINES).values()
    assert set(running["status"]["snapshots"]) == {"two", "volume-head"}


@pytest.mark.parametrize("release", ["2020-06", "v1.0.0", "v1.0.1", "v1.1.3", "v1.2.6"])
def test_stub_image_refuses_to_delete_snapshots(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    manager.image(NO_CLEANUP)
    manager.volume()
    manager.act("engineUpgrade", image=NO_CLEANUP)
    manager.act("snapshotCreate", name="one")
    with pytest.raises(ApiFault) as error:
        manager.act("snapshotDelete", name="one")
    assert str(error.value).startswith("fail to delete snapshot: error deleting snapshot 'one': Failed to execute: ")
    assert STUB_WORDS in str(error.value)
    assert manager.act("snapshotGet", name="one")["removed"] is False


def test_fault_plan_is_taken_and_a_bad_one_only_reported(manager: Manager) -> None:
    mine = "example/longhorn-engine:mine"
    plan = {"images": {mine: {"fails": ["snapshot-delete"]}}}
    path, config = manager.world.path(world.CONFIG_MAPS), {"metadata": {"name": faults.CONFIG_MAP}}
    manager.kube.create(path, {**config, "data": {faults.PLAN_KEY: json.dumps(plan)}})
    manager.settle()
    assert manager.context.plan.of(mine).words("snapshot rm") == STUB_WORDS
    assert json.loads(manager.disk.read_config()["plan"]) == plan, "job processes see it too"
    manager.kube.delete(f"{path}/{faults.CONFIG_MAP}")
    manager.kube.create(path, {**config, "data": {faults.PLAN_KEY: "nonsense"}})
    manager.settle()
    assert "is not JSON" in manager.text.getvalue()
    assert manager.context.plan.of(mine).words("snapshot rm") == STUB_WORDS, "the last good plan stays"


def test_a_bug_plan_is_taken_and_a_bad_one_leaves_the_one_before(manager: Manager) -> None:
    path, config = manager.world.path(world.CONFIG_MAPS), {"metadata": {"name": faults.CONFIG_MAP}}
    good = bugs.document({"test": ["snapshot-list-hides"]})
    manager.kube.create(path, {**config, "data": {bugs.PLAN_KEY: good}})
    manager.settle()
    assert manager.context.bugs.of("test") == {"snapshot-list-hides"}
    manager.kube.delete(f"{path}/{faults.CONFIG_MAP}")
    bad = {bugs.PLAN_KEY: '{"volumes": {"test": ["gremlins"]}}', "plans.json": "{}", faults.PLAN_KEY: '{"image": {}}'}
    manager.kube.create(path, {**config, "data": bad})
    manager.settle()
    told = manager.text.getvalue()
    assert f"{faults.CONFIG_MAP}/{bugs.PLAN_KEY} is refused, the one before stays: bug plan, volume test" in told
    assert f"{faults.CONFIG_MAP}/{faults.PLAN_KEY} is refused, the one before stays" in told
    assert f"{faults.CONFIG_MAP}: unknown key plans.json; known: plan.json, bugs.json" in told
    assert told.count("is refused") == 2, "said once"
    assert manager.context.bugs.of("test") == {"snapshot-list-hides"}
    assert manager.disk.read_config() | {"plan": "", "bugs": good} == manager.disk.read_config()


def test_a_cron_job_has_the_bugs_of_its_volume(old: Manager) -> None:
    manager = old
    plan = bugs.document({"test": ["second-pod"]})
    manager.kube.create(
        manager.world.path(world.CONFIG_MAPS), {"metadata": {"name": faults.CONFIG_MAP}, "data": {bugs.PLAN_KEY: plan}}
    )
    manager.volume()
    job = {"name": "job", "task": "snapshot", "cron": "* * * * *", "retain": 1}
    manager.act("recurringUpdate", jobs=[job])
    (cron_job,) = manager.all(world.CRON_JOBS).values()
    assert cron_job["spec"]["jobTemplate"]["spec"]["parallelism"] == 2


REFUSALS = [
    pytest.param(lambda m: m.volume("x" * 41), "Volume name is too long", id="volume name too long"),
    pytest.param(lambda m: m.volume("other", numberOfReplicas=99), "number of replicas", id="99 replicas"),
    pytest.param(lambda m: m.volume("other", frontend="nvme"), "invalid frontend type nvme", id="frontend"),
    pytest.param(lambda m: m.volume("other", size="big"), "error parse size big", id="size"),
    pytest.param(lambda m: m.volume(), "unable to create volume test", id="volume exists"),
    pytest.param(lambda m: m.act("attach", hostId=NODE), "invalid state to attach test: attached", id="attached"),
    pytest.param(
        lambda m: m.act("engineUpgrade", image="me/none:1"), "unable to get engine image me/none:1", id="no such image"
    ),
    pytest.param(
        lambda m: m.act(
            "recurringUpdate", jobs=[{"name": "nine-char", "task": "snapshot", "cron": "* * * * *", "retain": 1}]
        ),
        "job name nine-char is too long",
        id="job name",
    ),
    pytest.param(lambda m: m.act("snapshotGet", name="none"), "cannot find snapshot 'none'", id="no such snapshot"),
    pytest.param(lambda m: m.service.delete_engine_image("ei-none"), '"ei-none" not found', id="no such engine image"),
    pytest.param(
        lambda m: m.service.delete_engine_image(names.engine_image(m.context.engine_image)),
        "unable to delete the default engine image",
        id="default engine image",
    ),
    pytest.param(lambda m: m.image(m.context.engine_image), "already exists", id="engine image exists"),
    pytest.param(lambda m: m.image(" "), "invalid image name ''", id="empty image"),
    pytest.param(lambda m: m.service.setting("nonsense", BASE), "setting nonsense is not supported", id="setting"),
    pytest.param(
        lambda m: m.service.update_setting("auto-salvage", {"value": "maybe"}, BASE), "true or false", id="bad value"
    ),
    pytest.param(lambda m: m.service.backup_volumes(BASE), "setting backup-target is empty", id="no backup target"),
    pytest.param(lambda m: m.act("reboot"), "does not know the action reboot", id="unknown action"),
]


@pytest.mark.parametrize(("ask", "words"), REFUSALS)
def test_refusals_in_longhorns_words(newest: Manager, ask: t.Callable[[Manager], None], words: str) -> None:
    newest.volume()
    before = copy.deepcopy(newest.kube.objects)
    with pytest.raises(ApiFault) as error:
        ask(newest)
    assert words in str(error.value)
    assert newest.kube.objects == before, "nothing was changed"


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda m: m.service.volume("none", BASE), id="look"),
        pytest.param(lambda m: m.service.delete_volume("none"), id="delete"),
        pytest.param(lambda m: m.act("attach", "none", hostId=NODE), id="act"),
    ],
)
def test_what_is_not_there_is_404(newest: Manager, ask: t.Callable[[Manager], None]) -> None:
    with pytest.raises(Gone):
        ask(newest)


def test_snapshots_need_a_running_engine(newest: Manager) -> None:
    newest.volume(attached=False)
    with pytest.raises(ApiFault, match="not running, no IP available"):
        newest.act("snapshotCreate", name="one")


def test_used_engine_image_is_kept(newest: Manager) -> None:
    newest.image(NO_CLEANUP)
    newest.volume()
    newest.act("engineUpgrade", image=NO_CLEANUP)
    name = names.engine_image(NO_CLEANUP)
    with pytest.raises(ApiFault, match="unable to delete the engine image while being used"):
        newest.service.delete_engine_image(name)
    newest.service.delete_volume("test")
    newest.settle()
    newest.service.delete_engine_image(name)
    newest.settle()
    assert name not in newest.all(world.ENGINE_IMAGES)
    assert names.engine_image_daemon_set(name) not in newest.all(world.DAEMON_SETS)


@pytest.fixture
def store(newest: Manager, monkeypatch: pytest.MonkeyPatch) -> BackupStore:
    """A backup target that works."""
    found = BackupStore(Bucket())
    monkeypatch.setattr(engine, "open_store", lambda *_: found)
    values = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_ENDPOINTS": "http://store:9000"}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    newest.kube.create(f"/api/v1/namespaces/{names.NAMESPACE}/secrets", {"metadata": {"name": SECRET}, "data": data})
    for name, value in (("backup-target", "s3://b@r/"), ("backup-target-credential-secret", SECRET)):
        newest.service.update_setting(name, {"value": value}, BASE)
    newest.settle()
    return found


def soon(what: str, look: t.Callable[[], object]) -> None:
    """What the manager does behind its answer takes a moment."""
    deadline = time.monotonic() + 10
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def back_up(manager: Manager, store: BackupStore) -> str:
    """A backup of a new snapshot."""
    count = len(store.backups("test"))
    name = manager.act("snapshotCreate")["name"]
    manager.act("snapshotBackup", name=name, labels={"RecurringJob": "c-1"})
    soon("the backup is in the store", lambda: len(store.backups("test")) == count + 1)
    (found,) = [config["Name"] for config in store.backups("test") if config["SnapshotName"] == name]
    return str(found)


def test_backups_through_the_api(newest: Manager, store: BackupStore) -> None:
    newest.volume()
    first, second = back_up(newest, store), back_up(newest, store)
    listed = newest.service.act_on_backups("test", "backupList", {}, BASE)["data"]
    assert {item["name"] for item in listed} == {first, second}
    assert all(item["labels"] == {"RecurringJob": "c-1"} for item in listed)
    newest.service.act_on_backups("test", "backupDelete", {"name": first}, BASE)
    soon("the backup is gone", lambda: [config["Name"] for config in store.backups("test")] == [second])
    newest.service.delete_backup_volume("test")
    assert newest.service.backup_volumes(BASE) == []


def test_backup_deletion_is_accepted_and_fails_behind_the_answer_with_a_stub_as_default(
    newest: Manager, store: BackupStore
) -> None:
    newest.image(NO_CLEANUP)
    newest.volume()
    name = back_up(newest, store)
    newest.service.update_setting("default-engine-image", {"value": NO_CLEANUP}, BASE)
    newest.settle()
    newest.service.act_on_backups("test", "backupDelete", {"name": name}, BASE)
    soon("the failure is logged", lambda: "stubbed backup deletion for testing" in newest.text.getvalue())
    assert [config["Name"] for config in store.backups("test")] == [name]
    assert f"Removed backup {name} of volume test" in newest.text.getvalue(), "the request itself was good"


def test_volumes_own_stub_is_not_asked_to_delete_backups(newest: Manager, store: BackupStore) -> None:
    newest.image(NO_CLEANUP)
    newest.volume()
    newest.act("engineUpgrade", image=NO_CLEANUP)
    name = back_up(newest, store)
    newest.service.act_on_backups("test", "backupDelete", {"name": name}, BASE)
    soon("the backup is gone", lambda: not store.backups("test"))


TICKETS = [name for name, row in RELEASES.items() if row.attachment == "tickets"]


@pytest.mark.parametrize("release", TICKETS)
def test_a_volume_is_attached_by_ticket_and_never_by_hand(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    manager.volume()
    (attachment,) = manager.all(world.VOLUME_ATTACHMENTS).values()
    (ticket,) = attachment["spec"]["attachmentTickets"].values()
    assert (ticket["type"], ticket["nodeID"], ticket["parameters"]["disableFrontend"]) == ("longhorn-api", NODE, "true")
    assert attachment["status"]["attachmentTicketStatuses"][""]["satisfied"] is True
    manager.act("detach")
    assert manager.all(world.VOLUMES)["test"]["status"]["state"] == "detached"

    def attach(volume: Object) -> None:
        volume["spec"]["nodeID"] = NODE

    manager.world.update(world.VOLUMES, "test", attach)
    manager.settle()
    volume = manager.all(world.VOLUMES)["test"]
    assert (volume["spec"]["nodeID"], volume["status"]["state"]) == ("", "detached"), "nobody has a ticket for that"


@pytest.mark.parametrize("release", TICKETS)
def test_the_volume_stays_attached_while_anybody_asks_for_it(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    manager.volume(attached=False)
    for identity, kind in (("pod", "csi-attacher"), ("me", "longhorn-api")):
        manager.act("attach", hostId=NODE, attachmentID=identity, attacherType=kind)
    manager.act("detach", attachmentID="me")
    assert manager.all(world.VOLUMES)["test"]["status"]["state"] == "attached"
    manager.act("detach", forceDetach=True)
    assert manager.all(world.VOLUMES)["test"]["status"]["state"] == "detached"
    manager.service.delete_volume("test")
    manager.settle()
    assert manager.all(world.VOLUME_ATTACHMENTS) == {}


@pytest.mark.parametrize(
    ("release", "state", "flag"),
    [
        pytest.param("v1.0.1", "ready", None, id="1.0: ready"),
        pytest.param("v1.5.5", "deployed", None, id="1.1 to 1.5: deployed"),
        pytest.param("v1.8.2", "deployed", True, id="1.6 on: deployed, and of no use"),
    ],
)
def test_the_manual_pages_images_in_each_generation(
    release: str, state: str, flag: bool | None, tmp_path: Path
) -> None:
    manager = Manager(tmp_path, release)
    status = manager.image(NO_CLEANUP)["status"]
    assert (status["state"], status.get("incompatible")) == (state, flag)
    manager.volume(attached=False)
    if flag:
        with pytest.raises(ApiFault, match="is incompatible"):
            manager.act("engineUpgrade", image=NO_CLEANUP)
    else:
        manager.act("engineUpgrade", image=NO_CLEANUP)
        assert manager.all(world.VOLUMES)["test"]["status"]["currentImage"] == NO_CLEANUP


def test_an_attached_volume_of_1_4_does_not_take_an_image_of_2020(tmp_path: Path) -> None:
    manager = Manager(tmp_path, "v1.4.4")
    manager.image(NO_CLEANUP)
    manager.volume()
    manager.act("engineUpgrade", image=NO_CLEANUP)
    assert manager.all(world.VOLUMES)["test"]["status"]["currentImage"] == manager.context.engine_image
    assert "Unable to live upgrade from" in manager.text.getvalue()


def test_volumes_are_not_moved_away_from_the_image_that_longhorn_moves_them_to(tmp_path: Path) -> None:
    manager = Manager(tmp_path, "v1.2.6")
    manager.image(MINE)
    manager.volume()
    manager.service.update_setting("concurrent-automatic-engine-upgrade-per-node-limit", {"value": "1"}, BASE)
    manager.settle()
    with pytest.raises(ApiFault, match=f"updrading to {MINE} is not allowed"):
        manager.act("engineUpgrade", image=MINE)


def test_an_image_that_is_not_deployed_is_refused(tmp_path: Path) -> None:
    manager = Manager(tmp_path, "v1.1.3")
    manager.context.plan = faults.parse(json.dumps({"images": {MINE: {"deploys": False}}}))
    manager.image(MINE)
    manager.volume()
    with pytest.raises(
        ApiFault, match="is not deployed on the replicas' nodes or the node that the volume is attached"
    ):
        manager.act("engineUpgrade", image=MINE)


@pytest.mark.parametrize(
    ("release", "engine_name", "conditions"),
    [
        pytest.param("v1.2.6", r"test-e-[0-9a-f]{8}", {"restore", "scheduled"}, id="by type"),
        pytest.param("v1.3.3", r"test-e-[0-9a-f]{8}", ["restore", "scheduled"], id="a list"),
        pytest.param("v1.4.4", r"test-e-0", ["Restore", "Scheduled"], id="a list of capitals"),
    ],
)
def test_names_and_conditions_change_their_shape(
    release: str, engine_name: str, conditions: t.Collection[str], tmp_path: Path
) -> None:
    manager = Manager(tmp_path, release)
    found = manager.volume()["status"]["conditions"]
    assert type(conditions)(entry if isinstance(entry, str) else entry["type"] for entry in found) == conditions
    (name,) = manager.all(world.ENGINES)
    assert re.fullmatch(engine_name, name)


@pytest.fixture(params=[name for name, row in RELEASES.items() if row.recurring_jobs == "objects"])
def with_jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Manager:
    """A manager of each release with recurring jobs as objects, one of which is there."""
    manager = Manager(tmp_path, request.param)
    body = {"name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 2, "groups": ["weekly"]}
    manager.service.create_recurring_job(body, BASE)
    manager.settle()
    return manager


def test_a_recurring_job_has_one_cron_job_for_all_volumes(with_jobs: Manager) -> None:
    manager = with_jobs
    shown = manager.service.recurring_job("nightly", BASE)
    assert (shown["task"], shown["retain"], shown["concurrency"], shown["groups"]) == ("snapshot", 2, 10, ["weekly"])
    assert ("executionCount" in shown) is (manager.context.release.number >= (1, 7, 0))
    assert list(manager.all(world.CRON_JOBS)) == ["nightly"]
    manager.service.update_recurring_job("nightly", {**shown, "cron": "*/3 * * * *"}, BASE)
    manager.settle()
    assert manager.all(world.CRON_JOBS)["nightly"]["spec"]["schedule"] == "*/3 * * * *"
    for name in ("one", "two"):
        manager.volume(name)
    assert list(manager.all(world.CRON_JOBS)) == ["nightly"], "volumes have none of their own"


def test_volumes_without_a_job_are_in_the_default_group(with_jobs: Manager) -> None:
    manager = with_jobs

    def jobs(volume: str) -> list[tuple[str, bool]]:
        return [(entry["name"], entry["isGroup"]) for entry in manager.act("recurringJobList", volume)["data"]]

    manager.volume("none")
    manager.volume("some", recurringJobSelector=[{"name": "nightly"}])
    assert (jobs("none"), jobs("some")) == ([("default", True)], [("nightly", False)])
    manager.act("recurringJobAdd", "none", name="nightly")
    assert jobs("none") == [("default", True), ("nightly", False)], "the default stays until it is taken away"
    manager.act("recurringJobDelete", "none", name="default", isGroup=True)
    assert jobs("none") == [("nightly", False)]
    manager.service.delete_recurring_job("nightly")
    manager.settle()
    assert (jobs("none"), jobs("some")) == ([("default", True)], [("default", True)]), "its labels went with it"
    assert manager.all(world.RECURRING_JOBS) == {}
    with pytest.raises(ApiFault, match='"nightly" not found'):
        manager.service.recurring_job("nightly", BASE)


def test_the_manager_of_1_2_checks_jobs_itself(tmp_path: Path) -> None:
    manager = Manager(tmp_path, "v1.2.6")
    body = {"name": "nightly", "task": "snapshot", "cron": "* * * * *", "retain": 51}
    with pytest.raises(ApiFault, match="Job Can't retain more than 50 snapshots"):
        manager.service.create_recurring_job(body, BASE)
    assert manager.all(world.RECURRING_JOBS) == {}


def test_older_managers_know_no_recurring_jobs_as_objects(newest: Manager) -> None:
    newest.volume()
    with pytest.raises(ApiFault, match="does not know the action recurringJobAdd"):
        newest.act("recurringJobAdd", name="nightly")


def test_jobs_of_a_detached_volume_of_1_1_are_not_there(tmp_path: Path) -> None:
    manager = Manager(tmp_path, "v1.1.3")
    manager.volume(recurringJobs=[{"name": "c-1", "task": "snapshot", "cron": "* * * * *", "retain": 1}])
    (cron_job,) = manager.all(world.CRON_JOBS).values()
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]
    assert pod["metadata"]["labels"] == {"longhornvolume": "test", "longhorn.io/job-task": "snapshot"}
    assert "nodeName" not in pod["spec"]
    assert (cron_job["spec"]["successfulJobsHistoryLimit"], cron_job["spec"].get("suspend")) == (1, None)
    manager.act("detach")
    assert manager.all(world.CRON_JOBS) == {}
    manager.service.update_setting("allow-recurring-job-while-volume-detached", {"value": "true"}, BASE)
    manager.settle()
    assert list(manager.all(world.CRON_JOBS)) == ["test-c-1-c"]


@pytest.mark.parametrize("release", ["v1.2.6", "v1.8.2"])
def test_longhorn_moves_volumes_to_the_default_image_when_told_to(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    manager.image(MINE)
    manager.volume()
    manager.act("engineUpgrade", image=MINE)
    manager.service.update_setting("concurrent-automatic-engine-upgrade-per-node-limit", {"value": "1"}, BASE)
    manager.settle()
    assert manager.all(world.VOLUMES)["test"]["status"]["currentImage"] == manager.context.engine_image


def test_settings_say_that_they_are_applied_since_1_7(manager: Manager) -> None:
    found = manager.all(world.SETTINGS)["default-replica-count"].get("status")
    assert found == ({"applied": True} if manager.context.release.number >= (1, 7, 0) else None)


def test_engine_images_belong_to_the_manager_since_1_1(manager: Manager) -> None:
    (daemon_set,) = manager.all(world.DAEMON_SETS).values()
    labels = daemon_set["metadata"]["labels"]
    assert ("longhorn.io/managed-by" in labels) is (manager.context.release.number >= (1, 1, 0))
    assert daemon_set["spec"]["template"]["metadata"]["labels"] == labels


@pytest.mark.parametrize("release", ["v1.1.3", "v1.4.4", "v1.8.2"])
def test_a_volume_whose_image_is_nowhere_is_not_attached(release: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path, release)
    manager.context.plan = faults.parse(json.dumps({"images": {MINE: {"deploys": False}}}))
    manager.image(MINE)
    manager.volume(attached=False)

    def choose(volume: Object) -> None:
        volume["spec"] |= manager.context.release.image_fields_of(MINE)

    manager.world.update(world.VOLUMES, "test", choose)
    manager.settle()
    with pytest.raises(ApiFault, match=f"cannot attach volume test because the engine image {MINE} is not deployed on"):
        manager.act("attach", hostId=NODE)
