# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts, schedules and whole histories since 1.2, releases that nobody knows, and the contract in words."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from tests.unit.plugins.module_utils._judge.changed import (
    SHARED,
    VISIBLE,
    Change,
    Changed,
    cell_of,
    changed,
    checks,
    every_five_minutes,
    not_pass,
    snapshot,
)
from tests.unit.plugins.module_utils._judge.made import BYSTANDER, FAULTY, Run

from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._judge.judge import judge
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import Profile, profile


# --- attempts --------------------------------------------------------------------------------------------------------
def counted(rise: int) -> Change:
    """From the second Job on the recurring job's object has counted so many more."""

    def change(history: Changed) -> None:
        later = False
        for record in history.records:
            if isinstance(record, model.ObjectSeen):
                later = later or record.object["metadata"]["name"] == "nightly-qa-2"
                if later and record.kind == "recurringjobs":
                    t.cast(t.Any, record.object)["status"]["executionCount"] += rise

    return change


@pytest.mark.parametrize("release", ["v1.8.2", "v1.9.2", "v1.12.1"])
def test_the_execution_count_tells_of_starts_that_nobody_saw(release: str) -> None:
    judgement = changed(Run(release, "snapshot"), counted(1))
    assert not_pass(judgement) == {"single-attempt": "fail"}
    said = checks(judgement)["single-attempt"]
    assert said.summary == "the executionCount rose by 2 in Job nightly-qa-2, which had one attempt that was seen"
    assert any(item.what == "recurringjobs/nightly" for item in said.evidence)
    judgement = changed(Run(release, "snapshot"), counted(-1))
    assert not_pass(judgement) == {"single-attempt": "inconclusive"}


def test_a_release_that_does_not_count_has_nothing_to_tell() -> None:
    def count(history: Changed) -> None:
        for place, record in enumerate(history.of("recurringjobs")):
            record.object["status"]["executionCount"] = place * 3

    assert not_pass(changed(Run("v1.5.5", "snapshot"), count)) == {}


def test_what_the_count_was_before_has_to_be_known() -> None:
    judgement = changed(
        Run("v1.8.2", "snapshot"),
        lambda h: h.drop(lambda r: isinstance(r, model.ObjectSeen) and r.kind == "recurringjobs" and r.via == "list"),
    )
    assert not_pass(judgement) == {}
    assert len([e for e in checks(judgement)["single-attempt"].evidence if e.what == "recurringjobs/nightly"]) == 2


# --- the schedule and its events -------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", SHARED)
def test_a_recurring_jobs_own_cronjob_tells_of_its_jobs(release: str) -> None:
    judgement = changed(Run(release, "backup", scheduled=True))
    assert not_pass(judgement) == not_pass(judgement, BYSTANDER) == {}
    for check in ("events-recorded", "count-matches-schedule"):
        assert checks(judgement)[check].verdict == "pass", checks(judgement)[check].summary


@pytest.mark.parametrize("release", ["v1.4.4", "v1.5.5", "v1.8.2"])
def test_the_cronjob_tells_of_failed_jobs_and_of_growth_by_attempts(release: str) -> None:
    fault_type = "patched-engine-image" if release == "v1.4.4" else "admission"
    judgement = changed(Run(release, "snapshot-force-create", VISIBLE, fault_type, scheduled=True))
    found = checks(judgement)
    for check in ("events-recorded", "count-matches-schedule", "job-succeeded"):
        assert found[check].verdict == "fail"
        assert found[check].known_issue.startswith("longhorn#10154: ")
    assert "end with status Failed" in found["events-recorded"].summary
    assert cell_of(judgement).contract == "fails the contract, as this release is known to (longhorn#10154)"


def test_an_event_that_is_missing() -> None:
    judgement = changed(Run("v1.8.2", "snapshot", scheduled=True), lambda h: h.drop(
        lambda r: isinstance(r, model.ObjectSeen) and "Saw completed job" in str(r.object.get("message"))
    ))  # fmt: skip
    assert not_pass(judgement) == {"events-recorded": "fail"}


def test_no_growth_where_a_release_refuses_to_make_more() -> None:
    judgement = changed(Run("v1.9.2", "snapshot", VISIBLE, "admission", scheduled=True))
    assert checks(judgement)["count-matches-schedule"].verdict == "pass"


# --- is the history whole --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["recurringjobs", "snapshots", "backups"])
@pytest.mark.parametrize("release", ["v1.1.3", "v1.2.6", "v1.3.3", "v1.12.1"])
def test_kinds_that_a_release_has_are_to_be_watched(release: str, kind: str) -> None:
    there = {"v1.1.3": (), "v1.2.6": ("recurringjobs", "backups")}.get(
        release, ("recurringjobs", "snapshots", "backups")
    )
    found = checks(changed(Run(release, "snapshot"), lambda h: h.gap(kind)))["history-complete"]
    assert found.verdict == "inconclusive"

    def unwatched(history: Changed) -> None:
        start = history.records[0]
        history.records[0] = replace(start, kinds=tuple(item for item in start.kinds if item != kind))

    found = checks(changed(Run(release, "snapshot"), unwatched))["history-complete"]
    assert found.verdict == ("inconclusive" if kind in there else "pass")


