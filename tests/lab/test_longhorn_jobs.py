# SPDX-License-Identifier: GPL-3.0-or-later
"""A recurring job of each release, against a volume that is a list: order of steps, words, exit codes."""

from __future__ import annotations

import datetime as dt
import io
import random
import typing as t

import pytest

from longhorn_qa_lab.longhorn import jobs, releases
from longhorn_qa_lab.longhorn.api_volume import bad_response
from longhorn_qa_lab.longhorn.jobs import Backup, Job, JobError, Progress, Snapshot
from longhorn_qa_lab.longhorn.logs import Log
from longhorn_qa_lab.longhorn.manager import labels_of, parser

MOMENT = dt.datetime(2020, 6, 8, 20, 5, 10, tzinfo=dt.timezone.utc)
LABELS = {"RecurringJob": "c-x"}
OF_VOLUMES = [row.name for row in releases.RELEASES.values() if row.recurring_jobs == "in volumes"]


class FakeVolume:
    """Keeps snapshots and backups in lists and writes down what it was asked."""

    def __init__(self, *, fails: t.Collection[str] = ()) -> None:
        self.fails = fails
        self.made: list[Snapshot] = []
        self.stored: list[Backup] = []
        self.asked: list[str] = []
        self.states = ["in_progress", "complete"]
        self.purging = [True, False]
        self.written = True
        self.backed_up = False

    def _do(self, what: str) -> None:
        self.asked.append(what)
        if what.split()[0] in self.fails:
            raise JobError(f"no {what}")

    def has_new_data(self, *, since_backup: bool) -> bool:
        return self.written or (since_backup and not self.backed_up)

    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None:
        self._do("snapshot")
        created = f"2020-06-08T20:0{len(self.made)}:00Z"
        self.made.append(Snapshot(name=name, created=created, labels=labels, removed=False, usercreated=True))

    def snapshots(self) -> list[Snapshot]:
        return list(reversed(self.made))

    def delete_snapshot(self, name: str) -> None:
        self._do(f"delete-snapshot {name}")
        self.made = [snapshot for snapshot in self.made if snapshot.name != name]

    def start_purge(self) -> None:
        self._do("purge")

    def is_purging(self) -> bool:
        return self.purging.pop(0)

    def start_backup(self, snapshot: str, labels: t.Mapping[str, str]) -> None:
        self._do("backup")

    def backup_progress(self, snapshot: str) -> Progress | None:
        state = self.states.pop(0)
        if state == "complete":
            created = f"2020-06-08T20:0{len(self.stored)}:00Z"
            name = f"b{len(self.stored)}"
            self.stored.append(Backup(name=name, url=f"s3://{name}", created=created, labels=LABELS))
        return Progress(name="b", url="s3://b", state=state, progress=0, error="broken disk")

    def backups(self) -> list[Backup]:
        return list(self.stored)

    def delete_backup(self, backup: Backup) -> None:
        self._do(f"delete-backup {backup.name}")
        self.stored.remove(backup)

    def cleaned_up_as(self, backup: Backup) -> str:
        return backup.url

    def finish_backup(self) -> None:
        self._do("finish")


def run(
    volume: FakeVolume, *, release: str, backup: bool = False, times: int = 1, retain: int = 1
) -> tuple[list[int], list[str]]:
    """Exit codes and log lines of some runs, one after another."""
    stream = io.StringIO()
    log = Log(stream, lambda: MOMENT)
    job = Job(volume="vol", name="c-x", labels=LABELS, retain=retain, backup=backup, poll=5.0)
    codes = []
    for _ in range(times):
        volume.states, volume.purging = ["in_progress", "complete"], [True, False]
        runner = jobs.Runner(job, volume, release=releases.release(release), log=log, sleep=lambda _seconds: None)
        codes.append(jobs.execute(runner.run, log))
    lines = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    return codes, lines


@pytest.mark.parametrize("release", OF_VOLUMES)
def test_a_good_clean_up_keeps_what_retain_says(release: str) -> None:
    volume = FakeVolume()
    codes, lines = run(volume, release=release, times=4, retain=2)
    assert (codes, len(volume.made)) == ([0, 0, 0, 0], 2)
    assert [line for line in lines if "warning" in line or "fatal" in line] == []
    assert [word.split()[0] for word in volume.asked if word != "snapshot"] == ["delete-snapshot", "purge"] * 2


