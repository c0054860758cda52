# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a recurring job from 1.2 on, against volumes that are lists: what a release makes, says and ends with.

A Job is played as Kubernetes plays it: a failing container starts again, four times in all. The expected numbers are
those of the collected facts, sections 0 and 4.3, for retain 1 and deletions that always fail.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re
import typing as t

import pytest

from longhorn_qa_lab.longhorn import logs, releases
from longhorn_qa_lab.longhorn.jobs import Backup, JobError, Progress, Snapshot
from longhorn_qa_lab.longhorn.recurring_job import Candidate, Look, RecurringJob, Setup, execute
from longhorn_qa_lab.longhorn.recurring_job_rules import RULES, rules

MOMENT = dt.datetime(2026, 8, 21, 2, 13, 8, 618594, tzinfo=dt.timezone.utc)
STARTS = 4
REFUSAL = "admission webhook denied the request"

#: What a failing deletion of snapshots does to the Job, per release (section 0).
PROPAGATES = ("v1.4.4", "v1.5.5", "v1.8.2")
LOSES = ("v1.9.2", "v1.12.1")
PRE_CLEANS = tuple(release for release in RULES if release != "v1.2.6")
OBJECTS = tuple(release for release in RULES if rules(release).snapshots == "objects")


@dataclasses.dataclass
class Made:
    """A snapshot or a backup that the fake keeps."""

    name: str
    created: str
    labels: dict[str, str]
    of: str = ""
    removed: bool = False
    exists: bool = True


class FakeVolume:
    """Keeps what a job makes. Deletions named in ``fails`` are refused; those in ``stuck`` are taken and never done."""

    def __init__(self, name: str, *, fails: t.Collection[str] = (), stuck: t.Collection[str] = ()) -> None:
        self.name = name
        self.fails = fails
        self.stuck = stuck
        self.kept: list[Made] = []
        self.stored: list[Made] = []
        self.asked: list[str] = []
        self.state = Look()
        self.modes: list[str] = []
        self._clock = 0
        self._progress: dict[str, list[str]] = {}

    def _do(self, what: str, subject: str = "") -> None:
        self.asked.append(f"{what} {subject}".strip())
        if what in self.fails:
            raise JobError(REFUSAL)

    def _tick(self) -> str:
        self._clock += 1
        return f"2026-08-21T02:{self._clock:02d}:00Z"

    def look(self) -> Look | None:
        last = max(self.stored, key=lambda made: made.created, default=None)
        return dataclasses.replace(self.state, last_backup=last.name if last else "")

    def ready_node(self) -> str:
        self._do("node")
        return "lab-node"

    def attach(self, node: str, by: str) -> None:
        self._do("attach", by)
        self.state = dataclasses.replace(self.state, state="attached", last_attached_by=by)

    def detach(self) -> None:
        self._do("detach")
        self.state = dataclasses.replace(self.state, state="detached")

    def snapshots(self) -> list[Snapshot]:
        head = Snapshot("volume-head", "", {}, removed=False, usercreated=False)
        found = [
            Snapshot(made.name, made.created, made.labels, removed=made.removed, usercreated=True, wanted=True,
                     exists=made.exists)
            for made in reversed(self.kept)
        ]  # fmt: skip
        return [head, *found]

    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None:
        self._do("create")
        self.kept.append(Made(name, self._tick(), dict(labels)))

    def is_ready(self, snapshot: str) -> bool:
        return "never-ready" not in self.stuck

    def delete_snapshot(self, name: str) -> None:
        self._do("delete-snapshot", name)
        if "delete-snapshot" not in self.stuck:
            self.kept = [made for made in self.kept if made.name != name]

    def purge(self) -> None:
        self._do("purge")

    def trim(self) -> None:
        self._do("trim")

    def start_backup(self, snapshot: str, labels: t.Mapping[str, str], mode: str) -> None:
        self._do("back-up")
        self.modes.append(mode)
        self._progress[snapshot] = ["", "Pending", "InProgress", "InProgress", "Completed"]
        self.stored.append(Made(f"backup-{self._clock}", self._tick(), dict(labels), of=snapshot))

    def backup_progress(self, snapshot: str) -> Progress | None:
        states = self._progress.get(snapshot)
        if states is None:
            return None
        name = next(made.name for made in self.stored if made.of == snapshot)
        state = states.pop(0) if len(states) > 1 else states[0]
        return Progress(name=name, url="", state=state, progress=50, error="disk on fire")

    def snapshot_of(self, backup: str) -> str:
        return next(made.of for made in self.stored if made.name == backup)

    def backups(self) -> list[Backup]:
        return [Backup(made.name, "", made.created, made.labels) for made in reversed(self.stored)]

    def delete_backup(self, name: str) -> None:
        self._do("delete-backup", name)
        if "delete-backup" not in self.stuck:
            self.stored = [made for made in self.stored if made.name != name]


