# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other tools become a history; what is broken, foreign or not a log at all becomes a gap, never a crash."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._history import documents, model
from ansible_collections.longhorn.qa.plugins.module_utils._history.documents import Broken, Document, read_documents
from ansible_collections.longhorn.qa.plugins.module_utils._history.dump import Imported, import_dump

AT = datetime(2026, 11, 23, tzinfo=timezone.utc)
POD = "vol-c-x-c-29923390-abcde"


def job(name: str = "j", version: int = 5, **more: t.Any) -> dict[str, t.Any]:
    metadata = {"name": name, "uid": "u-" + name, "resourceVersion": str(version)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, **more}


def pod(name: str = POD, restarts: int = 0, **state: t.Any) -> dict[str, t.Any]:
    ended = {"terminated": {"exitCode": 0, "startedAt": "2026-11-23T03:10:00Z", "finishedAt": "2026-11-23T03:10:09Z"}}
    owner = {"kind": "Job", "name": name[:-6], "uid": "u-job", "controller": True}
    status = {"name": "c", "restartCount": restarts, "state": ended, **state}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "uid": "u-pod", "resourceVersion": "9", "ownerReferences": [owner]},
        "status": {"containerStatuses": [status]},
    }


def run(files: dict[str, t.Any]) -> Imported:
    raw = {
        path: content if isinstance(content, bytes) else json.dumps(content).encode() for path, content in files.items()
    }
    return import_dump(raw, subjects=model.Subjects(release="v1.0.1"), at=AT)


def objects_of(imported: Imported) -> list[model.ObjectSeen]:
    return [record for record in imported.history.records if isinstance(record, model.ObjectSeen)]


def gaps_of(imported: Imported) -> list[model.Gap]:
    return [record for record in imported.history.records if isinstance(record, model.Gap)]


def logs_of(imported: Imported) -> dict[tuple[str, int], model.Log]:
    logs = [record for record in imported.history.records if isinstance(record, model.Log)]
    return {(record.pod, record.attempt): record for record in logs if record.state == "closed"}


def test_numbers_and_ends_are_those_of_a_history() -> None:
    records = run({"a.json": job()}).history.records
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    assert isinstance(records[0], model.Start)
    assert records[0].origin == "dump"
    assert isinstance(records[-1], model.End)


@pytest.mark.parametrize(
    "content",
    [
        job(),
        {"apiVersion": "v1", "kind": "List", "items": [job()]},
        {"apiVersion": "batch/v1", "kind": "JobList", "items": [{"metadata": job()["metadata"]}]},
        {"type": "ADDED", "object": job()},
        [job()],
    ],
    ids=["single object", "kubectl list", "typed list from the API", "watch event", "JSON array"],
)
def test_kinds_are_recognised_by_content(content: t.Any) -> None:
    (seen,) = objects_of(run({"whatever.txt": content}))
    assert (seen.kind, seen.object["metadata"]["name"]) == ("jobs", "j")


def test_watch_stream_of_lists_and_objects_is_read_to_the_end() -> None:
    parts = [
        {"type": "ADDED", "object": job("a", 1)},
        {"kind": "List", "apiVersion": "v1", "items": [job("b", 2)]},
        job("c", 3),
    ]
    stream = "\n".join(json.dumps(part, indent=4) for part in parts) + json.dumps(job("d", 4))
    assert [seen.object["metadata"]["name"] for seen in objects_of(run({"w": stream.encode()}))] == ["a", "b", "c", "d"]


def test_order_is_the_servers_whatever_the_files() -> None:
    files = {"a.json": [job("late", 9), job("early", 2)], "b.json": {"type": "DELETED", "object": job("early", 9)}}
    assert [(seen.object["metadata"]["name"], seen.change) for seen in objects_of(run(files))] == [
        ("early", "ADDED"), ("early", "DELETED"), ("late", "ADDED"),
    ]  # fmt: skip


def test_what_a_list_and_a_stream_both_show_is_there_once_and_as_watched() -> None:
    (seen,) = objects_of(run({"a.json": [job()], "b.json": {"type": "ADDED", "object": job()}}))
    assert seen.via == "watch"


