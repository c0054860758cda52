# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers as they run here: a local process in a session of its own, or nothing but a log that grows.

A process dies with the node, even if the node is killed; what it left in its process group dies with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.node.crilog import LineSplitter
from longhorn_qa_lab.node.images import Idle, Local
from longhorn_qa_lab.node.logfile import LogFile
from longhorn_qa_lab.node.pods import Exit
from longhorn_qa_lab.processes import die_with_parent

DRAIN_SECONDS = 2.0
FOLLOW_SECONDS = 0.2
BLOCK = 65536


class Running(t.Protocol):
    """A container that has been started."""

    async def wait(self) -> Exit:
        """Its end."""

    async def stop(self, *, grace: float) -> None:
        """Ask it to end, wait so long, then insist."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Everything a process needs to be started."""

    program: Local
    argv: tuple[str, ...]
    env: t.Mapping[str, str]
    folder: Path


class _Pipe:
    """One output stream of a process on its way into the log."""

    def __init__(self, stream: str, log: LogFile) -> None:
        self._splitter = LineSplitter(stream=stream)
        self._log = log
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self.ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._reader, BLOCK)
        except BlockingIOError:
            return
        self._log.append(self._splitter.feed(data, now=time.time_ns()))
        if not data:
            self.close()

    def close(self) -> None:
        """Stop reading, whatever may still come."""
        if not self.ended.is_set():
            asyncio.get_running_loop().remove_reader(self._reader)
            os.close(self._reader)
            self._log.append(self._splitter.close(now=time.time_ns()))
            self.ended.set()


class LocalContainer:
    """A container that is a local process."""

    def __init__(self, launch: Launch, log: LogFile) -> None:
        self._stop_code = launch.program.stop_code
        self._log = log
        self._pipes = (_Pipe("stdout", log), _Pipe("stderr", log))
        self._ended = asyncio.Event()
        self._asked = False
        try:
            self._process = _spawn(launch, self._pipes[0].writer, self._pipes[1].writer)
        except OSError:
            for pipe in self._pipes:
                pipe.close()
            log.close()
            raise
        finally:
            for pipe in self._pipes:
                os.close(pipe.writer)
        self._pidfd = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Until wait() the leader is a zombie that keeps the group's number, so this cannot hit a stranger.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._ended.set()

    async def wait(self) -> Exit:
        """The end of the process and of its output."""
        await self._ended.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(pipe.ended.wait() for pipe in self._pipes)), DRAIN_SECONDS)
        for pipe in self._pipes:
            pipe.close()
        self._log.close()
        code = self._process.returncode
        if self._asked and self._stop_code is not None and code != -signal.SIGKILL:
            return Exit(code=self._stop_code)
        return Exit(code=code if code >= 0 else 128 - code)

    async def stop(self, *, grace: float) -> None:
        """SIGTERM, and SIGKILL when the grace is over."""
        self._asked = True
        self._signal(signal.SIGTERM if grace > 0 else signal.SIGKILL)
        try:
            await asyncio.wait_for(self._ended.wait(), grace or DRAIN_SECONDS)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._ended.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._ended.is_set():
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                os.kill(self._process.pid, number)


def _spawn(launch: Launch, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*launch.program.argv, *launch.argv[1:]],
        env={**launch.env, **launch.program.env},
        cwd=launch.folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


class IdleContainer:
    """A container that only waits, and perhaps hands on what others write for it."""

    def __init__(self, program: Idle, *, hostpath: Path, log: LogFile) -> None:
        self._program = program
        self._log = log
        self._splitter = LineSplitter(stream="stdout")
        self._stopped = asyncio.Event()
        self._source = hostpath / program.follows.lstrip("/") if program.follows else None
        self._at = self._source.stat().st_size if self._source and self._source.exists() else 0
        self._write(program.prints.encode())

    def _write(self, data: bytes) -> None:
        self._log.append(self._splitter.feed(data, now=time.time_ns()))

    def _copy(self) -> None:
        if self._source and self._source.exists():
            with self._source.open("rb") as file:
                file.seek(self._at)
                while data := file.read(BLOCK):
                    self._at += len(data)
                    self._write(data)

    async def wait(self) -> Exit:
        """It ends when it is stopped, never by itself."""
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), FOLLOW_SECONDS if self._source else None)
            self._copy()
        self._log.append(self._splitter.close(now=time.time_ns()))
        self._log.close()
        return Exit(code=self._program.stop_code)

    async def stop(self, *, grace: float) -> None:  # noqa: ARG002
        """Nothing to wait for."""
        self._stopped.set()
