# SPDX-License-Identifier: GPL-3.0-or-later
"""The stub itself, run: what it refuses, what it lets through, and where it puts the engine."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest
import stub_images

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.stub import engine, launcher, subcommands

SNAPSHOT, BACKUP = "snapshot rm", "backup rm"
UNPACKED = "longhorn-*"
SHELLS = [pytest.param((), id="sh"), pytest.param(("bash", "--posix"), id="bash")]


@functools.cache
def make(*names: str, content: bytes | None = None, words: str | None = None) -> launcher.Stub:
    found = content or stub_images.stand_in()
    wrapped = engine.understand(found, None if content is None else stub_images.answer())
    return launcher.make(wrapped, subcommands.refusals(names or (SNAPSHOT, BACKUP), words))


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    return engine.place(make().content, tmp_path / "stub")


def call(program: Path, *arguments: str, shell: tuple[str, ...] = (), **options: t.Any) -> tuple[int, str, str]:
    done = subprocess.run(
        [*shell, str(program), *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )
    return done.returncode, done.stdout, done.stderr


def unpacked(stub: Path) -> list[Path]:
    return sorted(stub.parent.glob(UNPACKED))


CALLS = [
    (" ".join(called.split("/")), command.words)
    for command in subcommands.SUBCOMMANDS.values()
    for called in command.calls
]


@pytest.mark.parametrize(("called", "words"), CALLS, ids=[called for called, _ in CALLS])
def test_what_is_refused(tmp_path: Path, called: str, words: str) -> None:
    stub = engine.place(make(*subcommands.SUBCOMMANDS).content, tmp_path / "stub")
    status, out, err = call(stub, "--url", "10.42.0.7:10000", *called.split(), "name")
    assert (status, out) == (1, "")
    time, _, rest = err.partition(" ")
    assert time.startswith('time="20')
    assert time.endswith('Z"')
    assert rest == f'level=fatal msg="{words}"\n'
    assert unpacked(stub) == []  # nothing was needed of the engine


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="nothing"),
        pytest.param("--url 10.42.0.7:10000", id="url"),
        pytest.param("-url=10.42.0.7:10000 --debug", id="one dash, equals sign, debug"),
        pytest.param("--url 1.2.3.4:5 --volume-name v --engine-instance-name v-e-0", id="flags of 1.5 and later"),
    ],
)
def test_flags_before_the_command_do_not_hide_it(stub: Path, before: str, shell: tuple[str, ...]) -> None:
    assert call(stub, *before.split(), "snapshot", "rm", "name", shell=shell)[0] == 1
    assert call(stub, *before.split(), "snapshot", "ls", "name", shell=shell, input="")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param("snapshot ls", id="its neighbour"),
        pytest.param("snapshot purge-status", id="a longer name"),
        pytest.param("snapshot create rm", id="the word as a name"),
        pytest.param("replica rm", id="another group"),
        pytest.param("controller snapshot rm", id="the words as arguments"),
        pytest.param("--url snapshot rm", id="a word as a flag's value"),
        pytest.param("--volume-name snapshot ls rm", id="the other flag's value"),
        pytest.param("snapshot/rm", id="one word"),
        pytest.param("rm snapshot", id="the other way round"),
        pytest.param("snapshot", id="only the group"),
        pytest.param("version", id="version of both sides"),
        pytest.param("snapshot ls --client-only", id="version's flag elsewhere"),
    ],
)
def test_what_is_let_through(stub: Path, arguments: str) -> None:
    shown = "".join(f"<{one}>" for one in arguments.split())
    assert call(stub, *arguments.split(), input="") == (
        0,
        shown,
        'time="now" level=error msg="an error of the engine"\n',
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_arguments_input_and_status_are_the_callers(stub: Path, shell: tuple[str, ...]) -> None:
    arguments = ("backup", "create", "", "two  words", "*", "$HOME", "it's", "new\nline", "--dest", "s3://a@b/")
    seen = call(stub, *arguments, shell=shell, input="first\nsecond\n", env={**os.environ, "STATUS": "7"})
    assert seen[:2] == (7, "".join(f"<{one}>" for one in arguments) + "first\nsecond\n")
    assert call(stub, *arguments, shell=shell, input="again", env={**os.environ, "STATUS": "7"})[0] == 7


def test_the_environment_is_the_callers(tmp_path: Path) -> None:
    stub = engine.place(make(content=stub_images.program("/usr/bin/env")).content, tmp_path / "stub")
    given = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": "a b'c\"", "stub": "x", "PWD": str(tmp_path)}
    done = subprocess.run([stub, "-0"], capture_output=True, env=given, cwd=tmp_path, timeout=60, check=True)
    assert dict(one.split("=", 1) for one in done.stdout.decode().split("\0") if one) == given


class TestTheVersion:
    def test_is_the_engines_with_a_commit_of_its_own(self, stub: Path) -> None:
        made = make()
        status, out, err = call(stub, "version", "--client-only")
        assert (status, err) == (0, "")
        assert out == made.answer == call_plain("version", "--client-only").replace(stub_images.COMMIT, made.commit)
        assert made.commit != stub_images.COMMIT
        assert len(made.commit) == len(stub_images.COMMIT)
        assert unpacked(stub) == []  # so it is as fast as a shell

    def test_is_also_what_the_engine_inside_says(self, stub: Path) -> None:
        """The manager asks the running engine too, and compares."""
        assert call(stub, "version", "--client-only=true")[1] == make().answer
        assert unpacked(stub)

    def test_differs_between_stubs(self) -> None:
        commits = [make(SNAPSHOT), make(BACKUP), make(SNAPSHOT, BACKUP), make(SNAPSHOT, words="other words")]
        assert len({one.commit for one in commits}) == len(commits)

    def test_is_the_same_when_made_again(self) -> None:
        assert make(SNAPSHOT, BACKUP).content == make(BACKUP, SNAPSHOT, SNAPSHOT).content


def call_plain(*arguments: str) -> str:
    """What the stand-in says when nothing is around it."""
    return subprocess.run(["sh", "-c", stub_images.stand_in().split(b"\0")[0].decode(), "sh", *arguments],
                          capture_output=True, text=True, timeout=60, check=True).stdout  # fmt: skip


def test_it_becomes_the_engine(tmp_path: Path) -> None:
    """One process: signals reach the engine, and its status is the stub's."""
    stub = engine.place(make(content=stub_images.program("/bin/sleep")).content, tmp_path / "stub")
    with subprocess.Popen([stub, "60"]) as process:
        try:
            while Path(f"/proc/{process.pid}/exe").resolve().name in ("dash", "bash", "sh", "busybox", "python3"):
                assert process.poll() is None
            assert Path(f"/proc/{process.pid}/exe").resolve() == unpacked(stub)[0]
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM


