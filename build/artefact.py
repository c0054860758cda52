# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the Galaxy artefact, installs it into an empty folder and uses it from there, by full names only."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.prefix) / "bin"
RECORDING = ROOT / "tests" / "recordings" / "2020-06"
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))

# Nothing here may lean on the checkout: neither its collections/ nor its playbooks.
SMALL_PLAYBOOK = """\
- name: Use the installed collection
  hosts: localhost
  gather_facts: false
  module_defaults:
    group/longhorn.qa.longhorn:
      kubeconfig: "{{ playbook_dir }}/missing.kubeconfig"
  tasks:
    - name: Plan two cells
      ansible.builtin.assert:
        that:
          - cells | length == 2
          - cells[0].task == 'snapshot'
      vars:
        image: {image: "quay.io/ttpcodes/longhorn-engine:no-cleanup", broken: [snapshot-delete]}
        cells: "{{ [image] | longhorn.qa.cells(tasks=['snapshot', 'backup'], run_id='abc', cron='*/3 * * * *') }}"
    - name: Ask a cluster that is not there
      longhorn.qa.longhorn_info:
      register: asked
      ignore_errors: true
    - name: The module was found, took the group's defaults, and says what is wrong
      ansible.builtin.assert:
        that:
          - asked is failed
          - "'missing.kubeconfig' in asked.msg"
          - asked.exception is not defined or 'Traceback' not in asked.msg
"""


CLUSTERS = """\
all:
  vars: {ansible_connection: local, best_effort_cleanup_longhorn_release: v1.0.1}
  hosts:
    staging: {longhorn_qa_auth: {kubeconfig: /missing/staging.kubeconfig}}
    edge: {longhorn_qa_auth: {kubeconfig: /missing/edge.kubeconfig}}
"""


def run(folder: Path, *command: str, fails: bool = False) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH", "K8S_"))}
    env |= {"ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"), "ANSIBLE_HOME": str(folder / "home")}
    env |= {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "NO_COLOR": "1"}
    env |= {"ANSIBLE_REMOTE_TMP": str(folder / "home/tmp")}
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if bool(done.returncode) is not fails:
        raise SystemExit(f"artefact: this {'did not fail' if fails else 'failed'}: {' '.join(command)}\n{done.stdout}")
    return done.stdout


def install(folder: Path) -> None:
    subprocess.run(
        [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(folder)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (tarball,) = folder.glob("longhorn-qa-*.tar.gz")
    core = "ansible_collections/kubernetes/core"
    shutil.copytree(ROOT / "collections" / core, folder / "collections" / core)
    run(folder, "ansible-galaxy", "collection", "install", "--offline", "-p", "collections", str(tarball))
    run(folder, "ansible-galaxy", "collection", "verify", "--offline", "longhorn.qa")


def audit(folder: Path) -> None:
    """A real recording, judged by the installed playbook, as a user would do it."""
    variables = {"audit_dump": str(RECORDING), "audit_longhorn_release": "2020-06"}
    variables["audit_report_dir"] = str(folder / "report")
    run(folder, "ansible-playbook", "longhorn.qa.audit", "-e", json.dumps(variables))
    verdict = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))["verdict"]
    print(f"audit of {RECORDING.name}: {verdict}")


def rejudge(folder: Path) -> None:
    """The bug report's own command, typed by somebody who got it and the history."""
    first = folder / "report"
    text = (first / "report.md").read_text(encoding="utf-8")
    command = next(line for line in text.splitlines() if line.startswith("ansible-playbook "))
    command = command.replace("HISTORY", str(first / "history")).replace("REPORT", str(folder / "again"))
    run(folder, *shlex.split(command))
    for name in ("report.txt", "report.md"):
        if (folder / "again" / name).read_bytes() != (first / name).read_bytes():
            raise SystemExit(f"artefact: {name} of the same history is not the same")
    print("longhorn.qa.rejudge: judges a bug report's history again, with the same answer")


def clusters(folder: Path) -> None:
    """Each host of an inventory is a cluster of its own, asked with its own credentials."""
    (folder / "clusters.yml").write_text(CLUSTERS)
    told = run(
        folder,
        "ansible-playbook",
        "-i",
        "clusters.yml",
        "longhorn.qa.best_effort_cleanup",
        "-e",
        "hosts=all",
        fails=True,
    )
    for host in ("staging", "edge"):
        if f"fatal: [{host}]" not in told or f"/missing/{host}.kubeconfig" not in told:
            raise SystemExit(f"artefact: host {host} was not asked with its own kubeconfig\n{told}")
    print("longhorn.qa.best_effort_cleanup: each host is a cluster of its own")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="longhorn-qa-artefact-") as name:
        folder = Path(name)
        install(folder)
        (folder / "small.yml").write_text(SMALL_PLAYBOOK, encoding="utf-8")
        run(folder, "ansible-playbook", "small.yml")
        for playbook in PLAYBOOKS:
            run(folder, "ansible-playbook", "--syntax-check", f"longhorn.qa.{playbook}")
            print(f"longhorn.qa.{playbook}: found by its full name")
        clusters(folder)
        audit(folder)
        rejudge(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
