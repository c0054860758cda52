# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge says about a history of the workload, and whether it may."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import profile
from ansible_collections.longhorn.qa.plugins.module_utils._module.ticks import ticks

# What a pod without Longhorn can be right or wrong about, and what a gap must take the certainty from.
KNOWABLE = ("job-succeeded", "single-attempt", "no-overlap")
NEEDS = {"job-succeeded": {"jobs"}, "single-attempt": {"jobs", "pods"}, "no-overlap": {"jobs"}}


def verdicts(history: model.History) -> dict[str, dict[str, str]]:
    """By volume, by check."""
    judgement = judge(history, profiles=profile, ticks=ticks)
    told: dict[str, dict[str, str]] = {}
    for check in judgement.checks:
        told.setdefault(check.volume, {})[check.check] = check.verdict
    return told


def wrong(history: model.History, *, bad: dict[str, set[str]]) -> list[str]:
    """Verdicts that are not right for what is known. ``bad``: by volume, the checks that really fail."""
    gaps = {record.kind for record in history.records if isinstance(record, model.Gap)}
    found = []
    for volume, checks in verdicts(history).items():
        for check in KNOWABLE:
            fails = check in bad.get(volume, set())
            told = checks[check]
            allowed = {"fail"} if fails else {"pass"}
            if gaps & NEEDS[check]:
                allowed = {"fail", "inconclusive"} if fails else {"pass", "inconclusive"}
            if told not in allowed:
                found.append(f"{volume} {check}: {told}, expected {' or '.join(sorted(allowed))}")
        if checks["history-complete"] == "pass" and gaps & {"jobs", "pods", "events", "cronjobs", "logs"}:
            found.append(f"{volume} history-complete: pass in spite of gaps")
    return found