def test_managed_fields_are_dropped() -> None:
    document = job()
    document["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    (seen,) = objects_of(run({"a.json": document}))
    assert "managedFields" not in seen.object["metadata"]


@pytest.mark.parametrize(
    ("content", "offset", "kept"),
    [
        (b'{"apiVersion": "batch/v1", "kind": "Job", "metadata": {', 0, 0),
        (json.dumps(job()).encode() + b'\n{"broken": \n' + json.dumps(job("k")).encode(), 99, 2),
        (json.dumps(job()).encode() + b"\ngarbage\n", 99, 1),
        (b"[" * 100_000, 0, 0),
        (b'{"a": ' + b"9" * 10_000 + b"}", 0, 0),
    ],
    ids=["truncated", "broken in the middle", "garbage at the end", "nested too deeply", "number without end"],
)
def test_broken_json_is_a_gap_that_names_file_and_byte(content: bytes, offset: int, kept: int) -> None:
    imported = run({"watch-jobs.json": content})
    assert len(objects_of(imported)) == kept
    (gap,) = gaps_of(imported)
    start = len(json.dumps(job()).encode()) + 1 if offset else 0
    assert gap.kind == "jobs"
    assert f"watch-jobs.json, byte {start}" in gap.reason
    assert any(f"watch-jobs.json, byte {start}" in warning for warning in imported.warnings)


def test_json_file_without_json_is_a_gap() -> None:
    (gap,) = gaps_of(run({"jobs.json": b"Error from server (Forbidden): jobs is forbidden\n"}))
    assert gap.kind == "jobs"


def test_foreign_json_is_left_out_with_a_word() -> None:
    imported = run({"summary.json": {"volumes": 3}, "node.json": {"apiVersion": "v1", "kind": "Node", "metadata": {}}})
    assert objects_of(imported) == []
    assert gaps_of(imported) == []
    assert [warning.partition(":")[0] for warning in imported.warnings] == ["summary.json"]


def test_object_without_a_name_is_a_gap_of_its_kind() -> None:
    (gap,) = gaps_of(run({"a.json": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"uid": "u"}}}))
    assert gap.kind == "jobs"
    assert "metadata.name" in gap.reason


def test_watch_error_is_a_gap() -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "message": "too old resource version"}}
    (gap,) = gaps_of(run({"watch-pods.json": error}))
    assert (gap.kind, "too old" in gap.reason) == ("pods", True)


def test_bookmarks_are_nothing_to_tell() -> None:
    bookmark = {
        "type": "BOOKMARK",
        "object": {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"resourceVersion": "5"}},
    }
    imported = run({"w.json": bookmark})
    assert (objects_of(imported), gaps_of(imported), imported.warnings) == ([], [], ())


def test_store_listings_come_in_time_order_and_the_untimed_last() -> None:
    key = "backupstore/volumes/1f/4e/vol/backups/backup_{}.cfg"
    listing = [
        {"t": f"2026-11-23T03:0{m}:00Z", "objects": [{"Key": key.format(m), "LastModified": "x"}]} for m in (2, 1)
    ]
    jsonl = "\n".join(json.dumps(entry) for entry in listing).encode()
    final = [{"Key": key.format("f")}, {"Key": "backupstore/volumes/1f/4e/vol/volume.cfg"}]
    stores = [r for r in run({"s3.jsonl": jsonl, "a.json": final}).history.records if isinstance(r, model.Store)]
    assert [[backup.name for backup in store.backups] for store in stores] == [["1"], ["2"], ["f"]]
    assert stores[0].backups[0].volume == "vol"


LINE = b'time="2026-11-23T03:10:01Z" level=info msg=ok\n'
CRI = b"2026-11-23T03:10:01.5+00:00 stderr F " + LINE


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (f"logs/{POD}.r0.log", LINE),
        (f"{POD}.log", LINE),
        (f"cri/{POD}.0.log", CRI),
        (f"pods/ns_{POD}_0123-abc/c/0.log", CRI),
        (f"logs/_{POD}_c.log", LINE),
    ],
    ids=["attempt in the name", "pod's name only", "runtime's file", "node's folders", "with the container's name"],
)
def test_logs_are_found_by_their_names(path: str, content: bytes) -> None:
    imported = run({"pods.json": pod(), path: content})
    log = logs_of(imported)[(POD, 0)]
    assert imported.history.logs[log.path] == LINE
    assert (log.pod_uid, log.complete, log.bytes) == ("u-pod", True, len(LINE))
    assert log.path == "logs/u-pod/0.log"


