# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder on a small cluster of Python: what it records, when it ends, and how it goes on."""

from __future__ import annotations

import dataclasses
import queue
import threading
import typing as t
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.unit.plugins.module_utils._cluster.fast_clock import FastClock

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, history_dir, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Listing, ServerTime
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.recorder import Plan, Recorder
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SystemClock
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

CELL = model.Cell(volume="v", task="backup", job="c-1", cronjob="v-c-1-c", cron="* * * * *", faults=())
SUBJECTS = model.Subjects(release="2020-06", namespace="n", cells=(CELL,))
LOG = b"2026-01-02T03:04:05.1Z made it\n"


class Cluster:
    """Objects with resource versions, watches that deliver changes, and a CronJob whose Jobs run at once."""

    def __init__(self) -> None:
        self.version = 10
        self.objects: dict[tuple[str, str], dict[str, t.Any]] = {}
        self.watches: list[tuple[str, queue.Queue[t.Any]]] = []
        self.watched: list[str] = []
        self.forbidden: set[str] = set()
        self.stalled: set[str] = set()  # kinds whose watches are granted and tell nothing
        self.unreachable = False  # the node of Longhorn's own pods, when their logs are asked for once more
        self.busy: dict[str, list[t.Callable[[], t.Any]]] = {}  # by kind, what happens while its lists are refused
        self.put("cronjobs", {"metadata": {"name": CELL.cronjob, "uid": "cj"}, "apiVersion": "batch/v1", "spec": {
            "jobTemplate": {"spec": {}}}})  # fmt: skip

    def put(self, kind: str, document: dict[str, t.Any], *, change: str = "") -> dict[str, t.Any]:
        self.version += 1
        key = (kind, document["metadata"]["name"])
        change = change or ("MODIFIED" if key in self.objects else "ADDED")
        metadata = {"namespace": "n", **document["metadata"], "resourceVersion": str(self.version)}
        self.objects[key] = {**document, "metadata": metadata}
        if change == "DELETED":
            del self.objects[key]
        for watched, events in self.watches:
            if watched == kind:
                events.put({"type": change, "object": {**document, "metadata": metadata}})
        return {**document, "metadata": metadata}

    def start_job(
        self, name: str, *, labels: dict[str, str] | None = None, cronjob: str = CELL.cronjob
    ) -> dict[str, t.Any]:
        owner = {"kind": "CronJob", "name": cronjob, "uid": "cj", "controller": True}
        return self.put(
            "jobs", {"metadata": {"name": name, "uid": f"u-{name}", "ownerReferences": [owner], "labels": labels or {}}}
        )

    def run_job(
        self, name: str, *, labels: dict[str, str] | None = None, told: bool = True, cronjob: str = CELL.cronjob
    ) -> dict[str, t.Any]:
        job = self.start_job(name, labels=labels, cronjob=cronjob)
        self.run_pod(name)
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
        self.put("jobs", job)
        if told:
            self.tell_of(name)
        return job

    def tell_of(self, name: str) -> None:
        self.put("events", {"metadata": {"name": f"e-{name}", "uid": f"e-{name}"}, "involvedObject": {
            "kind": "CronJob", "name": CELL.cronjob, "uid": "cj"},
            "message": f"Saw completed job: {name}, status: Complete"})  # fmt: skip

    def run_pod(self, job: str) -> None:
        owner = {"kind": "Job", "name": job, "uid": f"u-{job}", "controller": True}
        for phase, state in (("Running", {"running": {}}), ("Succeeded", {"terminated": {"exitCode": 0}})):
            self.put("pods", {
                "metadata": {"name": f"{job}-abcde", "uid": f"p-{job}", "ownerReferences": [owner]},
                "spec": {"containers": [{"name": "c", "env": [{"name": "KEY", "value": "canary"}]}]},
                "status": {"phase": phase, "containerStatuses": [{"name": "c", "restartCount": 0, "state": state}]},
            })  # fmt: skip

    # -- what the recorder asks for

    def server_time(self) -> ServerTime | None:
        return None

    def first_served(self, *candidates: kinds.Kind) -> kinds.Kind:
        if candidates[-1].group == "longhorn.io":
            raise errors.NotFound("the server has none of these resources", expected=candidates[0].plural)
        return candidates[0]

    def list(self, kind: kinds.Kind, *, namespace: str, retry: bool = True) -> Listing:
        if kind.plural in self.forbidden:
            raise errors.Forbidden("no", verb="list", resource=kind.plural)
        if self.busy.get(kind.plural):
            self.busy[kind.plural].pop(0)()
            raise errors.ApiFailure("the API server could not answer", status=503)
        found = tuple(item for (plural, _unused), item in list(self.objects.items()) if plural == kind.plural)
        return Listing(found, str(self.version))

    def watch(
        self, kind: kinds.Kind, *, namespace: str, resource_version: str, silence: float, seconds: int = 0
    ) -> Watched:
        if seconds and kind.plural in self.stalled:
            raise errors.Unreachable("silent for too long")
        watched = Watched(lasts=seconds / 100)
        since = int(resource_version)
        for (plural, _unused), item in list(self.objects.items()):
            stalled = plural in self.stalled
            if plural == kind.plural and int(item["metadata"]["resourceVersion"]) > since and not stalled:
                watched.queue.put({"type": "ADDED", "object": item})
        if seconds:
            watched.queue.put(None)
        elif kind.plural not in self.stalled:
            self.watches.append((kind.plural, watched.queue))
        self.watched.append(kind.plural)  # from now on whoever looks here may rely on it
        return watched

    def find(self, kind: kinds.Kind, name: str, *, namespace: str) -> dict[str, t.Any] | None:
        return self.objects.get((kind.plural, name))

    def create(self, kind: kinds.Kind, body: dict[str, t.Any], *, namespace: str, dry_run: bool) -> dict[str, t.Any]:
        return self.run_job(body["metadata"]["name"], labels=body["metadata"]["labels"], told=False)

    def logs(self, pod: str, *, follow: bool, **_options: t.Any) -> t.Any:
        if not pod.startswith("instance-manager-e-"):
            return LogStream()
        if follow:
            return StalledLog()
        if self.unreachable:
            raise errors.Unreachable("no route to host")
        return LogStream(LOG, LOG.replace(b"05.1Z made", b"05.2Z lost"))


