# SPDX-License-Identifier: GPL-3.0-or-later
"""``longhorn-qa audit`` and ``longhorn-qa rejudge``: verdicts on what was recorded elsewhere or earlier."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from longhorn_qa_lab import playbook, verdicts
from longhorn_qa_lab.commands.scenario import report_folder
from longhorn_qa_lab.errors import LabError


def audit(given: argparse.Namespace) -> int:
    """Judges a folder of kubectl dumps and logs, or what a cluster still remembers."""
    folder = given.report or report_folder("audit")
    variables: dict[str, object] = {"audit_report_dir": str(folder)}
    if not given.live:
        _must_be_folder(given.dump, "dump")
        variables["audit_dump"] = str(given.dump.resolve())
    if given.longhorn:
        variables["audit_longhorn_release"] = given.longhorn
    if given.expect:
        variables["audit_expect"] = _cells(given.expect)
    return _judge("longhorn.qa.audit", variables, folder)


def rejudge(given: argparse.Namespace) -> int:
    """Judges a saved history again."""
    _must_be_folder(given.history, "history")
    folder = given.report or report_folder("rejudge")
    variables: dict[str, object] = {
        "rejudge_history": str(given.history.resolve()),
        "rejudge_report_dir": str(folder),
    }
    return _judge("longhorn.qa.rejudge", variables, folder)


def _judge(name: str, variables: dict[str, object], folder: Path) -> int:
    playbook.run(playbook.Call(name=name, variables=variables, folder=folder))
    verdict = verdicts.read(folder)
    verdicts.show(folder)
    return verdicts.announce(verdict)


def _must_be_folder(path: Path, what: str) -> None:
    if not path.is_dir():
        raise LabError(f"The {what} {path} is not a folder: give the folder that holds the files.")


def _cells(path: Path) -> list[object]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"The expectations {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabError(f"The expectations {path} are not YAML: {error}") from error
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or not cells:
        raise LabError(f"The expectations {path} need a key 'cells' with a list of cells.")
    return cells
