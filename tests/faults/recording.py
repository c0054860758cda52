# SPDX-License-Identifier: GPL-3.0-or-later
"""job_record itself, as Ansible starts it, in a process of its own; and what its history says meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from collections.abc import Sequence
from pathlib import Path

from tests.faults.control_plane import until

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import read_history
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

_MODULE = "plugins/modules/job_record.py"
_END = 60.0


class Recording:
    """One run of the module, as a context manager; what is still running at the end is ended."""

    def __init__(
        self, folder: Path, cells: Sequence[dict[str, t.Any]], *, access: dict[str, t.Any], **options: t.Any
    ) -> None:
        self.history = folder / "history"
        self._answer = folder / "answer.json"
        self._arguments = {
            "history": str(self.history), "cells": list(cells), "trigger": True, "timeout": 280, **access, **options,
        }  # fmt: skip

    def __enter__(self) -> Recording:
        given = self._answer.with_name("arguments.json")
        given.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": self._arguments}))
        with given.open("rb") as source, self._answer.open("wb") as target:
            self._process = subprocess.Popen(
                [sys.executable, _MODULE],
                env={**os.environ, "PYTHONPATH": "collections"},
                stdin=source,
                stdout=target,
            )
        self.began = time.monotonic()
        return self

    def __exit__(self, *_args: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    @property
    def running(self) -> bool:
        """Whether the module has not ended yet."""
        return self._process.poll() is None

    def lines(self) -> int:
        """How many records there are."""
        path = self.history / "history.jsonl"
        return path.read_bytes().count(b"\n") if path.is_file() else 0

    def begun(self) -> None:
        """Returns when everything is being watched."""
        until(lambda: not self.running or self._listed() >= {"jobs", "pods", "events", "cronjobs"}, "the first lists")
        assert self.running, self._answer.read_text()

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        assert self.running, self._answer.read_text()
        self._process.kill()
        self._process.wait()

    def answer(self, *, within: float) -> dict[str, t.Any]:
        """What the module says at its end, right or wrong."""
        until(lambda: not self.running, "the recording to end", seconds=within)
        answer: dict[str, t.Any] = json.loads(self._answer.read_text())
        return answer

    def result(self, *, within: float) -> dict[str, t.Any]:
        """What the module answers."""
        answer = self.answer(within=within)
        assert not answer.get("failed"), answer
        return answer

    def read(self) -> model.History:
        """The history as anybody reads it."""
        return read_history(self.history)

    def _listed(self) -> set[str]:
        path = self.history / "history.jsonl"
        if not path.is_file():
            return set()
        found = (json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if b'"resource_version"' in line)
        return {str(record.get("kind")) for record in found}
