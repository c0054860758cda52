# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing is changed in a recording that passes, and exactly the verdicts change that should.

The recording stands as if our own recorder had made it, so that everything passes before.
"""

from __future__ import annotations

import copy
import json
import typing as t
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CHECKS, judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile

Make = Callable[[str], t.Any]
Change = Callable[[t.Any], None]

SNAP, BACK, CONTROL = "test-nc-snap", "test-nc-back", "test-ncb-snap"
JOB = {
    SNAP: "test-nc-snap-c-ncsnp-c-299233",
    BACK: "test-nc-back-c-ncbck-c-299233",
    CONTROL: "test-ncb-snap-c-nbsnp-c-299233",
}
WARNING = "created snapshot successfully but errored on cleanup for test-nc-snap: "


def engine_log(m: t.Any) -> str:
    (pod,) = [pod for pod in m.log_paths if pod.startswith("instance-manager-e-")]
    return str(pod)


def manager_log(m: t.Any) -> str:
    (pod,) = [pod for pod in m.log_paths if pod.startswith("longhorn-manager-")]
    return str(pod)


def version(document: t.Any) -> int:
    return int(document["metadata"]["resourceVersion"])


def show_snapshot(m: t.Any, volume: str, name: str, job: str, after: str) -> None:
    """The engine shows another snapshot from the first sighting of ``after`` on."""
    seen = False
    for engine in m.of("engines", volume + "-e-"):
        snapshots = engine.get("status", {}).get("snapshots") or {}
        seen = seen or after in snapshots
        if seen:
            snapshots[name] = {"name": name, "labels": {"RecurringJob": job}, "usercreated": True}
    assert seen


def log_snapshot(m: t.Any, name: str, after: str) -> None:
    """The engine's log has another creation right after that of ``after``."""
    path = m.log_paths[engine_log(m)]
    lines = m.logs[path].decode().splitlines(keepends=True)
    (place,) = [i for i, line in enumerate(lines) if f" {after} UserCreated" in line]
    lines.insert(place + 1, lines[place].replace(after, name))
    m.set_log(engine_log(m), "".join(lines).encode())


def forget_snapshot(m: t.Any, name: str) -> None:
    for engine in m.of("engines"):
        (engine.get("status", {}).get("snapshots") or {}).pop(name, None)
    path = m.log_paths[engine_log(m)]
    lines = [line for line in m.logs[path].decode().splitlines(keepends=True) if f" {name} UserCreated" not in line]
    m.set_log(engine_log(m), "".join(lines).encode())


def duplicate_snapshot(m: t.Any) -> None:
    show_snapshot(m, SNAP, "c-ncsnp-ffffffff", "c-ncsnp", "c-ncsnp-3fc38ae3")
    log_snapshot(m, "c-ncsnp-ffffffff", "c-ncsnp-3fc38ae3")


def duplicate_snapshot_only_logged(m: t.Any) -> None:
    log_snapshot(m, "c-ncsnp-ffffffff", "c-ncsnp-3fc38ae3")


def duplicate_snapshot_only_shown(m: t.Any) -> None:
    show_snapshot(m, SNAP, "c-ncsnp-ffffffff", "c-ncsnp", "c-ncsnp-3fc38ae3")


def snapshot_of_another_job(m: t.Any) -> None:
    show_snapshot(m, SNAP, "mine-1", "another", "c-ncsnp-3fc38ae3")


def snapshot_of_a_user(m: t.Any) -> None:
    show_snapshot(m, SNAP, "mine-1", "", "c-ncsnp-3fc38ae3")


def missing_snapshot(m: t.Any) -> None:
    forget_snapshot(m, "c-ncsnp-3fc38ae3")


def second_pod(m: t.Any) -> None:
    pod = copy.deepcopy(list(m.of("pods", JOB[SNAP] + "91"))[-1])
    pod["metadata"] |= {"uid": "second", "name": JOB[SNAP] + "91-zzzzz"}
    m.add(model.ObjectSeen(1, m.records[0].at, "pods", "ADDED", pod))
    m.add_log("second", JOB[SNAP] + "91-zzzzz", 0, b"")


def restarted_container(m: t.Any) -> None:
    pods = list(m.of("pods", JOB[SNAP] + "91"))
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses", []):
            if "terminated" in status["state"]:
                status["restartCount"] = 1
    path = m.log_paths[pods[0]["metadata"]["name"]]
    m.add_log(pods[0]["metadata"]["uid"], pods[0]["metadata"]["name"], 1, m.logs[path])


