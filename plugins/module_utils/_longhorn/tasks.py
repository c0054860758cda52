# SPDX-License-Identifier: GPL-3.0-or-later
"""What recurring jobs can be told to do, and which releases know it: a data table.  (facts 3.2, 4.2)"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import versions

# Every task of every release, with the releases that first had it, one for each line that got it late.
TASKS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "snapshot": (("v1.0.0", ""),),
    "backup": (("v1.0.0", ""),),
    "snapshot-delete": (("v1.3.3", "v1.3.99"), ("v1.4.1", "")),
    "snapshot-cleanup": (("v1.3.3", "v1.3.99"), ("v1.4.1", "")),
    "snapshot-force-create": (("v1.3.3", "v1.3.99"), ("v1.4.2", "")),
    "backup-force-create": (("v1.3.3", "v1.3.99"), ("v1.4.2", "")),
    "filesystem-trim": (("v1.5.0", ""),),
    "system-backup": (("v1.9.0", ""),),  # of no volume, so that no cell can have it
}
PRE_CLEANED: tuple[Task, ...] = ("snapshot", "backup")  # where a release looks at what is there before it makes more
PURGING: tuple[Task, ...] = ("snapshot-cleanup", "filesystem-trim")  # they keep nothing, and delete nothing by name


def known_to(release: str) -> tuple[str, ...]:
    """The tasks that recurring jobs of that release can have."""
    return tuple(
        task for task, lines in TASKS.items() if any(versions.between(release, first, last) for first, last in lines)
    )
