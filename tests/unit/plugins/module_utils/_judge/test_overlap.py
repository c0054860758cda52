# SPDX-License-Identifier: GPL-3.0-or-later
"""Never two backups at once: what the engine's status shows, what it may have missed, and what the objects say."""

from __future__ import annotations

import copy
import typing as t

import pytest
from tests.unit.plugins.module_utils._judge.changed import (
    WITH_OBJECTS,
    Change,
    Changed,
    backup,
    changed,
    checks,
    not_pass,
)
from tests.unit.plugins.module_utils._judge.made import FAULTY, Run

from ansible_collections.longhorn.qa.plugins.module_utils._judge.verdict import CheckVerdict

OWN, SECOND = "backup-0000000000000002", "backup-second"  # of the first Job


def overlap(run: Run, *changes: Change) -> CheckVerdict:
    return checks(changed(run, *changes))["no-overlap"]


def engine_shows(*backups: tuple[str, str], of: str = "snap-0001") -> Change:
    """One more look at the engine, before the one that first shows the first Job's backup."""

    def change(history: Changed) -> None:
        first = next(r for r in history.of("engines") if OWN in r.object["status"]["backupStatus"])
        document: dict[str, t.Any] = copy.deepcopy(first.object)
        document["status"]["backupStatus"] = {name: {"snapshotName": of, "state": state} for name, state in backups}
        document["metadata"]["resourceVersion"] = str(int(document["metadata"]["resourceVersion"]) - 1)
        seen = type(first)(1, first.at, "engines", "MODIFIED", document)
        history.records.insert(history.records.index(first), seen)

    return change


def second(history: Changed) -> None:
    """From then on the engine shows another backup of the first Job's snapshot as well."""
    for record in history.of("engines"):
        shown = record.object["status"]["backupStatus"]
        if OWN in shown:
            shown[SECOND] = {"snapshotName": "snap-0001", "state": "complete"}


# --- the engine's status --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["in_progress", "pending", "InProgress"])
def test_two_backups_in_the_making_are_at_once(state: str) -> None:
    found = overlap(Run("2020-06", "backup"), second, engine_shows((OWN, state), (SECOND, state)))
    assert found.verdict == "fail"
    assert f"backups {OWN} and {SECOND} were being made at once" in found.summary


@pytest.mark.parametrize("other", [(), ((SECOND, "in_progress"),)])
def test_one_in_the_making_is_alone_and_so_is_it_beside_somebody_elses(other: tuple[tuple[str, str], ...]) -> None:
    """The other one is of a snapshot that this job did not make, and is known by nothing else."""

    def foreign(history: Changed) -> None:
        for record in history.of("engines"):
            record.object["status"]["snapshots"]["snap-x"] = {"labels": {}}
            if SECOND in record.object["status"]["backupStatus"]:
                record.object["status"]["backupStatus"][SECOND]["snapshotName"] = "snap-x"

    found = overlap(Run("2020-06", "backup"), engine_shows((OWN, "in_progress"), *other), foreign)
    assert found.verdict == "pass"


def test_one_that_was_ready_alone_came_before_the_other() -> None:
    found = overlap(Run("2020-06", "backup"), second, engine_shows((OWN, "complete")))
    assert found.verdict == "pass"


@pytest.mark.parametrize("before", [(), ((OWN, "in_progress"),), ((OWN, "complete"), (SECOND, "in_progress"))])
def test_two_of_one_attempt_that_were_never_seen_apart_may_have_been_at_once(
    before: tuple[tuple[str, str], ...],
) -> None:
    found = overlap(Run("2020-06", "backup"), second, *([engine_shows(*before)] if before else []))
    assert found.verdict == "inconclusive"
    assert "at once was not seen" in found.summary
    assert OWN in found.summary
    assert SECOND in found.summary


# --- objects --------------------------------------------------------------------------------------------------------
def test_backups_at_once() -> None:
    def late(history: Changed) -> None:
        first = [r for r in history.of("backups") if r.object["metadata"]["labels"]["backup-volume"] == FAULTY]
        name = first[0].object["metadata"]["name"]
        for record in history.of("backups", name):
            if "deletionTimestamp" not in record.object["metadata"] and record.change != "DELETED":
                record.object["status"]["state"] = "InProgress"

    judgement = changed(Run("v1.8.2", "backup"), late)
    assert checks(judgement)["no-overlap"].verdict == "fail"
    assert "were being made at once" in checks(judgement)["no-overlap"].summary


def test_somebody_elses_backup_may_be_made_meanwhile() -> None:
    """It is never complete, and so would be made at once with every one after it."""
    judgement = changed(
        Run("v1.8.2", "backup"),
        lambda h: h.put("backups", backup("backup-x", "snap-x", "InProgress", job="other"), after="nightly-qa-1-abcde"),
    )
    assert not_pass(judgement) == {}


@pytest.mark.parametrize("release", WITH_OBJECTS)
@pytest.mark.parametrize(("state", "verdict"), [("InProgress", "fail"), ("Completed", "pass")])
def test_an_object_that_is_added_before_the_one_before_is_ready_is_at_once(
    release: str, state: str, verdict: str
) -> None:
    def early(history: Changed) -> None:
        added = next(r for r in history.of("backups") if r.object["metadata"]["labels"]["backup-volume"] == FAULTY)
        name, of = added.object["metadata"]["name"], added.object["spec"]["snapshotName"]
        place = history.records.index(added)
        ready = next(r for r in history.records[place + 1 :] if r in list(history.of("backups", name)))
        history.put("backups", backup("extra", of), after=name)
        extra = history.records[place + 1]
        if state == "Completed":  # after the first one was ready
            history.records.remove(extra)
            extra.object["metadata"]["resourceVersion"] = ready.object["metadata"]["resourceVersion"]
            history.records.insert(history.records.index(ready) + 1, extra)

    found = overlap(Run(release, "backup"), early)
    assert found.verdict == verdict
    assert ("were being made at once" in found.summary) == (verdict == "fail")
