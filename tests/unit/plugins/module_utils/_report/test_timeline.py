# SPDX-License-Identifier: GPL-3.0-or-later
"""The lanes of a run: which marks there are, when, how they look, and what they rest on."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.plugins.module_utils._report.made import HOSTILE, NOON, Recording

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time
from ansible_collections.longhorn.qa.plugins.module_utils._report import schema, timeline

JOB = "vol-c-x-c-29923920"  # the tick at noon
LATER = "vol-c-x-c-29923921"
WARNING = (
    'time="2026-11-23T12:00:05Z" level=warning msg="created snapshot successfully but errored on cleanup for vol: '
    "error deleting snapshot 'c-x-0': refused\"\n"
)


def marks(report: dict[str, t.Any], **wanted: str) -> list[dict[str, t.Any]]:
    lanes = report["runs"][0]["timeline"]
    every = [*lanes["gaps"], *lanes["cells"][0]["marks"]]
    return [mark for mark in every if all(mark[name] == value for name, value in wanted.items())]


def seconds(moment: str | None) -> float | None:
    parsed = parse_time(moment or "")
    return (parsed - NOON).total_seconds() if parsed is not None else None


def whole_run() -> Recording:
    """A Job that is done, one that failed with a retry, and what both made."""
    made = Recording()
    made.job(JOB, 0)
    made.event("SuccessfulCreate", f"Created job {JOB}", 0)
    made.pod(JOB, [(1, 6, 0)])
    made.engine({"c-x-1": {"created": 2}}, ["backup-1"])
    made.log(JOB, 0, b'time="2026-11-23T12:00:04Z" level=debug msg=working\n' + WARNING.encode())
    made.job(JOB, 0, 7)
    made.store("backup-1")
    made.event("SawCompletedJob", f"Saw completed job: {JOB}, status: Complete", 7)
    made.job(LATER, 60)
    made.pod(LATER, [(61, 63, 1), (65, 69, 1)])
    made.engine({"c-x-1": {"created": 2, "removed": True}, "c-x-2": {"created": 62}}, ["backup-1", "backup-2"])
    made.event("SuccessfulCreate", f"Created job {LATER}", 60)
    made.engine({"c-x-2": {"created": 62}, "c-x-3": {"created": 66}}, ["backup-1", "backup-2"])
    made.job(LATER, 60, 70, failed=True)
    made.store("backup-1", "backup-9")
    made.gap("logs", "the pod was gone")
    return made


def test_lanes_keep_the_schema_and_the_servers_times() -> None:
    report = whole_run().report()
    assert schema.problems(report) == []
    lanes = report["runs"][0]["timeline"]
    assert lanes["schema"] == "longhorn.qa/timeline/1"
    assert seconds(lanes["since"]) == 0
    assert [seconds(mark["start"]) for mark in marks(report, lane="jobs")] == [0, 60]
    assert [seconds(mark["end"]) for mark in marks(report, lane="jobs")] == [7, 70]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"lane": "schedule"}, [("ok", 0, 0), ("ok", 60, 60)]),
        ({"lane": "jobs"}, [("ok", 0, 7), ("bad", 60, 70)]),
        ({"lane": "pods", "kind": "attempt"}, [("ok", 1, 6), ("bad", 61, 63)]),
        ({"lane": "pods", "kind": "retry"}, [("bad", 65, 69)]),
        ({"lane": "snapshots", "label": "snapshot c-x-1"}, [("ok", 2, 61)]),
        ({"lane": "snapshots", "label": "snapshot c-x-3"}, [("bad", 66, None)]),
        ({"lane": "backups", "label": "backup backup-1"}, [("ok", 1, None)]),
        ({"lane": "logs", "kind": "warning"}, [("ok", 5, 5)]),
        ({"lane": "events", "kind": "event"}, [("ok", 0, 0), ("ok", 7, 7), ("ok", 60, 60)]),
        ({"lane": "events", "kind": "missing event"}, [("unknown", 70, 70)]),
    ],
    ids=[
        "ticks", "Jobs", "attempts", "retry", "deleted snapshot", "one too many", "backup stays", "warning", "events",
        "missing",
    ],
)  # fmt: skip
def test_marks(wanted: dict[str, str], expected: list[tuple[str, float, float | None]]) -> None:
    found = [
        (mark["state"], seconds(mark["start"]), seconds(mark["end"])) for mark in marks(whole_run().report(), **wanted)
    ]
    assert found == expected


def test_snapshot_being_deleted_is_told() -> None:
    (mark,) = marks(whole_run().report(), label="snapshot c-x-1")
    assert seconds(mark["terminating"]) == 61
    assert mark["start"] < mark["terminating"] <= mark["end"]


# --- Longhorn's own objects of snapshots and backups, which a deletion that fails leaves Terminating ------------------
def one_job() -> Recording:
    made = Recording()
    made.job(JOB, 0)
    made.pod(JOB, [(1, 6, 0)])
    made.engine({"c-x-1": {"created": 2}}, ["backup-1"])
    made.resource("snapshots", "c-x-1", 2)
    made.resource("backups", "backup-1", 4)
    made.job(JOB, 0, 7)
    made.store("backup-1")
    return made


def span(report: dict[str, t.Any], label: str) -> tuple[float | None, float | None, float | None]:
    """When it began, since when it was being deleted, when it was gone."""
    (mark,) = marks(report, label=label)
    return seconds(mark["start"]), seconds(mark["terminating"]), seconds(mark["end"])


@pytest.mark.parametrize(
    ("kind", "label", "start"),
    [("snapshots", "snapshot c-x-1", 2), ("backups", "backup backup-1", 4)],
    ids=["snapshot", "backup"],
)
def test_deletion_that_is_never_done_is_told_to_the_end(
    kind: t.Literal["snapshots", "backups"], label: str, start: float
) -> None:
    made = one_job()
    made.resource(kind, label.split()[1], 4, deleted=9)
    made.event("Note", "time goes on", 50)
    assert span(made.report(), label) == (start, 9, None)


def test_snapshot_is_gone_when_neither_its_object_nor_the_engine_shows_it() -> None:
    made = one_job()
    made.resource("snapshots", "c-x-1", 2, deleted=9)
    made.event("Note", "time goes on", 20)
    made.resource("snapshots", "c-x-1", 2, deleted=9, gone=True)
    assert span(made.report(), "snapshot c-x-1") == (2, 9, None)
    made.event("Note", "time goes on", 30)
    made.engine({})
    assert span(made.report(), "snapshot c-x-1") == (2, 9, 30)


def test_backup_whose_data_is_gone_is_there_while_its_object_is() -> None:
    made = one_job()
    made.resource("backups", "backup-1", 4, deleted=9)
    made.store()
    assert span(made.report(), "backup backup-1") == (4, 9, None)
    made.event("Note", "time goes on", 40)
    made.resource("backups", "backup-1", 4, deleted=9, gone=True)
    assert span(made.report(), "backup backup-1") == (4, 9, 40)


def test_object_made_anew_is_not_being_deleted() -> None:
    made = one_job()
    made.resource("backups", "backup-1", 4, deleted=9)
    made.resource("backups", "backup-1", 4, deleted=9, gone=True)
    made.resource("backups", "backup-1", 12, uid="another")
    assert span(made.report(), "backup backup-1") == (4, None, None)


def test_what_a_later_list_does_not_show_is_gone() -> None:
    made = one_job()
    made.resource("backups", "backup-1", 4, deleted=9)
    made.store()
    made.event("Note", "time goes on", 40)
    made.resource("backups", "backup-2", 30, via="list")
    made.listed("backups")
    assert span(made.report(), "backup backup-1") == (4, 9, 40)


def test_deletion_begins_before_it_ends_though_the_servers_time_is_only_known_to_a_tick() -> None:
    made = one_job()
    made.engine({})
    made.resource("snapshots", "c-x-1", 2, deleted=9, gone=True)
    assert span(made.report(), "snapshot c-x-1") == (2, 9, 9)


def test_older_snapshot_is_shown_while_it_is_deleted_and_does_not_stretch_the_time() -> None:
    made = one_job()
    made.resource("snapshots", "old", -900_000)
    made.resource("snapshots", "c-x-0", -900_000, deleted=9)
    report = made.report()
    (mark,) = marks(report, lane="snapshots", state="info")
    assert (mark["label"], mark["job"]) == ("snapshot c-x-0", "")
    assert mark["text"] == "not made by a Job of this record"
    assert seconds(report["runs"][0]["timeline"]["since"]) == 0


def test_evidence_of_a_deletion_is_the_object_with_its_finalizers() -> None:
    made = one_job()
    made.resource("snapshots", "c-x-1", 2, deleted=9)
    report = made.report()
    (mark,) = marks(report, label="snapshot c-x-1")
    piece = report["runs"][0]["timeline"]["excerpts"][mark["evidence"][0]]
    assert piece["what"] == "snapshots/c-x-1"
    hits = [line["text"].strip() for line in piece["lines"] if line["match"]]
    assert hits == ['"deletionTimestamp": "2026-11-23T12:00:09Z",', '"finalizers": [']


@pytest.mark.parametrize(
    ("label", "only"),
    [("backup backup-1", ""), ("backup backup-2", "api"), ("backup backup-9", "store")],
    ids=["both", "only the API", "only the store"],
)
def test_backup_that_one_source_lacks_is_told(label: str, only: str) -> None:
    (mark,) = marks(whole_run().report(), label=label)
    assert mark["only"] == only
    assert (mark["state"] == "ok") == (only == "")


def test_gap_is_on_the_recorders_lane_with_its_record() -> None:
    report = whole_run().report()
    (mark,) = marks(report, lane="recorder")
    assert mark["text"] == "the pod was gone"
    assert mark["state"] == "unknown"
    piece = report["runs"][0]["timeline"]["excerpts"][mark["evidence"][0]]
    assert "the pod was gone" in " ".join(line["text"] for line in piece["lines"])


def test_gap_of_a_dump_is_there_all_the_time_and_not_when_it_was_imported() -> None:
    made = whole_run()
    made.records[0] = replace(t.cast(model.Start, made.records[0]), origin="dump")
    report = made.report()
    (mark,) = marks(report, lane="recorder")
    assert (seconds(mark["start"]), seconds(mark["end"])) == (0, 70)
    assert seconds(report["runs"][0]["timeline"]["until"]) == 70


def test_every_bad_or_unknown_mark_has_evidence_with_text() -> None:
    report = whole_run().report()
    pieces = report["runs"][0]["timeline"]["excerpts"]
    speaking = [mark for state in ("bad", "unknown") for mark in marks(report, state=state)]
    assert len(speaking) > 6
    bare = [mark["label"] for mark in speaking if not any(pieces[number]["lines"] for number in mark["evidence"])]
    assert bare == []


def test_log_excerpt_shows_the_lines_around_and_marks_the_match() -> None:
    report = whole_run().report()
    (mark,) = marks(report, lane="logs", kind="warning")
    piece = report["runs"][0]["timeline"]["excerpts"][mark["evidence"][0]]
    assert [line["number"] for line in piece["lines"]] == [1, 2]
    first, hit = piece["lines"]
    assert first["match"] is None
    start, stop = hit["match"]
    assert hit["text"][start:stop].startswith("created snapshot successfully but errored on cleanup for vol")


def test_object_excerpt_shows_the_snapshot_it_is_about() -> None:
    report = whole_run().report()
    (mark,) = marks(report, label="snapshot c-x-3")
    pieces = [report["runs"][0]["timeline"]["excerpts"][number] for number in mark["evidence"]]
    (piece,) = [piece for piece in pieces if piece["kind"] == "object"]
    text = "\n".join(line["text"] for line in piece["lines"])
    assert "c-x-3" in text
    assert "c-x-2" not in text


def test_lost_events_are_unknown_not_bad() -> None:
    made = whole_run()
    made.gap("events", "410 Gone")
    assert {mark["state"] for mark in marks(made.report(), kind="missing event")} == {"unknown"}


def test_missing_job_of_a_tick_is_bad() -> None:
    made = Recording()
    made.job(JOB, 0, 7)
    made.event("Note", "time goes on", 150)
    found = [(mark["state"], seconds(mark["start"])) for mark in marks(made.report(), lane="schedule")]
    assert ("ok", 0) in found
    assert ("bad", 60) in found


def test_without_a_time_of_the_server_the_writers_stands_in() -> None:
    made = Recording()
    made.records = [record for record in made.records if type(record).__name__ != "ListDone"]
    made.gap("pods", "unreachable")
    (mark,) = marks(made.report(), lane="recorder")
    assert parse_time(mark["start"]) == made.records[-1].at
    assert made.records[-1].at > NOON + timedelta(hours=1)


def test_nothing_to_judge_has_no_lanes() -> None:
    made = Recording()
    made.records = made.records[1:]
    assert made.report()["runs"][0]["timeline"] is None


def test_large_run_carries_the_first_evidence_of_what_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = whole_run().report()
    monkeypatch.setattr(timeline, "LARGE", 10)
    monkeypatch.setattr(timeline, "CARRIED", 4)
    report = whole_run().report()
    assert schema.problems(report) == []
    assert [run["timeline"]["shortened"] for run in (*whole["runs"], *report["runs"])] == [False, True]
    same = [{**mark, "evidence": []} for mark in marks(whole)]
    assert [{**mark, "evidence": []} for mark in marks(report)] == same
    cell = report["runs"][0]["timeline"]["cells"][0]["marks"]
    carrying = sorted((mark["start"], mark["state"]) for mark in cell if mark["evidence"])
    first = sorted((mark["start"], mark["state"]) for mark in cell if mark["state"] in ("bad", "unknown"))
    assert carrying == first[: len(carrying)]
    assert 4 <= sum(len(mark["evidence"]) for mark in cell) <= 5
    assert marks(report, lane="recorder")[0]["evidence"]


def test_large_run_without_failures_carries_its_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "LARGE", 3)
    made = Recording()
    made.job(JOB, 0)
    made.pod(JOB, [(1, 6, 0)])
    made.log(JOB, 0, WARNING.encode())
    made.job(JOB, 0, 7)
    for name, reason in (
        (f"Created job {JOB}", "SuccessfulCreate"),
        (f"Saw completed job: {JOB}, status: Complete", "SawCompletedJob"),
    ):
        made.event(reason, name, 7)
    carrying = {mark["lane"] for mark in marks(made.report()) if mark["evidence"]}
    assert carrying == {"logs"}


@pytest.mark.parametrize("size", [100, 10 * 1024 * 1024], ids=["short", "10 MiB"])
def test_hostile_and_huge_lines_are_cut_around_the_match(size: int) -> None:
    made = Recording()
    made.job(JOB, 0)
    made.pod(JOB, [(1, 6, 1)])
    line = b"x" * size + HOSTILE.encode("utf-8", errors="replace").replace(b"\n", b"").replace(b"\r", b"") + b"\n"
    made.log(JOB, 0, line)
    made.job(JOB, 0, 7, failed=True)
    report = made.report()
    (mark,) = marks(report, kind="attempt")
    texts = [
        part["text"]
        for number in mark["evidence"]
        for part in report["runs"][0]["timeline"]["excerpts"][number]["lines"]
    ]
    assert texts
    assert max(len(text) for text in texts) < 1000
