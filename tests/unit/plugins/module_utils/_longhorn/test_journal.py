# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run: what it keeps, and what is not taken for one."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import (
    Journal,
    JournalError,
    from_config_map,
    to_config_map,
    to_restore,
)

JOURNAL = Journal(
    run_id="a1",
    settings={"default-engine-image": "engine:v1", "backup-target": "", "backup-target-credential-secret": ""},
    backup_targets={"default": {"name": "default", "url": "s3://b@r/", "credential_secret": "s", "poll_interval": 300}},
    volumes=("qa-a1-x-back",),
    namespaces=("longhorn-qa-store-a1",),
    stores=({"target": "s3://b@r/", "secret": "s"},),
)


def test_what_was_written_is_read_again() -> None:
    assert from_config_map(to_config_map(JOURNAL, namespace="longhorn-system"), "a1") == JOURNAL


def test_the_journal_carries_the_mark_of_its_run() -> None:
    metadata = to_config_map(JOURNAL, namespace="longhorn-system")["metadata"]

    assert (metadata["name"], metadata["labels"]["longhorn.qa/run-id"]) == ("longhorn-qa-a1", "a1")


def test_more_is_added_once_and_what_was_noted_stands() -> None:
    wanted = Journal("a1", settings={"backup-target": "s3://later@r/"}, volumes=("w", "qa-a1-x-back"), faults=("f",))

    more = JOURNAL.with_more(wanted).with_more(wanted)

    assert more == replace(JOURNAL, volumes=("qa-a1-x-back", "w"), faults=("f",))


def test_only_changed_settings_are_put_back_and_the_engine_image_first() -> None:
    now = {
        "backup-target": "s3://b@r/",
        "default-engine-image": "stub:x",
        "backup-target-credential-secret": "",
    }

    assert to_restore(JOURNAL, now) == [("default-engine-image", "engine:v1"), ("backup-target", "")]


def test_a_setting_that_is_noted_later_keeps_its_first_value_and_its_place() -> None:
    noted = JOURNAL.with_setting("b", "1").with_setting("a", "2").with_setting("b", "changed").with_setting("c", "3")
    kept = from_config_map(to_config_map(noted, namespace="longhorn-system"), "a1")

    assert list(kept.settings.items())[-3:] == [("b", "1"), ("a", "2"), ("c", "3")]
    assert kept.early == ("b", "a", "c")


def test_what_was_changed_last_is_put_back_first() -> None:
    noted = JOURNAL.with_setting("auto-cleanup", "true").with_setting("disable-purge", "false")
    now = {**JOURNAL.settings, "auto-cleanup": "false", "disable-purge": "true", "default-engine-image": "stub:x"}

    assert [name for name, _value in to_restore(noted, now)] == [
        "disable-purge",
        "auto-cleanup",
        "default-engine-image",
    ]


def test_a_setting_for_each_data_engine_counts_as_put_back() -> None:
    noted = JOURNAL.with_setting("default-replica-count", '{"v1":"3","v2":"3"}')
    now = {**JOURNAL.settings, "default-replica-count": '{ "v2": "3", "v1": "3" }'}

    assert to_restore(noted, now) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            {"metadata": {"labels": {"longhorn.qa/run-id": "b2"}}}, "lacks the label", id="another run's mark"
        ),
        pytest.param({"data": {"settings": "{"}}, "settings is not JSON", id="broken JSON"),
        pytest.param({"data": {"backup_targets": '{"a": 1}'}}, "JSON objects only", id="a number instead of a target"),
        pytest.param({"data": {"volumes": "{}"}}, "volumes is not a JSON list", id="an object instead of a list"),
    ],
)
def test_what_is_not_a_journal_is_refused(change: dict[str, t.Any], told: str) -> None:
    document = {**to_config_map(JOURNAL, namespace="longhorn-system"), **change}

    with pytest.raises(JournalError, match=told):
        from_config_map(document, "a1")
