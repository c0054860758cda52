# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: those that Longhorn derives, compared with real ones, and what is refused in which words."""

from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names


@pytest.mark.parametrize(
    ("image", "name"),
    [
        pytest.param("quay.io/ttpcodes/longhorn-engine:no-cleanup", "ei-0016307a", id="stub-snapshots"),
        pytest.param("quay.io/ttpcodes/longhorn-engine:no-cleanup-backup", "ei-8c46eb1f", id="stub-backups"),
        pytest.param("longhornio/longhorn-engine:v1.0.1", "ei-3bd16bdf", id="v1.0.1"),
        pytest.param("longhornio/longhorn-engine:v1.0.0-fix", "ei-20ba1daa", id="custom-build"),
        pytest.param(" longhornio/longhorn-engine:v1.0.1\n", "ei-3bd16bdf", id="white-space-is-trimmed"),
    ],
)
def test_an_engine_image_has_the_name_that_longhorn_gave_it(image: str, name: str) -> None:
    assert names.engine_image_name(image) == name


def test_a_cronjob_has_the_name_that_longhorn_gave_it() -> None:
    assert names.cronjob_name("test-nc-back", "c-ncbck") == "test-nc-back-c-ncbck-c"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("a" * 41, "41 characters; Longhorn allows 40", id="too-long"),
        pytest.param("Test", "lower-case", id="upper-case"),
        pytest.param("-test", "hyphens", id="hyphen-first"),
        pytest.param("test_1", "lower-case", id="underscore"),
        pytest.param("test/../other", "lower-case", id="path"),
    ],
)
def test_a_bad_volume_name_is_refused_in_words(name: str, words: str) -> None:
    assert words in " ".join(names.volume_name_problems(name))


@pytest.mark.parametrize("name", [pytest.param("a" * 40, id="longest"), pytest.param("test-1", id="ordinary")])
def test_a_good_volume_name_has_no_problem(name: str) -> None:
    assert names.volume_name_problems(name) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("c-ncbsnap", "9 characters; this Longhorn release allows 8", id="refused-by-the-real-manager"),
        pytest.param("Nightly", "lower-case", id="upper-case"),
    ],
)
def test_a_bad_job_name_is_refused_in_words(name: str, words: str) -> None:
    assert words in " ".join(names.job_name_problems(name))


def test_a_job_name_of_eight_characters_fits() -> None:
    assert names.job_name_problems("c-yxam34") == []


@pytest.mark.parametrize(
    "image",
    [
        pytest.param("", id="empty"),
        pytest.param("   ", id="blank"),
        pytest.param(" longhornio/longhorn-engine:v1", id="leading-space"),
        pytest.param("longhornio/longhorn-engine:", id="tag-missing"),
        pytest.param("longhornio/Longhorn:v1", id="upper-case-name"),
        pytest.param("longhornio//engine:v1", id="empty-part"),
        pytest.param("https://quay.io/engine:v1", id="url"),
        pytest.param("engine:v1@sha256:12", id="short-digest"),
        pytest.param("engine:v 1", id="space-inside"),
        pytest.param("engine:v1\nmore", id="line-break"),
    ],
)
def test_a_malformed_image_reference_is_refused(image: str) -> None:
    assert len(names.image_problems(image)) == 1


@pytest.mark.parametrize(
    "image",
    [
        pytest.param("quay.io/ttpcodes/longhorn-engine:no-cleanup", id="registry"),
        pytest.param("registry.example:5000/a/b__c/d-e:V1.0_x", id="port-and-odd-tag"),
        pytest.param("engine", id="name-only"),
        pytest.param("localhost/engine@sha256:" + "0a" * 32, id="digest"),
    ],
)
def test_a_good_image_reference_has_no_problem(image: str) -> None:
    assert names.image_problems(image) == []


@pytest.mark.parametrize(
    ("retain", "others", "words"),
    [
        pytest.param(0, 0, "at least 1", id="zero"),
        pytest.param(-3, 0, "retain -3", id="negative"),
        pytest.param(51, 0, "more than the 50", id="beyond-the-limit"),
        pytest.param(26, 25, "together with 25", id="sum-beyond-the-limit"),
    ],
)
def test_a_retain_that_longhorn_refuses_is_refused_here(retain: int, others: int, words: str) -> None:
    assert words in " ".join(names.retain_problems(retain, others=others))


def test_a_retain_up_to_the_limit_is_allowed() -> None:
    assert names.retain_problems(50) == names.retain_problems(25, others=25) == []


@pytest.mark.parametrize("run_id", [pytest.param("x" * 13, id="long"), pytest.param("A1", id="upper-case")])
def test_a_run_id_that_would_not_fit_into_names_is_refused(run_id: str) -> None:
    assert names.run_id_problems(run_id)


def test_only_the_same_run_owns_an_object() -> None:
    assert names.owned_by_run({names.RUN_ID_LABEL: "a1"}, "a1")
    assert not names.owned_by_run({names.RUN_ID_LABEL: "a2"}, "a1")
    assert not names.owned_by_run({names.RUN_ID_LABEL: ""}, "")
    assert not names.owned_by_run({}, "a1")
