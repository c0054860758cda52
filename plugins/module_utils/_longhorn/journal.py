# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run must remember in the cluster to be undone later, also after a crash of the control node.

The journal is a ConfigMap in Longhorn's namespace, written before the run changes anything and removed last.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, setting

# Noted when a run is opened, where the release has them, in the order in which they are put back: snapshots that wait
# for their purge go first, then backups, which are deleted by the default engine image, from the store that is set.
KEPT_SETTINGS = (
    names.DISABLE_PURGE_SETTING,
    names.AUTO_CLEANUP_SETTING,
    names.DEFAULT_ENGINE_IMAGE_SETTING,
    names.BACKUP_SECRET_SETTING,
    names.BACKUP_TARGET_SETTING,
    names.BACKUP_POLL_SETTING,
)
OF_STORE = KEPT_SETTINGS[-3:]
LATE = (names.DEFAULT_ENGINE_IMAGE_SETTING, *OF_STORE)  # all others are put back before anything is removed
SELECTOR = "longhorn.qa/journal=true"
_PREFIX = "longhorn-qa-"


class JournalError(ValueError):
    """A ConfigMap that is not a journal of this run; the message says what is wrong with it."""


@dataclass(frozen=True)
class Journal:
    """The settings and backup targets as they were, and where the run makes things."""

    run_id: str
    settings: Mapping[str, str] = field(default_factory=dict)  # in the order in which they were noted
    backup_targets: Mapping[str, Mapping[str, t.Any]] = field(default_factory=dict)  # objects, since 1.8
    volumes: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()  # what kinds of them the run makes
    stores: tuple[Mapping[str, str], ...] = ()  # which were told to refuse: where each is, and whose Secret may tell it

    def with_setting(self, name: str, value: str) -> Journal:
        """One more setting as it was; the first note of it stands."""
        return self if name in self.settings else replace(self, settings={**self.settings, name: value})

    def with_more(self, wanted: Journal) -> Journal:
        """Also what ``wanted`` makes; of settings and backup targets the first note stands."""
        return replace(
            self,
            volumes=_union(self.volumes, wanted.volumes),
            namespaces=_union(self.namespaces, wanted.namespaces),
            faults=_union(self.faults, wanted.faults),
        )

    def with_store(self, store: Mapping[str, str]) -> Journal:
        """One more store that has to forget its refusals."""
        return self if store in self.stores else replace(self, stores=(*self.stores, store))

    @property
    def early(self) -> tuple[str, ...]:
        """The settings to put back before anything is removed."""
        return tuple(name for name in self.settings if name not in LATE)


def _union(noted: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*noted, *more)))


def journal_name(run_id: str) -> str:
    """The ConfigMap's name."""
    return _PREFIX + run_id


def to_config_map(journal: Journal, *, namespace: str) -> dict[str, t.Any]:
    """The ConfigMap that holds the journal."""
    data: dict[str, t.Any] = {
        "settings": dict(journal.settings),
        "backup_targets": {name: dict(target) for name, target in journal.backup_targets.items()},
        "volumes": journal.volumes,
        "namespaces": journal.namespaces,
        "faults": journal.faults,
        "stores": [dict(store) for store in journal.stores],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": journal_name(journal.run_id),
            "namespace": namespace,
            "labels": {names.RUN_ID_LABEL: journal.run_id, **dict([SELECTOR.split("=")])},
        },
        "data": {key: json.dumps(value) for key, value in data.items()},
    }


def from_config_map(document: Mapping[str, t.Any], run_id: str) -> Journal:
    """The journal in a ConfigMap, or JournalError."""
    metadata, data = document.get("metadata") or {}, document.get("data") or {}
    if not names.owned_by_run(metadata.get("labels") or {}, run_id):
        raise JournalError(f"it lacks the label {names.RUN_ID_LABEL}={run_id}")
    settings, targets = _parsed(data, "settings", dict), _parsed(data, "backup_targets", dict)
    if not all(isinstance(target, dict) for target in targets.values()):
        raise JournalError("its key backup_targets does not hold JSON objects only")
    stores = _parsed(data, "stores", list)
    if not all(isinstance(store, dict) for store in stores):
        raise JournalError("its key stores does not hold JSON objects only")
    return Journal(
        run_id=run_id,
        settings={str(name): str(value) for name, value in settings.items()},
        backup_targets={str(name): dict(target) for name, target in targets.items()},
        volumes=tuple(map(str, _parsed(data, "volumes", list))),
        namespaces=tuple(map(str, _parsed(data, "namespaces", list))),
        faults=tuple(map(str, _parsed(data, "faults", list))),
        stores=tuple({str(key): str(value) for key, value in store.items()} for store in stores),
    )


def to_restore(journal: Journal, now: Mapping[str, str]) -> list[tuple[str, str]]:
    """The settings that are not as they were, with their old values, in the order to put them back.

    First what was noted last, because Longhorn refuses some values while others are set; then what is noted always.
    """
    later = [name for name in journal.settings if name not in KEPT_SETTINGS]
    order = [*reversed(later), *(name for name in KEPT_SETTINGS if name in journal.settings)]
    return [
        (name, journal.settings[name]) for name in order if not setting.same(now.get(name, ""), journal.settings[name])
    ]


def _parsed(data: Mapping[str, t.Any], key: str, expected: type) -> t.Any:
    try:
        value = json.loads(data.get(key) or json.dumps(expected()))
    except ValueError as error:
        raise JournalError(f"its key {key} is not JSON: {error}") from error
    if not isinstance(value, expected):
        raise JournalError(f"its key {key} is not a JSON {expected.__name__}")
    return value
