# SPDX-License-Identifier: GPL-3.0-or-later
"""``longhorn-qa lab …``"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import time
from pathlib import Path

from longhorn_qa_lab import accounts, lab, paths
from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.description import UP, Description
from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.progress import Progress

_FOLLOW_SECONDS = 0.3


def up(given: argparse.Namespace) -> int:
    """Progress on stderr, the way in on stdout."""
    options = Options(
        name=given.name,
        release=given.longhorn,
        poll_scale=given.poll_scale,
        time_scale=given.time_scale,
        bugs=tuple(given.bug),
        cronjob_controller=given.cronjob_controller,
        api_port=given.port,
        requests=given.requests,
    )
    progress = Progress()
    started = lab.up(options, progress)
    progress(f"lab {started.name!r} is up")
    print(f"export KUBECONFIG={started.kubeconfig}")
    return 0


def kubeconfig(given: argparse.Namespace) -> int:
    """A kubeconfig with a ServiceAccount's rights, or the administrator's own; written to a file, never shown."""
    found = lab.find(given.name)
    if given.service_account is None:
        print(found.kubeconfig)
        return 0
    print(accounts.write_kubeconfig(found, *given.service_account, path=given.output))
    return 0


def down(given: argparse.Namespace) -> int:
    if given.all:
        names = lab.down_all()
        print(f"{', '.join(names) or 'no labs'}: down")
    elif lab.down(given.name):
        print(f"lab {given.name!r} is down")
    else:
        print(f"lab {given.name!r} does not exist; nothing to do")
    return 0


def status(given: argparse.Namespace) -> int:
    found = lab.find(given.name)
    health = lab.health(found)
    if given.json:
        print(json.dumps(_document(found), indent=2))
    else:
        print(_summary(found, health))
        for name, process in {"keeper": found.keeper, **found.processes}.items():
            print(f"  {name:<24} {'running' if process.alive() else 'ended':<8} process {process.pid}")
        print(f"  kubeconfig  {found.kubeconfig}")
        print(f"  logs        {paths.lab_paths(found.name).logs}")
    return 0 if health == UP else 1


def listing(given: argparse.Namespace) -> int:
    labs = lab.known_labs()
    if given.json:
        print(json.dumps([_document(item) for item in labs], indent=2))
        return 0
    for item in labs:
        print(_summary(item, lab.health(item)))
    if not labs:
        print(f"no labs in {paths.lab_root()}")
    return 0


def logs(given: argparse.Namespace) -> int:
    place = paths.lab_paths(given.name)
    files = sorted(place.logs.glob("*.log"))
    if not files:
        raise LabError(f"There are no logs of a lab {given.name!r} in {place.logs}: see longhorn-qa lab list.")
    if given.part:
        known = ", ".join(file.stem for file in files)
        files = [file for file in files if file.stem == given.part]
        if not files:
            raise LabError(f"Lab {given.name!r} has no part {given.part!r}: its parts are {known}.")
    ends = {}
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        ends[file] = file.stat().st_size
        _show(file, text.splitlines()[-given.tail :] if given.tail else text.splitlines(), titled=len(files) > 1)
    with contextlib.suppress(KeyboardInterrupt):  # the way to end following
        while given.follow:
            ends = {file: _added(file, end, titled=len(files) > 1) for file, end in ends.items()}
            time.sleep(_FOLLOW_SECONDS)
    return 0


def _added(file: Path, start: int, *, titled: bool) -> int:
    with file.open("rb") as stream:
        stream.seek(start)
        added = stream.read()
    whole = added[: added.rfind(b"\n") + 1]
    if whole:
        _show(file, whole.decode("utf-8", "replace").splitlines(), titled=titled)
    return start + len(whole)


def _show(file: Path, lines: list[str], *, titled: bool) -> None:
    for line in lines:
        print(f"{file.stem}: {line}" if titled else line)
    sys.stdout.flush()


def _summary(item: Description, health: str) -> str:
    versions = f"Longhorn {item.release}  Kubernetes {item.kubernetes}"
    return f"{item.name}  {health}  {versions}  {item.server}  since {item.started}"


def _document(item: Description) -> dict[str, object]:
    running = {name: process.alive() for name, process in {"keeper": item.keeper, **item.processes}.items()}
    return {**dataclasses.asdict(item), "health": lab.health(item), "running": running}
