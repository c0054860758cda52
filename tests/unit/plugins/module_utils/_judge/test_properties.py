# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every history: how it was delivered and what clocks said changes no verdict, and losing a part of
it never makes a wrong run right.

Histories are the recorded ones, whole and with one to three things wrong in them, as the random choices have it. The
choices are the same in each run; with the environment variable LONGHORN_QA_EXAMPLES=2000 they are many and new.
"""

from __future__ import annotations

import os
import random
import re
import typing as t
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._history import model

Make = Callable[..., t.Any]
Verdicts = dict[str, dict[str, str]]

_EXAMPLES = os.environ.get("LONGHORN_QA_EXAMPLES", "")
some = settings(
    max_examples=int(_EXAMPLES or 12),
    derandomize=not _EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

SNAP, BACK, CONTROL = "test-nc-snap", "test-nc-back", "test-ncb-snap"
THREE = (SNAP, BACK, CONTROL)
S, B, C = "test-nc-snap-c-ncsnp-c-299233", "test-nc-back-c-ncbck-c-299233", "test-ncb-snap-c-nbsnp-c-299233"


def job_failed(m: t.Any) -> None:
    for job in m.of("jobs", S + "92"):
        for condition in job["status"].get("conditions", []):
            condition |= {"type": "Failed", "reason": "BackoffLimitExceeded"}


def warning_missing(m: t.Any) -> None:
    (pod,) = [pod for pod in m.log_paths if pod.startswith(S + "91")]
    m.set_log(pod, b'time="2026-11-23T03:11:01Z" level=debug msg="nothing to see"\n')


def warning_in_a_control(m: t.Any) -> None:
    words = "created snapshot successfully but errored on cleanup for test-ncb-snap: error deleting snapshot 'x': e"
    (pod,) = [pod for pod in m.log_paths if pod.startswith(C + "92")]
    m.set_log(pod, f'time="2026-11-23T03:12:01Z" level=warning msg="{words}"\n'.encode())


def duplicate_in_the_engine_log(m: t.Any) -> None:
    (pod,) = [pod for pod in m.log_paths if pod.startswith("instance-manager-e-")]
    lines = m.logs[m.log_paths[pod]].splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if b"c-ncsnp-3fc38ae3 UserCreated" in line)
    lines.insert(place, lines[place].replace(b"c-ncsnp-3fc38ae3", b"c-ncsnp-00000000"))
    m.set_log(pod, b"".join(lines))


def duplicate_in_the_api(m: t.Any) -> None:
    for engine in m.of("engines", BACK + "-e-"):
        backups = engine.get("status", {}).get("backupStatus") or {}
        if "backup-e47082b94994412f" in backups:
            backups["backup-0000000000000000"] = {"snapshotName": "c-ncbck-a2b68e8b", "state": "complete"}


def backup_not_in_the_store(m: t.Any) -> None:
    m.records = [
        replace(r, backups=tuple(b for b in r.backups if b.name != "backup-e47082b94994412f"))
        if isinstance(r, model.Store)
        else r
        for r in m.records
    ]


def restarted(m: t.Any) -> None:
    pods = list(m.of("pods", C + "91"))
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses", []):
            if "terminated" in status["state"]:
                status["restartCount"] = 1
    name = pods[0]["metadata"]["name"]
    m.add_log(pods[0]["metadata"]["uid"], name, 1, m.logs[m.log_paths[name]])


def events_missing(m: t.Any) -> None:
    assert m.drop(lambda r: isinstance(r, model.ObjectSeen) and "29923391, status" in str(r.object.get("message")))


def tick_missed(m: t.Any) -> None:
    for kind in ("jobs", "pods"):
        m.drop_object(kind, C + "90")


def overlap(m: t.Any) -> None:
    later = next(m.of("jobs", S + "93"))["metadata"]["resourceVersion"]
    for job in m.of("jobs", S + "92"):
        if job["status"].get("conditions"):
            job["metadata"]["resourceVersion"] = str(int(later) + 1)


WRONG = (
    job_failed, warning_missing, warning_in_a_control, duplicate_in_the_engine_log, duplicate_in_the_api,
    backup_not_in_the_store, restarted, events_missing, tick_missed, overlap,
)  # fmt: skip

wrongs = st.lists(st.sampled_from(WRONG), max_size=3, unique=True)
seeds = st.integers(0, 2**32)


@pytest.fixture
def built(mutant: Make) -> Callable[[t.Any], tuple[t.Any, Verdicts]]:
    """A recording with these things wrong, and its verdicts."""
    known: dict[tuple[str, ...], Verdicts] = {}

    def build(changes: t.Any) -> tuple[t.Any, Verdicts]:
        m = mutant("2020-06", THREE)
        for change in changes:
            change(m)
        key = tuple(change.__name__ for change in changes)
        if key not in known:
            known[key] = m.verdicts()
        return m, known[key]

    return build


Build = Callable[[t.Any], tuple[t.Any, Verdicts]]


@some
@given(changes=wrongs, seed=seeds)
def test_order_of_independent_deliveries_changes_nothing(built: Build, changes: t.Any, seed: int) -> None:
    """Kinds are watched side by side: what one watch delivers may be written before or after what another does."""
    m, before = built(changes)
    chance = random.Random(seed)
    first, *body, last = m.records
    watched: dict[str, list[t.Any]] = {}
    for record in body:
        kind = record.kind if isinstance(record, model.ObjectSeen) and record.kind != "jobs" else "jobs"
        watched.setdefault(kind, []).append(record)
    turns = [kind for kind, records in watched.items() for _record in records]
    chance.shuffle(turns)
    streams = {kind: iter(records) for kind, records in watched.items()}
    m.records = [first, *(next(streams[kind]) for kind in turns), last]
    assert m.verdicts() == before


@some
@given(changes=wrongs, seed=seeds)
def test_deliveries_repeated_at_once_or_later_change_nothing(built: Build, changes: t.Any, seed: int) -> None:
    m, before = built(changes)
    chance = random.Random(seed)
    for _time in range(chance.randrange(1, 60)):
        place = chance.randrange(1, len(m.records) - 1)
        if isinstance(m.records[place], model.ObjectSeen):
            m.records.insert(chance.randrange(place + 1, len(m.records)), m.records[place])
    assert m.verdicts() == before


@some
@given(changes=wrongs, seed=seeds)
def test_recorder_that_starts_again_changes_nothing(built: Build, changes: t.Any, seed: int) -> None:
    """It writes another start record, lists all that is there, and watches from there on."""
    m, before = built(changes)
    chance = random.Random(seed)
    for _time in range(chance.randrange(1, 4)):
        place = chance.randrange(1, len(m.records))
        alive: dict[tuple[str, str], t.Any] = {}
        for record in m.records[:place]:
            if isinstance(record, model.ObjectSeen):
                key = (record.kind, record.object["metadata"]["uid"])
                alive[key] = record
        listed = [replace(r, via="list", change="ADDED") for r in alive.values() if r.change != "DELETED"]
        done = [model.ListDone(1, m.records[0].at, kind, "1") for kind in ("jobs", "pods", "cronjobs")]
        m.records[place:place] = [m.records[0], *listed, *done]
    assert m.verdicts() == before


@pytest.mark.parametrize("clock", ["writer", "store", "logs", "node"])
@some
@given(changes=wrongs, hours=st.integers(-50_000, 50_000))
def test_no_clock_but_the_servers_decides(built: Build, changes: t.Any, hours: int, clock: str) -> None:
    """The recorder's, the store's, the clock of the programs that log, and the node's, which kubelets report."""
    m, before = built(changes)
    by = timedelta(hours=hours)
    if clock == "writer":
        m.records = [replace(record, at=record.at + by) for record in m.records]
    elif clock == "store":
        moved = (m.records[0].at + by).isoformat()
        m.records = [
            replace(r, backups=tuple(replace(b, last_modified=moved) for b in r.backups))
            if isinstance(r, model.Store)
            else r
            for r in m.records
        ]
    elif clock == "logs":
        moment = (m.records[0].at + by).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        for pod in m.log_paths:
            m.set_log(pod, re.sub(rb'time="[^"]+"', b'time="' + moment + b'"', m.logs[m.log_paths[pod]]))
    else:
        _shift_node(m, (m.records[0].at + by).strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert m.verdicts() == before


def _shift_node(m: t.Any, moment: str) -> None:
    for pod in m.of("pods"):
        for status in pod.get("status", {}).get("containerStatuses", []):
            for state in (*status.get("state", {}).values(), *status.get("lastState", {}).values()):
                state |= {name: moment for name in ("startedAt", "finishedAt") if name in state}
    for event in m.of("events"):
        if event.get("source", {}).get("component") != "cronjob-controller":
            event |= {name: moment for name in ("firstTimestamp", "lastTimestamp") if event.get(name)}


@some
@given(changes=wrongs, seed=seeds)
def test_losing_a_record_never_makes_wrong_right(built: Build, changes: t.Any, seed: int) -> None:
    m, before = built(changes)
    records = list(m.history().records)
    place = random.Random(seed).randrange(1, len(records) - 1)
    del records[place]
    m.records = records
    after = m.of_numbered()
    assert after["verdict"] != "pass"
    _no_better(before, after["checks"], f"without record {place + 1}")


@some
@given(changes=wrongs, seed=seeds)
def test_losing_bytes_of_a_log_never_makes_wrong_right(built: Build, changes: t.Any, seed: int) -> None:
    m, before = built(changes)
    chance = random.Random(seed)
    path = chance.choice([path for path, content in sorted(m.logs.items()) if content])
    size = len(m.logs[path])
    start = chance.randrange(size)
    stop = chance.choice([start + 1, size, chance.randrange(start + 1, size + 1)])
    m.logs[path] = m.logs[path][:start] + m.logs[path][stop:]
    _no_better(before, m.verdicts(), f"{path} without bytes {start} to {stop}")


@some
@given(changes=wrongs, seed=seeds)
def test_record_cut_short_is_never_a_pass(built: Build, changes: t.Any, seed: int) -> None:
    """The recorder was killed: what comes after is not known, and the run is not right."""
    m, _before = built(changes)
    m.records = m.records[: random.Random(seed).randrange(1, len(m.records))]
    assert m.judge().verdict != "pass"


def _no_better(before: Verdicts, after: Verdicts, what: str) -> None:
    """Passes may turn inconclusive or fail; what failed does not pass, and is not dropped."""
    for volume, checks in before.items():
        for check, verdict in checks.items():
            now = after[volume][check]
            if verdict == "fail":
                assert now in ("fail", "inconclusive"), f"{what}: {check} of {volume} was fail and is {now}"
            if verdict == "inconclusive":
                assert now != "pass", f"{what}: {check} of {volume} was inconclusive and passes"