def test_lines_that_the_runtime_cut_are_whole_again() -> None:
    parts = b"2026-11-23T03:10:01Z stderr P level=info m\n2026-11-23T03:10:01Z stderr F sg=ok\n"
    imported = run({"pods.json": pod(), f"cri/{POD}.0.log": parts})
    assert imported.history.logs["logs/u-pod/0.log"] == b"level=info msg=ok\n"


@pytest.mark.parametrize(
    "error",
    [
        b"unable to retrieve container logs for containerd://7f36e4a2",
        b'Error from server (BadRequest): container "c" in pod "p" is waiting to start',
        b'error: previous terminated container "c" in pod "p" not found\n',
        b"rpc error: code = NotFound desc = an error occurred\n",
    ],
    ids=["container gone", "not started", "no previous", "runtime"],
)
def test_tools_error_is_not_a_log(error: bytes) -> None:
    imported = run({"pods.json": pod(), f"{POD}.r0.log": error})
    assert (POD, 0) not in logs_of(imported)
    (gap,) = gaps_of(imported)
    assert (gap.kind, gap.subject) == ("logs", POD)
    assert f"{POD}.r0.log" in gap.reason


def test_log_that_ends_in_a_tools_error_is_not_complete() -> None:
    imported = run({"pods.json": pod(), f"{POD}.r0.log": LINE + b"rpc error: code = Unavailable desc = closing\n"})
    assert not logs_of(imported)[(POD, 0)].complete


def test_text_of_another_attempt_is_found_by_the_runtimes_files() -> None:
    other = b"2026-11-23T03:10:05Z stderr F level=info msg=second\n"
    files = {
        "pods.json": pod(restarts=1),
        f"cri/{POD}.1.log": other,
        f"{POD}.r0.log": b"level=info msg=second\n",
        f"{POD}.r1.log": b"level=info msg=second\n",
    }
    imported = run(files)
    assert set(logs_of(imported)) == {(POD, 1)}
    assert any("another attempt" in gap.reason for gap in gaps_of(imported))


@pytest.mark.parametrize("moment", ["03:09:50", "03:10:30"], ids=["before it started", "after it ended"])
def test_text_of_another_attempt_is_found_by_the_containers_times(moment: str) -> None:
    line = f'time="2026-11-23T{moment}Z" level=info msg=x\n'.encode()
    imported = run({"pods.json": pod(), f"{POD}.r0.log": line})
    assert logs_of(imported) == {}
    assert any("another attempt" in gap.reason for gap in gaps_of(imported))


def test_runtimes_file_wins_over_a_differing_one() -> None:
    imported = run({"pods.json": pod(), f"cri/{POD}.0.log": CRI, f"{POD}.r0.log": b"level=info msg=other\n"})
    assert imported.history.logs["logs/u-pod/0.log"] == LINE
    assert len(gaps_of(imported)) == 1


def test_attempt_without_any_log_is_a_gap() -> None:
    (gap,) = gaps_of(run({"pods.json": pod()}))
    assert (gap.kind, gap.subject) == ("logs", POD)


def test_files_that_are_no_pods_log_are_left_out() -> None:
    imported = run({"driver.log": b"did this and that\n", "../../etc/x.log": b"", "pods.json": pod()})
    assert logs_of(imported) == {}
    assert len(imported.warnings) >= 2


def test_uid_that_could_lead_out_of_the_folder_is_not_used() -> None:
    document = pod()
    document["metadata"]["uid"] = "../../../tmp/x"
    imported = run({"pods.json": document, f"{POD}.r0.log": LINE})
    assert list(imported.history.logs) == [f"logs/{POD}/0.log"]


