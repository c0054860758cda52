# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the modules' integration targets against labs, each as a playbook run of its own.

    build/integration.py                       all targets
    build/integration.py job_trigger ...       these
    build/integration.py --longhorn RELEASE    against a lab with this release only
    build/integration.py --later               against labs with the further releases that targets name
    build/integration.py --kubeconfig FILE     against a cluster that is there already, the lab for instance

A target is ``tests/integration/targets/<name>/tasks/main.yml``: it makes what it needs, and removes it
whatever happens. All targets run in a lab with the oldest release; those whose requests depend on the shape of
Longhorn's API name further ones in their file ``releases``, one a line, and run in a lab of each.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.prefix) / "bin"
TARGETS = ROOT / "tests" / "integration" / "targets"
PLAYBOOK = ROOT / "tests" / "integration" / "target.yml"
LABS = ROOT / ".state" / "labs"
LAB = "integration"
OLDEST = "2020-06"


@dataclass(frozen=True)
class Case:
    name: str
    seconds: float
    failure: str  # empty: passed


def lab_command(*arguments: str) -> int:
    env = {**os.environ, "LONGHORN_QA_LAB_DIR": str(LABS)}
    return subprocess.run(
        [str(BIN / "longhorn-qa"), "lab", *arguments], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False
    ).returncode


@contextmanager
def lab(release: str) -> Iterator[Path]:
    name = f"{LAB}-{release.replace('.', '-')}"
    lab_command("down", name)  # one that an earlier, killed run left behind
    try:
        if lab_command("up", name, "--longhorn", release, "--poll-scale", "0.2"):
            raise SystemExit("integration: the lab did not come up; its own words are above")
        yield LABS / name / "kubeconfig"
    finally:
        lab_command("down", name)


def run_target(name: str, *, kubeconfig: Path, release: str) -> Case:
    command = [str(BIN / "ansible-playbook"), str(PLAYBOOK), "-e", f"target={name}"]
    command += ["-e", f"qa_release={release}", "-e", f"qa_id={secrets.token_hex(3)}"]
    own = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_HOME": str(ROOT / ".ansible")}
    own["ANSIBLE_REMOTE_TMP"] = str(ROOT / ".ansible/tmp")
    env = {**os.environ, **own, "K8S_AUTH_KUBECONFIG": str(kubeconfig.resolve())}
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    told = name if release == OLDEST else f"{name} ({release})"
    print(f"{'ok' if done.returncode == 0 else 'FAILED':<7} {seconds:6.1f} s  {told}", flush=True)
    if done.returncode:
        print(done.stdout + done.stderr, flush=True)
    return Case(told, seconds, (done.stdout + done.stderr) if done.returncode else "")


def further_releases(name: str) -> list[str]:
    """The releases of other shapes that a target names."""
    path = TARGETS / name / "releases"
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def plan(chosen: list[str], *, release: str | None, later: bool = False) -> dict[str, list[str]]:
    """The targets to run, by the release of the lab they run in."""
    if release:
        return {release: chosen}
    planned = {} if later else {OLDEST: chosen}
    for name in chosen:
        for further in further_releases(name):
            planned.setdefault(further, []).append(name)
    return planned


def write_junit(path: Path, cases: list[Case]) -> None:
    failed = sum(bool(case.failure) for case in cases)
    suite = ElementTree.Element("testsuite", name="integration", tests=str(len(cases)), failures=str(failed))
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", name=case.name, time=f"{case.seconds:.1f}")
        if case.failure:
            ElementTree.SubElement(element, "failure", message="the playbook failed")
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--kubeconfig", type=Path)
    releases = parser.add_mutually_exclusive_group()
    releases.add_argument("--longhorn", metavar="RELEASE")
    releases.add_argument("--later", action="store_true")
    parser.add_argument("--junit-xml", type=Path)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    known = sorted(path.parent.parent.name for path in TARGETS.glob("*/tasks/main.yml"))
    unknown = sorted(set(args.targets) - set(known))
    if unknown or not known:
        print(f"integration: no such target: {', '.join(unknown) or 'none at all'}; there are: {', '.join(known)}")
        return 2
    chosen = args.targets or known
    cases = []
    if args.kubeconfig:
        release = args.longhorn or OLDEST
        cases = [run_target(name, kubeconfig=args.kubeconfig, release=release) for name in chosen]
    else:
        for release, names in plan(chosen, release=args.longhorn, later=args.later).items():
            with lab(release) as kubeconfig:
                cases += [run_target(name, kubeconfig=kubeconfig, release=release) for name in names]
    if args.junit_xml:
        write_junit(args.junit_xml, cases)
    return 1 if any(case.failure for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