def retried_creation(m: t.Any) -> None:
    restarted_container(m)
    (pod,) = [pod for pod in m.log_paths if pod.startswith(JOB[SNAP] + "91")]
    line = b'time="2026-11-23T03:11:01Z" level=fatal msg="Error taking snapshot: cannot create: no space"\n'
    m.set_log(pod, line)


def job_failed(m: t.Any) -> None:
    for job in m.of("jobs", JOB[SNAP] + "91"):
        for condition in job["status"].get("conditions", []):
            condition |= {"type": "Failed", "reason": "BackoffLimitExceeded"}
        job["status"].pop("failed", None)


def warning_missing(m: t.Any) -> None:
    (pod,) = [pod for pod in m.log_paths if pod.startswith(JOB[SNAP] + "91")]
    m.set_log(pod, b"")


def warning_of_another_volume(m: t.Any) -> None:
    assert m.edit_log(JOB[SNAP] + "91", "cleanup for test-nc-snap:", "cleanup for test-nc-snap-2:")


def warning_at_another_level(m: t.Any) -> None:
    assert m.edit_log(JOB[SNAP] + "91", "level=warning", "level=info")


def warning_quoted_by_another_line(m: t.Any) -> None:
    assert m.edit_log(JOB[SNAP] + "91", 'msg="created snapshot', 'msg="Event(v1.ObjectReference): created snapshot')


def warning_in_an_escaped_message(m: t.Any) -> None:
    line = (
        'time="2026-11-23T03:11:01Z" level=warning msg="x level=warning msg=\\"'
        + WARNING
        + "error deleting snapshot 'a': e\\\"\"\n"
    )
    (pod,) = [pod for pod in m.log_paths if pod.startswith(JOB[SNAP] + "91")]
    m.set_log(pod, line.encode())


def warning_in_a_line_that_is_not_logfmt(m: t.Any) -> None:
    assert m.edit_log(JOB[SNAP] + "91", "time=", "echo time=")


def warning_in_a_control(m: t.Any) -> None:
    old = 'level=debug msg="Cleaned up snapshot c-nbsnp-edd1c356 for test-ncb-snap"'
    words = "created snapshot successfully but errored on cleanup for test-ncb-snap: error deleting snapshot 'x': e"
    assert m.edit_log(JOB[CONTROL] + "92", old, f'level=warning msg="{words}"')


def fault_never_fired(m: t.Any) -> None:
    for pod in [pod for pod in m.log_paths if pod.startswith(JOB[SNAP]) and "89-" not in pod]:
        line = b'time="2026-11-23T03:11:01Z" level=debug msg="Cleaned up snapshot c-ncsnp-x for test-nc-snap"\n'
        m.set_log(pod, line)


def log_gone(m: t.Any) -> None:
    m.drop_log(JOB[SNAP] + "91")


def log_gone_of_backup(m: t.Any) -> None:
    m.drop_log(JOB[BACK] + "91")


def log_cut(m: t.Any) -> None:
    (path,) = [path for pod, path in m.log_paths.items() if pod.startswith(JOB[SNAP] + "91")]
    m.logs[path] = m.logs[path][:-20]


def log_holds_an_error(m: t.Any) -> None:
    (pod,) = [pod for pod in m.log_paths if pod.startswith(JOB[SNAP] + "91")]
    m.set_log(pod, b"unable to retrieve container logs for containerd://7f36e4")


def engine_log_gone(m: t.Any) -> None:
    m.drop_log("instance-manager-e-")


def event_lost(m: t.Any) -> None:
    done = m.drop(
        lambda r: (
            isinstance(r, model.ObjectSeen)
            and r.object.get("message") == f"Saw completed job: {JOB[SNAP]}91, status: Complete"
        )
    )
    assert done


def event_of_an_earlier_cronjob(m: t.Any) -> None:
    for event in m.of("events", SNAP + "-c-ncsnp-c."):
        if event["message"] == f"Created job {JOB[SNAP]}91":
            event["involvedObject"]["uid"] = "an-earlier-one"


def event_says_failed(m: t.Any) -> None:
    for event in m.of("events", SNAP + "-c-ncsnp-c."):
        event["message"] = event["message"].replace("91, status: Complete", "91, status: Failed")


def event_budget_spent(m: t.Any) -> None:
    event_lost(m)
    spent = next(m.of("events", SNAP + "-c-ncsnp-c."))
    spent["count"] = 25


