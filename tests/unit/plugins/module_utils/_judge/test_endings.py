# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record can prove depends on its beginning and its end: late lists, Jobs across them, ticks after the last."""

from __future__ import annotations

import copy
import random
import typing as t
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from tests.unit.plugins.module_utils._judge import made
from tests.unit.plugins.module_utils._judge.changed import (
    SHARED,
    WITH_OBJECTS,
    Change,
    Changed,
    backup,
    changed,
    checks,
    not_pass,
    snapshot,
)
from tests.unit.plugins.module_utils._judge.made import FAULTY, Run

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import Judgement

EVERY = ("2020-06", "v1.0.1", *SHARED)


def ends(reason: str, **later: float) -> Change:
    """So much later than the last thing happened, by the API server's clock."""

    def change(history: Changed) -> None:
        moment = history.records[-1].at + timedelta(**later)
        history.records[-1:] = [model.Clock(1, moment, "apiserver", 0.0), model.End(1, moment, reason)]

    return change


def scheduled(release: str, task: str = "snapshot") -> Run:
    return Run(release, task, scheduled=True)


# --- ticks after the last Job ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", EVERY)
def test_ticks_that_no_job_came_for_until_the_end_are_missed(release: str) -> None:
    found = checks(changed(scheduled(release), ends("deadline", minutes=12)))["count-matches-schedule"]
    assert found.verdict == "fail"
    assert found.summary.count("has no Job") == 2


def test_a_tick_just_before_the_end_may_still_get_its_job() -> None:
    last = changed(scheduled("v1.8.2"), ends("invocations", minutes=4))
    assert not_pass(last) == {}


def test_a_cronjob_that_was_deleted_has_no_ticks_any_more() -> None:
    def deleted(history: Changed) -> None:
        document = copy.deepcopy(next(iter(history.of("cronjobs"))).object)
        last = max(int(r.object["metadata"]["resourceVersion"]) for r in history.records if hasattr(r, "object"))
        document["metadata"]["resourceVersion"] = str(last + 1)
        history.records.insert(-1, model.ObjectSeen(1, made.START, "cronjobs", "DELETED", document))

    assert not_pass(changed(scheduled("v1.8.2"), deleted, ends("deadline", minutes=12))) == {}


# --- a Job that runs when the record ends ----------------------------------------------------------------------------
def hung(history: Changed) -> None:
    """The last Job never ends: nothing happens after it was added, but that its pod's log is there so far."""
    *_others, final = history.of("jobs")
    last = final.object["metadata"]["name"]
    for record in history.of("jobs", last):
        if record.object["status"].get("conditions"):
            place = history.records.index(record)
    history.records = [
        *history.records[:place],
        *(r for r in history.records[place:] if isinstance(r, (model.Log, model.End))),
    ]


@pytest.mark.parametrize("reason", ["deadline", "interrupted"])
def test_a_job_that_never_ends_is_no_success(reason: str) -> None:
    judgement = changed(scheduled("v1.8.2"), hung, ends(reason, minutes=17))
    said = checks(judgement)
    assert not_pass(judgement) == {"job-succeeded": "inconclusive"}
    assert f"was still running when the record ended ({reason})" in said["job-succeeded"].summary
    assert "superseded" in said["count-matches-schedule"].summary, "its ticks wait for it"


def test_a_job_that_came_when_enough_was_seen_is_not_waited_for() -> None:
    assert not_pass(changed(scheduled("v1.8.2"), hung, ends("invocations"))) == {}


