# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab with one cell per bug switch: recorded by the product, judged by the product, and compared with bugs.yml.

Bugs are switched per volume, so that many of them share one lab and two recordings, which run side by side: cells whose
Jobs are made by hand, and cells that wait for the schedule.
"""

from __future__ import annotations

import json
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from longhorn_qa_lab import playbook
from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.lab import running
from longhorn_qa_lab.longhorn.trial import BUCKET, SECRET, STUBS, Cell, Trial
from longhorn_qa_lab.progress import Progress

RELEASE: t.Final = "2020-06"
PLAYBOOK: t.Final = Path(__file__).with_name("bugs.yml")
TABLE: t.Final[dict[str, t.Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "expected" / "bugs.yml").read_text(encoding="utf-8")
)
BUGS: t.Final[dict[str, dict[str, t.Any]]] = TABLE["bugs"]
BY_HAND, BY_TICK = "by hand", "by tick"
CONTROLS: t.Final[dict[str, dict[str, t.Any]]] = {
    "control-snapshot": {"cell": {"task": "snapshot", "invocations": BY_HAND}, "changes": {}},
    "control-backup": {"cell": {"task": "backup", "invocations": BY_HAND}, "changes": {}},
    "control-tick": {"cell": {"task": "snapshot", "invocations": BY_TICK}, "changes": {}},
}
CRON: t.Final = {BY_HAND: "0 0 29 2 *", BY_TICK: "* * * * *"}
LATEST_START: t.Final = 30
"""The second of a minute after which the recording might begin too late for the tick that begins the next minute."""


@dataclass(frozen=True)
class Judged:
    """What the report says of one cell."""

    checks: dict[str, str]
    summaries: dict[str, str]


def row(name: str) -> dict[str, t.Any]:
    return BUGS.get(name) or CONTROLS[name]


def expected(name: str, checks: t.Iterable[str]) -> dict[str, str]:
    """The verdict of every check on this cell: those without a bug, but for the changes."""
    cell, rest = row(name)["cell"], TABLE["without_a_bug"]
    known = {**rest[cell["invocations"]], **rest[cell["task"]], **row(name)["changes"]}
    return {check: known.get(check, rest["every_other_check"]) for check in checks}


def judged_in_a_lab(name: str, bugs: t.Sequence[str], *, folder: Path, fast: bool = False) -> dict[str, Judged]:
    """A lab of this name, used once, for these bugs and controls. Fast: of two invocations by hand, one is recorded."""
    options = Options(name=name, release=RELEASE, poll_scale=0.2, time_scale=0.2)
    with running(options, Progress()) as started:
        trial = Trial(started.kubeconfig, patience=120.0)
        with trial.kube:
            return _run(trial, bugs, folder=folder, fast=fast, kubeconfig=started.kubeconfig)


def differing(name: str, found: t.Mapping[str, Judged]) -> dict[str, str]:
    """What the report says where it is not what the table says."""
    seen = found[name]
    wanted = expected(name, seen.checks)
    return {
        check: f"{wanted[check]} was expected, {verdict} was found: {seen.summaries[check]}"
        for check, verdict in seen.checks.items()
        if verdict != wanted[check]
    }


def _run(trial: Trial, names: t.Sequence[str], *, folder: Path, fast: bool, kubeconfig: Path) -> dict[str, Judged]:
    cells = {name: _cell(name) for name in names}
    ways = {way: [cells[n] for n in names if row(n)["cell"]["invocations"] == way] for way in (BY_HAND, BY_TICK)}
    if any(cell.task == "backup" for cell in cells.values()):
        trial.store()
    trial.engine_image(STUBS["nc"])
    trial.bugs({name: [name] for name in names if name in BUGS})
    trial.prepare(list(cells.values()))
    trial.add_jobs(list(cells.values()), cron=CRON[BY_HAND])
    trial.invoke([*ways[BY_TICK], *(ways[BY_HAND] if fast else ())], "before")
    if ways[BY_TICK]:
        while time.gmtime().tm_sec > LATEST_START:
            time.sleep(0.5)
        trial.add_jobs(ways[BY_TICK], cron=CRON[BY_TICK])
    invocations = {BY_HAND: 1 if fast else 3, BY_TICK: 1}
    calls = [
        playbook.Call(
            name=str(PLAYBOOK),
            variables=_variables(folder / way, way=way, cells=group, invocations=invocations[way]),
            folder=folder / way,
            kubeconfig=kubeconfig,
        )
        for way, group in ways.items()
        if group
    ]
    _side_by_side(calls)
    found: dict[str, Judged] = {}
    for call in calls:
        found |= judged(call.folder / "report.json")
    return found


def judged(report: Path) -> dict[str, Judged]:
    """By volume, which here is the bug's name."""
    document = json.loads(report.read_text(encoding="utf-8"))
    return {
        cell["volume"]: Judged(
            {check["check"]: check["verdict"] for check in cell["checks"]},
            {check["check"]: check["summary"] for check in cell["checks"]},
        )
        for part in document["runs"]
        for cell in part["cells"]
    }


def _cell(name: str) -> Cell:
    return Cell(volume=name, image=STUBS["nc"], task=row(name)["cell"]["task"], job="c-bug")


def _variables(folder: Path, *, way: str, cells: t.Sequence[Cell], invocations: int) -> dict[str, object]:
    backups = any(cell.task == "backup" for cell in cells)
    return {
        "history": str(folder / "history"),
        "report_dir": str(folder),
        "release": RELEASE,
        "invocations": invocations,
        "trigger": way == BY_HAND,
        "store": {"url": f"s3://{BUCKET}@us-east-1/", "credential_secret": SECRET} if backups else None,
        "cells": [
            {
                "volume": cell.volume,
                "task": cell.task,
                "job": cell.job,
                "cronjob": cell.cron_job,
                "cron": CRON[way],
                "retain": 1,
                "engine_image": cell.image,
                "faults": ["snapshot-delete", *(["backup-delete"] if cell.task == "backup" else [])],
            }
            for cell in cells
        ],
    }


def _side_by_side(calls: t.Sequence[playbook.Call]) -> None:
    errors: list[Exception] = []

    def one(call: playbook.Call) -> None:
        try:
            playbook.run(call)
        except Exception as error:  # noqa: BLE001 - raised again below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
