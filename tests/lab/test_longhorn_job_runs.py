# SPDX-License-Identifier: GPL-3.0-or-later
"""A recurring job of each release against an engine on a disk of its own: what it makes, keeps, deletes and says.

Time, store and API server are stand-ins; everything between them is the lab's own.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import typing as t
from pathlib import Path

import pytest
from simulated_manager import Bucket

from longhorn_qa_lab.longhorn import engine, faults, jobs, logs
from longhorn_qa_lab.longhorn.backupstore import BackupStore
from longhorn_qa_lab.longhorn.disk import Disk, log_path
from longhorn_qa_lab.longhorn.engine_volume import EngineVolume
from longhorn_qa_lab.longhorn.jobs import Job, Runner
from longhorn_qa_lab.longhorn.releases import RELEASES, Release

GOOD = "longhornio/longhorn-engine:v1.0.0"
NO_CLEANUP = "quay.io/ttpcodes/longhorn-engine:no-cleanup"
NO_CLEANUP_BACKUP = "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup"
TARGET = "s3://bucket@us-east-1/"
VOLUME = "test"
FIX, BUG = RELEASES["2020-06"], RELEASES["v1.0.0"]
WARNING = re.compile(r'level=warning msg="created (snapshot|backup) successfully but errored on cleanup for test: ')


class Api:
    """An API server that knows one attached volume."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.last_backup = ""

    def get(self, path: str) -> dict[str, t.Any]:
        assert path.endswith(f"/volumes/{VOLUME}"), path
        return {"status": {"lastBackup": self.last_backup}}

    def list(self, path: str) -> dict[str, t.Any]:
        assert f"longhornvolume%3D{VOLUME}" in path
        return {"items": [{"metadata": {"name": "test-e-1"}, "status": {"ip": "10.0.0.1", "currentImage": self.image}}]}

    def merge(self, path: str, document: dict[str, t.Any]) -> None:
        self.last_backup = document["status"]["lastBackup"]


