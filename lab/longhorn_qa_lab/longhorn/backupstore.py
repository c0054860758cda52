# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's layout of backups in a bucket, as the 1.0 engines write it.

``backupstore/volumes/<aa>/<bb>/<volume>/``: ``volume.cfg``, ``backups/backup_<name>.cfg`` and
``blocks/<cc>/<dd>/<checksum>.blk``, where a block is 2 MiB of the volume, compressed and named by its checksum, so
that several backups share it. 1.0 takes no locks.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import typing as t
import urllib.parse

BLOCK_SIZE: t.Final = 2 * 1024 * 1024
_ROOT: t.Final = "backupstore/volumes"


class Objects(t.Protocol):
    """The part of an object store that backups need."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, body: bytes) -> None: ...
    def delete(self, key: str) -> None: ...
    def keys(self, prefix: str) -> list[str]: ...


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


class BackupStore:
    """Writes and reads backups below an optional path of a bucket."""

    def __init__(self, objects: Objects, path: str = "") -> None:
        self._objects = objects
        self._prefix = f"{path}/" if path else ""

    def create(
        self, *, volume: t.Mapping[str, t.Any], backup: t.Mapping[str, t.Any], blocks: t.Mapping[int, int], moment: str
    ) -> None:
        """Store a backup: blocks first, then the lists that refer to them."""
        name = str(volume["Name"])
        config = self.volume(name) or {
            **volume,
            "CreatedTime": moment,
            "LastBackupName": "",
            "LastBackupAt": "",
            "BlockCount": "0",
        }
        self._write(volume_key(name), config)
        stored = set(self._keys(f"{volume_folder(name)}/blocks/"))
        mappings = []
        for offset, version in sorted(blocks.items()):
            content = block(name, offset, version)
            total = checksum(content)
            key = block_key(name, total)
            if key not in stored:
                self._objects.put(self._prefix + key, gzip.compress(content, 1, mtime=0))
                stored.add(key)
            mappings.append({"Offset": offset, "BlockChecksum": total})
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
                "BlockCount": str(len(stored)),
            },
        )

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
        self._objects.delete(self._prefix + backup_key(volume, backup))
        config = self.volume(volume)
        if config is None:
            return
        if config["LastBackupName"] == backup:
            config |= {"LastBackupName": "", "LastBackupAt": ""}
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
    "IsIncremental",
    "Blocks",
    "SingleFile",
)


def _ordered(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Fields in the order the engine writes them; a missing block list is left out, as Go's omitempty does."""
    complete = {"SingleFile": {"FilePath": ""}, **document}
    return {name: complete[name] for name in _BACKUP_FIELDS if name in complete}
