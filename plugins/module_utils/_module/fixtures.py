# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that make Longhorn's objects have in common: one way to read, to plan, to wait and to tell.

Every such module reads what exists, lets a pure function plan, and carries the plan out step by step. In check mode it
stops after the plan, and what an earlier task of the same play would have made is only missed with a warning.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Conflict, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.longhorn import LonghornObjects
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.manager_api import ManagerApi
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock, Wanted, wait_for
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, NotOurs, Plan
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import UnknownRelease, choose_release

T = t.TypeVar("T")


class Fixtures:
    """One module's run: where Longhorn is, how to write to it, and how much time is left to wait."""

    def __init__(self, params: Mapping[str, t.Any], *, client: Client | None = None, clock: Clock = SYSTEM) -> None:
        self.client = client or connect(params)
        self.namespace: str = params["namespace"]
        self.objects = LonghornObjects(self.client, self.namespace)
        self.manager = ManagerApi(self.client, self.namespace)
        self.waits = bool(params.get("wait", True))
        self.release = ""  # known after require_longhorn
        self._clock = clock
        self._timeout = float(params.get("wait_timeout") or 0)
        self._deadline = clock.monotonic() + self._timeout

    def require_longhorn(self, params: Mapping[str, t.Any]) -> str:
        """The default engine image of a Longhorn whose release can be told: limits depend on it."""
        default = self.objects.require_longhorn()
        stated = params.get("longhorn_release") or ""
        try:
            self.release = choose_release(stated=stated, manager_image="" if stated else self.objects.manager_image())
        except UnknownRelease as error:
            raise BadInput(str(error)) from error
        return default

    def wait(
        self, read: Callable[[], T], check: Callable[[T], Progress], *, subject: str, expected: str, advice: str = ""
    ) -> T:
        """Waits within the module's one time limit; returns what was read last."""
        left = max(self._deadline - self._clock.monotonic(), 0.0)
        wanted = Wanted(
            subject=f"{subject} in namespace {self.namespace}",
            expected=expected,
            timeout=left,
            interval=0.5,
            advice=advice,
        )
        return wait_for(read, check, wanted=wanted, clock=self._clock)


@contextmanager
def told() -> Iterator[None]:
    """What the pure packages refuse, as errors of modules."""
    try:
        yield
    except NotOurs as error:
        raise Conflict(str(error)) from error
    except InvalidRequest as error:
        raise BadInput(str(error)) from error


def check_timeout(params: Mapping[str, t.Any]) -> None:
    """BadInput for a time limit in which nothing can happen."""
    if params.get("wait", True) and int(params.get("wait_timeout") or 0) < 1:
        raise BadInput(
            "wait_timeout must be at least 1 second",
            seen=str(params.get("wait_timeout")),
            advice="Set wait to false to return at once.",
        )


def require(plan: Plan, *, subject: str, check_mode: bool) -> list[str]:
    """What is missing, as warnings in check mode; NotFound otherwise, before anything is changed."""
    if plan.missing and not check_mode:
        raise NotFound("; ".join(plan.missing), subject=subject)
    return list(plan.missing)


def assumed(missing: object) -> str:
    """The warning about something that is not there in check mode."""
    return f"{missing} (check mode: assumed to be made before)"


def result(plan: Plan, *, warnings: list[str], **values: t.Any) -> dict[str, t.Any]:
    """What every fixture module returns, beside its object."""
    told_by = {"warnings": [assumed(warning) for warning in warnings]}
    return {
        "changed": plan.changed,
        "diff": plan.diff,
        "actions": plan.messages,
        **values,
        **(told_by if warnings else {}),
    }
