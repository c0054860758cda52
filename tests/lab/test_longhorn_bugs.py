# SPDX-License-Identifier: GPL-3.0-or-later
"""Bug switches as data, and the pure parts that act on them. tests/faults judges what they do to a whole run."""

from __future__ import annotations

import datetime as dt
import json
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.longhorn import bugs, cron_jobs, faults, lies
from longhorn_qa_lab.longhorn.disk import Disk
from longhorn_qa_lab.longhorn.job_bugs import NO_BUGS, JobBugs
from longhorn_qa_lab.longhorn.jobs import Job
from longhorn_qa_lab.longhorn.refusals import Refusals
from longhorn_qa_lab.longhorn.releases import RELEASES

STUB = "quay.io/ttpcodes/longhorn-engine:no-cleanup"
JOB = Job(volume="vol", name="job", labels={}, retain=1, backup=True, poll=0.0)


@pytest.mark.parametrize("name", [name for name, bug in bugs.BUGS.items() if bug.needs_engine])
def test_a_bug_that_a_release_cannot_have_is_refused(name: str) -> None:
    plan = bugs.parse(bugs.document({"vol": ["event-lost", name]}))
    with pytest.raises(bugs.BadBugPlan, match=f"volume vol: {name} is not for v1.0.1"):
        bugs.require(plan, RELEASES["v1.0.1"])


@pytest.mark.parametrize("name", list(bugs.BUGS))
def test_later_releases_have_the_bugs_of_the_engine_s_status_only(name: str) -> None:
    plan = bugs.parse(bugs.document({"vol": [name]}))
    bugs.require(plan, RELEASES["v1.0.0"])
    if bugs.BUGS[name].actor == "engine status":
        bugs.require(plan, RELEASES["v1.8.2"])
        return
    with pytest.raises(bugs.BadBugPlan, match=f"volume vol: {name} is not for v1.8.2: its recurring jobs are objects"):
        bugs.require(plan, RELEASES["v1.8.2"])


def test_every_switch_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    assert [name for name, bug in bugs.BUGS.items() if f"| `{name}` | {bug.actor} | {bug.does} |" not in text] == []


def at(turn: int, *found: str) -> JobBugs:
    return JobBugs(frozenset(found), turn)


def test_a_plan_is_per_volume_and_the_star_is_every_one() -> None:
    plan = bugs.parse(bugs.document({"one": ["second-pod"], "*": ["event-lost"]}))
    assert plan.of("one") == {"second-pod", "event-lost"}
    assert plan.of("two") == {"event-lost"}
    assert bugs.parse("").of("one") == frozenset()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "not JSON", id="no JSON"),
        pytest.param('{"volumes": {}, "volume": {}}', "'volumes' and no other", id="an unknown key"),
        pytest.param('{"volumes": {"v": "event-lost"}}', "volume v: expected a list", id="no list"),
        pytest.param('{"volumes": {"v": ["gremlins"]}}', "unknown bug 'gremlins'; known: dup", id="an unknown bug"),
    ],
)
def test_a_bad_plan_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(bugs.BadBugPlan, match=words):
        bugs.parse(text)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({"images": {}, "image": {}}, "'images' and no other", id="beside the images"),
        pytest.param({"images": {"i": {"failing": []}}}, "image i: unknown key failing; known: cli", id="of an image"),
    ],
)
def test_an_unknown_key_of_a_fault_plan_is_refused(document: dict[str, t.Any], words: str) -> None:
    with pytest.raises(faults.BadFaultPlan, match=words):
        faults.parse(json.dumps(document))


@pytest.mark.parametrize(
    ("bug", "idle"),
    [
        pytest.param("complete-with-nothing", [2], id="nothing at the second"),
        pytest.param("restarted-container", [3], id="nothing after the restart"),
        pytest.param("second-pod", [2, 4], id="nothing in every second pod"),
        pytest.param("failed-with-all", [], id="always something"),
    ],
)
def test_which_starts_do_nothing(bug: str, idle: list[int]) -> None:
    assert [turn for turn in range(1, 5) if at(turn, bug).idle] == idle


def test_a_process_without_bugs_is_left_alone() -> None:
    assert NO_BUGS.job(JOB) == JOB
    assert NO_BUGS.end(0, pytest.fail) == 0
    assert NO_BUGS.plan(faults.KNOWN, STUB).of(STUB) == faults.KNOWN.of(STUB)


