# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything the judge says of runs since 1.2, made from the facts, in which each time one thing is otherwise.

What it says of a release's run as the facts have it, and per case what differs from that, is in
tests/expected/said_since_1_2.json.
"""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.unit.plugins.module_utils._judge.changed import (
    STORE,
    VISIBLE,
    Change,
    Changed,
    backup,
    snapshot,
    without,
)
from tests.unit.plugins.module_utils._judge.made import FAULTY, Run
from tests.unit.plugins.module_utils._judge.said import Approved

from ansible_collections.longhorn.qa.plugins.module_utils._history import model

HIDDEN = "asynchronous snapshot-delete"
SECOND = "nightly-qa-2"
FIRST_BACKUP, SECOND_BACKUP = "backup-0000000000000002", "backup-0000000000000006"


def is_of(record: t.Any, kind: str, name: str = "") -> bool:
    return (
        isinstance(record, model.ObjectSeen)
        and record.kind == kind
        and record.object["metadata"]["name"].startswith(name)
    )


def gap(kind: str) -> Change:
    return lambda history: history.gap(kind)


def put(kind: str, document: dict[str, t.Any], after: str = f"{SECOND}-abcde") -> Change:
    return lambda history: history.put(kind, copy.deepcopy(document), after=after)


def stays(name: str) -> Change:
    """The object is never gone."""
    return without("backups" if name.startswith("backup") else "snapshots", name, "DELETED")


def each(kind: str, name: str, do: t.Callable[[dict[str, t.Any]], object]) -> Change:
    def change(history: Changed) -> None:
        records = list(history.of(kind, name))
        assert records
        for record in records:
            do(record.object)

    return change


def not_shown(*names: str) -> Change:
    """The engine's status never had these."""

    def do(engine: dict[str, t.Any]) -> None:
        for name in names:
            engine["status"]["snapshots"].pop(name, None)
            engine["status"]["backupStatus"].pop(name, None)

    return each("engines", FAULTY, do)


def stores(do: t.Callable[[model.Store], model.Store | None]) -> Change:
    def change(history: Changed) -> None:
        kept = [do(record) if isinstance(record, model.Store) else record for record in history.records]
        history.records = [record for record in kept if record is not None]

    return change


def stated(**fields: t.Any) -> Change:
    """The first cell is another one."""

    def change(history: Changed) -> None:
        start = history.records[0]
        first, *others = start.subjects.cells
        cells = (replace(first, **fields), *others)
        history.records[0] = replace(start, subjects=replace(start.subjects, cells=cells))

    return change


def reversed_deliveries(kind: str) -> Change:
    def change(history: Changed) -> None:
        places = [
            place for place, r in enumerate(history.records) if isinstance(r, model.ObjectSeen) and r.kind == kind
        ]
        for place, record in zip(places, [history.records[place] for place in reversed(places)], strict=True):
            history.records[place] = record

    return change


def says(pod: str, message: str) -> Change:
    """This line of its log no longer says so."""
    return lambda history: history.edit(pod, message, "x")


def as_dump(history: Changed) -> None:
    history.records[0] = replace(history.records[0], origin="dump")


def failed(history: Changed) -> None:
    for record in history.of("jobs", SECOND):
        for condition in record.object["status"].get("conditions", []):
            condition |= {"type": "Failed", "reason": "BackoffLimitExceeded"}


def in_progress(history: Changed) -> None:
    """The first backup is not there before the second one begins."""
    name = next(record.object["metadata"]["name"] for record in history.of("backups"))
    for record in history.of("backups", name):
        if "deletionTimestamp" not in record.object["metadata"]:
            record.object["status"]["state"] = "InProgress"


def without_names(field: str) -> t.Callable[[dict[str, t.Any]], object]:
    return lambda document: document["spec"].pop(field, None)


def stored(*more: model.StoredBackup, lacks: str = "none") -> Change:
    def do(store: model.Store) -> model.Store:
        return replace(store, backups=(*(item for item in store.backups if item.name != lacks), *more))

    return stores(do)


def never_asked(name: str) -> Change:
    """The job says that it deleted it, and nothing came of it."""

    def change(history: Changed) -> None:
        stays(name)(history)
        history.drop(
            lambda r: (
                isinstance(r, model.ObjectSeen)
                and r.object["metadata"]["name"] == name
                and "deletionTimestamp" in r.object["metadata"]
            )
        )

    return change


Making = t.Callable[[], Changed]


