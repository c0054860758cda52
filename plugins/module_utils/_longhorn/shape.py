# SPDX-License-Identifier: GPL-3.0-or-later
"""What Longhorn's API is like, told by what the server serves: the modules follow it, and nobody has to choose.

A release decides how Longhorn behaves, its shape how it is asked. The two are kept apart: a custom build, whose release
nobody can tell, still says what it serves.
"""

from __future__ import annotations

from dataclasses import dataclass

GROUP = "longhorn.io"
VERSIONS = ("v1beta2", "v1beta1")  # the first that is served is the one to use


@dataclass(frozen=True)
class Shape:
    """The version in which Longhorn's objects are read and written, and the kinds it has, by their plurals."""

    version: str
    kinds: frozenset[str]

    @property
    def job_objects(self) -> bool:
        """Recurring jobs are objects, each for many volumes (since 1.2); before, entries in a volume's list."""
        return "recurringjobs" in self.kinds

    @property
    def backup_objects(self) -> bool:
        """Backups and the backup target are objects (since 1.2)."""
        return "backups" in self.kinds

    @property
    def snapshot_objects(self) -> bool:
        """Snapshots are objects (since 1.3)."""
        return "snapshots" in self.kinds

    @property
    def validated(self) -> bool:
        """Longhorn's webhooks and schemas judge what is written (since 1.3); before, only its REST API does."""
        return self.version == "v1beta2"

    @property
    def attachment_tickets(self) -> bool:
        """Whoever wants a volume attached holds a ticket (since 1.5); before, the volume names its node."""
        return "volumeattachments" in self.kinds