class Bench:
    """A volume with a running engine, and jobs run on it one after the other."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, image: str, plan: str = "") -> None:
        self.bucket = Bucket()
        self.disk = Disk(folder)
        self.folder = folder
        self.api = Api(image)
        self._plan = faults.parse(plan)
        self._image = image
        self._seconds = 0
        state = engine.new_state(volume=VOLUME, size=32 << 20, created="2026-11-23T03:00:00Z")
        state["engine"] = {"name": "test-e-1", "address": "10.0.0.1:10000", "replicas": {"test-r-1": "10.0.0.2:10000"}}
        with self.disk.change(VOLUME, state):
            pass
        monkeypatch.setattr(engine, "open_store", lambda *_: BackupStore(self.bucket))
        monkeypatch.setattr(logs, "now", self._tick)
        monkeypatch.setattr(engine.threading, "Thread", _AtOnce)

    def _tick(self) -> dt.datetime:
        """Every look at the clock is a second later, so that nothing is made at the same time."""
        self._seconds += 1
        return dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.timezone.utc) + dt.timedelta(seconds=self._seconds)

    def run(self, release: Release, *, backup: bool = False, retain: int = 1) -> tuple[int, str]:
        """One attempt: exit code and log."""
        text = io.StringIO()
        log = logs.Log(text, self._tick)
        job = Job(volume=VOLUME, name="c-1", labels={"RecurringJob": "c-1"}, retain=retain, backup=backup, poll=5)

        def work() -> None:
            volume = EngineVolume(
                volume=VOLUME,
                kube=self.api,  # type: ignore[arg-type]
                disk=self.disk,
                plan=self._plan,
                log=log,
                target=TARGET if backup else "",
                environment={},
            )
            volume._binary.__dict__["clock"] = self._tick
            Runner(job, volume, release=release, log=log, sleep=lambda _: None).run()

        return jobs.execute(work, log), text.getvalue()

    def snapshots(self) -> list[str]:
        """The snapshots that are there and not marked as removed."""
        infos = engine.snapshot_infos(self.disk.read(VOLUME))
        return [name for name, info in infos.items() if info["usercreated"] and not info["removed"]]

    def backups(self) -> list[str]:
        """The backups in the store."""
        return [str(config["Name"]) for config in BackupStore(self.bucket).backups(VOLUME)]


class _AtOnce:
    """A thread that does its work when it is started."""

    def __init__(self, target: t.Callable[..., None], args: tuple[t.Any, ...], name: str) -> None:
        self._work = lambda: target(*args)

    def start(self) -> None:
        self._work()


MakeBench = t.Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeBench:
    return lambda image=GOOD, plan="": Bench(tmp_path, monkeypatch, image, plan)


@pytest.mark.parametrize("release", [FIX, BUG], ids=lambda release: release.name)
@pytest.mark.parametrize("retain", [1, 2])
def test_good_engine_keeps_what_is_to_be_kept(bench: MakeBench, release: Release, retain: int) -> None:
    made = bench()
    logs_ = [made.run(release, retain=retain) for _ in range(4)]
    assert [code for code, _ in logs_] == [0] * 4
    assert len(made.snapshots()) == retain
    assert "Cleaned up snapshot" in logs_[-1][1]
    assert not any(WARNING.search(text) for _, text in logs_)


def test_first_run_within_retain_logs_nothing(bench: MakeBench) -> None:
    assert bench().run(FIX) == (0, "")


def test_fixed_release_warns_and_makes_exactly_one_more_each_time(bench: MakeBench) -> None:
    made = bench(NO_CLEANUP)
    runs = [made.run(FIX) for _ in range(3)]
    assert [code for code, _ in runs] == [0, 0, 0]
    assert len(made.snapshots()) == 3
    assert [len(WARNING.findall(text)) for _, text in runs] == [0, 1, 1]
    assert "stubbed snapshot deletion for testing" in runs[-1][1]


def test_release_with_the_bug_ends_with_an_error_and_makes_one_more_per_attempt(bench: MakeBench) -> None:
    made = bench(NO_CLEANUP)
    runs = [made.run(BUG) for _ in range(4)]
    assert [code for code, _ in runs] == [0, 1, 1, 1]
    assert len(made.snapshots()) == 4
    assert 'level=fatal msg="Error taking snapshot: ' in runs[-1][1]
    assert not WARNING.search(runs[-1][1])


BACKUP_CELLS = [
    pytest.param(GOOD, 1, 1, 0, id="good engine"),
    pytest.param(NO_CLEANUP_BACKUP, 1, 3, 2, id="backup deletion fails"),
    pytest.param(NO_CLEANUP, 3, 3, 4, id="both deletions fail"),
]


@pytest.mark.parametrize(("image", "snapshots", "backups", "warnings"), BACKUP_CELLS)
def test_backups_of_the_fixed_release(
    bench: MakeBench, image: str, snapshots: int, backups: int, warnings: int
) -> None:
    made = bench(image)
    runs = [made.run(FIX, backup=True) for _ in range(3)]
    assert [code for code, _ in runs] == [0, 0, 0]
    assert (len(made.snapshots()), len(made.backups())) == (snapshots, backups)
    assert sum(len(WARNING.findall(text)) for _, text in runs) == warnings
    assert all("Complete creating backup s3://bucket@us-east-1/?backup=backup-" in text for _, text in runs)


def test_snapshot_failure_of_the_release_with_the_bug_prevents_the_backup(bench: MakeBench) -> None:
    made = bench(NO_CLEANUP)
    codes = [made.run(BUG, backup=True)[0] for _ in range(3)]
    assert codes[1:] == [1, 1]
    assert len(made.backups()) == 1
    assert len(made.snapshots()) == 3


def test_backup_failure_of_the_release_with_the_bug_makes_one_more_backup_per_attempt(bench: MakeBench) -> None:
    made = bench(NO_CLEANUP_BACKUP)
    runs = [made.run(BUG, backup=True) for _ in range(3)]
    assert [code for code, _ in runs] == [0, 1, 1]
    assert len(made.backups()) == 3
    assert "failed to complete backupAndCleanup for test: " in runs[-1][1]


@pytest.mark.parametrize("release", [FIX, BUG], ids=lambda release: release.name)
def test_failing_creation_is_fatal_in_every_release_and_makes_nothing(bench: MakeBench, release: Release) -> None:
    made = bench(NO_CLEANUP, json.dumps({"images": {NO_CLEANUP: {"fails": ["snapshot-create"]}}}))
    code, text = made.run(release)
    assert code == 1
    assert "stubbed snapshot creation for testing" in text
    assert made.snapshots() == []


def test_each_creation_leaves_one_line_of_the_engine_manager(bench: MakeBench) -> None:
    made = bench(NO_CLEANUP)
    for _ in range(3):
        made.run(FIX)
    lines = (made.folder / log_path("engine")).read_text().splitlines()
    shape = re.compile(
        r'\[test-e-1\] time="[^"]+" level=info msg="Snapshot: 10\.0\.0\.2:10000 (c-1-[0-9a-f]{8}) UserCreated true '
        r'Created at [0-9T:Z-]+, Labels map\[RecurringJob:c-1\]"'
    )
    found = [match[1] for line in lines if (match := shape.fullmatch(line))]
    assert sorted(found) == sorted(made.snapshots())
    assert len(lines) == 3


def test_other_jobs_snapshots_are_not_touched(bench: MakeBench) -> None:
    made = bench()
    with made.disk.change(VOLUME) as state:
        engine.take_snapshot(state, name="by-hand", labels={}, created="2026-11-23T02:00:00Z")
        engine.take_snapshot(state, name="other", labels={"RecurringJob": "c-2"}, created="2026-11-23T02:00:01Z")
    for _ in range(3):
        made.run(FIX)
    assert {"by-hand", "other"} <= set(made.snapshots())
    assert len(made.snapshots()) == 3


def test_a_stopped_engine_is_an_error(bench: MakeBench) -> None:
    made = bench()
    with made.disk.change(VOLUME) as state:
        state["engine"] = None
    code, text = made.run(FIX)
    assert (code, "the engine is not running" in text) == (1, True)


def test_retain_takes_the_oldest_first() -> None:
    items = [jobs.Backup(name=str(n), url="", created=f"2026-11-23T03:0{n}:00Z", labels={}) for n in (3, 1, 2)]
    assert [item.name for item in jobs.beyond(items, 1)] == ["1", "2"]
    assert [item.name for item in jobs.beyond(items, 0)] == ["1", "2"], "retain 0 counts as 1"
    assert jobs.beyond(items, 3) == []
