# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner's side of the keeper: starting it, giving orders, letting go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.paths import LabPaths
from longhorn_qa_lab.processes import MARK, Process, identify

_CLOSE_SECONDS = 20


class KeeperClient:
    """Owns a lab's keeper: closing it ends the lab, detaching leaves it running."""

    def __init__(self, paths: LabPaths) -> None:
        self._paths = paths
        self._environment = {**os.environ, MARK: str(paths.folder), "PYTHONPATH": _python_path()}
        with (paths.logs / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "longhorn_qa_lab.keeper"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=paths.folder,
                env=self._environment,
                start_new_session=True,
            )
        process = identify(self._keeper.pid)
        if process is None:
            raise LabError(f"The lab's keeper ended at once: see {paths.logs / 'keeper.log'}.")
        self.process = process

    def start(self, name: str, argv: Sequence[str]) -> Process:
        """Starts one part of the lab with its own log."""
        answer = self._ask(
            {
                "do": "start",
                "name": name,
                "argv": list(argv),
                "env": self._environment,
                "cwd": str(self._paths.folder),
                "log": str(self._paths.logs / f"{name}.log"),
            }
        )
        if not answer["ok"]:
            raise LabError(f"{name} cannot be started: {answer['error']}")
        return Process(int(answer["pid"]), int(answer["start"]))

    def detach(self) -> None:
        """From here on the lab outlives its owner."""
        self._ask({"do": "detach"})
        self._close_pipes()

    def close(self) -> None:
        """Ends the lab's processes and waits for it; harmless when they have ended."""
        self._close_pipes()
        self.process.signal(15)
        try:
            self._keeper.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()

    def _close_pipes(self) -> None:
        for stream in (self._keeper.stdin, self._keeper.stdout):
            if stream is not None:
                stream.close()

    def _ask(self, order: Mapping[str, t.Any]) -> dict[str, t.Any]:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        try:
            self._keeper.stdin.write(json.dumps(order).encode() + b"\n")
            self._keeper.stdin.flush()
            line = self._keeper.stdout.readline()
        except OSError:
            line = b""
        if not line:
            raise LabError(f"The lab's keeper has ended unexpectedly: see {self._paths.logs / 'keeper.log'}.")
        return t.cast(dict[str, t.Any], json.loads(line))


def _python_path() -> str:
    """Children import this very package, also when it was not installed."""
    here = str(Path(__file__).resolve().parents[1])
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys([here, *given]))