def test_a_tick_that_waited_for_a_job_may_get_its_own_after_the_end() -> None:
    def long(history: Changed) -> None:
        """The last Job is over ten minutes after it began, just before the end."""
        end = history.records[-1].at + timedelta(minutes=10)
        for record in [r for r in history.of("jobs") if r.object["status"].get("conditions")][-1:]:
            for condition in record.object["status"]["conditions"]:
                condition["lastTransitionTime"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")

    judgement = changed(scheduled("v1.8.2"), long, ends("invocations", minutes=10, seconds=5))
    assert not_pass(judgement) == {}
    judgement = changed(scheduled("v1.8.2"), long, ends("invocations", minutes=12))
    assert not_pass(judgement) == {"count-matches-schedule": "fail"}


# --- what was there before -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", EVERY)
def test_an_older_job_that_still_runs_when_the_first_one_comes(release: str) -> None:
    def older(history: Changed) -> None:
        """What was the first Job was there when the recording began, and is over only after the next one began."""
        jobs = list(history.of("jobs"))
        name = jobs[0].object["metadata"]["name"]
        listed = next(r for r in history.records if isinstance(r, model.ListDone) and r.kind == "jobs")
        history.records.remove(jobs[0])
        history.records.insert(history.records.index(listed), replace(jobs[0], via="list"))
        over = next(r for r in jobs[1:] if r.object["metadata"]["name"] == name)
        second = next(r for r in jobs if r.object["metadata"]["name"] != name)
        late = copy.deepcopy(over.object)
        late["metadata"]["resourceVersion"] = str(int(second.object["metadata"]["resourceVersion"]) + 1)
        history.records.remove(over)
        history.records.insert(history.records.index(second) + 1, replace(over, object=late))

    found = checks(changed(scheduled(release), older))["no-overlap"]
    assert found.verdict == "fail"
    assert "was not over when Job" in found.summary


@pytest.mark.parametrize("release", WITH_OBJECTS)
@pytest.mark.parametrize("kind", ["snapshots", "backups"])
def test_a_kind_that_was_seen_too_late_proves_nothing(release: str, kind: str) -> None:
    """One snapshot or backup more is gone before the first list of its kind, which comes after the first Job."""
    extra = snapshot("extra") if kind == "snapshots" else backup("extra", "snap-x")
    run = Run(release, "snapshot" if kind == "snapshots" else "backup")
    pod = f"{run.cronjob}-qa-1-abcde"
    judgement = changed(run, lambda history: history.put(kind, copy.deepcopy(extra), after=pod))
    check = f"one-{kind.removesuffix('s')}-per-invocation"
    assert checks(judgement)[check].verdict == "fail"

    def late(history: Changed) -> None:
        first = next(r for r in history.of("pods", pod))
        version = first.object["metadata"]["resourceVersion"]
        done = next(r for r in history.records if isinstance(r, model.ListDone) and r.kind == kind)
        history.records.remove(done)
        history.records.insert(history.records.index(first), replace(done, resource_version=version))

    found = checks(changed(Run(release, run.task), late))[check]
    assert found.verdict == "inconclusive"
    assert f"{kind} were seen only after the first Job had begun" in found.summary


def test_a_recording_that_went_on_has_not_ended() -> None:
    judgement = changed(Run("v1.8.2", "snapshot"), lambda h: h.records.append(replace(h.records[0])))
    assert not_pass(judgement) == {"history-complete": "inconclusive"}
    assert "the record has no end" in checks(judgement)["history-complete"].summary


# --- what was not seen -----------------------------------------------------------------------------------------------
RUNS = (
    *((task, "none", "") for task in ("snapshot", "backup")),
    *((task, "visible snapshot-delete", "engine-image") for task in ("snapshot", "backup")),
    ("backup", "asynchronous backup-delete", "backup-store"),
)


def said_of(judgement: Judgement) -> dict[tuple[str, str], str]:
    return {(check.volume, check.check): check.verdict for check in judgement.checks}


@pytest.mark.parametrize("release", EVERY)
@pytest.mark.parametrize("kind", [*made.KINDS, "recurringjobs", "snapshots", "backups"])
def test_a_kind_that_nobody_was_allowed_to_see_decides_nothing(release: str, kind: str) -> None:
    """Whatever the run: no pass and no fail that would not be there if it had been seen."""

    def denied(history: Changed) -> None:
        unseen = {"logs": model.Log, "store": model.Store}.get(kind, model.ObjectSeen)
        history.records = [
            r for r in history.records if not (isinstance(r, unseen) and getattr(r, "kind", kind) == kind)
        ]
        history.records.insert(2, model.Gap(1, made.START, kind, f"verb list on {kind} is not granted"))

    for task, fault, fault_type in RUNS:
        run = partial(Run, release, task, fault, fault_type, scheduled=True)
        before, after = said_of(changed(run())), said_of(changed(run(), denied))
        for key, verdict in after.items():
            assert verdict in (before[key], "inconclusive"), f"{task}, {fault}: {key} was {before[key]}"


@pytest.mark.parametrize("release", EVERY)
def test_backups_that_nobody_could_see_are_not_counted(release: str) -> None:
    kind = "backups" if release in SHARED else "engines"
    judgement = changed(Run(release, "backup"), lambda h: h.gap(kind))
    for check in ("one-backup-per-invocation", "no-overlap"):
        assert checks(judgement)[check].verdict == "inconclusive"
        assert f"{kind}: the watch was cut" in checks(judgement)[check].summary
    said = checks(changed(Run(release, "backup")))["one-backup-per-invocation"]
    assert ("Longhorn's own objects" if kind == "backups" else "the engine's status") in said.summary


@pytest.mark.parametrize("release", EVERY)
def test_an_event_that_nobody_could_see_is_not_missing(release: str) -> None:
    def lost(history: Changed) -> None:
        history.records.remove(next(r for r in history.of("events") if r.object["reason"] == "SawCompletedJob"))

    assert not_pass(changed(scheduled(release), lost)) == {"events-recorded": "fail"}
    judgement = changed(scheduled(release), lost, lambda h: h.gap("events"))
    assert not_pass(judgement) == {"events-recorded": "inconclusive", "history-complete": "inconclusive"}


@pytest.mark.parametrize("release", ["v1.9.2", "v1.12.1"])
def test_a_job_without_its_log_may_have_said_why_it_made_nothing(release: str) -> None:
    fault = ("visible snapshot-delete", "admission")
    for check in ("one-snapshot-per-invocation", "count-matches-schedule"):
        assert checks(changed(scheduled(release)))[check].verdict == "pass"
    said = checks(changed(Run(release, "snapshot", *fault), lambda h: h.drop_log("nightly-qa-3")))
    found = said["one-snapshot-per-invocation"]
    assert found.verdict == "inconclusive"
    assert "Job nightly-qa-3 made no snapshot; whether it says why is not known" in found.summary


def test_a_backup_of_a_job_without_its_log_may_have_been_deleted_by_it() -> None:
    def unlisted(history: Changed) -> None:
        first = next(r for r in history.of("backups") if r.object["metadata"]["labels"]["backup-volume"] == FAULTY)
        name = first.object["metadata"]["name"]
        for place, record in enumerate(history.records):
            if isinstance(record, model.Store):
                kept = tuple(item for item in record.backups if item.name != name)
                history.records[place] = replace(record, backups=kept)

    assert checks(changed(Run("v1.8.2", "backup"), unlisted))["store-agrees"].verdict == "fail"
    judgement = changed(Run("v1.8.2", "backup"), unlisted, lambda h: h.drop_log("nightly-qa-1"))
    assert checks(judgement)["store-agrees"].verdict == "inconclusive"


# --- a recorder that was killed --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("release", "task", "fault"),
    [
        ("v1.1.3", "backup", ("none", "")),
        ("v1.2.6", "backup", ("none", "")),
        ("v1.5.5", "snapshot", ("none", "")),
        ("v1.12.1", "backup", ("asynchronous backup-delete", "backup-store")),
    ],
)
def test_what_passes_in_the_end_fails_at_no_moment_before(release: str, task: str, fault: tuple[str, str]) -> None:
    """Wherever the recorder was killed: that something had not come yet is not that it never came."""
    run = Run(release, task, *fault, scheduled=True).history()
    whole = Changed(list(run.records), dict(run.logs)).judge()
    assert whole.verdict == "pass"
    for length in range(2, len(run.records)):
        judgement = Changed(list(run.records[:length]), dict(run.logs)).judge(number=False)
        failed = [
            str((check.check, check.volume, check.summary)) for check in judgement.checks if check.verdict == "fail"
        ]
        assert failed == [], f"the first {length} records"


