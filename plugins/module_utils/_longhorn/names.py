# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that Longhorn derives or allows, and what is wrong with a name, in words.

The ``*_problems`` functions return sentences instead of raising, so that a preflight can show all of them at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._history import objects

RUN_ID_LABEL = "longhorn.qa/run-id"
VOLUME_LABEL = objects.VOLUME_LABEL  # of engines, replicas, snapshots, and CronJobs up to release 1.1
BACKUP_VOLUME_LABEL = objects.BACKUP_VOLUME_LABEL  # of backups, since 1.2
DEFAULT_ENGINE_IMAGE_SETTING = "default-engine-image"
BACKUP_TARGET_SETTING = "backup-target"
BACKUP_SECRET_SETTING = "backup-target-credential-secret"  # noqa: S105 - a setting's name
BACKUP_POLL_SETTING = "backupstore-poll-interval"
DEFAULT_BACKUP_TARGET = "default"  # the object's name, since 1.8

DISABLE_PURGE_SETTING = "disable-snapshot-purge"  # since 1.5.4
AUTO_CLEANUP_SETTING = "auto-cleanup-system-generated-snapshot"

LONGEST_VOLUME_NAME = 40
LONGEST_JOB_NAME = 8  # releases 1.0 and 1.1; 40 since
LONGEST_RUN_ID = 12  # leaves room in volume names
LARGEST_RETAIN = 50  # releases 1.0 and 1.1: over all jobs of a volume

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_HOST = r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.[a-zA-Z0-9][a-zA-Z0-9-]*)*(?::\d{1,5})?/)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    _HOST + _PART + r"(?:/" + _PART + r")*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def engine_image_name(image: str) -> str:
    """The EngineImage object's name, which Longhorn derives from the exact reference: no normalisation."""
    return "ei-" + hashlib.sha512(image.strip().encode()).hexdigest()[:8]


def cronjob_name(volume: str, job: str) -> str:
    """The CronJob of a volume's recurring job, up to release 1.1."""
    return f"{volume}-{job}-c"


def owned_by_run(labels: Mapping[str, str], run_id: str) -> bool:
    """Whether the object carries this run's mark."""
    return bool(run_id) and labels.get(RUN_ID_LABEL) == run_id


def volume_name_problems(name: str) -> list[str]:
    """What is wrong with a volume's name, if anything."""
    if not name:
        return ["the volume name is empty"]
    problems = []
    if not _DNS_LABEL.fullmatch(name):
        problems.append(
            f"volume name {name!r}: only lower-case letters, digits and inner hyphens are allowed (like a DNS label)"
        )
    if len(name) > LONGEST_VOLUME_NAME:
        problems.append(f"volume name {name!r} has {len(name)} characters; Longhorn allows {LONGEST_VOLUME_NAME}")
    return problems


def job_name_problems(name: str, *, longest: int = LONGEST_JOB_NAME) -> list[str]:
    """What is wrong with a recurring job's name. It becomes part of the CronJob's name, so that rule holds too."""
    if not name:
        return ["the recurring job's name is empty"]
    problems = []
    if not _DNS_LABEL.fullmatch(name):
        problems.append(f"recurring job name {name!r}: only lower-case letters, digits and inner hyphens are allowed")
    if len(name) > longest:
        problems.append(
            f"recurring job name {name!r} has {len(name)} characters; this Longhorn release allows {longest}"
        )
    return problems


def image_problems(image: str) -> list[str]:
    """What is wrong with an image reference, if anything."""
    if not image.strip():
        return ["the image reference is empty"]
    if image != image.strip():
        return [f"image reference {image!r} has white space around it"]
    if not _IMAGE.fullmatch(image):
        return [
            f"image reference {image!r} is malformed; expected [registry[:port]/]name[:tag][@sha256:digest] "
            "with a lower-case name"
        ]
    return []


def run_id_problems(run_id: str) -> list[str]:
    """What is wrong with a run's mark; it becomes a label value and a part of names."""
    if not run_id or (_DNS_LABEL.fullmatch(run_id) and len(run_id) <= LONGEST_RUN_ID):
        return []
    return [f"run_id {run_id!r}: up to {LONGEST_RUN_ID} lower-case letters, digits and inner hyphens are allowed"]


def retain_problems(retain: int, *, others: int = 0, largest: int = LARGEST_RETAIN) -> list[str]:
    """What is wrong with a retain number, given the sum of the volume's other jobs."""
    if retain < 1:
        return [f"retain {retain} is not allowed; it must be at least 1"]
    if retain + others > largest:
        also = f" together with {others} of the volume's other recurring jobs" if others else ""
        return [f"retain {retain}{also} is more than the {largest} snapshots that this Longhorn release allows"]
    return []
