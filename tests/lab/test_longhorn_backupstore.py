# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of backups, down to the size of the recorded files, and the requests that write them."""

from __future__ import annotations

import gzip
import json
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.s3.models import FakeBucket, s3_backends

from longhorn_qa_lab.longhorn import backupstore, s3
from longhorn_qa_lab.longhorn.backupstore import BackupStore
from longhorn_qa_lab.longhorn.s3_client import Credentials, S3Client, StoreError, Target

RECORDED = Path(__file__).parents[1] / "recordings" / "2020-06" / "s3-final.json"
URL = "s3://bucket@us-east-1/"
MIB = 1 << 20


class Bucket:
    """Objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def delete(self, key: str) -> None:
        del self.objects[key]

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))


def back_up(store: BackupStore, name: str, blocks: dict[int, int], *, snapshot: str = "c-nbbck-f30efb6e",
            volume: str = "test-ncb-back", labels: dict[str, str] | None = None) -> None:  # fmt: skip
    store.create(
        volume={"Name": volume, "Size": "33554432"},
        backup={"Name": name, "SnapshotName": snapshot, "SnapshotCreatedAt": "2026-11-23T03:11:01Z",
                "Labels": labels or {"RecurringJob": "c-nbbck"}, "IsIncremental": False},
        blocks=blocks,
        moment="2026-11-23T03:11:02Z",
    )  # fmt: skip


def test_files_of_an_empty_volume_are_as_long_as_the_recorded_ones() -> None:
    bucket = Bucket()
    back_up(BackupStore(bucket), "backup-267e947984764b9b", {})
    recorded = {entry["Key"]: entry["Size"] for entry in json.loads(RECORDED.read_text())}
    assert {key: len(body) for key, body in bucket.objects.items()}.items() <= recorded.items()
    assert len(bucket.objects) == 2


def test_blocks_are_named_by_their_content_and_stored_once() -> None:
    bucket = Bucket()
    store = BackupStore(bucket)
    back_up(store, "backup-1", {0: 0, 2 * MIB: 0})
    back_up(store, "backup-2", {0: 0, 2 * MIB: 1})
    blocks = [key for key in bucket.objects if key.endswith(".blk")]
    assert len(blocks) == 3
    for key in blocks:
        content = gzip.decompress(bucket.objects[key])
        total = backupstore.checksum(content)
        assert len(content) == 2 * MIB
        assert key.endswith(f"/blocks/{total[:2]}/{total[2:4]}/{total}.blk")
    config = store.backup("test-ncb-back", "backup-2")
    assert config is not None
    assert [entry["Offset"] for entry in config["Blocks"]] == [0, 2 * MIB]
    assert config["Size"] == str(4 * MIB)


def test_deleting_a_backup_leaves_what_others_need() -> None:
    bucket = Bucket()
    store = BackupStore(bucket, "some/path")
    back_up(store, "backup-1", {0: 0, 2 * MIB: 0})
    back_up(store, "backup-2", {0: 0, 2 * MIB: 1})
    store.delete("test-ncb-back", "backup-1")
    assert [config["Name"] for config in store.backups("test-ncb-back")] == ["backup-2"]
    assert sum(key.endswith(".blk") for key in bucket.objects) == 2
    store.delete("test-ncb-back", "backup-2")
    config = store.volume("test-ncb-back")
    assert config is not None
    assert (config["LastBackupName"], config["BlockCount"]) == ("", "0")
    assert all(key.startswith("some/path/backupstore/volumes/1f/4e/test-ncb-back/") for key in bucket.objects)


def test_what_is_not_there_cannot_be_deleted() -> None:
    with pytest.raises(LookupError, match="cannot find backup-9"):
        BackupStore(Bucket()).delete("vol", "backup-9")


def test_volumes_are_found_by_their_files() -> None:
    store = BackupStore(Bucket())
    back_up(store, "backup-1", {}, volume="one")
    back_up(store, "backup-2", {}, volume="two")
    assert sorted(config["Name"] for config in store.volumes()) == ["one", "two"]
    store.delete_volume("one")
    assert [config["Name"] for config in store.volumes()] == ["two"]


def test_urls_go_there_and_back() -> None:
    url = backupstore.backup_url(Target.parse("s3://b@us-east-1/some/path/").url, "vol", "backup-1")
    assert url == "s3://b@us-east-1/some/path?backup=backup-1&volume=vol"
    assert backupstore.parse_backup_url(url) == ("s3://b@us-east-1/some/path", "vol", "backup-1")
    assert Target.parse(URL).url == URL


@pytest.mark.parametrize("url", ["nfs://host:/path", "s3://bucket", "", "s3://@us-east-1/"])
def test_other_targets_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="invalid URL"):
        Target.parse(url)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client(endpoint: str, url: str = URL) -> S3Client:
    return S3Client(Target.parse(url), Credentials("key", "secret", endpoint), egress=None)


def test_a_real_server_understands_the_requests(endpoint: str) -> None:
    s3.create(["bucket"])
    store = client(endpoint)
    store.put("a/b c+d.cfg", b"body")
    assert store.get("a/b c+d.cfg") == b"body"
    assert store.keys("a/") == ["a/b c+d.cfg"]
    store.delete("a/b c+d.cfg")
    assert (store.get("a/b c+d.cfg"), store.keys("")) == (None, [])


def test_a_policy_of_the_bucket_holds_for_everybody_but_the_root(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeBucket, "get_permission", FakeBucket.get_permission)
    s3.put_above_policies("root")
    s3.create(["policies"])
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:DeleteObject"],
        "Resource": ["arn:aws:s3:::policies/kept/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [denied]}
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_bucket_policy("policies", json.dumps(policy).encode())
    user, root = (
        S3Client(Target.parse("s3://policies@us-east-1/"), Credentials(key, "secret", endpoint), egress=None)
        for key in ("user", "root")
    )
    for key in ("kept/a", "other/a"):
        user.put(key, b"body")
    with pytest.raises(StoreError, match=r"failed to delete objects \[kept/a\]: 403"):
        user.delete("kept/a")
    user.delete("other/a")
    assert root.keys("") == ["kept/a"]
    root.delete("kept/a")
    assert root.keys("") == []


def test_a_missing_bucket_is_an_error_and_not_an_empty_store(endpoint: str) -> None:
    nowhere = client(endpoint, "s3://elsewhere@us-east-1/")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        nowhere.keys("")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        nowhere.get("x")


@pytest.mark.parametrize("endpoint", ["", "minio:9000", "ftp://minio"])
def test_an_endpoint_without_scheme_is_refused(endpoint: str) -> None:
    with pytest.raises(StoreError, match="AWS_ENDPOINTS must be an http URL"):
        client(endpoint)


def test_an_unreachable_store_says_where() -> None:
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1"):
        client("http://127.0.0.1:1").keys("")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(["-c", "mkdir -p /storage/qa && exec minio server /storage"], ("qa",), id="one folder"),
        pytest.param(["-c", "mkdir -p /data/a /data/b; minio server /data"], ("a", "b"), id="two folders"),
        pytest.param(["server", "--address", ":9000", "/data"], (), id="no folder"),
    ],
)
def test_buckets_are_the_folders_of_the_command(words: list[str], names: tuple[str, ...]) -> None:
    assert s3.buckets(words) == names


def test_the_store_listens_where_the_pod_says() -> None:
    environment: t.Mapping[str, str] = {"LAB_PORTS": json.dumps({"9000": 31000, "9001": 31001})}
    assert s3.real_port(["-c", "minio server --address :9001 /data"], environment) == 31001
    assert s3.real_port(["server", "/data"], environment) == 31000
    with pytest.raises(SystemExit, match="does not declare container port 7"):
        s3.real_port(["--address=:7"], environment)


# --- later releases ---


class Server(Bucket):
    """A bucket that knows how old its objects are, and may refuse deletions."""

    def __init__(self) -> None:
        super().__init__()
        self.age = 0.0
        self.refuses = ""
        self.deleted: list[str] = []

    def ages(self, prefix: str) -> dict[str, float]:
        return dict.fromkeys(self.keys(prefix), self.age)

    def delete(self, key: str) -> None:
        if self.refuses and self.refuses in key:
            raise StoreError(f"failed to delete objects [{key}]: AccessDenied")
        self.deleted.append(key)
        super().delete(key)


def later(server: Server, number: tuple[int, int, int], slept: list[float] | None = None) -> BackupStore:
    waits = [] if slept is None else slept
    locks = backupstore.Locks(wait=2.0, expiry=150.0, sleep=waits.append)
    return BackupStore(server, "path", layout=backupstore.layout_of(number), locks=locks)


def locks_in(server: Server) -> list[str]:
    return [key for key in server.objects if "/locks/" in key]


@pytest.mark.parametrize(
    ("number", "locked"),
    [pytest.param((1, 0, 1), False, id="1.0"), pytest.param((1, 1, 3), True, id="1.1"),
     pytest.param((1, 12, 1), True, id="1.12")],
)  # fmt: skip
def test_whoever_writes_or_deletes_holds_a_lock_from_1_1_on(number: tuple[int, int, int], locked: bool) -> None:
    server, slept = Server(), []
    store = later(server, number, slept)
    back_up(store, "backup-1", {0: 0})
    store.delete("test-ncb-back", "backup-1")
    assert len([key for key in server.deleted if "/locks/lock-" in key]) == (2 if locked else 0)
    assert slept == ([2.0, 2.0] if locked else [])
    assert locks_in(server) == []


def test_a_lock_tells_what_it_is_for() -> None:
    server = Server()
    with later(server, (1, 2, 6)).locked("vol", 2):
        (key,) = locks_in(server)
        name = key.rpartition("/")[2].removesuffix(".lck")
        assert json.loads(server.objects[key]) == {"Name": name, "Type": 2, "Acquired": True}
        assert key == f"path/{backupstore.volume_folder('vol')}/locks/{name}.lck"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param((1, 7, 2), r"failed lock backupstore/volumes/../../vol/locks/lock-\w{16}\.lck type 1 acquisition",
                     id="until 1.7"),
        pytest.param((1, 8, 2), r"failed to acquire lock backupstore/\S+\.lck when performing backup create/restore, "
                     "please try again later", id="from 1.8 on"),
    ],
)  # fmt: skip
def test_a_deletion_keeps_backups_out_and_not_other_deletions(number: tuple[int, int, int], words: str) -> None:
    server = Server()
    store = later(server, number)
    with store.locked("vol", 2):
        with pytest.raises(backupstore.LockRefused, match=words):
            back_up(store, "backup-1", {}, volume="vol")
        with store.locked("vol", 2):
            assert len(locks_in(server)) == 2
    assert locks_in(server) == []


def test_a_lock_that_cannot_be_taken_away_counts_until_it_expires() -> None:
    server = Server()
    store = later(server, (1, 4, 4))
    back_up(store, "backup-1", {})
    server.refuses = "/locks/"
    store.delete("test-ncb-back", "backup-1")
    assert len(locks_in(server)) == 1
    with pytest.raises(backupstore.LockRefused):
        back_up(store, "backup-2", {})
    server.age = 151.0
    back_up(store, "backup-3", {})
    assert [config["Name"] for config in store.backups("test-ncb-back")] == ["backup-3"]


def test_refused_blocks_are_an_error_although_the_backup_is_gone() -> None:
    server = Server()
    store = later(server, (1, 8, 2))
    back_up(store, "backup-1", {0: 0})
    server.refuses = "/blocks/"
    with pytest.raises(StoreError, match=r"failed to delete objects \[path/backupstore/\S+\.blk\]"):
        store.delete("test-ncb-back", "backup-1")
    assert store.backups("test-ncb-back") == []
    config = store.volume("test-ncb-back")
    assert config is not None
    assert config["LastBackupName"] == ""
    assert locks_in(server) == []


def test_a_refused_list_entry_keeps_the_backup() -> None:
    server = Server()
    store = later(server, (1, 8, 2))
    back_up(store, "backup-1", {0: 0})
    server.refuses = "/backups/"
    with pytest.raises(StoreError):
        store.delete("test-ncb-back", "backup-1")
    assert [config["Name"] for config in store.backups("test-ncb-back")] == ["backup-1"]


def test_what_later_releases_write() -> None:
    server = Server()
    store = later(server, (1, 12, 1))
    back_up(store, "backup-1", {0: 0})
    volume, backup = store.volume("test-ncb-back"), store.backup("test-ncb-back", "backup-1")
    assert volume is not None
    assert backup is not None
    assert (volume["CompressionMethod"], volume["StorageClassName"]) == ('"lz4"', '""')
    assert {"Parameters", "CompressionMethod", "NewlyUploadedDataSize", "ReUploadedDataSize"} <= set(backup)
    old = Server()
    back_up(later(old, (1, 0, 1)), "backup-1", {0: 0})
    kept = later(old, (1, 0, 1)).volume("test-ncb-back")
    assert kept is not None
    assert list(kept) == ["Name", "Size", "CreatedTime", "LastBackupName", "LastBackupAt", "BlockCount"]


def test_a_backup_on_its_way_has_no_time_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    store = later(server, (1, 2, 6))

    def cut(_key: str) -> None:
        raise StoreError("the line is cut")

    monkeypatch.setattr(backupstore, "block_key", lambda _volume, _total: cut("x"))
    with pytest.raises(StoreError):
        back_up(store, "backup-1", {0: 0})
    begun = store.backup("test-ncb-back", "backup-1")
    assert begun is not None
    assert begun["CreatedTime"] == ""
    assert store.backups("test-ncb-back") == []


def test_a_real_server_tells_how_old_its_objects_are(endpoint: str) -> None:
    s3.create(["aged"])
    store = client(endpoint, "s3://aged@us-east-1/")
    store.put("aged/x", b"")
    (age,) = store.ages("aged/").values()
    assert -2.0 <= age <= 30.0
