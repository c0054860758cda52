# SPDX-License-Identifier: GPL-3.0-or-later
"""Every verdict on the real recordings is the one that tests/expected says, whatever single file is missing."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
import yaml

TABLE: dict[str, t.Any] = yaml.safe_load((Path(__file__).parents[4] / "expected" / "recordings.yml").read_text())
ENTRIES = [
    pytest.param(name, cell["volume"], check, entry["verdict"], id=f"{name}-{cell['volume']}-{check}")
    for name, recording in TABLE["recordings"].items()
    for cell in recording["cells"]
    for check, entry in cell["checks"].items()
]
NAMES = tuple(TABLE["recordings"])

# What a check's pass on a dump rests on; without it the check must not pass.
RESTS_ON = {
    "watch-jobs.json": {
        "fault-live", "job-succeeded", "single-attempt", "one-snapshot-per-invocation", "one-backup-per-invocation",
        "no-overlap", "count-matches-schedule", "cleanup-warning", "events-recorded", "store-agrees", "retain-kept",
    },
    "watch-pods.json": {"fault-live", "single-attempt", "cleanup-warning"},
    "watch-cronjobs.json": {"count-matches-schedule"},
    "watch-events.json": {"events-recorded"},
    "watch-engines.longhorn.io.json": {
        "one-snapshot-per-invocation", "count-matches-schedule", "store-agrees", "retain-kept",
    },
    "_instance-manager-e": {"one-snapshot-per-invocation", "count-matches-schedule"},
}  # fmt: skip


@pytest.fixture(scope="module")
def judged() -> dict[str, t.Any]:
    return {}


@pytest.mark.parametrize(("name", "volume", "check", "expected"), ENTRIES)
def test_verdict_is_the_tables(
    name: str, volume: str, check: str, expected: str, recordings: t.Any, judged: dict[str, t.Any]
) -> None:
    if name not in judged:
        judged[name] = recordings.judged(name, recordings.files(name))
    (found,) = [item for item in judged[name].checks if (item.volume, item.check) == (volume, check)]
    assert found.verdict == expected, f"{found.summary}; {found.advice}"
    if expected != "not_applicable":
        assert found.summary
    if expected == "pass":
        assert found.evidence
    if expected == "inconclusive":
        assert found.advice


@pytest.mark.parametrize("name", NAMES)
def test_run_verdict_and_numbers_of_jobs_are_the_tables(name: str, recordings: t.Any) -> None:
    judgement = recordings.judged(name, recordings.files(name))
    assert judgement.verdict == TABLE["recordings"][name]["verdict"]
    for cell, expected in zip(judgement.cells, TABLE["recordings"][name]["cells"], strict=True):
        assert sum(not item.cut for item in cell.invocations) == expected["judged"]
        assert sum(bool(item.cut) for item in cell.invocations) == expected["cut"]


@pytest.mark.parametrize("name", NAMES)
def test_no_file_can_be_missing_and_leave_its_checks_passing(name: str, recordings: t.Any) -> None:
    files = recordings.files(name)
    whole = recordings.verdicts(recordings.judged(name, files))
    volumes = sorted(whole, key=len, reverse=True)
    for missing in _worth_dropping(files):
        less = recordings.verdicts(recordings.judged(name, {path: files[path] for path in files if path != missing}))
        changed = {
            (volume, check): (whole[volume][check], less[volume][check])
            for volume in whole
            for check in whole[volume]
            if whole[volume][check] != less[volume][check]
        }
        assert set(changed.values()) <= {("pass", "inconclusive")}, f"without {missing}: {changed}"
        owner = next((volume for volume in volumes if f"/{volume}-" in missing), "")
        assert not owner or {volume for volume, _check in changed} <= {owner}, f"without {missing}: {changed}"
        for part, checks in RESTS_ON.items():
            if part in missing:
                still = {(v, c) for v in less for c in checks if less[v][c] == "pass"}
                assert not still, f"without {missing} these still pass: {still}"


def _worth_dropping(files: dict[str, bytes]) -> list[str]:
    """Every file, but without time to spare only the first and the last of the logs of one recurring job."""
    if os.environ.get("LONGHORN_QA_EXAMPLES"):
        return list(files)
    logs: dict[str, list[str]] = {}
    for path in files:
        logs.setdefault(path.rpartition("-c-")[0] if "/test-" in path else path, []).append(path)
    return [path for paths in logs.values() for path in (paths[0], *paths[1:][-1:])]
