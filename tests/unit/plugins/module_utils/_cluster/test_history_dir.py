# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a history: written by one, readable after any end, honest about damage."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import history_dir
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Conflict, LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

SUBJECTS = model.Subjects(
    release="2020-06", cells=(model.Cell(volume="v1", task="snapshot", job="c-1", cronjob="v1-c-1-c", faults=()),)
)


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


def written(folder: Path, *, ended: bool = True) -> Path:
    """A small history with two logs."""
    with history_dir.open_for_writing(folder, SUBJECTS, kinds=("jobs",), clock=FixedClock()) as writer:
        writer.object("jobs", "ADDED", {"metadata": {"name": "j", "uid": "u1"}}, via="list")
        writer.listed("jobs", "7")
        for attempt, data in enumerate((b"one\ntwo\n", b"\xff\x00")):
            opened = writer.log_opened("uid-1", "j-abc", "c", attempt)
            file = writer.log_file(opened)
            file.append(data)
            file.close()
            writer.log_closed(opened, size=file.size, complete=True, reason="the container ended")
        writer.gap("pods", "lost", subject="j-abc")
        if ended:
            writer.end("invocations")
    return folder


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    history = history_dir.read_history(written(tmp_path / "h"))
    assert [type(record).__name__ for record in history.records] == [
        "Start", "ObjectSeen", "ListDone", "Log", "Log", "Log", "Log", "Gap", "End",
    ]  # fmt: skip
    assert [record.number for record in history.records] == list(range(1, 10))
    assert dict(history.logs) == {"logs/uid-1/0.log": b"one\ntwo\n", "logs/uid-1/1.log": b"\xff\x00"}
    assert history.damage == ()
    assert history.subjects == SUBJECTS


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        pytest.param("history.jsonl", lambda data: data[:-3], "truncated record", id="the last record is cut"),
        pytest.param(
            "history.jsonl", lambda data: data.replace(b"lost", b"last"), "changed after", id="a byte is changed"
        ),
        pytest.param(
            "history.jsonl",
            lambda data: data.replace(data.splitlines(keepends=True)[2], b""),
            "record 4 where 3 was expected",
            id="a record is taken out",
        ),
        pytest.param("logs/uid-1/0.log", lambda data: data[:4], "4 bytes where 8", id="a log is cut"),
        pytest.param("logs/uid-1/0.log", lambda data: b"one\ntwx\n", "changed after", id="a log is changed"),
        pytest.param("logs/uid-1/1.log", lambda data: data + b"!", "changed after", id="a log got longer"),
        pytest.param("manifest.json", lambda data: b"{", "manifest.json: not readable", id="the manifest is damaged"),
        pytest.param(
            "manifest.json",
            lambda data: data.replace(b'"chain"', b'"chains"'),
            "manifest.json: not readable",
            id="the manifest has no chain",
        ),
    ],
)
def test_damage_is_told(tmp_path: Path, path: str, change: t.Callable[[bytes], bytes], expected: str) -> None:
    folder = written(tmp_path / "h")
    (folder / path).write_bytes(change((folder / path).read_bytes()))
    assert expected in "; ".join(history_dir.read_history(folder).damage)


def went_on(folder: Path) -> Path:
    """A history with a second recording, which ended as well."""
    with history_dir.open_for_writing(written(folder), SUBJECTS, clock=FixedClock()) as writer:
        writer.end("deadline")
    return folder


OTHER = model.Cell(volume="v2", task="snapshot", job="c-1", cronjob="v2-c-1-c", faults=())


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        pytest.param({"run_id": "run-2"}, "expected run run-2, .* seen run without an id", id="another run"),
        pytest.param({"cells": (OTHER,)}, "volumes v2; seen .* volumes v1", id="another volume"),
        pytest.param({"namespace": "n"}, "namespace n, .* seen .* namespace longhorn-system", id="another namespace"),
    ],
)
def test_another_run_is_not_mixed_in(tmp_path: Path, change: dict[str, t.Any], seen: str) -> None:
    folder = written(tmp_path / "h")
    before = (folder / "history.jsonl").read_bytes()
    with pytest.raises(Conflict, match=seen):
        history_dir.open_for_writing(folder, replace(SUBJECTS, **change), clock=FixedClock())
    assert (folder / "history.jsonl").read_bytes() == before


