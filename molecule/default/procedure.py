# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the playbook best_effort_cleanup at its most talkative, with credentials that can be recognised anywhere.

    procedure.py FOLDER check|run

Beside the run's own files, FOLDER gets what Ansible printed, the arguments of every process that was seen meanwhile,
and the credentials themselves, so that whoever looks afterwards knows what to look for.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path

_LAST_LINES = 60
_LOOK = 0.1  # seconds; a module's process lives several times as long


def variables(folder: Path, credentials: dict[str, str]) -> dict[str, object]:
    return {
        "best_effort_cleanup_run_id": "molecule",
        "best_effort_cleanup_longhorn_release": "2020-06",
        "best_effort_cleanup_trigger": True,
        "best_effort_cleanup_timeout": 900,
        "best_effort_cleanup_dir": str(folder),
        "backup_store_access_key": credentials["access_key"],
        "backup_store_secret_key": credentials["secret_key"],
    }


def sample(found: set[bytes], stop: threading.Event) -> None:
    """Collects the arguments of all processes, this one's included."""
    while not stop.wait(_LOOK):
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError):
                    found.add((process / "cmdline").read_bytes().replace(b"\0", b" "))


def main() -> int:
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder.parent / "secret"
    secret.mkdir(mode=0o700, exist_ok=True)
    credentials = {"access_key": f"canary{secrets.token_hex(8)}", "secret_key": f"canary{secrets.token_hex(16)}"}
    (secret / "credentials.json").write_text(json.dumps(credentials))
    (secret / "variables.json").write_text(json.dumps(variables(folder, credentials)))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvvv", "longhorn.qa.best_effort_cleanup"]
    command += ["--extra-vars", f"@{secret / 'variables.json'}", *(["--check"] if mode == "check" else [])]
    seen: set[bytes] = set()
    stop = threading.Event()
    sampler = threading.Thread(target=sample, args=(seen, stop))
    sampler.start()
    output = folder / "output.txt"
    try:
        with output.open("wb") as stream:
            status = subprocess.run(
                command, env=dict(os.environ), stdout=stream, stderr=subprocess.STDOUT, check=False
            ).returncode
    finally:
        stop.set()
        sampler.join()
    (folder / "arguments.txt").write_bytes(b"\n".join(sorted(seen)))
    if status:
        print("\n".join(output.read_text(errors="replace").splitlines()[-_LAST_LINES:]))
    return status


if __name__ == "__main__":
    sys.exit(main())
