# SPDX-License-Identifier: GPL-3.0-or-later
"""Where backups go: the backup target of each release, its credentials, and the store behind it."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path

from longhorn_qa_lab.longhorn import backupstore, checks, engine, settings, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.s3_client import Credentials, Target

DEFAULT = "default"


@dataclasses.dataclass(frozen=True)
class Access:
    """A store and what is needed to use it."""

    url: str
    credentials: Credentials
    rules: engine.StoreRules
    egress: Path | None

    def store(self) -> backupstore.BackupStore:
        return engine.open_store(Target.parse(self.url), self.credentials, self.egress, self.rules)

    def url_of(self, volume: str, backup: str) -> str:
        return backupstore.backup_url(self.url, volume, backup)


def written_down(context: Context, name: str = DEFAULT) -> tuple[str, str]:
    """The URL of a target and the name of its secret, as the release keeps them; empty where there are none."""
    if context.release.backup_target != "objects":
        return context.setting(settings.BACKUP_TARGET), context.setting(settings.BACKUP_SECRET)
    spec = (context.cluster.find(world.BACKUP_TARGETS, name) or {}).get("spec") or {}
    return str(spec.get("backupTargetURL") or ""), str(spec.get("credentialSecret") or "")


def access(context: Context, egress: Path | None, name: str = DEFAULT) -> Access:
    """How a target is reached; checks.Refused says what is missing."""
    url, secret_name = written_down(context, name)
    if not url:
        raise checks.Refused(f"setting {settings.BACKUP_TARGET} is empty")
    if not secret_name:
        raise checks.Refused("cannot backup: unable to get settings backup-target-credential-secret")
    secret = context.cluster.secret(secret_name)
    if secret is None:
        raise checks.Refused(f'cannot backup: secret "{secret_name}" not found')
    values = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
    rules = engine.StoreRules.of(context.release, context.poll_scale)
    return Access(Target.parse(url).url, Credentials.from_mapping(values), rules, egress)
