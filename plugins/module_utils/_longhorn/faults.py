# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a deletion fail, and on which releases the recurring job itself gets to see it: a data table.

*visible*: the call that the job makes comes back with an error. *asynchronous*: the job is told that all is well, and
somebody else's deletion fails later. *silent*: nothing fails anywhere, and the data stays all the same. *none*: that
release never passes there, so a run would prove nothing. Section numbers in comments are those of the project's
collected Longhorn facts.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._history.model import Fault, FaultType, Task
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import versions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.tasks import PURGING

Effect = t.Literal["visible", "asynchronous", "silent", "none"]
TYPES: tuple[FaultType, ...] = t.get_args(FaultType)


@dataclass(frozen=True)
class _Row:
    fault_type: FaultType
    deletion: Fault
    effect: Effect
    first: str
    last: str = ""  # empty: no end is known


# 5.1 tells where each deletion runs, 5.3 what breaks it there. The first row that fits decides.
_TABLE: tuple[_Row, ...] = (
    # A stub that refuses on its command line. Nobody calls it for snapshots since the proxy of 1.3.  (5.3, 1 and 2)
    _Row("engine-image", "snapshot-delete", "visible", "v1.0.0", "v1.2.6"),
    _Row("engine-image", "backup-delete", "visible", "v1.0.0", "v1.0.0"),
    # New volumes have the default image; backups are deleted with it since 1.0.1, behind the job's back.  (5.3, 4)
    # Whether the setting can be changed while Longhorn runs was seen of 1.0.1 and 1.3.3 only (1.3, addendum). Of an
    # engine built to refuse inside its replicas nothing is said here: as a volume's own image it does the same.
    _Row("default-engine-image", "snapshot-delete", "visible", "v1.0.0", "v1.2.6"),
    _Row("default-engine-image", "backup-delete", "visible", "v1.0.0", "v1.0.0"),
    _Row("default-engine-image", "backup-delete", "asynchronous", "v1.0.1"),
    # An engine built to refuse inside its replicas, where the proxy ends up.  (5.3, 3)
    _Row("patched-engine-image", "snapshot-delete", "visible", "v1.3.0", "v1.4.4"),
    _Row("patched-engine-image", "snapshot-delete", "asynchronous", "v1.5.0"),
    _Row("backup-store", "backup-delete", "visible", "v1.0.0", "v1.0.0"),  # 5.3, 6
    _Row("backup-store", "backup-delete", "asynchronous", "v1.0.1"),
    _Row("bucket-policy", "backup-delete", "visible", "v1.0.0", "v1.0.0"),  # as the one before
    _Row("bucket-policy", "backup-delete", "asynchronous", "v1.0.1"),
    # Deletions are API objects' deletions: backups' since 1.2, snapshots' since 1.5.  (5.3, 8)
    _Row("admission", "backup-delete", "visible", "v1.2.0"),
    _Row("admission", "snapshot-delete", "visible", "v1.5.0"),
    _Row("disable-snapshot-purge", "snapshot-delete", "asynchronous", "v1.5.4"),  # 5.3, 10
    _Row("object-lock", "backup-delete", "silent", "v1.0.0"),  # 5.3, 6: a delete marker is no failure
)

# Where a task only purges, the job asks for it itself, waits, and sees it fail.  (4.2; 5.3, 10)
_PURGES = (_Row("disable-snapshot-purge", "snapshot-delete", "visible", "v1.5.4"),)

# What a user can have without building anything comes first.
_PREFERRED: tuple[FaultType, ...] = (
    "engine-image", "admission", "disable-snapshot-purge", "backup-store", "bucket-policy",
    "default-engine-image", "patched-engine-image",
)  # fmt: skip


def effect(release: str, fault_type: FaultType, deletion: Fault, *, task: Task = "backup") -> Effect:
    """What this fault does to that deletion on a release, when a job with that task asks for it."""
    for row in _PURGES if task in PURGING else _TABLE:
        fits = (row.fault_type, row.deletion) == (fault_type, deletion)
        if fits and versions.between(release, row.first, row.last):
            return row.effect
    return "none"


def working(release: str, deletion: Fault, *, task: Task = "backup") -> tuple[str, ...]:
    """Every fault that makes this deletion fail on a release, with its effect: ``admission (visible)``."""
    found = ((one, effect(release, one, deletion, task=task)) for one in _PREFERRED)
    return tuple(f"{one} ({has})" for one, has in found if has in ("visible", "asynchronous"))


def choose(release: str, deletion: Fault, wanted: Effect, *, task: Task = "backup") -> FaultType | None:
    """The easiest fault with that effect on a release; None when there is none."""
    return next((one for one in _PREFERRED if effect(release, one, deletion, task=task) == wanted), None)
