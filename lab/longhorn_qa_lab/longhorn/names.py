# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and paths Longhorn derives from other names."""

from __future__ import annotations

import hashlib
import uuid

NAMESPACE = "longhorn-system"
GROUP = "longhorn.io"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = "longhorn.io"
VOLUME_LABEL = "longhornvolume"
SERVICE_ACCOUNT = "longhorn-service-account"
BINARIES = "/var/lib/longhorn/engine-binaries/"


def random_id(length: int = 8) -> str:
    """The random tail of snapshot, engine, replica and backup names."""
    return uuid.uuid4().hex[:length]


def engine_image(image: str) -> str:
    """Name of the EngineImage object of an image reference."""
    return "ei-" + hashlib.sha512(image.strip().encode()).hexdigest()[:8]


def engine_image_daemon_set(name: str) -> str:
    return f"engine-image-{name}"


def binaries_folder(image: str) -> str:
    """Folder on the node that holds an image's engine binary."""
    return BINARIES + image.replace(":", "-").replace("/", "-")


def engine_binary(image: str) -> str:
    return binaries_folder(image) + "/longhorn"


def instance_manager(kind: str) -> str:
    return f"instance-manager-{random_id(32)}" if kind == "aio" else f"instance-manager-{kind[0]}-{random_id()}"


def cron_job(volume: str, job: str) -> str:
    return f"{volume}-{job}-c"


def job_label(job: str) -> str:
    """The label of the volumes that a RecurringJob is for; its value is "enabled"."""
    return f"recurring-job.{GROUP}/{job}"


def group_label(group: str) -> str:
    return f"recurring-job-group.{GROUP}/{group}"


def backup() -> str:
    return "backup-" + random_id(16)
