# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories in the making, and a cluster of Python, for the assertion modules."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, history_dir, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing, ServerTime
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

CELL = model.Cell(volume="v", task="snapshot", job="c-1", cronjob="v-c", cron="* * * * *", faults=())
SUBJECTS = model.Subjects(release="2020-06", namespace="n", cells=(CELL,))
WARNING = b'level=warning msg="created snapshot successfully but errored on cleanup for v: x"\n'


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


def job(name: str, *, version: int, over: bool = True, by_hand: bool = False) -> dict[str, t.Any]:
    owner = {"kind": "CronJob", "name": "v-c", "uid": "cj", "controller": True}
    conditions = [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}]
    metadata = {
        "name": name, "uid": f"u-{name}", "ownerReferences": [owner], "resourceVersion": str(version),
        "labels": {"longhorn.qa/triggered": "true"} if by_hand else {},
    }  # fmt: skip
    return {"kind": "Job", "metadata": metadata, "status": {"conditions": conditions if over else []}}


def pod(of: str, *, restarts: int = 0, version: int = 50) -> dict[str, t.Any]:
    owner = {"kind": "Job", "name": of, "uid": f"u-{of}", "controller": True}
    ended = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-02T03:04:05Z"}}
    status = {"name": "c", "restartCount": restarts, "state": ended, "lastState": ended if restarts else {}}
    metadata = {
        "name": f"{of}-abcde", "uid": f"p-{of}", "namespace": "n", "ownerReferences": [owner],
        "resourceVersion": str(version), "labels": {"job-name": of},
    }  # fmt: skip
    return {
        "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Succeeded", "containerStatuses": [status]},
    }  # fmt: skip


def event(number: int, message: str, *, uid: str = "cj", count: int = 1, newer: bool = False) -> dict[str, t.Any]:
    reason = "SuccessfulCreate" if message.startswith("Created") else "SawCompletedJob"
    metadata = {"name": f"e{number}", "uid": f"e{number}", "resourceVersion": str(number)}
    common = {"kind": "Event", "metadata": metadata, "reason": reason}
    about = {"kind": "CronJob", "name": "v-c", "uid": uid}
    if newer:
        return {**common, "regarding": about, "note": message, "series": {"count": count}}
    return {**common, "involvedObject": about, "message": message, "count": count}


class Scene:
    """A history in the making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = history_dir.open_for_writing(folder, SUBJECTS, kinds=("jobs",), clock=FixedClock())
        for kind in ("cronjobs", "jobs", "pods", "events"):
            if kind == "cronjobs":
                self.writer.object(kind, "ADDED", {"metadata": {"name": "v-c", "uid": "cj"}}, via="list")
            self.writer.listed(kind, "5")

    def invocation(
        self, name: str, *logs: bytes, complete: bool = True, told: bool = True, by_hand: bool = False
    ) -> None:
        version = 100 * (1 + self.writer.count)
        self.writer.object("jobs", "ADDED", job(name, version=version, over=False, by_hand=by_hand))
        if logs:
            self.writer.object("pods", "ADDED", pod(name, restarts=len(logs) - 1, version=version + 1))
        for attempt, content in enumerate(logs):
            opened = self.writer.log_opened(f"p-{name}", f"{name}-abcde", "c", attempt)
            file = self.writer.log_file(opened)
            file.append(content)
            file.close()
            self.writer.log_closed(
                opened, size=file.size, complete=complete, reason="" if complete else "the pod was removed"
            )
        self.writer.object("jobs", "MODIFIED", job(name, version=version + 5, by_hand=by_hand))
        if told:
            self.writer.object("events", "ADDED", event(version + 6, f"Saw completed job: {name}, status: Complete"))

    def done(self) -> str:
        self.writer.end("invocations")
        self.writer.close()
        return str(self.folder)


class Cluster:
    """Objects by kind, and logs."""

    def __init__(self, **objects: list[dict[str, t.Any]]) -> None:
        self.objects = objects
        self.asked: list[dict[str, t.Any]] = []
        self.content: dict[bool, t.Any] = {False: [WARNING], True: [b"level=info msg=before\n"]}
        self.manager: dict[str, t.Any] = {"data": []}
        self.problem: Exception | None = None  # of the manager
        self.age = timedelta(minutes=10)  # of the CronJob

    def require_namespace(self, name: str) -> bool:
        if name != "n":
            raise errors.NotFound("the namespace does not exist", subject=f"namespace {name}")
        return True

    def first_served(self, *candidates: kinds.Kind) -> kinds.Kind:
        return candidates[-1]

    def server_time(self) -> ServerTime:
        return ServerTime(FixedClock().now(), 0.0)

    def list(self, kind: kinds.Kind, *, namespace: str, labels: str = "", fields: str = "") -> Listing:
        return Listing(tuple(self.objects.get(kind.plural, ())), "1")

    def find(self, kind: kinds.Kind, name: str, *, namespace: str) -> dict[str, t.Any] | None:
        found = self.objects.get(kind.plural, [])
        if kind.plural == "cronjobs":
            created = (FixedClock().now() - self.age).strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"metadata": {"name": name, "uid": "cj", "creationTimestamp": created}} if name == "v-c" else None
        return next((one for one in found if one["metadata"]["name"] == name), None)

    def logs(self, pod: str, **options: t.Any) -> t.Any:
        self.asked.append({"pod": pod, **options})
        content = self.content[options["previous"]]
        if isinstance(content, Exception):
            raise content

        class Stream:
            def chunks(self) -> Iterator[bytes]:
                return iter(content)

            def close(self) -> None:
                pass

        return Stream()

    def service_proxy(self, *_args: t.Any) -> t.Any:
        cluster = self

        class Proxy:
            prefix = ""

            def post(self, *_args: t.Any) -> t.Any:
                if cluster.problem is not None:
                    raise cluster.problem
                return cluster.manager

        return Proxy()


def live(*pods: dict[str, t.Any], jobs: tuple[str, ...] = ("v-c-1",)) -> t.Any:
    return Cluster(jobs=[job(name, version=9) for name in jobs], pods=list(pods))


def engine(*snapshots: str) -> dict[str, t.Any]:
    entries = {name: {"name": name, "labels": {"RecurringJob": "c-1"}} for name in snapshots}
    return {
        "metadata": {"name": "v-e-1", "uid": "en", "resourceVersion": "9"}, "spec": {"volumeName": "v"},
        "status": {"snapshots": {**entries, "volume-head": {}, "by-hand": {"labels": {}}}},
    }  # fmt: skip


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A history that a test fills."""
    return Scene(tmp_path / "h")


@pytest.fixture
def make() -> SimpleNamespace:
    """Objects, and the cluster that has them."""
    return SimpleNamespace(job=job, pod=pod, event=event, engine=engine, live=live, cluster=Cluster)