@pytest.mark.parametrize(
    ("release", "codes", "level", "begins"),
    [
        pytest.param("2020-06", [0, 0], "warning", "created snapshot successfully but errored on cleanup for vol: no",
                     id="the page's build warns and is content"),
        pytest.param("v1.0.0", [0, 1], "fatal", "Error taking snapshot: no", id="1.0.0 ends with an error"),
        pytest.param("v1.0.1", [0, 0], "warning", "created snapshot successfully but errored on cleanup for vol: no",
                     id="1.0.1 warns and is content"),
        pytest.param("v1.1.3", [0, 0], "warning", "created snapshot successfully but errored on cleanup for vol: no",
                     id="1.1 warns and is content"),
    ],
)  # fmt: skip
def test_a_failing_snapshot_deletion(release: str, codes: list[int], level: str, begins: str) -> None:
    volume = FakeVolume(fails=["delete-snapshot"])
    seen, lines = run(volume, release=release, times=2)
    assert seen == codes
    assert len(volume.made) == 2, "each run made its own snapshot"
    lines = [line for line in lines if "Running recurring" not in line]
    assert [line.split()[0] for line in lines] == [f"level={level}"]
    assert f'msg="{begins}' in lines[0]
    assert "purge" not in volume.asked


def test_a_failing_snapshot_deletion_does_not_keep_the_fixed_releases_from_backing_up() -> None:
    volume = FakeVolume(fails=["delete-snapshot"])
    codes, _lines = run(volume, release="2020-06", backup=True, times=3)
    assert (codes, len(volume.made), len(volume.stored)) == ([0, 0, 0], 3, 1)


def test_a_failing_snapshot_deletion_ends_a_backup_job_of_1_0_0_before_its_backup() -> None:
    volume = FakeVolume(fails=["delete-snapshot"])
    codes, lines = run(volume, release="v1.0.0", backup=True, times=3)
    assert (codes, len(volume.made), len(volume.stored)) == ([0, 1, 1], 3, 1)
    assert "Error taking snapshot: failed to complete backupAndCleanup for vol: no delete-snapshot" in lines[-1]


@pytest.mark.parametrize(
    ("release", "codes", "words"),
    [
        pytest.param("2020-06", [0, 0], "created backup successfully but errored on cleanup for vol: Cleaned up backup "
                     "s3://b0 failed for vol: no delete-backup b0", id="the page's build"),
        pytest.param("v1.0.0", [0, 1], "Error taking snapshot: failed to complete backupAndCleanup for vol: Cleaned up "
                     "backup s3://b0 failed for vol: no delete-backup b0", id="1.0.0"),
    ],
)  # fmt: skip
def test_a_failing_backup_deletion(release: str, codes: list[int], words: str) -> None:
    volume = FakeVolume(fails=["delete-backup"])
    seen, lines = run(volume, release=release, backup=True, times=2)
    assert (seen, len(volume.stored)) == (codes, 2)
    assert words in lines[-1]
    assert volume.asked.count("finish") == 1, "the last backup is noted after a good clean-up only"


@pytest.mark.parametrize("release", OF_VOLUMES)
@pytest.mark.parametrize("step", ["snapshot", "backup"])
def test_a_failing_creation_is_an_error_everywhere(release: str, step: str) -> None:
    codes, lines = run(FakeVolume(fails=[step]), release=release, backup=True)
    assert codes == [1]
    assert lines[-1].startswith('level=fatal msg="Error taking snapshot: ')


def test_a_backup_that_ends_in_error_is_a_creation_error() -> None:
    volume = FakeVolume()
    job = Job(volume="vol", name="c-x", labels=LABELS, retain=1, backup=True, poll=5.0)
    volume.states = ["error"]
    runner = jobs.Runner(
        job, volume, release=releases.release("2020-06"), log=Log(io.StringIO()), sleep=lambda _seconds: None
    )
    with pytest.raises(JobError, match="broken disk"):
        runner.run()


def test_the_oldest_go_first_and_retain_0_counts_as_1() -> None:
    items = [Snapshot(name=n, created=n, labels={}, removed=False, usercreated=True) for n in ("3", "1", "2")]
    assert [item.name for item in jobs.beyond(items, 2)] == ["1"]
    assert [item.name for item in jobs.beyond(items, 0)] == ["1", "2"]
    assert jobs.beyond(items, 3) == []


