# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's command line, as functions: what ``longhorn snapshot …`` and ``longhorn backup …`` do and say.

The volume's state is on the shared disk. Every command first asks the fault plan of the image whose binary runs it.
From 1.3 on the manager reaches engines through a proxy instead, and calls binaries only for what is in the store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
import typing as t

from longhorn_qa_lab.longhorn import backupstore, logs, names
from longhorn_qa_lab.longhorn.disk import Disk, NoSuchVolume
from longhorn_qa_lab.longhorn.faults import FaultPlan
from longhorn_qa_lab.longhorn.releases import Release
from longhorn_qa_lab.longhorn.s3_client import Credentials, S3Client, StoreError, Target

HEAD: t.Final = "volume-head"


class CommandError(RuntimeError):
    """An engine binary ended with exit status 1; the text is the caller's error in Go's words."""


@dataclasses.dataclass(frozen=True)
class StoreRules:
    """How a release's engines use the store."""

    layout: backupstore.Layout
    locks: backupstore.Locks

    @classmethod
    def of(cls, release: Release, poll_scale: float) -> StoreRules:
        usual = backupstore.Locks()
        locks = backupstore.Locks(wait=usual.wait * poll_scale, expiry=usual.expiry * poll_scale)
        return cls(backupstore.layout_of(release.number), locks)


_FIRST_RULES: t.Final = StoreRules(backupstore.Layout(), backupstore.Locks())


@dataclasses.dataclass(frozen=True)
class Binary:
    """An engine image's executable on the node, and its known faults."""

    image: str
    plan: FaultPlan
    clock: t.Callable[[], t.Any] = logs.now
    store_clock: t.Callable[[], t.Any] | None = None
    """What is taken for the time in the store, where that is another."""
    store: StoreRules = _FIRST_RULES

    def guard(self, command: str, arguments: str, *, prefix: str = "Failed") -> None:
        """Raise what the image says instead of doing the command, if the plan says so."""
        words = self.plan.of(self.image).words(command)
        if words is not None:
            raise self.error(arguments, logs.line("fatal", words, self.clock()) + "\n", prefix=prefix)

    def error(self, arguments: str, stderr: str, *, prefix: str = "Failed") -> CommandError:
        binary = names.engine_binary(self.image)
        return CommandError(
            f"{prefix} to execute: {binary} [{arguments}], output , stderr, {stderr}, error exit status 1"
        )


def new_state(*, volume: str, size: int, created: str) -> dict[str, t.Any]:
    """A volume's data when its first replica is made: three written blocks, so that a backup is never empty."""
    offsets = [index * backupstore.BLOCK_SIZE for index in range(3) if index * backupstore.BLOCK_SIZE < size]
    return {
        "volume": volume,
        "size": size,
        "created": created,
        "writes": 0,
        "engine": None,
        "head": {"parent": "", "created": created, "blocks": {str(offset): 0 for offset in offsets}},
        "snapshots": {},
        "backups": {},
        "purge": {"state": "", "progress": 0},
    }


