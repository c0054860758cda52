# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's controllers of Snapshot, Backup and BackupVolume objects, on a cluster and a store in memory."""

from __future__ import annotations

import base64
import copy
import io
import json
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.kube import ApiError, Object
from longhorn_qa_lab.longhorn import (
    backup_objects,
    backupstore,
    engine,
    faults,
    fields,
    logs,
    names,
    parts,
    snapshot_service,
    targets,
    world,
)  # fmt: skip
from longhorn_qa_lab.longhorn.backup_controller import Backups
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.disk import Disk
from longhorn_qa_lab.longhorn.releases import RELEASES
from longhorn_qa_lab.longhorn.s3_client import StoreError
from longhorn_qa_lab.longhorn.service import Service
from longhorn_qa_lab.longhorn.snapshot_controller import Snapshots
from longhorn_qa_lab.longhorn.world import Kind

VOLUME = "vol"
NODE = "lab-node"
BASE = "http://longhorn-backend:9500/v1"
URL = "s3://bucket@us-east-1/"
WITH_SNAPSHOTS = [row.name for row in RELEASES.values() if row.has(world.SNAPSHOTS.span)]
WITH_BACKUPS = [row.name for row in RELEASES.values() if row.has(world.BACKUPS.span)]
SINCE_1_5 = [row.name for row in RELEASES.values() if row.number >= (1, 5, 0)]
SINCE_1_8 = [row.name for row in RELEASES.values() if row.number >= (1, 8, 0)]
RETRYING = [name for name in WITH_BACKUPS if name not in SINCE_1_8]


class Cluster:
    """Keeps objects as an API server does, as far as controllers mind: deletion waits for finalizers."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind, str], Object] = {}
        self.events: list[Object] = []
        self.refuses: set[str] = set()
        self._versions = 0

    def all(self, kind: Kind, **labels: str) -> list[Object]:
        found = [item for (of, _name), item in self.objects.items() if of == kind]
        if "volume" in labels:
            found = [o for o in found if o["metadata"].get("labels", {}).get(names.VOLUME_LABEL) == labels["volume"]]
        return [copy.deepcopy(item) for item in found]

    def find(self, kind: Kind, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get((kind, name)))

    def create(self, kind: Kind, document: Object) -> Object:
        name = document["metadata"]["name"]
        if (kind, name) in self.objects:
            raise ApiError(409, f"{name} exists", "AlreadyExists")
        self._versions += 1
        metadata = document["metadata"] | {"uid": f"uid-{name}", "resourceVersion": str(self._versions)}
        metadata["creationTimestamp"] = f"2026-11-23T03:{self._versions:02d}:00Z"
        self.objects[kind, name] = {"apiVersion": "longhorn.io/v1", **document, "metadata": metadata}
        return copy.deepcopy(self.objects[kind, name])

    def replace_status(self, kind: Kind, document: Object, status: Object) -> Object:
        kept = self.objects[kind, document["metadata"]["name"]]
        kept["status"] = copy.deepcopy(status)
        return copy.deepcopy(kept)

    def delete(self, kind: Kind, name: str) -> None:
        item = self.objects.get((kind, name))
        if item is None:
            return
        if name in self.refuses:
            raise ApiError(500, "failed calling webhook: refused")
        if item["metadata"].get("finalizers"):
            item["metadata"]["deletionTimestamp"] = "2026-11-23T04:00:00Z"
        else:
            del self.objects[kind, name]

    def release(self, kind: Kind, document: Object) -> None:
        self.objects.pop((kind, document["metadata"]["name"]), None)

    def secret(self, _name: str) -> Object:
        return {"data": {"AWS_ENDPOINTS": base64.b64encode(b"http://s3:9000").decode()}}

    def post_event(self, document: Object) -> None:
        self.events.append(document)

    def touch(self) -> None:
        """Nobody waits."""


class Bucket:
    """A store in memory that may refuse deletions."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refuses = ""

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def delete(self, key: str) -> None:
        if self.refuses and self.refuses in key:
            raise StoreError(f"failed to delete objects [{key}]: AccessDenied")
        self.objects.pop(key, None)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def ages(self, prefix: str) -> dict[str, float]:
        return dict.fromkeys(self.keys(prefix), 0.0)


