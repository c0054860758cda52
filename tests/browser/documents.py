# SPDX-License-Identifier: GPL-3.0-or-later
"""Report documents of any size with every kind of mark, for the browser and for the benchmark."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from ansible_collections.longhorn.qa.plugins.module_utils._history.times import format_time
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import CHECKS

Document = dict[str, t.Any]

BEGIN = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
PERIOD = timedelta(minutes=1)
EVERY = 10  # one invocation in so many goes wrong


def document(*, volumes: int, invocations: int, text: str = "errored on cleanup", name: str = "") -> Document:
    """One run. ``text`` is put wherever a cluster's words come in, ``name`` into every name."""
    maker = _Maker(volumes, invocations, text, name)
    return {
        "schema": "longhorn.qa/report/1",
        "generated": format_time(BEGIN + timedelta(days=1)),
        "verdict": "fail",
        "runs": [maker.run()],
        "changes": None,
    }


class _Maker:
    def __init__(self, volumes: int, invocations: int, text: str, name: str) -> None:
        self.volumes, self.invocations, self.text, self.name = volumes, invocations, text, name
        self.excerpts: list[Document] = []

    def run(self) -> Document:
        cells = [self._cell(number) for number in range(self.volumes)]
        gap = _mark(
            "recorder",
            "gap",
            "unknown",
            f"events{self.name} not seen",
            30,
            90,
            evidence=[self._excerpt("gap", "record 9")],
        )
        lanes = [
            {"volume": cell["volume"], "note": "", "marks": self._marks(place)} for place, cell in enumerate(cells)
        ]
        return {
            "history": f"history{self.name}", "origin": "recorder", "release": f"v1.0.0{self.name}",
            "namespace": f"longhorn-system{self.name}", "run_id": "a1b2c3", "default_engine_faults": [],
            "verdict": "fail", "reason": self.text, "cells": cells,
            "timeline": {
                "schema": "longhorn.qa/timeline/1", "since": _time(0), "until": _time(60 * self.invocations + 30),
                "shortened": False, "gaps": [gap], "cells": lanes, "excerpts": self.excerpts,
            },
        }  # fmt: skip

    def _cell(self, number: int) -> Document:
        volume = self._volume(number)
        task = "backup" if number % 2 else "snapshot"
        checks = [self._check(place, check, volume) for place, check in enumerate(CHECKS)]
        jobs = [
            {
                "job": self._job(number, place), "tick": _time(60 * place), "by_hand": False, "judged": True, "cut": "",
                "state": "Failed" if place % EVERY == EVERY - 1 else "Complete", "attempts": 1,
                "snapshots": [f"c-{number}-{place}{self.name}"], "backups": [],
            }
            for place in range(self.invocations)
        ]  # fmt: skip
        return {
            "volume": volume, "task": task, "job": "c", "cronjob": f"{volume}-c-c", "cron": "* * * * *", "retain": 1,
            "engine_image": f"longhorn-engine:no-cleanup{self.name}", "faults": ["snapshot-delete"],
            "fault_type": "engine-image", "contract": "fails the contract", "verdict": "fail",
            "invocations": jobs, "checks": checks,
        }  # fmt: skip

    def _volume(self, number: int) -> str:
        return f"qa-a1b2c3-{number:03d}{self.name}"

    def _job(self, number: int, place: int) -> str:
        return f"{self._volume(number)}-c-c-{29923000 + place}"

    def _check(self, place: int, check: str, volume: str) -> Document:
        verdict = ("pass", "fail", "inconclusive", "not_applicable")[place % 4]
        evidence = (
            []
            if verdict == "not_applicable"
            else [{"what": f"logs/{volume}/0.log", "where": "line 2", "text": self.text}]
        )
        return {
            "check": check, "volume": volume, "verdict": verdict, "summary": self.text, "evidence": evidence,
            "advice": self.text if verdict == "inconclusive" else "",
            "known_issue": f"longhorn#1424: {self.text}" if place == 1 else "",
        }  # fmt: skip

    def _excerpt(self, what: str, where: str) -> int:
        lines = [
            {"number": 1, "text": 'level=debug msg="before"', "match": None},
            {"number": 2, "text": f"level=warning msg={self.text}", "match": [18, 18 + len(self.text)]},
        ]
        self.excerpts.append({"what": what, "where": where, "kind": "log", "lines": lines})
        return len(self.excerpts) - 1

    def _marks(self, number: int) -> list[Document]:
        log = self._excerpt(f"logs/{self._volume(number)}/0.log", "line 2")
        return [mark for place in range(self.invocations) for mark in self._invocation(number, place, log)]

    def _invocation(self, number: int, place: int, log: int) -> Iterator[Document]:
        job, at, wrong = self._job(number, place), 60.0 * place, place % EVERY == EVERY - 1
        state = "bad" if wrong else "ok"
        piece = [self._excerpt(f"jobs/{job}", f"resourceVersion {place}")] if wrong else [log]
        yield _mark("schedule", "tick", "ok", "tick", at, at, job=job)
        yield _mark("jobs", "job", state, f"Job {job}", at, at + 20, text=self.text, job=job, evidence=piece)
        yield _mark(
            "pods", "attempt", state, f"attempt 0 of {job}", at + 1, at + 8, text=self.text, job=job, evidence=piece
        )
        yield _mark(
            "snapshots", "snapshot", "ok", f"snapshot c-{place}{self.name}", at + 3, at + 64, job=job, evidence=[log]
        )
        yield _mark(
            "events", "event", "ok", "CronJob event SuccessfulCreate", at, at, text=self.text, job=job, evidence=[log]
        )
        if not wrong:
            yield _mark(
                "events", "event", "ok", "CronJob event SawCompletedJob", at + 20, at + 20, job=job, evidence=[log]
            )
            return
        yield _mark("pods", "retry", "bad", f"attempt 1 of {job}", at + 9, at + 18, job=job, evidence=piece)
        yield _mark(
            "snapshots",
            "snapshot",
            "bad",
            "snapshot extra",
            at + 10,
            None,
            job=job,
            evidence=piece,
            terminating=at + 20,
        )
        yield _mark(
            "backups", "backup", "unknown", "backup b1", at + 12, at + 40, job=job, evidence=piece, only="store"
        )
        yield _mark("backups", "backup", "bad", "backup b2", at + 12, None, job=job, evidence=piece, only="api")
        yield _mark(
            "faults", "snapshot-delete failed", "ok", "snapshot-delete failed", at, at + 20, job=job, evidence=[log]
        )
        yield _mark(
            "logs",
            "warning",
            "ok",
            "snapshot-delete warning",
            at + 15,
            at + 15,
            text=self.text,
            job=job,
            evidence=[log],
        )
        yield _mark(
            "logs", "fatal", "bad", "snapshot-delete fatal", at + 16, at + 16, text=self.text, job=job, evidence=piece
        )
        yield _mark(
            "events", "missing event", "bad", "expected CronJob event", at + 20, at + 20, job=job, evidence=piece
        )
        yield _mark("schedule", "tick", "unknown", "tick, its Job is not known", at + 30, at + 30, evidence=piece)


def _time(seconds: float) -> str:
    return format_time(BEGIN + timedelta(seconds=seconds))


def _mark(lane: str, kind: str, state: str, label: str, start: float, end: float | None, **more: t.Any) -> Document:
    terminating = more.pop("terminating", None)
    return {
        "lane": lane, "kind": kind, "state": state, "label": label, "text": "", "job": "", "only": "", "evidence": [],
        "start": _time(start), "end": _time(end) if end is not None else None,
        "terminating": _time(terminating) if terminating is not None else "", **more,
    }  # fmt: skip
