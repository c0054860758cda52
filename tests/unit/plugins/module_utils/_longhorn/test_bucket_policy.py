# SPDX-License-Identifier: GPL-3.0-or-later
"""The statement in a bucket's policy: what it is about, and that the owner's own stay as they are."""

from __future__ import annotations

import typing as t
from fnmatch import fnmatchcase

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import bucket_policy

MARK = bucket_policy.mark("a-1")
FOLDER = "backupstore/volumes/1f/4e/v/"
OWNERS: dict[str, t.Any] = {"Sid": "Owner", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}


def refused(key: str, *, path: str = "") -> bool:
    ours = bucket_policy.statement(MARK, bucket="b", path=path, folders=[FOLDER])
    return any(fnmatchcase(f"arn:aws:s3:::b/{key}", pattern) for pattern in ours["Resource"])


@pytest.mark.parametrize("path", ["", "some/where"])
def test_backups_and_their_probe_are_refused_by_the_same_pattern(path: str) -> None:
    start = f"{path}/" if path else ""
    assert refused(f"{start}{FOLDER}backups/backup_b.cfg", path=path)
    assert refused(bucket_policy.probe_key(path, MARK, FOLDER), path=path)
    assert bucket_policy.probe_key(path, MARK, FOLDER).startswith(bucket_policy.probes(path, MARK))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(f"{FOLDER}locks/lock-1.lck", id="a lock"),
        pytest.param(f"{FOLDER}blocks/aa/bb/c.blk", id="a block"),
        pytest.param(f"{FOLDER}volume.cfg", id="the volume"),
        pytest.param("backupstore/volumes/1f/4e/w/backups/backup_b.cfg", id="another volume"),
    ],
)
def test_all_else_can_be_deleted(key: str) -> None:
    assert not refused(key)


def test_longhorn_lists_no_probe() -> None:
    assert not bucket_policy.probe_key("path", MARK, FOLDER).startswith("path/backupstore/")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({}, id="no policy"),
        pytest.param({"Version": "2008-10-17", "Id": "mine", "Statement": [OWNERS]}, id="the owner's"),
        pytest.param({"Version": "2012-10-17", "Statement": [OWNERS, {**OWNERS, "Sid": ""}]}, id="two"),
    ],
)
def test_it_goes_as_it_came(before: dict[str, t.Any]) -> None:
    ours = bucket_policy.statement(MARK, bucket="b", path="", folders=[FOLDER])
    after = bucket_policy.with_statement(before, ours)
    assert bucket_policy.named(after, MARK) == ours
    assert bucket_policy.without(after, MARK) == before
    assert after["Version"] == before.get("Version", "2012-10-17")


def test_one_of_the_same_name_is_replaced_and_a_single_statement_is_no_list() -> None:
    ours = bucket_policy.statement(MARK, bucket="b", path="", folders=[FOLDER])
    once = bucket_policy.with_statement({"Statement": OWNERS}, {**ours, "Resource": []})
    assert bucket_policy.with_statement(once, ours)["Statement"] == [OWNERS, ours]


def test_runs_of_different_names_have_different_statements() -> None:
    assert len({bucket_policy.mark(run) for run in ("", "a1", "a-1", "a--1")}) == 4
    assert all(bucket_policy.mark(run).isalnum() for run in ("", "a1", "a-1"))
