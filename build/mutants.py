# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation testing of the judge: changes its code in small ways and counts how many changes some test notices.

    build/mutants.py                        all mutants that were not tried yet, at most MINUTES long
    build/mutants.py --minutes 20           no longer than that; the next call goes on where this one stopped
    build/mutants.py --sample 300           that many, chosen evenly over all functions
    build/mutants.py --anew                 forget what earlier calls found

mutmut wants a project of its own shape, so one is made in .state/mutants from the files of this checkout. Survivors are
listed with their change; tests/mutants.md says of each kind why it may live. Exit status 1: fewer than 90 % killed.
_judge/stored.py is left out: it is tested through the module that audits a cluster, which needs more than is here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".state" / "mutants"
COLLECTION = Path("src", "ansible_collections", "longhorn", "qa")
UTILS = Path("plugins", "module_utils")
PACKAGES = ("_history", "_judge", "_longhorn")
TESTS = Path("tests", "unit", "plugins", "module_utils", "_judge")
FAST = ("test_mutants.py", "test_words.py", "test_verdict.py")
DATA = (Path("tests", "expected"), Path("tests", "recordings"))
GOAL = 90.0
MINUTES = 120.0

# mutmut's exit codes of a mutant's test run.
KILLED, SURVIVED, NOT_COVERED = (1, 3, 36, 24, -24, 152, 255), 0, (5, 33)

SETTINGS = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/*/_judge/*.py"]
do_not_mutate = ["*/stored.py"]
also_copy = ["tests"]
pytest_add_cli_args_test_selection = [{selection}]
pytest_add_cli_args = ["-p", "no:cacheprovider", "--import-mode=importlib", "--assert=plain", "--tb=no", "-x"]
mutate_only_covered_lines = false
use_git_change_detection = false
track_dependencies = false
do_not_mutate_patterns = ["raise NotImplementedError"]
timeout_constant = 10.0

[tool.pytest.ini_options]
pythonpath = ["src"]
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--anew", action="store_true")
    given = parser.parse_args()
    if given.anew and PLACE.exists():
        shutil.rmtree(PLACE)
    _lay_out()
    names: list[str] = []
    if given.sample:
        _run(["no-such-mutant"], given.children, minutes=given.minutes)  # makes the mutants and finds who tests what
        names = _spread([name for name, code in _results().items() if code is None], given.sample)
    _run(names, given.children, minutes=given.minutes)
    return _report()


def _lay_out() -> None:
    """The files that take part, where mutmut looks for them; unchanged files keep what was found about them."""
    for package in PACKAGES:
        _copy(ROOT / UTILS / package, PLACE / COLLECTION / UTILS / package)
    for folder in DATA:
        _copy(ROOT / folder, PLACE / folder)
    tests = [name for name in FAST if (ROOT / TESTS / name).exists()]
    for name in ("conftest.py", *tests):
        (PLACE / TESTS).mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / TESTS / name, PLACE / TESTS / name)
    selection = ", ".join(json.dumps(str(TESTS / name)) for name in tests)
    (PLACE / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)  # which test runs what: tests may have changed
    (PLACE / "pyproject.toml").write_text(SETTINGS.format(selection=selection))


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def _run(names: list[str], children: int, *, minutes: float) -> None:
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(children), *names]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.Popen(
        command, cwd=PLACE, env=env, start_new_session=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        process.wait(timeout=minutes * 60)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        print("mutants: the time is over; the next call goes on from here")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _results() -> dict[str, int | None]:
    """Each mutant's exit code, None when it was not tried."""
    found: dict[str, int | None] = {}
    for path in sorted((PLACE / "mutants" / COLLECTION / UTILS / "_judge").rglob("*.meta")):
        found.update(json.loads(path.read_text())["exit_code_by_key"])
    return found


def _spread(names: list[str], wanted: int) -> list[str]:
    step = max(1.0, len(names) / wanted)
    return [names[int(place * step)] for place in range(min(wanted, len(names)))]


def _report() -> int:
    results = _results()
    tried = {name: code for name, code in results.items() if code is not None}
    alive = sorted(name for name, code in tried.items() if code == SURVIVED or code in NOT_COVERED)
    strange = sorted(
        f"{name} ({code})" for name, code in tried.items() if code not in (*KILLED, SURVIVED, *NOT_COVERED)
    )
    for name in alive:
        shown = subprocess.run(
            [str(Path(sys.executable).with_name("mutmut")), "show", name],
            cwd=PLACE, capture_output=True, text=True, check=False,
        )  # fmt: skip
        print(f"--- {name}")
        print(
            "\n".join(line for line in shown.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("---", "+++"))
        )
    for text in strange:
        print(f"not judged: {text}")
    killed = len(tried) - len(alive) - len(strange)
    score = 100 * killed / max(1, len(tried) - len(strange))
    counted = f"{len(results)} mutants, {len(tried)} tried, {killed} killed, {len(alive)} alive"
    print(f"{counted}: {score:.1f} % (goal {GOAL} %)")
    return 0 if tried and score >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
