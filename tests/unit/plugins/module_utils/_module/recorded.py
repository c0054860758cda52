# SPDX-License-Identifier: GPL-3.0-or-later
"""The recording that job_import and job_report are tried with."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

TESTS = Path(__file__).parents[4]
DEFENG = TESTS / "recordings" / "v1.0.1-defeng"
EXPECTED: dict[str, t.Any] = yaml.safe_load((TESTS / "expected" / "recordings.yml").read_text())["recordings"][
    "v1.0.1-defeng"
]
_NAMES = ("volume", "task", "job", "cronjob", "cron", "retain", "engine_image", "faults")


def import_params(history: Path, **changed: t.Any) -> dict[str, t.Any]:
    """What job_import is asked, with some of it changed."""
    return {
        "dump": str(DEFENG),
        "history": str(history),
        "namespace": "longhorn-system",
        "longhorn_release": "v1.0.1",
        "expect": [{name: cell[name] for name in _NAMES} for cell in EXPECTED["cells"]],
        "default_engine_faults": EXPECTED["default_engine_faults"],
        **changed,
    }
