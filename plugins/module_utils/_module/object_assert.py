# SPDX-License-Identifier: GPL-3.0-or-later
"""Asserts, or waits by watch until, a condition holds for one object or for all objects of a selection."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import discovery, observing
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    BadInput,
    LonghornQAError,
    NotAsExpected,
    NotFound,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock, Wanted
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending
from ansible_collections.longhorn.qa.plugins.module_utils._module.conditions import Condition, Outcome
from ansible_collections.longhorn.qa.plugins.module_utils._module.fixtures import check_timeout

_TOLD = 3  # objects that a message names; the evidence has them all
_LONGEST_VALUE = 200


@dataclass
class _Examined:
    """The check over all objects, and what it found the last time."""

    condition: Condition
    fail_when: Condition | None
    min_count: int
    secret: bool  # of a Secret nothing is shown but whether the condition holds
    evidence: list[dict[str, t.Any]] = field(default_factory=list)

    def __call__(self, objects: Sequence[Object]) -> Progress:
        ordered = sorted(objects, key=_name)
        outcomes = [(_name(item), self.condition.of_object(item)) for item in ordered]
        self.evidence = [self._shown(item, outcome) for item, (_named, outcome) in zip(ordered, outcomes, strict=True)]
        ended = [_name(item) for item in ordered if self.fail_when and self.fail_when.of_object(item).holds]
        if ended and self.fail_when:
            return failed(f"fail_when holds for {_listed(ended)}: {self.fail_when.text}")
        wrong = [self._told(named, outcome) for named, outcome in outcomes if not outcome.holds]
        if len(objects) < self.min_count:
            return pending(f"{len(objects)} such objects, at least {self.min_count} wanted" if objects else "no object")
        return pending(_listed(wrong)) if wrong else done(f"it holds for all {len(objects)}")

    def _shown(self, item: Object, outcome: Outcome) -> dict[str, t.Any]:
        metadata = item.get("metadata") or {}
        return {
            "name": _name(item),
            "namespace": str(metadata.get("namespace", "")),
            "uid": str(metadata.get("uid", "")),
            "resource_version": str(metadata.get("resourceVersion", "")),
            "holds": outcome.holds,
            "value": None if self.secret else outcome.value,
            "problem": "" if self.secret else outcome.problem,
        }

    def _told(self, named: str, outcome: Outcome) -> str:
        if self.secret:
            return f"{named} gives something else"
        text = outcome.problem or repr(outcome.value)
        return f"{named} gives {text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '...'}"


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: the condition holds, now or within ``wait_timeout``."""
    examined = _examined(params)
    client = client or connect(params)
    started = clock.monotonic()
    try:
        _hold(client, params, examined, clock=clock, wait=params["wait"] and not check_mode)
    except (NotFound, NotAsExpected) as error:
        if not check_mode:
            raise replace(error, evidence={"objects": examined.evidence}) from error
        # An earlier task of the same play may only have planned what would make it true.
        return {"changed": False, "objects": examined.evidence, "waited": 0.0, "warnings": [f"Not so now: {error}"]}
    except LonghornQAError as error:
        raise replace(error, evidence={"objects": examined.evidence}) from error
    return {"changed": False, "objects": examined.evidence, "waited": round(clock.monotonic() - started, 1)}


def _examined(params: Mapping[str, t.Any]) -> _Examined:
    """What is looked for, from the options; nothing is asked of the cluster before they are right."""
    check_timeout(params)
    if params["min_count"] < 0:
        raise BadInput("a negative number of objects", subject="option min_count", seen=str(params["min_count"]))
    if params.get("name") is not None and not params["name"]:
        raise BadInput(
            "the name is empty", subject="option name", advice="Leave it out to mean all objects of the kind."
        )
    ending = params.get("fail_when")
    return _Examined(
        condition=Condition.of(params["condition"], option="condition"),
        fail_when=Condition.of(ending, option="fail_when") if ending else None,
        min_count=params["min_count"],
        secret=(params["api_version"], params["kind"].lower()) in {("v1", "secret"), ("v1", "secrets")},
    )


def _hold(client: Client, params: Mapping[str, t.Any], examined: _Examined, *, clock: Clock, wait: bool) -> None:
    kind = discovery.resource(client, params["api_version"], params["kind"])
    namespace = params["namespace"] if kind.namespaced else ""
    if namespace:
        client.require_namespace(namespace)
    named = [f"metadata.name={params['name']}"] if params.get("name") else []
    selection = observing.Selection(
        kind,
        namespace,
        labels=",".join(params.get("label_selectors") or ()),
        fields=",".join([*named, *(params.get("field_selectors") or ())]),
    )
    subject = _subject(params, selection)
    if wait:
        wanted = Wanted(subject, examined.condition.text, float(params["wait_timeout"]))
        return observing.watch_for(client, selection, check=examined, wanted=wanted, clock=clock)
    progress = examined(observing.look(client, selection))
    if progress.state == "done":
        return None
    raise NotAsExpected("it does not hold", subject=subject, expected=examined.condition.text, seen=progress.reason)


def _subject(params: Mapping[str, t.Any], selection: observing.Selection) -> str:
    where = f"{selection.namespace}/" if selection.namespace else ""
    if params.get("name"):
        return f"{params['kind']} {where}{params['name']}"
    chosen = " and ".join(text for text in (selection.labels, selection.fields) if text)
    return f"every {params['kind']} {where}{'*'}{f' with {chosen}' if chosen else ''}"


def _name(item: Object) -> str:
    return str((item.get("metadata") or {}).get("name", ""))


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return ", ".join(texts[:_TOLD]) + more