@contextlib.contextmanager
def uninterrupted() -> t.Iterator[None]:
    """What an engine has begun it does, also when the process that asked for it is ended meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Engine:
    """A running engine of one volume, called through one image's binary."""

    def __init__(self, disk: Disk, binary: Binary, volume: str) -> None:
        self._disk = disk
        self._binary = binary
        self._volume = volume

    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> str:
        command = f"snapshot create {name}" + "".join(f" --label {k}={v}" for k, v in sorted(labels.items()))
        with self._running(command, "snapshot create") as state:
            moment = logs.stamp(self._binary.clock())
            idle = self._binary.plan.of(self._binary.image).idle
            take_snapshot(state, name=name, labels=labels, created=moment, written=not idle)
            for address in state["engine"]["replicas"].values():
                self._log(
                    state,
                    f"Snapshot: {address} {name} UserCreated true Created at {moment}, Labels {logs.go_map(labels)}",
                )
                self._replica_log(
                    state,
                    f"Replica server starts to snapshot [{name}] volume, user created true, "
                    f"created time {moment}, labels {logs.go_map(labels)}",
                )
            return name

    def snapshots(self) -> dict[str, dict[str, t.Any]]:
        with self._running("snapshot info", "snapshot info") as state:
            return snapshot_infos(state)

    def delete_snapshot(self, name: str) -> None:
        try:
            with self._running(f"snapshot rm {name}", "snapshot rm") as state:
                snapshot = state["snapshots"].get(name)
                if snapshot is None:
                    raise self._failed(state, f"snapshot rm {name}", f"failed to remove snapshot {name}")
                snapshot["removed"] = True
                self._replica_log(state, f"Marking disk {name} as removed")
        except CommandError as error:
            raise CommandError(f"error deleting snapshot '{name}': {error}") from error

    def purge(self) -> None:
        """Merge removed snapshots into their children; the parent of the head waits."""
        with self._running("snapshot purge", "snapshot purge") as state:
            for name in purge(state):
                self._replica_log(state, f"Prepare removing disk: {name}")
            state["purge"] = {"state": "complete", "progress": 100}

    def is_purging(self) -> bool:
        with self._running("snapshot purge-status", "snapshot purge-status") as state:
            return bool(state["purge"]["state"] == "in_progress")

    @uninterrupted()
    def start_backup(
        self,
        *,
        snapshot: str,
        target: str,
        labels: t.Mapping[str, str],
        credentials: Credentials,
        egress: t.Any,
        backup: str = "",
    ) -> str:
        """Begin a backup; a thread of this process uploads it, as a replica would. Later managers choose its name."""
        with self._running(f"backup create {snapshot}", "backup create") as state:
            if snapshot not in state["snapshots"]:
                raise self._failed(state, f"backup create {snapshot}", f"cannot find snapshot {snapshot}")
            backup = backup or names.backup()
            place = Target.parse(target)
            url = backupstore.backup_url(place.url, self._volume, backup)
            address = next(iter(state["engine"]["replicas"].values()))
            state["backups"][backup] = {
                "snapshotName": snapshot,
                "backupURL": url,
                "state": "in_progress",
                "progress": 0,
                "error": "",
                "replicaAddress": f"tcp://{address}",
            }
            blocks = merged_blocks(state, snapshot)
            created = state["snapshots"][snapshot]["created"]
        work = Upload(
            disk=self._disk,
            volume=self._volume,
            size=state["size"],
            backup=backup,
            snapshot=snapshot,
            snapshot_created=created,
            labels=dict(labels),
            blocks=blocks,
            clock=self._binary.store_clock or self._binary.clock,
            seconds=self._binary.plan.of(self._binary.image).upload_seconds,
        )
        store = open_store(place, credentials, egress, self._binary.store)
        threading.Thread(target=work.run, args=(store,), name=backup).start()
        return backup

    def backup_status(self, backup: str) -> dict[str, t.Any]:
        with self._running(f"backup status {backup}", "backup status") as state:
            return t.cast("dict[str, t.Any]", state["backups"][backup])

    @contextlib.contextmanager
    def _running(self, arguments: str, command: str) -> t.Iterator[dict[str, t.Any]]:
        """The volume's state while its engine runs and the binary is willing; written back unless something failed."""
        try:
            with uninterrupted(), self._disk.change(self._volume) as state:
                if not state["engine"]:
                    raise self._unreachable(arguments, "connection refused: the engine is not running")
                self._guard(state, arguments, command)
                yield state
        except NoSuchVolume as error:
            raise self._unreachable(arguments, str(error)) from error

    def _guard(self, state: t.Mapping[str, t.Any], arguments: str, command: str) -> None:
        self._binary.guard(command, f"--url {state['engine']['address']} {arguments}")

    def _unreachable(self, arguments: str, words: str) -> CommandError:
        return self._binary.error(arguments, f"{words}\n")

    def _failed(self, state: t.Mapping[str, t.Any], arguments: str, words: str) -> CommandError:
        text = logs.line("fatal", words, self._binary.clock()) + "\n"
        return self._binary.error(f"--url {state['engine']['address']} {arguments}", text)

    def _log(self, state: t.Mapping[str, t.Any], message: str) -> None:
        text = logs.line("info", message, self._binary.clock())
        self._disk.append_log("engine", f"[{state['engine']['name']}] {text}")

    def _replica_log(self, state: t.Mapping[str, t.Any], message: str) -> None:
        text = logs.line("info", message, self._binary.clock())
        for replica in state["engine"]["replicas"]:
            self._disk.append_log("replica", f"[{replica}] {text}")


@dataclasses.dataclass(frozen=True)
class Upload:
    """One backup on its way into the store."""

    disk: Disk
    volume: str
    size: int
    backup: str
    snapshot: str
    snapshot_created: str
    labels: t.Mapping[str, str]
    blocks: t.Mapping[int, int]
    clock: t.Callable[[], t.Any]
    seconds: float = 0.0

    def run(self, store: backupstore.BackupStore) -> None:
        """Upload, then tell the engine how it went; an error becomes the backup's state, as in a real replica."""
        time.sleep(self.seconds)
        try:
            store.create(
                volume={"Name": self.volume, "Size": str(self.size)},
                backup={
                    "Name": self.backup,
                    "SnapshotName": self.snapshot,
                    "SnapshotCreatedAt": self.snapshot_created,
                    "Labels": dict(self.labels),
                    "IsIncremental": True,
                },
                blocks=self.blocks,
                moment=logs.stamp(self.clock()),
            )
            outcome: dict[str, t.Any] = {"state": "complete", "progress": 100}
        except (StoreError, backupstore.LockRefused, OSError, ValueError) as error:
            outcome = {"state": "error", "error": str(error)}
        with self.disk.change(self.volume) as state:
            if self.backup in state["backups"]:
                state["backups"][self.backup] |= outcome


