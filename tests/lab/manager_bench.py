# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's API and controllers of a release, on a cluster and a store in memory: for several test files."""

from __future__ import annotations

import base64
import copy
import io
import json
import types
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.kube import ApiError, Object
from longhorn_qa_lab.longhorn import backupstore, engine, faults, fields, logs, names, parts, world
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


class Cluster:
    """Keeps objects as an API server does, as far as controllers mind: deletion waits for finalizers."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind, str], Object] = {}
        self.events: list[Object] = []
        #: Objects with one of these labels are not deleted.
        self.refuses: set[tuple[str, str]] = set()
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
        metadata["creationTimestamp"] = f"2026-11-23T03:{self._versions // 10:02d}:00Z"
        self.objects[kind, name] = {"apiVersion": "longhorn.io/v1", **document, "metadata": metadata}
        return copy.deepcopy(self.objects[kind, name])

    def replace_status(self, kind: Kind, document: Object, status: Object) -> Object:
        kept = self.objects[kind, document["metadata"]["name"]]
        kept["status"] = copy.deepcopy(status)
        return copy.deepcopy(kept)

    def update(self, kind: Kind, name: str, change: t.Callable[[Object], None]) -> Object:
        change(self.objects[kind, name])
        return copy.deepcopy(self.objects[kind, name])

    def delete(self, kind: Kind, name: str) -> None:
        item = self.objects.get((kind, name))
        if item is None:
            return
        if not self.refuses.isdisjoint((item["metadata"].get("labels") or {}).items()):
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
    """A release's API and controllers, with attached volumes."""

    def __init__(
        self, folder: Path, release: str, monkeypatch: pytest.MonkeyPatch, volumes: t.Sequence[str] = (VOLUME,)
    ) -> None:
        self.volumes = volumes
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
        monkeypatch.setattr(engine, "threading", types.SimpleNamespace(Thread=AtOnce))
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
        for volume in self.volumes:
            self._add(volume)

    def _add(self, volume: str) -> None:
        """An attached volume with its engine."""
        create = self.cluster.create
        labels = {names.VOLUME_LABEL: volume, names.job_label("nightly"): "enabled"}
        create(
            world.VOLUMES,
            {"kind": "Volume", "metadata": {"name": volume, "labels": labels}, "spec": fields.new("Volume", self.row),
             "status": {"state": "attached", "lastBackup": ""}},
        )  # fmt: skip
        status = {"currentState": "running", "currentImage": self.row.engine_image, "ip": "10.0.0.2", "snapshots": {}}
        create(
            world.ENGINES,
            {"kind": "Engine", "metadata": {"name": f"{volume}-e-0", "labels": labels},
             "spec": fields.new("Engine", self.row, volumeSize="33554432"), "status": status},
        )  # fmt: skip
        state = engine.new_state(volume=volume, size=32 << 20, created="2026-11-23T03:00:00Z")
        state["engine"] = {
            "name": f"{volume}-e-0",
            "address": "10.0.0.2:10000",
            "replicas": {f"{volume}-r-0": "10.0.0.3:10000"},
        }
        with self.context.disk.change(volume, state):
            pass

    # --- what happens ---

    def step(self, times: int = 3) -> None:
        """Passes of the control loop, each with the engine's report before it."""
        for _ in range(times):
            for volume in self.volumes:
                reported = self.cluster.objects[world.ENGINES, f"{volume}-e-0"]["status"]
                if reported["snapshots"] is not None:
                    reported["snapshots"] = engine.snapshot_infos(self.context.disk.read(volume))
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

    def on_disk(self, volume: str = VOLUME) -> list[str]:
        return list(self.context.disk.read(volume)["snapshots"])

    def stored(self, volume: str = VOLUME) -> list[str]:
        return [str(config["Name"]) for config in self._store().backups(volume)]

    def lines(self, words: str) -> list[str]:
        return [line for line in self.text.getvalue().splitlines() if words in line]

    def told(self, kind: str) -> list[tuple[str, str, str]]:
        return [
            (event["type"], event["reason"], event["message"])
            for event in self.cluster.events
            if event["involvedObject"]["kind"] == kind
        ]