def tick_missed(m: t.Any) -> None:
    for kind in ("jobs", "pods"):
        assert m.drop_object(kind, JOB[SNAP] + "91")
    m.drop_log(JOB[SNAP] + "91")
    forget_snapshot(m, "c-ncsnp-3fc38ae3")


def tick_superseded(m: t.Any) -> None:
    tick_missed(m)
    for job in m.of("jobs", JOB[SNAP] + "90"):
        if job["status"].get("completionTime"):
            job["status"]["completionTime"] = "2026-11-23T03:11:30Z"


def tick_missed_while_suspended(m: t.Any) -> None:
    tick_missed(m)
    for cronjob in m.of("cronjobs", SNAP):
        schedule = cronjob["status"].get("lastScheduleTime", "")
        cronjob["spec"]["suspend"] = schedule in ("2026-11-23T03:10:00Z", "2026-11-23T03:11:00Z")


def tick_run_twice(m: t.Any) -> None:
    """The same tick again by another Job of the same name, with a pod, a log and a snapshot of its own."""
    jobs = [copy.deepcopy(item) for item in m.of("jobs", JOB[SNAP] + "91")][:3]
    next_one = version(next(m.of("jobs", JOB[SNAP] + "92")))
    engine = copy.deepcopy([e for e in m.of("engines", SNAP + "-e-") if version(e) < next_one][-1])
    last = max(version(jobs[2]), version(engine))
    show_snapshot(m, SNAP, "c-ncsnp-ffffffff", "c-ncsnp", "c-ncsnp-086d9636")
    log_snapshot(m, "c-ncsnp-ffffffff", "c-ncsnp-3fc38ae3")
    engine["status"]["snapshots"]["c-ncsnp-ffffffff"] = {"labels": {"RecurringJob": "c-ncsnp"}}
    engine["metadata"]["resourceVersion"] = str(last + 3)
    m.add(model.ObjectSeen(1, m.records[0].at, "engines", "MODIFIED", engine))
    for place, job in zip((1, 2, 4), jobs, strict=True):
        job["metadata"] |= {"uid": "again", "resourceVersion": str(last + place)}
        m.add(model.ObjectSeen(1, m.records[0].at, "jobs", "MODIFIED" if place > 1 else "ADDED", job))
    pod = copy.deepcopy(list(m.of("pods", JOB[SNAP] + "91"))[-1])
    path = m.log_paths[pod["metadata"]["name"]]
    pod["metadata"] |= {"uid": "second", "name": JOB[SNAP] + "91-zzzzz"}
    pod["metadata"]["ownerReferences"][0]["uid"] = "again"
    for place, event in enumerate(list(m.of("events", SNAP + "-c-ncsnp-c."))):
        if JOB[SNAP] + "91" in event["message"]:
            again = copy.deepcopy(event)
            again["metadata"] |= {"uid": f"again-{place}", "resourceVersion": str(last + 5)}
            m.add(model.ObjectSeen(1, m.records[0].at, "events", "ADDED", again))
    m.add(model.ObjectSeen(1, m.records[0].at, "pods", "ADDED", pod))
    m.add_log("second", JOB[SNAP] + "91-zzzzz", 0, m.logs[path])


def overlap(m: t.Any) -> None:
    """A Job is over only after the next one was added."""
    later = version(next(m.of("jobs", JOB[SNAP] + "92")))
    end = next(version(record.object) for record in m.records if _is_end_of(record, JOB[SNAP] + "91"))
    for job in m.of("jobs", JOB[SNAP] + "91"):
        if version(job) == end:
            job["metadata"]["resourceVersion"] = str(later + 1)


def backups_at_once(m: t.Any) -> None:
    for engine in m.of("engines", BACK + "-e-"):
        states = engine.get("status", {}).get("backupStatus") or {}
        if len(states) == 2:
            for state in states.values():
                state["state"] = "in_progress"


def store_only(m: t.Any) -> None:
    """From the second listing on that has the third backup, the store has one that nobody else knows."""
    extra = model.StoredBackup(BACK, "backup-ffffffffffffffff", "backupstore/volumes/cd/f8/x.cfg")
    for place, record in enumerate(m.records):
        if isinstance(record, model.Store) and any(b.name == "backup-e47082b94994412f" for b in record.backups):
            m.records[place] = replace(record, backups=(*record.backups, extra))


def api_only(m: t.Any) -> None:
    for engine in m.of("engines", BACK + "-e-"):
        states = engine.get("status", {}).get("backupStatus") or {}
        if "backup-e47082b94994412f" in states:
            states["backup-ffffffffffffffff"] = {"snapshotName": "c-ncbck-a2b68e8b", "state": "complete"}


