# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to get from the existing to the desired: the only source of ``changed``, diff and messages.

A plan is data. It is made by pure functions from what was read, shown in check mode, and carried out step by step
otherwise, so that the two cannot differ.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names


class InvalidRequest(ValueError):
    """What is wanted cannot be had, whatever the cluster does; the message says why and what to do."""


class NotOurs(InvalidRequest):
    """The name is taken by something that this run did not make."""


def refuse_foreign(subject: str, labels: Mapping[str, str] | None, *, run_id: str) -> None:
    """NotOurs when a run would touch what exists without the run's mark. ``labels`` None: nothing exists."""
    if not run_id or labels is None or names.owned_by_run(labels, run_id):
        return
    other = labels.get(names.RUN_ID_LABEL)
    seen = f"it belongs to run {other}" if other else f"it does not have the label {names.RUN_ID_LABEL}"
    raise NotOurs(
        f"{subject} exists and was not made by run {run_id} ({seen}): "
        "it is left alone. Choose another name, or remove it yourself"
    )


@dataclass(frozen=True)
class Step:
    """One request to make, with its arguments and a sentence for people."""

    action: str
    message: str
    arguments: Mapping[str, t.Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Steps in order. ``missing`` names what has to exist first: an error, but only a warning in check mode."""

    before: Mapping[str, t.Any]
    after: Mapping[str, t.Any]
    steps: tuple[Step, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.steps)

    @property
    def messages(self) -> list[str]:
        """What will be, or was, done."""
        return [step.message for step in self.steps]

    @property
    def diff(self) -> dict[str, dict[str, t.Any]]:
        """For ``--diff``: the same keys on both sides, equal when nothing has to be done."""
        after = self.after if self.steps else self.before
        return {"before": dict(self.before), "after": dict(after)}
