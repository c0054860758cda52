# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a script writes are what the script would write now."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script", ["assets.py", "schema.py"])
def test_generated_files_are_current(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "build" / script), "--check"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "current")


def test_published_schema_is_a_schema() -> None:
    published = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    assert published["$id"] == "longhorn.qa/report/1"


def test_pinned_packages_have_checksums_and_no_address() -> None:
    text = (ROOT / "build" / "report" / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []
    assert not re.search(r"https?://", text)
