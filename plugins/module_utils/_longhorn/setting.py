# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's settings: text, which since 1.10 may be JSON with a value for each data engine."""

from __future__ import annotations

import difflib
import json
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, pending


@dataclass(frozen=True)
class Setting:
    """A Setting object as it is."""

    name: str
    value: str = ""
    applied: bool | None = None  # since 1.7; None: not told

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> Setting:
        """From the custom resource, whose value stands beside spec and status."""
        applied = (document.get("status") or {}).get("applied")
        return cls(
            name=str((document.get("metadata") or {}).get("name", "")),
            value=str(document.get("value") or ""),
            applied=None if applied is None else bool(applied),
        )

    def summary(self) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {"name": self.name, "value": self.value, "applied": self.applied}


def text(value: t.Any) -> str:
    """A value of a playbook as Longhorn stores it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, separators=(",", ":"), sort_keys=True)
    return str(value)


def same(stored: str, wanted: str) -> bool:
    """Whether Longhorn has this value. It gives a plain one to every data engine, and writes JSON in its own way."""
    if stored == wanted:
        return True
    have, want = _parsed(stored), _parsed(wanted)
    if isinstance(have, dict) and not isinstance(want, dict):
        return bool(have) and all(text(value) == wanted for value in have.values())
    return isinstance(have, dict | list) and bool(have == want)


def _parsed(value: str) -> t.Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def plan(existing: Setting, wanted: str) -> Plan:
    """Set it, unless it has this value."""
    before = {"name": existing.name, "value": existing.value}
    if same(existing.value, wanted):
        return Plan(before=before, after=before)
    message = f"set {existing.name} to {wanted or 'nothing'} instead of {existing.value or 'nothing'}"
    return Plan(before=before, after={**before, "value": wanted}, steps=(Step("set", message, {"value": wanted}),))


def settled(found: Setting | None, wanted: str) -> Progress:
    """Whether the value is there, and in force where Longhorn tells."""
    if found is None:
        return pending("the setting does not exist")
    if not same(found.value, wanted):
        return pending(f"value {found.value!r}")
    return pending("stored, but not applied yet") if found.applied is False else done(f"value {found.value!r}")


def similar(name: str, known: Iterable[str]) -> list[str]:
    """Names that somebody who wrote this one may have meant."""
    return difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
