# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario over all lab releases, tasks and faults, compared with tests/expected/matrix.yml.

    build/matrix.py                         everything
    build/matrix.py --release v1.8.2        one release; may be given several times
    build/matrix.py --jobs 1                one lab at a time (two by default)
    build/matrix.py --judge                 no new runs: the reports of the last ones

Each release takes one run, or two where a fault is for all volumes of a cluster and cannot share it. A row whose source
in the facts says so of this very combination, and that differs, fails the command; so does a run that broke, and any
row that no report has. One that was inferred and differs is shown as such, with what was seen, and is counted for
itself. What the lab's Kubernetes cannot do stands in the table as untested. The manual procedure, as users run it on
the releases it was written for, is compared with tests/expected/lab.yml, once with a stub as the default engine image.

Some runs, at least one for each type of fault, go on without their faults: one more invocation of every job, which is
judged as one that never had a fault. Any that is not fails the command.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "reports" / "matrix"
PROGRAM = Path(sys.executable).with_name("longhorn-qa")
# The names of the runs that recover. Between them they have every type of fault.
RECOVERING = ("matrix-v1-0-1-default", "matrix-v1-4-4", "matrix-v1-8-2", "matrix-v1-8-2-all")
FOR_ALL = "disable-snapshot-purge"  # the fault that is for all volumes, and so has a run of its own
IMAGES = [
    {"image": "longhorn-qa.example/longhorn-engine:no-cleanup-snapshot", "broken": ["snapshot-delete"]},
    {"image": "quay.io/ttpcodes/longhorn-engine:no-cleanup-backup", "broken": ["backup-delete"]},
    {
        "image": "longhorn-qa.example/longhorn-engine:no-cleanup-patched",
        "broken": ["snapshot-delete"],
        "patched": True,
    },
]
# Labs whose polls and back-offs are short: what is compared are verdicts, not times. A node keeps the logs of two runs
# of a container only, so a recorder on a busy machine needs some time between them.
FAST = ("--poll-scale", "0.05", "--time-scale", "0.2")
UNTESTED = (
    "untested: the lab's Kubernetes has no ValidatingAdmissionPolicy (1.28 and newer); its manifests have unit tests"
)
MINUTES = 12
VERDICTS = (0, 1, 2)  # exit statuses of a scenario: pass, fail, inconclusive; any other came to no verdict
NOT_THERE = "not there"


