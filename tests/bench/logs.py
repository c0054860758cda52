# SPDX-License-Identifier: GPL-3.0-or-later
"""job_log_assert on a log of one gibibyte, and on one of long lines: how long, and how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import history_dir
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from longhorn_qa_lab.progress import Progress

_SIZE = 1 << 30
_MEMORY_MIB = 100.0
_LINES = 4096
_LONG_LINES, _LONG_LINE = 25, 10 << 20
_JOB, _POD, _UID = "bench-c-1", "bench-c-1-abcde", "8f9b1c9e-0000-4000-8000-000000000001"
_WARNING = b'time="2020-06-09T01:00:00Z" level=warning msg="created snapshot successfully but errored on cleanup"\n'

_MODULE = "plugins/modules/job_log_assert.py"


def measure(progress: Progress) -> Iterator[Figure]:
    """A log that holds one matching line at its very end."""
    with tempfile.TemporaryDirectory() as place:
        progress("writing a log of 1 GiB")
        folder = Path(place) / "history"
        _write(folder)
        for title, pattern in (
            ("by its message", {"message_text": "errored on cleanup"}),
            ("by a regular expression", {"message_regex": "errored on c.eanup"}),
        ):
            progress(f"job_log_assert: a line {title}")
            found = _assert(folder, pattern)
            yield Figure(f"job_log_assert, 1 GiB, a line found {title}", found["seconds"], "s")
            yield Figure("  the module's peak memory, interpreter included", found["peak"], "MiB", _MEMORY_MIB)
    with tempfile.TemporaryDirectory() as place:
        progress(f"job_log_assert: {_LONG_LINES} lines of 10 MiB, all of them evidence")
        folder = Path(place) / "history"
        _write(folder, _fill_with_long_lines)
        found = _assert(folder, {"level": "warning"}, lines=_LONG_LINES)
        yield Figure(f"job_log_assert, {_LONG_LINES} lines of 10 MiB, all found", found["seconds"], "s")
        yield Figure("  the module's peak memory, interpreter included", found["peak"], "MiB", _MEMORY_MIB)


def _assert(folder: Path, pattern: dict[str, str], *, lines: int = 1) -> dict[str, t.Any]:
    """The module itself, as Ansible calls it, in a process of its own whose memory the kernel counts."""
    options = {"history": str(folder), "job": _JOB, "min": 1, "evidence": lines, **pattern}
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.peak", _MODULE],
        check=False,
        env={**os.environ, "PYTHONPATH": "collections"},
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - begun
    if done.returncode != 0 or len(json.loads(done.stdout).get("matched", ())) != lines:
        raise RuntimeError(f"expected {lines} matching lines, seen {done}")
    return {"seconds": seconds, "peak": float(done.stderr)}


def _write(folder: Path, fill: t.Callable[[Path], int] | None = None) -> None:
    meta = {"namespace": "longhorn-system", "creationTimestamp": "2020-06-09T01:00:00Z", "resourceVersion": "1"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {**meta, "name": _JOB, "uid": "job-uid"}}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": _JOB, "uid": "job-uid", "controller": True}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta, "name": _POD, "uid": _UID, "labels": {"job-name": _JOB}, "ownerReferences": [owner]},
        "status": {"phase": "Succeeded"},
    }
    subjects = model.Subjects(release="2020-06")
    with history_dir.open_for_writing(folder, subjects, kinds=("jobs", "pods", "logs")) as writer:
        writer.object("jobs", "ADDED", job)
        writer.object("pods", "ADDED", pod)
        opened = writer.log_opened(_UID, _POD, "worker", 0)
        size = (fill or _fill)(folder / opened.path)
        writer.log_closed(opened, size=size, complete=True, reason="the container ended")
        writer.end("all seen")


def _fill(path: Path) -> int:
    """Lines as Longhorn writes them, all different enough not to be one block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    block = b"".join(
        b'time="2020-06-09T01:00:00Z" level=debug msg="Purged snapshot %06d of volume bench" node=lab-node\n' % number
        for number in range(_LINES)
    )
    with path.open("wb") as stream:
        while stream.tell() < _SIZE:
            stream.write(block)
        stream.write(_WARNING)
        return stream.tell()


def _fill_with_long_lines(path: Path) -> int:
    """As a program writes them that puts a whole answer into its message."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        for _line in range(_LONG_LINES):
            stream.write(b'level=warning msg="' + b"x" * _LONG_LINE + b'" volume=v\n')
        return stream.tell()