# --- a watch with a hole ---------------------------------------------------------------------------------------------
def lost(history: model.History, kinds: tuple[str, ...], start: int, stop: int | None) -> Changed:
    """What these kinds' watches told from one record to the other is lost; then they are listed anew, if ever again."""
    kept: list[t.Any] = []
    there: dict[tuple[str, str], model.ObjectSeen] = {}
    newest = 0
    for place, record in enumerate(history.records):
        if place == stop or isinstance(record, model.End):
            kept += (model.Gap(1, record.at, kind, "watch expired") for kind in kinds)
        if place == stop:
            kept += (replace(seen, via="list", change="ADDED") for (kind, _uid), seen in there.items() if kind in kinds)
            kept += (model.ListDone(1, record.at, kind, str(newest)) for kind in kinds)
        hidden = False
        if isinstance(record, model.ObjectSeen):
            metadata = record.object["metadata"]
            newest = max(newest, int(metadata["resourceVersion"]))
            there[record.kind, metadata["uid"]] = record
            if record.change == "DELETED":
                del there[record.kind, metadata["uid"]]
            hidden = record.kind in kinds and start <= place and (stop is None or place < stop)
        if not hidden:
            kept.append(record)
    return Changed(kept, dict(history.logs))


@pytest.mark.parametrize(
    ("release", "task", "fault"),
    [
        ("v1.1.3", "backup", ("none", "")),
        ("v1.2.6", "backup", ("none", "")),
        ("v1.5.5", "snapshot", ("none", "")),
        ("v1.8.2", "snapshot-delete", ("none", "")),
        ("v1.12.1", "backup", ("asynchronous backup-delete", "backup-store")),
    ],
)
def test_a_hole_that_is_told_makes_no_verdict_a_fail(release: str, task: str, fault: tuple[str, str]) -> None:
    run = Run(release, task, *fault, scheduled=task != "snapshot-delete").history()
    assert Changed(list(run.records), dict(run.logs)).judge().verdict in ("pass", "inconclusive")
    kinds = sorted({record.kind for record in run.records if isinstance(record, model.ObjectSeen)})
    begun = 1 + max(place for place, record in enumerate(run.records) if isinstance(record, model.ListDone))
    end = len(run.records) - 1
    chance = random.Random(1)
    holes: list[tuple[tuple[str, ...], int, int | None]] = [
        ((kind,), start, None) for kind in kinds for start in range(begun, end, 3)
    ]
    for some in [*((kind,) for kind in kinds for _ in range(12)), *[tuple(kinds)] * 30]:
        start = chance.randrange(begun, end - 1)
        holes.append((some, start, chance.randrange(start + 1, end)))
    for hole in holes:
        judgement = lost(run, *hole).judge()
        failed = [
            str((check.check, check.volume, check.summary)) for check in judgement.checks if check.verdict == "fail"
        ]
        assert failed == [], hole


