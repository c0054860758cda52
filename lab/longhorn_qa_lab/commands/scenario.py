# SPDX-License-Identifier: GPL-3.0-or-later
"""``longhorn-qa scenario``: a lab, the procedure, its report, and nothing left behind."""

from __future__ import annotations

import argparse
import datetime
import json
import re
from pathlib import Path

from longhorn_qa_lab import lab, paths, playbook, verdicts
from longhorn_qa_lab.bringup import Options
from longhorn_qa_lab.progress import Progress

_PLAYBOOK = "longhorn.qa.best_effort_cleanup"
_CRON = "* * * * *"
_SHORTEST = 1800
_PER_INVOCATION = 240
_TAGGED = re.compile(r"v\d+\.\d+\.\d+")


def run(given: argparse.Namespace) -> int:
    """The lab ends in every case but one: it was asked to stay, and nobody interrupted it."""
    folder = given.report or report_folder(f"scenario-{given.longhorn}")
    options = Options(
        name=given.name,
        release=given.longhorn,
        poll_scale=given.poll_scale,
        time_scale=given.time_scale,
        cronjob_controller=given.cronjob_controller,
    )
    progress = Progress()
    with lab.running(options, progress, keep=given.keep) as running:
        progress(f"lab {given.name!r} is up: running the procedure, {given.invocations} invocations per job")
        call = playbook.Call(
            name=_PLAYBOOK, variables=_variables(given, folder), folder=folder, kubeconfig=running.kubeconfig
        )
        playbook.run(call)
        verdict = verdicts.read(folder)
    verdicts.show(folder)
    return verdicts.announce(verdict)


def report_folder(title: str) -> Path:
    """A new folder for each run, so that no report is overwritten."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    return (paths.checkout() or Path.cwd()) / "reports" / f"{now}-{title}"


def _far_away() -> str:
    """Ticks half a year from now: a tick would add its own Job beside those started by hand."""
    month = datetime.datetime.now(datetime.UTC).month
    return f"0 0 1 {(month + 5) % 12 + 1} *"


def _variables(given: argparse.Namespace, folder: Path) -> dict[str, object]:
    """The verdict is this command's to pass on, so the playbook itself fails only when something went wrong."""
    variables: dict[str, object] = {
        "best_effort_cleanup_cron": _far_away() if given.trigger else _CRON,
        "best_effort_cleanup_invocations": given.invocations,
        "best_effort_cleanup_timeout": max(_SHORTEST, _PER_INVOCATION * given.invocations),
        "best_effort_cleanup_trigger": given.trigger,
        # A tick a minute is for people who wait; the lab's locks expire as fast as everything else there.
        "best_effort_cleanup_allow_short_interval": True,
        "best_effort_cleanup_history_dir": str(folder / "history"),
        "best_effort_cleanup_report_dir": str(folder),
        "best_effort_cleanup_keep": given.keep,
        "best_effort_cleanup_fail_on": [],
    }
    if not _TAGGED.fullmatch(given.longhorn):  # else it is read from the manager image's tag
        variables["best_effort_cleanup_longhorn_release"] = given.longhorn
    for name, values in (("tasks", given.task), ("effects", given.effect)):
        if values:
            variables[f"best_effort_cleanup_{name}"] = values
    if given.fault:
        variables["best_effort_cleanup_fault"] = given.fault
    if given.no_recovery:
        variables["best_effort_cleanup_recovery"] = False
    if given.variables:
        variables |= json.loads(given.variables.read_text(encoding="utf-8"))
    if given.default_engine_image:
        variables["best_effort_cleanup_default_engine_image"] = given.default_engine_image
    return variables
