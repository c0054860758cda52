# SPDX-License-Identifier: GPL-3.0-or-later
"""Ticks just before a recording of a CronJob that was there already: nobody can say that they were missed."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._history import model

MADE = datetime(2026, 11, 23, 9, 57, 30, tzinfo=timezone.utc)  # the CronJobs: two ticks before the hour's
SMALL_RUN = Callable[[], t.Any]


def older(m: t.Any) -> None:
    """The CronJobs were made well before the recorder listed them."""
    m.each("cronjobs", "", lambda job: job["metadata"].update(creationTimestamp=MADE.strftime("%Y-%m-%dT%H:%M:%SZ")))
    first = [r for r in m.records if isinstance(r, model.ObjectSeen) and r.kind == "cronjobs" and r.change == "ADDED"]
    m.drop(lambda record: record in first)
    documents = [{**r.object, "metadata": {**r.object["metadata"], "resourceVersion": "90"}} for r in first]
    m.records[1:1] = [replace(r, via="list", object=document) for r, document in zip(first, documents, strict=True)]


def told_by_the_server(
    m: t.Any, moment: datetime, *, writer: timedelta = timedelta(0), source: str = "apiserver"
) -> None:
    """The recorder asked the server for its time before it listed anything; its own clock is off by ``writer``."""
    at = moment + writer
    m.records.insert(1, model.Clock(2, at, source, (moment - at).total_seconds()))


def schedules(m: t.Any) -> set[str]:
    return {found["count-matches-schedule"] for found in m.verdicts().values()}


@pytest.mark.parametrize("writer", [0, -7200, 7200], ids=["right", "two hours behind", "two hours ahead"])
def test_ticks_before_the_server_said_that_the_recording_began_were_not_missed(
    small_run: SMALL_RUN, writer: int
) -> None:
    m = small_run()
    older(m)
    told_by_the_server(m, MADE + timedelta(minutes=3), writer=timedelta(seconds=writer))
    assert schedules(m) == {"pass"}


@pytest.mark.parametrize("source", ["apiserver", "store"])
def test_ticks_after_that_were_missed(small_run: SMALL_RUN, source: str) -> None:
    """A clock that is not the server's tells nothing of the beginning."""
    m = small_run()
    older(m)
    began = MADE + timedelta(minutes=1 if source == "apiserver" else 3)
    told_by_the_server(m, began, source=source)
    assert schedules(m) == {"fail"}
