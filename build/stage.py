# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-test and antsibull-docs on a copy of the collection, because neither accepts a symlinked checkout.

    build/stage.py sanity [ansible-test options]
    build/stage.py docs

The copy holds what git would commit of the collection, at ``ansible_collections/longhorn/qa``, with kubernetes.core
beside it. Both are git repositories of their own: inside a folder that an outer repository ignores, the tools would
find no file and be content.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.prefix) / "bin"
STAGE = ROOT / ".state" / "stage" / "ansible_collections"
COLLECTION = STAGE / "longhorn" / "qa"

# ansible-test makes environments of its own and fetches pip for them from a fixed address. Every Python has a pip of
# its own that does as well.
GET_PIP = """\
import os
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
environment = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
subprocess.run([sys.executable, "-m", "ensurepip"], env=environment, check=True)
subprocess.run([sys.executable, "-m", "pip", "install", *wanted], env=environment, check=True)
"""


# What is not part of the collection has linters of its own, and manifests are kubectl's; recordings are what they are.
ELSEWHERE = (
    "lab",
    "build",
    "molecule",
    "constraints",
    "rbac",
    "tests/bench",
    "tests/browser",
    "tests/expected",
    "tests/faults",
    "tests/lab",
    "tests/recordings",
    "tests/unit",
)


def files() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."]
    command += [f":(exclude){folder}" for folder in ELSEWHERE]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def make_stage() -> int:
    shutil.rmtree(STAGE, ignore_errors=True)
    listed = files()
    for name in listed:
        target = COLLECTION / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    shutil.copytree(ROOT / "collections/ansible_collections/kubernetes", STAGE / "kubernetes")
    for folder in (COLLECTION, STAGE / "kubernetes" / "core"):
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return len(listed)


def home() -> Path:
    """A home folder for ansible-test, so that its environments are kept in the project's cache and nowhere else."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "longhorn-qa" / "ansible-test"
    cache = folder / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{pip_version().replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")
    for name in (".config", ".pip"):  # where the user may have told pip which index to ask
        link, real = folder / name, Path.home() / name
        if real.exists() and not link.is_symlink():
            link.symlink_to(real)
    return folder


def pip_version() -> str:
    import ansible_test

    source = Path(ansible_test.__path__[0]) / "_internal" / "python_requirements.py"
    found = re.search(r"default_packages = dict\(\s*pip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if not found:
        raise SystemExit(f"stage: this ansible-test does not say which pip it wants; looked in {source}")
    return found.group(1)


def sanity(*options: str) -> int:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [str(BIN / "ansible-test"), "sanity", "--local", "--color", "no", "--python", python, *options]
    env = {**os.environ, "HOME": str(home())}
    for name in ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        env.pop(name, None)
    return subprocess.run(command, cwd=COLLECTION, env=env, stdin=subprocess.DEVNULL, check=False).returncode


def docs(*options: str) -> int:
    command = [str(BIN / "antsibull-docs"), "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", *options, "."]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(STAGE.parent)}
    return subprocess.run(command, cwd=COLLECTION, env=env, stdin=subprocess.DEVNULL, check=False).returncode


def main() -> int:
    commands: dict[str, t.Callable[..., int]] = {"sanity": sanity, "docs": docs}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        print(f"usage: stage.py {'|'.join(commands)} [options]", file=sys.stderr)
        return 2
    (ROOT / ".state").mkdir(exist_ok=True)
    with (ROOT / ".state" / "stage.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run in this checkout waits, instead of taking the folder away
        print(f"{make_stage()} files staged", flush=True)
        return commands[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
