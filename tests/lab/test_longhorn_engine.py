# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's commands on the shared disk: snapshots, their chain, purge, faults, backups."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.longhorn import engine, faults
from longhorn_qa_lab.longhorn.disk import Disk, NoSuchVolume
from longhorn_qa_lab.longhorn.engine import HEAD, Binary, CommandError, Engine
from longhorn_qa_lab.longhorn.s3_client import Credentials

MOMENT = dt.datetime(2020, 6, 8, 20, 5, 10, tzinfo=dt.timezone.utc)
GOOD = "longhornio/longhorn-engine:v1.0.0"
STUB = "quay.io/ttpcodes/longhorn-engine:no-cleanup"
SIZE = 32 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path)
    with disk.change("vol", engine.new_state(volume="vol", size=SIZE, created="2020-06-08T20:00:00Z")) as state:
        state["engine"] = {"name": "vol-e-1", "address": "10.0.0.1:10000", "replicas": {"vol-r-1": "10.0.0.2:10000"}}
    return disk


def of(disk: Disk, image: str = GOOD, plan: faults.FaultPlan = faults.KNOWN) -> Engine:
    return Engine(disk, Binary(image=image, plan=plan, clock=lambda: MOMENT), "vol")


def test_a_snapshot_becomes_the_parent_of_the_head(disk: Disk) -> None:
    of(disk).create_snapshot("s1", {"RecurringJob": "c-x"})
    of(disk).create_snapshot("s2", {})
    infos = of(disk).snapshots()
    assert set(infos) == {"s1", "s2", HEAD}
    assert [(infos[name]["parent"], list(infos[name]["children"])) for name in ("s1", "s2", HEAD)] == [
        ("", ["s2"]), ("s1", [HEAD]), ("s2", []),
    ]  # fmt: skip
    assert infos["s1"]["labels"] == {"RecurringJob": "c-x"}
    assert (infos["s1"]["usercreated"], infos[HEAD]["usercreated"]) == (True, False)


def test_each_snapshot_is_told_in_the_engine_managers_log(disk: Disk, tmp_path: Path) -> None:
    of(disk).create_snapshot("s1", {"RecurringJob": "c-x"})
    text = (tmp_path / "var/lib/longhorn/lab/logs/engine-manager.log").read_text()
    assert text == (
        '[vol-e-1] time="2020-06-08T20:05:10Z" level=info msg="Snapshot: 10.0.0.2:10000 s1 UserCreated true '
        'Created at 2020-06-08T20:05:10Z, Labels map[RecurringJob:c-x]"\n'
    )


def test_a_removed_snapshot_goes_with_the_purge_and_its_data_stays(disk: Disk) -> None:
    for name in ("s1", "s2"):
        of(disk).create_snapshot(name, {})
    before = engine.merged_blocks(disk.read("vol"), "s2")
    of(disk).delete_snapshot("s1")
    assert of(disk).snapshots()["s1"]["removed"]
    of(disk).purge()
    infos = of(disk).snapshots()
    assert set(infos) == {"s2", HEAD}
    assert infos["s2"]["parent"] == ""
    assert engine.merged_blocks(disk.read("vol"), "s2") == before


def test_the_parent_of_the_head_is_only_marked(disk: Disk) -> None:
    of(disk).create_snapshot("s1", {})
    of(disk).delete_snapshot("s1")
    of(disk).purge()
    assert of(disk).snapshots()["s1"]["removed"]


def test_a_stub_says_the_page_s_words_and_changes_nothing(disk: Disk) -> None:
    of(disk, STUB).create_snapshot("s1", {})
    with pytest.raises(CommandError) as caught:
        of(disk, STUB).delete_snapshot("s1")
    assert str(caught.value) == (
        "error deleting snapshot 's1': Failed to execute: /var/lib/longhorn/engine-binaries/"
        "quay.io-ttpcodes-longhorn-engine-no-cleanup/longhorn [--url 10.0.0.1:10000 snapshot rm s1], output , stderr, "
        'time="2020-06-08T20:05:10Z" level=fatal msg="stubbed snapshot deletion for testing"\n, error exit status 1'
    )
    assert not of(disk).snapshots()["s1"]["removed"]


