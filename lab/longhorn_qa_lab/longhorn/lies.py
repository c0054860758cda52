# SPDX-License-Identifier: GPL-3.0-or-later
"""The bug switches of the engine's status: lists that hide what is there or show what is not. Pure."""

from __future__ import annotations

import copy
import typing as t

Lists = dict[str, dict[str, t.Any]]

_NAME: t.Final = "-ffffffff"
_BACKUP: t.Final = "backup-ffffffffffffffff"


def snapshots(found: Lists, bugs: frozenset[str]) -> Lists:
    """The snapshots that the status is to show."""
    made = sorted((info for info in found.values() if info["usercreated"]), key=lambda info: info["created"])
    if len(made) < 2:
        return found
    second = made[1]["name"]
    if "snapshot-list-hides" in bugs:
        return {name: info for name, info in found.items() if name != second}
    if "snapshot-list-invents" in bugs:
        name = second.rpartition("-")[0] + _NAME
        return {**found, name: {**copy.deepcopy(made[1]), "name": name}}
    return found


def backups(found: Lists, bugs: frozenset[str]) -> Lists:
    """The backups that the status is to show; they stand in the order in which they were begun."""
    if len(found) < 2:
        return found
    second = list(found)[1]
    if "backup-list-hides" in bugs:
        return {name: entry for name, entry in found.items() if name != second}
    if "artefact-only-in-api" in bugs and found[second]["state"] == "complete":
        url = found[second]["backupURL"].replace(second, _BACKUP)
        return {**found, _BACKUP: {**found[second], "backupURL": url}}
    return found
