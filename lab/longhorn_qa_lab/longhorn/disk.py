# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's disk as the simulated Longhorn uses it: one locked JSON file per volume, shared by all its programs.

Real engines keep their state in their own processes and files; here the manager and the job processes meet on these
files instead, so that a job finds what another one left, and nobody has to run a process per volume.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t
from pathlib import Path

_ROOT: t.Final = "var/lib/longhorn/lab"


def log_path(kind: str) -> str:
    """File, below the node's root, that an instance manager's pod copies into its log."""
    return f"{_ROOT}/logs/{kind}-manager.log"


class NoSuchVolume(LookupError):
    """No engine has run for the volume on this node."""


class Disk:
    """The lab's part of a node's root file system."""

    def __init__(self, host_path: Path) -> None:
        self._host = host_path
        self._root = host_path / _ROOT
        for folder in ("volumes", "logs", "starts"):
            (self._root / folder).mkdir(parents=True, exist_ok=True)

    @classmethod
    def from_environment(cls, environment: t.Mapping[str, str] = os.environ) -> Disk:
        return cls(Path(environment["LAB_HOSTPATH"]))

    def append_log(self, kind: str, text: str) -> None:
        """Add a line to an instance manager's log; one write, so that lines of several writers never mix."""
        with (self._host / log_path(kind)).open("ab", buffering=0) as file:
            file.write(text.encode() + b"\n")

    def write_config(self, config: t.Mapping[str, t.Any]) -> None:
        """Leave the daemon's settings for the job processes, which are given nothing but their command line."""
        self._replace(self._root / "config.json", config)

    def read_config(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads((self._root / "config.json").read_text()))

    def read(self, volume: str) -> dict[str, t.Any]:
        with self._locked(volume):
            return self._load(volume)

    @contextlib.contextmanager
    def change(self, volume: str, initial: t.Mapping[str, t.Any] | None = None) -> t.Iterator[dict[str, t.Any]]:
        """Read, let the caller alter, write back; nobody else gets in between. An error writes nothing."""
        with self._locked(volume):
            try:
                state = self._load(volume)
            except NoSuchVolume:
                if initial is None:
                    raise
                state = dict(initial)
            yield state
            self._replace(self._file(volume), state)

    def count_start(self, volume: str) -> int:
        """The number of this start of a job's process on a volume; the first is 1."""
        with self._starts(volume).open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            number = len(file.read()) + 1
            file.write(".")
        return number

    def remove(self, volume: str) -> None:
        for path in (self._file(volume), self._file(volume).with_suffix(".lock"), self._starts(volume)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _starts(self, volume: str) -> Path:
        return self._root / "starts" / volume

    def _file(self, volume: str) -> Path:
        return self._root / "volumes" / f"{volume}.json"

    def _load(self, volume: str) -> dict[str, t.Any]:
        try:
            return t.cast("dict[str, t.Any]", json.loads(self._file(volume).read_text()))
        except FileNotFoundError:
            raise NoSuchVolume(f"no data of volume {volume} on this node") from None

    @contextlib.contextmanager
    def _locked(self, volume: str) -> t.Iterator[None]:
        with self._file(volume).with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _replace(path: Path, document: t.Mapping[str, t.Any]) -> None:
        draft = path.with_suffix(f".{os.getpid()}.{id(document):x}")
        draft.write_text(json.dumps(document))
        draft.replace(path)