class TestUnpacking:
    def test_happens_once(self, stub: Path) -> None:
        call(stub, "snapshot", "ls", input="")
        (first,) = unpacked(stub)
        before = first.stat()
        call(stub, "snapshot", "ls", input="")
        assert (unpacked(stub), first.stat().st_ino) == ([first], before.st_ino)

    def test_many_at_once(self, tmp_path: Path) -> None:
        """A real executable, which the kernel does not start while anybody can write to it."""
        stub = engine.place(make(content=stub_images.program("/bin/cat")).content, tmp_path / "stub")
        running = [
            subprocess.Popen([stub], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(12)
        ]
        ends = [process.communicate(b"text", timeout=60) for process in running]
        assert ends == [(b"text", b"")] * len(running)
        assert [process.returncode for process in running] == [0] * len(running)
        assert len(unpacked(stub)) == 1

    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda path: os.truncate(path, 100), id="cut off"),
            pytest.param(lambda path: os.truncate(path, 0), id="empty"),
            pytest.param(lambda path: path.chmod(0o644), id="not executable"),
            pytest.param(lambda path: path.unlink(), id="removed, as with the stub's pod"),
        ],
    )
    def test_what_was_left_by_a_crash_is_replaced(self, stub: Path, damage: t.Callable[[Path], None]) -> None:
        call(stub, "snapshot", "ls", input="")
        damage(unpacked(stub)[0])
        assert call(stub, "snapshot", "ls", input="")[:2] == (0, "<snapshot><ls>")
        assert len(unpacked(stub)) == 1

    def test_a_running_engine_is_never_written_to(self, tmp_path: Path) -> None:
        stub = engine.place(make(content=stub_images.program("/bin/cat")).content, tmp_path / "stub")
        with subprocess.Popen([stub], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
            assert running.stdin
            assert running.stdout
            running.stdin.write(b"first ")
            running.stdin.flush()
            assert running.stdout.read(6) == b"first "
            unpacked(stub)[0].chmod(0o644)  # the next one unpacks again
            assert call(stub, input="text") == (0, "text", "")
            running.stdin.write(b"second")
            running.stdin.close()
            assert running.stdout.read() == b"second"
        assert running.returncode == 0

    def test_where_the_stub_lies_nothing_can_be_written(self, stub: Path, tmp_path: Path) -> None:
        temporary = tmp_path / "tmp"
        temporary.mkdir()
        folder = temporary / f"longhorn-stub-{os.getuid()}"
        for _ in range(2):
            assert call_from_nowhere(stub, "snapshot", "ls", temporary=temporary)[:2] == (0, "<snapshot><ls>")
        assert len(list(folder.iterdir())) == 1
        assert folder.stat().st_mode & 0o777 == 0o700
        assert unpacked(stub) == []

    @pytest.mark.parametrize("taken", ["link", "file", "missing"])
    def test_nowhere_at_all(self, stub: Path, tmp_path: Path, taken: str) -> None:
        """Somebody else's folder is not used: he could put another program there."""
        temporary = tmp_path / "tmp"
        theirs = temporary / f"longhorn-stub-{os.getuid()}"
        if taken != "missing":
            temporary.mkdir()
        if taken == "link":
            (tmp_path / "theirs").mkdir()
            theirs.symlink_to(tmp_path / "theirs")
        elif taken == "file":
            theirs.write_text("")
        status, out, err = call_from_nowhere(stub, "snapshot", "ls", temporary=temporary)
        assert (status, out) == (126, "")
        assert f"/proc/self/fd and {theirs}" in err
        assert err.count("\n") == 1
        assert call_from_nowhere(stub, "snapshot", "rm", "x", temporary=temporary)[0] == 1
        assert call_from_nowhere(stub, "version", "--client-only", temporary=temporary)[1] == make().answer

    def test_a_stub_that_was_not_copied_to_its_end(self, stub: Path, tmp_path: Path) -> None:
        os.truncate(stub, stub.stat().st_size - 1)
        status, _, err = call(stub, "snapshot", "ls", env={**os.environ, "TMPDIR": str(tmp_path)})
        assert status == 126
        assert "is damaged" in err
        assert unpacked(stub) == []


def call_from_nowhere(stub: Path, *arguments: str, temporary: Path) -> tuple[int, str, str]:
    """From a path whose folder takes no files, also not root's."""
    number = os.open(stub, os.O_RDONLY)
    try:
        os.dup2(number, 99)
        path = Path("/proc/self/fd/99")
        return call(path, *arguments, input="", pass_fds=(99,), env={**os.environ, "TMPDIR": str(temporary)})
    finally:
        os.close(number)
        os.close(99)


def test_words_are_said_as_they_are(tmp_path: Path) -> None:
    words = 'it\'s "so", \\ and $HOME `date` %s @SIZE@ – ok'
    stub = engine.place(make(SNAPSHOT, words=words).content, tmp_path / "stub")
    assert call(stub, "snapshot", "rm")[2].partition("msg=")[2] == json.dumps(words, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("names", "words", "message"),
    [
        pytest.param(("snapshot del",), None, "cannot refuse 'snapshot del'", id="unknown"),
        pytest.param(("snapshot rm", "replica"), None, "'snapshot rm', 'snapshot purge'", id="what there is"),
        pytest.param((SNAPSHOT,), "Cannot find it", "deleted already", id="words that mean success"),
        pytest.param((SNAPSHOT,), "two\nlines", "one line", id="two lines"),
        pytest.param((SNAPSHOT,), "\x1b[31m", "printable", id="escape sequence"),
        pytest.param((SNAPSHOT,), " ", "one line", id="no words"),
    ],
)
def test_what_no_stub_can_be(names: tuple[str, ...], words: str | None, message: str) -> None:
    with pytest.raises(LabError, match=message):
        subcommands.refusals(names, words)


def script(text: str) -> bytes:
    return f"#!/bin/sh\n{text}\n# {stub_images.COMMIT}\n".encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"\x7fELF of another world", "cannot run the engine", id="another processor"),
        pytest.param(script("echo no >&2; exit 3"), "status 3 and said 'no", id="an error"),
        pytest.param(script("echo v1.0.1"), "expected to be JSON", id="no JSON"),
        pytest.param(script("echo '{}'"), "clientVersion", id="another JSON"),
        pytest.param(script("echo 7"), "clientVersion", id="a number"),
        pytest.param(script('echo \'{"clientVersion": {"version": "", "gitCommit": ""}}\''), "is none", id="none"),
    ],
)
def test_what_is_no_engine(content: bytes, message: str) -> None:
    with pytest.raises(LabError, match=message):
        engine.understand(content)


def test_an_engine_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_SECONDS", 0.1)
    with pytest.raises(LabError, match="did not end within"):
        engine.understand(script("exec sleep 60"))


def test_a_commit_that_cannot_be_replaced() -> None:
    with pytest.raises(LabError, match="not in its file"):
        engine.understand(b"#!/bin/sh\n", stub_images.answer())
