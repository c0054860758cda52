# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run takes place, and what stands there before it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.longhorn import LonghornObjects
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.manager_api import ManagerApi
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.journal import Journal
from ansible_collections.longhorn.qa.plugins.module_utils._module import run_journal


@dataclass(frozen=True)
class Place:
    """Which run, where."""

    client: Client
    namespace: str
    run_id: str
    check_mode: bool

    @cached_property
    def objects(self) -> LonghornObjects:
        """Longhorn's objects, in the shape they have here."""
        return LonghornObjects(self.client, self.namespace)

    @cached_property
    def manager(self) -> ManagerApi:
        """Longhorn's own API, through the API server."""
        return ManagerApi(self.client, self.namespace)

    def journal(self) -> Journal | None:
        """The run's journal, if it was opened."""
        return run_journal.find(self.client, self.namespace, self.run_id)

    def settings(self) -> dict[str, str]:
        """All settings, as they are."""
        values = self.objects.settings()
        if names.DEFAULT_ENGINE_IMAGE_SETTING not in values:
            raise NotFound(
                "Longhorn has no settings there", subject=f"namespace {self.namespace}",
                expected=f"setting {names.DEFAULT_ENGINE_IMAGE_SETTING}", advice="Is Longhorn installed and running?",
            )  # fmt: skip
        return values

    def backup_targets(self) -> dict[str, dict[str, t.Any]]:
        """The backup targets that a run may change, where they are objects and not settings."""
        if self.objects.backup_target_settings() or not self.objects.shape.backup_objects:
            return {}
        found = self.objects.backup_target(names.DEFAULT_BACKUP_TARGET)
        return {found.target.name: found.target.summary()} if found else {}
