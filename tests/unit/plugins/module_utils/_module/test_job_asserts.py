# SPDX-License-Identifier: GPL-3.0-or-later
"""The assertion modules on histories and on a small cluster: right numbers, and never a pass on what was not seen."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, history_dir, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._module import (
    job_artifact_assert,
    job_event_assert,
    job_log_assert,
)

CELL = model.Cell(volume="v", task="snapshot", job="c-1", cronjob="v-c", cron="* * * * *", faults=())
SUBJECTS = model.Subjects(release="2020-06", namespace="n", cells=(CELL,))
WARNING = b'level=warning msg="created snapshot successfully but errored on cleanup for v: x"\n'
LOG_DEFAULTS = {
    "namespace": "n", "history": None, "cronjob": "", "job": "", "label_selector": "", "level": "", "message": "",
    "message_regex": "", "fields": {}, "evidence": 20, "min": 1, "max": None, "per": "total",
}  # fmt: skip
EVENT_DEFAULTS = {
    "namespace": "n", "history": None, "cronjob": "v-c", "reason": "", "message": "", "message_regex": "",
    "accept_lost": True, "evidence": 20, "min": 1, "max": None, "per": "invocation",
}  # fmt: skip
ARTEFACT_DEFAULTS = {
    "namespace": "n", "history": None, "volume": "v", "job": "", "kind": "snapshot", "min": 1, "max": 1,
    "per": "invocation",
}  # fmt: skip


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
    common = {"kind": "Event", "metadata": {"name": f"e{number}", "uid": f"e{number}", "resourceVersion": str(number)}}
    about = {"kind": "CronJob", "name": "v-c", "uid": uid}
    if newer:
        return {**common, "regarding": about, "reason": "SawCompletedJob", "note": message, "series": {"count": count}}
    return {**common, "involvedObject": about, "reason": "SawCompletedJob", "message": message, "count": count}


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


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "h")


def logs(**params: t.Any) -> dict[str, t.Any]:
    client = params.pop("client", None)
    return job_log_assert.run({**LOG_DEFAULTS, **params}, client=client)


def events(**params: t.Any) -> dict[str, t.Any]:
    client = params.pop("client", None)
    return job_event_assert.run({**EVENT_DEFAULTS, **params}, client=client)


def artefacts(**params: t.Any) -> dict[str, t.Any]:
    client = params.pop("client", None)
    return job_artifact_assert.run({**ARTEFACT_DEFAULTS, **params}, client=client)


def test_logs_are_counted_over_all_attempts(scene: Scene) -> None:
    scene.invocation("v-c-1", b"level=info msg=a\n" + WARNING, WARNING)
    scene.invocation("v-c-2", b"")
    result = logs(history=scene.done(), cronjob="v-c", level="warning", min=2, max=2)
    assert result["changed"] is False
    assert result["counts"] == {"v-c-1": 2, "v-c-2": 0}
    assert result["unmatched"] == ["v-c-2"]
    assert [(item["attempt"], item["line"]) for item in result["matched"]] == [(0, 2), (1, 1)]


def test_evidence_is_the_same_on_failure(scene: Scene) -> None:
    scene.invocation("v-c-1", WARNING)
    scene.invocation("v-c-2", b"level=info msg=fine\n")
    with pytest.raises(errors.NotAsExpected, match="exactly 1 for each invocation; seen v-c-2: 0") as caught:
        logs(history=scene.done(), cronjob="v-c", level="warning", min=1, max=1, per="invocation")
    assert caught.value.evidence["counts"] == {"v-c-1": 1, "v-c-2": 0}
    assert caught.value.evidence["matched"][0]["pod"] == "v-c-1-abcde"


@pytest.mark.parametrize(
    ("content", "limits", "expected"),
    [
        pytest.param(b"", {"min": 0, "max": 0}, errors.Inconclusive, id="absence is not proven"),
        pytest.param(b"", {"min": 1}, errors.Inconclusive, id="it may have been in the rest"),
        pytest.param(WARNING, {"min": 1}, None, id="enough was seen"),
        pytest.param(WARNING, {"min": 1, "max": 1}, errors.Inconclusive, id="there may have been more"),
        pytest.param(WARNING * 2, {"min": 1, "max": 1}, errors.NotAsExpected, id="too many is too many"),
    ],
)
def test_a_log_that_is_not_whole(scene: Scene, content: bytes, limits: dict[str, int], expected: t.Any) -> None:
    scene.invocation("v-c-1", content, complete=False)
    folder = scene.done()
    if expected is None:
        assert logs(history=folder, cronjob="v-c", level="warning", **limits)["total"] == 1
        return
    with pytest.raises(expected):
        logs(history=folder, cronjob="v-c", level="warning", **limits)


def test_an_invocation_without_a_pod_proves_nothing(scene: Scene) -> None:
    scene.invocation("v-c-1")
    with pytest.raises(errors.Inconclusive, match="no pod of it was recorded"):
        logs(history=scene.done(), cronjob="v-c", level="fatal", min=0, max=0)


def test_nothing_ran_proves_nothing(scene: Scene) -> None:
    with pytest.raises(errors.Inconclusive, match="no invocation to look at"):
        logs(history=scene.done(), cronjob="v-c", level="fatal", min=0, max=0, per="invocation")


def test_logs_of_one_job_and_by_label(scene: Scene) -> None:
    scene.invocation("v-c-1", WARNING)
    scene.invocation("v-c-2", WARNING)
    folder = scene.done()
    assert logs(history=folder, job="v-c-2", level="warning")["counts"] == {"v-c-2": 1}
    assert logs(history=folder, label_selector="job-name=v-c-1", level="warning")["counts"] == {"v-c-1-abcde": 1}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"level": "x"}, "exactly one of them", id="nothing selected"),
        pytest.param({"level": "x", "cronjob": "a", "job": "b"}, "exactly one of them", id="two selected"),
        pytest.param({"cronjob": "a"}, "every line would match", id="no pattern"),
        pytest.param({"cronjob": "a", "level": "x", "min": 2, "max": 1}, "0 <= min <= max", id="min above max"),
        pytest.param(
            {"label_selector": "a in (b)", "level": "x"}, "not a label selector we know", id="set-based selector"
        ),
    ],
)
def test_bad_options_are_told_before_anything_is_read(params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(errors.BadInput, match=message):
        logs(history="/nowhere", **params)


def test_a_damaged_history_is_refused(scene: Scene) -> None:
    scene.invocation("v-c-1", WARNING)
    folder = scene.done()
    with Path(folder, "history.jsonl").open("ab") as file:
        file.write(b"{")
    with pytest.raises(errors.LonghornQAError, match="the history is damaged"):
        logs(history=folder, cronjob="v-c", level="warning")


class Cluster:
    """Objects by kind, and logs."""

    def __init__(self, **objects: list[dict[str, t.Any]]) -> None:
        self.objects = objects
        self.asked: list[dict[str, t.Any]] = []
        self.content: dict[bool, t.Any] = {False: [WARNING], True: [b"level=info msg=before\n"]}
        self.manager: t.Any = {"data": []}

    def require_namespace(self, name: str) -> None:
        if name != "n":
            raise errors.NotFound("the namespace does not exist", subject=f"namespace {name}")

    def first_served(self, *candidates: kinds.Kind) -> kinds.Kind:
        return candidates[-1]

    def list(self, kind: kinds.Kind, *, namespace: str, labels: str = "", fields: str = "") -> Listing:
        return Listing(tuple(self.objects.get(kind.plural, ())), "1")

    def find(self, kind: kinds.Kind, name: str, *, namespace: str) -> dict[str, t.Any] | None:
        found = self.objects.get(kind.plural, [])
        if kind.plural == "cronjobs":
            return {"metadata": {"name": name, "uid": "cj"}} if name == "v-c" else None
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
        answer = self.manager

        class Proxy:
            prefix = ""

            def post(self, *_args: t.Any) -> t.Any:
                if isinstance(answer, Exception):
                    raise answer
                return answer

        return Proxy()


def live(*pods: dict[str, t.Any], jobs: tuple[str, ...] = ("v-c-1",)) -> t.Any:
    return Cluster(jobs=[job(name, version=9) for name in jobs], pods=list(pods))


def test_live_logs_of_both_runs_that_are_kept() -> None:
    cluster = live(pod("v-c-1", restarts=1))
    result = logs(client=cluster, cronjob="v-c", level="warning")
    assert result["counts"] == {"v-c-1": 1}
    assert [asked["previous"] for asked in cluster.asked] == [True, False]


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        pytest.param(live(pod("v-c-1", restarts=2)), "only the last run before is kept", id="an older run"),
        pytest.param(live(), "its pod and log are gone", id="a pod that is gone"),
    ],
)
def test_live_logs_that_are_gone_prove_nothing(cluster: t.Any, message: str) -> None:
    with pytest.raises(errors.Inconclusive, match=message):
        logs(client=cluster, cronjob="v-c", level="fatal", min=0, max=0)


def test_a_log_that_cannot_be_read_is_not_empty() -> None:
    cluster = live(pod("v-c-1"))
    cluster.content[False] = errors.ApiFailure("could not answer", status=500)
    with pytest.raises(errors.Inconclusive, match="could not be read"):
        logs(client=cluster, cronjob="v-c", level="fatal", min=0, max=0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"cronjob": "gone"}, "CronJob n/gone: the CronJob does not exist", id="no CronJob"),
        pytest.param({"job": "gone"}, "Job n/gone: the Job does not exist", id="no Job"),
        pytest.param({"cronjob": "v-c", "namespace": "x"}, "namespace x", id="no namespace"),
    ],
)
def test_what_does_not_exist_is_told(params: dict[str, t.Any], message: str) -> None:
    with pytest.raises(errors.NotFound, match=message):
        logs(client=live(), level="warning", **params)


def test_one_event_for_each_invocation(scene: Scene) -> None:
    scene.invocation("v-c-1", b"")
    scene.invocation("v-c-10", b"")
    result = events(history=scene.done(), reason="SawCompletedJob", max=1)
    assert result["counts"] == {"v-c-1": 1, "v-c-10": 1}  # v-c-1 is not found in v-c-10
    assert result["cronjob_uid"] == "cj"


def test_events_of_an_earlier_cronjob_do_not_count(scene: Scene) -> None:
    scene.invocation("v-c-1", b"", told=False)
    scene.writer.object("events", "ADDED", event(9000, "Saw completed job: v-c-1, status: Complete", uid="older"))
    with pytest.raises(errors.NotAsExpected, match="v-c-1: 0"):
        events(history=scene.done())


def test_jobs_made_by_hand_have_no_events_of_the_cronjob(scene: Scene) -> None:
    scene.invocation("v-c-1", b"")
    scene.invocation("v-c-qa-1", b"", told=False, by_hand=True)
    assert events(history=scene.done())["counts"] == {"v-c-1": 1}


def test_events_of_both_apis_with_series(scene: Scene) -> None:
    scene.invocation("v-c-1", b"", told=False)
    scene.writer.object(
        "events", "ADDED", event(9000, "Saw completed job: v-c-1, status: Complete", newer=True, count=2)
    )
    assert events(history=scene.done())["counts"] == {"v-c-1": 2}


@pytest.mark.parametrize("accept", [pytest.param(True, id="accepted"), pytest.param(False, id="not accepted")])
def test_events_beyond_the_recorders_budget_are_explained(scene: Scene, accept: bool) -> None:
    for number in range(12):
        scene.invocation(f"v-c-{number:02d}", b"", told=number < 8)
    folder = scene.done()
    if accept:
        assert events(history=folder)["lost_by_recorder"] == 28
    else:
        with pytest.raises(errors.NotAsExpected, match="v-c-08: 0"):
            events(history=folder, accept_lost=False)


def test_a_gap_in_the_events_makes_it_inconclusive(scene: Scene) -> None:
    scene.invocation("v-c-1", b"", told=False)
    scene.writer.gap("events", "watch expired")
    with pytest.raises(errors.Inconclusive, match="events could not be seen: watch expired"):
        events(history=scene.done())


def test_live_events() -> None:
    cluster = live()
    cluster.objects["events"] = [event(1, "Saw completed job: v-c-1, status: Complete"), event(2, "x", uid="other")]
    assert events(client=cluster)["counts"] == {"v-c-1": 1}


def engine(*snapshots: str) -> dict[str, t.Any]:
    entries = {name: {"name": name, "labels": {"RecurringJob": "c-1"}} for name in snapshots}
    return {
        "metadata": {"name": "v-e-1", "uid": "en", "resourceVersion": "9"}, "spec": {"volumeName": "v"},
        "status": {"snapshots": {**entries, "volume-head": {}, "by-hand": {"labels": {}}}},
    }  # fmt: skip


def test_live_snapshots_of_both_sources() -> None:
    cluster = Cluster(engines=[engine("c-1-a")])
    cluster.manager = {"data": [{"name": "c-1-b", "labels": {"RecurringJob": "c-1"}}, {"name": "x", "labels": {}}]}
    result = artefacts(client=cluster, job="c-1", per="total", min=2, max=2)
    assert [item["name"] for item in result["artefacts"]] == ["c-1-a", "c-1-b"]


def test_a_manager_that_does_not_answer_is_an_error() -> None:
    cluster = Cluster(engines=[engine("c-1-a")])
    cluster.manager = errors.ApiFailure("could not answer", status=503)
    with pytest.raises(errors.ApiFailure):
        artefacts(client=cluster, job="c-1", per="total")


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        pytest.param(
            {"per": "invocation", "job": "c-1"}, errors.BadInput, "which invocation made what", id="per invocation"
        ),
        pytest.param({"per": "total"}, errors.BadInput, "recurring job's name", id="no job"),
        pytest.param({"per": "total", "job": "c-1"}, errors.NotFound, "the volume has no engine", id="no volume"),
    ],
)
def test_what_a_live_cluster_cannot_say(params: dict[str, t.Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        artefacts(client=Cluster(), **params)


def test_artefacts_of_each_invocation(scene: Scene) -> None:
    scene.writer.object("engines", "ADDED", {**engine("c-1-old"), "kind": "Engine"}, via="list")
    scene.writer.listed("engines", "9")
    scene.invocation("v-c-29000001", b"")
    late = engine("c-1-old", "c-1-new")
    late["metadata"]["resourceVersion"] = "999999"
    scene.writer.object("engines", "MODIFIED", late)
    folder = scene.done()
    with pytest.raises((errors.Inconclusive, errors.NotAsExpected)) as caught:
        artefacts(history=folder, max=5, min=2)
    assert [item["name"] for item in caught.value.evidence["artefacts"]] == ["c-1-new"]


def test_a_volume_the_history_is_not_about(scene: Scene) -> None:
    scene.invocation("v-c-29000001", b"")
    with pytest.raises(errors.NotFound, match="not about this volume; seen v"):
        artefacts(history=scene.done(), volume="w")
