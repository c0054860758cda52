# SPDX-License-Identifier: GPL-3.0-or-later
"""A recurring job's process, the manager's API and its controllers together, on a cluster and a store in memory.

Whenever the process sleeps, the controllers work. The numbers are those of the collected facts, sections 0 and 4.3, for
retain 1 and three Jobs; a Job starts its container four times when it fails.
"""

from __future__ import annotations

import io
import json
import random
import re
import threading
import typing as t
import urllib.parse

import pytest

from longhorn_qa_lab.kube import ApiError, Object
from longhorn_qa_lab.longhorn import logs, names, parts, recurring_job, world
from longhorn_qa_lab.longhorn.api_volume import Client
from longhorn_qa_lab.longhorn.manager_api import Server
from longhorn_qa_lab.longhorn.recurring_job_api import KubeCluster
from longhorn_qa_lab.longhorn.recurring_job_rules import RULES, rules
from longhorn_qa_lab.longhorn.releases import RELEASES

JOB = "nightly"
STARTS = 4
PROPAGATES = ("v1.4.4", "v1.5.5", "v1.8.2")
ENGINE_MADE = ("v1.2.6", "v1.3.3", "v1.4.4")
OBJECTS = tuple(name for name in RULES if name not in ENGINE_MADE)
KINDS = {"recurringjobs": world.RECURRING_JOBS, "settings": world.SETTINGS, "volumes": world.VOLUMES}


class Kube:
    """The requests that a job's process sends to the API server, answered from the cluster in memory."""

    def __init__(self, bench: t.Any) -> None:
        self._bench = bench

    def _place(self, path: str) -> tuple[t.Any, str]:
        words = path.removesuffix("/status").split("/")
        return KINDS[words[-2]], words[-1]

    def get(self, path: str) -> Object:
        kind, name = self._place(path)
        found = self._bench.cluster.find(kind, name)
        if found is None:
            raise ApiError(404, f'{kind.plural}.longhorn.io "{name}" not found')
        return t.cast(Object, found)

    def list(self, path: str) -> Object:
        label = urllib.parse.unquote(path.partition("labelSelector=")[2]).removesuffix("=enabled")
        every = self._bench.cluster.all(world.VOLUMES)
        return {"items": [item for item in every if (item["metadata"]["labels"] or {}).get(label) == "enabled"]}

    def replace(self, path: str, document: Object) -> Object:
        return t.cast(Object, self._bench.cluster.replace_status(self._place(path)[0], document, document["status"]))

    def create(self, _path: str, document: Object) -> Object:
        self._bench.cluster.post_event(document)
        return document


class Runs:
    """A recurring job for two volumes, of which the second is never at fault."""

    def __init__(self, bench: t.Any, url: str, task: str, retain: int = 1) -> None:
        self.bench = bench
        self.text = io.StringIO()
        release = bench.row
        spec = {"name": JOB, "task": task, "retain": retain, "concurrency": 1, "groups": [], "labels": {"by": "us"}}
        bench.cluster.create(world.RECURRING_JOBS, {"kind": "RecurringJob", "metadata": {"name": JOB}, "spec": spec})
        for name, value in (
            ("allow-recurring-job-while-volume-detached", "false"),
            ("auto-cleanup-recurring-job-backup-snapshot", "true"),
        ):
            bench.cluster.create(world.SETTINGS, {"kind": "Setting", "metadata": {"name": name}, "value": value})
        rng = random.Random(7)
        self.setup = recurring_job.Setup(
            cluster=KubeCluster(
                Kube(bench),  # type: ignore[arg-type]
                lambda: Client(url, egress=None, rng=rng),
                rules(release.name),
                release,
            ),
            rules=rules(release.name),
            log=logs.Log(self.text, style=logs.style_of(release.number)),
            poll=5.0,
            sleep=lambda _seconds: bench.step(1),
        )

    def job(self) -> tuple[str, int]:
        """One Job: how it ends, and after how many starts."""
        for start in range(1, STARTS + 1):
            code = recurring_job.execute(JOB, self.setup)
            self.bench.step(6)
            if code == 0:
                return "Complete", start
        return "Failed", STARTS

    def jobs(self, count: int = 3) -> list[str]:
        return [self.job()[0] for _ in range(count)]

    def lines(self, words: str) -> list[str]:
        return [line for line in self.text.getvalue().splitlines() if words in line]

    def made(self, volume: str = "vol") -> tuple[int, int]:
        """How many snapshots and backups the log says were made of a volume."""
        about = [line for line in self.text.getvalue().splitlines() if f"volumeName={volume}" in line]
        snapshots = [line for line in about if re.search(r'msg="(Created|Complete creating) the snapshot ', line)]
        backups = [line for line in about if re.search(r'msg="Complete(d)? creating backup ', line)]
        return len(snapshots), len(backups)


