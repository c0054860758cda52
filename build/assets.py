# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what the HTML report is made of into Python modules, because data files do not travel with a module.

build/assets.py            everything, with npm for the packages pinned in build/report/package-lock.json
build/assets.py --own      only this project's own template, style and program
build/assets.py --check    whether the modules hold what build/report has; needs no npm
"""

from __future__ import annotations

import argparse
import base64
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "build" / "report"
TARGET = ROOT / "plugins" / "module_utils" / "_report"
LICENCES = ROOT / "LICENSES" / "d3.txt"
AXE = ROOT / "tests" / "browser" / "vendor"

# In the order in which they need each other.
LIBRARIES = (
    "d3-array", "d3-color", "d3-format", "d3-interpolate", "d3-time", "d3-time-format", "d3-scale", "d3-selection",
    "d3-dispatch", "d3-timer", "d3-ease", "d3-transition", "d3-drag", "d3-zoom", "d3-axis",
)  # fmt: skip
OWN = {"TEMPLATE": "report.html", "STYLE": "report.css", "PROGRAM": "report.js"}


def own() -> dict[str, str]:
    return {name: (SOURCE / file).read_text(encoding="utf-8") for name, file in OWN.items()}


def module(title: str, texts: Mapping[str, str]) -> str:
    """A Python module with the texts, compressed; made by this script only."""
    lines = [
        "# SPDX-License-Identifier: GPL-3.0-or-later",
        f'"""{title} Written by build/assets.py; not to be edited."""',
        "",
        "from __future__ import annotations",
        "",
        "import base64",
        "import zlib",
        "",
        "",
        "def _text(packed: str) -> str:",
        '    return zlib.decompress(base64.b64decode(packed)).decode("utf-8")',
        "",
    ]
    for name, text in texts.items():
        packed = base64.b64encode(zlib.compress(text.encode("utf-8"), 9)).decode("ascii")
        lines += ["", f"{name} = _text("]
        lines += [f'    "{packed[start : start + 100]}"' for start in range(0, len(packed), 100)]
        lines += [")"]
    return "\n".join(lines) + "\n"


def library(folder: Path) -> tuple[str, str]:
    """The packages' programs one after the other, and their licences."""
    programs, licences = [], []
    for name in LIBRARIES:
        package = folder / "node_modules" / name
        programs.append((package / "dist" / f"{name}.min.js").read_text(encoding="utf-8").strip())
        licences.append(f"{name}\n\n{(package / 'LICENSE').read_text(encoding='utf-8').strip()}\n")
    text = "\n\n".join(licences)
    return "/*!\n" + text.replace("*/", "* /") + "*/\n" + ";\n".join(programs) + ";\n", text


def install() -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, folder / name)
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True, stdout=sys.stderr
        )
        AXE.mkdir(parents=True, exist_ok=True)
        for name in ("axe.min.js", "LICENSE"):
            shutil.copy(folder / "node_modules" / "axe-core" / name, AXE / name)
        return library(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    mine = module("The HTML report's template, style and program.", own())
    if args.check:
        current = (TARGET / "assets.py").read_text(encoding="utf-8") == mine
        print(
            "current" if current else "plugins/module_utils/_report/assets.py is not current: run build/assets.py --own"
        )
        return int(not current)
    (TARGET / "assets.py").write_text(mine, encoding="utf-8")
    if not args.own:
        program, licences = install()
        title = "The HTML report's drawing library, D3 (ISC licence)."
        (TARGET / "assets_d3.py").write_text(module(title, {"LIBRARY": program}), encoding="utf-8")
        LICENCES.parent.mkdir(exist_ok=True)
        LICENCES.write_text(licences, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
