# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every history, on made ones since 1.2: delivery changes no verdict, and loss mends none."""

from __future__ import annotations

import os
import random
import typing as t
from dataclasses import replace
from functools import cache

import pytest
from tests.unit.plugins.module_utils._judge.changed import HIDDEN, STORE, VISIBLE, Changed, snapshot
from tests.unit.plugins.module_utils._judge.made import Run

from ansible_collections.longhorn.qa.plugins.module_utils._history import model

SEEDS = range(int(os.environ.get("LONGHORN_QA_EXAMPLES", "3")))
RUNS: dict[str, tuple[str, ...]] = {
    "1.2.6, no fault": ("v1.2.6", "backup"),
    "1.2.6, error before the backup": ("v1.2.6", "backup", VISIBLE, "engine-image"),
    "1.3.3, refused": ("v1.3.3", "snapshot", VISIBLE, "patched-engine-image"),
    "1.4.4, retried": ("v1.4.4", "snapshot-force-create", VISIBLE, "patched-engine-image"),
    "1.8.2, no fault": ("v1.8.2", "backup"),
    "1.8.2, deletions that stay": ("v1.8.2", "backup", HIDDEN, "disable-snapshot-purge"),
    "1.8.2, backups that stay": ("v1.8.2", "backup", *STORE),
    "1.12.1, the error is lost": ("v1.12.1", "snapshot", VISIBLE, "admission"),
    "1.12.1, snapshots of others": ("v1.12.1", "snapshot-delete"),
}
WRONG = ("as it is", "one snapshot more", "no warning", "one object stays")
Verdicts = dict[str, dict[str, str]]


@cache
def _made(name: str) -> model.History:
    return Run(*RUNS[name]).history()


def history_of(name: str, wrong: str) -> Changed:
    """The made history with this wrong in it, where it can be."""
    found = _made(name)
    made = Changed(list(found.records), dict(found.logs))
    if wrong == "one snapshot more":
        made.put("snapshots", snapshot("extra"), after="nightly-qa-2-abcde")
    elif wrong == "no warning":
        made.logs = {path: log.replace(b"level=error", b"level=info") for path, log in made.logs.items()}
        made.records = [
            replace(r, bytes=len(made.logs[r.path])) if isinstance(r, model.Log) and r.bytes else r
            for r in made.records
        ]
    elif wrong == "one object stays":
        gone = [r for r in made.of("snapshots") if r.change == "DELETED"]
        made.records = [r for r in made.records if r not in gone[:1]]
    return made


def verdicts_of(made: Changed, *, number: bool = True) -> tuple[str, Verdicts]:
    judgement = made.judge() if number else made.judge(number=False)
    return judgement.verdict, {
        cell.cell.volume: {check.check: check.verdict for check in cell.checks} for cell in judgement.cells
    }


CASES = [
    pytest.param(name, wrong, seed, id=f"{name}, {wrong}, {seed}") for name in RUNS for wrong in WRONG for seed in SEEDS
]
over_all = pytest.mark.parametrize(("name", "wrong", "seed"), CASES)


@over_all
def test_order_of_independent_deliveries_changes_nothing(name: str, wrong: str, seed: int) -> None:
    made = history_of(name, wrong)
    before = verdicts_of(made)
    chance = random.Random(seed)
    first, *body, last = made.records
    streams: dict[str, list[t.Any]] = {}
    for record in body:
        watched = isinstance(record, (model.ObjectSeen, model.ListDone)) and record.kind != "jobs"
        streams.setdefault(record.kind if watched else "jobs", []).append(record)
    turns = [kind for kind, records in streams.items() for _record in records]
    chance.shuffle(turns)
    left = {kind: iter(records) for kind, records in streams.items()}
    made.records = [first, *(next(left[kind]) for kind in turns), last]
    assert verdicts_of(made) == before


@over_all
def test_deliveries_repeated_change_nothing(name: str, wrong: str, seed: int) -> None:
    made = history_of(name, wrong)
    before = verdicts_of(made)
    chance = random.Random(seed)
    for _time in range(chance.randrange(1, 30)):
        place = chance.randrange(1, len(made.records) - 1)
        record = made.records[place]
        if isinstance(record, model.ObjectSeen) and record.via == "watch":
            made.records.insert(chance.randrange(place + 1, len(made.records)), record)
    assert verdicts_of(made) == before


@over_all
def test_recorder_that_starts_again_changes_nothing(name: str, wrong: str, seed: int) -> None:
    """It lists all that is there, and watches from there on."""
    made = history_of(name, wrong)
    before = verdicts_of(made)
    chance = random.Random(seed)
    place = chance.randrange(20, len(made.records) - 1)
    alive: dict[tuple[str, str], t.Any] = {}
    for record in made.records[:place]:
        if isinstance(record, model.ObjectSeen):
            alive[(record.kind, record.object["metadata"]["uid"])] = record
    versions = [int(r.object["metadata"]["resourceVersion"]) for r in alive.values()]
    listed = [replace(r, via="list", change="ADDED") for r in alive.values() if r.change != "DELETED"]
    kinds = ("jobs", "pods", "cronjobs", "snapshots", "backups", "recurringjobs")
    done = [model.ListDone(1, made.records[0].at, kind, str(max(versions))) for kind in kinds]
    made.records[place:place] = [made.records[0], *listed, *done]
    assert verdicts_of(made) == before


@over_all
def test_losing_a_record_never_makes_wrong_right(name: str, wrong: str, seed: int) -> None:
    made = history_of(name, wrong)
    _run, before = verdicts_of(made)
    made.records = [replace(record, number=number) for number, record in enumerate(made.records, start=1)]
    del made.records[random.Random(seed).randrange(1, len(made.records) - 1)]
    run, after = verdicts_of(made, number=False)
    assert run != "pass"
    _no_better(before, after)


@over_all
def test_losing_bytes_of_a_log_never_makes_wrong_right(name: str, wrong: str, seed: int) -> None:
    made = history_of(name, wrong)
    _run, before = verdicts_of(made)
    chance = random.Random(seed)
    path = chance.choice([path for path, content in sorted(made.logs.items()) if content])
    size = len(made.logs[path])
    start = chance.randrange(size)
    stop = chance.choice([start + 1, size, chance.randrange(start + 1, size + 1)])
    made.logs[path] = made.logs[path][:start] + made.logs[path][stop:]
    _no_better(before, verdicts_of(made)[1])


@over_all
def test_record_cut_short_is_never_a_pass(name: str, wrong: str, seed: int) -> None:
    made = history_of(name, wrong)
    made.records = made.records[: random.Random(seed).randrange(1, len(made.records))]
    assert verdicts_of(made)[0] != "pass"


def _no_better(before: Verdicts, after: Verdicts) -> None:
    for volume, checks in before.items():
        for check, verdict in checks.items():
            now = after[volume][check]
            if verdict == "fail":
                assert now in ("fail", "inconclusive"), f"{check} of {volume} was fail and is {now}"
            if verdict == "inconclusive":
                assert now != "pass", f"{check} of {volume} was inconclusive and passes"