@pytest.mark.parametrize(("reason", "verdict"), [("invocations", "fail"), ("deadline", "inconclusive")])
def test_the_engines_status_may_come_after_the_last_job(reason: str, verdict: str) -> None:
    """Until 1.1 it is sampled: a recorder that had no time to wait for it cannot say that the API knows nothing."""

    def late(history: Changed) -> None:
        (newest,) = {backup for engine in history.of("engines") for backup in _backups(engine)} - {
            backup for engine in list(history.of("engines"))[:-3] for backup in _backups(engine)
        }
        for engine in history.of("engines"):
            _backups(engine).pop(newest, None)

    found = checks(changed(Run("v1.1.3", "backup", scheduled=True), late, ends(reason)))["store-agrees"]
    assert found.verdict == verdict, found.summary


def _backups(engine: model.ObjectSeen) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], engine.object["status"]["backupStatus"])


@pytest.mark.parametrize("release", ["v1.2.6", "v1.12.1"])
@pytest.mark.parametrize("kind", ["backups", "snapshots", "engines", "jobs", "pods"])
def test_a_hole_that_is_told_hides_no_duplicate(release: str, kind: str) -> None:
    run = Run(release, "backup", scheduled=True).history()
    history = Changed(list(run.records), dict(run.logs))
    second = list(dict.fromkeys(record.object["metadata"]["name"] for record in history.of("jobs")))[1]
    history.put("backups", backup("backup-again", of="snap-0001"), after=second)
    wrong = {name for name, check in checks(history.judge()).items() if check.verdict == "fail"}
    assert wrong >= {"one-backup-per-invocation", "count-matches-schedule", "store-agrees"}
    whole = model.History(tuple(history.records), history.logs)
    begun = 1 + max(place for place, record in enumerate(whole.records) if isinstance(record, model.ListDone))
    for start in range(begun, len(whole.records) - 1, 2):
        found = checks(lost(whole, (kind,), start, None).judge())
        assert "pass" not in {found[name].verdict for name in wrong}, start