def test_other_jobs_and_users_snapshots_are_left_alone() -> None:
    volume = FakeVolume()
    for name, labels, usercreated in (("theirs", {"RecurringJob": "c-y"}, True), ("mine", {}, True),
                                      ("system", LABELS, False)):  # fmt: skip
        volume.made.append(Snapshot(name=name, created="2019", labels=labels, removed=False, usercreated=usercreated))
    run(volume, release="2020-06", times=2)
    assert {"theirs", "mine", "system"} < {snapshot.name for snapshot in volume.made}


def test_the_api_error_has_its_parts_in_any_order() -> None:
    body = '{"actions":{},"code":"Server Error","detail":"","links":{},"message":"fail","status":500,"type":"error"}'
    found = {bad_response(500, "Internal Server Error", body, "http://m/x", random.Random(seed)) for seed in range(40)}
    start = "Bad response statusCode [500]. Status [500 Internal Server Error]. Body: ["
    assert found == {
        f"{start}{parts}] from [http://m/x]"
        for parts in (
            "code=Server Error, detail=, message=fail",
            "detail=, message=fail, code=Server Error",
            "message=fail, code=Server Error, detail=",
        )
    }


def test_an_api_error_that_is_no_document_is_quoted_as_it_is() -> None:
    text = bad_response(503, "Service Unavailable", "no endpoints", "http://m/x", random.Random(1))
    status = "Bad response statusCode [503]. Status [503 Service Unavailable]."
    assert text == f"{status} Body: [no endpoints] from [http://m/x]"


def test_both_command_lines_are_understood() -> None:
    old = parser().parse_args(["-d", "snapshot", "vol", "--snapshot-name", "c-x", "--labels", "RecurringJob=c-x",
                               "--retain", "1", "--backuptarget", "s3://b@r/"])  # fmt: skip
    new = parser().parse_args(
        [
            "-d",
            "snapshot",
            "vol",
            "--manager-url",
            "http://longhorn-backend:9500/v1",
            "--snapshot-name",
            "c-x",
            "--labels",
            "a=b=c",
            "--labels",
            "d=e",
            "--backup",
        ]
    )
    assert (old.volume, old.retain, old.backuptarget, old.backup) == ("vol", 1, "s3://b@r/", False)
    assert (new.backup, labels_of(new.labels)) == (True, {"a": "b=c", "d": "e"})


def test_an_unknown_release_is_named_with_the_known_ones() -> None:
    with pytest.raises(releases.UnknownRelease, match=r"v9.*2020-06, v1.0.0, v1.0.1"):
        releases.release("v9")


# --- 1.1 ---


def test_1_1_says_what_it_runs() -> None:
    _codes, lines = run(FakeVolume(), release="v1.1.3", backup=True)
    assert lines[0] == 'level=info msg="Running recurring backup for volume vol"'
    assert lines[1:] == [
        'level=debug msg="Creating backup s3://b, current progress 0"',
        'level=debug msg="Complete creating backup s3://b"',
    ]


def test_1_1_makes_no_snapshot_without_new_data() -> None:
    volume = FakeVolume()
    volume.written = False
    codes, lines = run(volume, release="v1.1.3", times=2)
    assert (codes, volume.made) == ([0, 0], [])
    assert lines[1] == (
        'level=info msg="Skipping taking snapshot because the volume vol doesn\'t have new data in volume-head"'
    )


def test_1_1_makes_no_backup_of_what_is_backed_up() -> None:
    volume = FakeVolume()
    volume.written = False
    run(volume, release="v1.1.3", backup=True)
    assert (len(volume.made), len(volume.stored)) == (1, 1), "a snapshot that has no backup yet gets one"
    volume.backed_up = True
    _codes, lines = run(volume, release="v1.1.3", backup=True)
    assert (len(volume.made), len(volume.stored)) == (1, 1)
    assert lines[-1] == (
        "level=info msg=\"Skipping taking backup because volume vol is either empty or doesn't have new data since the "
        'last backup"'
    )


def test_1_0_1_never_asks() -> None:
    volume = FakeVolume()
    volume.written = False
    run(volume, release="v1.0.1")
    assert len(volume.made) == 1


def test_a_backup_that_never_starts_is_an_error_in_1_1() -> None:
    volume = FakeVolume()
    volume.backup_progress = lambda _snapshot: None  # type: ignore[method-assign]
    codes, lines = run(volume, release="v1.1.3", backup=True)
    assert codes == [1]
    assert "timeout waiting for the backup of the snapshot c-x-" in lines[-1]
