# SPDX-License-Identifier: GPL-3.0-or-later
"""The wrapper around job_record only shows; and it refuses to work where it could not."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from ansible_collections.longhorn.qa.plugins.action import job_record
from ansible_collections.longhorn.qa.plugins.module_utils._cluster import history_dir
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

CELL = model.Cell(volume="v", task="snapshot", job="c-1", cronjob="v-c", cron="* * * * *")
SUBJECTS = model.Subjects(release="2020-06", cells=(CELL,))


BASE = Path("/playbooks")


def action(folder: Path | str, *, connection: str = "local", check_mode: bool = False) -> t.Any:
    task = SimpleNamespace(
        args={"history": str(folder), "invocations": 1}, check_mode=check_mode, async_val=0, environment=None,
        action="longhorn.qa.job_record", diff=False,
    )  # fmt: skip
    loader = SimpleNamespace(get_basedir=lambda: str(BASE))
    return job_record.ActionModule(
        task=task, connection=SimpleNamespace(transport=connection), play_context=mock.Mock(), loader=loader,
        templar=mock.Mock(), shared_loader_obj=mock.Mock(),
    )  # fmt: skip


def run(made: t.Any, module: t.Callable[[], dict[str, t.Any]]) -> tuple[dict[str, t.Any], list[str]]:
    shown = mock.Mock()
    with (
        mock.patch.object(job_record.ActionBase, "run", return_value={}),
        mock.patch.object(job_record, "Display", return_value=shown),
        mock.patch.object(made, "_execute_module", side_effect=lambda **_options: module()),
    ):
        result = made.run(task_vars={})
    return result, [call.args[0] for call in shown.display.call_args_list]


def record(folder: Path) -> dict[str, t.Any]:
    with history_dir.open_for_writing(folder, SUBJECTS) as writer:
        writer.note("something happened")
        writer.end("invocations")
    return {"changed": True, "ended": "invocations"}


def test_the_result_is_the_modules_and_lines_are_shown(tmp_path: Path) -> None:
    result, shown = run(action(tmp_path / "h"), lambda: record(tmp_path / "h"))
    assert result == {"changed": True, "ended": "invocations"}
    assert [line.split(" ", 3)[3] for line in shown] == [
        "recording 1 cell, 1 invocation each", "something happened", "the recording ended: invocations",
    ]  # fmt: skip


def test_a_continued_history_shows_only_what_is_new(tmp_path: Path) -> None:
    record(tmp_path / "h")
    _unused, shown = run(action(tmp_path / "h"), lambda: record(tmp_path / "h"))
    assert len(shown) == 3


@pytest.mark.parametrize("connection", [pytest.param("ssh", id="ssh"), pytest.param("kubectl", id="kubectl")])
def test_other_connections_are_refused_before_the_module_runs(tmp_path: Path, connection: str) -> None:
    ran: list[str] = []
    result, _unused = run(action(tmp_path / "h", connection=connection), lambda: ran.append("module") or {})
    assert result["failed"] is True
    assert f"seen connection {connection}" in result["msg"]
    assert "delegate_to: localhost" in result["msg"]
    assert ran == []


def test_a_relative_folder_is_the_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "BASE", tmp_path)
    _unused, shown = run(action("h"), lambda: record(tmp_path / "h"))
    assert len(shown) == 3


def test_check_mode_shows_nothing(tmp_path: Path) -> None:
    result, shown = run(action(tmp_path / "h", check_mode=True), lambda: {"skipped": True})
    assert (result, shown) == ({"skipped": True}, [])


def test_a_module_that_fails_is_told_as_it_is(tmp_path: Path) -> None:
    result, shown = run(action(tmp_path / "h"), lambda: {"failed": True, "msg": "no"})
    assert (result, shown) == ({"failed": True, "msg": "no"}, [])
