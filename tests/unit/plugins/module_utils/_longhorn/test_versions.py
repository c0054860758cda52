# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import versions


def test_releases_are_ordered_by_number_not_by_letter() -> None:
    assert versions.number("v1.10.2") > versions.number("v1.9.3")
    assert versions.number(versions.JUNE_2020) == versions.number("v1.0.0")


@pytest.mark.parametrize("release", ["", "1.4.0", "v1.4", "v1.4.0-rc1", "master"])
def test_what_names_no_release_is_refused(release: str) -> None:
    with pytest.raises(ValueError, match=r"expected vX\.Y\.Z"):
        versions.number(release)


@pytest.mark.parametrize(
    ("release", "inside"),
    [("v1.2.6", False), ("v1.3.0", True), ("v1.3.3", True), ("v1.4.4", True), ("v1.5.0", False)],
)
def test_a_range_includes_both_its_ends(release: str, inside: bool) -> None:
    assert versions.between(release, "v1.3.0", "v1.4.4") is inside


def test_a_range_may_have_no_end() -> None:
    assert versions.between("v2.0.0", "v1.5.4")
    assert not versions.between("v1.5.3", "v1.5.4")
