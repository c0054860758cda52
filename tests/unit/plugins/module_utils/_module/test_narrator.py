# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is told while a recording goes on: names and numbers, nothing that a terminal obeys."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._module.narrator import Narrator, invocations_of, printable

BEGAN = datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)
SUBJECTS = model.Subjects(
    release="2020-06", cells=(model.Cell(volume="v", task="snapshot", job="c-1", cronjob="v-c", cron="* * * * *"),)
)
LOG = b'level=warning msg="errored on cleanup \x1b]0;owned\x07"\nlevel=error msg=second\n'


class Tale:
    """A narrator that is told records."""

    def __init__(self) -> None:
        self._number = 0
        self._narrator = Narrator(
            wanted=2,
            read_log=lambda _path, _size: LOG,
            ticks=lambda _cron, now, _until: (now.replace(microsecond=0), now + timedelta(seconds=48)),
        )
        self.tell(model.Start, subjects=SUBJECTS)
        self.tell(model.ListDone, kind="jobs", resource_version="1")

    def tell(self, cls: type[t.Any], *, after: float = 0.0, **fields: t.Any) -> list[str]:
        self._number += 1
        return self._narrator.lines(cls(number=self._number, at=BEGAN + timedelta(seconds=after), **fields))

    def seen(self, kind: str, document: dict[str, t.Any], *, after: float = 0.0, change: str = "ADDED") -> list[str]:
        return self.tell(model.ObjectSeen, kind=kind, change=change, object=document, after=after)


def job(name: str, *, condition: str = "") -> dict[str, t.Any]:
    owner = {"kind": "CronJob", "name": "v-c", "uid": "cj", "controller": True}
    conditions = [{"type": condition, "status": "True", "reason": "BackoffLimitExceeded"}] if condition else []
    metadata = {"name": name, "uid": f"u-{name}", "resourceVersion": "1", "ownerReferences": [owner]}
    return {"kind": "Job", "metadata": metadata, "status": {"conditions": conditions}}


def pod(of: str, *, restarts: int = 0) -> dict[str, t.Any]:
    owner = {"kind": "Job", "name": of, "uid": f"u-{of}", "controller": True}
    metadata = {"name": f"{of}-a", "uid": f"p-{of}", "resourceVersion": "1", "ownerReferences": [owner]}
    return {"kind": "Pod", "metadata": metadata, "status": {"containerStatuses": [{"restartCount": restarts}]}}


def engine(*snapshots: str) -> dict[str, t.Any]:
    entries = {name: {"labels": {"RecurringJob": "c-1"}} for name in snapshots}
    return {"kind": "Engine", "metadata": {"name": "v-e", "uid": "e", "resourceVersion": "1"},
            "spec": {"volumeName": "v"}, "status": {"snapshots": entries}}  # fmt: skip


def test_an_invocation_from_its_tick_to_its_end() -> None:
    tale = Tale()
    assert tale.seen("engines", engine("old")) == []
    assert tale.seen("jobs", job("v-c-29455384")) == ["v: Job v-c-29455384 began, tick 03:04 (1/2)"]
    assert tale.seen("pods", pod("v-c-29455384")) == []
    assert tale.seen("pods", pod("v-c-29455384", restarts=1)) == ["v: Job v-c-29455384 is tried again, attempt 2"]
    assert tale.seen("engines", engine("old", "c-1-ab")) == [
        "v: snapshot c-1-ab seen (1 snapshot since Job v-c-29455384 began)"
    ]
    done = job("v-c-29455384", condition="Complete")
    assert tale.seen("jobs", done, after=12.3) == [
        "v: Job v-c-29455384 Complete after 12 s, 2 attempts; next tick in 48 s"
    ]
    assert tale.seen("jobs", done, after=13) == []


def test_jobs_beyond_those_wanted_are_told_as_such() -> None:
    tale = Tale()
    told = [tale.seen("jobs", job(f"v-c-2945538{number}"))[0].partition("(")[2] for number in (4, 5, 6)]
    assert told == ["1/2)", "2/2)", "3, beyond 2 wanted)"]


def test_a_failed_job_says_why() -> None:
    tale = Tale()
    tale.seen("jobs", job("v-c-29455384"))
    assert "Failed (BackoffLimitExceeded)" in tale.seen("jobs", job("v-c-29455384", condition="Failed"))[0]


def test_warnings_are_shown_printable() -> None:
    tale = Tale()
    tale.seen("jobs", job("v-c-29455384"))
    tale.seen("pods", pod("v-c-29455384"))
    log = {"pod_uid": "p-v-c-29455384", "pod": "v-c-29455384-a", "container": "c", "attempt": 0, "path": "logs/p/0.log"}
    told = tale.tell(model.Log, state="closed", complete=True, **log)
    assert told == ["v: warning seen (and 1 more): errored on cleanup  ]0;owned "]
    assert tale.tell(model.Log, state="closed", reason="the pod was removed", **log)[0].endswith("the pod was removed")


def test_jobs_from_before_are_not_told() -> None:
    tale = Tale()
    fresh = Narrator(wanted=1, read_log=lambda _path, _size: b"", ticks=lambda *_: ())
    fresh.lines(model.Start(number=1, at=BEGAN, subjects=SUBJECTS))
    old = model.ObjectSeen(number=2, at=BEGAN, kind="jobs", change="ADDED", object=job("v-c-1"), via="list")
    assert fresh.lines(old) == []
    fresh.lines(model.ListDone(number=3, at=BEGAN, kind="jobs", resource_version="1"))
    assert fresh.lines(replace(old, change="MODIFIED", via="watch")) == []
    new = model.ObjectSeen(number=4, at=BEGAN, kind="jobs", change="ADDED", object=job("v-c-29455384"))
    assert fresh.lines(new) == ["v: Job v-c-29455384 began, tick 03:04 (1/1)"]
    assert tale.seen("jobs", {"metadata": {}}) == []


@pytest.mark.parametrize(
    ("cls", "fields", "expected"),
    [
        pytest.param(model.Gap, {"kind": "pods", "reason": "lost"}, ["gap: pods: lost"], id="a gap"),
        pytest.param(
            model.Gap, {"kind": "logs", "reason": "lost", "subject": "p"}, ["gap: logs p: lost"], id="of a pod"
        ),
        pytest.param(model.Note, {"text": "x\x1b[2Jy"}, ["x [2Jy"], id="a note with an escape"),
        pytest.param(model.Store, {"target": "s3://b@r/"}, ["store: 0 backups"], id="the store"),
        pytest.param(
            model.Store, {"target": "s3://b@r/", "error": "denied"}, ["store: denied"], id="a store that refuses"
        ),
        pytest.param(model.End, {"reason": "deadline"}, ["the recording ended: deadline"], id="the end"),
        pytest.param(model.Clock, {"source": "apiserver", "offset": 0.1}, [], id="nothing worth telling"),
    ],
)
def test_single_records(cls: type[t.Any], fields: dict[str, t.Any], expected: list[str]) -> None:
    assert Tale().tell(cls, **fields) == expected


def test_lines_are_short() -> None:
    assert len(printable("x" * 10_000)) == 140


@pytest.mark.parametrize(
    ("value", "expected"),
    [pytest.param(5, 5, id="a number"), pytest.param("7", 7, id="text"), pytest.param("{{ n }}", 3, id="nonsense")],
)
def test_how_many_are_wanted(value: object, expected: int) -> None:
    assert invocations_of({"invocations": value}) == expected
