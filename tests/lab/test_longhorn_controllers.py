# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's controllers of Snapshot, Backup and BackupVolume objects, on a cluster and a store in memory."""

from __future__ import annotations

import typing as t

import pytest

from longhorn_qa_lab.longhorn import backup_objects, backupstore, faults, names, parts, snapshot_service, targets, world
from longhorn_qa_lab.longhorn.backup_controller import Backups
from longhorn_qa_lab.longhorn.releases import RELEASES

VOLUME = "vol"
NODE = "lab-node"
BASE = "http://longhorn-backend:9500/v1"
URL = "s3://bucket@us-east-1/"
WITH_SNAPSHOTS = [row.name for row in RELEASES.values() if row.has(world.SNAPSHOTS.span)]
WITH_BACKUPS = [row.name for row in RELEASES.values() if row.has(world.BACKUPS.span)]
SINCE_1_5 = [row.name for row in RELEASES.values() if row.number >= (1, 5, 0)]
SINCE_1_8 = [row.name for row in RELEASES.values() if row.number >= (1, 8, 0)]
RETRYING = [name for name in WITH_BACKUPS if name not in SINCE_1_8]

#: A release's manager_bench.Bench, which the fixture manager_bench makes.
Make = t.Callable[[str], t.Any]


# --- snapshots ---