class FakeCluster:
    """One recurring job and the volumes it is for."""

    def __init__(self, job: RecurringJob, volumes: t.Sequence[FakeVolume]) -> None:
        self.job = job
        self.volumes = {volume.name: volume for volume in volumes}
        self.candidates = [Candidate(name) for name in self.volumes]
        self.settings = {"auto-cleanup-recurring-job-backup-snapshot": True}
        self.executions = 0
        self.events: list[tuple[str, str]] = []
        self.fails: set[str] = set()

    def _do(self, what: str) -> None:
        if what in self.fails:
            raise JobError(f"no {what}")

    def recurring_job(self, name: str) -> RecurringJob:
        self._do("job")
        assert name == self.job.name
        return self.job

    def count_execution(self, name: str) -> int:
        self._do("count")
        self.executions += 1
        return self.executions

    def is_set(self, setting: str) -> bool:
        self._do("setting")
        return self.settings.get(setting, False)

    def labelled(self, label: str) -> list[Candidate]:
        return self.candidates if label == f"recurring-job.longhorn.io/{self.job.name}" else []

    def volume(self, name: str) -> FakeVolume:
        self._do("client")
        return self.volumes[name]

    def warn(self, job: str, reason: str, message: str) -> str:
        self._do("event")
        self.events.append((reason, message))
        return f'v1.ObjectReference{{Kind:"RecurringJob", Name:"{job}"}}'


class Bench:
    """A release's process with a cluster around it."""

    def __init__(self, release: str, task: str, *volumes: FakeVolume, **job: t.Any) -> None:
        self.volume = volumes[0] if volumes else FakeVolume("vol")
        self.bystander = FakeVolume("by")
        given = {"retain": 1, "concurrency": 2, **job}
        self.cluster = FakeCluster(RecurringJob("nightly", task, **given), [*volumes, self.bystander])
        self.text = io.StringIO()
        style = logs.style_of(_number(release))
        log = logs.Log(self.text, lambda: MOMENT, style=style)
        self.setup = Setup(self.cluster, rules(release), log, poll=5.0, sleep=lambda _seconds: None)

    def start(self) -> int:
        """One start of the process: its exit code."""
        return execute("nightly", self.setup)

    def job(self) -> tuple[str, int]:
        """One Job: how it ends, and after how many starts."""
        for start in range(1, STARTS + 1):
            if self.start() == 0:
                return "Complete", start
        return "Failed", STARTS

    def jobs(self, count: int) -> list[str]:
        return [self.job()[0] for _ in range(count)]

    def lines(self, words: str = "") -> list[str]:
        return [line for line in self.text.getvalue().splitlines() if words in line]


def _number(release: str) -> tuple[int, int, int]:
    major, minor, patch = release.removeprefix("v").split(".")
    return int(major), int(minor), int(patch)


def bench(
    release: str, task: str, *, fails: t.Collection[str] = (), stuck: t.Collection[str] = (), **job: t.Any
) -> Bench:
    return Bench(release, task, FakeVolume("vol", fails=fails, stuck=stuck), **job)


# --- without a fault ---


@pytest.mark.parametrize("release", RULES)
@pytest.mark.parametrize("task", ["snapshot", "backup"])
def test_a_good_clean_up_keeps_what_retain_says(release: str, task: str) -> None:
    made = bench(release, task, retain=2)
    assert made.jobs(4) == ["Complete"] * 4
    snapshots = 2 if task == "snapshot" else 1
    assert (len(made.volume.kept), len(made.volume.stored)) == (snapshots, 0 if task == "snapshot" else 2)
    assert [line for line in made.lines() if "level=error" in line or "level=warning" in line] == []
    assert made.cluster.events == []


# --- a deletion of snapshots that the job sees fail ---


@pytest.mark.parametrize(
    ("release", "count", "ends"),
    [
        *((release, 4, ["Complete"] * 4) for release in ("v1.2.6",)),
        *((release, 2, ["Complete"] * 4) for release in ("v1.3.3", *LOSES)),
        *((release, 2, ["Complete", "Failed", "Failed", "Failed"]) for release in PROPAGATES),
    ],
)
def test_a_snapshot_job_that_cannot_delete(release: str, count: int, ends: list[str]) -> None:
    made = bench(release, "snapshot", fails=["delete-snapshot"])
    assert made.jobs(4) == ends
    assert len(made.volume.kept) == count


