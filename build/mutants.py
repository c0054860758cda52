# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation testing of the judge: changes its code in small ways and counts how many changes some test notices.

    build/mutants.py                        all mutants
    build/mutants.py --sample 400 --skip 3  that many, evenly over all functions, starting with the fourth
    build/mutants.py --survivors            those that lived or are new; what was killed before counts as killed
    build/mutants.py --minutes 20           no longer than that; the next call with the same options goes on from there

mutmut wants a project of its own shape, so one is made in .state/mutants from the files of this checkout. When any of
them changes, what was found is forgotten, unless only survivors are tried. Survivors are listed with their change;
tests/mutants.md says why those that are left may live. Exit status 1: fewer than 90 % killed, or not all tried.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".state" / "mutants"
COLLECTION = Path("src", "ansible_collections", "longhorn", "qa")
UTILS = Path("plugins", "module_utils")
JUDGE = COLLECTION / UTILS / "_judge"
PACKAGES = ("_history", "_judge", "_longhorn")
TESTS = Path("tests", "unit", "plugins", "module_utils", "_judge")
SLOW = (
    "test_properties.py",
    "test_recordings.py",
    "test_words.py",
    "test_mutants.py",
)  # they look for what nobody thought of, not for what is known
DATA = (Path("tests", "expected"), Path("tests", "recordings"))
GOAL = 90.0

# mutmut's exit codes of a mutant's test run.
KILLED, TIMED_OUT, SURVIVED = (1, 3), (36, 24, -24, 152, 255), (0, 5, 33)

SETTINGS = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/*/_judge/*.py"]
also_copy = ["tests"]
pytest_add_cli_args_test_selection = [{selection}]
pytest_add_cli_args = ["-p", "no:cacheprovider", "--import-mode=importlib", "--assert=plain", "--tb=no", "-x"]
use_git_change_detection = false
track_dependencies = false
timeout_constant = 2.0
timeout_multiplier = 20.0

[tool.pytest.ini_options]
pythonpath = ["src"]
"""


# What `mutmut run` does first: it has no command for that alone. Unchanged functions keep what was found about them.
MAKE = """\
from pathlib import Path
from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants
Path("mutants").mkdir(exist_ok=True)
copy_src_dir()
copy_also_copy_files()
create_mutants(1)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    _lay_out(keep=given.survivors)
    subprocess.run([sys.executable, "-c", MAKE], cwd=PLACE, check=True, stdout=subprocess.DEVNULL)
    wanted = _spread(list(_results()), given.sample, given.skip) if given.sample else list(_results())
    if given.survivors:
        _forget(wanted)
    left = [name for name in wanted if _results()[name] is None]
    before = time.monotonic()
    if left:
        _run(left if given.sample else [], given.children, minutes=given.minutes)
    took = time.monotonic() - before
    print(f"{len(left)} mutants in {took:.0f} s, {took / max(1, len(left)):.2f} s each with {given.children} processes")
    return _report(wanted)


def _lay_out(*, keep: bool) -> None:
    """The files that take part, where mutmut looks for them."""
    tests = sorted(path.name for path in (ROOT / TESTS).glob("test_*.py") if path.name not in SLOW)
    folders = [*((ROOT / UTILS / name, COLLECTION / UTILS / name) for name in PACKAGES), *((ROOT / d, d) for d in DATA)]
    files = {
        target / path.relative_to(source): path
        for source, target in folders
        for path in sorted(source.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {TESTS / name: ROOT / TESTS / name for name in ("conftest.py", *tests)}
    selection = ", ".join(json.dumps(str(TESTS / name)) for name in tests)
    settings = SETTINGS.format(selection=selection)
    origin = hashlib.sha256(settings.encode())
    for target, path in files.items():
        origin.update(f"{target} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    stamp = PLACE / "made-from"
    if stamp.exists() and stamp.read_text() == origin.hexdigest():
        return
    if PLACE.exists() and not keep:
        shutil.rmtree(PLACE)
    for target, path in files.items():
        (PLACE / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, PLACE / target)
    (PLACE / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)  # which test runs what
    (PLACE / "pyproject.toml").write_text(settings)
    stamp.write_text(origin.hexdigest())


def _run(names: list[str], children: int, *, minutes: float) -> None:
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(children), *names]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with (PLACE / "output").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=PLACE, env=env, start_new_session=True, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        try:
            if process.wait(timeout=minutes * 60):
                output.seek(0)
                print(output.read()[-2000:], file=sys.stderr)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            print("mutants: the time is over; the next call goes on from here")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _forget(names: list[str]) -> None:
    """That these survived."""
    for path in sorted((PLACE / "mutants" / JUDGE).rglob("*.meta")):
        meta = json.loads(path.read_text())
        codes = meta["exit_code_by_key"]
        codes |= {name: None for name in names if codes.get(name) in SURVIVED}
        path.write_text(json.dumps(meta))


def _results() -> dict[str, int | None]:
    """Each mutant's exit code, None when it was not tried."""
    found: dict[str, int | None] = {}
    for path in sorted((PLACE / "mutants" / JUDGE).rglob("*.meta")):
        found.update(json.loads(path.read_text())["exit_code_by_key"])
    return found


def _spread(names: list[str], wanted: int, skip: int) -> list[str]:
    step = max(1.0, len(names) / wanted)
    return sorted({names[(int(place * step) + skip) % len(names)] for place in range(min(wanted, len(names)))})


def _report(names: list[str]) -> int:
    results = _results()
    tried = {name: code for name in names if (code := results[name]) is not None}
    alive = [name for name, code in tried.items() if code in SURVIVED]
    slow = [name for name, code in tried.items() if code in TIMED_OUT]
    killed = [name for name, code in tried.items() if code in KILLED]
    for name in sorted(tried.keys() - {*alive, *slow, *killed}):
        print(f"not judged: {name} (exit code {tried[name]})")
    for name in slow:
        print(f"stopped, for it ran too long: {name}")
    for name in alive:
        print(f"--- {name}" + ("" if tried[name] == 0 else ": no test runs it"))
        print("\n".join(_diff(name)))
    missing = len(names) - len(tried)
    score = 100 * (len(killed) + len(slow)) / max(1, len(killed) + len(slow) + len(alive))
    counted = f"{len(killed)} killed, {len(slow)} stopped, {len(alive)} alive"
    print(f"{len(results)} mutants, {len(tried)} tried, {counted}: {score:.1f} % (goal {GOAL} %)")
    if missing:
        print(f"{missing} were not tried, and those with the slowest tests are tried last: this is not the score yet")
    return 0 if score >= GOAL and not missing else 1


def _diff(name: str) -> list[str]:
    module, _dot, mutant = name.rpartition(".")
    path = (PLACE / "mutants" / "src").joinpath(*module.split(".")).with_suffix(".py")
    spans, lines = json.loads(path.with_suffix(".py.spans").read_text())["spans"], path.read_text().splitlines()
    original = mutant.rpartition("__mutmut_")[0] + "__mutmut_orig"
    before, after = (
        [line.replace(function, "f") for line in lines[spans[function][0] - 1 : spans[function][1]]]
        for function in (original, mutant)
    )
    changes = difflib.unified_diff(before, after, n=0, lineterm="")
    return [line for line in changes if line[:3] not in ("---", "+++", "@@ ")]


if __name__ == "__main__":
    sys.exit(main())
