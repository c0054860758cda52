# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation testing of the judge: changes its code in small ways and counts how many changes some test notices.

    build/mutants.py                        all mutants
    build/mutants.py --sample 400 --skip 3  that many, evenly over all functions, starting with the fourth
    build/mutants.py --survivors            those that lived or are new; what was killed before counts as killed
    build/mutants.py --minutes 20           no longer than that; the next call goes on from there

mutmut makes the mutants, in a copy of this checkout's files in .state/mutants; mutants_session.py tries them. When any
of the files changes, what was found is forgotten, unless only survivors are tried. Survivors are listed with their
change; tests/mutants.md says why those that are left may live. Exit status 1: fewer than 90 % killed, or not all tried.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".state" / "mutants"
RESULTS = PLACE / "results.jsonl"
COLLECTION = Path("src", "ansible_collections", "longhorn", "qa")
UTILS = Path("plugins", "module_utils")
PACKAGES = ("_history", "_judge", "_longhorn")
TESTS = Path("tests", "unit", "plugins", "module_utils", "_judge")
SLOW = ("test_mutants.py", "test_properties.py", "test_recordings.py", "test_words.py")  # they judge recordings
DATA = (Path("tests", "expected"), Path("tests", "recordings"))
GOAL = 90.0

SETTINGS = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/*/_judge/*.py"]
use_git_change_detection = false
track_dependencies = false

[tool.pytest.ini_options]
pythonpath = ["mutants/src", "."]
"""

# What `mutmut run` does first: it has no command for that alone.
MAKE = """\
from pathlib import Path
from mutmut.__main__ import copy_src_dir, create_mutants
Path("mutants").mkdir(exist_ok=True)
copy_src_dir()
create_mutants(1)
"""


@dataclass(frozen=True)
class Mutant:
    name: str  # as mutmut has it: module, function and a number
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name, and its text: when the function changes, the number is another change."""
        text = hashlib.sha256("\n".join(self.after).encode())
        return f"{self.name} {text.hexdigest()[:12]}"

    @property
    def change(self) -> list[str]:
        lines = difflib.unified_diff(self.before, self.after, n=0, lineterm="")
        return [line for line in lines if line[:3] not in ("---", "+++", "@@ ")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    _lay_out(keep=given.survivors)
    subprocess.run([sys.executable, "-c", MAKE], cwd=PLACE, check=True, stdout=subprocess.DEVNULL)
    everyone = _mutants()
    wanted = _spread(everyone, given.sample, given.skip) if given.sample else everyone
    known = _results()
    left = [item for item in wanted if known.get(item.key) is None or (given.survivors and known[item.key] == "alive")]
    if left:
        _try(left, children=given.children, minutes=given.minutes)
    return _report(wanted, of=len(everyone))


def _lay_out(*, keep: bool) -> None:
    """The files that take part, in the shape that mutmut wants."""
    folders = [*((ROOT / UTILS / name, COLLECTION / UTILS / name) for name in PACKAGES), *((ROOT / d, d) for d in DATA)]
    files = {
        target / path.relative_to(source): path
        for source, target in folders
        for path in sorted(source.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {TESTS / path.name: path for path in sorted((ROOT / TESTS).glob("*.py")) if path.name not in SLOW}
    files[Path("tests/by_path.py")] = ROOT / "tests/by_path.py"
    origin = hashlib.sha256(SETTINGS.encode())
    for target, path in files.items():
        origin.update(f"{target} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    stamp = PLACE / "made-from"
    if stamp.exists() and stamp.read_text() == origin.hexdigest():
        return
    kept = RESULTS.read_text() if keep and RESULTS.exists() else ""
    shutil.rmtree(PLACE, ignore_errors=True)
    for target, path in files.items():
        (PLACE / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, PLACE / target)
    (PLACE / "pyproject.toml").write_text(SETTINGS)
    RESULTS.write_text(kept)
    stamp.write_text(origin.hexdigest())


def _mutants() -> list[Mutant]:
    found = []
    made = PLACE / "mutants" / COLLECTION / UTILS / "_judge"
    for index in sorted(made.rglob("*.spans")):
        path = index.with_suffix("")
        module = ".".join(path.relative_to(PLACE / "mutants" / "src").with_suffix("").parts)
        lines = path.read_text().splitlines()
        spans = json.loads(index.read_text())["spans"]
        text = {
            name: tuple(line.replace(name, "f") for line in lines[first - 1 : last])
            for name, (first, last) in spans.items()
        }
        found += [
            Mutant(f"{module}.{name}", text[name.rpartition("__mutmut_")[0] + "__mutmut_orig"], text[name])
            for name in spans
            if not name.endswith("__mutmut_orig")
        ]
    return found


def _spread(mutants: list[Mutant], wanted: int, skip: int) -> list[Mutant]:
    step = max(1.0, len(mutants) / wanted)
    places = sorted({(int(place * step) + skip) % len(mutants) for place in range(min(wanted, len(mutants)))})
    return [mutants[place] for place in places]


def _results() -> dict[str, str]:
    """What became of each mutant that was tried: killed, stopped (it ran too long), alive, or no test runs it."""
    found = {}
    for line in RESULTS.read_text().splitlines():
        result = json.loads(line)
        found[result["mutant"]] = result["result"]
    return found


def _try(mutants: list[Mutant], *, children: int, minutes: float) -> None:
    (PLACE / "to-try.json").write_text(json.dumps([[item.name, item.key] for item in mutants]))
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    env |= {"PYTHONPATH": str(ROOT / "build"), "MUTANTS_CHILDREN": str(children), "MUTANTS_MINUTES": str(minutes)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mutants_session", "-p", "no:cacheprovider"]
    command += ["--import-mode=importlib", "--assert=plain", "--tb=native", str(TESTS)]
    before = time.monotonic()
    subprocess.run(command, cwd=PLACE, env=env, check=True)
    took = time.monotonic() - before
    print(f"{len(mutants)} mutants in {took:.0f} s with {children} processes")


def _report(mutants: list[Mutant], *, of: int) -> int:
    results = _results()
    for item in mutants:
        result = results.get(item.key)
        if result not in (None, "killed"):
            print(f"--- {result}: {item.name}")
            print("\n".join(item.change))
    count = collections.Counter(results[item.key] for item in mutants if item.key in results)
    tried = sum(count.values())
    score = 100 * (count["killed"] + count["stopped"]) / max(1, tried)
    counted = ", ".join(f"{number} {what}" for what, number in sorted(count.items()))
    print(f"{of} mutants, {tried} tried: {counted}; score {score:.1f} % (goal {GOAL} %)")
    if tried < len(mutants):
        print(f"{len(mutants) - tried} are not tried yet, so this is not the score yet")
    return 0 if score >= GOAL and tried == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