@pytest.mark.parametrize(
    ("release", "snapshots", "backups", "ends"),
    [
        ("v1.2.6", 4, 2, ["Complete"] * 4),
        *((release, 2, 2, ["Complete"] * 4) for release in ("v1.3.3", *LOSES)),
        *((release, 2, 2, ["Complete", "Complete", "Failed", "Failed"]) for release in PROPAGATES),
    ],
)
def test_a_backup_job_that_cannot_delete_snapshots(release: str, snapshots: int, backups: int, ends: list[str]) -> None:
    made = bench(release, "backup", fails=["delete-snapshot", "delete-backup"])
    assert made.jobs(4) == ends
    assert (len(made.volume.kept), len(made.volume.stored)) == (snapshots, backups)


@pytest.mark.parametrize("release", RULES)
@pytest.mark.parametrize("task", ["backup", "backup-force-create"])
def test_a_backup_job_that_cannot_delete_backups_goes_on_everywhere(release: str, task: str) -> None:
    made = bench(release, task, fails=["delete-backup"])
    assert made.jobs(4) == ["Complete"] * 4
    assert len(made.volume.stored) == 4
    said = [line for line in made.lines("level=warning") if "reated backup successfully but errored on cleanup" in line]
    assert len(said) == 3, "from the second Job on there is one too many"
    assert made.cluster.events == [], "no Event tells of backups"


@pytest.mark.parametrize("release", PRE_CLEANS)
@pytest.mark.parametrize("kind", ["snapshot", "backup"])
def test_force_create_makes_one_more_with_each_start(release: str, kind: str) -> None:
    made = bench(release, f"{kind}-force-create", fails=["delete-snapshot"])
    ends = [made.job() for _ in range(3)]
    if kind == "snapshot" and release in PROPAGATES:
        assert ends == [("Complete", 1), ("Failed", 4), ("Failed", 4)]
        assert len(made.volume.kept) == 1 + 4 + 4
    else:
        assert ends == [("Complete", 1)] * 3, "a backup job forgives what comes after its backup"
        assert len(made.volume.kept) == 3


@pytest.mark.parametrize("release", RULES)
def test_another_volume_of_the_same_job(release: str) -> None:
    """longhorn#10154: a Job that is retried for one volume works on all of them again."""
    made = bench(release, "snapshot", fails=["delete-snapshot"], retain=1)
    made.bystander.stuck = ["delete-snapshot"]
    assert made.job() == ("Complete", 1)
    before = len(made.bystander.kept)
    made.job()
    expected = 4 if release in PROPAGATES else 1
    assert len(made.bystander.kept) - before == expected


@pytest.mark.parametrize("release", PRE_CLEANS)
@pytest.mark.parametrize("task", ["snapshot-delete", "snapshot-cleanup"])
def test_maintenance_tasks_make_nothing(release: str, task: str) -> None:
    made = bench(release, task, fails=["delete-snapshot", "purge"])
    made.volume.kept = [Made(f"by-hand-{n}", f"2026-08-20T0{n}:00:00Z", {}) for n in range(3)]
    assert made.job() == (("Failed", 4) if release in PROPAGATES else ("Complete", 1))
    assert len(made.volume.kept) == 3
    assert made.volume.stored == []


@pytest.mark.parametrize("release", PRE_CLEANS)
def test_snapshot_delete_looks_at_every_snapshot(release: str) -> None:
    made = bench(release, "snapshot-delete", retain=1)
    made.volume.kept = [Made(f"by-hand-{n}", f"2026-08-20T0{n}:00:00Z", {}) for n in range(3)]
    assert made.start() == 0
    assert [kept.name for kept in made.volume.kept] == ["by-hand-2"]
    assert made.volume.asked[:2] == ["delete-snapshot by-hand-0", "delete-snapshot by-hand-1"]
    assert ("purge" in made.volume.asked) is (release not in OBJECTS), "later the objects' controller purges"


@pytest.mark.parametrize("release", PRE_CLEANS)
def test_snapshot_cleanup_only_purges(release: str) -> None:
    made = bench(release, "snapshot-cleanup", retain=0)
    assert made.start() == 0
    assert made.volume.asked == ["purge"]


