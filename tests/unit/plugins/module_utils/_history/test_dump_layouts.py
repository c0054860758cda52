# SPDX-License-Identifier: GPL-3.0-or-later
"""The layouts in which other tools leave logs and lists: told by folders, by sections in a file, by the entries."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timezone

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.dump import Imported, import_dump

AT = datetime(2026, 11, 23, tzinfo=timezone.utc)
POD = "vol-c-x-c-29923390-abcde"
LINE = b'time="2026-11-23T03:10:05Z" level=info msg=done\n'


def pod(restarts: int = 0) -> dict[str, t.Any]:
    ended = {"terminated": {"exitCode": 0, "startedAt": "2026-11-23T03:10:00Z", "finishedAt": "2026-11-23T03:10:09Z"}}
    owner = {"kind": "Job", "name": POD[:-6], "uid": "u-job", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "uid": "u-pod", "resourceVersion": "9", "ownerReferences": [owner]},
        "status": {"containerStatuses": [{"name": "c", "restartCount": restarts, "state": ended}]},
    }


def run(files: dict[str, t.Any], restarts: int = 0) -> Imported:
    raw = {path: item if isinstance(item, bytes) else json.dumps(item).encode() for path, item in files.items()}
    raw["pods.json"] = json.dumps({"kind": "PodList", "apiVersion": "v1", "items": [pod(restarts)]}).encode()
    return import_dump(raw, subjects=model.Subjects(release="v1.0.1"), at=AT)


def logs_of(imported: Imported) -> dict[tuple[str, int], bytes]:
    records = [record for record in imported.history.records if isinstance(record, model.Log)]
    return {(r.pod, r.attempt): imported.history.logs[r.path] for r in records if r.state == "closed"}


def stores_of(imported: Imported) -> list[model.Store]:
    return [record for record in imported.history.records if isinstance(record, model.Store)]


def section(name: str, text: bytes, *, end: bool = True) -> bytes:
    of = f"logs for container {name} of pod longhorn-system/{POD} ====\n".encode()
    return b"==== START " + of + text + (b"==== END " + of if end else b"")


@pytest.mark.parametrize(
    "path",
    [
        f"{POD}.log",
        f"namespaces/longhorn-system/pods/{POD}/c/c/logs/current.log",
        f"namespaces/longhorn-system/pods/{POD}/c/logs/current.log",
        f"bundle/logs/longhorn-system/{POD}/c.log",
        f"pods/longhorn-system_{POD}_0-0/c/0.log",
    ],
    ids=["kubectl", "must-gather", "must-gather, one folder less", "support bundle", "node"],
)
def test_log_is_found_by_its_folders(path: str) -> None:
    assert logs_of(run({path: LINE})) == {(POD, 0): LINE}


@pytest.mark.parametrize(
    "path",
    [f"x/pods/{POD}/c/c/logs/previous.log", f"logs/longhorn-system/{POD}/c-previous.log"],
    ids=["must-gather", "support bundle"],
)
def test_previous_log_is_of_the_attempt_before_the_last(path: str) -> None:
    assert (POD, 1) in logs_of(run({path: b"text\n"}, restarts=2))
    without = run({path: b"text\n"}, restarts=0)
    assert logs_of(without) == {}
    assert any("of which attempt" in warning for warning in without.warnings)


def test_cluster_info_dump_has_all_containers_in_one_file() -> None:
    imported = run({f"longhorn-system/{POD}/logs.txt": section("c", LINE)})
    assert logs_of(imported) == {(POD, 0): LINE}
    (closed,) = [r for r in imported.history.records if isinstance(r, model.Log) and r.state == "closed"]
    assert closed.complete
    assert closed.container == "c"


def test_section_without_its_end_is_not_whole() -> None:
    imported = run({f"longhorn-system/{POD}/logs.txt": section("c", LINE, end=False)})
    (closed,) = [r for r in imported.history.records if isinstance(r, model.Log) and r.state == "closed"]
    assert not closed.complete


def test_logs_txt_without_sections_is_left_out_with_a_warning() -> None:
    imported = run({"x/logs.txt": b"nothing\n"})
    assert logs_of(imported) == {}
    assert any(warning.startswith("x/logs.txt: ") for warning in imported.warnings)


def test_times_before_each_line_are_taken_away() -> None:
    stamped = b"2026-11-23T03:10:05.123456789Z " + LINE
    assert logs_of(run({f"{POD}.log": stamped * 2})) == {(POD, 0): LINE * 2}
    assert logs_of(run({f"{POD}.log": stamped + LINE})) == {(POD, 0): stamped + LINE}, "not all lines have one"


BACKUP = {
    "type": "backup", "name": "backup-1", "volumeName": "vol", "snapshotName": "s", "url": "s3://b@r/?backup=backup-1",
    "created": "2026-11-23T03:10:05Z", "labels": {"RecurringJob": "x"}, "links": {},
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        [BACKUP],
        {"type": "collection", "resourceType": "backup", "data": [BACKUP]},
        {"t": "2026-11-23T03:11:00Z", "volume": "vol", "status": 200, "list": [BACKUP]},
    ],
    ids=["data alone", "collection", "with its moment"],
)
def test_managers_list_of_backups_is_a_listing_of_its_own_kind(content: t.Any) -> None:
    (store,) = stores_of(run({"any.json": content}))
    assert store.target == model.MANAGER_LIST
    assert [(b.volume, b.name, b.snapshot, b.labels) for b in store.backups] == [
        ("vol", "backup-1", "s", {"RecurringJob": "x"})
    ]


def test_managers_other_lists_are_known_and_told_once() -> None:
    snapshot = {"type": "snapshot", "name": "s", "links": {}}
    rows = "\n".join(json.dumps({"t": "x", "volume": "v", "list": [snapshot]}) for _number in range(3))
    imported = run({"snapshots.jsonl": rows.encode()})
    assert stores_of(imported) == []
    assert len([w for w in imported.warnings if "tell no order" in w]) == 1


def test_managers_error_is_a_warning() -> None:
    imported = run({"e.json": {"type": "error", "code": "Server Error", "status": 500, "message": "target is empty"}})
    assert any("target is empty" in warning for warning in imported.warnings)


@pytest.mark.parametrize(
    "content",
    [
        {"list": [1, None], "volume": "v"},
        {"type": "collection", "data": ["x"]},
        {"t": 1, "objects": [3]},
        [{"type": 5}],
    ],
    ids=["numbers", "strings", "store of numbers", "entry without a type"],
)
def test_odd_lists_never_crash(content: t.Any) -> None:
    assert run({"odd.json": content}).history.records