@pytest.fixture
def runs(manager_bench: t.Callable[..., t.Any]) -> t.Iterator[t.Callable[..., Runs]]:
    servers = []

    def make(release: str, task: str, **options: t.Any) -> Runs:
        bench = manager_bench(release, "vol", "by")
        server = Server(("127.0.0.1", 0), bench.service, logs.Log(io.StringIO()))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return Runs(bench, f"http://127.0.0.1:{server.server_address[1]}/v1", task, **options)

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def refuse(run: Runs, *what: str) -> None:
    """Let deletions on the volume fail so that the job sees it, as each release makes possible."""
    for one in what:
        if one == "backup":
            run.bench.cluster.refuses.add(("backup-volume", "vol"))
        elif run.bench.row.name in OBJECTS:
            run.bench.cluster.refuses.add((names.VOLUME_LABEL, "vol"))
        else:
            run.bench.plan("snapshot-delete" if run.bench.row.name == "v1.2.6" else "snapshot-delete-rpc")


# --- nothing fails ---


@pytest.mark.parametrize("release", RULES)
def test_snapshots(runs: t.Callable[..., Runs], release: str) -> None:
    run = runs(release, "snapshot")
    assert run.jobs() == ["Complete"] * 3
    assert (len(run.bench.on_disk()), run.made(), run.made("by")) == (1, (3, 0), (3, 0))
    assert run.lines("level=warning") + run.lines("level=error") == []
    (kept,) = run.bench.context.disk.read("vol")["snapshots"].values()
    assert kept["labels"] == {"RecurringJob": JOB, "by": "us"}
    if run.bench.row.has(world.SNAPSHOTS.span):
        assert len(run.bench.names(world.SNAPSHOTS)) == 2, "one of each volume"


@pytest.mark.parametrize("release", RULES)
def test_backups(runs: t.Callable[..., Runs], release: str) -> None:
    run = runs(release, "backup")
    assert run.jobs() == ["Complete"] * 3
    assert (len(run.bench.on_disk()), len(run.bench.stored()), run.made()) == (1, 1, (3, 3))
    assert run.lines("level=warning") + run.lines("level=error") == []
    assert len(run.bench.names(world.BACKUPS)) == 2, "one of each volume"


@pytest.mark.parametrize("release", [name for name in RULES if name != "v1.2.6"])
@pytest.mark.parametrize(
    "task", ["snapshot-force-create", "backup-force-create", "snapshot-delete", "snapshot-cleanup"]
)
def test_other_tasks(runs: t.Callable[..., Runs], release: str, task: str) -> None:
    run = runs(release, task)
    for name in ("one", "two", "three"):
        parts.reach(run.bench.context, "vol").create_snapshot(name, {})
    run.bench.step()
    assert run.jobs(2) == ["Complete"] * 2
    backups = 2 if task == "backup-force-create" else 0
    snapshots = 2 if "force" in task else 0
    assert run.made() == (snapshots, backups)
    kept = {"snapshot-delete": 1, "snapshot-cleanup": 3}.get(task, 4)
    assert len(run.bench.on_disk()) == kept
    assert run.lines("level=warning") + run.lines("level=error") == []


