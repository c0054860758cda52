# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release has: kinds, versions, fields, settings. Only tables are read here."""

from __future__ import annotations

import pytest

from longhorn_qa_lab.longhorn import crds, fields, settings
from longhorn_qa_lab.longhorn.releases import RELEASES, Span, release

KINDS = {name: [crd.plural for crd in crds.kinds(row)] for name, row in RELEASES.items()}


@pytest.mark.parametrize(
    ("plural", "first"),
    [
        pytest.param("volumes", "2020-06", id="since ever"),
        pytest.param("recurringjobs", "v1.2.6", id="recurring jobs as objects"),
        pytest.param("backuptargets", "v1.2.6", id="backup targets"),
        pytest.param("snapshots", "v1.3.3", id="snapshots"),
        pytest.param("volumeattachments", "v1.5.5", id="attachments"),
        pytest.param("backupbackingimages", "v1.8.2", id="backups of backing images"),
        pytest.param("shards", "v1.12.1", id="shards"),
    ],
)
def test_kinds_come_and_stay(plural: str, first: str) -> None:
    have = [name for name, plurals in KINDS.items() if plural in plurals]
    assert have == list(RELEASES)[list(RELEASES).index(first) :]


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        pytest.param("v1.2.6", {"v1beta1": (True, True)}, id="one version"),
        pytest.param("v1.3.3", {"v1beta1": (True, False), "v1beta2": (True, True)}, id="both are served"),
        pytest.param("v1.9.2", {"v1beta1": (False, False), "v1beta2": (True, True)}, id="the old one is only listed"),
        pytest.param("v1.12.1", {"v1beta2": (True, True)}, id="the old one is gone"),
    ],
)
def test_versions_of_the_api(name: str, versions: dict[str, tuple[bool, bool]]) -> None:
    found = {
        manifest["spec"]["names"]["kind"]: manifest["spec"]["versions"] for manifest in crds.manifests(release(name))
    }
    assert {version["name"]: (version["served"], version["storage"]) for version in found["Volume"]} == versions
    if "Snapshot" in found:
        assert [version["name"] for version in found["Snapshot"]] == ["v1beta2"], "never had another"


@pytest.mark.parametrize(
    ("name", "images"),
    [
        pytest.param("v1.5.5", {"engineImage"}, id="before the new name"),
        pytest.param("v1.8.2", {"engineImage", "image"}, id="both"),
        pytest.param("v1.9.2", {"image"}, id="after it"),
    ],
)
def test_the_engine_image_has_another_field(name: str, images: set[str]) -> None:
    row = release(name)
    for kind in ("Volume", "Engine", "Replica"):
        assert {"engineImage", "image"} & set(fields.of(kind, row)) == images
    assert images == set(row.image_fields)


def test_values_come_with_releases() -> None:
    def tasks(name: str) -> list[str]:
        found: list[str] = fields.schema("RecurringJob", release(name))["properties"]["spec"]["properties"]["task"][
            "enum"
        ]
        return found

    assert "filesystem-trim" not in tasks("v1.4.4")
    assert "filesystem-trim" in tasks("v1.5.5")
    assert "system-backup" in tasks("v1.9.2")
    for name, row in RELEASES.items():
        if row.crd_version == "v1beta2":
            assert set(tasks(name)) == set(row.job_rules.tasks)


@pytest.mark.parametrize(
    ("setting", "has", "has_not"),
    [
        pytest.param("backup-target", "v1.5.5", "v1.8.2", id="the backup target moves into objects"),
        pytest.param("disable-snapshot-purge", "v1.5.5", "v1.4.4", id="snapshots may be kept"),
        pytest.param("recurring-job-max-retention", "v1.8.2", "v1.5.5", id="the limit is a setting"),
        pytest.param("recurring-failed-jobs-history-limit", "v1.4.4", "v1.3.3", id="history of Jobs"),
    ],
)
def test_settings_come_and_go(setting: str, has: str, has_not: str) -> None:
    assert setting in settings.of(release(has))
    assert setting not in settings.of(release(has_not))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("250", "", id="the most"),
        pytest.param("251", "should be between 1 and 250", id="too many"),
        pytest.param("many", "is not a number", id="no number"),
    ],
)
def test_numbers_have_bounds(value: str, words: str) -> None:
    refusal = settings.of(release("v1.8.2"))["recurring-job-max-retention"].refusal(value)
    assert words in refusal
    assert bool(words) is bool(refusal)


def test_a_span_ends_before_its_end() -> None:
    span = Span(since=(1, 1, 1), before=(1, 5, 0))
    found = [number for number in ((1, 1, 0), (1, 1, 1), (1, 4, 9), (1, 5, 0)) if span.covers(number)]
    assert found == [(1, 1, 1), (1, 4, 9)]