def test_what_is_expected_may_be_stated_anew(tmp_path: Path) -> None:
    folder, cell = written(tmp_path / "h"), replace(SUBJECTS.cells[0], faults=("snapshot-delete",))
    anew = replace(SUBJECTS, release="v1.0.1", cells=(cell,))
    with history_dir.open_for_writing(folder, anew, clock=FixedClock()) as writer:
        writer.end("deadline")
    assert history_dir.read_history(folder).subjects == anew


def test_a_second_recording_is_another_link(tmp_path: Path) -> None:
    folder = went_on(tmp_path / "h")
    chain = json.loads((folder / "manifest.json").read_text())["chain"]
    assert [link["records"] for link in chain] == [9, 11]
    assert chain[1]["previous"] == hashlib.sha256(json.dumps(chain[0], sort_keys=True).encode()).hexdigest()
    assert history_dir.read_history(folder).damage == ()


def test_what_the_first_of_two_recordings_wrote_is_still_vouched_for(tmp_path: Path) -> None:
    """Also between the start of the second and its end."""
    folder = written(tmp_path / "h")
    with history_dir.open_for_writing(folder, SUBJECTS, clock=FixedClock()):
        assert history_dir.read_history(folder).damage == ()
        data = (folder / "history.jsonl").read_bytes()
        (folder / "history.jsonl").write_bytes(data.replace(b"lost", b"last"))
        assert history_dir.read_history(folder).damage == ("history.jsonl: changed after the recording ended",)


@pytest.mark.parametrize("what", [pytest.param("changed", id="changed"), pytest.param("left out", id="left out")])
def test_a_link_that_is_another_is_told(tmp_path: Path, what: str) -> None:
    folder = went_on(tmp_path / "h")
    manifest = json.loads((folder / "manifest.json").read_text())
    if what == "changed":
        manifest["chain"][0]["records"] = 8
    else:
        del manifest["chain"][0]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert any("does not belong to the one before" in told for told in history_dir.read_history(folder).damage)


def test_a_log_that_is_gone_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", ended=False)
    (folder / "logs/uid-1/1.log").unlink()
    history = history_dir.read_history(folder)
    assert history.damage == ("logs/uid-1/1.log: the log is missing",)
    assert list(history.logs) == ["logs/uid-1/0.log"]