def run(release: str, task: str, *fault: str, recovered: bool = False, **options: t.Any) -> Making:
    def make() -> Changed:
        made = Run(release, task, *fault, **options)
        history = made.after_recovery() if recovered else made.history()
        return Changed(list(history.records), dict(history.logs))

    return make


RUNS: dict[str, Making] = {
    **{
        f"{release} {task}": run(release, task)
        for release, task in (
            ("v1.2.6", "backup"),
            ("v1.3.3", "backup"),
            ("v1.8.2", "snapshot"),
            ("v1.8.2", "backup"),
            ("v1.8.2", "snapshot-delete"),
            ("v1.8.2", "filesystem-trim"),
        )
    },
    "newer, v1.8.2 backup": run("v1.12.1", "backup"),
    "by the schedule, v1.8.2 backup": run("v1.8.2", "backup", scheduled=True),
    "one Job, v1.8.2 snapshot": run("v1.8.2", "snapshot", invocations=1),
    "refused, v1.8.2 snapshot": run("v1.8.2", "snapshot", VISIBLE, "admission"),
    "refused, v1.8.2 backup": run("v1.8.2", "backup", VISIBLE, "admission"),
    "refused, v1.8.2 snapshot-delete": run("v1.8.2", "snapshot-delete", VISIBLE, "admission"),
    "refused, v1.8.2 filesystem-trim": run("v1.8.2", "filesystem-trim", VISIBLE, "disable-snapshot-purge"),
    "refused, v1.2.6 backup": run("v1.2.6", "backup", VISIBLE, "engine-image"),
    "refused, v1.3.3 backup": run("v1.3.3", "backup", VISIBLE, "patched-engine-image"),
    "refused by the newer, v1.8.2 backup": run("v1.12.1", "backup", VISIBLE, "admission"),
    "not purged, v1.8.2 snapshot": run("v1.8.2", "snapshot", HIDDEN, "disable-snapshot-purge"),
    "not purged, v1.8.2 backup": run("v1.8.2", "backup", HIDDEN, "disable-snapshot-purge"),
    "the store refuses, v1.8.2 backup": run("v1.8.2", "backup", *STORE),
    "the store refuses, v1.3.3 backup": run("v1.3.3", "backup", *STORE),
    "the fault is gone, v1.8.2 snapshot": run("v1.8.2", "snapshot", VISIBLE, "admission", recovered=True),
    "the fault is gone, v1.8.2 backup": run("v1.8.2", "backup", *STORE, recovered=True),
}

SNAPSHOTS: dict[str, Change] = {
    **{f"gap in {kind}": gap(kind) for kind in ("engines", "snapshots", "recurringjobs")},
    "one more object": put("snapshots", snapshot("snap-x")),
    "one more object, of another job": put("snapshots", snapshot("snap-x", "other")),
    "one more object, of nobody": put("snapshots", snapshot("snap-x", "")),
    "one more shown by the engine": each(
        "engines", FAULTY, lambda e: e["status"]["snapshots"].update(x={"labels": {"RecurringJob": "nightly"}})
    ),
    "one never shown by the engine": not_shown("snap-0003"),
    "one without an object": without("snapshots", "snap-0003"),
    "one without an object and never shown": lambda h: [
        without("snapshots", "snap-0003")(h),
        not_shown("snap-0003")(h),
    ],
    "one nowhere": lambda h: [
        without("snapshots", "snap-0003")(h),
        not_shown("snap-0003")(h),
        says(SECOND, "Complete creating the snapshot snap-0003")(h),
    ],
    "one that the log does not name": says(SECOND, "Complete creating the snapshot snap-0003"),
    "one stays": stays("snap-0001"),
    "the last one stays": stays("snap-0003"),
    "one was never asked to go": never_asked("snap-0001"),
    "no log of the second Job": lambda h: h.drop_log(SECOND),
    "the second Job Failed": failed,
    "no manager's log": lambda h: h.drop_log("longhorn-manager-1"),
    "objects delivered in the opposite order": reversed_deliveries("snapshots"),
    "objects without a wish to be made": each("snapshots", "", without_names("createSnapshot")),
    "retain 0": stated(retain=0),
    "retain 2": stated(retain=2),
    "deletions should fail": stated(faults=("snapshot-delete",), fault_type="admission"),
    "deletions should fail by an engine image": stated(faults=("snapshot-delete",), fault_type="engine-image"),
    "backup deletions should fail": stated(faults=("backup-delete",), fault_type="backup-store"),
    "nothing is stated about faults": stated(faults=None),
    "as a dump": as_dump,
    "listed": lambda h: setattr(
        h, "records", [replace(r, via="list") if is_of(r, "snapshots") else r for r in h.records]
    ),
}
BACKUPS: dict[str, Change] = {
    **{f"gap in {kind}": gap(kind) for kind in ("engines", "snapshots", "backups", "store", "pods")},
    "one more object": put("backups", backup("backup-x", "snap-0001")),
    "one more object, being made": put("backups", backup("backup-x", "snap-0001", "InProgress")),
    "one more object, of another job": put("backups", backup("backup-x", "snap-0001", job="other")),
    "one never shown by the engine": not_shown(SECOND_BACKUP),
    "one without an object": without("backups", SECOND_BACKUP),
    "one that the log does not name": says(SECOND, f"Completed creating backup {SECOND_BACKUP}"),
    "one that the store lacks": stored(lacks=SECOND_BACKUP),
    "one that only the store has": stored(
        model.StoredBackup(FAULTY, "backup-x", "k", labels={"RecurringJob": "nightly"})
    ),
    "one that only the store has, of somebody": stored(model.StoredBackup(FAULTY, "backup-x", "k")),
    "one stays": stays(FIRST_BACKUP),
    "one was never asked to go": never_asked(FIRST_BACKUP),
    "two at once": in_progress,
    "no log of the second Job": lambda h: h.drop_log(SECOND),
    "the store is not listed": stores(lambda _store: None),
    "the store cannot be listed": stores(lambda store: replace(store, backups=(), error="403 AccessDenied")),
    "objects delivered in the opposite order": reversed_deliveries("backups"),
    "retain 2": stated(retain=2),
    "deletions should fail": stated(faults=("backup-delete",), fault_type="backup-store"),
    "as a dump": as_dump,
}

