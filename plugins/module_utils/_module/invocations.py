# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Jobs, pods and container runs an assertion is about: by CronJob, Job or label, live or in a history."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import history_dir, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, Object
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, LonghornQAError, NotFound
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.logs import STOPPED
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.trigger import cronjob_named, owned_by
from ansible_collections.longhorn.qa.plugins.module_utils._history import model, objects

_EQUALS = re.compile(r"(?P<key>[^=!]+)==?(?P<value>[^=!]*)")


@dataclass(frozen=True)
class Selection:
    """One of the three ways to name what is meant."""

    cronjob: str = ""
    job: str = ""
    labels: str = ""

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Selection:
        """From the options, or BadInput unless exactly one of them is given."""
        chosen = {name: params.get(name) or "" for name in ("cronjob", "job", "label_selector")}
        if sum(bool(value) for value in chosen.values()) != 1:
            raise BadInput("give exactly one of them", subject="cronjob, job, label_selector")
        selection = cls(chosen["cronjob"], chosen["job"], chosen["label_selector"])
        selection.wanted_labels()
        return selection

    def __str__(self) -> str:
        if self.labels:
            return f"pods with {self.labels}"
        return f"CronJob {self.cronjob}" if self.cronjob else f"Job {self.job}"

    def wanted_labels(self) -> dict[str, str]:
        """The selector as labels; only equality can be looked up in a history as well."""
        wanted = {}
        for part in filter(None, (part.strip() for part in self.labels.split(","))):
            match = _EQUALS.fullmatch(part)
            if match is None:
                raise BadInput(
                    "not a label selector we know", subject="label_selector", expected="key=value,…", seen=part
                )
            wanted[match["key"].strip()] = match["value"].strip()
        return wanted


@dataclass(frozen=True)
class LogSource:
    """One container run's log. ``problem``: why it is not there, or not complete."""

    invocation: str  # the Job's name; for pods chosen by label the pod's name
    pod: str
    attempt: int
    open: t.Callable[[], Iterator[bytes]]
    problem: str = ""


@dataclass(frozen=True)
class Sources:
    """Every log that was to be looked at, and the names of all invocations, also those without a log."""

    invocations: tuple[str, ...]
    logs: tuple[LogSource, ...]
    unseen: tuple[tuple[str, str], ...] = ()  # what nobody could look for, as ``Found.unseen`` has it


def live(client: Client, selection: Selection, *, namespace: str) -> Sources:
    """From the cluster, as far as it still has them."""
    client.require_namespace(namespace)
    pods = client.list(kinds.PODS, namespace=namespace, labels=selection.labels).items
    if selection.labels:
        names = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in pods}
    else:
        jobs = live_jobs(client, selection, namespace=namespace)
        by_uid = {job["metadata"]["uid"]: job["metadata"]["name"] for job in jobs}
        names = {pod["metadata"]["uid"]: name for pod in pods for uid, name in by_uid.items() if owned_by(pod, uid)}
    logs = [
        source
        for pod in pods
        if pod["metadata"]["uid"] in names
        for source in _live_logs(client, pod, names[pod["metadata"]["uid"]])
    ]
    invocations = tuple(names.values()) if selection.labels else tuple(by_uid.values())
    lost = [name for name in invocations if name not in names.values()]
    logs += [LogSource(name, "", 0, _nothing, "its pod and log are gone") for name in lost]
    return Sources(tuple(dict.fromkeys(invocations)), tuple(logs))


def live_jobs(client: Client, selection: Selection, *, namespace: str) -> list[Object]:
    """The Jobs that still exist, oldest first."""
    if selection.job:
        found = client.find(kinds.JOBS, selection.job, namespace=namespace)
        if found is None:
            raise NotFound("the Job does not exist", subject=f"Job {namespace}/{selection.job}")
        return [found]
    owner = cronjob_named(client, selection.cronjob, namespace=namespace)
    jobs = client.list(kinds.JOBS, namespace=namespace).items
    owned = [job for job in jobs if owned_by(job, owner["metadata"]["uid"])]
    return sorted(owned, key=lambda job: str(job["metadata"].get("creationTimestamp", "")))


def _live_logs(client: Client, pod: Object, invocation: str) -> Iterator[LogSource]:
    fact, namespace = objects.pod(pod), pod["metadata"].get("namespace", "")
    is_job_pod = fact.meta.owner_kind == "Job"  # others never end: what they have said so far is all there is
    name = fact.meta.name
    for attempt in range(fact.restarts + 1):
        if attempt < fact.restarts - 1:
            yield LogSource(invocation, name, attempt, _nothing, "its log is gone: only the last run before is kept")
            continue
        run = next((run for run in fact.runs if run.attempt == attempt), None)
        if run is None:
            problem = "it has not started yet"
        else:
            problem = "" if run.finished or not is_job_pod else "it is still running"
        opened = partial(_stream, client, name, namespace, fact.container, attempt < fact.restarts)
        yield LogSource(invocation, name, attempt, _nothing if run is None else opened, problem)