# --- releases that nobody knows --------------------------------------------------------------------------------------
def as_release(release: str) -> Change:
    def change(history: Changed) -> None:
        start = history.records[0]
        history.records[0] = replace(start, subjects=replace(start.subjects, release=release))

    return change


@pytest.mark.parametrize("task", ["snapshot", "backup", "snapshot-delete"])
@pytest.mark.parametrize("change", [lambda _history: None, as_release("v0.1.0")], ids=["known", "without a profile"])
def test_every_check_names_its_volume(task: str, change: Change) -> None:
    judgement = changed(Run("v1.8.2", task), change)
    for volume in (FAULTY, BYSTANDER):
        assert {check.volume for check in cell_of(judgement, volume).checks} == {volume}


def test_without_a_profile_the_release_is_to_be_stated() -> None:
    judgement = changed(Run("v1.8.2", "snapshot", VISIBLE, "admission"), as_release("v0.1.0"))
    for name in ("fault-live", "cleanup-warning"):
        found = checks(judgement)[name]
        assert found.verdict == "inconclusive"
        assert "State the release with longhorn_release." in found.advice


def test_a_release_that_is_not_known_meets_the_contract_or_not() -> None:
    judgement = changed(Run("v1.12.1", "backup"), as_release("v1.13.0"))
    assert not_pass(judgement) == {}
    assert cell_of(judgement).contract.startswith("meets the contract. Longhorn v1.13.0 is not known here, v1.12.1 is")
    judgement = changed(Run("v1.12.1", "snapshot", VISIBLE, "admission"), as_release("v1.13.0"))
    found = checks(judgement)["job-succeeded"]
    assert (found.verdict, found.known_issue) == ("fail", "")
    assert cell_of(judgement).contract.startswith("fails the contract. Longhorn v1.13.0 is not known here")


def test_a_failing_job_of_a_release_that_is_not_known_is_no_known_issue() -> None:
    judgement = changed(Run("v1.8.2", "snapshot", VISIBLE, "admission"), as_release("v1.8.9"))
    assert checks(judgement)["single-attempt"].verdict == "fail"
    assert {check.known_issue for check in judgement.checks} == {""}


def test_other_words_of_a_release_that_is_not_known_are_not_missing() -> None:
    judgement = changed(
        Run("v1.12.1", "snapshot-force-create", VISIBLE, "admission"),
        as_release("v1.13.0"),
        lambda h: h.edit("nightly-qa", "Failed to run volume job", "Will try again"),
    )
    found = checks(judgement)
    for check in ("fault-live", "cleanup-warning"):
        assert found[check].verdict == "inconclusive"
        assert "Longhorn v1.13.0 is not known here" in found[check].summary
        assert found[check].advice == "State the release with longhorn_release."


def test_a_backup_that_a_release_that_is_not_known_names_in_other_words() -> None:
    judgement = changed(
        Run("v1.12.1", "backup"),
        as_release("v1.13.0"),
        lambda h: h.edit("nightly-qa", "Completed creating backup", "Has backup"),
    )
    assert checks(judgement)["store-agrees"].verdict == "inconclusive"
    judgement = changed(
        Run("v1.12.1", "backup"), lambda h: h.edit("nightly-qa", "Completed creating backup", "Has backup")
    )
    assert checks(judgement)["store-agrees"].verdict == "fail"


# --- the contract in words -------------------------------------------------------------------------------------------
def test_a_known_deviation_and_another_one() -> None:
    judgement = changed(
        Run("v1.9.2", "snapshot", VISIBLE, "admission"),
        lambda h: h.put("snapshots", snapshot("extra"), after="nightly-qa-2-abcde"),
    )
    contract = "fails the contract, as this release is known to (longhorn#13587), and beyond that in "
    assert cell_of(judgement).contract == contract + "one-snapshot-per-invocation"


def test_an_issue_is_named_once_and_two_are_both_named() -> None:
    judgement = changed(Run("v1.2.6", "backup", VISIBLE))
    named = {check.check for check in checks(judgement).values() if check.known_issue}
    assert len(named) == 2, "both of one issue"
    assert cell_of(judgement).contract == "fails the contract, as this release is known to (longhorn#4255)"

    def of_two_issues(release: str, task: model.Task) -> Profile:
        known = profile(release, task)
        first, *others = known.known_issues
        return replace(known, known_issues=(replace(first, issue="longhorn#1"), *others))

    judged = judge(Run("v1.2.6", "backup", VISIBLE).history(), profiles=of_two_issues, ticks=every_five_minutes)
    contract = "fails the contract, as this release is known to (longhorn#1, longhorn#4255)"
    assert cell_of(judged).contract == contract


def test_an_issue_explains_only_what_it_does() -> None:
    """A Job that is Failed is none that is Complete although it failed."""

    def failed(history: Changed) -> None:
        for record in history.of("jobs", "nightly-qa-2"):
            for condition in record.object["status"].get("conditions", []):
                condition["type"] = "Failed"

    found = checks(changed(Run("v1.9.2", "snapshot"), failed))["job-succeeded"]
    assert (found.verdict, found.known_issue) == ("fail", "")


def test_what_is_not_known_to_meet_the_contract() -> None:
    judgement = changed(Run("v1.9.2", "snapshot"), lambda h: h.gap("snapshots"))
    assert cell_of(judgement).contract == "is not known to meet the contract, nor to fail it"
