# SPDX-License-Identifier: GPL-3.0-or-later
"""The self-test: the stub and the engine side by side, and what each of them answers.

No engine runs behind the calls: what is let through is asked for its help text, which needs none.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.stub.engine import ASK, Engine, call, place
from longhorn_qa_lab.stub.launcher import Stub
from longhorn_qa_lab.stub.subcommands import SUBCOMMANDS, quoted

_URL = ("--url", "127.0.0.1:1")
_LET_THROUGH = (("--help",), ("--version",), ("snapshot", "ls", "--help"), ("backup", "ls", "--help"))
# The engine asks for this the long way, so that the answer is its own and not the one that the stub has at hand.
_ASK_THE_ENGINE = ("version", "--client-only=true")
_TIME = re.compile(rb'time="[^"]*"')
_UNPACKED = re.compile(rb"longhorn-[0-9a-f]{16}")


@dataclass(frozen=True)
class _Trial:
    stub: Path
    engine: Path
    say: Callable[[str], None]

    def expect(self, holds: bool, text: str, seen: subprocess.CompletedProcess[bytes]) -> None:
        called = " ".join(("longhorn", *seen.args[1:]))
        if not holds:
            raise LabError(
                f"Self-test: it was expected that '{called}' {text}, but it ended with status {seen.returncode}, said "
                f"{seen.stdout.decode(errors='replace')!r} and, as errors, {seen.stderr.decode(errors='replace')!r}. "
                "Nothing was written."
            )
        self.say(f"self-test  {called}: {text}")


def run(stub: Stub, engine: Engine, say: Callable[[str], None]) -> None:
    """Raises what is not as it should be; in folders of its own, because a stub leaves the engine beside itself."""
    with tempfile.TemporaryDirectory(prefix="longhorn-qa-stub-") as folder:
        trial = _Trial(
            stub=place(stub.content, Path(folder) / "stub"),
            engine=place(engine.content, Path(folder) / "engine"),
            say=say,
        )
        _version(trial, stub)
        for name, words in stub.refusals.items():
            _refuses(trial, name, words)
        for arguments in (*_LET_THROUGH, *_others(stub.refusals)):
            _lets_through(trial, arguments, stub=stub, engine=engine)


def _others(refusals: t.Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    return tuple((*name.split(), "--help") for name in SUBCOMMANDS if name not in refusals)


def _version(trial: _Trial, stub: Stub) -> None:
    begun = time.monotonic()
    seen = call(trial.stub, *ASK)
    spent = time.monotonic() - begun
    right = (seen.returncode, seen.stdout) == (0, stub.answer.encode())
    trial.expect(right, f"answers with commit {stub.commit}", seen)
    trial.say(f"self-test  that took {spent * 1000:.0f} ms")
    seen = call(trial.stub, *_ASK_THE_ENGINE)
    right = (seen.returncode, seen.stdout) == (0, stub.answer.encode())
    trial.expect(right, "answers the same, out of the engine", seen)


def _refuses(trial: _Trial, name: str, words: str) -> None:
    line = f" level=fatal msg={quoted(words)}\n".encode()
    for arguments in (one.split("/") for one in SUBCOMMANDS[name].calls):
        for before in ((), _URL):
            seen = call(trial.stub, *before, *arguments, "something")
            right = seen.returncode == 1 and seen.stdout == b"" and seen.stderr.endswith(line)
            trial.expect(right, f"ends with status 1 and says {quoted(words)}", seen)


def _lets_through(trial: _Trial, arguments: tuple[str, ...], *, stub: Stub, engine: Engine) -> None:
    def plain(text: bytes) -> bytes:
        """Without what differs: times, the commit, and where the engine lies and under which name."""
        same = _TIME.sub(b"", _UNPACKED.sub(b"longhorn", text)).replace(stub.commit.encode(), engine.commit.encode())
        return same.replace(bytes(trial.stub.parent), bytes(trial.engine.parent))

    wanted = call(trial.engine, *arguments)
    seen = call(trial.stub, *arguments)
    right = (seen.returncode, plain(seen.stdout), plain(seen.stderr)) == (
        wanted.returncode,
        plain(wanted.stdout),
        plain(wanted.stderr),
    )
    trial.expect(right, f"does what the engine does (status {wanted.returncode})", seen)