def never_in_the_store(m: t.Any) -> None:
    for place, record in enumerate(m.records):
        if isinstance(record, model.Store):
            kept = tuple(backup for backup in record.backups if backup.name != "backup-e47082b94994412f")
            m.records[place] = replace(record, backups=kept)


def backup_of_an_older_snapshot(m: t.Any) -> None:
    line = "backup-e47082b94994412f created for volume test-nc-back snapshot "
    assert m.edit_log(JOB[BACK] + "91", line + "c-ncbck-a2b68e8b", line + "c-ncbck-07f5f038")
    for engine in m.of("engines", BACK + "-e-"):
        states = engine.get("status", {}).get("backupStatus") or {}
        if "backup-e47082b94994412f" in states:
            states["backup-e47082b94994412f"]["snapshotName"] = "c-ncbck-07f5f038"


def backup_by_a_snapshot_job(m: t.Any) -> None:
    for engine in m.of("engines", SNAP + "-e-"):
        if "c-ncsnp-3fc38ae3" in (engine.get("status", {}).get("snapshots") or {}):
            engine["status"]["backupStatus"] = {"backup-1": {"snapshotName": "c-ncsnp-3fc38ae3", "state": "complete"}}


def store_unreadable(m: t.Any) -> None:
    for place, record in enumerate(m.records):
        if isinstance(record, model.Store):
            m.records[place] = replace(record, backups=(), error="403 AccessDenied")


def duplicate_snapshot_late(m: t.Any) -> None:
    """Shown for the first time after its Job was over, before the next one is added."""
    over = next(record for record in m.records if _is_end_of(record, JOB[SNAP] + "91"))
    later = version(over.object) + 1
    engine = copy.deepcopy([e for e in m.of("engines", SNAP + "-e-") if version(e) < later][-1])
    show_snapshot(m, SNAP, "c-ncsnp-ffffffff", "c-ncsnp", "c-ncsnp-086d9636")
    log_snapshot(m, "c-ncsnp-ffffffff", "c-ncsnp-3fc38ae3")
    engine["status"]["snapshots"]["c-ncsnp-ffffffff"] = {"labels": {"RecurringJob": "c-ncsnp"}}
    engine["metadata"]["resourceVersion"] = str(later)
    m.add(model.ObjectSeen(1, m.records[0].at, "engines", "MODIFIED", engine))


def _is_end_of(record: t.Any, name: str) -> bool:
    if not isinstance(record, model.ObjectSeen) or record.kind != "jobs" or record.object["metadata"]["name"] != name:
        return False
    return bool(record.object["status"].get("conditions"))


def duplicate_backup_overlapping(m: t.Any) -> None:
    for engine in m.of("engines", BACK + "-e-"):
        states = engine.get("status", {}).get("backupStatus") or {}
        if "backup-e47082b94994412f" in states:
            for name in ("backup-e47082b94994412f", "backup-ffffffffffffffff"):
                states[name] = {"snapshotName": "c-ncbck-a2b68e8b", "state": "in_progress"}


def duplicate_backup_everywhere(m: t.Any) -> None:
    first, second = "backup-e47082b94994412f", "backup-ffffffffffffffff"
    for engine in m.of("engines", BACK + "-e-"):
        states = engine.get("status", {}).get("backupStatus") or {}
        if first in states:
            states[second] = states[first]
    (pod,) = [pod for pod in m.log_paths if pod.startswith(JOB[BACK] + "91")]
    log = m.logs[m.log_paths[pod]]
    line = next(line for line in log.splitlines(keepends=True) if b" created for volume " in line)
    m.set_log(pod, log.replace(line, line + line.replace(first.encode(), second.encode())))
    for place, record in enumerate(m.records):
        if isinstance(record, model.Store):
            more = [
                replace(b, name=second, key=b.key.replace(first, second)) for b in record.backups if b.name == first
            ]
            m.records[place] = replace(record, backups=(*record.backups, *more))


def missing_backup(m: t.Any) -> None:
    name = "backup-e47082b94994412f"
    for engine in m.of("engines", BACK + "-e-"):
        (engine.get("status", {}).get("backupStatus") or {}).pop(name, None)
    for pod, path in m.log_paths.items():
        if pod.startswith(JOB[BACK]):
            lines = m.logs[path].splitlines(keepends=True)
            made = (b"Backup " + name.encode(), b"Creating backup " + name.encode(), b"Complete creating backup")
            mine = [line for line in lines if name.encode() in line and any(words in line for words in made)]
            m.set_log(pod, b"".join(line for line in lines if line not in mine))
    never_in_the_store(m)


