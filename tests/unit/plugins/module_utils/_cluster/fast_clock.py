# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock for what runs in threads of its own."""

from __future__ import annotations

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SystemClock


class FastClock(SystemClock):
    """Real threads need real moments; but a second of theirs is a hundredth of ours."""

    def monotonic(self) -> float:
        return super().monotonic() * 100

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 100)