def test_the_page_s_stubs_fail_what_the_page_says() -> None:
    known = {image.rpartition(":")[2]: set(entry.fails) for image, entry in faults.KNOWN.images.items()}
    assert known == {
        "no-cleanup": {"snapshot rm", "backup rm"},
        "no-cleanup-backup": {"backup rm"},
        "no-cleanup-snapshot": {"snapshot rm"},
        "no-cleanup-patched": {"DiskMarkAsRemoved"},
    }


def test_backup_deletion_of_a_stub_needs_no_store() -> None:
    url = "s3://b@us-east-1/?backup=backup-1&volume=vol"
    binary = Binary(image=STUB, plan=faults.KNOWN, clock=lambda: MOMENT)
    with pytest.raises(CommandError) as caught:
        engine.remove_backup(binary, url, credentials=Credentials("", "", ""), egress=None)
    assert str(caught.value) == (
        f"error deleting backup {url}: failed to execute: /var/lib/longhorn/engine-binaries/"
        f"quay.io-ttpcodes-longhorn-engine-no-cleanup/longhorn [backup rm {url}], output , stderr, "
        'time="2020-06-08T20:05:10Z" level=fatal msg="stubbed backup deletion for testing"\n, error exit status 1'
    )


def test_a_plan_gives_any_image_a_fault_with_words_of_its_own(disk: Disk) -> None:
    entry = {"fails": ["snapshot-create"], "words": {"snapshot-create": "full"}}
    plan = faults.parse(json.dumps({"images": {GOOD: entry}}))
    with pytest.raises(CommandError, match="level=fatal msg=full"):
        of(disk, plan=plan).create_snapshot("s1", {})
    assert set(of(disk).snapshots()) == {HEAD}
    assert plan.of(STUB).words("backup rm") is not None, "the known images stay known"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "is not JSON", id="not JSON"),
        pytest.param("[]", "expected an object with the key 'images'", id="no object"),
        pytest.param('{"images": {"x": 1}}', "image x: expected an object", id="an entry that is a number"),
        pytest.param('{"images": {"x": {"fails": ["y"]}}}', "unknown fault 'y'; known: snapshot-delete", id="unknown"),
    ],
)
def test_a_bad_plan_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(faults.BadFaultPlan, match=message):
        faults.parse(text)


def test_nothing_works_while_the_engine_is_stopped(disk: Disk) -> None:
    with disk.change("vol") as state:
        state["engine"] = None
    with pytest.raises(CommandError, match="connection refused"):
        of(disk).snapshots()


def test_a_volume_that_was_never_here_is_a_command_s_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no data of volume vol"):
        of(Disk(tmp_path)).snapshots()


def test_a_failed_change_writes_nothing(disk: Disk) -> None:
    with pytest.raises(KeyError), disk.change("vol") as state:
        state["writes"] = 99
        raise KeyError
    assert disk.read("vol")["writes"] == 0


def test_changes_of_several_programs_wait_for_each_other(disk: Disk) -> None:
    def add() -> None:
        for _ in range(20):
            with disk.change("vol") as state:
                state["writes"] += 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert disk.read("vol")["writes"] == 80


def test_a_removed_volume_is_gone(disk: Disk) -> None:
    disk.remove("vol")
    disk.remove("vol")
    with pytest.raises(NoSuchVolume):
        disk.read("vol")


class Objects(dict[str, bytes]):
    """A bucket in memory."""

    def put(self, key: str, body: bytes) -> None:
        self[key] = body

    def delete(self, key: str) -> None:
        del self[key]

    def get(self, key: str, default: t.Any = None) -> t.Any:
        return super().get(key, default)

    def keys(self, prefix: str = "") -> t.Any:
        return sorted(key for key in self if key.startswith(prefix))


