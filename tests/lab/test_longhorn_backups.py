# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in a bucket: the layout, blocks that backups share, deletion, and backup URLs."""

from __future__ import annotations

import gzip
import json
import re
import typing as t

import pytest

from longhorn_qa_lab.longhorn import backupstore
from longhorn_qa_lab.longhorn.backupstore import BLOCK_SIZE, BackupStore


class Bucket:
    """An object store in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.written: list[str] = []

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put(self, key: str, body: bytes) -> None:
        self.written.append(key)
        self.objects[key] = body

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))


def back_up(store: BackupStore, name: str, blocks: t.Mapping[int, int], *, volume: str = "test") -> None:
    store.create(
        volume={"Name": volume, "Size": "33554432"},
        backup={
            "Name": name,
            "SnapshotName": f"snap-{name}",
            "SnapshotCreatedAt": "2026-11-23T03:09:00Z",
            "Labels": {"RecurringJob": "c-1"},
            "IsIncremental": True,
        },
        blocks=blocks,
        moment="2026-11-23T03:09:05Z",
    )


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def test_layout_is_longhorns(bucket: Bucket) -> None:
    back_up(BackupStore(bucket), "backup-1", {0: 0, BLOCK_SIZE: 0})
    folder = backupstore.volume_folder("test")
    assert re.fullmatch(r"backupstore/volumes/[0-9a-f]{2}/[0-9a-f]{2}/test", folder)
    assert bucket.keys(f"{folder}/") == sorted(bucket.objects)
    blocks = bucket.keys(f"{folder}/blocks/")
    assert len(blocks) == 2
    for key in blocks:
        assert re.fullmatch(r"blocks/([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{60}\.blk", key.removeprefix(f"{folder}/"))
        assert backupstore.checksum(gzip.decompress(bucket.objects[key])) == key.rpartition("/")[2].removesuffix(".blk")
    config = json.loads(bucket.objects[f"{folder}/backups/backup_backup-1.cfg"])
    assert list(config) == [
        "Name",
        "VolumeName",
        "SnapshotName",
        "SnapshotCreatedAt",
        "CreatedTime",
        "Size",
        "Labels",
        "IsIncremental",
        "Blocks",
        "SingleFile",
    ]
    assert (config["Size"], config["IsIncremental"]) == (str(2 * BLOCK_SIZE), False), "the first one is complete"


def test_blocks_come_before_the_lists_that_name_them(bucket: Bucket) -> None:
    back_up(BackupStore(bucket), "backup-1", {0: 0})
    kinds = [key.rpartition("/")[2].split("_")[0].split(".")[-1] for key in bucket.written]
    assert kinds.index("blk") < kinds.index("backup"), bucket.written


def test_backups_share_their_blocks_and_deletion_keeps_what_is_shared(bucket: Bucket) -> None:
    store = BackupStore(bucket)
    back_up(store, "backup-1", {0: 0, BLOCK_SIZE: 0})
    back_up(store, "backup-2", {0: 0, BLOCK_SIZE: 1})
    folder = f"{backupstore.volume_folder('test')}/blocks/"
    assert len(bucket.keys(folder)) == 3
    assert [config["Name"] for config in store.backups("test")] == ["backup-1", "backup-2"]
    assert store.backup("test", "backup-2")["IsIncremental"] is True  # type: ignore[index]
    store.delete("test", "backup-1")
    assert len(bucket.keys(folder)) == 2
    assert store.volume("test")["BlockCount"] == "2"  # type: ignore[index]
    assert store.volume("test")["LastBackupName"] == "backup-2"  # type: ignore[index]
    store.delete("test", "backup-2")
    assert bucket.keys(folder) == []
    assert store.volume("test")["LastBackupName"] == ""  # type: ignore[index]


def test_deleting_what_is_not_there_is_told(bucket: Bucket) -> None:
    with pytest.raises(LookupError, match="cannot find backup-9 in backupstore"):
        BackupStore(bucket).delete("test", "backup-9")


def test_a_whole_volume_goes_and_others_stay(bucket: Bucket) -> None:
    store = BackupStore(bucket)
    back_up(store, "backup-1", {0: 0})
    back_up(store, "backup-2", {0: 0}, volume="test-2")
    store.delete_volume("test")
    assert [config["Name"] for config in store.volumes()] == ["test-2"]
    assert store.backups("test") == []


def test_a_path_within_the_bucket(bucket: Bucket) -> None:
    store = BackupStore(bucket, "some/where")
    back_up(store, "backup-1", {0: 0})
    assert all(key.startswith("some/where/backupstore/volumes/") for key in bucket.objects)
    assert [config["Name"] for config in store.backups("test")] == ["backup-1"]
    assert BackupStore(bucket).volumes() == []


def test_backup_urls_can_be_taken_apart() -> None:
    url = backupstore.backup_url("s3://bucket@us-east-1/path", "test", "backup-1")
    assert backupstore.parse_backup_url(url) == ("s3://bucket@us-east-1/path", "test", "backup-1")
