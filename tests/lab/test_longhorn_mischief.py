# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager's process does to a cluster for a volume's bugs, and when."""

from __future__ import annotations

import datetime as dt
import types
import typing as t

import pytest

from longhorn_qa_lab.longhorn import bugs, mischief, world
from longhorn_qa_lab.longhorn.mischief import Mischief

CRON_JOB = "vol-job-c"
TICK = dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.timezone.utc)
NUMBER = int(TICK.timestamp()) // 60
TEMPLATE = {"backoffLimit": 3}


class Admin:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, t.Any]]] = []

    def merge(self, path: str, document: dict[str, t.Any]) -> None:
        self.asked.append((path, document))

    create = merge

    def get(self, path: str) -> dict[str, t.Any]:
        metadata = {"name": path.rpartition("/")[2], "uid": "1"}
        return {
            "apiVersion": "batch/v1beta1",
            "metadata": metadata,
            "spec": {"jobTemplate": {"spec": TEMPLATE}},
        }


class Scene:
    """A volume with one recurring job, and the pods of its Jobs."""

    def __init__(self, bug: str, monkeypatch: pytest.MonkeyPatch, *, cron: str = "* * * * *") -> None:
        self.pods: list[dict[str, t.Any]] = []
        self.admin = Admin()
        self.snapshots = 0
        self.seconds = 0.0
        self.now = TICK
        cluster = types.SimpleNamespace(all=lambda kind: self.pods if kind is world.PODS else [], touch=lambda: None)
        context = types.SimpleNamespace(bugs=bugs.BugPlan({"vol": [bug]}), cluster=cluster)
        refusals = types.SimpleNamespace(refuse=lambda *_arguments: None)
        self.mischief = Mischief(t.cast("t.Any", context), t.cast("t.Any", self.admin), t.cast("t.Any", refusals))
        monkeypatch.setattr(mischief.time, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(mischief.logs, "now", lambda: self.now)
        monkeypatch.setattr(Mischief, "_snapshot", lambda *_arguments: self._made())
        self.volume = {"metadata": {"name": "vol"}, "spec": {"recurringJobs": [{"name": "job", "cron": cron}]}}

    def _made(self) -> None:
        self.snapshots += 1

    def pod(self, job: str, phase: str = "Succeeded") -> None:
        self.pods.append({"metadata": {"labels": {"job-name": job}}, "status": {"phase": phase}})

    def step(self, *, seconds: float = 0.0) -> None:
        self.seconds += seconds
        self.mischief.step(self.volume)


def test_a_tick_is_missed_by_a_time_that_has_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("tick-missed", monkeypatch)
    for second in (10, 51, 52, 53):
        scene.now = TICK.replace(second=second)
        scene.step()
    path, document = scene.admin.asked[0]
    assert len(scene.admin.asked) == 1, "once, shortly before the minute begins"
    assert path.endswith(f"/cronjobs/{CRON_JOB}/status")
    assert document == {"status": {"lastScheduleTime": "2026-11-23T09:31:00Z"}}


def test_no_tick_is_missed_of_another_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("tick-missed", monkeypatch, cron="*/3 * * * *")
    scene.now = TICK.replace(second=55)
    scene.step()
    assert scene.admin.asked == []


def test_a_tick_runs_twice_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("tick-twice", monkeypatch)
    scene.pod(f"{CRON_JOB}-before")
    scene.pod(f"{CRON_JOB}-{NUMBER}", "Running")
    scene.step()
    scene.step(seconds=5)
    assert scene.admin.asked == [], "a Job by hand has no tick, and the other one runs"
    scene.pods[-1]["status"]["phase"] = "Succeeded"
    scene.pod(f"{CRON_JOB}-{NUMBER + 1}")
    scene.step()
    assert scene.admin.asked == [], "not before the Job controller has seen the end"
    scene.step(seconds=2)
    scene.step(seconds=2)
    ((path, job),) = scene.admin.asked
    assert path.endswith("/jobs")
    assert job["metadata"]["name"] == f"{CRON_JOB}-{NUMBER * 60}"
    assert job["metadata"]["ownerReferences"][0]["uid"] == "1"
    assert job["spec"] == TEMPLATE


def test_a_late_duplicate_comes_after_the_second_job(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("duplicate-late", monkeypatch)
    made = []
    for number in range(3):
        scene.pod(f"{CRON_JOB}-qa-{number}")
        scene.step()
        scene.step(seconds=2)
        made.append(scene.snapshots)
    assert made == [0, 1, 1]


def test_pods_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("duplicate-late", monkeypatch)
    for number in range(3):
        scene.pod(f"other-{CRON_JOB}-qa-{number}")
        scene.step()
        scene.step(seconds=2)
    assert scene.snapshots == 0
