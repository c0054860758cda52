# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge says when something is missing, odd or stated otherwise: verdict and words, as approved.

Each case changes a recording and keeps, for the checks that changed, the whole verdict. The approved ones are in
tests/expected/words.json; a case that says something else writes all of them to tests/output, to be read and copied.
"""

from __future__ import annotations

import copy
import json
import typing as t
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import examine, judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile

Change = Callable[[t.Any], object]
Make = Callable[..., t.Any]

TESTS = Path(__file__).parents[4]
APPROVED: dict[str, t.Any] = json.loads((TESTS / "expected" / "words.json").read_text())
OUTPUT = TESTS / "output"
SNAP, BACK, CONTROL = "test-nc-snap", "test-nc-back", "test-ncb-snap"
THREE = (SNAP, BACK, CONTROL)
S, B, C = "test-nc-snap-c-ncsnp-c-299233", "test-nc-back-c-ncbck-c-299233", "test-ncb-snap-c-nbsnp-c-299233"
AGAIN = ("test-nc-back-defeng", "test-ncb-back-defeng")
KINDS = ("cronjobs", "jobs", "pods", "events", "engines")


def is_object(record: t.Any, kind: str, name: str = "", change: str = "") -> bool:
    return (
        isinstance(record, model.ObjectSeen)
        and record.kind == kind
        and record.object["metadata"]["name"].startswith(name)
        and change in ("", record.change)
    )


def without(kind: str, name: str = "", change: str = "") -> Change:
    return lambda m: m.drop(lambda record: is_object(record, kind, name, change))


def without_end(name: str) -> Change:
    """The Job is never seen to be over."""
    return lambda m: m.drop(lambda r: is_object(r, "jobs", name) and bool(r.object["status"].get("conditions")))


def cells(**fields: t.Any) -> Change:
    return lambda m: [m.state(volume=cell.volume, **fields) for cell in m.subjects.cells]


def subjects(**fields: t.Any) -> Change:
    return lambda m: m.state(**fields)


def each(kind: str, name: str, do: Callable[[dict[str, t.Any]], object]) -> Change:
    return lambda m: m.each(kind, name, do)


def stores(do: Callable[[int, model.Store], model.Store | None]) -> Change:
    return lambda m: m.stores(do)


def logs(do: Callable[[model.Log], model.Log], pod: str) -> Change:
    def change(m: t.Any) -> None:
        m.records = [do(r) if isinstance(r, model.Log) and r.pod.startswith(pod) else r for r in m.records]

    return change


def edit(pod: str, old: str, new: str) -> Change:
    def change(m: t.Any) -> None:
        assert m.edit_log(pod, old, new)

    return change


def every(*changes: Change) -> Change:
    def change(m: t.Any) -> None:
        for one in changes:
            one(m)

    return change


def as_dump(m: t.Any) -> None:
    m.records[0] = replace(m.records[0], origin="dump")


def listed_only(kind: str) -> Change:
    def change(m: t.Any) -> None:
        m.records = [replace(r, via="list") if is_object(r, kind) else r for r in m.records]

    return change


def unwatched(kind: str) -> Change:
    def change(m: t.Any) -> None:
        m.records[0] = replace(m.records[0], kinds=tuple(item for item in m.records[0].kinds if item != kind))

    return change


def suspended(*ticks: str) -> Change:
    def do(cronjob: dict[str, t.Any]) -> None:
        cronjob["spec"]["suspend"] = cronjob["status"].get("lastScheduleTime", "") in ticks

    return each("cronjobs", SNAP, do)


def older(m: t.Any) -> None:
    """The CronJobs and the first Jobs were there when the recorder listed for the first time."""
    first = [r for r in m.records if is_object(r, "cronjobs", "", "ADDED")]
    early = [r for r in m.records if is_object(r, "jobs") and "-29923389" in r.object["metadata"]["name"]]
    m.drop(lambda r: r in first or r in early)
    last = {r.object["metadata"]["name"]: r for r in early if r.change != "DELETED"}
    version = max(int(r.object["metadata"]["resourceVersion"]) for r in last.values())
    m.records[1:1] = [
        *(replace(r, via="list") for r in (*first, *last.values())),
        model.ListDone(1, m.records[0].at, "jobs", str(version)),
    ]


def by_hand(m: t.Any) -> None:
    for job in m.of("jobs", S):
        job["metadata"].setdefault("labels", {})["longhorn.qa/triggered"] = "true"


def odd_names(m: t.Any) -> None:
    for kind in ("jobs", "pods"):
        for document in m.of(kind, S + "91"):
            document["metadata"]["name"] = document["metadata"]["name"].replace("-29923391", "-x")


def off_schedule(m: t.Any) -> None:
    for job in m.of("jobs", S + "91"):
        job["metadata"]["name"] = job["metadata"]["name"].replace("-29923391", "-1795403490")


def never_shown(*names: str) -> Change:
    def do(engine: dict[str, t.Any]) -> None:
        for name in names:
            (engine.get("status", {}).get("snapshots") or {}).pop(name, None)

    return each("engines", SNAP + "-e-", do)


def engine_lines(keep: Callable[[str], bool]) -> Change:
    def change(m: t.Any) -> None:
        (pod,) = [pod for pod in m.log_paths if pod.startswith("instance-manager-e-")]
        lines = m.logs[m.log_paths[pod]].decode().splitlines(keepends=True)
        m.set_log(pod, "".join(line for line in lines if keep(line)).encode())

    return change


def retried(second: bytes) -> Change:
    """Job 91 of the snapshot cell has a second start, whose log is this; the first could not create anything."""

    def change(m: t.Any) -> None:
        pods = list(m.of("pods", S + "91"))
        for pod in pods:
            for status in pod.get("status", {}).get("containerStatuses", []):
                status["restartCount"] = 1
        name = pods[0]["metadata"]["name"]
        m.add_log(pods[0]["metadata"]["uid"], name, 1, second or m.logs[m.log_paths[name]])
        m.set_log(name, b'time="2026-11-23T03:11:01Z" level=fatal msg="Error taking snapshot: no space"\n')

    return change


def damaged(m: t.Any) -> None:
    m.records.insert(5, model.Gap(1, m.records[0].at, "pods", "line 812 is broken", subject="x"))


def same_backup_again(m: t.Any) -> None:
    extra = model.StoredBackup(BACK, "backup-0000000000000000", "k", labels={"RecurringJob": "somebody-else"})
    stores(lambda _place, store: replace(store, backups=(*store.backups, extra)))(m)


def early_backup(m: t.Any) -> None:
    extra = model.StoredBackup(BACK, "backup-0000000000000000", "k")
    stores(lambda _place, store: replace(store, backups=(*store.backups, extra)))(m)


def early_backup_later(listing: int) -> Change:
    extra = model.StoredBackup(BACK, "backup-0000000000000000", "k")
    return stores(lambda place, store: replace(store, backups=(*store.backups, extra)) if place >= listing else store)


def without_snapshot(name: str) -> Change:
    return every(never_shown(name), engine_lines(lambda line: f" {name} UserCreated" not in line))


def _early(record: t.Any) -> bool:
    """Before Job 92 was there."""
    return int(record.object["metadata"]["resourceVersion"]) < 19050


def stray_line(m: t.Any) -> None:
    (pod,) = [pod for pod in m.log_paths if pod.startswith("instance-manager-e-")]
    line = 'time="2026-11-23T03:11:01Z" level=info msg="Snapshot: 10.9.9.9:1 stray UserCreated true Created at x, '
    m.set_log(pod, m.logs[m.log_paths[pod]] + (line + 'Labels map[RecurringJob:c-ncsnp]"\n').encode())


def cronjob_gone(m: t.Any) -> None:
    last = copy.deepcopy(list(m.of("cronjobs", SNAP))[-1])
    last["metadata"]["resourceVersion"] = "19300"
    m.add(model.ObjectSeen(1, m.records[0].at, "cronjobs", "DELETED", last))


def two_starts(m: t.Any) -> None:
    m.records.insert(len(m.records) // 2, replace(m.records[0], kinds=("jobs",)))


def one_job_and_only_its_log_line(m: t.Any) -> None:
    for number in ("90", "91", "92", "93"):
        m.drop(lambda r, number=number: is_object(r, "jobs", S + number) or is_object(r, "pods", S + number))
    names = {
        name for engine in m.of("engines", SNAP + "-e-") for name in engine.get("status", {}).get("snapshots") or {}
    }
    never_shown(*names)(m)
    first = iter([True])
    engine_lines(lambda line: "RecurringJob:c-ncsnp" not in line or next(first, False))(m)


def file_gone(pod: str) -> Change:
    def change(m: t.Any) -> None:
        (path,) = [path for name, path in m.log_paths.items() if name.startswith(pod)]
        del m.logs[path]

    return change


def log_line(pod: str, line: str) -> Change:
    def change(m: t.Any) -> None:
        (name,) = [name for name in m.log_paths if name.startswith(pod)]
        m.set_log(name, (line + "\n").encode())

    return change


def three_attempts_two_snapshots(m: t.Any) -> None:
    """The first was killed before it made anything; the others made one each, and came to the clean-up."""
    pods = list(m.of("pods", S + "91"))
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses", []):
            status["restartCount"] = 2
    name, uid = pods[0]["metadata"]["name"], pods[0]["metadata"]["uid"]
    warning = m.logs[m.log_paths[name]]
    m.set_log(name, b"killed\n")
    m.add_log(uid, name, 1, warning)
    m.add_log(uid, name, 2, warning)
    for engine in m.of("engines", SNAP + "-e-"):
        snapshots = engine.get("status", {}).get("snapshots") or {}
        if "c-ncsnp-3fc38ae3" in snapshots:
            snapshots["c-ncsnp-ffffffff"] = {"labels": {"RecurringJob": "c-ncsnp"}}


CASES: dict[str, Change] = {
    "one Job, whose snapshot only the engine's log has": one_job_and_only_its_log_line,
    "one Job of a younger record, likewise": every(one_job_and_only_its_log_line, lambda m: m.gap("jobs")),
    **{f"file of the log of {pod} gone": file_gone(pod) for pod in (S + "91", B + "91", "instance-manager-e-")},
    "store only, gap in jobs": every(early_backup_later(1), lambda m: m.gap("jobs")),
    "store only, gap in engines": every(early_backup_later(1), lambda m: m.gap("engines")),
    "store only, a log gone": every(early_backup_later(1), lambda m: m.drop_log(B + "91")),
    "store only, from the last listing on": early_backup_later(9),
    "three attempts, two snapshots": three_attempts_two_snapshots,
    "three attempts, two snapshots, no release": every(three_attempts_two_snapshots, subjects(release="v0.8.1")),
    "nothing new, in 1.0.1's words": every(
        subjects(release="v1.0.1"),
        without_snapshot("c-ncsnp-3fc38ae3"),
        log_line(S + "91", 'time="x" level=info msg="Skipping taking snapshot because it is empty"'),
    ),
    "two snapshots, the one before has none": every(
        never_shown("c-ncsnp-85ab8f06", "c-ncsnp-3fc38ae3"), engine_lines(lambda line: "c-ncsnp-85ab8f06" not in line)
    ),
    "two shown at once, engines not watched": every(
        unwatched("engines"), lambda m: m.drop(lambda r: is_object(r, "engines", SNAP) and _early(r))
    ),
    "two shown at once": lambda m: m.drop(lambda r: is_object(r, "engines", SNAP) and _early(r)),
    **{f"no {kind}": without(kind) for kind in KINDS},
    **{f"no {kind} of one cell": without(kind, SNAP) for kind in KINDS},
    **{f"no {kind} of one backup cell": without(kind, BACK) for kind in KINDS},
    **{f"{kind} not watched": unwatched(kind) for kind in KINDS},
    **{f"gap in {kind}": (lambda m, kind=kind: m.gap(kind)) for kind in (*KINDS, "store", "volumes")},
    **{f"gap in the log of {pod}": (lambda m, pod=pod: m.gap("logs", pod)) for pod in (S + "91-lxwvv", "x")},
    **{
        f"gap in the logs of {start}": (
            lambda m, start=start: m.gap("logs", next(p for p in m.log_paths if start in p))
        )
        for start in ("instance-manager-e-", S + "91", B + "91")
    },
    "gap in all logs": lambda m: m.gap("logs"),
    **{f"end of {name} unseen": without_end(name) for name in (S + "91", S + "93", B + "91", B + "89")},
    **{f"only the beginning of {name}": every(without_end(name), without("jobs", name, "DELETED")) for name in (S, B)},
    **{f"no pod of {name}": without("pods", name) for name in (S + "91", B + "91")},
    **{f"no Job {name}": without("jobs", name) for name in (S + "91", B + "91", S + "89", S + "93")},
    **{
        f"no log of {name}": (lambda m, name=name: m.drop_log(name))
        for name in (S + "90", B + "90", B + "93", C + "91")
    },
    "no engine log": lambda m: m.drop_log("instance-manager-e-"),
    **{
        f"log of {name} not closed": logs(lambda r: replace(r, state="opened"), name)
        for name in (S + "91", B + "91", "instance-manager-e-")
    },
    **{
        f"log of {name} not whole": logs(lambda r: replace(r, complete=False, reason="it was cut"), name)
        for name in (S + "91", B + "91", "instance-manager-e-")
    },
    **{f"retain {number}": cells(retain=number) for number in (0, 2, 3, 4, 5, 9)},
    "nothing stated about faults": cells(faults=None),
    "nothing should fail": cells(faults=()),
    "backups should fail to be deleted": cells(faults=("backup-delete",)),
    "both should fail": cells(faults=("snapshot-delete", "backup-delete")),
    "everything is a snapshot job": cells(task="snapshot"),
    "everything is a backup job": cells(task="backup"),
    "another job's label": cells(job="another"),
    "a CronJob that is not there": cells(cronjob="another"),
    **{f"release {release or 'unknown'}": subjects(release=release) for release in ("v1.0.0", "v1.0.1", "", "v0.8.1")},
    "default image fails backups, v1.0.1": subjects(release="v1.0.1", default_engine_faults=("backup-delete",)),
    "as a dump": as_dump,
    **{f"as a dump of lists of {kind}": every(as_dump, listed_only(kind)) for kind in KINDS},
    "as a dump, no store": every(as_dump, stores(lambda _place, _store: None)),
    "as a dump, the last listing only": every(as_dump, stores(lambda place, store: store if place == 9 else None)),
    "as a dump, the first listing only": every(as_dump, stores(lambda place, store: store if place == 1 else None)),
    "as a dump, no Jobs": every(as_dump, without("jobs")),
    "as a dump, no pods": every(as_dump, without("pods")),
    "as a dump, only logs": every(as_dump, *(without(kind) for kind in ("pods", "events", "engines"))),
    "no store": stores(lambda _place, _store: None),
    "first listing only": stores(lambda place, store: store if place == 0 else None),
    "store unreadable": stores(lambda _place, store: replace(store, backups=(), error="403 AccessDenied")),
    "store unreadable once": stores(lambda place, s: replace(s, backups=(), error="timeout") if place == 3 else s),
    "store knows snapshots of backups": stores(
        lambda _p, s: replace(s, backups=tuple(replace(b, snapshot="elsewhere") for b in s.backups))
    ),
    "somebody else's backup": same_backup_again,
    "an older backup in the store": early_backup,
    "CronJob suspended at 03:11": suspended("2026-11-23T03:10:00Z"),
    "CronJob suspended from the first tick": suspended("2026-11-23T03:09:00Z", "2026-11-23T03:10:00Z"),
    "CronJob suspended, no Job": every(
        suspended("2026-11-23T03:10:00Z", "2026-11-23T03:11:00Z"), without("jobs", S + "91")
    ),
    "schedule changes": each(
        "cronjobs",
        SNAP,
        lambda c: c["spec"].update(schedule="*/2 * * * *") if c["status"].get("lastScheduleTime") else None,
    ),
    "schedule in a time zone": each("cronjobs", SNAP, lambda c: c["spec"].update(timeZone="Asia/Tokyo")),
    "schedule in UTC by name": each("cronjobs", SNAP, lambda c: c["spec"].update(timeZone="Etc/UTC")),
    "CronJob deleted": cronjob_gone,
    "CronJob deleted, last Job not over": every(cronjob_gone, without_end(S + "93")),
    "CronJob without times": each("cronjobs", SNAP, lambda c: c["metadata"].pop("creationTimestamp", None)),
    "older CronJobs and Jobs": older,
    "older, and by hand": every(older, by_hand),
    "by hand": by_hand,
    "by hand, with no CronJob": every(by_hand, without("cronjobs", SNAP)),
    "a Job's name without a tick": odd_names,
    "a Job off the schedule": off_schedule,
    "one snapshot never shown": never_shown("c-ncsnp-3fc38ae3"),
    "no snapshot shown": each("engines", SNAP + "-e-", lambda e: e.setdefault("status", {}).update(snapshots={})),
    "engine tells nothing": each("engines", SNAP + "-e-", lambda e: e.setdefault("status", {}).update(snapshots=None)),
    "backups tell no snapshot": each(
        "engines",
        BACK + "-e-",
        lambda e: [b.pop("snapshotName", None) for b in (e.get("status", {}).get("backupStatus") or {}).values()],
    ),
    "engine log without the cell's lines": engine_lines(lambda line: "ncsnp" not in line),
    "engine log without prefixes": engine_lines(lambda line: "Adding backend" in line),
    "engine log of one snapshot less": engine_lines(lambda line: "c-ncsnp-3fc38ae3" not in line),
    "a stray snapshot in the engine log": stray_line,
    "first attempt could not create": retried(b""),
    "neither attempt could create": retried(b'time="x" level=fatal msg="Error taking snapshot: no space"\n'),
    "second attempt is silent": retried(b"\n"),
    "job had nothing to do": edit(S + "91", "created snapshot successfully but errored on cleanup for", "x"),
    "fatal instead of warning": edit(S + "91", "level=warning", "level=fatal"),
    "deletions succeed": edit(B + "91", "level=warning", "level=info"),
    "one deletion succeeds": edit(
        B + "92",
        'level=warning msg="created snapshot successfully but errored on cleanup for test-nc-back: error',
        'level=debug msg="Cleaned up snapshot c-ncbck-x for test-nc-back" x="',
    ),
    "Complete in no word": each("jobs", S + "91", lambda j: j["status"].pop("conditions", None)),
    "Job failed without a reason": each(
        "jobs", S + "91", lambda j: [c.update(type="Failed", reason="") for c in j["status"].get("conditions", [])]
    ),
    "event without its words": each("events", SNAP + "-c-ncsnp-c.", lambda e: e.update(message="x")),
    "event of another reason": each("events", SNAP + "-c-ncsnp-c.", lambda e: e.update(reason="x")),
    "event of the Job's own": each("events", SNAP + "-c-ncsnp-c.", lambda e: e["involvedObject"].update(kind="Job")),
    "events with 24 counts": each("events", SNAP + "-c-ncsnp-c.", lambda e: e.update(count=24)),
    "no end": lambda m: m.drop(lambda r: isinstance(r, model.End)),
    "broken line": damaged,
    "resumed": two_starts,
}

OTHER: dict[str, tuple[str, Change]] = {
    "v1.0.1": ("v1.0.1", lambda _m: None),
    "v1.0.1 as a dump": ("v1.0.1", as_dump),
    "v1.0.1 judged as v1.0.0": ("v1.0.1", subjects(release="v1.0.0")),
    "defeng": ("v1.0.1-defeng", lambda _m: None),
    "defeng as a dump": ("v1.0.1-defeng", as_dump),
    "defeng, no manager log": ("v1.0.1-defeng", lambda m: m.drop_log("longhorn-manager-")),
    "defeng, manager log cut": ("v1.0.1-defeng", lambda m: m.gap("logs", next(p for p in m.log_paths if "ager-" in p))),
    "defeng, manager says it worked": (
        "v1.0.1-defeng",
        edit("longhorn-manager-", 'level=error msg="error deleting backup', 'level=info msg="Complete deleting backup'),
    ),
    "defeng, no one expects anything": ("v1.0.1-defeng", cells(faults=())),
    "defeng, default image not stated": ("v1.0.1-defeng", subjects(default_engine_faults=())),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> dict[str, t.Any]:
    return {}


@pytest.fixture(scope="module")
def found() -> t.Iterator[dict[str, t.Any]]:
    words: dict[str, t.Any] = {}
    yield words
    if any(APPROVED.get(name) != said for name, said in words.items()):
        OUTPUT.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**APPROVED, **words}, indent=1, sort_keys=True)
        (OUTPUT / "words.json").write_text(text + "\n")


def words_of(judgement: t.Any) -> dict[str, list[str]]:
    return {
        f"{c.volume} {c.check}": [
            c.verdict, c.summary[:300], c.advice, c.known_issue,
            str(len(c.evidence)), *(str(e)[:90] for e in c.evidence[:1]),
        ]
        for c in judgement.checks
    }  # fmt: skip


def summaries_of(judgement: t.Any) -> dict[str, list[str]]:
    return {
        cell.cell.volume: [
            f"{i.name} {i.tick} {i.by_hand} {i.cut} {i.state} {i.attempts} {i.snapshots} {i.backups}"
            for i in cell.invocations
        ]
        for cell in judgement.cells
    }


@pytest.mark.parametrize("name", CASES)
def test_words_of_a_changed_recording(
    name: str, mutant: Make, whole: dict[str, t.Any], found: dict[str, t.Any]
) -> None:
    if not whole:
        before = mutant("2020-06", THREE).judge()
        whole["words"], whole["invocations"] = words_of(before), summaries_of(before)
    m = mutant("2020-06", THREE)
    CASES[name](m)
    judgement = m.judge()
    said = {key: value for key, value in words_of(judgement).items() if value != whole["words"][key]}
    jobs = {key: value for key, value in summaries_of(judgement).items() if value != whole["invocations"][key]}
    found[name] = {"run": judgement.verdict, "checks": said, "invocations": jobs}
    assert found[name] == APPROVED.get(name), "if this is meant, copy tests/output/words.json to tests/expected"


def test_cases_come_with_the_judgement(mutant: Make) -> None:
    history = mutant("2020-06", THREE).history()
    judgement, cases = examine(history, profiles=profile, ticks=lambda *_bounds: ())
    assert [cell.cell for cell in judgement.cells] == [case.cell for case in cases]
    assert {case.cell.volume for case in cases} == set(THREE)
    assert all(len(item.snapshots) == 1 for case in cases for item in case.judged)
    assert judgement == judge(history, profiles=profile, ticks=lambda *_bounds: ())


@pytest.mark.parametrize("name", OTHER)
def test_words_of_other_recordings(name: str, mutant: Make, found: dict[str, t.Any]) -> None:
    recording, change = OTHER[name]
    volumes = AGAIN if recording == "v1.0.1-defeng" else ("test-nc-back", "test-ncb-back", "test-nc-snap")
    m = mutant(recording, volumes)
    change(m)
    judgement = m.judge()
    found[name] = {"run": judgement.verdict, "checks": words_of(judgement), "invocations": summaries_of(judgement)}
    assert found[name] == APPROVED.get(name), "if this is meant, copy tests/output/words.json to tests/expected"