@pytest.mark.parametrize("release", OBJECTS)
def test_trimming(runs: t.Callable[..., Runs], release: str) -> None:
    run = runs(release, "filesystem-trim")
    assert run.jobs(1) == ["Complete"]
    assert len(run.lines('msg="Finished recurring filesystem trim"')) == 2


# --- a failure that the job sees ---


@pytest.mark.parametrize("release", RULES)
def test_snapshots_that_cannot_be_deleted(runs: t.Callable[..., Runs], release: str) -> None:
    run = runs(release, "snapshot")
    refuse(run, "snapshot")
    ends = ["Complete", "Failed", "Failed"] if release in PROPAGATES else ["Complete"] * 3
    assert run.jobs() == ends
    assert len(run.bench.on_disk()) == (3 if release == "v1.2.6" else 2)
    if release in OBJECTS:
        assert run.made("by")[0] == (9 if release in PROPAGATES else 3), "longhorn#10154: with each start one more"
    counted = run.bench.get(world.RECURRING_JOBS, JOB).get("status", {}).get("executionCount", 0)
    assert counted == {"v1.8.2": 9, "v1.9.2": 3, "v1.12.1": 3}.get(release, 0)


@pytest.mark.parametrize("release", RULES)
def test_backups_whose_snapshots_cannot_be_deleted(runs: t.Callable[..., Runs], release: str) -> None:
    run = runs(release, "backup")
    refuse(run, "snapshot")
    assert run.jobs() == ["Complete", "Complete", "Failed" if release in PROPAGATES else "Complete"]
    assert run.made() == ((3, 2) if release == "v1.2.6" else (2, 2))


@pytest.mark.parametrize("release", RULES)
def test_backups_that_cannot_be_deleted(runs: t.Callable[..., Runs], release: str) -> None:
    run = runs(release, "backup")
    refuse(run, "backup")
    assert run.jobs() == ["Complete"] * 3
    assert (len(run.bench.stored()), len(run.bench.stored("by"))) == (3, 1)
    warnings = run.lines("level=warning")
    assert len(warnings) == 2
    assert all("reated backup successfully but errored on cleanup for vol" in line for line in warnings)
    assert all("failed calling webhook: refused" in line for line in warnings)


@pytest.mark.parametrize("release", [name for name in RULES if name != "v1.2.6"])
def test_an_event_of_the_recurring_job(runs: t.Callable[..., Runs], release: str) -> None:
    run = runs(release, "snapshot")
    refuse(run, "snapshot")
    run.jobs(2)
    told = run.bench.told("RecurringJob")
    assert {entry[:2] for entry in told} == {("Warning", "FailedDeleting")}
    assert told[0][2].startswith("failed to clean up old snapshots of volume ")
    (event, *_others) = [e for e in run.bench.cluster.events if e["involvedObject"]["kind"] == "RecurringJob"]
    assert event["source"] == {"component": "longhorn-recurring-job"}
    assert event["involvedObject"]["uid"] == f"uid-{JOB}"
    (echo, *_others) = run.lines('level=info msg="Event(v1.ObjectReference{Kind:\\"RecurringJob\\"')
    assert "type: 'Warning' reason: 'FailedDeleting' failed to clean up old snapshots of volume vol: " in echo


def test_a_refusal_has_the_address_of_the_request(runs: t.Callable[..., Runs]) -> None:
    run = runs("v1.12.1", "snapshot")
    refuse(run, "snapshot")
    run.jobs(2)
    (line,) = run.lines('level=error msg="Failed to run volume job"')
    found = re.search(r' error="((?:[^"\\]|\\.)*)"', line)
    assert found is not None
    text = json.loads(f'"{found[1]}"')
    assert text.startswith(
        "failed recurring snapshot: Bad response statusCode [500]. Status [500 Internal Server Error]."
    )
    assert "message=failed to delete snapshot: failed calling webhook: refused" in text
    assert text.endswith("/v1/volumes/vol?action=snapshotCRDelete]")