class Proxied(Engine):
    """The same engine, reached through the proxy of its instance manager: its image's commands are not called."""

    def __init__(self, disk: Disk, binary: Binary, volume: str, *, proxy: str) -> None:
        super().__init__(disk, binary, volume)
        self._proxy = proxy

    def delete_snapshot(self, name: str) -> None:
        with self._running(f"remove snapshot {name}", "snapshot rm") as state:
            snapshot = state["snapshots"].get(name)
            words = self._binary.plan.of(self._binary.image).words("DiskMarkAsRemoved")
            if snapshot is None or words is not None:
                raise self._failed(state, f"remove snapshot {name}", words or f"snapshot {name} is not there")
            snapshot["removed"] = True
            self._replica_log(state, f"Marking disk {name} as removed")

    def _guard(self, state: t.Mapping[str, t.Any], arguments: str, command: str) -> None:
        """Whatever a stub does on its command line, nobody calls it."""

    def _unreachable(self, arguments: str, words: str) -> CommandError:
        return CommandError(f"proxyServer={self._proxy}: failed to {arguments}: {words}")

    def _failed(self, state: t.Mapping[str, t.Any], arguments: str, words: str) -> CommandError:
        where = f"proxyServer={self._proxy} destination={state['engine']['address']}"
        return CommandError(f"{where}: failed to {arguments}: rpc error: code = Unknown desc = {words}")


def open_store(
    target: Target, credentials: Credentials, egress: t.Any, rules: StoreRules | None = None
) -> backupstore.BackupStore:
    rules = rules or _FIRST_RULES
    objects = S3Client(target, credentials, egress=egress)
    return backupstore.BackupStore(objects, target.path, layout=rules.layout, locks=rules.locks)


def remove_backup(binary: Binary, url: str, *, credentials: Credentials, egress: t.Any) -> None:
    """``backup rm``: needs no running engine, only a binary and the store."""
    arguments = f"backup rm {url}"
    try:
        binary.guard("backup rm", arguments, prefix="failed")
        target, volume, backup = backupstore.parse_backup_url(url)
        try:
            open_store(Target.parse(target), credentials, egress, binary.store).delete(volume, backup)
        except (StoreError, backupstore.LockRefused, LookupError) as error:
            text = logs.line("error", str(error), binary.clock()) + "\n"
            raise binary.error(arguments, text, prefix="failed") from error
    except CommandError as error:
        raise CommandError(f"error deleting backup {url}: {error}") from error


def take_snapshot(
    state: dict[str, t.Any], *, name: str, labels: t.Mapping[str, str], created: str, written: bool = True
) -> None:
    """Turn the head into a snapshot and begin a new head, into which the volume's user, if any, writes at once."""
    head = state["head"]
    state["snapshots"][name] = {
        "parent": head["parent"],
        "created": created,
        "labels": dict(labels),
        "removed": False,
        "usercreated": True,
        "blocks": head["blocks"],
    }
    state["writes"] += 1
    places = max(1, min(4, state["size"] // backupstore.BLOCK_SIZE))
    offset = (state["writes"] % places) * backupstore.BLOCK_SIZE
    blocks = {str(offset): state["writes"]} if written else {}
    state["head"] = {"parent": name, "created": created, "blocks": blocks}


def purge(state: dict[str, t.Any]) -> list[str]:
    """Merge every removed snapshot that is not the head's parent into its child; the names merged."""
    merged = []
    for name in [name for name, snapshot in state["snapshots"].items() if snapshot["removed"]]:
        child = next((other for other in state["snapshots"].values() if other["parent"] == name), None)
        if child is None:
            continue
        gone = state["snapshots"].pop(name)
        child["blocks"] = {**gone["blocks"], **child["blocks"]}
        child["parent"] = gone["parent"]
        merged.append(name)
    return merged


def merged_blocks(state: t.Mapping[str, t.Any], snapshot: str) -> dict[int, int]:
    """What the volume held when the snapshot was taken: offset -> version of the block."""
    found: dict[int, int] = {}
    name = snapshot
    while name:
        layer = state["snapshots"][name]
        for offset, version in layer["blocks"].items():
            found.setdefault(int(offset), version)
        name = layer["parent"]
    return found


def snapshot_infos(state: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Snapshots and the head as the engine reports them, each with its children; the oldest first."""
    layers: dict[str, dict[str, t.Any]] = {
        **state["snapshots"],
        HEAD: {**state["head"], "labels": {}, "removed": False, "usercreated": False},
    }
    return {
        name: {
            "name": name,
            "parent": layer["parent"],
            "children": {child: True for child in sorted(layers) if layers[child]["parent"] == name},
            "removed": layer["removed"],
            "usercreated": layer["usercreated"],
            "created": layer["created"],
            "size": str(len(layer["blocks"]) * backupstore.BLOCK_SIZE),
            "labels": dict(layer["labels"]),
        }
        for name, layer in layers.items()
    }
