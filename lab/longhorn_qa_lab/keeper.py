# SPDX-License-Identifier: GPL-3.0-or-later
"""The parent of a lab's processes.

It starts what it is told to on stdin (one JSON object a line) and answers on stdout. Its children die with it, and it
ends them all when its owner goes away without having said ``detach``: a killed command leaves nothing behind. After
``detach`` the lab lives until the keeper gets SIGTERM.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
import typing as t

from longhorn_qa_lab.processes import Process, die_with_parent, end, identify

_NODE_GRACE = 6.0
_GRACE = 2.0


class Keeper:
    """One loop over the owner's words and the children's ends."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._detached = False
        self._stopping = False
        self._buffer = b""

    def run(self) -> None:
        """Lives until told to stop or left alone."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as ready:
            ready.register(wake_read, selectors.EVENT_READ)
            ready.register(sys.stdin.fileno(), selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in ready.select():
                    if key.fd == wake_read:
                        os.read(wake_read, 4096)
                    elif not self._hear(sys.stdin.fileno()):
                        ready.unregister(sys.stdin.fileno())
                self._reap()
        self._stop_all()

    def _on_stop(self, *_: object) -> None:
        self._stopping = True

    def _hear(self, descriptor: int) -> bool:
        chunk = os.read(descriptor, 65536)
        if not chunk:
            self._stopping = self._stopping or not self._detached
            return False
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            self._answer(json.loads(line))
        return True

    def _answer(self, order: dict[str, t.Any]) -> None:
        answer: dict[str, t.Any] = {"ok": True}
        if order["do"] == "start":
            answer = self._start(order)
        elif order["do"] == "detach":
            self._detached = True
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    def _start(self, order: dict[str, t.Any]) -> dict[str, t.Any]:
        try:
            with open(order["log"], "ab") as log:  # noqa: PTH123 -- a path from JSON, not a Path
                child = subprocess.Popen(
                    order["argv"],
                    cwd=order["cwd"],
                    env=order["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=die_with_parent,
                )
        except OSError as error:
            return {"ok": False, "error": str(error)}
        self._children[order["name"]] = child
        process = identify(child.pid)
        return {"ok": True, "pid": child.pid, "start": process.start if process else 0}

    def _reap(self) -> None:
        for name, child in list(self._children.items()):
            status = child.poll()
            if status is None:
                continue
            del self._children[name]
            now = time.strftime("%FT%TZ", time.gmtime())
            print(f"{now} {name} ended with status {status}", file=sys.stderr, flush=True)

    def _stop_all(self) -> None:
        """The node first, because it tidies up after its pods; the rest holds nothing worth keeping."""
        node = self._children.pop("node", None)
        if node is not None:
            self._end([node], _NODE_GRACE)
        self._end(list(self._children.values()), _GRACE)

    def _end(self, children: list[subprocess.Popen[bytes]], grace: float) -> None:
        processes = [process for child in children if (process := identify(child.pid))]
        end([Process(process.pid, process.start) for process in processes], grace=grace)
        for child in children:
            child.wait()


if __name__ == "__main__":
    Keeper().run()