@pytest.mark.parametrize("release", WITH_SNAPSHOTS)
def test_every_snapshot_of_an_engine_gets_an_object(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_snapshot_that_the_engine_has_lost_takes_its_object_along(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    for name in ("one", "two"):
        parts.reach(bench.context, VOLUME).create_snapshot(name, {})
    bench.step()
    reached = parts.reach(bench.context, VOLUME)
    reached.delete_snapshot("one")
    reached.purge()
    bench.step()
    assert bench.names(world.SNAPSHOTS) == ["two"]


@pytest.mark.parametrize("release", SINCE_1_5)
def test_an_object_has_the_engine_take_the_snapshot(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_stopped_engine_takes_no_snapshot(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    bench.cluster.objects[world.ENGINES, "vol-e-0"]["status"] |= {"currentState": "stopped", "snapshots": None}
    bench.snapshot("one")
    status = bench.status(world.SNAPSHOTS, "one")
    assert status["error"] == "cannot take snapshot because the volume engine vol-e-0 is not running"
    assert (status["readyToUse"], bench.on_disk()) == (False, [])


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_deleted_object_goes_with_its_snapshot(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    for name in ("one", "two"):
        bench.snapshot(name)
    bench.service.act(VOLUME, "snapshotCRDelete", {"name": "one"}, BASE)
    bench.step()
    assert (bench.names(world.SNAPSHOTS), bench.on_disk()) == (["two"], ["two"])
    removed = ("Normal", "Delete", "snapshot was removed from engine")
    assert (removed in bench.told("Snapshot")) is (release != "v1.5.5")


@pytest.mark.parametrize("release", SINCE_1_5)
def test_the_parent_of_the_head_is_marked_and_waits(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_deletion_that_fails_is_tried_again_less_and_less_often(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_stub_on_the_command_line_changes_nothing(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    bench.plan("snapshot-delete")
    for name in ("one", "two"):
        bench.snapshot(name)
    action = "snapshotCRDelete" if release in SINCE_1_5 else "snapshotDelete"
    bench.service.act(VOLUME, action, {"name": "one"}, BASE)
    bench.service.act(VOLUME, "snapshotPurge", {}, BASE)
    bench.step()
    assert bench.on_disk() == ["two"]


@pytest.mark.parametrize("release", SINCE_1_5)
def test_purging_can_be_switched_off_and_on_again(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_refused_deletion_reaches_whoever_asked(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    bench.snapshot("one")
    bench.cluster.refuses.add((names.VOLUME_LABEL, VOLUME))
    with pytest.raises(parts.ApiFault, match=r"^failed to delete snapshot: failed calling webhook: refused$"):
        bench.service.act(VOLUME, "snapshotCRDelete", {"name": "one"}, BASE)
    bench.step()
    assert bench.status(world.SNAPSHOTS, "one")["readyToUse"] is True


@pytest.mark.parametrize("release", WITH_SNAPSHOTS)
def test_objects_of_a_volume_that_goes_are_let_go(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    bench.snapshot("one")
    bench.cluster.objects[world.VOLUMES, VOLUME]["metadata"]["deletionTimestamp"] = "2026-11-23T04:00:00Z"
    bench.cluster.delete(world.SNAPSHOTS, "one")
    bench.step()
    assert bench.names(world.SNAPSHOTS) == []


@pytest.mark.parametrize("release", ["v1.3.3", "v1.4.4"])
def test_an_object_of_a_stopped_engine_stays(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    bench.snapshot("one")
    bench.cluster.objects[world.ENGINES, "vol-e-0"]["status"] |= {"currentState": "stopped", "snapshots": None}
    bench.cluster.delete(world.SNAPSHOTS, "one")
    bench.step()
    text = "cannot delete snapshot because the volume engine vol-e-0 is not running"
    assert bench.told("Snapshot")[-1] == ("Warning", "SnapshotDeleteError", text)
    assert len(bench.lines(text)) == 1, "said once"
    assert bench.names(world.SNAPSHOTS) == ["one"]


# --- detached volumes ---


def detached(bench: t.Any) -> None:
    """The volume as it is while nobody wants it attached."""
    bench.cluster.objects[world.ENGINES, "vol-e-0"]["status"] |= {"currentState": "stopped", "snapshots": None}
    document = {"kind": "VolumeAttachment", "metadata": {"name": VOLUME}, "spec": {"attachmentTickets": {"mine": {}}}}
    bench.cluster.create(world.VOLUME_ATTACHMENTS, document)


def started(bench: t.Any) -> None:
    bench.cluster.objects[world.ENGINES, "vol-e-0"]["status"] |= {"currentState": "running", "snapshots": {}}


def tickets(bench: t.Any) -> list[str]:
    return sorted(bench.get(world.VOLUME_ATTACHMENTS, VOLUME)["spec"]["attachmentTickets"])


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_snapshot_of_a_detached_volume_has_it_attached(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    detached(bench)
    bench.snapshot("one")
    assert tickets(bench) == ["mine", "snapshot-controller-one"]
    wanted = bench.get(world.VOLUME_ATTACHMENTS, VOLUME)["spec"]["attachmentTickets"]["snapshot-controller-one"]
    assert (wanted["type"], wanted["nodeID"]) == ("snapshot-controller", NODE)
    started(bench)
    bench.step()
    assert (tickets(bench), bench.status(world.SNAPSHOTS, "one")["readyToUse"]) == (["mine"], True)


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_snapshot_of_a_detached_volume_can_be_deleted(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    for name in ("one", "two"):
        bench.snapshot(name)
    detached(bench)
    bench.cluster.delete(world.SNAPSHOTS, "one")
    bench.step()
    assert tickets(bench) == ["mine", "snapshot-controller-one"]
    started(bench)
    bench.step()
    assert (tickets(bench), bench.names(world.SNAPSHOTS)) == (["mine"], ["two"])


@pytest.mark.parametrize("release", SINCE_1_5)
def test_a_backup_of_a_detached_volume_has_it_attached(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    bench.snapshot("one")
    detached(bench)
    bench.service._back_up(VOLUME, {"name": "one"})
    bench.step()
    (name,) = bench.names(world.BACKUPS)
    assert tickets(bench) == [f"backup-controller-{name}", "mine"]
    status = bench.status(world.BACKUPS, name)
    assert (status["state"], status["messages"]) == ("Pending", {"info": "Waiting for the engine vol-e-0 to be ready"})
    started(bench)
    bench.step(5)
    assert (tickets(bench), bench.status(world.BACKUPS, name)["state"]) == (["mine"], "Completed")


# --- backups ---


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_backup_and_what_comes_of_it(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_volume_in_the_store_has_an_object(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_deleted_backup_goes_when_the_store_has_it_no_more(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    first, second = bench.back_up("one"), bench.back_up("two")
    place = bench.names(world.BACKUP_VOLUMES)[0]
    bench.service.act_on_backups(place, "backupDelete", {"name": first}, BASE)
    bench.step()
    assert (bench.names(world.BACKUPS), bench.stored()) == ([second], [second])
    assert bench.status(world.VOLUMES, VOLUME)["lastBackup"] == second


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_backup_of_what_is_not_there_ends_in_an_error(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_refused_deletion_of_a_backup_reaches_whoever_asked(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    name = bench.back_up("one")
    bench.cluster.refuses.add((backup_objects.VOLUME_LABEL, VOLUME))
    place = bench.names(world.BACKUP_VOLUMES)[0]
    begins = "failed to delete" if release in SINCE_1_5 else "error deleting"
    with pytest.raises(parts.ApiFault, match=f"^{begins} backup '{name}' of volume '{place}': failed calling webhook"):
        bench.service.act_on_backups(place, "backupDelete", {"name": name}, BASE)
    assert bench.stored() == [name]


@pytest.mark.parametrize("release", RETRYING)
def test_until_1_7_a_failing_deletion_is_tried_four_times_and_again_later(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_a_lock_in_the_way_is_tried_more_often(manager_bench: Make, release: str, tries: int) -> None:
    bench = manager_bench(release)
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
def test_from_1_8_on_a_failing_deletion_shows_in_the_object(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_from_1_8_on_the_next_try_comes_after_a_minute_then_after_two(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_from_1_8_on_a_new_backup_waits_while_another_is_being_deleted(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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


@pytest.mark.parametrize("release", RETRYING)
def test_until_1_7_a_new_backup_does_not_meet_the_lock_of_a_deletion(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    first = bench.back_up("one")
    bench.holds = True
    bench.delete_backup(first)
    bench.holds = False
    second = bench.back_up("two")
    assert bench.status(world.BACKUPS, second)["state"] == ""
    for work in bench.waiting:
        work()
    bench.step(5)
    assert bench.status(world.BACKUPS, second)["state"] == "Completed"


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_deletion_does_not_meet_the_lock_of_a_new_backup(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    first = bench.back_up("one")
    bench.snapshot("two")
    bench.holds = True
    bench.service._back_up(VOLUME, {"name": "two"})
    bench.delete_backup(first)
    assert bench.lines("Start Deleting backup") == []
    bench.holds = False
    for work in bench.waiting:
        work()
    bench.step(6)
    assert len(bench.stored()) == 1
    assert bench.names(world.BACKUPS) == bench.stored()


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_deletion_waits_while_only_the_engine_knows_of_a_new_backup(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    first = bench.back_up("one")
    with bench.context.disk.change(VOLUME) as state:
        state["backups"]["another"] = {"state": "in_progress"}
    bench.delete_backup(first)
    assert bench.lines("Start Deleting backup") == []
    with bench.context.disk.change(VOLUME) as state:
        state["backups"]["another"] = {"state": "complete"}
    bench.step()
    assert len(bench.lines("Start Deleting backup")) == 1


@pytest.mark.parametrize("release", SINCE_1_8)
def test_a_manager_that_starts_anew_tries_a_deletion_again(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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
def test_refused_blocks_leave_no_backup_behind(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    name = bench.back_up("one")
    bench.bucket.refuses = "/blocks/"
    bench.delete_backup(name)
    bench.seconds += 1.0
    bench.step()
    assert (bench.names(world.BACKUPS), bench.stored()) == ([], [])


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_a_store_that_refuses_keeps_backup_and_object(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    name = bench.back_up("one")
    bench.bucket.refuses = "/backups/"
    bench.delete_backup(name)
    assert bench.stored() == [name]
    assert bench.get(world.BACKUPS, name)["metadata"]["deletionTimestamp"]
    assert bench.lines("AccessDenied")


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_with_the_volume_s_object_all_its_backups_go(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    bench.back_up("one")
    bench.back_up("two")
    bench.service.delete_backup_volume(bench.names(world.BACKUP_VOLUMES)[0])
    bench.step()
    assert (bench.names(world.BACKUPS), bench.names(world.BACKUP_VOLUMES), bench.bucket.objects) == ([], [], {})


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_without_a_target_objects_go_and_the_store_stays(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
    name = bench.back_up("one")
    bench.setting("backup-target", "")
    bench.cluster.objects[world.BACKUP_TARGETS, "default"]["spec"]["backupTargetURL"] = ""
    bench.step()
    assert (bench.names(world.BACKUPS), bench.names(world.BACKUP_VOLUMES)) == ([], [])
    assert bench.stored() == [name]
    with pytest.raises(parts.ApiFault, match="backup target default is not set"):
        bench.service._back_up(VOLUME, {"name": "one"})


@pytest.mark.parametrize("release", WITH_BACKUPS)
def test_what_is_in_the_store_already_gets_objects(manager_bench: Make, release: str) -> None:
    bench = manager_bench(release)
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


def test_targets_are_where_the_release_writes_them_down(manager_bench: Make) -> None:
    old, new = manager_bench("v1.5.5"), manager_bench("v1.8.2")
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
