# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers as local processes: output, exit codes, termination, and that nothing outlives the node."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.node import crilog
from longhorn_qa_lab.node.images import Idle, Local
from longhorn_qa_lab.node.known import LAB_IMAGE
from longhorn_qa_lab.node.logfile import LogFile
from longhorn_qa_lab.node.node import free_port
from longhorn_qa_lab.node.pods import Exit
from longhorn_qa_lab.node.runtime import IdleContainer, Launch, LocalContainer

LAB = t.cast(Local, LAB_IMAGE.executables["lab"])
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
Act = t.Callable[[LocalContainer], t.Awaitable[None]]


def text_of(log: Path) -> str:
    renderer = crilog.Renderer(selection=crilog.Selection())
    return b"".join(renderer.render(line) for line in log.read_bytes().split(b"\n")).decode()


def launch(*words: str, folder: Path, stop_code: int | None = None, **env: str) -> Launch:
    program = Local(argv=LAB.argv, stop_code=stop_code)
    return Launch(program=program, argv=("lab", *words), env=ENVIRONMENT | env, folder=folder)


def run(what: Launch, *, act: Act | None = None, ready: str = "") -> tuple[Exit, str]:
    async def scenario() -> Exit:
        log = LogFile(what.folder / "0.log")
        container = LocalContainer(what, log)
        if act:
            while ready not in log.path.read_text():
                await asyncio.wait_for(log.news.wait(), 10)
            await act(container)
        return await asyncio.wait_for(container.wait(), 20)

    return asyncio.run(scenario()), text_of(what.folder / "0.log")


def test_output_and_exit_code(tmp_path: Path) -> None:
    ending, text = run(launch("print", "out", "error", "err", "spew", "40000", "exit", "3", folder=tmp_path))
    assert ending == Exit(code=3)
    assert sorted(text.splitlines()) == ["err", "out", "x" * 40000]
    assert b" stderr F err" in (tmp_path / "0.log").read_bytes()


def test_environment_is_the_containers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAL", "secret")
    _, text = run(launch("env", "WHO", "env", "PERSONAL", folder=tmp_path, WHO="me"))
    assert text == "WHO=me\nPERSONAL=\n"


async def _stop(container: LocalContainer) -> None:
    await container.stop(grace=10)


async def _stop_at_once(container: LocalContainer) -> None:
    await container.stop(grace=0.2)


ENDINGS = [
    pytest.param(("print", "go", "wait"), None, _stop, 143, id="no handler: 128 + SIGTERM"),
    pytest.param(("on-term", "2", "print", "go", "wait"), None, _stop, 2, id="the program's own handler"),
    pytest.param(("print", "go", "wait"), 2, _stop, 2, id="the exit code of the program it stands for"),
    pytest.param(("ignore-term", "print", "go", "wait"), 2, _stop_at_once, 137, id="killed after the grace"),
]


@pytest.mark.parametrize(("words", "stop_code", "act", "code"), ENDINGS)
def test_termination(words: tuple[str, ...], stop_code: int | None, act: Act, code: int, tmp_path: Path) -> None:
    ending, text = run(launch(*words, folder=tmp_path, stop_code=stop_code), act=act, ready="go")
    assert (ending.code, text) == (code, "go\n")


def test_own_failure_is_not_mistaken_for_termination(tmp_path: Path) -> None:
    assert run(launch("exit", "7", folder=tmp_path, stop_code=2))[0] == Exit(code=7)


def test_what_a_process_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    script = "import subprocess as s, sys; print(s.Popen(['sleep', '600']).pid, flush=True)"
    program = Local(argv=(sys.executable, "-c", script))
    what = Launch(program=program, argv=("x",), env=ENVIRONMENT, folder=tmp_path)
    ending, text = run(what)
    assert ending.code == 0
    assert _ends(int(text)), "the grandchild still runs"


def _ends(pid: int, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_no_process_outlives_a_killed_node(tmp_path: Path) -> None:
    node = textwrap.dedent(
        """
        import asyncio, json, os, sys
        from pathlib import Path
        from longhorn_qa_lab.node.images import Local
        from longhorn_qa_lab.node.logfile import LogFile
        from longhorn_qa_lab.node.runtime import Launch, LocalContainer

        async def main(folder):
            sleeper = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
            program = Local(argv=(sys.executable, "-c", sleeper))
            log = LogFile(folder / "0.log")
            container = LocalContainer(Launch(program=program, argv=("x",), env=dict(os.environ), folder=folder), log)
            await log.news.wait()
            print("started", flush=True)
            await container.wait()

        asyncio.run(main(Path(sys.argv[1])))
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", node, str(tmp_path)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "started\n"
        pid = int(text_of(tmp_path / "0.log"))
        process.send_signal(signal.SIGKILL)
    assert _ends(pid)


def test_program_that_is_not_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        LocalContainer(
            Launch(program=Local(argv=("/nowhere",)), argv=("x",), env={}, folder=tmp_path), LogFile(tmp_path / "0.log")
        )

    with pytest.raises(FileNotFoundError):
        asyncio.run(scenario())


def test_idle_container_hands_on_what_others_append(tmp_path: Path) -> None:
    source = tmp_path / "var/log/engine.log"
    source.parent.mkdir(parents=True)
    source.write_text("from before\n")

    async def scenario() -> Exit:
        log = LogFile(tmp_path / "0.log")
        container = IdleContainer(Idle(prints="hello\n", follows="/var/log/engine.log"), hostpath=tmp_path, log=log)
        waiting = asyncio.create_task(container.wait())
        with source.open("a") as file:
            file.write("one\ntwo\n")
        while "two" not in log.path.read_text():
            await asyncio.wait_for(log.news.wait(), 5)
        with source.open("a") as file:
            file.write("last words\n")
        await container.stop(grace=30)
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(scenario()) == Exit(code=0)
    assert text_of(tmp_path / "0.log") == "hello\none\ntwo\nlast words\n"


def test_attempts_are_counted_on_the_host_path(tmp_path: Path) -> None:
    words = ("attempts", "count", "5", "2", "print", "at last")
    codes = []
    for _ in range(3):
        (tmp_path / "0.log").unlink(missing_ok=True)
        ending, text = run(launch(*words, folder=tmp_path, LAB_HOSTPATH=str(tmp_path)))
        codes.append((ending.code, text))
    assert codes == [(5, ""), (5, ""), (0, "at last\n")]


def test_ports_are_free_and_listened_on_where_told(tmp_path: Path) -> None:
    port = free_port()
    what = launch("listen", "8080", "print", "up", "wait", folder=tmp_path, LAB_PORTS=json.dumps({"8080": port}))

    async def ask(container: LocalContainer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /hello HTTP/1.0\r\n\r\n")
        assert b"/hello" in await reader.read()
        writer.close()
        await container.stop(grace=10)

    run(what, act=ask, ready="up")
