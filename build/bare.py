# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports the pure packages in an interpreter that has nothing, then runs their tests with nothing but test tools.

What passes here depends on the standard library alone: no Ansible, no Kubernetes client.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BARE = ROOT / ".state" / "bare"
UV = str(Path(sys.prefix) / "bin" / "uv")
PURE = ("_history", "_judge", "_longhorn", "_report")
TEST_TOOLS = ("hypothesis", "pytest", "pyyaml")  # YAML is what the tables of expected verdicts are written in
FOREIGN = ("ansible", "boto3", "croniter", "kubernetes", "requests")
UTILS = "ansible_collections.longhorn.qa.plugins.module_utils"


def run(*command: str, **env: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return subprocess.run(
        command, cwd=ROOT, env={**environment, **env}, stdin=subprocess.DEVNULL, check=False
    ).returncode


def pure_modules() -> list[str]:
    folder = ROOT / "plugins" / "module_utils"
    files = [path for name in PURE for path in (folder / name).rglob("*.py")]
    return sorted(".".join((UTILS, *path.relative_to(folder).with_suffix("").parts)) for path in files)


def main() -> int:
    python = str(BARE / "bin" / "python")
    base = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001 - the interpreter that .venv was made from
    constraints = str(ROOT / "constraints" / "python.txt")
    if run(UV, "venv", "--quiet", "--clear", "--python", base, str(BARE)):
        return 1
    imports = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    if run(python, "-c", imports, *pure_modules(), PYTHONPATH="collections"):
        print("bare: a pure package needs more than the standard library, see above")
        return 1
    if run(UV, "pip", "install", "--quiet", "--python", python, "--constraint", constraints, *TEST_TOOLS):
        return 1
    probe = f"import importlib.util as u, sys; sys.exit([n for n in {FOREIGN!r} if u.find_spec(n)] or 0)"
    if run(python, "-c", probe):
        print("bare: this interpreter is not bare, see the names above")
        return 1
    folders = [f"tests/unit/plugins/module_utils/{name}" for name in PURE]
    return run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sys.argv[1:], *folders)


if __name__ == "__main__":
    sys.exit(main())
