# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's layout of backups in a bucket, as the engines write it.

``backupstore/volumes/<aa>/<bb>/<volume>/``: ``volume.cfg``, ``backups/backup_<name>.cfg`` and
``blocks/<cc>/<dd>/<checksum>.blk``, where a block is 2 MiB of the volume, compressed and named by its checksum, so
that several backups share it. From 1.1 on whoever writes or deletes holds ``locks/lock-<id>.lck`` meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import json
import time
import typing as t
import urllib.parse
import uuid

from longhorn_qa_lab.longhorn.s3_client import StoreError

BLOCK_SIZE: t.Final = 2 * 1024 * 1024
_ROOT: t.Final = "backupstore/volumes"


class Objects(t.Protocol):
    """The part of an object store that backups need."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, body: bytes) -> None: ...
    def delete(self, key: str) -> None: ...
    def keys(self, prefix: str) -> list[str]: ...
    def ages(self, prefix: str) -> dict[str, float]:
        """Keys below a prefix, with the seconds since they were written, by the server's clock."""


def volume_folder(volume: str) -> str:
    digest = hashlib.sha512(volume.encode()).hexdigest()
    return f"{_ROOT}/{digest[:2]}/{digest[2:4]}/{volume}"


def volume_key(volume: str) -> str:
    return f"{volume_folder(volume)}/volume.cfg"


def backup_key(volume: str, backup: str) -> str:
    return f"{volume_folder(volume)}/backups/backup_{backup}.cfg"


def block_key(volume: str, checksum: str) -> str:
    return f"{volume_folder(volume)}/blocks/{checksum[:2]}/{checksum[2:4]}/{checksum}.blk"