class Watched:
    def __init__(self, *, lasts: float) -> None:
        self.queue: queue.Queue[t.Any] = queue.Queue()
        self._lasts = lasts

    def events(self) -> Iterator[dict[str, t.Any]]:
        while (item := self.queue.get(timeout=20)) is not None:
            yield item
        threading.Event().wait(self._lasts)

    def close(self) -> None:
        self.queue.put(None)


class LogStream:
    def __init__(self, *lines: bytes) -> None:
        self._lines = lines or (LOG,)

    def chunks(self) -> Iterator[bytes]:
        yield from self._lines

    def close(self) -> None:
        pass


class StalledLog:
    def __init__(self) -> None:
        self._closed = threading.Event()

    def chunks(self) -> Iterator[bytes]:
        yield LOG
        self._closed.wait(20)
        raise errors.Unreachable("closed")

    def close(self) -> None:
        self._closed.set()


class Store:
    """A store that can be listed, or not."""

    target = "s3://b@r/"

    def __init__(self, problem: str = "") -> None:
        self._problem = problem

    def backups(self, volumes: Iterable[str]) -> tuple[model.StoredBackup, ...]:
        if self._problem:
            raise errors.LonghornQAError(self._problem)
        return tuple(model.StoredBackup(volume=name, name="backup-1", key="k") for name in volumes)


class Scene:
    """A cluster, and a recorder whose writer runs something after each record it is told to watch for."""

    def __init__(
        self, folder: Path, *, store: Store | None = None, subjects: model.Subjects = SUBJECTS, **plan: t.Any
    ) -> None:
        self.folder = folder
        self.cluster = Cluster()
        self.store = store
        self.plan = Plan(subjects, **{"invocations": 1, "timeout": 1500.0, "settle": 5.0, "grace": 50.0, **plan})

    def record(self, happens: t.Callable[[Recorder], None] | None = None) -> tuple[t.Any, model.History]:
        clock = FastClock()
        with history_dir.open_for_writing(self.folder, self.plan.subjects, clock=clock) as writer:
            recorder = Recorder(t.cast(t.Any, self.cluster), writer, self.plan, clock, store=self.store)
            if happens is not None:
                clock_sleep = clock.sleep
                waiting = [happens]

                def sleep(seconds: float) -> None:  # the main loop sleeps once the first lists are there
                    watched = {"cronjobs", "jobs", "pods", "events"} - self.cluster.forbidden
                    if waiting and watched <= set(self.cluster.watched):
                        waiting.pop()(recorder)
                    clock_sleep(seconds)

                clock.sleep = sleep  # type: ignore[method-assign]
            outcome = recorder.run()
        return outcome, history_dir.read_history(self.folder)


def of(history: model.History, cls: type[t.Any], **fields: t.Any) -> list[t.Any]:
    return [
        item for item in history.records
        if isinstance(item, cls) and all(getattr(item, key) == value for key, value in fields.items())
    ]  # fmt: skip


