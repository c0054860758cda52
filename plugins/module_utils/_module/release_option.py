# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``longhorn_release`` of modules that can do without a release, but not with a wrong one."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import KNOWN, UnknownRelease, profile


def known(release: str) -> bool:
    """Whether something can be judged by it."""
    try:
        profile(release, "snapshot")
    except UnknownRelease:
        return False
    return True


def stated(params: Mapping[str, t.Any]) -> str:
    """The release that the user states, or nothing; BadInput for one that nothing can be judged by."""
    release: str = params.get("longhorn_release") or ""
    if release and not known(release):
        raise BadInput(
            "the release has no profile",
            subject="longhorn_release",
            expected=f"one of {KNOWN}, or a newer one",
            seen=release,
            advice="State the one your build was made from, or leave it empty to be judged by the contract alone.",
        )
    return release