def block(volume: str, offset: int, version: int) -> bytes:
    """The content of a block: different for each volume, place and rewrite, and small when compressed."""
    return hashlib.sha512(f"{volume}:{offset}:{version}".encode()).digest() * (BLOCK_SIZE // 64)


def checksum(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()[:64]


def backup_url(target_url: str, volume: str, backup: str) -> str:
    return f"{target_url}?backup={backup}&volume={volume}"


def parse_backup_url(url: str) -> tuple[str, str, str]:
    """Target, volume and backup of a backup's URL."""
    target, _, query = url.partition("?")
    values = urllib.parse.parse_qs(query)
    return target, values.get("volume", [""])[0], values.get("backup", [""])[0]


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a release's engines write beside what those of 1.0 do."""

    volume_fields: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    backup_fields: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    #: Whether a backup stands in the store from its beginning, without a time until it is complete.
    announces: bool = False
    #: What a lock that is not to be had is called; empty: there are no locks.
    lock_refused: str = ""


#: Texts that the engines write with the quotes of a text around them.
_QUOTED: t.Final = ("BackingImageName", "BackingImageChecksum", "CompressionMethod", "StorageClassName", "DataEngine")
_FIRST_LAYOUT: t.Final = Layout()
_LOCK: t.Final = "failed lock {key} type {type} acquisition"
_LATER_LOCK: t.Final = "failed to acquire lock {key} when performing backup {work}, please try again later"
_KINDS_OF_WORK: t.Final = {1: "create/restore", 2: "delete"}


def layout_of(number: tuple[int, int, int]) -> Layout:
    """The layout of a release, by its number."""
    volume: dict[str, t.Any] = {}
    backup: dict[str, t.Any] = {}
    if number >= (1, 2, 0):
        volume |= {"Labels": {}, "BackingImageName": "", "BackingImageChecksum": ""}
    if number >= (1, 5, 0):
        volume["CompressionMethod"] = backup["CompressionMethod"] = "lz4"
    if number >= (1, 6, 0):
        volume |= {"StorageClassName": "", "DataEngine": "v1"}
    if number >= (1, 7, 0):
        backup |= {"Parameters": {}, "NewlyUploadedDataSize": "0", "ReUploadedDataSize": "0", "ProcessingBlocks": None}
    quoted = {name: f'"{text}"' if name in _QUOTED else text for name, text in volume.items()}
    lock = "" if number < (1, 1, 0) else (_LOCK if number < (1, 8, 0) else _LATER_LOCK)
    return Layout(quoted, backup, announces=number >= (1, 2, 0), lock_refused=lock)


class LockRefused(RuntimeError):
    """Somebody else works on the volume's backups; the text is the engine's."""


@dataclasses.dataclass(frozen=True)
class Locks:
    """How long a lock is waited for, and how long it counts when nobody takes it away. Seconds."""

    wait: float = 2.0
    expiry: float = 150.0
    sleep: t.Callable[[float], None] = time.sleep


class BackupStore:
    """Writes and reads backups below an optional path of a bucket."""

    def __init__(
        self, objects: Objects, path: str = "", *, layout: Layout = _FIRST_LAYOUT, locks: Locks | None = None
    ) -> None:
        self._objects = objects
        self._prefix = f"{path}/" if path else ""
        self._layout = layout
        self._locks = locks or Locks()

    @contextlib.contextmanager
    def locked(self, volume: str, kind: t.Literal[1, 2]) -> t.Iterator[None]:
        """Hold a lock on a volume's backups, where there are locks. Those of one kind do not exclude each other."""
        if not self._layout.lock_refused:
            yield
            return
        name = f"lock-{uuid.uuid4().hex[:16]}"
        key = f"{volume_folder(volume)}/locks/{name}.lck"
        self._write(key, {"Name": name, "Type": kind, "Acquired": False})
        try:
            self._locks.sleep(self._locks.wait)
            if not self._may_lock(volume, key, kind):
                words = self._layout.lock_refused
                raise LockRefused(words.format(key=key, type=kind, work=_KINDS_OF_WORK[kind]))
            self._write(key, {"Name": name, "Type": kind, "Acquired": True})
            yield
        finally:
            # A lock that cannot be taken away is in everybody's way until it expires.
            with contextlib.suppress(StoreError, OSError):
                self._objects.delete(self._prefix + key)

    def _may_lock(self, volume: str, own: str, kind: int) -> bool:
        """Whether nobody holds a lock of the other kind, or asked for one before."""
        ages = self._objects.ages(f"{self._prefix}{volume_folder(volume)}/locks/")
        own_age = ages.get(self._prefix + own, 0.0)
        for key, age in ages.items():
            other = self._read(key[len(self._prefix) :])
            if other is None or other["Type"] == kind or age > self._locks.expiry:
                continue
            if other["Acquired"] or (age, key) > (own_age, self._prefix + own):
                return False
        return True

    def create(
        self, *, volume: t.Mapping[str, t.Any], backup: t.Mapping[str, t.Any], blocks: t.Mapping[int, int], moment: str
    ) -> None:
        """Store a backup: blocks first, then the lists that refer to them."""
        with self.locked(str(volume["Name"]), 1):
            self._create(volume=volume, backup=backup, blocks=blocks, moment=moment)

    def _create(
        self, *, volume: t.Mapping[str, t.Any], backup: t.Mapping[str, t.Any], blocks: t.Mapping[int, int], moment: str
    ) -> None:
        name = str(volume["Name"])
        backup = {**self._layout.backup_fields, **backup}
        config = self.volume(name) or {
            **self._layout.volume_fields,
            **volume,
            "CreatedTime": moment,
            "LastBackupName": "",
            "LastBackupAt": "",
            "BlockCount": "0",
        }
        self._write(volume_key(name), config)
        if self._layout.announces:
            begun = {**backup, "VolumeName": name, "CreatedTime": "", "Size": "0"}
            self._write(backup_key(name, str(backup["Name"])), _ordered(begun))
        mappings, stored = self._put_blocks(name, blocks)
        document: dict[str, t.Any] = {
            **backup,
            "VolumeName": name,
            "CreatedTime": moment,
            "Size": str(len(mappings) * BLOCK_SIZE),
            "IsIncremental": bool(config["LastBackupName"]) and bool(backup.get("IsIncremental")),
        }
        if mappings:
            document["Blocks"] = mappings
        self._write(backup_key(name, str(backup["Name"])), _ordered(document))
        self._write(
            volume_key(name),
            {
                **config,
                "LastBackupName": backup["Name"],
                "LastBackupAt": backup["SnapshotCreatedAt"],
                "BlockCount": str(stored),
            },
        )

    def _put_blocks(self, volume: str, blocks: t.Mapping[int, int]) -> tuple[list[dict[str, t.Any]], int]:
        """The blocks that the store does not have yet; where each belongs, and how many the volume has now."""
        stored = set(self._keys(f"{volume_folder(volume)}/blocks/"))
        mappings: list[dict[str, t.Any]] = []
        for offset, version in sorted(blocks.items()):
            content = block(volume, offset, version)
            total = checksum(content)
            key = block_key(volume, total)
            if key not in stored:
                self._objects.put(self._prefix + key, gzip.compress(content, 1, mtime=0))
                stored.add(key)
            mappings.append({"Offset": offset, "BlockChecksum": total})
        return mappings, len(stored)

    def volume(self, volume: str) -> dict[str, t.Any] | None:
        return self._read(volume_key(volume))

    def backup(self, volume: str, backup: str) -> dict[str, t.Any] | None:
        return self._read(backup_key(volume, backup))

    def volumes(self) -> list[dict[str, t.Any]]:
        """All volumes that have ever been backed up here."""
        names = [key.split("/")[-2] for key in self._keys(f"{_ROOT}/") if key.endswith("/volume.cfg")]
        return [config for config in map(self.volume, names) if config is not None]

    def backups(self, volume: str) -> list[dict[str, t.Any]]:
        """All finished backups of a volume."""
        folder = f"{volume_folder(volume)}/backups/"
        found = (self._read(key) for key in self._keys(folder) if key.endswith(".cfg"))
        return [config for config in found if config is not None and config.get("CreatedTime")]

    def delete(self, volume: str, backup: str) -> None:
        """Remove a backup, then the blocks no other backup needs."""
        if self.backup(volume, backup) is None:
            raise LookupError(f"cannot find {backup} in backupstore")
        with self.locked(volume, 2):
            self._delete(volume, backup)

    def _delete(self, volume: str, backup: str) -> None:
        self._objects.delete(self._prefix + backup_key(volume, backup))
        config = self.volume(volume)
        if config is None:
            return
        if config["LastBackupName"] == backup:
            config |= {"LastBackupName": "", "LastBackupAt": ""}
            self._write(volume_key(volume), config)
        needed = {entry["BlockChecksum"] for other in self.backups(volume) for entry in other.get("Blocks", [])}
        kept = 0
        for key in self._keys(f"{volume_folder(volume)}/blocks/"):
            if key.rpartition("/")[2].removesuffix(".blk") in needed:
                kept += 1
            else:
                self._objects.delete(self._prefix + key)
        self._write(volume_key(volume), {**config, "BlockCount": str(kept)})

    def delete_volume(self, volume: str) -> None:
        """Remove everything of a volume."""
        for key in self._keys(f"{volume_folder(volume)}/"):
            self._objects.delete(self._prefix + key)

    def _keys(self, prefix: str) -> list[str]:
        return [key[len(self._prefix) :] for key in self._objects.keys(self._prefix + prefix)]

    def _read(self, key: str) -> dict[str, t.Any] | None:
        body = self._objects.get(self._prefix + key)
        return None if body is None else t.cast("dict[str, t.Any]", json.loads(body))

    def _write(self, key: str, document: t.Mapping[str, t.Any]) -> None:
        self._objects.put(self._prefix + key, json.dumps(document, separators=(",", ":")).encode())


_BACKUP_FIELDS: t.Final = (
    "Name",
    "VolumeName",
    "SnapshotName",
    "SnapshotCreatedAt",
    "CreatedTime",
    "Size",
    "Labels",
    "Parameters",
    "IsIncremental",
    "CompressionMethod",
    "NewlyUploadedDataSize",
    "ReUploadedDataSize",
    "ProcessingBlocks",
    "Blocks",
    "SingleFile",
)


def _ordered(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Fields in the order the engine writes them; a missing block list is left out, as Go's omitempty does."""
    complete = {"SingleFile": {"FilePath": ""}, **document}
    return {name: complete[name] for name in _BACKUP_FIELDS if name in complete}
