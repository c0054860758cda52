# SPDX-License-Identifier: GPL-3.0-or-later
"""Which browser the tests of the report take, without fetching one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from longhorn_qa_lab.binaries import apt, chromium
from longhorn_qa_lab.errors import LabError


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH"; echo "$FONTCONFIG_FILE"; echo "$@"\n', encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LONGHORN_QA_CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "PROGRAMS", ())


def test_named_program_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = program(tmp_path / "mine")
    monkeypatch.setenv("LONGHORN_QA_CHROMIUM", str(mine))
    assert chromium.ensure(cache=tmp_path) == mine


def test_named_file_that_is_no_program_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGHORN_QA_CHROMIUM", str(program(tmp_path / "mine", 0o644)))
    with pytest.raises(LabError, match="not an executable file"):
        chromium.ensure(cache=tmp_path)


def test_installed_program_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path / "bin" / "chromium")
    monkeypatch.setenv("PATH", str(found.parent))
    monkeypatch.setattr(chromium, "PROGRAMS", ("chromium",))
    assert chromium.ensure(cache=tmp_path / "cache") == found


class Archive:
    """Debian's archive as far as it is asked here."""

    asked: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)

    def update(self) -> None:
        """Nothing to read."""

    def download_missing(self, packages: tuple[str, ...], into: Path) -> None:
        Archive.asked = packages
        into.mkdir(parents=True)


@pytest.mark.parametrize("complete", [True, False], ids=["whole package", "package without the program"])
def test_debians_package_is_unpacked_into_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complete: bool
) -> None:
    def unpack(_packages: object, into: Path) -> None:
        (into / "usr" / "lib" / "x").mkdir(parents=True)
        (into / "usr" / "lib" / "x" / "libone.so.1").write_text("")
        if complete:
            program(into / "usr/lib/chromium/chromium-headless-shell")

    monkeypatch.setattr(apt, "Apt", Archive)
    monkeypatch.setattr(apt, "unpack", unpack)
    if not complete:
        with pytest.raises(LabError, match="has no usr/lib/chromium"):
            chromium.ensure(cache=tmp_path, say=lambda _text: None)
        assert not list(tmp_path.glob("chromium*"))
        return
    start = chromium.ensure(cache=tmp_path, say=lambda _text: None)
    assert Archive.asked[0] == "chromium-headless-shell"
    said = subprocess.run([str(start), "--flag"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    assert str(start.parent / "usr" / "lib" / "x") in said[0].split(":")
    assert said[1:] == [str(start.parent / "fonts.conf"), "--flag"]
    Archive.asked = ()
    assert chromium.ensure(cache=tmp_path) == start
    assert Archive.asked == ()