def test_an_upload_that_fails_leaves_the_backup_in_error(disk: Disk) -> None:
    from longhorn_qa_lab.longhorn.backupstore import BackupStore

    class Broken(Objects):
        def put(self, key: str, body: bytes) -> None:
            raise OSError("disk full")

    with disk.change("vol") as state:
        state["backups"]["b"] = {"state": "in_progress", "error": ""}
    upload = engine.Upload(disk=disk, volume="vol", size=SIZE, backup="b", snapshot="s", snapshot_created="",
                           labels={}, blocks={0: 0}, clock=lambda: MOMENT)  # fmt: skip
    upload.run(BackupStore(Broken()))
    assert disk.read("vol")["backups"]["b"] == {"state": "error", "error": "disk full"}
    upload.run(BackupStore(Objects()))
    assert disk.read("vol")["backups"]["b"]["state"] == "complete"


JOB = """
import json, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
from longhorn_qa_lab.longhorn import engine, faults, manager
from longhorn_qa_lab.longhorn.disk import Disk

manager.end_when_told()


def upload(**_):
    while not Path(sys.argv[3]).exists():
        time.sleep(0.02)


engine.open_store = lambda *_: SimpleNamespace(create=upload)
binary = engine.Binary(image=sys.argv[2], plan=faults.KNOWN)
running = engine.Engine(Disk(Path(sys.argv[1])), binary, "vol")
running.create_snapshot("s1", {})
running.start_backup(snapshot="s1", target="s3://b@us-east-1/", labels={}, credentials=None, egress=None)
try:
    print("begun", flush=True)
    signal.pause()
finally:
    print("told to end", flush=True)
"""


def test_an_upload_goes_on_when_its_job_is_ended(disk: Disk, tmp_path: Path) -> None:
    rest = tmp_path / "rest"
    command = [sys.executable, "-c", JOB, str(tmp_path), GOOD, str(rest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "begun\n"
        (before,) = disk.read("vol")["backups"].values()
        job.send_signal(signal.SIGTERM)
        assert job.stdout.readline() == "told to end\n"
        rest.touch()
        assert job.wait(30) == 2
    (after,) = disk.read("vol")["backups"].values()
    assert (before["state"], after["state"]) == ("in_progress", "complete")


# --- through the proxy of 1.3 and later ---


def proxied(disk: Disk, image: str, plan: faults.FaultPlan = faults.KNOWN) -> engine.Proxied:
    return engine.Proxied(disk, Binary(image=image, plan=plan), "vol", proxy="10.0.0.9:8501")


def test_a_stub_on_the_command_line_is_not_asked_by_the_proxy(disk: Disk) -> None:
    running = proxied(disk, STUB)
    running.create_snapshot("one", {})
    running.delete_snapshot("one")
    assert running.snapshots()["one"]["removed"] is True


def test_an_engine_that_is_built_to_refuse_does(disk: Disk) -> None:
    plan = faults.parse(json.dumps({"images": {GOOD: {"fails": ["snapshot-delete-rpc"]}}}))
    running = proxied(disk, GOOD, plan)
    running.create_snapshot("one", {})
    with pytest.raises(CommandError) as error:
        running.delete_snapshot("one")
    assert str(error.value) == (
        "proxyServer=10.0.0.9:8501 destination=10.0.0.1:10000: failed to remove snapshot one: "
        "rpc error: code = Unknown desc = patched replica refuses to mark a disk as removed"
    )
    assert running.snapshots()["one"]["removed"] is False
    assert of(disk, GOOD, plan).delete_snapshot("one") is None, "its command line is sound"


def test_the_proxy_tells_of_an_engine_that_is_not_running(disk: Disk) -> None:
    with disk.change("vol") as state:
        state["engine"] = None
    with pytest.raises(
        CommandError, match=r"proxyServer=10\.0\.0\.9:8501: failed to remove snapshot one: connection refused"
    ):
        proxied(disk, GOOD).delete_snapshot("one")


def test_nobody_writes_to_an_idle_volume(disk: Disk) -> None:
    plan = faults.parse(json.dumps({"images": {GOOD: {"idle": True}}}))
    running = of(disk, GOOD, plan)
    running.create_snapshot("one", {})
    assert running.snapshots()["volume-head"]["size"] == "0"
    other = of(disk)
    other.create_snapshot("two", {})
    assert other.snapshots()["volume-head"]["size"] != "0"