def test_what_changes_in_a_process_with_bugs() -> None:
    assert not at(2, "missing-artefact").job(JOB).backup
    assert at(3, "missing-artefact").job(JOB).backup
    assert at(2, "failed-with-all").end(0, pytest.fail) == 1
    assert at(1, "fault-never-fired").plan(faults.KNOWN, STUB).of(STUB).words("snapshot rm") is None
    assert at(2, "duplicate-overlapping").plan(faults.KNOWN, STUB).of(STUB).upload_seconds > 1
    assert at(1, "store-clock-off").clock() - NO_BUGS.clock() > dt.timedelta(minutes=59)


@pytest.mark.parametrize(
    ("bug", "level", "words"),
    [
        pytest.param("warning-of-another-volume", "warning", "clean-up of somebody-elses failed", id="another"),
        pytest.param("warning-quoted", "info", 'msg=\\"clean-up of vol failed', id="quoted"),
    ],
)
def test_warnings_that_do_not_count(bug: str, level: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    at(1, bug).log("vol").warning("clean-up of vol failed")
    line = capfd.readouterr().err
    assert f"level={level}" in line
    assert words in line


def test_a_swallowed_warning(capfd: pytest.CaptureFixture[str]) -> None:
    at(1, "warning-missing").log("vol").warning("clean-up of vol failed")
    assert capfd.readouterr().err == ""


def test_starts_are_counted_per_volume(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    assert [disk.count_start("one"), disk.count_start("one"), disk.count_start("two")] == [1, 2, 1]
    disk.remove("one")
    assert disk.count_start("one") == 1


def snapshots(count: int) -> lies.Lists:
    found = {f"job-{n}": {"name": f"job-{n}", "usercreated": True, "created": f"2020-06-0{n}"} for n in range(count)}
    return {**found, "volume-head": {"name": "volume-head", "usercreated": False, "created": "2020-06-01"}}


def backups(count: int) -> lies.Lists:
    return {f"backup-{n}": {"backupURL": f"s3://b?backup=backup-{n}", "state": "complete"} for n in range(count)}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_lists_lie_once_there_are_two(count: int) -> None:
    second = 1 if count >= 2 else 0
    assert len(lies.snapshots(snapshots(count), frozenset({"snapshot-list-hides"}))) == count + 1 - second
    assert len(lies.snapshots(snapshots(count), frozenset({"snapshot-list-invents"}))) == count + 1 + second
    assert len(lies.backups(backups(count), frozenset({"backup-list-hides"}))) == count - second
    assert len(lies.backups(backups(count), frozenset({"artefact-only-in-api"}))) == count + second


def test_lists_of_other_volumes_are_true() -> None:
    assert lies.snapshots(snapshots(3), frozenset({"event-lost"})) == snapshots(3)
    assert lies.backups(backups(3), frozenset()) == backups(3)


def test_cron_jobs_with_bugs_differ_from_those_without() -> None:
    pod = {"restartPolicy": "OnFailure", "containers": [{"command": [], "image": "i"}]}
    plain = {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"backoffLimit": 3, "template": {"spec": pod}}}}}
    for bug in ("second-pod", "failed-with-all"):
        assert cron_jobs.differs(plain, cron_jobs.with_bugs(json.loads(json.dumps(plain)), {bug}))
    assert not cron_jobs.differs(plain, cron_jobs.with_bugs(json.loads(json.dumps(plain)), {"event-lost"}))


class Admin:
    """Takes what would be sent to the API server."""

    def __init__(self) -> None:
        self.created: list[dict[str, t.Any]] = []

    def apply(self, _collection: str, _document: dict[str, t.Any]) -> None: ...


@pytest.mark.parametrize(
    ("name", "kind", "taken"),
    [
        pytest.param("vol-job-c", "CronJob", False, id="its own"),
        pytest.param("vol-job-c", "Job", True, id="another kind"),
        pytest.param("other-job-c", "CronJob", True, id="another CronJob"),
    ],
)
def test_only_the_events_of_that_cron_job_are_refused(
    name: str, kind: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusals, "_serve", lambda _self: None)
    refusals = Refusals(t.cast("t.Any", Admin()), tmp_path)
    refusals.refuse("other-job-c", frozenset({"tick-missed"}))
    refusals.refuse("vol-job-c", frozenset({"event-lost"}))
    assert refusals.answer({"involvedObject": {"name": name, "kind": kind, "uid": "1"}}) is taken