class AtOnce:
    """A thread that does its work when it is started."""

    def __init__(self, target: t.Callable[..., None], args: tuple[t.Any, ...] = (), **_options: t.Any) -> None:
        self._work = lambda: target(*args)

    def start(self) -> None:
        self._work()


class Bench:
    """A release's controllers, with one attached volume."""

    def __init__(self, folder: Path, release: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.row = RELEASES[release]
        self.cluster = Cluster()
        self.bucket = Bucket()
        self.text = io.StringIO()
        self.seconds = 0.0
        self.waiting: list[t.Callable[[], None]] = []
        self.holds = False
        style = logs.style_of(self.row.number)
        self.context = Context(
            release=self.row, node=NODE, pod_ip="10.0.0.1", manager_image=self.row.manager_image,
            service_account="longhorn", engine_image=self.row.engine_image, instance_manager_image="im",
            poll_scale=1.0, plan=faults.KNOWN, plan_text="", cluster=self.cluster,  # type: ignore[arg-type]
            disk=Disk(folder), log=logs.Log(self.text, style=style),
        )  # fmt: skip
        rules = engine.StoreRules(backupstore.layout_of(self.row.number), backupstore.Locks(wait=0.0))
        monkeypatch.setattr(backupstore, "BLOCK_SIZE", 4096)
        monkeypatch.setattr(engine, "open_store", self._store)
        monkeypatch.setattr(engine.threading, "Thread", AtOnce)
        monkeypatch.setattr(engine.StoreRules, "of", classmethod(lambda *_: rules))
        self.rules = rules
        self.snapshots = Snapshots(self.context, lambda: self.seconds)
        self.backups = Backups(self.context, None, lambda: self.seconds, self._spawn)
        self.service = Service(self.context, egress=None)
        self._install()

    def _store(self, *_arguments: t.Any) -> backupstore.BackupStore:
        return backupstore.BackupStore(self.bucket, layout=self.rules.layout, locks=self.rules.locks)

    def _spawn(self, work: t.Callable[[], None]) -> None:
        if self.holds:
            self.waiting.append(work)
        else:
            work()

    def _install(self) -> None:
        create = self.cluster.create
        for name, value in (
            ("default-engine-image", self.row.engine_image), ("backup-target", URL),
            ("backup-target-credential-secret", "s3"), ("disable-snapshot-purge", "false"),
        ):  # fmt: skip
            create(world.SETTINGS, {"kind": "Setting", "metadata": {"name": name}, "value": value})
        target = {"backupTargetURL": URL, "credentialSecret": "s3"}
        create(
            world.BACKUP_TARGETS,
            {"kind": "BackupTarget", "metadata": {"name": "default"}, "spec": target, "status": {"available": True}},
        )
        labels = {names.VOLUME_LABEL: VOLUME}
        create(
            world.VOLUMES,
            {"kind": "Volume", "metadata": {"name": VOLUME, "labels": labels}, "spec": fields.new("Volume", self.row),
             "status": {"state": "attached", "lastBackup": ""}},
        )  # fmt: skip
        status = {"currentState": "running", "currentImage": self.row.engine_image, "ip": "10.0.0.2", "snapshots": {}}
        create(
            world.ENGINES,
            {"kind": "Engine", "metadata": {"name": "vol-e-0", "labels": labels},
             "spec": fields.new("Engine", self.row, volumeSize="33554432"), "status": status},
        )  # fmt: skip
        state = engine.new_state(volume=VOLUME, size=32 << 20, created="2026-11-23T03:00:00Z")
        state["engine"] = {"name": "vol-e-0", "address": "10.0.0.2:10000", "replicas": {"vol-r-0": "10.0.0.3:10000"}}
        with self.context.disk.change(VOLUME, state):
            pass

    # --- what happens ---

    def step(self, times: int = 3) -> None:
        """Passes of the control loop, each with the engine's report before it."""
        for _ in range(times):
            reported = self.cluster.objects[world.ENGINES, "vol-e-0"]["status"]
            if reported["snapshots"] is not None:
                reported["snapshots"] = engine.snapshot_infos(self.context.disk.read(VOLUME))
            for tasks in (self.snapshots.tasks, self.backups.tasks):
                for _what, work in tasks():
                    work()

    def plan(self, *fails: str) -> None:
        """Let the default engine image fail."""
        document = {"images": {self.row.engine_image: {"fails": list(fails)}}}
        self.context.plan = faults.parse(json.dumps(document))

    def setting(self, name: str, value: str) -> None:
        self.cluster.objects[world.SETTINGS, name]["value"] = value

    def snapshot(self, name: str, labels: t.Mapping[str, str] | None = None) -> None:
        """Ask for a snapshot, as a job of the release does."""
        if self.row.number >= (1, 5, 0):
            body = {"name": name, "labels": dict(labels or {})}
            self.service.act(VOLUME, "snapshotCRCreate", body, BASE)
        else:
            parts.reach(self.context, VOLUME).create_snapshot(name, labels or {})
        self.step()

    def back_up(self, snapshot: str) -> str:
        """A backup of a new snapshot; its name."""
        known = set(self.names(world.BACKUPS))
        self.snapshot(snapshot, {"RecurringJob": "nightly"})
        self.service._back_up(VOLUME, {"name": snapshot, "labels": {"RecurringJob": "nightly"}})
        self.step(4)
        (name,) = set(self.names(world.BACKUPS)) - known
        return name

    def delete_backup(self, name: str) -> None:
        self.cluster.delete(world.BACKUPS, name)
        self.step()

    # --- what is seen ---

    def names(self, kind: Kind) -> list[str]:
        return [item["metadata"]["name"] for item in self.cluster.all(kind)]

    def get(self, kind: Kind, name: str) -> Object:
        found = self.cluster.find(kind, name)
        assert found is not None, f"{kind.plural} {name} is gone"
        return found

    def status(self, kind: Kind, name: str) -> Object:
        return t.cast(Object, self.get(kind, name)["status"])

    def on_disk(self) -> list[str]:
        return list(self.context.disk.read(VOLUME)["snapshots"])

    def stored(self) -> list[str]:
        return [str(config["Name"]) for config in self._store().backups(VOLUME)]

    def lines(self, words: str) -> list[str]:
        return [line for line in self.text.getvalue().splitlines() if words in line]

    def told(self, kind: str) -> list[tuple[str, str, str]]:
        return [
            (event["type"], event["reason"], event["message"])
            for event in self.cluster.events
            if event["involvedObject"]["kind"] == kind
        ]


Make = t.Callable[[str], Bench]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda release: Bench(tmp_path, release, monkeypatch)


# --- snapshots ---


@pytest.mark.parametrize("release", WITH_SNAPSHOTS)
def test_every_snapshot_of_an_engine_gets_an_object(make: Make, release: str) -> None:
    bench = make(release)
    parts.reach(bench.context, VOLUME).create_snapshot("by-hand", {"a": "b"})
    bench.step()
    found = bench.get(world.SNAPSHOTS, "by-hand")
    assert found["spec"] == {"volume": VOLUME, "createSnapshot": False, "labels": None}
    assert found["metadata"]["labels"] == {names.VOLUME_LABEL: VOLUME}
    assert found["metadata"]["finalizers"] == ["longhorn.io"]
    assert found["metadata"]["ownerReferences"][0]["kind"] == "Volume"
    status = found["status"]
    assert (status["readyToUse"], status["labels"], status["markRemoved"]) == (True, {"a": "b"}, False)
    assert status["creationTime"]


@pytest.mark.parametrize("release", WITH_SNAPSHOTS)
def test_a_snapshot_that_the_engine_has_lost_takes_its_object_along(make: Make, release: str) -> None:
    bench = make(release)
    for name in ("one", "two"):
        parts.reach(bench.context, VOLUME).create_snapshot(name, {})
    bench.step()
    reached = parts.reach(bench.context, VOLUME)
    reached.delete_snapshot("one")
    reached.purge()
    bench.step()
    assert bench.names(world.SNAPSHOTS) == ["two"]


@pytest.mark.parametrize("release", SINCE_1_5)
def test_an_object_has_the_engine_take_the_snapshot(make: Make, release: str) -> None:
    bench = make(release)
    bench.service.act(VOLUME, "snapshotCRCreate", {"name": "one", "labels": {"RecurringJob": "nightly"}}, BASE)
    pending = bench.service.act(VOLUME, "snapshotCRGet", {"name": "one"}, BASE)
    assert (pending["createSnapshot"], pending["creationTime"], pending["readyToUse"]) == (True, "", False)
    assert pending["labels"] == {"RecurringJob": "nightly"}, "a pending one is known by its labels"
    bench.step()
    ready = bench.service.act(VOLUME, "snapshotCRGet", {"name": "one"}, BASE)
    assert ready["readyToUse"] is True
    assert ready["creationTime"] == bench.context.disk.read(VOLUME)["snapshots"]["one"]["created"]
    assert bench.on_disk() == ["one"]
    created = "SnapshotCreate" if release == "v1.5.5" else "Create"
    assert ("Normal", created, "successfully provisioned the snapshot") in bench.told("Snapshot")


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_stopped_engine_takes_no_snapshot(make: Make, release: str) -> None:
    bench = make(release)
    bench.cluster.objects[world.ENGINES, "vol-e-0"]["status"] |= {"currentState": "stopped", "snapshots": None}
    bench.snapshot("one")
    status = bench.status(world.SNAPSHOTS, "one")
    assert status["error"] == "cannot take snapshot because the volume engine vol-e-0 is not running"
    assert (status["readyToUse"], bench.on_disk()) == (False, [])


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_deleted_object_goes_with_its_snapshot(make: Make, release: str) -> None:
    bench = make(release)
    for name in ("one", "two"):
        bench.snapshot(name)
    bench.service.act(VOLUME, "snapshotCRDelete", {"name": "one"}, BASE)
    bench.step()
    assert (bench.names(world.SNAPSHOTS), bench.on_disk()) == (["two"], ["two"])
    removed = ("Normal", "Delete", "snapshot was removed from engine")
    assert (removed in bench.told("Snapshot")) is (release != "v1.5.5")


@pytest.mark.parametrize("release", SINCE_1_5)
def test_the_parent_of_the_head_is_marked_and_waits(make: Make, release: str) -> None:
    bench = make(release)
    bench.snapshot("one")
    bench.cluster.delete(world.SNAPSHOTS, "one")
    bench.step()
    status = bench.status(world.SNAPSHOTS, "one")
    assert (status["markRemoved"], status["readyToUse"]) == (True, False)
    assert bench.get(world.SNAPSHOTS, "one")["metadata"]["deletionTimestamp"]
    reason = ("Warning", "SnapshotDelete") if release == "v1.5.5" else ("Normal", "Delete")
    assert (*reason, "snapshot is marked as removed") in bench.told("Snapshot")
    bench.snapshot("two")
    bench.step()
    assert bench.names(world.SNAPSHOTS) == ["two"]


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_deletion_that_fails_is_tried_again_less_and_less_often(make: Make, release: str) -> None:
    bench = make(release)
    for name in ("one", "two"):
        bench.snapshot(name)
    bench.plan("snapshot-delete-rpc")
    bench.cluster.delete(world.SNAPSHOTS, "one")
    tries = []
    for _ in range(200):
        bench.step(1)
        tries.append(len(bench.lines('level=error msg="Failed to sync Longhorn snapshot"')))
        bench.seconds += 0.01
    assert 6 <= tries[-1] <= 10, "5 ms, 10 ms, 20 ms, …"
    line = bench.lines("Failed to sync Longhorn snapshot")[0]
    assert 'Snapshot=longhorn-system/one controller=longhorn-snapshot error="longhorn-snapshot: failed to sync' in line
    assert "failed to remove snapshot one: rpc error: code = Unknown desc = patched replica refuses" in line
    assert bench.on_disk() == ["one", "two"]
    assert bench.status(world.SNAPSHOTS, "one")["markRemoved"] is False
    bench.context.plan = faults.KNOWN
    bench.seconds += 1000.0
    bench.step()
    assert bench.names(world.SNAPSHOTS) == ["two"]


@pytest.mark.parametrize("release", WITH_SNAPSHOTS)
def test_a_stub_on_the_command_line_changes_nothing(make: Make, release: str) -> None:
    bench = make(release)
    bench.plan("snapshot-delete")
    for name in ("one", "two"):
        bench.snapshot(name)
    action = "snapshotCRDelete" if release in SINCE_1_5 else "snapshotDelete"
    bench.service.act(VOLUME, action, {"name": "one"}, BASE)
    bench.service.act(VOLUME, "snapshotPurge", {}, BASE)
    bench.step()
    assert bench.on_disk() == ["two"]


@pytest.mark.parametrize("release", SINCE_1_5)
def test_purging_can_be_switched_off_and_on_again(make: Make, release: str) -> None:
    bench = make(release)
    for name in ("one", "two"):
        bench.snapshot(name)
    bench.setting("disable-snapshot-purge", "true")
    bench.cluster.delete(world.SNAPSHOTS, "one")
    bench.step(10)
    assert bench.status(world.SNAPSHOTS, "one")["markRemoved"] is False
    (line,) = bench.lines("level=warning")
    words = "Cannot start SnapshotPurge to delete snapshot one while disable-snapshot-purge setting is true"
    assert f'msg="{words}"' in line
    with pytest.raises(parts.ApiFault, match="cannot purge snapshots while disable-snapshot-purge setting is true"):
        bench.service.act(VOLUME, "snapshotPurge", {}, BASE)
    bench.setting("disable-snapshot-purge", "false")
    bench.step()
    assert bench.names(world.SNAPSHOTS) == ["two"]


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_refused_deletion_reaches_whoever_asked(make: Make, release: str) -> None:
    bench = make(release)
    bench.snapshot("one")
    bench.cluster.refuses.add("one")
    with pytest.raises(parts.ApiFault, match=r"^failed to delete snapshot: failed calling webhook: refused$"):
        bench.service.act(VOLUME, "snapshotCRDelete", {"name": "one"}, BASE)
    bench.step()
    assert bench.status(world.SNAPSHOTS, "one")["readyToUse"] is True


@pytest.mark.parametrize("release", WITH_SNAPSHOTS)
def test_objects_of_a_volume_that_goes_are_let_go(make: Make, release: str) -> None:
    bench = make(release)
    bench.snapshot("one")
    bench.cluster.objects[world.VOLUMES, VOLUME]["metadata"]["deletionTimestamp"] = "2026-11-23T04:00:00Z"
    bench.cluster.delete(world.SNAPSHOTS, "one")
    bench.step()
    assert bench.names(world.SNAPSHOTS) == []


@pytest.mark.parametrize("release", ["v1.3.3", "v1.4.4"])
def test_an_object_of_a_stopped_engine_stays(make: Make, release: str) -> None:
    bench = make(release)
    bench.snapshot("one")
    bench.cluster.objects[world.ENGINES, "vol-e-0"]["status"] |= {"currentState": "stopped", "snapshots": None}
    bench.cluster.delete(world.SNAPSHOTS, "one")
    bench.step()
    text = "cannot delete snapshot because the volume engine vol-e-0 is not running"
    assert bench.told("Snapshot")[-1] == ("Warning", "SnapshotDeleteError", text)
    assert len(bench.lines(text)) == 1, "said once"
    assert bench.names(world.SNAPSHOTS) == ["one"]


# --- backups ---


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_backup_and_what_comes_of_it(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    found = bench.get(world.BACKUPS, name)
    assert found["metadata"]["labels"].get("backup-volume") == VOLUME
    assert ("backup-target" in found["metadata"]["labels"]) is (release in SINCE_1_8)
    status = found["status"]
    assert (status["state"], status["progress"], status["snapshotName"]) == ("Completed", 100, "one")
    assert (status["labels"], status["volumeName"]) == ({"RecurringJob": "nightly"}, VOLUME)
    assert status["url"] == f"{URL}?backup={name}&volume={VOLUME}"
    assert all(status[field] for field in ("backupCreatedAt", "snapshotCreatedAt", "lastSyncedAt", "size"))
    assert bench.stored() == [name]
    assert bench.status(world.VOLUMES, VOLUME)["lastBackup"] == name
    told = [entry for entry in bench.told("Volume") if entry[1] == "Completed"]
    assert told == [("Normal", "Completed", f"Snapshot one backup {name} label map[RecurringJob:nightly]")]


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_volume_in_the_store_has_an_object(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    (found,) = bench.cluster.all(world.BACKUP_VOLUMES)
    if release in SINCE_1_8:
        assert found["metadata"]["name"].startswith(f"{VOLUME}-")
        assert found["spec"] == {"volumeName": VOLUME, "backupTargetName": "default"}
    else:
        assert found["metadata"]["name"] == VOLUME
    assert found["status"]["lastBackupName"] == name
    (shown,) = bench.service.backup_volumes(BASE)
    assert (shown["volumeName"], shown["backupTargetName"], shown["lastBackupName"]) == (VOLUME, "default", name)
    listed = bench.service.act_on_backups(shown["name"], "backupList", {}, BASE)["data"]
    assert [(item["name"], item["state"], item["labels"]) for item in listed] == [
        (name, "Completed", {"RecurringJob": "nightly"})
    ]
    assert bench.service._backup_fields(VOLUME)["backupStatus"][0]["snapshot"] == "one"


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_deleted_backup_goes_when_the_store_has_it_no_more(make: Make, release: str) -> None:
    bench = make(release)
    first, second = bench.back_up("one"), bench.back_up("two")
    place = bench.names(world.BACKUP_VOLUMES)[0]
    bench.service.act_on_backups(place, "backupDelete", {"name": first}, BASE)
    bench.step()
    assert (bench.names(world.BACKUPS), bench.stored()) == ([second], [second])
    assert bench.status(world.VOLUMES, VOLUME)["lastBackup"] == second


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_backup_of_what_is_not_there_ends_in_an_error(make: Make, release: str) -> None:
    bench = make(release)
    bench.service._back_up(VOLUME, {"name": "nothing", "labels": {}})
    bench.step()
    (name,) = bench.names(world.BACKUPS)
    assert bench.status(world.BACKUPS, name)["state"] == "Error"
    assert bench.told("Volume")[-1][:2] == ("Warning", "Error")
    bench.cluster.create(world.BACKUP_VOLUMES, {"kind": "BackupVolume", "metadata": {"name": VOLUME}, "spec": {}})
    bench.delete_backup(name)
    assert bench.names(world.BACKUPS) == []
    if release in RETRYING:
        assert bench.told("Backup")[-1][2].startswith(f"Failed backup {name} has been deleted: ")


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_refused_deletion_of_a_backup_reaches_whoever_asked(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    bench.cluster.refuses.add(name)
    place = bench.names(world.BACKUP_VOLUMES)[0]
    begins = "failed to delete" if release in SINCE_1_5 else "error deleting"
    with pytest.raises(parts.ApiFault, match=f"^{begins} backup '{name}' of volume '{place}': failed calling webhook"):
        bench.service.act_on_backups(place, "backupDelete", {"name": name}, BASE)
    assert bench.stored() == [name]


@pytest.mark.parametrize("release", RETRYING)
def test_until_1_7_a_failing_deletion_is_tried_four_times_and_again_later(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    bench.plan("backup-delete")
    bench.delete_backup(name)
    for _ in range(50):
        bench.seconds += 0.1
        bench.step(1)
    assert len(bench.lines('level=error msg="Error deleting remote backup"')) == 4
    assert len(bench.lines(f'level=warning msg="Error syncing Longhorn backup longhorn-system/{name}"')) == 3
    assert len(bench.lines(f'msg="Dropping Longhorn backup longhorn-system/{name} out of the queue"')) == 1
    line = bench.lines("Error deleting remote backup")[0]
    assert f"error deleting backup {URL}?backup={name}&volume={VOLUME}: failed to execute: " in line
    assert "stubbed backup deletion for testing" in line
    status = bench.status(world.BACKUPS, name)
    assert (status["state"], bench.get(world.BACKUPS, name)["metadata"]["deletionTimestamp"] != "") == (
        "Completed",
        True,
    )
    bench.seconds += 31.0
    bench.step(1)
    expected = 4 if release == "v1.2.6" else 5
    assert len(bench.lines("Error deleting remote backup")) == expected, "1.2 looks again after an hour"
    bench.plan()
    bench.seconds += 3700.0
    bench.step()
    assert (bench.names(world.BACKUPS), bench.stored()) == ([], [])


@pytest.mark.parametrize(("release", "tries"), [("v1.2.6", 4), ("v1.3.3", 17), ("v1.5.5", 17)])
def test_a_lock_in_the_way_is_tried_more_often(make: Make, release: str, tries: int) -> None:
    bench = make(release)
    name = bench.back_up("one")
    with bench._store().locked(VOLUME, 1):
        bench.cluster.delete(world.BACKUPS, name)
        for _ in range(300):
            bench.seconds += 1.0 if release == "v1.2.6" else 0.5
            bench.step(1)
            if bench.lines("Dropping Longhorn backup"):
                break
            if release != "v1.2.6":
                bench.seconds += 2.0
    assert len(bench.lines('msg="Error deleting remote backup"')) == tries
    because = "because of the failure of lock acquisition"
    assert bool(bench.lines(because)) is (release != "v1.2.6")


@pytest.mark.parametrize("release", SINCE_1_8)
def test_from_1_8_on_a_failing_deletion_shows_in_the_object(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    bench.plan("backup-delete")
    bench.delete_backup(name)
    status = bench.status(world.BACKUPS, name)
    url = f"{URL}?backup={name}&volume={VOLUME}"
    assert status["state"] == "Error"
    assert status["messages"]["error"].startswith(f"Failed to delete the backup {url} in the backupstore, err ")
    assert "stubbed backup deletion for testing" in status["messages"]["error"]
    (line,) = bench.lines("level=warning")
    assert f'msg="Failed to delete backup in the backupstore, Failed to delete the backup {url} in' in line
    assert f"backup={name} controller=longhorn-backup node=lab-node" in line


@pytest.mark.parametrize("release", SINCE_1_8)
def test_from_1_8_on_the_next_try_comes_after_a_minute_then_after_two(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    bench.plan("backup-delete")
    bench.delete_backup(name)
    starts = []
    for _ in range(400):
        starts.append(len(bench.lines(f"Start Deleting backup {URL}")))
        bench.seconds += 1.0
        bench.step(1)
    changes = [second for second in range(1, 400) if starts[second] != starts[second - 1]]
    assert changes == [60, 180]
    bench.plan()
    bench.seconds += 24 * 3600.0
    bench.step()
    assert (bench.names(world.BACKUPS), bench.stored()) == ([], [])


@pytest.mark.parametrize("release", SINCE_1_8)
def test_from_1_8_on_a_new_backup_waits_while_another_is_being_deleted(make: Make, release: str) -> None:
    bench = make(release)
    first = bench.back_up("one")
    bench.holds = True
    bench.delete_backup(first)
    assert bench.status(world.BACKUPS, first)["state"] == "Deleting"
    bench.holds = False
    second = bench.back_up("two")
    status = bench.status(world.BACKUPS, second)
    assert (status["state"], status["messages"]) == ("Pending", {"info": f"Wait for backup {first} to be deleted"})
    assert len(bench.lines(f"Waiting to enable the backup monitor for backup {second}")) == 1
    for work in bench.waiting:
        work()
    bench.step(5)
    assert bench.status(world.BACKUPS, second)["state"] == "Completed"
    assert bench.names(world.BACKUPS) == [second]


@pytest.mark.parametrize("release", SINCE_1_8)
def test_a_manager_that_starts_anew_tries_a_deletion_again(make: Make, release: str) -> None:
    bench = make(release)
    first = bench.back_up("one")
    bench.holds = True
    bench.delete_backup(first)
    bench.holds = False
    bench.backups = Backups(bench.context, None, lambda: bench.seconds, bench._spawn)
    bench.step(1)
    assert bench.status(world.BACKUPS, first)["messages"] == {
        "error": "No deletion in progress record, retry the deletion command"
    }
    bench.step()
    assert bench.names(world.BACKUPS) == []


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_refused_blocks_leave_no_backup_behind(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    bench.bucket.refuses = "/blocks/"
    bench.delete_backup(name)
    bench.seconds += 1.0
    bench.step()
    assert (bench.names(world.BACKUPS), bench.stored()) == ([], [])


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_store_that_refuses_keeps_backup_and_object(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    bench.bucket.refuses = "/backups/"
    bench.delete_backup(name)
    assert bench.stored() == [name]
    assert bench.get(world.BACKUPS, name)["metadata"]["deletionTimestamp"]
    assert bench.lines("AccessDenied")


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_with_the_volume_s_object_all_its_backups_go(make: Make, release: str) -> None:
    bench = make(release)
    bench.back_up("one")
    bench.back_up("two")
    bench.service.delete_backup_volume(bench.names(world.BACKUP_VOLUMES)[0])
    bench.step()
    assert (bench.names(world.BACKUPS), bench.names(world.BACKUP_VOLUMES), bench.bucket.objects) == ([], [], {})


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_without_a_target_objects_go_and_the_store_stays(make: Make, release: str) -> None:
    bench = make(release)
    name = bench.back_up("one")
    bench.setting("backup-target", "")
    bench.cluster.objects[world.BACKUP_TARGETS, "default"]["spec"]["backupTargetURL"] = ""
    bench.step()
    assert (bench.names(world.BACKUPS), bench.names(world.BACKUP_VOLUMES)) == ([], [])
    assert bench.stored() == [name]
    with pytest.raises(parts.ApiFault, match="backup target default is not set"):
        bench.service._back_up(VOLUME, {"name": "one"})


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_what_is_in_the_store_already_gets_objects(make: Make, release: str) -> None:
    bench = make(release)
    bench._store().create(
        volume={"Name": "other", "Size": "1"},
        backup={"Name": "backup-9", "SnapshotName": "s", "SnapshotCreatedAt": "2026-11-23T03:00:00Z", "Labels": {}},
        blocks={}, moment="2026-11-23T03:00:01Z",
    )  # fmt: skip
    bench.seconds += 300.0
    bench.step()
    status = bench.status(world.BACKUPS, "backup-9")
    assert (status["state"], status["volumeName"]) == ("Completed", "other")
    del bench.bucket.objects[backupstore.backup_key("other", "backup-9")]
    bench.seconds += 300.0
    bench.step()
    assert bench.names(world.BACKUPS) == []


def test_targets_are_where_the_release_writes_them_down(make: Make) -> None:
    old, new = make("v1.5.5"), make("v1.8.2")
    assert targets.written_down(old.context) == targets.written_down(new.context) == (URL, "s3")
    new.setting("backup-target", "elsewhere")
    assert targets.written_down(new.context) == (URL, "s3")
    assert targets.written_down(new.context, "second") == ("", "")


def test_a_backup_is_known_by_its_labels() -> None:
    old = backup_objects.new("b", volume="v", target="", spec={})
    assert (backup_objects.volume_of(old), backup_objects.target_of(old)) == ("v", "default")
    new = backup_objects.new("b", volume="v", target="second", spec={})
    assert backup_objects.target_of(new) == "second"


def test_a_new_object_names_its_volume_as_its_owner() -> None:
    volume = {"apiVersion": "longhorn.io/v1beta2", "kind": "Volume", "metadata": {"name": "v", "uid": "u"}}
    made = snapshot_service.new(volume, "s", create=True, labels={"a": "b"})
    assert made["spec"] == {"volume": "v", "createSnapshot": True, "labels": {"a": "b"}}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
