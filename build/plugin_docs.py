# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks ansible-doc for every plugin, role entry point and playbook-adjacent thing that has documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANSIBLE_DOC = str(Path(sys.prefix) / "bin" / "ansible-doc")
NAMESPACE = "longhorn.qa"
KINDS = {"module": "modules", "filter": "filter"}


def expected(kind: str) -> set[str]:
    if kind == "role":
        return {path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")}
    folder = ROOT / "plugins" / KINDS[kind]
    names = {path.stem for suffix in ("*.py", "*.yml") for path in folder.glob(suffix)}
    return {name for name in names if not name.startswith("_")}


def ask(kind: str, names: list[str]) -> str:
    command = [ANSIBLE_DOC, "--type", kind, "--json", *names]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode or "[WARNING]" in done.stderr or "[ERROR]" in done.stderr:
        return f"ansible-doc --type {kind}: {done.stderr.strip()}"
    missing = [name for name in names if not json.loads(done.stdout).get(name)]
    return f"ansible-doc --type {kind} says nothing about {', '.join(missing)}" if missing else ""


def main() -> int:
    problems = []
    for kind in (*KINDS, "role"):
        names = [f"{NAMESPACE}.{name}" for name in sorted(expected(kind))]
        if not names:
            problems.append(f"no {kind} was found")
            continue
        problem = ask(kind, names)
        print(problem or f"{kind}: {', '.join(names)}")
        problems += [problem] if problem else []
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
