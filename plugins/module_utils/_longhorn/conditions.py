# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of Longhorn's objects: a map by type up to release 1.2 and a list since, with types of changing case."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping


def condition(conditions: t.Any, name: str) -> Mapping[str, t.Any]:
    """The condition of this type; empty when there is none."""
    items = conditions.values() if isinstance(conditions, Mapping) else conditions or ()
    return next((item for item in items if str(item.get("type", "")).lower() == name.lower()), {})


def unmet(conditions: t.Any, name: str) -> str:
    """Why the condition does not hold, in Longhorn's words; empty when it holds or nothing is said."""
    found = condition(conditions, name)
    if not found or found.get("status") == "True":
        return ""
    return str(found.get("message") or found.get("reason") or "")