def backup_missing_in_the_api(m: t.Any) -> None:
    for engine in m.of("engines", BACK + "-e-"):
        (engine.get("status", {}).get("backupStatus") or {}).pop("backup-e47082b94994412f", None)


def backup_that_its_log_does_not_name(m: t.Any) -> None:
    name = b"backup-e47082b94994412f"
    (pod,) = [pod for pod in m.log_paths if pod.startswith(JOB[BACK] + "91")]
    lines = m.logs[m.log_paths[pod]].splitlines(keepends=True)
    m.set_log(pod, b"".join(line for line in lines if name not in line))


def backup_of_an_attempt_that_was_ended(m: t.Any) -> None:
    backup_that_its_log_does_not_name(m)
    for pod in m.of("pods", JOB[BACK] + "91"):
        for container in pod["status"].get("containerStatuses") or ():
            if "terminated" in container["state"]:
                container["state"]["terminated"]["exitCode"] = 2


def complete_with_nothing_made(m: t.Any) -> None:
    forget_snapshot(m, "c-ncsnp-3fc38ae3")
    warning_missing(m)


def snapshot_never_shown(m: t.Any) -> None:
    for engine in m.of("engines", SNAP + "-e-"):
        (engine.get("status", {}).get("snapshots") or {}).pop("c-ncsnp-3fc38ae3", None)


def event_of_an_earlier_job(m: t.Any) -> None:
    added = version(next(m.of("jobs", JOB[SNAP] + "91")))
    for event in m.of("events", SNAP + "-c-ncsnp-c."):
        if event["message"] == f"Created job {JOB[SNAP]}91":
            event["metadata"]["resourceVersion"] = str(added - 1)


def outlives_the_next_tick(m: t.Any) -> None:
    """Job 90 ends just before Job 91 is added, which is late by half a minute."""
    for job in m.of("jobs", JOB[SNAP] + "90"):
        if job["status"].get("completionTime"):
            job["status"]["completionTime"] = "2026-11-23T03:11:30Z"
    for job in m.of("jobs", JOB[SNAP] + "91"):
        job["metadata"]["creationTimestamp"] = "2026-11-23T03:11:31Z"
        job["status"] |= {"startTime": "2026-11-23T03:11:31Z"} if job["status"].get("startTime") else {}


def stores_clock_an_hour_off(m: t.Any) -> None:
    for place, record in enumerate(m.records):
        if isinstance(record, model.Store):
            moved = tuple(replace(b, last_modified="2026-11-23T04:11:01+00:00") for b in record.backups)
            m.records[place] = replace(record, backups=moved)
    m.add(model.Clock(1, m.records[0].at, "store", 3600.0))


def old_snapshot_stays(m: t.Any) -> None:
    """The engine shows it to the end, though the log says that it was deleted."""
    engine = copy.deepcopy(list(m.of("engines", CONTROL + "-e-"))[-1])
    engine["status"]["snapshots"]["c-nbsnp-636ca8a5"] = {"labels": {"RecurringJob": "c-nbsnp"}}
    engine["metadata"]["resourceVersion"] = "19401"
    m.add(model.ObjectSeen(1, m.records[0].at, "engines", "MODIFIED", engine))


def engine_not_seen_again(m: t.Any) -> None:
    """The last sight of it is from before the last clean-up."""
    engine = list(m.of("engines", CONTROL + "-e-"))[-1]
    engine["status"]["snapshots"]["c-nbsnp-636ca8a5"] = {"labels": {"RecurringJob": "c-nbsnp"}}


def gap_in(kind: str) -> Change:
    return lambda m: m.gap(kind)


def no_end(m: t.Any) -> None:
    del m.records[-1]


JOB_CHECKS = (
    "fault-live", "job-succeeded", "single-attempt", "one-snapshot-per-invocation", "one-backup-per-invocation",
    "no-overlap", "count-matches-schedule", "cleanup-warning", "events-recorded", "history-complete",
)  # fmt: skip
UNKNOWN, FAIL = "inconclusive", "fail"

TABLE: list[dict[str, t.Any]] = yaml.safe_load((Path(__file__).parents[4] / "expected" / "mutants.yml").read_text())[
    "mutants"
]
TESTS = Path(__file__).parents[4]
OUTPUT = TESTS / "output"
APPROVED: dict[str, t.Any] = json.loads((TESTS / "expected" / "texts.json").read_text())["texts"]
ABOUT = (
    "What the verdicts say: per change of a recording (see mutants.yml) the checks that it changes, with summary, "
    "advice and the first evidence. Compared word by word; a failing test writes the new words to tests/output."
)
CASES = [pytest.param(globals()[row["name"]], row["volume"], row["changed"], id=row["name"]) for row in TABLE]