@pytest.mark.parametrize("release", OBJECTS)
@pytest.mark.parametrize("broken", ["trim", "purge"])
def test_filesystem_trim(release: str, broken: str) -> None:
    made = bench(release, "filesystem-trim", retain=0)
    assert made.start() == 0
    assert made.volume.asked == ["trim", "purge"]
    assert made.lines('msg="Finished recurring filesystem trim"')
    made.volume.fails = [broken]
    assert made.job()[0] == ("Failed" if release in PROPAGATES else "Complete")
    assert made.lines(f'error="failed to complete filesystem-trim for vol: {REFUSAL}"')
    told = [reason for reason, _message in made.cluster.events]
    assert told == (["FailedFilesystemTrim"] if release == "v1.12.1" else [])


# --- deletions that fail behind the job's back ---


@pytest.mark.parametrize("release", OBJECTS)
@pytest.mark.parametrize("task", ["snapshot", "backup"])
def test_deletions_that_fail_later_change_nothing_for_the_job(release: str, task: str) -> None:
    made = bench(release, task, stuck=["delete-snapshot", "delete-backup"])
    assert made.jobs(4) == ["Complete"] * 4
    assert len(made.volume.kept) == 4
    assert len(made.volume.stored) == (4 if task == "backup" else 0)
    oldest = made.volume.kept[0].name
    deleted = [asked for asked in made.volume.asked if asked == f"delete-snapshot {oldest}"]
    assert len(deleted) >= 3, "what is already Terminating is deleted again each time"


# --- creation ---


@pytest.mark.parametrize("release", OBJECTS)
def test_a_snapshot_that_is_not_there_yet_is_waited_for_again(release: str) -> None:
    made = bench(release, "snapshot", stuck=["never-ready"])
    assert made.start() == (1 if release in PROPAGATES else 0)
    assert made.lines("timeouted waiting for the the snapshot nightly-")
    made.volume.kept[0].exists = False
    made.volume.stuck = ()
    assert made.start() == 0
    assert len(made.volume.kept) == 1, "the pending one is taken, no other is made"
    assert made.lines(f'msg="Complete creating the snapshot {made.volume.kept[0].name}"')


@pytest.mark.parametrize("release", RULES)
@pytest.mark.parametrize("step", ["create", "back-up"])
def test_a_failing_creation(release: str, step: str) -> None:
    made = bench(release, "backup", fails=[step])
    assert made.job()[0] == ("Failed" if release in PROPAGATES else "Complete")
    assert made.lines(f"failed to complete backupAndCleanup for vol: {REFUSAL}")


@pytest.mark.parametrize("release", RULES)
def test_a_backup_that_ends_in_an_error(release: str) -> None:
    made = bench(release, "backup")
    made.volume.start_backup = lambda snapshot, labels, mode: made.volume.stored.append(  # type: ignore[method-assign]
        Made("backup-1", "", dict(labels), of=snapshot)
    )
    made.volume.backup_progress = lambda _snapshot: Progress("backup-1", "", "Error", 0, "disk on fire")  # type: ignore[method-assign]
    assert made.start() == (1 if release in PROPAGATES else 0)
    assert made.lines("failed to create backup backup-1: disk on fire")


def test_a_full_backup_every_n_executions() -> None:
    made = bench("v1.8.2", "backup", parameters={"full-backup-interval": "2"})
    made.jobs(4)
    assert made.volume.modes == ["incremental", "full", "incremental", "full"]
    assert bench("v1.8.2", "backup", parameters={"full-backup-interval": "often"}).start() == 1


@pytest.mark.parametrize(("release", "kept"), [("v1.5.5", 1), ("v1.8.2", 3), ("v1.12.1", 3)])
def test_snapshots_of_backups_are_kept_where_a_setting_says_so(release: str, kept: int) -> None:
    made = bench(release, "backup", retain=3)
    made.cluster.settings["auto-cleanup-recurring-job-backup-snapshot"] = False
    made.jobs(4)
    assert len(made.volume.kept) == kept


# --- the process itself ---


@pytest.mark.parametrize("release", RULES)
def test_every_start_counts_as_an_execution_from_1_7_on(release: str) -> None:
    made = bench(release, "snapshot-force-create", fails=["delete-snapshot"])
    starts = sum(made.job()[1] for _ in range(2))
    assert made.cluster.executions == (starts if _number(release) >= (1, 7, 0) else 0)


def test_a_conflict_in_counting_is_fatal() -> None:
    made = bench("v1.12.1", "snapshot")
    made.cluster.fails.add("count")
    assert made.start() == 1
    assert made.lines('level=fatal msg="Failed to do a recurring job"')
    assert made.lines('error="failed to update job execution count: no count"')


