# SPDX-License-Identifier: GPL-3.0-or-later
"""The referee of ``make faults``: what a history lacks is found, and told apart from what it admits to lack."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest
from tests.faults import truth

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from longhorn_qa_lab.node import crilog

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SERVICE = "longhorn-manager-1"
SNAPSHOT: t.Final[dict[str, t.Any]] = {
    "metadata": {"name": "s", "uid": "s", "creationTimestamp": "2026-01-02T03:04:07Z"},
    "spec": {"volume": "v"},
    "status": {"readyToUse": True},
}


def line(second: int, text: str) -> crilog.Entry:
    return crilog.Entry(stamp=f"2026-01-02T03:04:{second:02d}.5Z", full=True, text=text.encode())


HAPPENED = truth.Truth(
    objects={"snapshots": {"s": SNAPSHOT}},
    logs={("m", 0): [line(4, "too old"), line(6, "one"), line(8, "two"), line(11, "later")]},
    names={"m": SERVICE},
    services=frozenset({"m"}),
)


def gap(kind: str, reason: str, *, until: int, subject: str = "") -> model.Gap:
    return model.Gap(9, START, kind, reason, until=START + timedelta(seconds=until), subject=subject)


def history(
    *more: model.Gap, log: bytes = b"one\ntwo\n", snapshot: dict[str, t.Any] | None = SNAPSHOT
) -> model.History:
    path, job = "logs/m/0.log", {"metadata": {"name": "j", "uid": "j"}}
    seen = [("jobs", job), *([("snapshots", snapshot)] if snapshot else [])]
    records: list[model.Record] = [
        model.ObjectSeen(1, START + timedelta(seconds=5), kind, "ADDED", thing) for kind, thing in seen
    ]
    reason = "the recording ended; read from 2026-01-02T03:04:05Z on"
    records.append(model.Log(2, START, "m", SERVICE, "c", 0, "closed", path, len(log), reason=reason))
    return model.History(records=(*records, *more), logs={path: log}, damage=())


LOG, OBJECT = f"log of {SERVICE} attempt 0", "snapshots s as"


@pytest.mark.parametrize(
    ("recorded", "lost", "admitted"),
    [
        pytest.param(history(), "", "", id="all that was said until the last thing was seen"),
        pytest.param(history(log=b"one\ntwo\nlater\n"), "", "", id="and more"),
        pytest.param(history(log=b"one\n"), LOG, "", id="a service's last line is missing"),
        pytest.param(history(log=b"two\n"), LOG, "", id="its first line is missing"),
        pytest.param(
            history(gap("logs", "attempt 0: unread", until=9, subject=SERVICE), log=b"one\n"),
            "",
            LOG,
            id="a gap tells it",
        ),
        pytest.param(
            history(gap("logs", "attempt 0: unread", until=9, subject="other"), log=b"one\n"),
            LOG,
            "",
            id="of another pod",
        ),
        pytest.param(history(snapshot=None), OBJECT, "", id="an artefact is missing"),
        pytest.param(
            history(snapshot={**SNAPSHOT, "status": {"readyToUse": False}}), OBJECT, "", id="its last state is missing"
        ),
        pytest.param(history(gap("snapshots", "410", until=3), snapshot=None), "", OBJECT, id="made during a gap"),
        pytest.param(history(gap("snapshots", "410", until=1), snapshot=None), OBJECT, "", id="made after the gap"),
        pytest.param(history(gap("backups", "410", until=3), snapshot=None), OBJECT, "", id="a gap of another kind"),
    ],
)
def test_what_is_missing_is_found(recorded: model.History, lost: str, admitted: str) -> None:
    account = truth.compare(recorded, HAPPENED)
    assert (account.objects, account.artefacts, account.logs, account.services) == (1, 1, 1, 1)
    for found, wanted in ((account.lost, lost), (account.admitted, admitted)):
        assert len(found) == bool(wanted)
        assert all(text.startswith(wanted) for text in found)
