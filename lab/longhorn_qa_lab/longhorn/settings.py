# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's settings, release by release: name, default and how the API describes them."""

from __future__ import annotations

import dataclasses
import typing as t

from longhorn_qa_lab.longhorn import checks
from longhorn_qa_lab.longhorn.releases import EVER, Release, Span


@dataclasses.dataclass(frozen=True)
class Definition:
    """One setting."""

    name: str
    title: str
    default: str = ""
    category: str = "general"
    kind: str = "string"
    required: bool = True
    read_only: bool = False
    options: tuple[str, ...] = ()
    bounds: tuple[int, int] | None = None
    span: Span = EVER

    def document(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {
            "category": self.category,
            "default": self.default,
            "description": f"{self.title}.",
            "displayName": self.title,
            "readOnly": self.read_only,
            "required": self.required,
            "type": self.kind,
        }
        if self.options:
            found["options"] = list(self.options)
        return found

    def refusal(self, value: str) -> str:
        """Why a value cannot be set; empty when it can."""
        if not value:
            return "" if not self.required else f"value {value} of setting {self.name} is required"
        if self.kind == "bool" and value not in ("true", "false"):
            return f"value {value} of setting {self.name} should be true or false"
        if self.kind == "int":
            return self._number_refusal(value)
        if self.options and value not in self.options:
            return f"value {value} of setting {self.name} is not one of {', '.join(self.options)}"
        return ""

    def _number_refusal(self, value: str) -> str:
        if not value.lstrip("-").isdigit():
            return f"value {value} is not a number"
        if self.bounds and not self.bounds[0] <= int(value) <= self.bounds[1]:
            return f"value {value} of setting {self.name} should be between {self.bounds[0]} and {self.bounds[1]}"
        return ""


BACKUP_TARGET: t.Final = "backup-target"
BACKUP_SECRET: t.Final = "backup-target-credential-secret"  # noqa: S105 the name of a setting
POLL_INTERVAL: t.Final = "backupstore-poll-interval"
DEFAULT_ENGINE_IMAGE: t.Final = "default-engine-image"
DEFAULT_INSTANCE_MANAGER_IMAGE: t.Final = "default-instance-manager-image"
DEFAULT_REPLICA_COUNT: t.Final = "default-replica-count"
RUN_WHILE_DETACHED: t.Final = "allow-recurring-job-while-volume-detached"
ENGINE_UPGRADE_LIMIT: t.Final = "concurrent-automatic-engine-upgrade-per-node-limit"
SUCCESSFUL_JOBS: t.Final = "recurring-successful-jobs-history-limit"
FAILED_JOBS: t.Final = "recurring-failed-jobs-history-limit"
MAX_RETENTION: t.Final = "recurring-job-max-retention"
DISABLE_PURGE: t.Final = "disable-snapshot-purge"
CLEAN_SYSTEM_SNAPSHOTS: t.Final = "auto-cleanup-system-generated-snapshot"


def _since(major: int, minor: int, patch: int = 0) -> Span:
    return Span(since=(major, minor, patch))


def _before(major: int, minor: int, patch: int = 0) -> Span:
    return Span(before=(major, minor, patch))


_ROWS: t.Final = (
    Definition("auto-salvage", "Automatic salvage", "true", kind="bool"),
    Definition(BACKUP_TARGET, "Backup Target", category="backup", required=False, span=_before(1, 8)),
    Definition(BACKUP_SECRET, "Backup Target Credential Secret", category="backup", required=False, span=_before(1, 8)),
    Definition(POLL_INTERVAL, "Backupstore Poll Interval", "300", "backup", "int", span=_before(1, 8)),
    Definition("crd-api-version", "Custom Resource API Version", read_only=True),
    Definition("create-default-disk-labeled-nodes", "Create Default Disk on Labeled Nodes", "false", kind="bool"),
    Definition("default-data-path", "Default Data Path", "/var/lib/longhorn/"),
    Definition(DEFAULT_ENGINE_IMAGE, "Default Engine Image", read_only=True),
    Definition(DEFAULT_INSTANCE_MANAGER_IMAGE, "Default Instance Manager Image", read_only=True),
    Definition("default-longhorn-static-storage-class", "Default Longhorn Static StorageClass Name", "longhorn-static"),
    Definition(DEFAULT_REPLICA_COUNT, "Default Replica Count", "3", kind="int", span=_before(1, 10)),
    Definition(DEFAULT_REPLICA_COUNT, "Default Replica Count", '{"v1":"3","v2":"3"}', span=_since(1, 10)),
    Definition("default-data-locality", "Default Data Locality", "disabled", span=_since(1, 1)),
    Definition(
        "disable-scheduling-on-cordoned-node", "Disable Scheduling On Cordoned Node", "true", "scheduling", "bool"
    ),
    Definition("guaranteed-engine-cpu", "Guaranteed Engine CPU", "0.25", "danger Zone", span=_before(1, 1, 1)),
    Definition("latest-longhorn-version", "Latest Longhorn Version", required=False, read_only=True),
    Definition("mkfs-ext4-parameters", "Custom mkfs.ext4 parameters", required=False, span=_before(1, 4)),
    Definition("registry-secret", "Registry secret", required=False),
    Definition("replica-soft-anti-affinity", "Replica Node Level Soft Anti-Affinity", "false", "scheduling", "bool"),
    Definition(
        "replica-zone-soft-anti-affinity", "Replica Zone Level Soft Anti-Affinity", "true", "scheduling", "bool"
    ),
    Definition(
        "storage-minimal-available-percentage", "Storage Minimal Available Percentage", "25", "scheduling", "int"
    ),
    Definition(
        "storage-over-provisioning-percentage", "Storage Over Provisioning Percentage", "200", "scheduling", "int"
    ),
    Definition("taint-toleration", "Kubernetes Taint Toleration", category="danger Zone", required=False),
    Definition("upgrade-checker", "Enable Upgrade Checker", "true", kind="bool"),
    Definition(
        "volume-attachment-recovery-policy",
        "Volume Attachment Recovery Policy",
        "wait",
        options=("never", "wait", "immediate"),
        span=_before(1, 1),
    ),
    Definition(
        RUN_WHILE_DETACHED, "Allow Recurring Job While Volume Is Detached", "false", kind="bool", span=_since(1, 1)
    ),
    Definition("priority-class", "Priority Class", category="danger Zone", required=False, span=_since(1, 1)),
    Definition(
        CLEAN_SYSTEM_SNAPSHOTS,
        "Automatically Cleanup System Generated Snapshot",
        "true",
        kind="bool",
        span=_since(1, 1, 1),
    ),
    Definition(
        ENGINE_UPGRADE_LIMIT,
        "Concurrent Automatic Engine Upgrade Per Node Limit",
        "0",
        kind="int",
        span=_since(1, 1, 1),
    ),
    Definition(SUCCESSFUL_JOBS, "CronJob Successful Jobs History Limit", "1", kind="int", span=_since(1, 4)),
    Definition(FAILED_JOBS, "CronJob Failed Jobs History Limit", "1", kind="int", span=_since(1, 4)),
    Definition(
        MAX_RETENTION,
        "Maximum Retention Number for Recurring Job",
        "100",
        kind="int",
        bounds=(1, 250),
        span=_since(1, 6),
    ),
    Definition(
        "auto-cleanup-recurring-job-backup-snapshot",
        "Automatically Cleanup Recurring Job Backup Snapshot",
        "true",
        kind="bool",
        span=_since(1, 6),
    ),
    Definition(
        "auto-cleanup-when-delete-backup",
        "Automatically Cleanup Snapshot When Deleting Backup",
        "false",
        kind="bool",
        span=_since(1, 7),
    ),
    Definition("snapshot-max-count", "Snapshot Maximum Count", "250", kind="int", bounds=(2, 250), span=_since(1, 6)),
    Definition(DISABLE_PURGE, "Disable Snapshot Purge", "false", "danger Zone", "bool", span=_since(1, 5, 4)),
    Definition("backup-execution-timeout", "Backup Execution Timeout", "1", "backup", "int", span=_since(1, 7)),
    Definition("v2-data-engine", "V2 Data Engine", "false", "danger Zone", "bool", span=_since(1, 5)),
    Definition(
        "allow-live-engine-upgrade-on-same-image-commit",
        "Allow Live Engine Upgrade On Same Image Commit",
        "false",
        kind="bool",
        span=_since(1, 12),
    ),
)


def require(name: str, value: str, release: Release, current: t.Callable[[str], str]) -> None:
    """Refuse a value that a setting cannot have, by itself or beside the others."""
    definition = of(release).get(name)
    reason = f"setting {name} is not supported" if definition is None else definition.refusal(value)
    if name == DISABLE_PURGE and value == "true" and current(CLEAN_SYSTEM_SNAPSHOTS) == "true":
        reason = f"cannot set {name} setting to true when {CLEAN_SYSTEM_SNAPSHOTS} setting is true"
    if name == CLEAN_SYSTEM_SNAPSHOTS and value == "true" and current(DISABLE_PURGE) == "true":
        reason = f"cannot set {name} setting to true when {DISABLE_PURGE} setting is true"
    if reason:
        raise checks.Refused(reason)


def of(release: Release) -> dict[str, Definition]:
    """The settings that a release has."""
    return {row.name: row for row in _ROWS if release.has(row.span)}