def _stream(client: Client, pod: str, namespace: str, container: str, previous: bool) -> Iterator[bytes]:
    stream = client.logs(pod, namespace=namespace, container=container, previous=previous)
    try:
        yield from stream.chunks()
    finally:
        stream.close()


def _nothing() -> Iterator[bytes]:
    return iter(())


def recorded(history: model.History, selection: Selection, *, folder: str) -> Sources:
    """From a history. Jobs that were there before the recording began are not invocations of it."""
    pods = _last(history, "pods")
    if selection.labels:
        wanted = selection.wanted_labels().items()
        names = {
            uid: str(pod["metadata"].get("name", ""))
            for uid, pod in pods.items()
            if wanted <= (pod["metadata"].get("labels") or {}).items()
        }
        invocations = tuple(names.values())
    else:
        jobs = {job.meta.uid: job.meta.name for job in recorded_jobs(history, selection)}
        names = {uid: jobs[owner] for uid, pod in pods.items() if (owner := objects.pod(pod).meta.owner_uid) in jobs}
        invocations = tuple(jobs.values())
    closed = {(item.pod_uid, item.attempt): item for item in history.records if isinstance(item, model.Log)}
    logs = [source for uid, name in names.items() for source in _recorded_logs(uid, name, pods[uid], closed, folder)]
    lost = [name for name in invocations if name not in names.values()]
    logs += [LogSource(name, "", 0, _nothing, "no pod of it was recorded") for name in lost]
    others = {str(pod["metadata"].get("name", "")) for uid, pod in pods.items() if uid not in names}
    unseen = gaps(history, ("pods", "logs") if selection.labels else ("jobs", "pods", "logs"), but=others)
    return Sources(tuple(dict.fromkeys(invocations)), tuple(logs), tuple(unseen))


def recorded_jobs(history: model.History, selection: Selection) -> list[objects.JobFact]:
    """The invocations of the recording, in the order the server made them."""
    baseline: set[str] = set()
    listed = False
    found: dict[str, objects.JobFact] = {}
    for item in history.records:
        if isinstance(item, model.ListDone) and item.kind == "jobs":
            listed = True
        if not isinstance(item, model.ObjectSeen) or item.kind != "jobs":
            continue
        fact = objects.job(item.object)
        if not listed and item.via == "list":
            baseline.add(fact.meta.uid)
        if selection.job in ("", fact.meta.name) and selection.cronjob in ("", fact.meta.owner_name):
            found[fact.meta.uid] = fact
    return [fact for uid, fact in found.items() if selection.job or uid not in baseline]


def read(path: str) -> model.History:
    """A history that is to be asserted on; a damaged one is refused, because what is missing could decide."""
    history = history_dir.read_history(path)
    if history.damage:
        raise LonghornQAError(
            "the history is damaged", subject=path, seen="; ".join(history.damage[:3]),
            advice="Judge it with job_report, which says what can still be known.",
        )  # fmt: skip
    return history


def gaps(history: model.History, kinds_: Iterable[str], *, but: Container[str] = ()) -> list[tuple[str, str]]:
    """What of these kinds, but not of these subjects, the recording could not see, as ``Found.unseen`` has it."""
    wanted = set(kinds_)
    return [
        ("", f"{item.kind} {item.subject}".strip() + f" could not be seen: {item.reason}")
        for item in history.records
        if isinstance(item, model.Gap) and item.kind in wanted and item.subject not in but
    ]


def _last(history: model.History, kind: str) -> dict[str, t.Any]:
    """The newest version of every object of a kind that says something about its containers, by UID."""
    found: dict[str, t.Any] = {}
    for item in history.records:
        if isinstance(item, model.ObjectSeen) and item.kind == kind:
            found[str((item.object.get("metadata") or {}).get("uid", ""))] = item.object
    return found


def _recorded_logs(
    uid: str, invocation: str, pod: Mapping[str, t.Any], logs: Mapping[tuple[str, int], model.Log], folder: str
) -> Iterator[LogSource]:
    fact = objects.pod(pod)
    kept = [attempt for owner, attempt in logs if owner == uid]
    started = bool(fact.runs) or bool(kept)
    for attempt in range(max([fact.restarts, *kept]) + 1 if started else 0):
        log = logs.get((uid, attempt))
        if log is None:
            yield LogSource(invocation, fact.meta.name, attempt, _nothing, "its log was not recorded")
            continue
        whole = log.complete or (fact.meta.owner_kind != "Job" and log.reason.startswith(STOPPED))
        problem = "" if whole else f"its log is not complete: {log.reason or 'it was never closed'}"
        opened = partial(history_dir.log_chunks, folder, log.path)
        yield LogSource(invocation, fact.meta.name, attempt, opened, problem)
