# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser for the tests of the report: the machine's own, else Debian's, unpacked into the cache without root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from longhorn_qa_lab import paths
from longhorn_qa_lab.binaries import apt, store
from longhorn_qa_lab.binaries.catalog import architecture
from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.progress import Progress, Say, as_progress

PROGRAMS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")

_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
_PROGRAM = "usr/lib/chromium/chromium-headless-shell"
_RECIPE = 1
"""To be raised whenever the outcome of the recipe changes, so that old sets are not reused."""


def ensure(*, cache: Path | None = None, say: Progress | Say | None = None) -> Path:
    """The program to start; the first call on a machine without a browser downloads one."""
    given = os.environ.get("LONGHORN_QA_CHROMIUM")
    if given:
        return _executable(Path(given).expanduser())
    installed = _installed(PROGRAMS)
    if installed is not None:
        return installed
    progress = as_progress(say)
    root = cache or paths.cache_root()
    start = root / f"chromium-debian-r{_RECIPE}-{architecture()}" / "start"
    if start.is_file():
        return start
    with store.locked(root, progress):
        if not start.is_file():
            _fetch(root, start.parent, progress)
    return start


def _installed(names: Iterable[str]) -> Path | None:
    found = next((path for name in names if (path := shutil.which(name))), None)
    return Path(found) if found else None


def _executable(path: Path) -> Path:
    if not os.access(path, os.X_OK):
        raise LabError(
            f"LONGHORN_QA_CHROMIUM names {path}, which is not an executable file: name a Chromium's program."
        )
    return path.absolute()


def _fetch(root: Path, target: Path, progress: Progress) -> None:
    apt.check_tools()
    with store.workspace(root) as work:
        private = apt.Apt(work / "apt")
        with progress.step("reading Debian's package lists (18 MB)"):
            private.update()
        with progress.step("downloading Chromium from Debian (100 MB)"):
            private.download_missing(_PACKAGES, work / "downloads")
        made = work / "chromium"
        with progress.step("unpacking Chromium"):
            apt.unpack(sorted((work / "downloads").glob("*.deb")), made)
        if not (made / _PROGRAM).is_file():
            raise LabError(
                f"Debian's package {_PACKAGES[0]} has no {_PROGRAM}: name a browser in LONGHORN_QA_CHROMIUM."
            )
        _write_start(made)
        if target.exists():
            shutil.rmtree(target)
        made.replace(target)


def _write_start(folder: Path) -> None:
    """A script that finds the unpacked libraries and fonts wherever the folder is."""
    fonts = folder / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>\n'
        '  <dir prefix="relative">usr/share/fonts</dir>\n  <dir>/usr/share/fonts</dir>\n'
        '  <cachedir prefix="xdg">fontconfig</cachedir>\n</fontconfig>\n',
        encoding="utf-8",
    )
    start = folder / "start"
    start.write_text(
        "#!/bin/sh\n"
        'here=$(cd "$(dirname "$0")" && pwd)\n'
        'libraries=$(find "$here/usr/lib" -name "*.so*" -exec dirname {} + | sort -u | tr "\\n" ":")\n'
        'export LD_LIBRARY_PATH="$libraries" FONTCONFIG_FILE="$here/fonts.conf"\n'
        f'exec "$here/{_PROGRAM}" "$@"\n',
        encoding="utf-8",
    )
    start.chmod(0o755)
