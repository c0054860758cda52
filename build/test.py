# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the project's checks: one line per step, the output only of a step that failed, the sum at the end.

    build/test.py                 everything
    build/test.py --group lint    one group
    build/test.py --step mypy     one step
    build/test.py --list          what there is

The last line is always ``N passed, N failed``: pytest's cases are counted one by one, every other step counts as one.
Steps that wait for a lab run beside those that need the processor: see ``LANES``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
OUTPUT = ROOT / "tests" / "output"
PYTHON = str(BIN / "python")
CODE = ("plugins", "roles", "lab", "tests", "build", "molecule")


@dataclass(frozen=True)
class Step:
    """One check. ``subject`` must exist: a step about something that is not there is a failure, not a success.

    ``minutes`` ends a step that hangs; on a machine that does nothing else each takes a fraction of it.
    """

    group: str
    name: str
    command: tuple[str, ...]
    subject: str
    env: t.Mapping[str, str] = field(default_factory=dict)
    pytest: bool = False  # writes a JUnit report, whose cases are counted
    minutes: float = 20


@dataclass(frozen=True)
class Outcome:
    passed: int
    failed: int
    text: str


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def script(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, str(ROOT / "build" / name), *arguments)


def pytest_step(group: str, name: str, *arguments: str, minutes: float = 20) -> Step:
    command = (PYTHON, "-m", "pytest", "-q", f"--junit-xml={junit_of(name)}", *arguments)
    return Step(group, name, command, arguments[0], pytest=True, minutes=minutes)


def junit_of(name: str) -> Path:
    return OUTPUT / "junit" / f"{name}.xml"


UTILS = "ansible_collections.longhorn.qa.plugins.module_utils"

STEPS: tuple[Step, ...] = (
    Step("lint", "ruff-check", tool("ruff", "check", "--quiet", *CODE), "plugins"),
    Step("lint", "ruff-format", tool("ruff", "format", "--check", "--quiet", *CODE), "plugins"),
    Step("lint", "mypy-collection", tool("mypy", "-p", UTILS), "plugins/module_utils"),
    Step("lint", "mypy-lab", tool("mypy", "-p", "longhorn_qa_lab"), "lab/longhorn_qa_lab"),
    Step("lint", "import-linter", tool("lint-imports"), "pyproject.toml", env={"PYTHONPATH": "collections:lab"}),
    Step("lint", "yamllint", tool("yamllint", "--strict", "."), ".yamllint"),
    Step("lint", "ansible-lint", tool("ansible-lint", "--offline", "-q"), ".ansible-lint"),
    Step("lint", "changelog", tool("antsibull-changelog", "lint"), "changelogs/config.yaml"),
    Step("sanity", "ansible-test", script("stage.py", "sanity"), "tests/config.yml"),
    Step("sanity", "collection-docs", script("stage.py", "docs"), "meta/runtime.yml"),
    Step("sanity", "ansible-doc", script("plugin_docs.py"), "plugins/modules"),
    pytest_step("unit", "unit", "tests/unit"),
    Step(
        "unit",
        "bare-interpreter",
        script("bare.py", f"--junit-xml={junit_of('bare-interpreter')}"),
        "tests/unit/plugins/module_utils/_history",
        pytest=True,
    ),
    pytest_step("browser", "browser", "tests/browser"),
    pytest_step("lab", "lab", "tests/lab", minutes=60),
    pytest_step("faults", "faults", "tests/faults/test_fast.py", "tests/faults/test_fast_bugs.py"),
    Step(
        "integration",
        "integration",
        script("integration.py", "--longhorn", "2020-06", f"--junit-xml={junit_of('integration')}"),
        "tests/integration/targets",
        pytest=True,
        minutes=60,
    ),
    Step(
        "integration",
        "integration-later",
        script("integration.py", "--later", f"--junit-xml={junit_of('integration-later')}"),
        "tests/integration/targets",
        pytest=True,
        minutes=60,
    ),
    Step("molecule", "molecule", tool("molecule", "test", "-s", "default"), "molecule/default", minutes=60),
    Step("artefact", "artefact", script("artefact.py"), "galaxy.yml"),
)


# Steps that spend most of their time waiting for a cluster, and the lane they wait in; all others are in lane 0, and
# integration-later too, because it ends first. Lanes run beside one another, the steps of each one after the other.
LANES = {"lab": 1, "faults": 1, "integration": 2, "molecule": 2}


def listing() -> str:
    return "\n".join(f"{step.group:<12} {step.name}" for step in STEPS)


def environment(step: Step) -> dict[str, str]:
    env = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(ROOT / ".ansible"),
        "ANSIBLE_REMOTE_TMP": str(ROOT / ".ansible/tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
        **step.env,
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def run(step: Step) -> Outcome:
    if not (ROOT / step.subject).exists():
        return Outcome(0, 1, f"{step.subject} does not exist, so there is nothing that this step could check\n")
    junit_of(step.name).unlink(missing_ok=True)
    try:
        done = subprocess.run(
            step.command,
            cwd=ROOT,
            env=environment(step),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=step.minutes * 60,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        text = (late.output or b"").decode(errors="replace")
        return Outcome(0, 1, f"{text}\nstopped: still running after {step.minutes} minutes\n")
    text = done.stdout.decode(errors="replace")
    if not step.pytest:
        return Outcome(int(done.returncode == 0), int(done.returncode != 0), text)
    passed, failed = count(junit_of(step.name))
    if done.returncode and not failed:
        failed = 1  # pytest itself failed: nothing collected, an error in a plugin, a crash
    return Outcome(passed, failed, text)


def count(report: Path) -> tuple[int, int]:
    if not report.exists():
        return 0, 0
    suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 - written by our own pytest a moment ago
    passed = failed = 0
    for suite in suites:
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        failed += bad
        passed += int(suite.get("tests", 0)) - bad - int(suite.get("skipped", 0))
    return passed, failed


def show(step: Step, outcome: Outcome, seconds: float) -> None:
    word = "FAILED" if outcome.failed else "ok"
    cases = f"{outcome.passed} passed" if step.pytest else ""
    text = f"{word:<7} {seconds:6.1f} s  {step.group:<12} {step.name:<18} {cases}".rstrip()
    if outcome.failed:
        text += f"\n--- {step.name}: {' '.join(step.command)}\n{outcome.text.rstrip()}\n--- end of {step.name}"
    print(text, flush=True)


def run_lane(steps: t.Sequence[Step]) -> dict[str, Outcome]:
    outcomes = {}
    for step in steps:
        started = time.monotonic()
        outcomes[step.name] = run(step)
        show(step, outcomes[step.name], time.monotonic() - started)
    return outcomes


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--group", action="append", default=[], choices=sorted({step.group for step in STEPS}))
    parser.add_argument("--step", action="append", default=[], choices=[step.name for step in STEPS])
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    if args.list:
        print(listing())
        return 0
    everything = not (args.group or args.step)
    chosen = [step for step in STEPS if everything or step.group in args.group or step.name in args.step]
    (OUTPUT / "junit").mkdir(parents=True, exist_ok=True)
    lanes = [[step for step in chosen if LANES.get(step.name, 0) == lane] for lane in range(3)]
    with ThreadPoolExecutor(len(lanes)) as pool:
        outcomes = {name: outcome for lane in pool.map(run_lane, lanes) for name, outcome in lane.items()}
    failures = [name for name, outcome in outcomes.items() if outcome.failed]
    if failures:
        print(f"failed: {', '.join(failures)}")
    passed, failed = (sum(getattr(one, word) for one in outcomes.values()) for word in ("passed", "failed"))
    print(f"{passed} passed, {failed} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
