# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs as objects, from 1.2 on: which volumes they are for, and what their CronJob is. Pure."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import names
from longhorn_qa_lab.longhorn.decide import Object

ENABLED: t.Final = "enabled"


def label(name: str, *, is_group: bool) -> str:
    return names.group_label(name) if is_group else names.job_label(name)


def selected(selector: t.Iterable[Object]) -> dict[str, str]:
    """The labels of a volume that is made for these jobs and groups."""
    return {label(str(entry["name"]), is_group=bool(entry.get("isGroup"))): ENABLED for entry in selector}


def of_volume(labels: t.Mapping[str, str] | None) -> list[tuple[str, bool]]:
    """Names of a volume's jobs and groups; the second part tells which it is."""
    found = []
    for key in sorted(labels or {}):
        for prefix, is_group in ((names.job_label(""), False), (names.group_label(""), True)):
            if key.startswith(prefix):
                found.append((key.removeprefix(prefix), is_group))
    return found