@given(data=st.data())
def test_readable_after_a_cut_at_any_byte(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = written(tmp_path_factory.mktemp("cut") / "h", ended=False)
    whole = (folder / "history.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    cut = data.draw(st.integers(first, len(whole) - 1))
    (folder / "history.jsonl").write_bytes(whole[:cut])
    history = history_dir.read_history(folder)
    complete = whole[:cut].count(b"\n")
    assert len(history.records) == complete
    assert any("truncated record" in told for told in history.damage) == (not whole[:cut].endswith(b"\n"))


def test_a_resumed_history_goes_on_after_a_cut_record(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", ended=False)
    whole = (folder / "history.jsonl").read_bytes()
    (folder / "history.jsonl").write_bytes(whole[:-5])
    with history_dir.open_for_writing(folder, SUBJECTS, clock=FixedClock()) as writer:
        assert isinstance(writer.resumed_after, model.Log)
        writer.end("deadline")
    history = history_dir.read_history(folder)
    assert [record.number for record in history.records] == list(range(1, 10))
    assert [type(record).__name__ for record in history.records[-2:]] == ["Start", "End"]
    assert len(history.damage) == 1
    assert "not JSON" in history.damage[0]


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with history_dir.open_for_writing(tmp_path / "h", SUBJECTS, clock=FixedClock()):
        before = (tmp_path / "h/history.jsonl").read_bytes()
        with pytest.raises(Conflict, match="another recorder is writing this history"):
            history_dir.open_for_writing(tmp_path / "h", SUBJECTS, clock=FixedClock())
        assert (tmp_path / "h/history.jsonl").read_bytes() == before
    with history_dir.open_for_writing(tmp_path / "h", SUBJECTS, clock=FixedClock()) as writer:
        assert writer.count == 2


def test_a_log_known_already_is_compared_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "logs/u/0.log"
    first = history_dir.LogFile(path)
    first.append(b"abc")
    first.close()
    again = history_dir.LogFile(path)
    again.append(b"ab")
    again.append(b"cdef")
    assert (again.size, again.differs) == (6, False)
    again.close()
    other = history_dir.LogFile(path)
    other.append(b"xyz")
    assert other.differs
    other.close()
    assert path.read_bytes() == b"abcdef"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("../../etc/passwd", id="a path that leads out"),
        pytest.param("/etc/passwd", id="an absolute path"),
        pytest.param("logs/../x/0.log", id="a step up inside"),
    ],
)
def test_logs_outside_the_folder_are_not_read(tmp_path: Path, path: str) -> None:
    folder = written(tmp_path / "h", ended=False)
    record = {
        "record": "log", "number": 9, "at": "2026-01-02T03:04:05Z", "pod_uid": "u", "pod": "p", "container": "c",
        "attempt": 0, "state": "opened", "path": path,
    }  # fmt: skip
    with (folder / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    history = history_dir.read_history(folder)
    assert path not in history.logs
    assert any(path in told and "missing" in told for told in history.damage)


def test_a_linked_log_is_not_read(tmp_path: Path) -> None:
    folder = written(tmp_path / "h", ended=False)
    (tmp_path / "secret").write_bytes(b"one\ntwo\n")
    (folder / "logs/uid-1/0.log").unlink()
    (folder / "logs/uid-1/0.log").symlink_to(tmp_path / "secret")
    assert "logs/uid-1/0.log" not in history_dir.read_history(folder).logs


@pytest.mark.parametrize(
    "uid", [pytest.param("../x", id="a step up"), pytest.param("", id="nothing"), pytest.param("a/b", id="a folder")]
)
def test_a_uid_that_is_no_name_is_refused(uid: str) -> None:
    with pytest.raises(BadInput):
        history_dir.log_path(uid, 0)


def test_a_folder_without_history(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a history"):
        history_dir.read_history(tmp_path)


def test_a_history_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LonghornQAError, match="Check free space and permissions"):
        history_dir.open_for_writing(tmp_path / "file" / "h", SUBJECTS, clock=FixedClock())


def test_values_that_may_be_secret_and_bookkeeping_are_not_recorded() -> None:
    pod = {
        "metadata": {
            "name": "p",
            "managedFields": [1],
            "annotations": {"longhorn.io/last-applied-cronjob-spec": "canary", "kept": "yes"},
        },
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "env": [
                        {"name": "AWS_SECRET_ACCESS_KEY", "value": "canary"},
                        {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    ],
                }
            ]
        },
    }
    kept = history_dir.cleaned(pod)
    assert "canary" not in json.dumps(kept)
    assert kept["metadata"] == {"name": "p", "annotations": {"kept": "yes"}}
    assert kept["spec"]["containers"][0]["env"][1] == pod["spec"]["containers"][0]["env"][1]  # type: ignore[index]


def nested(depth: int, innermost: t.Any = None) -> t.Any:
    value: t.Any = innermost
    for place in range(depth):
        value = {"env": value} if place % 3 == 0 else [value] if place % 3 == 1 else {"a": value}
    return value


@pytest.mark.parametrize("depth", [300, 900, 5000])
def test_an_object_that_is_nested_too_deeply_is_recorded_without_its_depths(tmp_path: Path, depth: int) -> None:
    document = {"metadata": {"name": "p", "uid": "u", "annotations": ["x"]}, "spec": nested(depth), "status": {"a": 1}}
    with history_dir.open_for_writing(tmp_path, SUBJECTS, clock=FixedClock()) as writer:
        writer.object("jobs", "ADDED", document)
        writer.end("invocations")
    history = history_dir.read_history(tmp_path)
    assert history.damage == ()
    (seen,) = [record.object for record in history.records if isinstance(record, model.ObjectSeen)]
    assert seen["status"] == {"a": 1}
    assert "(not recorded: nested too deeply)" in json.dumps(seen)


def test_a_manifest_that_is_nested_too_deeply_is_not_readable(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    assert history_dir.read_history(tmp_path).damage == ("manifest.json: not readable",)
