# SPDX-License-Identifier: GPL-3.0-or-later
"""Asserts which events a CronJob has: this very CronJob, by UID, not an earlier one of the same name.

Kubernetes' own recorder drops events: 25 per object, then one in five minutes. Where that budget was spent, by the
judge's rule, missing ones are explained by that, not failed. A cluster also forgets events: of a CronJob that is older
than events are kept, nobody knows whether one that is missing was ever there.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, Forbidden, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import cronjob_named
from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects
from ansible_collections.longhorn.qa.plugins.module_utils._judge.checks import events_recorded
from ansible_collections.longhorn.qa.plugins.module_utils._module import bounds, invocations

_REASONS = ("SuccessfulCreate", "SawCompletedJob")  # what a CronJob always has of its Jobs
_LIFETIME = timedelta(hours=1)  # of an event, as API servers have it unless told otherwise
_FORGOTTEN = "no such event is left of it; the CronJob is older than its cluster keeps events"


@dataclass(frozen=True)
class _Seen:
    """The CronJob's events, the Jobs they should be about, and what could not be seen."""

    uid: str
    jobs: Sequence[objects.JobFact]
    events: Sequence[objects.EventFact]
    unseen: Sequence[tuple[str, str]] = ()
    left_out: str = ""
    expired: bool = False  # whether events may have been there that are not any more


def run(params: Mapping[str, t.Any], *, client: Client | None = None) -> dict[str, t.Any]:
    """The module: counts matching events, and decides."""
    limits = bounds.Bounds.of(params)
    fits = _pattern(params)
    selection = invocations.Selection(cronjob=params["cronjob"])
    if params.get("history"):
        seen = _recorded(invocations.read(params["history"]), selection)
    else:
        seen = _live(client or connect(params), selection, namespace=params["namespace"])
    about_us = [event for event in seen.events if event.uid == seen.uid and event.kind == "CronJob"]
    matched = [event for event in about_us if fits(event)]
    counts = {job.meta.name: _times(matched, job.meta.name) for job in seen.jobs}
    if limits.per == bounds.TOTAL and (counts or matched):
        counts = {bounds.TOTAL: sum(event.occurrences for event in matched)}
    missing = _missing(seen.jobs, about_us, (params["reason"],) if params["reason"] else _REASONS)
    lost = missing if events_recorded.spent(about_us) else []
    unseen = [*seen.unseen, *((job, f"{reason}: {_FORGOTTEN}") for job, reason in missing if seen.expired)]
    excused = {job for job, _reason in lost} if params["accept_lost"] else ()
    found = bounds.Found(counts, unseen, excused, seen.left_out)
    evidence = {
        "matched": [_shown(event) for event in matched],
        "unmatched": [_shown(event) for event in about_us if event not in matched][: params["evidence"]],
        "cronjob_uid": seen.uid,
        "lost_by_recorder": len(lost),
    }
    return bounds.decide(limits, found, subject=f"events of CronJob {params['cronjob']}", evidence=evidence)


def _pattern(params: Mapping[str, t.Any]) -> t.Callable[[objects.EventFact], bool]:
    regex = params.get("message_regex") or ""
    try:
        compiled = re.compile(regex)
    except re.error as error:
        raise BadInput(f"not a regular expression: {error}", subject="message_regex", seen=regex) from error
    reason, message = params.get("reason") or "", params.get("message_text") or ""

    def fits(event: objects.EventFact) -> bool:
        right = reason in ("", event.reason) and message in event.message
        return right and compiled.search(event.message) is not None

    return fits


def _recorded(history: model.History, selection: invocations.Selection) -> _Seen:
    uids: list[str] = []
    newest: dict[str, objects.EventFact] = {}
    for item in history.records:
        if not isinstance(item, model.ObjectSeen):
            continue
        if item.kind == "cronjobs" and objects.meta_of(item.object).name == selection.cronjob:
            uids.append(objects.meta_of(item.object).uid)
        if item.kind == "events":
            fact = objects.event(item.object)
            if fact.meta.uid not in newest or fact.occurrences >= newest[fact.meta.uid].occurrences:
                newest[fact.meta.uid] = fact  # an event that expired still was there
    if not uids:
        raise NotFound("the history has no such CronJob", subject=f"CronJob {selection.cronjob}")
    jobs, left_out = _told_of(invocations.recorded_jobs(history, selection))
    gaps = invocations.gaps(history, ("events", "cronjobs", "jobs"))
    return _Seen(uids[-1], jobs, list(newest.values()), gaps, left_out)


def _live(client: Client, selection: invocations.Selection, *, namespace: str) -> _Seen:
    client.require_namespace(namespace)
    owner = objects.meta_of(cronjob_named(client, selection.cronjob, namespace=namespace))
    found_jobs = invocations.live_jobs(client, selection, namespace=namespace)
    jobs, left_out = _told_of([objects.job(job) for job in found_jobs])
    try:
        found = client.list(kinds.EVENTS, namespace=namespace, fields=f"involvedObject.uid={owner.uid}").items
    except Forbidden:  # the same events, granted under the newer name
        kind = client.first_served(kinds.EVENTS_V1, kinds.EVENTS_V1BETA1)
        found = client.list(kind, namespace=namespace).items
    time = client.server_time()
    young = time is not None and owner.created is not None and time.date - owner.created < _LIFETIME
    events = [objects.event(document) for document in found]
    return _Seen(owner.uid, jobs, events, left_out=left_out, expired=not young)


def _told_of(jobs: Sequence[objects.JobFact]) -> tuple[list[objects.JobFact], str]:
    """The Jobs whose end the CronJob tells: not those that run, nor those that were made by hand."""
    told = [job for job in jobs if job.over and not job.by_hand]
    others = len(jobs) - len(told)
    return told, f"{others} that still run, or were made by hand, of which a CronJob tells nothing" if others else ""


def _times(events: Iterable[objects.EventFact], job: str) -> int:
    """How often the events speak of this Job; its name is a whole word in their message."""
    name = re.compile(rf"(?<![\w.-]){re.escape(job)}(?![\w.-])")
    return sum(event.occurrences for event in events if name.search(event.message))


def _missing(
    jobs: Iterable[objects.JobFact], events: Sequence[objects.EventFact], reasons: Iterable[str]
) -> list[tuple[str, str]]:
    """Which Jobs no event with these reasons speaks of."""
    by_reason = {reason: [event for event in events if event.reason == reason] for reason in reasons}
    return [
        (job.meta.name, reason) for job in jobs for reason in by_reason if not _times(by_reason[reason], job.meta.name)
    ]


def _shown(event: objects.EventFact) -> dict[str, t.Any]:
    return {
        "name": event.meta.name,
        "reason": event.reason,
        "message": event.message,
        "count": event.occurrences,
        "source": event.source,
        "resource_version": event.meta.version,
    }
