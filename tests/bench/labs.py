# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a lab takes to come and go, and what a task and a report cost in it."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Iterator
from pathlib import Path

import yaml
from tests.bench.figure import Figure, stopwatch

from longhorn_qa_lab import lab, playbook
from longhorn_qa_lab.bringup import NO_LONGHORN, Options
from longhorn_qa_lab.progress import Progress

_NAME = f"bench-{os.getpid()}"
_TASKS = 10
_UP_SECONDS = 15.0
_REPORT_SECONDS = 10.0


def measure(progress: Progress) -> Iterator[Figure]:
    """Starts three labs, one after the other."""
    yield from _life(progress)
    yield from _tasks(progress)
    yield from _report(progress)


def _life(progress: Progress) -> Iterator[Figure]:
    for title, release in (("without Longhorn", NO_LONGHORN), ("with Longhorn 2020-06", "2020-06")):
        with stopwatch() as up:
            lab.up(Options(name=_NAME, release=release), progress)
        with stopwatch() as down:
            lab.down(_NAME)
        yield Figure(f"lab up {title}, binaries cached", up.seconds, "s", _UP_SECONDS)
        yield Figure(f"lab down {title}", down.seconds, "s")


def _tasks(progress: Progress) -> Iterator[Figure]:
    """The slope between one task and several, so that the start of Ansible does not count."""
    kinds: dict[str, dict[str, t.Any]] = {
        "ansible.builtin.debug": {"msg": "hello"},
        "longhorn.qa.longhorn_info": {"gather_subset": ["release"]},
    }
    with (
        lab.running(Options(name=_NAME, release="2020-06"), progress) as running,
        tempfile.TemporaryDirectory() as place,
    ):
        for kind, arguments in kinds.items():
            seconds = []
            for count in (1, 1 + _TASKS):
                tasks = [{"name": f"Task {number}", kind: arguments} for number in range(count)]
                play = [{"name": "Tasks", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
                path = Path(place) / f"{kind}-{count}.yml"
                path.write_text(yaml.safe_dump(play), encoding="utf-8")
                call = playbook.Call(str(path), {}, Path(place) / "run", running.kubeconfig)
                with stopwatch() as watch:
                    playbook.run(call)
                seconds.append(watch.seconds)
            yield Figure(f"one task of {kind}", 1000 * (seconds[1] - seconds[0]) / _TASKS, "ms")


def _report(progress: Progress) -> Iterator[Figure]:
    """From the server's time of the last Job's end to the report's file."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "longhorn_qa_lab", "scenario", "--name", _NAME, "--report", place]
        with stopwatch() as watch:
            subprocess.run([*command, "--invocations", "2", "--trigger"], stdout=sys.stderr, check=False)
        yield Figure("the procedure, two invocations of each job by hand", watch.seconds, "s")
        report = Path(place) / "report.json"
        ended = max(moment for history in Path(place).glob("history*/history.jsonl") for moment in _ends(history))
        yield Figure("last Job's end to report", report.stat().st_mtime - ended, "s", _REPORT_SECONDS)
        size = sum(_size(history) for history in Path(place).glob("history*")) / 1024
        yield Figure("the run's histories and logs", size, "KiB")


def _ends(history: Path) -> Iterator[float]:
    for line in history.read_text(encoding="utf-8").splitlines():
        status = _job_status(json.loads(line))
        for condition in status.get("conditions") or []:
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                yield datetime.datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()


def _job_status(record: dict[str, t.Any]) -> dict[str, t.Any]:
    for value in record.values():
        if isinstance(value, dict) and value.get("kind") == "Job":
            return t.cast(dict[str, t.Any], value.get("status") or {})
    return {}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