def test_an_invocation_is_recorded_whole(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h", store=Store())
    scene.cluster.run_job("v-c-1-c-29000000")  # the baseline
    outcome, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    assert outcome.ended == "invocations"
    assert outcome.invocations == {"v": 1}
    assert history.damage == ()
    assert isinstance(history.records[-1], model.End)
    assert dict(history.logs) == {"logs/p-v-c-1-c-99000001/0.log": b"made it\n"}
    assert [item.change for item in of(history, model.ObjectSeen, kind="jobs", via="watch")] == ["ADDED", "MODIFIED"]
    assert sorted(item.kind for item in of(history, model.ListDone)) == ["cronjobs", "events", "jobs", "pods"]
    assert len(of(history, model.Store)) == 3  # before, after the backup Job, at the end
    watched = Counter(scene.cluster.watched)
    assert set(watched) == {"cronjobs", "events", "jobs", "pods"}
    assert set(watched.values()) <= {2, 3}  # at the end once more, for the proof, and perhaps another begins then


@pytest.mark.parametrize("stalled", ["pods", "events", "cronjobs"])
def test_it_does_not_end_well_while_a_watch_is_stalled(tmp_path: Path, stalled: str) -> None:
    scene = Scene(tmp_path / "h", timeout=200.0)

    def happens(_recorder: Recorder) -> None:
        scene.cluster.stalled = {stalled}
        scene.cluster.watches = [(kind, events) for kind, events in scene.cluster.watches if kind != stalled]
        scene.cluster.run_job("v-c-1-c-99000001")

    outcome, history = scene.record(happens)
    assert outcome.ended == "deadline"
    (gap,) = of(history, model.Gap, kind=stalled)
    assert (gap.since is not None, gap.until is not None) == (True, True)
    assert gap.reason.startswith("nothing shows that the watch had told everything")


def test_a_watch_that_was_stalled_for_a_while_is_waited_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")

    def happens(recorder: Recorder) -> None:
        before = scene.cluster.watches
        scene.cluster.watches = [(kind, events) for kind, events in before if kind != "pods"]
        scene.cluster.run_job("v-c-1-c-99000001")

    outcome, history = scene.record(happens)
    assert outcome.ended == "invocations"
    assert of(history, model.ObjectSeen, kind="pods")
    assert dict(history.logs) == {"logs/p-v-c-1-c-99000001/0.log": b"made it\n"}
    assert {item.kind for item in of(history, model.Gap)} == {"engines", "volumes"}  # which this server does not have


@pytest.mark.parametrize("late", ["pods", "events", "cronjobs", "snapshots"])
def test_no_job_counts_that_began_before_everything_was_watched(tmp_path: Path, late: str) -> None:
    scene = Scene(tmp_path / "h", later=(kinds.longhorn("snapshots", "v1beta2"),))
    scene.cluster.busy[late] = [lambda: None, lambda: scene.cluster.run_job("v-c-1-c-99000001"), lambda: None]
    outcome, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000002") and None)
    assert (outcome.ended, outcome.invocations) == ("invocations", {"v": 1})
    assert of(history, model.ListDone)[-1].kind == "jobs"
    jobs = {item.object["metadata"]["name"]: item.via for item in of(history, model.ObjectSeen, kind="jobs")}
    assert jobs == {"v-c-1-c-99000001": "list", "v-c-1-c-99000002": "watch"}
    (log,) = of(history, model.Log, state="closed", pod="v-c-1-c-99000002-abcde")
    assert log.complete


@pytest.mark.parametrize("unreachable", [pytest.param(False, id="stalled"), pytest.param(True, id="out of reach")])
def test_what_a_service_said_before_the_end_is_there_or_told_to_be_missing(
    tmp_path: Path, *, unreachable: bool
) -> None:
    scene = Scene(tmp_path / "h")
    scene.cluster.unreachable = unreachable
    labels = {"longhorn.io/component": "instance-manager"}
    container = {"name": "c", "restartCount": 0, "state": {"running": {}}}
    scene.cluster.put("pods", {
        "metadata": {"name": "instance-manager-e-1", "uid": "im", "labels": labels},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "containerStatuses": [container]},
    })  # fmt: skip
    outcome, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    assert (outcome.ended, history.damage) == ("invocations", ())
    kept = history.logs["logs/im/0.log"]
    told = [item.subject for item in of(history, model.Gap, kind="logs")]
    assert (kept, told) == ((b"made it\n", ["instance-manager-e-1"]) if unreachable else (b"made it\nlost it\n", []))
    assert len(of(history, model.Log, state="closed", pod_uid="im")) == 1
    assert isinstance(history.records[-1], model.End)


