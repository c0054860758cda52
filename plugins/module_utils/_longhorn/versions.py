# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's releases as numbers, to be compared. Pure."""

from __future__ import annotations

import re

Number = tuple[int, int, int]

# The build of June 2020 that the manual procedure was written for: 1.0.0 with the fix, and before 1.0.1.
JUNE_2020 = "2020-06"

_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def number(release: str) -> Number:
    """The release's number, which is 1.0.0 for the build of June 2020; ValueError for what names no release."""
    match = _RELEASE.fullmatch("v1.0.0" if release == JUNE_2020 else release)
    if match is None:
        raise ValueError(f"{release!r} is not a release; expected vX.Y.Z, or {JUNE_2020} for the build of that month")
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def between(release: str, first: str, last: str = "") -> bool:
    """Whether the release is one from ``first`` to ``last``, both included; without ``last`` there is no end."""
    return number(first) <= number(release) and (not last or number(release) <= number(last))
