# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the pure packages' tests in an interpreter that has no Ansible and no Kubernetes client, only a test runner.

What passes here cannot depend on anything but the standard library.
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
RUNNER = ("pytest", "hypothesis")
FOREIGN = ("ansible", "kubernetes", "requests", "boto3", "yaml")


def run(*command: str, **env: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return subprocess.run(
        command, cwd=ROOT, env={**environment, **env}, stdin=subprocess.DEVNULL, check=False
    ).returncode


def main() -> int:
    python = str(BARE / "bin" / "python")
    base = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001 - the interpreter that .venv was made from
    constraints = str(ROOT / "constraints" / "python.txt")
    if run(UV, "venv", "--quiet", "--clear", "--python", base, str(BARE)):
        return 1
    if run(UV, "pip", "install", "--quiet", "--python", python, "--constraint", constraints, *RUNNER):
        return 1
    probe = f"import importlib.util as u, sys; sys.exit([n for n in {FOREIGN!r} if u.find_spec(n)] or 0)"
    if run(python, "-c", probe):
        print("bare: this interpreter is not bare, see the names above")
        return 1
    folders = [f"tests/unit/plugins/module_utils/{name}" for name in PURE]
    return run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sys.argv[1:], *folders)


if __name__ == "__main__":
    sys.exit(main())
