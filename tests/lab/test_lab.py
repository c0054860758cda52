# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a lab, with the real programs: up, seen, down, and what is left after it was killed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from longhorn_qa_lab import bringup, description, lab, paths, ports, processes
from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.description import Description
from longhorn_qa_lab.errors import LabError, PortTaken
from longhorn_qa_lab.lab import Running
from longhorn_qa_lab.processes import MARK, Process, identify
from longhorn_qa_lab.progress import Progress, silent

PACKAGE = Path(lab.__file__).resolve().parents[1]
PARTS = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "node"}


def start_command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "longhorn_qa_lab", *arguments],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    process = start_command(*arguments)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def until(happened: Callable[[], bool], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def living(name: str) -> list[Process]:
    return list(processes.marked(paths.lab_paths(name).folder))


@pytest.fixture
def name(lab_root: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A lab's name of this test's own, and nothing of it left afterwards."""
    own = f"t{os.getpid()}-{abs(hash(request.node.name)) % 10**8}"
    yield own
    lab.down(own)
    assert living(own) == []


def test_a_whole_life_by_command(lab: Running, name: str) -> None:
    """Side by side with the shared lab: up, status, list, a second up, down."""
    up = command("lab", "up", name, "--longhorn", "none")
    assert up.returncode == 0, up.stderr
    found = description.read(paths.lab_paths(name).description)
    assert found is not None
    assert up.stdout == f"export KUBECONFIG={found.kubeconfig}\n"
    assert set(found.processes) == PARTS

    status = command("lab", "status", name)
    assert (status.returncode, status.stdout.count("running")) == (0, len(PARTS) + 1)
    assert json.loads(command("lab", "status", name, "--json").stdout)["health"] == "up"
    listed = {item["name"]: item for item in json.loads(command("lab", "list", "--json").stdout)}
    assert {name, lab.description.name} <= set(listed)
    assert not set(listed[name]["ports"].values()) & set(listed[lab.description.name]["ports"].values())

    second = command("lab", "up", name, "--longhorn", "none")
    assert second.returncode == 1
    assert f"Lab '{name}' is already up" in second.stderr
    assert "Traceback" not in second.stderr
    assert command("lab", "status", name).returncode == 0

    logs = command("lab", "logs", name, "kube-apiserver", "--tail", "0")
    assert "Serving securely on 127.0.0.1" in logs.stdout
    unknown = command("lab", "logs", name, "kube-proxy")
    assert (unknown.returncode, "its parts are etcd, " in unknown.stderr) == (1, True)

    down = command("lab", "down", name)
    assert (down.returncode, down.stdout) == (0, f"lab '{name}' is down\n")
    assert living(name) == []
    assert not any(process.alive() for process in found.processes.values())
    assert not paths.lab_paths(name).folder.exists()
    assert command("lab", "status", name).returncode == 1
    assert "nothing to do" in command("lab", "down", name).stdout


def test_killed_while_starting_leaves_no_process_and_the_next_start_recovers(name: str) -> None:
    starting = start_command("lab", "up", name, "--longhorn", "none")
    place = paths.lab_paths(name)
    until((place.logs / "kube-apiserver.log").exists)
    assert len(living(name)) >= 2
    meanwhile = command("lab", "up", name, "--longhorn", "none")
    assert (meanwhile.returncode, f"being started or stopped by process {starting.pid}" in meanwhile.stderr) == (
        1,
        True,
    )
    starting.kill()
    starting.communicate()
    until(lambda: not living(name))
    assert command("lab", "list").stdout.count(f"{name}  dead") == 1

    again = start_command("lab", "up", name, "--longhorn", "none")
    until(lambda: len(living(name)) >= 2)
    again.kill()
    again.communicate()
    at_once = command("lab", "up", name, "--longhorn", "none")
    assert at_once.returncode == 0, at_once.stderr
    assert command("lab", "status", name).returncode == 0

    found = lab.find(name)
    found.processes["kube-scheduler"].signal(signal.SIGKILL)
    until(lambda: lab.health(found) == "broken")
    assert command("lab", "status", name).returncode == 1
    os.kill(found.keeper.pid, signal.SIGKILL)  # the worst that can happen to a running lab
    until(lambda: not living(name))
    status = command("lab", "status", name)
    assert (status.returncode, f"{name}  dead" in status.stdout) == (1, True)
    assert command("lab", "down", name).returncode == 0
    assert not place.folder.exists()


def test_interrupted_while_starting_cleans_up(name: str) -> None:
    starting = start_command("lab", "up", name, "--longhorn", "none")
    until((paths.lab_paths(name).logs / "etcd.log").exists)
    starting.send_signal(signal.SIGTERM)
    _, err = starting.communicate(timeout=30)
    assert starting.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert living(name) == []
    assert not paths.lab_paths(name).folder.exists()


class TestLeftovers:
    """What a killed lab may have left, without starting one."""

    def describe(self, name: str, *, state: str = "up", owner: int | None = None, **changes: Process) -> paths.LabPaths:
        place = paths.lab_paths(name)
        place.folder.mkdir(parents=True)
        gone = Process(pid=2**22 - 1, start=1)
        Description(
            name=name,
            folder=str(place.folder),
            state=state,
            release="none",
            started="",
            owner=owner,
            kubeconfig="",
            server="",
            kubernetes="",
            cronjob_controller="v2",
            poll_scale=1,
            egress_socket="",
            ports=ports.Ports(1, 2, 3, 4),
            keeper=changes.get("keeper", gone),
            processes={"etcd": changes.get("etcd", gone)},
        ).write(place.description)
        return place

    def sleeper(self, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "600"], env={**os.environ, **environment})

    def test_a_process_with_the_labs_mark_is_ended(self, name: str) -> None:
        place = self.describe(name)
        stray = self.sleeper(**{MARK: str(place.folder)})
        until(lambda: bool(living(name)))
        assert lab.down(name)
        assert stray.wait(10) == -signal.SIGTERM

    def test_a_process_of_another_lab_is_not(self, name: str) -> None:
        place = self.describe(name)
        other = self.sleeper(**{MARK: f"{place.folder}-other"})
        try:
            lab.down(name)
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()

    def test_a_stranger_that_got_the_same_id_is_not(self, name: str) -> None:
        stranger = self.sleeper()
        try:
            found = identify(stranger.pid)
            assert found is not None
            reused = Process(found.pid, found.start - 1)
            self.describe(name, keeper=reused, etcd=reused)
            lab.down(name)
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    @pytest.mark.parametrize(
        ("state", "owner", "message"),
        [
            pytest.param("starting", None, "as far as here", id="its start was killed"),
            pytest.param("up", 2**22 - 1, "as far as here", id="its owner was killed"),
            pytest.param("up", os.getpid(), f"belongs to process {os.getpid()}", id="its owner lives"),
            pytest.param("up", None, "already up", id="it outlives its command"),
        ],
    )
    def test_a_start_is_refused_only_by_a_lab_that_stays(
        self, name: str, monkeypatch: pytest.MonkeyPatch, state: str, owner: int | None, message: str
    ) -> None:
        def stop(**_: object) -> t.NoReturn:
            raise LabError("as far as here")

        monkeypatch.setattr(lab.sources, "ensure", stop)
        keeper = self.sleeper()
        try:
            found = identify(keeper.pid)
            assert found is not None
            self.describe(name, state=state, owner=owner, keeper=found)
            with pytest.raises(LabError, match=message):
                lab.up(Options(name=name), Progress(silent))
            assert (keeper.poll() is None) is (message != "as far as here")
        finally:
            keeper.kill()
            keeper.wait()

    @pytest.mark.parametrize(
        ("error", "keep", "stays"),
        [
            pytest.param(None, True, True, id="came to its end"),
            pytest.param(LabError("the playbook failed"), True, True, id="failed"),
            pytest.param(LabError("the playbook failed"), False, False, id="failed, and was not to stay"),
            pytest.param(KeyboardInterrupt(), True, False, id="interrupted"),
        ],
    )
    def test_what_stays_when_it_was_asked_to(
        self,
        name: str,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        error: BaseException | None,
        keep: bool,
        stays: bool,
    ) -> None:
        place = self.describe(name, owner=os.getpid())
        described = description.read(place.description)
        ended: list[str] = []
        keeper = SimpleNamespace(detach=lambda: ended.append("let go"), close=lambda: ended.append("closed"))
        monkeypatch.setattr(lab, "_start", lambda *_, **__: Running(described, keeper))
        with (
            contextlib.suppress(LabError, KeyboardInterrupt),
            lab.running(Options(name=name), Progress(), keep=keep),
        ):
            if error is not None:
                raise error
        found = description.read(place.description)
        assert (ended, found is not None and found.owner is None) == (["let go" if stays else "closed"], stays)
        assert (f"longhorn-qa lab down {name}" in capfd.readouterr().err) is stays

    def test_an_unreadable_description_does_not_stop_down(self, name: str) -> None:
        place = self.describe(name)
        place.description.write_text('{"name": ')
        stray = self.sleeper(**{MARK: str(place.folder)})
        until(lambda: bool(living(name)))
        assert lab.down(name)
        stray.wait(10)
        assert not place.folder.exists()


def test_a_taken_port_that_was_asked_for_is_refused_before_anything_starts(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} of 127.0.0.1 .* choose another with --port"):
            lab.up(Options(name=name, api_port=port), Progress(silent))
    assert living(name) == []


def test_a_port_that_somebody_took_is_passed_over() -> None:
    usual = ports.choose("some-name")
    with socket.create_server(("127.0.0.1", usual.api)):
        other = ports.choose("some-name")
    assert usual.api not in (other.api, other.etcd, other.etcd_peer, other.node)
    assert len({other.api, other.etcd, other.etcd_peer, other.node}) == 4


def test_of_two_starts_at_once_the_second_names_the_first(name: str) -> None:
    place = paths.lab_paths(name)
    place.lock.parent.mkdir(parents=True, exist_ok=True)
    with place.lock.open("w", encoding="utf-8") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        first.write("4711")
        first.flush()
        second = command("lab", "up", name, "--longhorn", "none")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"Lab '{name}' is being started or stopped by process 4711: wait for it" in second.stderr
    assert "Traceback" not in second.stderr
    assert living(name) == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("walpb: write 0.wal: no space left on device", id="a Go program's"),
        pytest.param("OSError: [Errno 28] No space left on device", id="the node's"),
    ],
)
def test_a_disk_that_fills_up_while_a_part_starts_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    place = paths.LabPaths(tmp_path)
    place.logs.mkdir()
    (place.logs / "etcd.log").write_text(f"starting\n{words}\n")
    monkeypatch.setattr(bringup, "Kube", lambda *_, **__: None)
    keeper: t.Any = SimpleNamespace(start=lambda *_: SimpleNamespace(alive=lambda: False))
    layout: t.Any = SimpleNamespace(paths=place)
    starting = bringup.BringUp(Options(name="full"), layout=layout, keeper=keeper, progress=Progress(silent))
    starting._start("etcd", [])
    with pytest.raises(LabError, match=f"The disk that holds {tmp_path} is full: etcd could not go on"):
        starting._wait("etcd", lambda: False)


def test_a_full_disk_is_said_before_anything_starts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "_SPACE_NEEDED", 1 << 60)
    with pytest.raises(LabError, match=r"is full: a lab needs .* LONGHORN_QA_LAB_DIR"):
        lab.up(Options(name=name), Progress(silent))
    assert living(name) == []


@pytest.mark.parametrize(
    "bad", ["", "-x", "x-", "X", "a/b", "..", "a" * 41], ids=["empty", "-x", "x-", "X", "a/b", "dots", "too long"]
)
def test_a_name_that_cannot_be_a_folder_is_refused(bad: str) -> None:
    with pytest.raises(LabError, match="choose another name"):
        paths.lab_paths(bad)


def test_a_socket_folder_of_somebody_else_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setattr(paths.LabPaths, "egress_socket", open_to_all / "egress.sock")
    with pytest.raises(LabError, match="not a folder of yours alone"):
        lab.up(Options(name=name), Progress(silent))
    assert living(name) == []


def test_a_deep_folder_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    place = paths.LabPaths(tmp_path / ("deep" * 20) / "lab")
    assert len(os.fsencode(place.egress_socket)) <= 100
    assert paths.LabPaths(tmp_path / ("deep" * 20) / "other").egress_socket != place.egress_socket