@pytest.mark.parametrize("release", RULES)
def test_a_job_that_is_gone_is_no_failure(release: str) -> None:
    made = bench(release, "snapshot")
    made.cluster.fails.add("job")
    assert made.start() == 0
    assert made.lines('level=error msg="Failed to get recurring job nightly."')


@pytest.mark.parametrize("release", RULES)
def test_a_manager_out_of_reach(release: str) -> None:
    made = bench(release, "snapshot")
    made.cluster.fails.add("client")
    assert made.start() == (1 if release in PROPAGATES else 0)
    assert len(made.lines("level=error")) == 2, "one line for each volume"


@pytest.mark.parametrize("release", RULES)
def test_volumes_that_cannot_be_worked_on_are_named(release: str) -> None:
    made = bench(release, "snapshot")
    made.cluster.candidates = [
        Candidate("vol"), Candidate("off", state="detached"), Candidate("bad", robustness="faulted"),
        Candidate("new", restoring=True),
    ]  # fmt: skip
    made.start()
    level = "warning" if release in OBJECTS else "debug"
    assert made.lines(f'level={level} msg="Cannot create job for off volume in state detached"')
    assert made.lines(f'level={level} msg="Cannot create job for bad volume in state attached"')
    assert made.lines('msg="Bypassed to create job for new volume during restoring from the backup"')
    assert made.lines('msg="Found 1 volumes with recurring job nightly"')
    assert len(made.volume.kept) == 1


@pytest.mark.parametrize("release", RULES)
def test_a_detached_volume_is_attached_by_the_old_jobs_and_left_to_others_by_the_new(release: str) -> None:
    made = bench(release, "snapshot")
    made.cluster.settings["allow-recurring-job-while-volume-detached"] = True
    made.cluster.candidates = [Candidate("vol", state="detached")]
    made.volume.state = Look(state="detached", running=False)
    assert made.start() == 0
    expected = ["create"] if release in OBJECTS else ["node", "attach nightly", "create", "detach"]
    assert made.volume.asked == expected
    assert bool(made.lines('msg="Automatically attach volume vol to node lab-node"')) is (release not in OBJECTS)


@pytest.mark.parametrize("release", RULES)
def test_a_volume_in_between_is_an_error(release: str) -> None:
    made = bench(release, "snapshot")
    made.volume.state = Look(state="attaching")
    made.start()
    assert made.lines("volume vol is in an invalid state for recurring job: attaching. Volume must be in state")
    assert made.volume.kept == []


def test_a_volume_that_is_gone_is_an_error_before_1_12_1() -> None:
    for release, code in (("v1.8.2", 1), ("v1.12.1", 0)):
        made = bench(release, "snapshot")
        made.volume.look = lambda: None  # type: ignore[method-assign]
        assert made.start() == code
    assert made.lines('level=info msg="Volume vol not found, skipping"')


@pytest.mark.parametrize("release", RULES)
def test_retain_zero(release: str) -> None:
    made = bench(release, "snapshot", retain=0)
    made.jobs(2)
    assert len(made.volume.kept) == (1 if release == "v1.2.6" else 0)


def test_snapshot_names() -> None:
    made = {release: bench(release, "snapshot") for release in ("v1.2.6", "v1.3.3", "v1.12.1")}
    named = {release: (one.start(), one.volume.kept[0].name)[1] for release, one in made.items()}
    assert re.fullmatch(r"nightly-c-[0-9a-f]{8}", named["v1.2.6"])
    for release in ("v1.3.3", "v1.12.1"):
        assert re.fullmatch(r"nightly--[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", named[release])


# --- what is said ---


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("v1.2.6", 'level=error msg="failed to run job for volume" concurrent=2 error="{error}"'),
        ("v1.3.3", 'level=error msg="Failed to run job for volume" concurrent=2 error="{error}" groups= job=nightly'),
        ("v1.4.4", 'level=error msg="Failed to run job for volume" func=app.startVolumeJob file="recurring_job.go:'),
        ("v1.5.5", 'level=error msg="Failed to run job for volume" func=app.startVolumeJob file="recurring_job.go:'),
        ("v1.8.2", 'level=error msg="Failed to run job for volume" func=app.startVolumeJob file="recurring_job.go:'),
        ("v1.9.2", 'level=error msg="Failed to run volume job" func=recurringjob.startVolumeJob file="volume.go:'),
        ("v1.12.1", 'level=error msg="Failed to run volume job" func=recurringjob.startVolumeJob file="volume.go:'),
    ],
)
def test_the_line_of_a_failing_volume(release: str, words: str) -> None:
    made = bench(release, "snapshot", fails=["delete-snapshot"])
    made.jobs(3)
    assert made.lines(words.format(error=REFUSAL))
    assert all("vol" in line for line in made.lines("level=error"))
    assert bool(made.lines('level=fatal msg="Failed to do a recurring job"')) is (release in PROPAGATES)


