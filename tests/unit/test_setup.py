# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be there before `make setup` is checked first, one sentence each, and nothing is made without it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = ("sh", "cat", "dirname", "id")
OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *venv* | *ensurepip*) exit 1 ;; esac\n'
GOOD = "#!/bin/sh\nexit 0\n"


@pytest.mark.parametrize(
    ("programs", "python", "named", "sentences"),
    [
        pytest.param(
            (), "", "", ["Python 3.11 or newer was not found", "make was not found", "tar was not found"], id="nothing"
        ),
        pytest.param(("make", "tar"), OLD, "", ["Python 3.11 or newer was not found"], id="an old Python"),
        pytest.param(
            ("make", "tar"), OLD, "python3", ["PYTHON=python3 is not a working Python 3.11"], id="an old one named"
        ),
        pytest.param(
            ("make", "tar"), WITHOUT_VENV, "", ["has no module venv", "has no module ensurepip"], id="without venv"
        ),
        pytest.param(("make",), GOOD, "", ["tar was not found"], id="without tar"),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_made(
    tmp_path: Path, programs: tuple[str, ...], python: str, named: str, sentences: list[str]
) -> None:
    checkout, path = tmp_path / "checkout", tmp_path / "bin"
    (checkout / "build").mkdir(parents=True)
    path.mkdir()
    shutil.copy(ROOT / "build/setup.sh", checkout / "build")
    for name in (*ALWAYS, *programs):
        (path / name).symlink_to(str(shutil.which(name)))
    if python:
        (path / "python3").write_text(python)
        (path / "python3").chmod(0o755)
    env = {"PATH": str(path), "PYTHON": named}
    done = subprocess.run(["sh", "build/setup.sh"], cwd=checkout, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == len(sentences), done.stderr
    assert all(line.startswith("setup: ") and text in line for line, text in zip(lines, sentences, strict=True))
    assert [entry.name for entry in checkout.iterdir()] == ["build"]
