# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn 1.0's settings: name, default and how the API describes them."""

from __future__ import annotations

import dataclasses
import typing as t


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
        if self.kind == "int" and not value.lstrip("-").isdigit():
            return f"value {value} is not a number"
        if self.options and value not in self.options:
            return f"value {value} of setting {self.name} is not one of {', '.join(self.options)}"
        return ""


BACKUP_TARGET: t.Final = "backup-target"
BACKUP_SECRET: t.Final = "backup-target-credential-secret"  # noqa: S105 the name of a setting
DEFAULT_ENGINE_IMAGE: t.Final = "default-engine-image"
DEFAULT_INSTANCE_MANAGER_IMAGE: t.Final = "default-instance-manager-image"

_ROWS: t.Final = (
    Definition("auto-salvage", "Automatic salvage", "true", kind="bool"),
    Definition(BACKUP_TARGET, "Backup Target", category="backup", required=False),
    Definition(BACKUP_SECRET, "Backup Target Credential Secret", category="backup", required=False),
    Definition("backupstore-poll-interval", "Backupstore Poll Interval", "300", "backup", "int"),
    Definition("crd-api-version", "Custom Resource API Version", read_only=True),
    Definition("create-default-disk-labeled-nodes", "Create Default Disk on Labeled Nodes", "false", kind="bool"),
    Definition("default-data-path", "Default Data Path", "/var/lib/longhorn/"),
    Definition(DEFAULT_ENGINE_IMAGE, "Default Engine Image", read_only=True),
    Definition(DEFAULT_INSTANCE_MANAGER_IMAGE, "Default Instance Manager Image", read_only=True),
    Definition("default-longhorn-static-storage-class", "Default Longhorn Static StorageClass Name", "longhorn-static"),
    Definition("default-replica-count", "Default Replica Count", "3", kind="int"),
    Definition(
        "disable-scheduling-on-cordoned-node", "Disable Scheduling On Cordoned Node", "true", "scheduling", "bool"
    ),
    Definition("guaranteed-engine-cpu", "Guaranteed Engine CPU", "0.25", "danger Zone"),
    Definition("latest-longhorn-version", "Latest Longhorn Version", required=False, read_only=True),
    Definition("mkfs-ext4-parameters", "Custom mkfs.ext4 parameters", required=False),
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
    ),
)

DEFINITIONS: t.Final[t.Mapping[str, Definition]] = {row.name: row for row in _ROWS}
