# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod's worker against an API server that only takes notes: what is reported, and in which order."""

from __future__ import annotations

import asyncio
import random
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.node.api import Api, ApiError
from longhorn_qa_lab.node.events import Happening, Recorder
from longhorn_qa_lab.node.images import Idle, Image
from longhorn_qa_lab.node.known import LAB_IMAGE
from longhorn_qa_lab.node.node import Addresses, Node, Settings
from longhorn_qa_lab.node.services import Directory
from longhorn_qa_lab.node.worker import PodWorker

Body = dict[str, t.Any]
IMAGES = (Image(repository="idle", executables={"*": Idle(prints="installed\n")}), LAB_IMAGE)
RAN = {
    "phase": "Running",
    "startTime": "2026-11-23T03:00:00Z",
    "containerStatuses": [
        {"name": "main", "restartCount": 0, "state": {"running": {"startedAt": "2026-11-23T03:00:00Z"}}}
    ],
}


class Notes:
    """Takes everything down; calls named in refusing fail that often with that status."""

    def __init__(self, **refusing: list[int]) -> None:
        self.statuses: list[Body] = []
        self.events: list[str] = []
        self.calls: list[str] = []
        self._refusing = refusing

    def _note(self, verb: str, path: str) -> None:
        self.calls.append(f"{verb} {path}")
        if self._refusing.get(verb):
            raise ApiError(code=self._refusing[verb].pop(0), reason="", message="refused by the test")

    async def create(self, path: str, _document: Body) -> Body:
        self._note("create", path)
        return {"status": {"token": "t"}}

    async def get(self, path: str) -> Body:
        self._note("get", path)
        return {}

    async def patch(self, path: str, document: Body) -> Body:
        self._note("patch", path)
        self.statuses.append(document["status"])
        return {}

    async def delete(self, path: str, _options: Body) -> Body:
        self._note("delete", path)
        return {}

    class access:  # noqa: N801
        server, authority = "https://127.0.0.1:1", b""

    def phases(self) -> list[str]:
        return [status["phase"] for status in self.statuses]


class Told(Recorder):
    """Writes no Event, but takes its reason down."""

    def emit(self, happening: Happening) -> None:
        t.cast(Notes, self._api).events.append(happening.reason)


def pod(*, policy: str = "Always", status: Body | None = None, deleted: bool = False) -> Body:
    meta: Body = {"name": "p", "namespace": "ns", "uid": "u", "annotations": {"longhorn.qa/lab-time-scale": "0"}}
    if deleted:
        meta |= {"deletionTimestamp": "2026-11-23T03:00:00Z", "deletionGracePeriodSeconds": 5}
    container = {"name": "main", "image": "idle", "command": ["sleep"]}
    return {"metadata": meta, "spec": {"restartPolicy": policy, "containers": [container]}, "status": status or {}}


def work(folder: Path, notes: Notes, document: Body, *, until: t.Callable[[PodWorker], bool], then: str = "") -> None:
    """Run a worker until something holds, then let the pod be deleted or vanish, if that is what comes next."""

    async def scenario() -> None:
        api = t.cast(Api, notes)
        settings = Settings(lab_dir=folder, name="lab-node", port=1, egress_socket=folder / "s", time_scale=0)
        node = Node(
            settings=settings,
            api=api,
            events=Told(api, host="lab-node"),
            directory=Directory(("127.0.0.1", 1)),
            images=lambda: IMAGES,
            addresses=Addresses(),
            rng=random.Random(1),
        )
        worker = PodWorker(node, document)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(10):
            while not until(worker):
                await asyncio.sleep(0.01)
            if then == "deleted":
                worker.update(pod(deleted=True, status=document["status"]))
            elif then == "vanished":
                worker.removed()
            if then:
                await running
        running.cancel()
        await worker.abandon()

    asyncio.run(scenario())


def runs(worker: PodWorker) -> bool:
    return bool(worker.runs) and bool(worker.open_logs)


def test_deletion_is_reported_before_the_object_goes(tmp_path: Path) -> None:
    notes = Notes()
    work(tmp_path, notes, pod(), until=runs, then="deleted")
    assert notes.phases() == ["Pending", "Running", "Running"]
    assert notes.statuses[-1]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert notes.calls[-1] == "delete /api/v1/namespaces/ns/pods/p"
    assert list((tmp_path / "node" / "logs").iterdir()) == [], "its logs are gone"
    assert list((tmp_path / "node" / "pods").iterdir()) == []


def test_a_pod_that_vanished_is_not_reported_any_more(tmp_path: Path) -> None:
    notes = Notes()
    work(tmp_path, notes, pod(), until=runs, then="vanished")
    assert notes.phases() in (["Pending", "Running"], ["Pending"])
    assert not any(call.startswith("delete") for call in notes.calls)


@pytest.mark.parametrize(
    ("policy", "phases"),
    [
        pytest.param("Never", ["Failed"], id="Never: it has failed"),
        pytest.param("OnFailure", ["Running", "Running"], id="OnFailure: it is started again"),
    ],
)
def test_pod_of_an_earlier_node_process(tmp_path: Path, policy: str, phases: list[str]) -> None:
    notes = Notes()
    work(tmp_path, notes, pod(policy=policy, status=RAN), until=lambda _: len(notes.statuses) == len(phases))
    assert notes.phases() == phases
    shown = [status["containerStatuses"][0] for status in notes.statuses]
    assert shown[0]["state"]["terminated"]["exitCode"] == 255
    assert shown[-1]["restartCount"] == len(phases) - 1


def test_pod_that_was_being_deleted_when_the_node_came_back(tmp_path: Path) -> None:
    notes = Notes()
    work(tmp_path, notes, pod(deleted=True, status=RAN), until=lambda _: bool(notes.calls))
    assert notes.calls == ["delete /api/v1/namespaces/ns/pods/p"]


@pytest.mark.parametrize(
    "refusals",
    [
        pytest.param([403, 403], id="the authorizer does not know the pod's node yet"),
        pytest.param([404, 404], id="admission does not know the pod yet"),
    ],
)
def test_early_refusals_are_tried_again(tmp_path: Path, refusals: list[int]) -> None:
    notes = Notes(create=refusals, patch=[500])
    work(tmp_path, notes, pod(), until=lambda _: "Running" in notes.phases())
    assert sum(call.startswith("create") and "/token" in call for call in notes.calls) == 3
    assert "FailedMount" not in notes.events, "nothing was wrong"
    assert (tmp_path / "node/pods/u/kubeconfig").stat().st_mode & 0o077 == 0


def test_each_attempt_gets_local_ports_of_its_own(tmp_path: Path) -> None:
    document = pod()
    container = {"command": ["lab", "exit", "1"], "image": LAB_IMAGE.repository, "ports": [{"containerPort": 8080}]}
    document["spec"]["containers"][0] |= container
    seen: set[int] = set()

    def other_ports(worker: PodWorker) -> bool:
        seen.update(worker.ports.values())
        return len(seen) == 3

    work(tmp_path, Notes(), document, until=other_ports)


def test_a_refusal_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longhorn_qa_lab.node.worker.PATIENCE_SECONDS", 0.0)
    notes = Notes(create=[404, 404])
    work(tmp_path, notes, pod(), until=lambda _: "Running" in notes.phases())
    assert notes.events.count("FailedMount") == 2