@pytest.fixture(scope="module")
def before(untouched: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {volume: untouched[volume] for volume in (SNAP, BACK, CONTROL)}


@pytest.fixture(scope="module")
def found() -> t.Iterator[dict[str, t.Any]]:
    """What the verdicts said, kept beside the approved words when they differ."""
    words: dict[str, t.Any] = {}
    yield words
    if any(APPROVED.get(name) != said for name, said in words.items()):
        OUTPUT.mkdir(parents=True, exist_ok=True)
        document = {"about": ABOUT, "texts": {**APPROVED, **words}}
        (OUTPUT / "texts.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def said(judgement: t.Any, volume: str, checks: t.Iterable[str]) -> dict[str, list[str]]:
    return {
        c.check: [c.summary, *([f"advice: {c.advice}"] if c.advice else []), *(str(e)[:160] for e in c.evidence[:4])]
        for c in judgement.checks
        if c.volume == volume and c.check in checks
    }


@pytest.mark.parametrize(("change", "volume", "changed"), CASES)
def test_one_change_changes_exactly_its_checks(
    change: Change,
    volume: str,
    changed: dict[str, str],
    mutant: t.Callable[..., t.Any],
    before: dict[str, dict[str, str]],
    found: dict[str, t.Any],
) -> None:
    after = mutant("2020-06", (SNAP, BACK, CONTROL))
    change(after)
    judgement = after.judge()
    verdicts = {cell.cell.volume: {c.check: c.verdict for c in cell.checks} for cell in judgement.cells}
    told = "\n".join(f"{c.check}: {c.verdict}: {c.summary}" for c in judgement.checks if c.volume == volume)
    assert verdicts == {**before, volume: {**before[volume], **changed}}, told
    name = change.__name__
    found[name] = said(judgement, volume, changed)
    assert found[name] == APPROVED.get(name), "if these words are meant, copy tests/output/texts.json to tests/expected"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(outlives_the_next_tick, "03:11:00Z was delayed", id="a Job that waited"),
        pytest.param(tick_superseded, "03:11:00Z was superseded", id="a later tick in its place"),
    ],
)
def test_why_a_tick_has_no_job_of_its_own_minute_is_told_apart(change: Change, told: str, mutant: Make) -> None:
    after = mutant("2020-06", (SNAP,))
    change(after)
    (check,) = [c for c in after.judge().checks if c.check == "count-matches-schedule"]
    assert check.verdict == "pass"
    assert told in check.summary
    assert check.summary.count("was ") == 1


def test_words_of_verdicts_that_pass_are_the_approved_ones(mutant: Make, found: dict[str, t.Any]) -> None:
    judgement = mutant("2020-06", (SNAP, BACK, CONTROL)).judge()
    found["untouched"] = {volume: said(judgement, volume, CHECKS) for volume in (SNAP, BACK, CONTROL)}
    assert found["untouched"] == APPROVED.get("untouched")


def test_our_own_recording_of_it_passes(mutant: Make) -> None:
    judgement = mutant("2020-06").judge()
    assert judgement.verdict == "pass", [c for c in judgement.checks if c.verdict not in ("pass", "not_applicable")]


EVERYWHERE: list[tuple[str, Change, dict[str, str]]] = [
    ("engine log gone", engine_log_gone, {"one-snapshot-per-invocation": UNKNOWN, "count-matches-schedule": UNKNOWN}),
    ("gap in jobs", gap_in("jobs"), dict.fromkeys(JOB_CHECKS, UNKNOWN)),
    (
        "gap in pods",
        gap_in("pods"),
        dict.fromkeys(["fault-live", "single-attempt", "cleanup-warning", "history-complete"], UNKNOWN),
    ),
    ("gap in events", gap_in("events"), {"events-recorded": UNKNOWN, "history-complete": UNKNOWN}),
    ("gap in cronjobs", gap_in("cronjobs"), {"count-matches-schedule": UNKNOWN, "history-complete": UNKNOWN}),
    (
        "gap in engines",
        gap_in("engines"),
        dict.fromkeys(["one-snapshot-per-invocation", "count-matches-schedule", "history-complete"], UNKNOWN),
    ),
    ("gap in volumes", gap_in("volumes"), {"history-complete": UNKNOWN}),
    ("no end", no_end, {"history-complete": UNKNOWN}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "changed"), [case[1:] for case in EVERYWHERE], ids=[case[0] for case in EVERYWHERE])
