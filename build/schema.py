# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the JSON Schema of report.json to docs/report.schema.json, from the module that checks reports with it.

build/schema.py            write it
build/schema.py --check    whether the file is current
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "report.schema.json"

sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.longhorn.qa.plugins.module_utils._report.schema import SCHEMA  # noqa: E402


def main() -> int:
    text = json.dumps(SCHEMA, indent=2) + "\n"
    if sys.argv[1:] == ["--check"]:
        current = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        print("current" if current else "docs/report.schema.json is not current: run build/schema.py")
        return int(not current)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