def test_secrets_stay_out(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")
    scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    assert all(b"canary" not in path.read_bytes() for path in (tmp_path / "h").rglob("*") if path.is_file())


def test_what_is_not_ours_is_not_recorded(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")

    def happens(_recorder: Recorder) -> None:
        scene.cluster.put("jobs", {"metadata": {"name": "other-99000001", "uid": "o"}})
        scene.cluster.put(
            "events", {"metadata": {"name": "e", "uid": "e"}, "involvedObject": {"kind": "Pod", "name": "x"}}
        )
        scene.cluster.run_job("v-c-1-c-99000001")

    _unused, history = scene.record(happens)
    names = {item.object["metadata"]["name"] for item in of(history, model.ObjectSeen)}
    assert names == {"v-c-1-c", "v-c-1-c-99000001", "v-c-1-c-99000001-abcde", "e-v-c-1-c-99000001"}


def test_a_tick_from_before_the_recording_does_not_count(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h", timeout=60.0)
    outcome, _unused = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-20000000") and None)
    assert (outcome.ended, outcome.invocations) == ("deadline", {"v": 0})


def test_kinds_that_the_server_lacks_are_gaps(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")
    _unused, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    gaps = {item.kind: item.reason for item in of(history, model.Gap)}
    assert gaps == {kind: f"the server has none of these resources: {kind}" for kind in ("engines", "volumes")}


def test_one_missing_permission_does_not_stop_the_rest(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")
    scene.cluster.forbidden = {"events"}
    outcome, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    assert outcome.ended == "invocations"
    assert of(history, model.Gap, kind="events")[0].reason == "verb list on events is not granted"


def test_without_jobs_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")
    scene.cluster.forbidden = {"jobs"}
    outcome, history = scene.record()
    assert outcome.ended == "interrupted"
    assert "no invocation can be seen" in of(history, model.Note)[-1].text


def test_an_interruption_ends_the_history_cleanly(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")
    outcome, history = scene.record(lambda recorder: recorder.interrupt())
    assert outcome.ended == "interrupted"
    assert history.records[-1].reason == "interrupted"  # type: ignore[union-attr]
    assert history.damage == ()


@pytest.mark.parametrize(
    ("told", "grace"), [pytest.param(True, 1000.0, id="told late"), pytest.param(False, 20.0, id="never told")]
)
def test_a_job_beyond_those_wanted_that_is_over_is_recorded_whole(tmp_path: Path, *, told: bool, grace: float) -> None:
    scene = Scene(tmp_path / "h", settle=2.0, grace=grace)

    def happens(recorder: Recorder) -> None:
        scene.cluster.run_job("v-c-1-c-99000001")
        scene.cluster.run_job("v-c-1-c-99000002", told=False)
        sleep, looks = recorder.clock.sleep, iter(range(1000))

        def then(seconds: float) -> None:
            sleep(seconds)
            enough = any(recorder._settled(one) for one in recorder._tracker.counted(CELL.cronjob))
            if told and enough and next(looks) == 3:
                scene.cluster.tell_of("v-c-1-c-99000002")

        recorder.clock.sleep = then  # type: ignore[method-assign]

    outcome, history = scene.record(happens)
    events = {item.object["metadata"]["name"] for item in of(history, model.ObjectSeen, kind="events")}
    assert (outcome.ended, outcome.invocations, "e-v-c-1-c-99000002" in events) == ("invocations", {"v": 2}, told)


def test_a_job_that_ends_during_the_last_look_into_the_store_is_recorded_whole(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h", settle=2.0)

    class Slow(Store):
        looks = 0

        def backups(self, volumes: Iterable[str]) -> tuple[model.StoredBackup, ...]:
            self.looks += 1
            if self.looks == 3:  # before, after the Job, at the end
                scene.cluster.run_job("v-c-1-c-99000002")
                SystemClock().sleep(0.1)  # until that has been told
            return super().backups(volumes)

    scene.store = Slow()
    outcome, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    assert (outcome.ended, outcome.invocations) == ("invocations", {"v": 2})
    (*_earlier, over) = of(history, model.ObjectSeen, kind="jobs", change="MODIFIED")
    assert over.object["metadata"]["name"] == "v-c-1-c-99000002"
    assert of(history, model.Store)[-1].number > over.number
    assert [item.complete for item in of(history, model.Log, state="closed")] == [True, True]


def test_triggered_invocations_follow_each_other(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h", invocations=3, trigger=True)
    outcome, history = scene.record()
    assert (outcome.ended, outcome.invocations) == ("invocations", {"v": 3})
    added = [item.object["metadata"]["name"] for item in of(history, model.ObjectSeen, kind="jobs", change="ADDED")]
    assert added == ["v-c-1-c-qa-1", "v-c-1-c-qa-2", "v-c-1-c-qa-3"]


def test_a_store_that_cannot_be_listed_is_an_error_not_empty(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h", store=Store("NoSuchBucket"))
    _unused, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    assert {(item.error, item.backups) for item in of(history, model.Store)} == {("NoSuchBucket.", ())}


def test_a_second_recording_goes_on_with_a_gap(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h", invocations=2)
    scene.plan = Plan(SUBJECTS, invocations=2, timeout=400.0, settle=5.0, grace=5.0)
    first, _unused = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    assert (first.ended, first.invocations) == ("deadline", {"v": 1})
    scene.cluster.watches.clear()
    scene.cluster.watched.clear()
    scene.plan = dataclasses.replace(scene.plan, timeout=1500.0)
    second, history = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000002") and None)
    assert (second.ended, second.invocations) == ("invocations", {"v": 2})
    assert {item.kind for item in of(history, model.Gap, reason="nobody was recording")} >= {"jobs", "pods", "events"}
    assert len(of(history, model.Log, state="opened")) == 2
    assert history.damage == ()


def test_a_second_recording_that_is_killed_at_once_has_its_gaps(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")
    _outcome, before = scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)

    def killed() -> t.NoReturn:  # while the API server is away, so that nobody can tell the time
        raise KeyboardInterrupt

    scene.cluster.server_time = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        scene.record()
    after = history_dir.read_history(tmp_path / "h").records[len(before.records) :]
    assert {item.kind for item in after if isinstance(item, model.Gap)} == set(scene.plan.kinds)


def test_a_second_recording_that_has_to_wait_for_its_lists_says_until_when(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "h")
    scene.record(lambda _recorder: scene.cluster.run_job("v-c-1-c-99000001") and None)
    scene.cluster.watches.clear()
    scene.cluster.watched.clear()
    scene.cluster.busy["pods"] = [lambda: None] * 3
    _outcome, history = scene.record()
    absent, waiting = of(history, model.Gap, kind="pods")
    listed = of(history, model.ListDone, kind="pods")[-1]
    assert (absent.until, absent.number < waiting.number < listed.number) == (waiting.since, True)
    assert waiting.until > waiting.since


@pytest.mark.parametrize("message", [pytest.param("disk full", id="an error in a thread")])
def test_what_breaks_in_a_thread_is_not_lost(tmp_path: Path, message: str) -> None:
    scene = Scene(tmp_path / "h")

    def breaks(kind: kinds.Kind, **_options: t.Any) -> t.NoReturn:
        raise ValueError(message)

    scene.cluster.watch = breaks  # type: ignore[method-assign,assignment]
    with pytest.raises(ValueError, match=message):
        scene.record()


def test_kinds_that_only_later_releases_have_are_recorded_for_all_volumes_of_a_job(tmp_path: Path) -> None:
    cells = tuple(model.Cell(volume=name, task="snapshot", job="j", cronjob="j") for name in ("v", "bystander"))
    later = tuple(kinds.longhorn(plural, "v1beta2") for plural in ("recurringjobs", "snapshots", "backups"))
    scene = Scene(tmp_path / "h", subjects=model.Subjects(release="v1.8.2", namespace="n", cells=cells), later=later)
    cluster = scene.cluster
    cluster.put("cronjobs", {"metadata": {"name": "j", "uid": "j"}, "spec": {"jobTemplate": {"spec": {}}}})
    cluster.put("recurringjobs", {"metadata": {"name": "j", "uid": "rj"}, "status": {"executionCount": 3}})
    for name in ("v", "bystander", "stranger"):
        cluster.put("snapshots", {"metadata": {"name": f"s-{name}", "uid": f"s-{name}"}, "spec": {"volume": name}})
        labels = {"backup-volume": name}
        cluster.put("backups", {"metadata": {"name": f"b-{name}", "uid": f"b-{name}", "labels": labels}})

    outcome, history = scene.record(lambda _recorder: cluster.run_job("j-99000001", cronjob="j") and None)

    seen = {(item.kind, item.object["metadata"]["name"]) for item in of(history, model.ObjectSeen)}
    assert {name for kind, name in seen if kind in ("snapshots", "backups")} == {
        "s-v",
        "s-bystander",
        "b-v",
        "b-bystander",
    }
    assert ("recurringjobs", "j") in seen
    assert outcome.invocations == {"v": 1, "bystander": 1}