CASES: dict[str, tuple[Making, Change]] = {
    **{name: (making, lambda _history: None) for name, making in RUNS.items()},
    **{f"{name}, v1.8.2 snapshot": (RUNS["v1.8.2 snapshot"], change) for name, change in SNAPSHOTS.items()},
    **{f"{name}, v1.8.2 backup": (RUNS["v1.8.2 backup"], change) for name, change in BACKUPS.items()},
    **{
        f"{name}, v1.3.3 backup": (RUNS["v1.3.3 backup"], {**SNAPSHOTS, **BACKUPS}[name])
        for name in ("gap in engines", "gap in snapshots", "one more object", "the store is not listed", "retain 2")
    },
    "no engines, v1.3.3 backup": (RUNS["v1.3.3 backup"], without("engines")),
    **{
        f"{name}, v1.2.6 backup": (RUNS["v1.2.6 backup"], change)
        for name, change in {
            "gap in backups": gap("backups"),
            "no engine's log": lambda h: h.drop_log("instance-manager-e"),
            "one more object": put("backups", backup("backup-x", "snap-0001")),
        }.items()
    },
    **{
        f"no manager's log, {name}": (RUNS[name], lambda h: h.drop_log("longhorn-manager-1"))
        for name in ("not purged, v1.8.2 snapshot", "the store refuses, v1.3.3 backup")
    },
    **{
        f"no log of the second Job, {name}": (RUNS[name], lambda h: h.drop_log(SECOND))
        for name in ("refused, v1.8.2 snapshot", "refused, v1.8.2 backup", "not purged, v1.8.2 snapshot")
    },
    "nobody says so, the store refuses, v1.8.2 backup": (
        RUNS["the store refuses, v1.8.2 backup"],
        each("backups", "", lambda document: document["status"].pop("messages", None)),
    ),
    "nobody says so, not purged, v1.8.2 snapshot": (
        RUNS["not purged, v1.8.2 snapshot"],
        says("longhorn-manager-1", "Cannot start SnapshotPurge"),
    ),
    "one more object, v1.8.2 filesystem-trim": (RUNS["v1.8.2 filesystem-trim"], SNAPSHOTS["one more object"]),
    "gap in snapshots, v1.8.2 filesystem-trim": (RUNS["v1.8.2 filesystem-trim"], gap("snapshots")),
    "one stays, v1.8.2 snapshot-delete": (RUNS["v1.8.2 snapshot-delete"], stays("snap-0001")),
}


@pytest.fixture(scope="module")
def approved() -> Iterator[Approved]:
    def examine(name: str) -> t.Any:
        making, change = CASES[name]
        history = making()
        change(history)
        return history.examine()

    approved = Approved("said_since_1_2.json", CASES, "", examine)
    yield approved
    approved.write()


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_since_1_2(name: str, approved: Approved) -> None:
    approved.check(name)