# --- failures behind the job's back ---


@pytest.mark.parametrize("release", OBJECTS)
@pytest.mark.parametrize("fault", ["purge is off", "engines refuse"])
def test_snapshots_that_stay_without_a_word(runs: t.Callable[..., Runs], release: str, fault: str) -> None:
    run = runs(release, "snapshot")
    if fault == "purge is off":
        run.bench.setting("disable-snapshot-purge", "true")
    else:
        run.bench.plan("snapshot-delete-rpc")
    assert run.jobs() == ["Complete"] * 3
    assert run.lines("level=warning") + run.lines("level=error") == []
    own = run.bench.cluster.all(world.SNAPSHOTS, volume="vol")
    assert len(own) == len(run.bench.on_disk()) == 3
    assert sum("deletionTimestamp" in item["metadata"] for item in own) == 2
    run.bench.setting("disable-snapshot-purge", "false")
    run.bench.plan()
    run.bench.seconds += 1000.0
    assert run.jobs(1) == ["Complete"]
    assert len(run.bench.on_disk()) == 1, "recovered"


@pytest.mark.parametrize("release", RULES)
@pytest.mark.parametrize("fault", ["default image", "store"])
def test_backups_that_stay_without_a_word(runs: t.Callable[..., Runs], release: str, fault: str) -> None:
    run = runs(release, "backup")
    if fault == "store":
        run.bench.bucket.refuses = "/backups/"
    else:
        run.bench.plan("backup-delete")
    assert run.jobs() == ["Complete"] * 3
    assert run.lines("level=warning") + run.lines("level=error") == []
    assert len(run.bench.stored()) == 3
    own = [
        item for item in run.bench.cluster.all(world.BACKUPS) if item["metadata"]["labels"]["backup-volume"] == "vol"
    ]
    assert sum("deletionTimestamp" in item["metadata"] for item in own) == 2
    run.bench.bucket.refuses = ""
    run.bench.plan()
    run.bench.seconds += 24 * 3600.0
    assert run.jobs(1) == ["Complete"]
    run.bench.step(4)
    assert len(run.bench.stored()) == 1, "recovered"


@pytest.mark.parametrize("release", OBJECTS)
@pytest.mark.parametrize("task", ["snapshot-cleanup", "filesystem-trim"])
def test_tasks_that_purge_see_that_they_must_not(runs: t.Callable[..., Runs], release: str, task: str) -> None:
    run = runs(release, task)
    run.bench.setting("disable-snapshot-purge", "true")
    assert run.job() == (("Failed", 4) if release in PROPAGATES else ("Complete", 1))
    assert run.lines("failed to purge snapshot: cannot purge snapshots while disable-snapshot-purge setting is true")


# --- the cluster's side ---


def test_a_job_without_an_object_is_over_at_once(runs: t.Callable[..., Runs]) -> None:
    run = runs("v1.8.2", "snapshot")
    assert recurring_job.execute("other", run.setup) == 0
    (line,) = run.lines("level=error")
    assert 'msg="Failed to get recurring job other."' in line
    assert 'error="recurringjobs.longhorn.io \\"other\\" not found"' in line


def test_a_manager_that_does_not_answer(runs: t.Callable[..., Runs]) -> None:
    run = runs("v1.8.2", "snapshot")
    nobody = KubeCluster(
        Kube(run.bench),  # type: ignore[arg-type]
        lambda: Client("http://127.0.0.1:1/v1", egress=None, rng=random.Random(7)),
        rules("v1.8.2"),
        RELEASES["v1.8.2"],
    )
    setup = recurring_job.Setup(nobody, rules("v1.8.2"), run.setup.log, poll=0.0, sleep=lambda _seconds: None)
    assert recurring_job.execute(JOB, setup) == 1
    lines = run.lines('level=error msg="Failed to create new job for volume"')
    assert len(lines) == 2
    assert 'error="could not create longhorn-manager api client: Get \\"http://127.0.0.1:1/v1\\": ' in lines[0]
