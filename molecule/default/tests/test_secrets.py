# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's credentials are nowhere but where they were put: not in what was recorded, reported, shown or started."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
RUN = FOLDER / "run"


def forms(value: str) -> list[bytes]:
    """A text as it is, and as it looks in a Secret, wherever it begins there."""
    return [value.encode(), *(base64.b64encode(b"x" * shift + value.encode())[4:-4] for shift in range(3))]


@pytest.fixture(scope="module", name="hidden")
def _hidden() -> list[bytes]:
    credentials = json.loads((FOLDER / "secret" / "credentials.json").read_text())
    token = Path(os.environ["RUN_KUBECONFIG"]).read_text().partition("token: ")[2].split()[0]
    assert len(token) > 100
    return [form for value in (*credentials.values(), token) for form in forms(value)]


@pytest.mark.parametrize(
    ("place", "least"),
    [
        pytest.param("history/history.jsonl", 20, id="history"),
        pytest.param("report/report.json", 20, id="report"),
        pytest.param("output.txt", 500, id="output at -vvvv"),
        pytest.param("arguments.txt", 20, id="arguments of processes"),
    ],
)
def test_there_is_something_to_look_at(place: str, least: int) -> None:
    assert (RUN / place).read_bytes().count(b"\n") >= least


def test_the_run_was_seen_while_it_worked() -> None:
    seen = (RUN / "arguments.txt").read_text(errors="replace")
    assert "longhorn.qa.best_effort_cleanup" in seen
    assert "AnsiballZ_job_record" in seen


def test_no_file_of_the_run_has_a_secret(hidden: list[bytes]) -> None:
    files = [path for path in RUN.rglob("*") if path.is_file()]
    assert len(files) > 10
    found = [str(path.relative_to(RUN)) for path in files for form in hidden if form in path.read_bytes()]
    assert found == []
