# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a recording on the terminal while the module of the same name makes it. It only shows.

A module cannot print, but what job_record does is in its history at once; so this reads the file as it grows. That
works only where the module runs on this very host, hence other connections are refused.
"""

from __future__ import annotations

import os
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.longhorn.qa.plugins.module_utils._history import records
from ansible_collections.longhorn.qa.plugins.module_utils._module import narrator
from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks

_LOOK = 0.4
_FINAL = 1.0


class ActionModule(ActionBase):
    """Runs the module, and beside it a thread that reads the history."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The module's result, unchanged."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        if self._connection.transport != "local":
            told = "records on the control node only, so that the history stays with the one who judges it"
            advice = "Set connection: local (or delegate_to: localhost) for the task or the play."
            return {
                **result,
                "failed": True,
                "msg": f"job_record {told}; seen connection {self._connection.transport}. {advice}",
            }
        # Relative to where the module runs: with the local connection, the playbook's folder.
        folder = (
            Path(self._loader.get_basedir())
            / Path(os.path.expandvars(str(self._task.args.get("history") or ""))).expanduser()
        )
        with _shown(folder, dict(self._task.args), Display(), quiet=bool(self._task.check_mode)):
            return {**result, **self._execute_module(task_vars=task_vars)}


@contextmanager
def _shown(folder: Path, arguments: dict[str, t.Any], display: Display, *, quiet: bool) -> Iterator[None]:
    """What comes into the history meanwhile is shown; nothing that goes wrong here may hurt the recording."""
    if quiet or not arguments.get("history"):
        yield
        return
    ended = threading.Event()
    path = folder / "history.jsonl"
    known = path.stat().st_size if path.is_file() else 0  # of an earlier recording, which was shown then
    thread = threading.Thread(
        target=_follow, args=(path, known, _teller(folder, arguments), display, ended), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_FINAL)


def _follow(path: Path, position: int, teller: narrator.Narrator, display: Display, ended: threading.Event) -> None:
    rest = b""
    while True:
        last = ended.is_set()
        with suppress(OSError, ValueError):
            with path.open("rb") as file:
                file.seek(position)
                rest += file.read()
                position = file.tell()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                _show(teller, line, display)
        if last:
            return
        ended.wait(_LOOK)


def _teller(folder: Path, arguments: dict[str, t.Any]) -> narrator.Narrator:
    return narrator.Narrator(wanted=narrator.invocations_of(arguments), read_log=_reader(folder), ticks=ticks)


def _show(teller: narrator.Narrator, line: bytes, display: Display) -> None:
    with suppress(records.RecordError):
        record = records.decode(line)
        for told in teller.lines(record):
            display.display(f"  {record.at:%H:%M:%S} {told}")


def _reader(folder: Path) -> t.Callable[[str, int], bytes]:
    def read(path: str, size: int) -> bytes:
        try:
            with (folder / path).open("rb") as file:
                return file.read(size)
        except OSError:
            return b""

    return read
