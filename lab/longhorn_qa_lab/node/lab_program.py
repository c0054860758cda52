# SPDX-License-Identifier: GPL-3.0-or-later
"""The program in the image `longhorn-qa/lab:1`: a container that does what its arguments say, one step after the other.

    print TEXT      a line on stdout              error TEXT     a line on stderr
    sleep SECONDS   wait                          exit CODE      end with this exit status
    until FILE      wait for a file of the host path
    spew BYTES      one long line                 lines COUNT    numbered lines
    env NAME        print a variable              listen PORT    serve HTTP on a container port from now on
    on-term CODE    from now on, end with this exit status when asked to terminate
    ignore-term     from now on, do not end when asked to terminate
    attempts FILE CODE COUNT   end with CODE in the first COUNT runs that share this file of the host path
    wait            wait until terminated

Without a last `exit` the exit status is 0.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
import threading
import time
import typing as t
from pathlib import Path


class _Hello(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the request's path, enough to see that a connection got through."""

    def do_GET(self) -> None:
        """Answer with the path and the pod's name."""
        body = f"{os.environ.get('HOSTNAME', '')} {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: t.Any) -> None:
        """Say nothing: requests are not what the container's log is about."""


def _listen(port: str) -> None:
    real = json.loads(os.environ["LAB_PORTS"])[port]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", real), _Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _on_host(name: str) -> Path:
    return Path(os.environ["LAB_HOSTPATH"]) / name.lstrip("/")


def _until(name: str) -> None:
    while not _on_host(name).exists():
        time.sleep(0.05)


def _attempts(name: str, code: str, count: str) -> None:
    path = _on_host(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = int(path.read_text()) if path.exists() else 0
    path.write_text(str(done + 1))
    if done < int(count):
        sys.exit(int(code))


def _say(stream: t.TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()


def _wait() -> None:
    while True:
        signal.pause()


def _lines(count: str) -> None:
    for number in range(1, int(count) + 1):
        _say(sys.stdout, f"line {number}")


def _ignore_term() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _on_term(code: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(int(code)))


STEPS: dict[str, tuple[int, t.Callable[..., None]]] = {
    "print": (1, lambda text: _say(sys.stdout, text)),
    "error": (1, lambda text: _say(sys.stderr, text)),
    "sleep": (1, lambda seconds: time.sleep(float(seconds))),
    "until": (1, _until),
    "exit": (1, lambda code: sys.exit(int(code))),
    "spew": (1, lambda size: _say(sys.stdout, "x" * int(size))),
    "lines": (1, _lines),
    "env": (1, lambda name: _say(sys.stdout, f"{name}={os.environ.get(name, '')}")),
    "listen": (1, _listen),
    "on-term": (1, _on_term),
    "ignore-term": (0, _ignore_term),
    "attempts": (3, _attempts),
    "wait": (0, _wait),
}


def main(arguments: t.Sequence[str]) -> None:
    """Do the steps."""
    words = list(arguments)
    while words:
        step = words.pop(0)
        if step not in STEPS:
            sys.exit(f"lab: unknown step {step!r}; known: {', '.join(STEPS)}")
        count, action = STEPS[step]
        if len(words) < count:
            sys.exit(f"lab: {step} needs {count} argument(s)")
        action(*words[:count])
        del words[:count]


if __name__ == "__main__":
    main(sys.argv[1:])
