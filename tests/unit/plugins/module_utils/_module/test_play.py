# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that runs long notices that its play is gone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._module.play import Play


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """Reader and writer; a test that closes one takes it out."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Our own process, a shell, a worker and the play, below a shell whose command line only speaks of ansible."""
    add(tmp_path, "self", parent="40", words=["python", "AnsiballZ_job_record.py"])
    add(tmp_path, "50", parent="40", words=["python", "AnsiballZ_job_record.py"])
    add(tmp_path, "40", parent="30", words=["/bin/sh", "-c", "ansible"], name="a b) c")
    add(tmp_path, "30", parent="20", words=["/usr/bin/python3", "/usr/bin/ansible-playbook", "x.yml"])
    add(tmp_path, "20", parent="10", words=["ansible-playbook", "x.yml"])
    add(tmp_path, "10", parent="1", words=["bash", "-c", "ansible-playbook x.yml &"])
    add(tmp_path, "1", parent="0", words=["init"])
    return tmp_path


def add(
    folder: Path, pid: str, *, parent: str, words: list[str], name: str = "x", started: str = "7", state: str = "S"
) -> None:
    (folder / pid).mkdir(exist_ok=True)
    fields = [state, parent, *["0"] * 17, started, "0"]
    (folder / pid / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (folder / pid / "cmdline").write_bytes("\0".join([*words, ""]).encode())


def test_a_play_that_lives(pipe: list[int], proc: Path) -> None:
    assert not Play(output=pipe[1], proc=proc).over()


def test_the_reader_of_our_output_is_gone(pipe: list[int], proc: Path) -> None:
    play = Play(output=pipe[1], proc=proc)
    os.close(pipe.pop(0))
    assert play.over()


@pytest.mark.parametrize("pid", [pytest.param("30", id="the worker"), pytest.param("20", id="the play")])
def test_an_ansible_process_above_us_is_gone(pipe: list[int], proc: Path, pid: str) -> None:
    play = Play(output=pipe[1], proc=proc)
    shutil.rmtree(proc / pid)
    assert play.over()


@pytest.mark.parametrize(
    "changed",
    [pytest.param({"started": "8"}, id="another process got its number"), pytest.param({"state": "Z"}, id="a zombie")],
)
def test_a_number_that_lives_on_is_not_the_play(pipe: list[int], proc: Path, changed: dict[str, str]) -> None:
    play = Play(output=pipe[1], proc=proc)
    add(proc, "20", parent="10", words=["ansible-playbook"], **changed)
    assert play.over()


def test_who_started_the_play_may_leave(pipe: list[int], proc: Path) -> None:
    play = Play(output=pipe[1], proc=proc)
    shutil.rmtree(proc / "10")
    assert not play.over()


def test_a_system_without_proc(pipe: list[int], tmp_path: Path) -> None:
    assert not Play(output=pipe[1], proc=tmp_path).over()