def expected(name: str) -> t.Any:
    """A module of tests/expected, which reads the table beside it."""
    spec = importlib.util.spec_from_file_location(f"expected_{name}", ROOT / f"tests/expected/{name}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"matrix: tests/expected/{name}.py is not there")
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"expected_{name}"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Scenario:
    """A run in a lab of its own, without waiting for ticks."""

    release: str

    @property
    def suffix(self) -> str:
        return ""

    @property
    def name(self) -> str:
        """Of the lab, and of the report's folder."""
        return f"matrix-{self.release.replace('.', '-')}{self.suffix}"

    @property
    def recovers(self) -> bool:
        return self.name in RECOVERING

    @property
    def folder(self) -> Path:
        return PLACE / self.name

    @property
    def variables(self) -> Mapping[str, t.Any]:
        return {}

    @property
    def arguments(self) -> list[str]:
        return []

    def command(self, variables: Path) -> list[str]:
        words = [str(PROGRAM), "scenario", "--longhorn", self.release, "--name", self.name, "--trigger"]
        words += [*FAST, "--report", str(self.folder), "--variables", str(variables)]
        return words + ([] if self.recovers else ["--no-recovery"]) + self.arguments


@dataclass(frozen=True)
class Run(Scenario):
    """A release with all its tasks, and which of its faults."""

    tasks: tuple[str, ...]
    for_all: bool

    @property
    def suffix(self) -> str:
        return "-all" if self.for_all else ""

    @property
    def variables(self) -> Mapping[str, t.Any]:
        return {"best_effort_cleanup_engine_images": IMAGES}

    @property
    def arguments(self) -> list[str]:
        effects = ("visible", "asynchronous") if self.for_all else ("visible", "asynchronous", "none")
        words = [word for task in self.tasks for word in ("--task", task)]
        words += [word for effect in effects for word in ("--effect", effect)]
        return words + (["--fault", FOR_ALL] if self.for_all else [])


@dataclass(frozen=True)
class Procedure(Scenario):
    """The manual procedure's own cells."""

    title: str  # in lab.yml
    image: str  # the stub that is the default engine image too; empty: none is
    verdict: str  # that it must have

    @property
    def suffix(self) -> str:
        return "-default" if self.image else "-procedure"

    @property
    def variables(self) -> Mapping[str, t.Any]:
        return {"best_effort_cleanup_default_engine_image": self.image} if self.image else {}

    @property
    def what(self) -> str:
        made_by = "default-engine-image" if self.image else "engine-image"
        return f"{self.release:<8} {'snapshot, backup':<21} {'lab.yml':<29} {made_by:<22} all"

    def seen(self) -> tuple[str, list[str]]:
        """The verdict, and what is not as lab.yml says."""
        report = self.folder / "report.json"
        if not report.is_file():
            return NOT_THERE, ["there is no report"]
        document = json.loads(report.read_text())
        return document["verdict"], expected("compare").differences(self.title, document)


@dataclass(frozen=True)
class Recovery:
    """What a run's jobs did when its faults were gone."""

    run: Scenario
    good: Mapping[str, t.Any]  # by task: what a volume must be judged as that never had a fault
    verdict = "pass"

    @property
    def title(self) -> str:
        return f"{self.run.name}, recovery"

    @property
    def what(self) -> str:
        return f"{self.run.release:<8} {'all of these':<21} {'recovery':<29} {self.run.name:<22} all"

    def seen(self) -> tuple[str, list[str]]:
        """The verdict of the second record, and what is not as it must be."""
        report = self.run.folder / "report.json"
        found = json.loads(report.read_text())["runs"] if report.is_file() else []
        if len(found) < 2:
            return NOT_THERE, ["there is no record of a recovery"]
        before, after = ({cell["volume"]: cell for cell in one["cells"]} for one in found)
        problems = [f"{volume}: not looked at again" for volume in before.keys() - after.keys()]
        for volume, cell in after.items():
            verdicts = {check["check"]: check["verdict"] for check in cell["checks"]}
            problems += [f"{volume}: {problem}" for problem in self.good[cell["task"]].differences(verdicts)]
        return found[1]["verdict"], problems


@dataclass(frozen=True)
class Row:
    """What came of one combination, for the volume with the fault or its bystander."""

    cell: t.Any
    which: str
    seen: str
    problems: tuple[str, ...]

    @property
    def expected(self) -> t.Any:
        return self.cell.volume if self.which == "volume" else self.cell.bystander

    @property
    def wrong(self) -> bool:
        return bool(self.problems) and (self.cell.sourced or self.seen == NOT_THERE)


def runs(cells: Iterable[t.Any]) -> list[Run]:
    """The scenarios that have all possible combinations between them."""
    tasks: dict[tuple[str, bool], dict[str, None]] = {}
    for cell in cells:
        if not cell.impossible:
            tasks.setdefault((cell.release, cell.fault_type == FOR_ALL), {})[cell.task] = None
    return [Run(release, tuple(names), for_all) for (release, for_all), names in tasks.items()]


def procedures() -> list[Procedure]:
    """All of lab.yml."""
    table = yaml.safe_load((ROOT / "tests/expected/lab.yml").read_text())["scenarios"]
    return [
        Procedure(one["release"], title, one["default_engine_image"], one["verdict"]) for title, one in table.items()
    ]


def recoveries(done: Iterable[Scenario], table: Iterable[t.Any]) -> list[Recovery]:
    """Of the runs that recover."""
    good = {(cell.release, cell.task): cell.volume for cell in table if cell.effect == "none"}
    return [
        Recovery(run, {task: volume for (release, task), volume in good.items() if release == run.release})
        for run in done
        if run.recovers
    ]


def carry_out(run: Scenario) -> bool:
    """Runs it into its folder; whether it came to a verdict, whichever."""
    started = time.monotonic()
    shutil.rmtree(run.folder, ignore_errors=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    variables, log = PLACE / f"{run.name}.json", PLACE / f"{run.name}.log"
    variables.write_text(json.dumps(run.variables))
    with log.open("wb") as output:
        status = _status(run.command(variables), output)
    there = (run.folder / "report.json").is_file()
    good = there and status in VERDICTS
    ended = f"not over after {MINUTES} minutes" if status is None else f"exit status {status}"
    told = "" if good else f"  {ended}, {'a' if there else 'no'} report; see {log}"
    print(f"{'ran' if good else 'FAILED':<7} {time.monotonic() - started:6.1f} s  {run.name}{told}", flush=True)
    return good


def _status(words: list[str], output: t.IO[bytes]) -> int | None:
    """None: it took too long."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, timeout=MINUTES * 60, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def rows(cells: Iterable[t.Any], done: Iterable[Run]) -> Iterator[Row]:
    """Each possible combination with what its report says."""
    found = {(run.release, run.for_all): by_what_they_are(run) for run in done}
    for cell in cells:
        if cell.impossible:
            continue
        there = found[cell.release, cell.fault_type == FOR_ALL]
        for which, expected in (("volume", cell.volume), ("bystander", cell.bystander)):
            if expected is not None and not (which == "bystander" and cell.fault == "none"):
                yield compared(cell, which, expected, there.get((cell.task, cell.fault, which)))


def by_what_they_are(run: Run) -> Mapping[tuple[str, str, str], t.Any]:
    """The report's cells by task, fault and part; their volumes' names tell what they are."""
    report = run.folder / "report.json"
    found = {}
    for cell in json.loads(report.read_text())["runs"][0]["cells"] if report.is_file() else ():
        words = cell["volume"].split("-")[3:]
        effect = {"vis": "visible", "asy": "asynchronous", "none": "none"}[words[0]]
        deletion = {"snap": " snapshot-delete", "back": " backup-delete"}.get(words[1] if len(words) > 1 else "", "")
        found[(cell["task"], effect + deletion, "bystander" if words[-1] == "by" else "volume")] = cell
    return found


def compared(cell: t.Any, which: str, expected: t.Any, seen: t.Any) -> Row:
    if seen is None:
        return Row(cell, which, NOT_THERE, ("there is no such cell in the report",))
    problems = list(expected.differences({check["check"]: check["verdict"] for check in seen["checks"]}))
    for what, (least, most) in (("snapshots", expected.snapshots), ("backups", expected.backups)):
        made = sum(len(item[what]) for item in seen["invocations"])
        if not least <= made <= most:
            problems.append(f"{made} {what} made, expected {least if least == most else f'{least} to {most}'}")
    issues = " ".join(check.get("known_issue") or "" for check in seen["checks"])
    if expected.issue and expected.issue not in issues:
        problems.append(f"no check names {expected.issue}")
    return Row(cell, which, seen["verdict"], tuple(problems))


def show(found: list[Row], others: list[Procedure | Recovery], impossible: int) -> None:
    """One table, and below it what differs."""
    print(f"{'release':<8} {'task':<21} {'fault':<29} {'made by':<22} {'of':<9} {'verdict':<12} {'expected':<12}")
    for row in found:
        cell = row.cell
        word = "" if not row.problems else "DIFFERS" if row.wrong else "differs"
        what = f"{cell.release:<8} {cell.task:<21} {cell.fault:<29} {cell.fault_type or '-':<22} {row.which:<9}"
        basis = "" if cell.sourced else "inferred"
        print(f"{what} {row.seen:<12} {row.expected.verdict:<12} {basis:<8} {word}".rstrip())
    for one in others:
        seen, problems = one.seen()
        print(f"{one.what:<93} {seen:<12} {one.verdict:<12} {'':<8} {'DIFFERS' if problems else ''}".rstrip())
    for release in dict.fromkeys(row.cell.release for row in found if row.cell.fault_type == "admission"):
        print(f"{release:<8} {'all of these':<21} {'visible':<29} {'admission, by policy':<22} {'-':<9} untested")
    for row in found:
        for problem in row.problems:
            print(f"  {row.cell.release} {row.cell.task}, {row.cell.fault} ({row.which}): {problem}")
    for one in others:
        for problem in one.seen()[1]:
            print(f"  {one.title}: {problem}")
    print(f"not possible: {impossible} combinations, each with its reason in tests/expected/matrix.yml")
    print(UNTESTED)


def conclude(found: list[Row], others: list[Procedure | Recovery], broken: int) -> int:
    """The sum in the last line, and the exit status. What was only inferred can be right or wrong when it differs."""
    by_run = [bool(one.seen()[1]) for one in others]
    wrong = sum(row.wrong for row in found) + sum(by_run)
    differ = sum(bool(row.problems) and not row.wrong for row in found)
    right = len(found) + len(by_run) - wrong - differ
    if differ:
        print(f"{differ} inferred rows differ: counted neither as passed nor as failed")
    if broken:
        print(f"{broken} runs came to no verdict: counted as failed")
    print(f"{right} passed, {wrong + broken} failed")
    return 1 if wrong or broken else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--judge", action="store_true")
    given = parser.parse_args()
    table = expected("matrix").load()
    cells = [cell for cell in table if not given.release or cell.release in given.release]
    if not cells:
        parser.error(f"no such release; there are {', '.join(dict.fromkeys(cell.release for cell in table))}")
    started = time.monotonic()
    chosen = runs(cells)
    manual = [one for one in procedures() if not given.release or one.release in given.release]
    broken = 0
    if not given.judge:
        with ThreadPoolExecutor(given.jobs) as pool:
            broken = list(pool.map(carry_out, [*chosen, *manual])).count(False)
    order = list(dict.fromkeys(cell.release for cell in table))
    found = sorted(rows(cells, chosen), key=lambda row: order.index(row.cell.release))
    others = [*manual, *recoveries([*chosen, *manual], cells)]
    show(found, others, sum(bool(cell.impossible) for cell in cells))
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")
    return conclude(found, others, broken)


if __name__ == "__main__":
    sys.exit(main())
