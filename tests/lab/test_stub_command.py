# SPDX-License-Identifier: GPL-3.0-or-later
"""``longhorn-qa stub``: what it writes, what it says, and that it leaves nothing when something is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stub_images import COMMIT, ENGINE, NAME, Packed, answer, check_layout, docker_save, oci, stand_in, usual_layers

from longhorn_qa_lab import cli
from longhorn_qa_lab.stub import launcher

LAB = Path(cli.__file__).resolve().parents[1]
REFUSED = 'level=fatal msg="stubbed snapshot deletion for testing"'


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command takes over signals, which are the test runner's again afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(("stub", *arguments))
        out, err = capfd.readouterr()
        return status, out, err

    return call


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    path = tmp_path / "engine"
    path.write_bytes(stand_in())
    path.chmod(0o755)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return docker_save(usual_layers(stand_in())).tar(tmp_path / "image.tar")


def refuses(path: Path) -> bool:
    done = subprocess.run([path, "snapshot", "rm", "x"], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 1 and REFUSED in done.stderr


def test_the_stub_itself(run: Run, executable: Path, tmp_path: Path) -> None:
    status, out, err = run("engine", "--fail", "snapshot rm", "--executable", "stub")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith(f"engine     v1.0.1, commit {COMMIT}, ")
    assert out.splitlines()[1:][0].endswith(", refuses snapshot rm")
    assert out.splitlines()[2:] == ["wrote      stub"]
    assert refuses(tmp_path / "stub")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine", "stub"]


def test_all_forms_at_once(run: Run, image: Path, tmp_path: Path) -> None:
    status, out, _ = run(
        "image.tar", "--fail", "backup  rm", "--fail", "snapshot rm", "--self-test", "--executable", "stub",
        "--containerfile", "build", "--archive", "stub.tar", "--tag", "qa/engine:stub",
    )  # fmt: skip
    assert status == 0
    stub = (tmp_path / "stub").read_bytes()
    assert (tmp_path / "build/longhorn").read_bytes() == stub
    assert (tmp_path / "build/longhorn").stat().st_mode & 0o777 == 0o755
    lines = (tmp_path / "build/Containerfile").read_text().splitlines()
    assert lines[1:] == [f"ARG BASE={NAME}", "FROM ${BASE}", f"COPY longhorn /{ENGINE}"]
    checked = check_layout(tmp_path / "stub.tar")
    assert checked.files[ENGINE][1] == stub
    assert checked.docker["RepoTags"] == ["qa/engine:stub"]
    assert checked.config["history"][-1]["created_by"] == "longhorn-qa stub: the engine refuses snapshot rm, backup rm"
    said = [line for line in out.splitlines() if line.startswith("self-test")]
    assert any("--url 127.0.0.1:1 backups delete something: ends with status 1 and says" in line for line in said)
    assert any("snapshot create --help: does what the engine does (status 0)" in line for line in said)


def test_an_executable_does_not_tell_its_image(run: Run, executable: Path, tmp_path: Path) -> None:
    assert run("engine", "--fail", "snapshot rm", "--containerfile", "one")[0] == 0
    assert "ARG BASE\n" in (tmp_path / "one/Containerfile").read_text()
    assert run("engine", "--fail", "snapshot rm", "--containerfile", "two", "--image", NAME)[0] == 0
    assert f"ARG BASE={NAME}\n" in (tmp_path / "two/Containerfile").read_text()


def test_a_hostile_name_is_not_written(run: Run, tmp_path: Path) -> None:
    hostile = Packed(usual_layers(stand_in()), {"org.opencontainers.image.ref.name": "a:1\nRUN something"})
    oci(hostile).tar(tmp_path / "image.tar")
    assert run("image.tar", "--fail", "snapshot rm", "--containerfile", "build")[0] == 0
    assert "RUN" not in (tmp_path / "build/Containerfile").read_text()


def test_an_engine_of_another_processor(run: Run, tmp_path: Path) -> None:
    """Its answer comes from elsewhere; it is not run here."""
    (tmp_path / "engine").write_bytes(b"\x7fELF" + COMMIT.encode())
    (tmp_path / "engine").chmod(0o755)
    status, _, err = run("engine", "--fail", "snapshot rm", "--executable", "stub")
    assert status == 1
    assert "This machine cannot run the engine (Exec format error)" in err
    assert "--version-answer" in err
    (tmp_path / "answer").write_text(answer())
    assert run("engine", "--fail", "snapshot rm", "--executable", "stub", "--version-answer", "answer")[0] == 0
    assert refuses(tmp_path / "stub")


OUT = ("--executable", "stub")
FAIL = ("--fail", "snapshot rm")

MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "no such file": (("nothing", *FAIL, *OUT), "There is no nothing"),
    "not executable": (("image.txt", *FAIL, *OUT), "image.txt is not executable"),
    "unknown command": (("engine", "--fail", "snapshot delete", *OUT), "cannot refuse 'snapshot delete'"),
    "words that mean success": (("engine", *FAIL, *OUT, "--words", "cannot find it"), "deleted already"),
    "no output": (("engine", *FAIL), "Nothing would be written"),
    "output exists": (("engine", *FAIL, "--executable", "image.tar"), "image.tar exists already"),
    "output folder exists": (("engine", *FAIL, *OUT, "--containerfile", "folder"), "folder exists already"),
    "no folder for the output": (("engine", *FAIL, "--executable", "no/stub"), "there is no folder"),
    "archive without a name": (("image.tar", *FAIL, "--archive", "new.tar"), "belong together"),
    "name without an archive": (("image.tar", *FAIL, *OUT, "--tag", "a:1"), "belong together"),
    "name without a tag": (("image.tar", *FAIL, "--archive", "new.tar", "--tag", "a"), "name:tag"),
    "archive of an executable": (("engine", *FAIL, "--archive", "new.tar", "--tag", "a:1"), "needs the image"),
    "strange base": (("engine", *FAIL, *OUT, "--image", "A\nRUN x"), "no image's name"),
    "another image": (("image.tar", *FAIL, *OUT, "--image", "other:1"), "has no image other:1"),
    "no engine in it": (("empty.tar", *FAIL, *OUT), f"has no /{ENGINE}"),
    "an empty folder": (("folder", *FAIL, *OUT), "has neither"),
    "a stub already": (("stubbed", *FAIL, *OUT), "has a stub already"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(
    run: Run, executable: Path, image: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "image.txt").write_text("no program")
    (tmp_path / "folder").mkdir()
    docker_save(usual_layers(stand_in())[:1]).tar(tmp_path / "empty.tar")
    assert run("engine", *FAIL, "--executable", "stubbed")[0] == 0
    before = sorted(tmp_path.rglob("*"))
    status, _, err = run(*arguments)
    assert status == 1
    assert err.startswith("longhorn-qa: ")
    assert message in err
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("part", "instead", "message"),
    [
        pytest.param("@REFUSALS@", "nothing) ;;", "ends with status 1 and says", id="refuses nothing"),
        pytest.param("level=fatal", "level=error", "ends with status 1 and says", id="says something else"),
        pytest.param("printf %s @ANSWER@", "printf x", "answers with commit", id="another version"),
        pytest.param('exec "$stub_engine" "$@"', "exit 0", "answers the same, out of the engine", id="no engine"),
        pytest.param("*) stub_fail", "*) stub_fail", "", id="as it is"),
        pytest.param(
            "@REFUSALS@", "@REFUSALS@\nbackup/*) stub_fail 1 no ;;", "does what the engine does", id="refuses too much"
        ),
    ],
)
def test_the_self_test_can_fail(
    run: Run, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, instead: str, message: str
) -> None:
    monkeypatch.setattr(launcher, "_SCRIPT", launcher._SCRIPT.replace(part, instead))
    status, _, err = run("image.tar", *FAIL, *OUT, "--self-test")
    assert message in err
    assert (status, (tmp_path / "stub").exists()) == ((1, False) if message else (0, True))


def test_nothing_half_written_is_left(run: Run, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "new.tar")

    monkeypatch.setattr("longhorn_qa_lab.stub.layout._layers", full)
    status, _, err = run("image.tar", *FAIL, "--archive", "new.tar", "--tag", "a:1")
    assert (status, err) == (1, "longhorn-qa: new.tar: No space left on device\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar"]


class TestByItself:
    """Without any package: neither the lab's nor anybody else's."""

    def call(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-m", "longhorn_qa_lab.stub", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(LAB)}
        return subprocess.run(
            command, capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False
        )

    def test_works(self, image: Path, tmp_path: Path) -> None:
        done = self.call("image.tar", *FAIL, *OUT, "--self-test", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert refuses(tmp_path / "stub")

    def test_says_what_is_wrong(self, tmp_path: Path) -> None:
        done = self.call("nothing", *FAIL, *OUT, folder=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("stub: There is no nothing")
