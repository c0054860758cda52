# SPDX-License-Identifier: GPL-3.0-or-later
"""What can befall a control plane: a part is killed and comes back, and etcd forgets its past."""

from __future__ import annotations

import json
import signal
import ssl
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

from longhorn_qa_lab.lab import Running
from longhorn_qa_lab.processes import Process

_POLL = 0.05
_PATIENCE = 60.0


_NOW: dict[str, dict[str, Process]] = {}
"""The processes that stand for those of a lab's description, by its folder: what was killed has another id now."""


class ControlPlane:
    """The processes of a lab, by name."""

    def __init__(self, lab: Running) -> None:
        self._lab = lab
        self._processes = _NOW.setdefault(lab.description.folder, dict(lab.description.processes))
        self._commands = {name: _command_of(process.pid) for name, process in self._processes.items()}
        self.deaths: list[str] = []

    def kill(self, name: str) -> None:
        """SIGKILL; returns when nothing is left of the process."""
        process = self._processes[name]
        process.signal(signal.SIGKILL)
        until(lambda: not Path(f"/proc/{process.pid}").exists(), f"{name} to die")
        self.deaths.append(name)

    def start(self, name: str) -> None:
        """The same command as before."""
        self._processes[name] = self._lab.keeper.start(name, self._commands[name])

    def restart(self, name: str, *, away: float) -> None:
        """Kills it and starts it again after ``away`` seconds."""
        self.kill(name)
        time.sleep(away)
        self.start(name)

    def await_ready(self) -> None:
        """Returns when the API server answers that it is ready."""
        until(self._ready, "the API server to be ready")

    def compact(self) -> int:
        """Makes etcd forget every revision but the newest; returns it."""
        told = self._etcd("/v3/kv/range", {"key": "AA=="})
        revision = int(told["header"]["revision"])
        self._etcd("/v3/kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def _ready(self) -> bool:
        url = f"https://127.0.0.1:{self._lab.description.ports.api}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=2, context=self._identity("admin")) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _etcd(self, path: str, body: dict[str, t.Any]) -> t.Any:
        url = f"https://127.0.0.1:{self._lab.description.ports.etcd}{path}"
        request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10, context=self._identity("etcd-client")) as answer:
            return json.loads(answer.read())

    def _identity(self, name: str) -> ssl.SSLContext:
        pki = Path(self._lab.description.folder) / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
        return context


def until(condition: t.Callable[[], t.Any], what: str, *, seconds: float = _PATIENCE) -> None:
    """Looks until it is true, or says what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(_POLL)


def _command_of(pid: int) -> list[str]:
    return [word.decode() for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
