# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the simulated releases, as data: a new release is a new row, not a new branch."""

from __future__ import annotations

import dataclasses
import typing as t


class UnknownRelease(LookupError):
    """The lab has no row for a release."""


@dataclasses.dataclass(frozen=True)
class Release:
    """One release's behaviour, as far as the lab shows it."""

    name: str
    manager_image: str
    engine_image: str
    instance_manager_image: str
    engine_version: str
    #: "engine": the job's process calls the volume's engine binary itself; "api": it asks the manager.
    jobs_through: t.Literal["engine", "api"]
    #: What the job's process does when the clean-up after a good creation fails.
    cleanup_failure: t.Literal["fatal", "warning"]
    #: Whose engine binary deletes backups, and whether the job waits for it.
    backup_deletion: t.Literal["volume-image", "default-image"]
    #: Whether the CronJob's command and environment carry the backup target and its credentials.
    target_in_command: bool
    max_job_name: int = 8
    max_retain: int = 50
    max_volume_name: int = 40
    #: Seconds; each is multiplied by the lab's poll scale.
    job_poll: float = 5.0
    engine_refresh: float = 5.0
    store_poll: float = 300.0
    unused_image_minutes: float = 60.0
    cli_version: int = 3
    cli_min_version: int = 3
    #: The oldest engine command line the manager accepts.
    accepts_cli: int = 3
    controller_version: int = 3
    controller_min_version: int = 3


_INSTANCE_MANAGER = "longhornio/longhorn-instance-manager:v1_20200514"

RELEASES: t.Final[t.Mapping[str, Release]] = {
    row.name: row
    for row in (
        Release(
            name="2020-06",
            manager_image="longhornio/longhorn-manager:v1.0.0-fix",
            engine_image="longhornio/longhorn-engine:v1.0.0-fix",
            instance_manager_image=_INSTANCE_MANAGER,
            engine_version="v1.0.0",
            jobs_through="engine",
            cleanup_failure="warning",
            backup_deletion="volume-image",
            target_in_command=True,
        ),
        Release(
            name="v1.0.0",
            manager_image="longhornio/longhorn-manager:v1.0.0",
            engine_image="longhornio/longhorn-engine:v1.0.0",
            instance_manager_image=_INSTANCE_MANAGER,
            engine_version="v1.0.0",
            jobs_through="engine",
            cleanup_failure="fatal",
            backup_deletion="volume-image",
            target_in_command=True,
        ),
        Release(
            name="v1.0.1",
            manager_image="longhornio/longhorn-manager:v1.0.1",
            engine_image="longhornio/longhorn-engine:v1.0.1",
            instance_manager_image=_INSTANCE_MANAGER,
            engine_version="v1.0.1",
            jobs_through="api",
            cleanup_failure="warning",
            backup_deletion="default-image",
            target_in_command=False,
        ),
    )
}


def release(name: str) -> Release:
    """The row of a release."""
    try:
        return RELEASES[name]
    except KeyError:
        known = ", ".join(RELEASES)
        raise UnknownRelease(f"the lab does not know Longhorn release {name!r}; it knows {known}") from None