def test_hole_makes_dependent_checks_inconclusive(
    change: Change, changed: dict[str, str], mutant: Make, untouched: dict[str, dict[str, str]]
) -> None:
    before = untouched
    after = mutant("2020-06")
    change(after)
    verdicts = after.verdicts()
    assert verdicts[SNAP] == {**before[SNAP], **changed}
    assert all(
        verdicts[v][c] == before[v][c] or (before[v][c], verdicts[v][c]) == ("pass", UNKNOWN)
        for v in before
        for c in before[v]
    )


def test_unreadable_store_makes_store_agrees_inconclusive(mutant: Make) -> None:
    m = mutant("2020-06")
    store_unreadable(m)
    assert m.verdicts()[BACK]["store-agrees"] == UNKNOWN


def test_every_check_was_made_to_fail_and_to_be_inconclusive() -> None:
    seen = {FAIL: set(), UNKNOWN: {"store-agrees"}}  # type: dict[str, set[str]]
    for row in TABLE:
        for check, verdict in row["changed"].items():
            seen[verdict].add(check)
    for _name, _change, changed in EVERYWHERE:
        seen[UNKNOWN].update(changed)
    assert seen[FAIL] == set(CHECKS)
    assert seen[UNKNOWN] == set(CHECKS)


def test_missing_record_number_fails_history_complete(mutant: Make) -> None:
    m = mutant("2020-06")
    history = m.history()
    holed = model.History(records=history.records[:5] + history.records[6:], logs=history.logs)
    m.records = list(holed.records)
    judgement = judge(holed, profiles=profile, ticks=lambda *_bounds: ())
    assert {c.verdict for c in judgement.checks if c.check == "history-complete"} == {FAIL}


@pytest.mark.parametrize("hours", [-25, 1, 1000], ids=["a day back", "an hour on", "weeks on"])
def test_the_writers_clock_and_the_stores_decide_nothing(
    hours: int, mutant: Make, untouched: dict[str, dict[str, str]]
) -> None:
    before = untouched
    m = mutant("2020-06")
    shift = timedelta(hours=hours)
    for place, record in enumerate(m.records):
        m.records[place] = replace(record, at=record.at + shift)
        if isinstance(record, model.Store):
            moved = tuple(replace(backup, last_modified="2001-01-01T00:00:00Z") for backup in record.backups)
            m.records[place] = replace(m.records[place], backups=moved)
    assert m.verdicts() == before


def test_duplicated_deliveries_change_nothing(mutant: Make, untouched: dict[str, dict[str, str]]) -> None:
    before = untouched
    m = mutant("2020-06")
    twice = [[record, record] if place % 7 == 0 else [record] for place, record in enumerate(m.records[1:-1])]
    m.records = [m.records[0], *(record for some in twice for record in some), m.records[-1]]
    assert m.verdicts() == before


def test_order_of_delivery_between_kinds_changes_nothing(mutant: Make, untouched: dict[str, dict[str, str]]) -> None:
    before = untouched
    m = mutant("2020-06")
    rest = [r for r in m.records if not (isinstance(r, model.ObjectSeen) and r.kind in ("engines", "pods", "events"))]
    late = [r for r in m.records if isinstance(r, model.ObjectSeen) and r.kind in ("engines", "pods", "events")]
    m.records = [*rest[:-1], *reversed(late), rest[-1]]
    assert m.verdicts() == before


def test_unknown_release_leaves_only_what_holds_for_all(mutant: Make) -> None:
    m = mutant("2020-06")
    m.records[0] = replace(m.records[0], subjects=replace(m.subjects, release="v0.8.1"))
    judgement = m.judge()
    found = {c.check: c for c in judgement.checks if c.volume == SNAP}
    assert found["fault-live"].verdict == found["cleanup-warning"].verdict == UNKNOWN
    assert "longhorn_release" in found["fault-live"].advice
    assert found["job-succeeded"].verdict == found["single-attempt"].verdict == "pass"


def test_without_stated_faults_nothing_is_expected_of_deletions(mutant: Make) -> None:
    m = mutant("2020-06")
    cells = tuple(replace(cell, faults=None) for cell in m.subjects.cells)
    m.records[0] = replace(m.records[0], subjects=replace(m.subjects, cells=cells))
    found = m.verdicts()[SNAP]
    assert found["fault-live"] == found["cleanup-warning"] == "not_applicable"