@pytest.mark.parametrize("release", PRE_CLEANS)
def test_an_error_of_the_clean_up_after_a_creation_names_the_task(release: str) -> None:
    made = bench(release, "snapshot-force-create", fails=["delete-snapshot"])
    made.jobs(2)
    assert made.lines(f'error="failed recurring snapshot: {REFUSAL}"')


@pytest.mark.parametrize("release", RULES)
def test_the_warning_after_a_backup(release: str) -> None:
    made = bench(release, "backup", fails=["delete-backup"])
    made.jobs(2)
    name = made.volume.stored[0].name
    if release == "v1.2.6":
        expected = (
            'level=warning msg="created backup successfully but errored on cleanup for vol: '
            f'Cleaned up backup {name} failed for vol: {REFUSAL}"'
        )
    else:
        expected = f'error="cleaned up backup {name} failed for vol: {REFUSAL}"'
        assert made.lines('level=warning msg="Created backup successfully but errored on cleanup for vol" ')
    assert made.lines(expected)


@pytest.mark.parametrize("release", RULES)
def test_an_event_tells_of_snapshots_that_stay(release: str) -> None:
    made = bench(release, "snapshot", fails=["delete-snapshot"])
    made.jobs(2)
    expected = [] if release == "v1.2.6" else ["FailedDeleting"]
    assert [reason for reason, _message in made.cluster.events][:1] == expected
    for _reason, message in made.cluster.events:
        assert message == f"failed to clean up old snapshots of volume vol: {REFUSAL}"
    assert bool(made.lines('level=info msg="Event(v1.ObjectReference{Kind:\\"RecurringJob\\"')) is bool(expected)


def test_an_event_that_is_refused_is_only_a_warning() -> None:
    made = bench("v1.3.3", "snapshot", fails=["delete-snapshot"])
    made.cluster.fails.add("event")
    assert made.jobs(2) == ["Complete", "Complete"]
    assert made.lines('level=warning msg="failed to create an event log" error="no event"')


def test_a_line_of_1_12_has_the_recorded_form() -> None:
    """The line in longhorn#13587, apart from the number behind the file's name and the names."""
    made = bench("v1.12.1", "backup", retain=15, concurrency=1)
    made.cluster.executions = 71
    made.cluster.job = dataclasses.replace(made.cluster.job, name="backup")
    execute("backup", made.setup)
    shape = (
        r'time="2026-08-21T02:13:08\.618594\d{1,3}Z" level=info msg="Creating volume job" '
        r'func=recurringjob\.startVolumeJob file="volume\.go:\d+" concurrent=1 executionCount=72 groups= job=backup '
        r'parameters="map\[\]" retain=15 snapshotName=backup-c-[0-9a-f-]{36} '
        r'specLabels="{\\"RecurringJob\\":\\"backup\\"}" task=backup volumeName=vol'
    )
    assert [line for line in made.lines("Creating volume job") if re.fullmatch(shape, line)]
    assert made.lines('msg="Starting volume job" func="recurringjob.(*VolumeJob).run" file="volume.go:')


def test_a_line_of_1_5_has_the_recorded_form() -> None:
    """The line in longhorn#7814, likewise."""
    made = bench("v1.5.5", "backup", retain=14)
    made.start()
    shape = (
        r'time="2026-08-21T02:13:08Z" level=info msg="Creating backup backup-\d+, current progress 50" '
        r'func="app\.\(\*Job\)\.doRecurringBackup" file="recurring_job\.go:\d+" labels="map\[RecurringJob:nightly\]" '
        r"namespace=longhorn-system retain=14 snapshotName=nightly-[0-9a-f-]+ task=backup volumeName=vol"
    )
    assert [line for line in made.lines("Creating backup") if re.fullmatch(shape, line)]


def test_an_unknown_release_has_no_rules() -> None:
    with pytest.raises(releases.UnknownRelease, match=r"'v1\.0\.1' has no process of recurring jobs"):
        rules("v1.0.1")