@given(st.binary(max_size=200), st.sampled_from(["jobs.json", "x", f"{POD}.r0.log", f"cri/{POD}.0.log", "s3.jsonl"]))
def test_any_bytes_in_any_file_are_taken_without_harm(content: bytes, path: str) -> None:
    imported = run({"good.json": job(), path: content})
    assert len(objects_of(imported)) == 1
    assert len(imported.history.records) >= 3


@given(st.lists(st.sampled_from([b'{"a": 1}', b"[2]", b"{", b"]", b'"x"', b"\n", b" "]), max_size=12))
def test_documents_are_found_around_what_is_broken(parts: list[bytes]) -> None:
    content = b"\n".join(parts)
    for item in read_documents(content):
        assert isinstance(item, Document | Broken)
        assert 0 <= item.offset < len(content)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9Z"])
def test_times_at_the_ends_of_the_calendar_are_times(moment: str) -> None:
    ended = {"terminated": {"exitCode": 0, "startedAt": moment, "finishedAt": moment}}
    line = b'time="2026-11-23T03:10:01Z" level=info msg="x"\n'
    found = run({"pods.json": pod(state=ended), f"{POD}.log": line})
    assert len(found.warnings) == 1 and "another attempt's" in found.warnings[0]


@pytest.mark.parametrize(
    ("content", "most"),
    [
        pytest.param(b"{\n" * 200_000, documents.MAX_BROKEN, id="a document begins in each line"),
        pytest.param((b"[" + b"1," * 2000 + b"\n") * 500, 6, id="each begins inside the one before"),
    ],
)
def test_a_file_that_is_broken_again_and_again_is_given_up(content: bytes, most: int) -> None:
    """Each try may read the whole file: without a bound, reading it takes hours."""
    found = run({"a.json": job(), "b.json": content})
    assert 1 < len(found.warnings) <= most
    assert "the rest was not read" in found.warnings[-1]
    assert [record.kind for record in found.history.records if isinstance(record, model.Gap)] == ["dump"] * len(
        found.warnings
    )


def test_a_few_broken_documents_cost_themselves_only() -> None:
    content = b"".join(b'{"broken": \n' + json.dumps(job(f"j{place}")).encode() + b"\n" for place in range(90))
    found = run({"a.json": content})
    assert len(found.warnings) == 90
    assert sum(isinstance(record, model.ObjectSeen) for record in found.history.records) == 90


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_files_that_powershell_wrote_are_read(encoding: str) -> None:
    line = 'time="2026-11-23T03:10:01Z" level=info msg="\u00e9"\r\n'
    bom = "\ufeff" if encoding.endswith("be") else ""
    files = {"pods.json": json.dumps(pod()), f"{POD}.log": line}
    found = run({path: f"{bom}{text}".encode(encoding) for path, text in files.items()})
    assert found.warnings == ()
    assert [record.kind for record in objects_of(found)] == ["pods"]
    assert list(found.history.logs.values()) == [line.encode()]


def test_the_files_of_docker_are_read() -> None:
    """As Kubernetes keeps them on a node with Docker; a line that is too long for it comes in parts."""
    parts = [
        'time="2026-11-23T03:10:01Z" level=info ',
        'msg="\u00e9"\n',
        'time="2026-11-23T03:10:02Z" level=info msg=x\n',
    ]
    entries = [{"log": part, "stream": "stderr", "time": "2026-11-23T03:10:01.1Z"} for part in parts]
    content = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries) + b'{"log":"cut'
    found = run({"pods.json": pod(), f"longhorn-system_{POD}_u-1/c/0.log".replace("u-1", "a-1"): content})
    assert found.warnings == ()
    assert list(found.history.logs.values()) == ["".join(parts).encode() + b'{"log":"cut']


@pytest.mark.parametrize(
    "line", [b'{"log":1,"stream":"","time":""}', b'{"log":"x"}', b'{"level":"info","msg":"x"}', b"[" * 9999]
)
def test_other_lines_of_json_are_a_log_as_they_are(line: bytes) -> None:
    found = run({"pods.json": pod(), f"{POD}.log": line})
    assert list(found.history.logs.values()) == [line]
