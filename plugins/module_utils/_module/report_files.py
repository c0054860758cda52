# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a report's files: each whole or not at all, in its own folder and nowhere else."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, LonghornQAError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def check_folder(folder: Path) -> None:
    """A report's folder is where its name says it is."""
    if ".." in folder.parts:
        raise BadInput(
            "leads out of its folder", subject=f"report_dir {folder}", expected="a path without ..",
            advice="Name the folder directly.",
        )  # fmt: skip
    if folder.is_symlink():
        raise BadInput(
            "is a symbolic link", subject=f"report_dir {folder}", expected="a folder",
            seen=f"a link to {folder.readlink()}", advice="Name the folder that the link points to.",
        )  # fmt: skip


def read(folder: Path, name: str) -> str | None:
    """What is there; None when there is nothing, or nothing that can be read as text."""
    path = folder / name
    try:
        return None if path.is_symlink() else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Makes the folder if need be. A file that is a link, or no file at all, is refused before anything is written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _opened(folder) as handle:
            for name in files:
                _refuse_special(handle, folder, name)
            for name, text in files.items():
                _replace(handle, name, text.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise LonghornQAError(
            "the report cannot be written",
            subject=str(folder),
            seen=error.strerror or str(error),
            advice="Check free space and permissions.",
        ) from error


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The folder itself: whoever exchanges its name meanwhile changes nothing."""
    handle = os.open(folder, _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


def _refuse_special(handle: int, folder: Path, name: str) -> None:
    try:
        mode = os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
        raise BadInput(
            f"is {what}", subject=str(folder / name), expected="a file, or nothing",
            advice="Remove it, or choose another report_dir.",
        )  # fmt: skip


def _replace(folder: int, name: str, content: bytes) -> None:
    """A reader never sees half a report, whenever this is stopped."""
    temporary = f".{name}.{secrets.token_hex(6)}"
    handle = os.open(temporary, _NEW, 0o644, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
