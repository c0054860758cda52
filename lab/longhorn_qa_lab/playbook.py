# SPDX-License-Identifier: GPL-3.0-or-later
"""Calling ansible-playbook with the collection of this checkout, its output passed straight through."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab import paths
from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.processes import die_with_parent

_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Call:
    """One playbook with its variables; these go by file, because arguments of processes are public."""

    name: str
    variables: Mapping[str, object]
    folder: Path
    kubeconfig: Path | None = None


def run(call: Call) -> None:
    """Raises when the playbook fails; what it had to say is on the terminal already."""
    call.folder.mkdir(parents=True, exist_ok=True)
    variables = call.folder / "variables.json"
    variables.write_text(json.dumps(call.variables, indent=2) + "\n", encoding="utf-8")
    command = [find_program(), call.name, "--extra-vars", f"@{variables}"]
    sys.stdout.flush()
    with subprocess.Popen(
        command, env=_environment(call.kubeconfig), stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
    ) as process:
        try:
            status = process.wait()
        except BaseException:
            _stop(process)
            raise
    if status != 0:
        raise LabError(f"The playbook {call.name} failed (ansible-playbook ended with status {status}), see above.")


def find_program() -> str:
    """The ansible-playbook of this very environment, else the one on the path."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = str(beside) if beside.is_file() else shutil.which("ansible-playbook")
    if found is None:
        raise LabError("ansible-playbook is not installed: run make setup, or pip install ansible-core.")
    return found


def _environment(kubeconfig: Path | None) -> dict[str, str]:
    environment = {
        **os.environ,
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_NOCOWS": "1",
    }
    checkout = paths.checkout()
    if checkout is not None:
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(checkout / "collections")
        environment.setdefault("ANSIBLE_HOME", str(checkout / ".ansible"))
        # Ansible would use the home that the user's account has, which need not exist or be writable.
        environment.setdefault("ANSIBLE_REMOTE_TMP", str(checkout / ".ansible/tmp"))
    if kubeconfig is not None:
        environment["K8S_AUTH_KUBECONFIG"] = str(kubeconfig)
    return environment


def _stop(process: subprocess.Popen[bytes]) -> None:
    """A key press has reached Ansible too; anything else has not."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
