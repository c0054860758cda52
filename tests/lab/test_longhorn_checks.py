# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated manager's API refuses, with Longhorn's own limits."""

from __future__ import annotations

import typing as t

import pytest

from longhorn_qa_lab.longhorn import checks
from longhorn_qa_lab.longhorn.checks import Refused
from longhorn_qa_lab.longhorn.releases import RELEASES, UnknownRelease, release

RELEASE = RELEASES["v1.0.1"]


def job(**changes: t.Any) -> dict[str, t.Any]:
    return {"name": "c-1", "task": "snapshot", "cron": "*/3 * * * *", "retain": 1, "labels": None, **changes}


def test_good_jobs_are_stored_as_they_are() -> None:
    jobs = [job(), job(name="c-2", task="backup", retain=49, labels={"a": "b"})]
    assert checks.recurring_jobs(jobs, RELEASE) == jobs


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        pytest.param([job(name="")], "invalid job", id="no name"),
        pytest.param([job(task="")], "invalid job", id="no task"),
        pytest.param([job(cron="")], "invalid job", id="no cron"),
        pytest.param([job(retain=0)], "invalid job", id="retain 0"),
        pytest.param([job(name="nine-char")], "job name nine-char is too long, must be 8 characters", id="long name"),
        pytest.param([job(), job()], "duplicate job c-1", id="twice the same name"),
        pytest.param([job(retain=30), job(name="c-2", retain=21)], "more than 50 snapshots", id="sum of retain"),
        pytest.param([job(cron="* * * *")], "expected exactly 5 fields, found 4", id="four fields"),
        pytest.param([job(cron="61 * * * *")], "end of range (61) above maximum (59)", id="minute 61"),
        pytest.param([job(cron="x * * * *")], "failed to parse int from x", id="no number"),
        pytest.param([job(cron="*/0 * * * *")], "step of range should be a positive number", id="step 0"),
        pytest.param([job(cron="5-1 * * * *")], "beginning of range (5) beyond end of range (1)", id="backwards"),
        pytest.param([job(cron="@often")], "unrecognized descriptor: @often", id="descriptor"),
    ],
)
def test_bad_jobs_are_refused_in_longhorns_words(jobs: list[dict[str, t.Any]], message: str) -> None:
    with pytest.raises(Refused) as error:
        checks.recurring_jobs(jobs, RELEASE)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "cron", ["* * * * *", "*/3 0-5,7 1 jan mon-fri", "@daily", "@every 5m", "0 0 31 12 *", "? * * * ?", "59 23 * * 0"]
)
def test_crons_that_parse(cron: str) -> None:
    assert checks.cron_error(cron) == ""


@pytest.mark.parametrize(
    ("text", "size"),
    [("32Mi", 32 << 20), ("1Gi", 1 << 30), ("1", 2 << 20), ("33554433", 34 << 20), ("10M", 10 << 20)],
    ids=lambda value: str(value),
)
def test_sizes_are_rounded_up_to_whole_blocks(text: str, size: int) -> None:
    assert checks.size(text) == size


@pytest.mark.parametrize("text", ["", "0", "1.5Gi", "-1", "1 Gi", "1GB"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(Refused, match="size"):
        checks.size(text)


@pytest.mark.parametrize("name", ["a" * 41, "a", "", "-a", "a/b", "a b"])
def test_bad_volume_names(name: str) -> None:
    with pytest.raises(Refused, match="name"):
        checks.volume_name(name, RELEASE)


def test_longest_volume_name() -> None:
    checks.volume_name("a" * 40, RELEASE)


def test_unknown_release_names_the_known_ones() -> None:
    with pytest.raises(UnknownRelease, match=r"'v9.9.9'; it knows 2020-06, v1\.0\.0, v1\.0\.1"):
        release("v9.9.9")