def test_history_without_cells_is_broken(mutant: Make) -> None:
    m = mutant("2020-06")
    m.records[0] = replace(m.records[0], subjects=replace(m.subjects, cells=()))
    judgement = m.judge()
    assert judgement.verdict == "broken"
    assert "no cell" in judgement.reason


def test_no_records_are_broken() -> None:
    assert judge(model.History(records=()), profiles=profile, ticks=lambda *_bounds: ()).verdict == "broken"


def test_older_jobs_of_the_recorders_first_list_are_not_judged(mutant: Make) -> None:
    m = mutant("2020-06")
    seen = [r for r in m.records if isinstance(r, model.ObjectSeen)]
    cronjobs = [r for r in seen if r.kind == "cronjobs" and r.change == "ADDED"]
    first = [r for r in seen if r.object["metadata"]["name"] == JOB[SNAP] + "89" and r.change != "DELETED"]
    over = first[-1]
    at = max(version(over.object), 18330)
    m.records = [r for r in m.records if r not in cronjobs and r not in first]
    listed = [replace(r, via="list") for r in (*cronjobs, over)]
    m.records[1:1] = [*listed, model.ListDone(1, m.records[0].at, "jobs", str(at))]
    (cell,) = [cell for cell in m.judge().cells if cell.cell.volume == SNAP]
    assert [item.name[-2:] for item in cell.invocations] == ["90", "91", "92", "93"]
    assert {c.check: c.verdict for c in cell.checks}["job-succeeded"] == "pass"


def test_jobs_made_by_hand_are_outside_the_schedule(mutant: Make) -> None:
    m = mutant("2020-06")
    for job in m.of("jobs", JOB[SNAP]):
        job["metadata"]["annotations"] = {"cronjob.kubernetes.io/instantiate": "manual"}
        job["metadata"]["name"] = job["metadata"]["name"].replace("-299233", "-qa-")
    for pod in m.of("pods", JOB[SNAP]):
        assert pod["metadata"]["ownerReferences"][0]["kind"] == "Job"
    found = m.verdicts()[SNAP]
    assert found["events-recorded"] == "not_applicable"
    assert found["one-snapshot-per-invocation"] == "pass"
    assert found["count-matches-schedule"] == FAIL, "the schedule ran and had no Jobs of its own"


def test_extra_artefacts_are_named_with_job_and_attempt(mutant: Make) -> None:
    m = mutant("2020-06")
    duplicate_snapshot(m)
    restarted_container(m)
    (found,) = [c for c in m.judge().checks if (c.volume, c.check) == (SNAP, "one-snapshot-per-invocation")]
    assert found.verdict == FAIL
    for word in (JOB[SNAP] + "91", "c-ncsnp-3fc38ae3 by attempt 0", "c-ncsnp-ffffffff by attempt 1"):
        assert word in found.summary
    assert any(e.what.startswith("engines/") and "resourceVersion" in e.where for e in found.evidence)
    assert any(e.where.startswith("line ") for e in found.evidence)


def test_known_issue_is_named_on_the_release_that_has_it(mutant: Make) -> None:
    m = mutant("2020-06")
    m.records[0] = replace(m.records[0], subjects=replace(m.subjects, release="v1.0.0"))
    job_failed(m)
    (found,) = [c for c in m.judge().checks if (c.volume, c.check) == (SNAP, "job-succeeded")]
    assert found.verdict == FAIL
    assert "longhorn#1424" in found.known_issue


def test_vacuous_run_says_what_to_do_instead(mutant: Make) -> None:
    (found,) = [c for c in mutant("v1.0.1").judge().checks if (c.volume, c.check) == ("test-ncb-back", "fault-live")]
    assert found.verdict == UNKNOWN
    assert "best_effort_cleanup_default_engine_image" in found.advice


def test_managers_outcome_is_needed_where_deletion_is_asynchronous(mutant: Make) -> None:
    m = mutant("v1.0.1-defeng")
    assert m.verdicts()["test-nc-back-defeng"]["fault-live"] == "pass"
    m.set_log(manager_log(m), b"")
    found = m.verdicts()["test-nc-back-defeng"]
    assert found["fault-live"] == UNKNOWN
    assert found["cleanup-warning"] in (FAIL, UNKNOWN)
    m.drop_log("longhorn-manager-")
    assert m.verdicts()["test-nc-back-defeng"]["cleanup-warning"] == UNKNOWN


def test_judgement_is_ready_for_json(mutant: Make) -> None:
    json.dumps([asdict(check) for check in mutant("2020-06").judge().checks])
