# SPDX-License-Identifier: GPL-3.0-or-later
"""job_import from files to a history, with bad input told before anything is written."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from tests.unit.plugins.module_utils._module.recorded import import_params

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Conflict
from ansible_collections.longhorn.qa.plugins.module_utils._module import job_import


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = tmp_path_factory.mktemp("imported") / "history"
    job_import.run(import_params(history))
    return history


def test_import_tells_what_it_found(tmp_path: Path) -> None:
    result = job_import.run(import_params(tmp_path / "h"))
    assert result["cells"] == ["test-nc-back-defeng", "test-ncb-back-defeng"]
    assert result["changed"]
    assert result["release"] == "v1.0.1"
    assert sum("holds only the error" in warning for warning in result["import_warnings"]) == 2
    lines = (tmp_path / "h" / "history.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["origin"] == "dump"
    assert json.loads(lines[-1])["record"] == "end"


def test_check_mode_writes_no_history(tmp_path: Path) -> None:
    assert job_import.run(import_params(tmp_path / "h"), check_mode=True)["changed"]
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"dump": "/nowhere/at/all"}, BadInput, "no such folder"),
        ({"longhorn_release": "v0.8.1"}, BadInput, "v1.12.1"),
        ({"expect": [{"volume": "v"}]}, BadInput, "expect, entry 1: not a cell"),
        ({"expect": [{"volume": "v", "task": "dance", "job": "j", "cronjob": "c"}]}, BadInput, "task"),
        (
            {"expect": [{"volume": "v", "task": "backup", "job": "j", "cronjob": "c", "x": 1}]},
            BadInput,
            "unknown field",
        ),
    ],
    ids=["no dump", "unknown release", "cell without fields", "unknown task", "unknown field"],
)
def test_bad_input_is_told_and_nothing_is_written(
    changed: dict[str, t.Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        job_import.run(import_params(tmp_path / "h", **changed))
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize("content", [None, b"{broken", b"{}", b"\xff\xfe"], ids=["empty", "broken", "foreign", "bytes"])
def test_dump_without_any_object_is_refused(content: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "dump").mkdir()
    if content is not None:
        (tmp_path / "dump" / "jobs.json").write_bytes(content)
    with pytest.raises(BadInput, match="Kubernetes object"):
        job_import.run(import_params(tmp_path / "h", dump=str(tmp_path / "dump")))


@pytest.mark.parametrize("check_mode", [False, True], ids=["for real", "check mode"])
def test_existing_history_is_never_written_over(imported: Path, *, check_mode: bool) -> None:
    before = (imported / "history.jsonl").read_bytes()
    with pytest.raises(Conflict, match="there is a history already"):
        job_import.run(import_params(imported), check_mode=check_mode)
    assert (imported / "history.jsonl").read_bytes() == before
