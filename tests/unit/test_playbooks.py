# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks say when they are not told what they need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("playbook", "said"),
    [
        pytest.param("audit", "audit_report_dir is needed", id="audit"),
        pytest.param("rejudge", "rejudge_history and rejudge_report_dir are needed", id="rejudge"),
        pytest.param("teardown", "-e best_effort_cleanup_run_id=ID", id="teardown"),
    ],
)
def test_a_missing_variable_is_named(tmp_path: Path, playbook: str, said: str) -> None:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(tmp_path),
        "ANSIBLE_REMOTE_TMP": str(tmp_path),
        "COLUMNS": "1000",
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    ended = subprocess.run(
        [program, f"longhorn.qa.{playbook}"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert said in ended.stdout + ended.stderr
