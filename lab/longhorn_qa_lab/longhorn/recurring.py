# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurring jobs as objects, from 1.2 on: how they are completed, what is refused, who has them. Pure."""

from __future__ import annotations

import re
import typing as t

from longhorn_qa_lab.longhorn import checks, fields, logs, names
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import JobRules, Release

ENABLED: t.Final = "enabled"
DEFAULT_GROUP: t.Final = "default"
DEFAULT_CONCURRENCY: t.Final = 10

_NAME: t.Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
#: The least retain of a task, and whether a larger one means anything.
_LEAST: t.Final[t.Mapping[str, tuple[int, bool]]] = {
    "snapshot-cleanup": (0, False),
    "filesystem-trim": (0, False),
    "snapshot-delete": (0, True),
}
_VALUES: t.Final[t.Mapping[str, tuple[str, ...]]] = {"volume-backup-policy": ("always", "if-not-present", "disabled")}


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


def new(spec: Object, release: Release) -> Object:
    """The object of a job that somebody asks the manager for."""
    given = {key: value for key, value in spec.items() if value is not None}
    made = fields.new("RecurringJob", release, **given)
    made["concurrency"] = int(made["concurrency"] or DEFAULT_CONCURRENCY)
    metadata = {"name": made["name"], "namespace": names.NAMESPACE, "finalizers": [names.FINALIZER]}
    return {"kind": "RecurringJob", "metadata": metadata, "spec": made}


def complete(job: Object, release: Release, *, is_new: bool) -> Object:
    """The job as the mutating webhook makes it."""
    rules, spec = release.job_rules, dict(job.get("spec") or {})
    for name, field in fields.of("RecurringJob", release).items():
        if name in ("groups", "labels", "parameters") and not spec.get(name):
            spec[name] = field.unfilled(release)
    if not spec.get("name") and (rules.names_itself or not is_new):
        spec["name"] = job["metadata"]["name"]
    if rules.corrects_retain:
        least, counts = _LEAST.get(spec.get("task", ""), (1, True))
        retain = int(spec.get("retain") or 0)
        spec["retain"] = max(retain, least) if counts else least
    if not spec.get("concurrency") and rules.concurrency:
        spec["concurrency"] = rules.concurrency
    finalizers = [*{*job["metadata"].get("finalizers", ()), names.FINALIZER}]
    return {**job, "metadata": {**job["metadata"], "finalizers": finalizers}, "spec": spec}


def require(job: Object, release: Release, *, max_retain: int) -> None:
    """Refuse a job that cannot be; the limit is the release's, or from 1.6 on a setting."""
    rules, spec = release.job_rules, job["spec"]
    name, retain = str(spec.get("name") or ""), int(spec.get("retain") or 0)
    if not _NAME.fullmatch(job["metadata"]["name"]):
        raise checks.Refused(f"invalid name {job['metadata']['name']}")
    if not spec.get("cron") or not spec.get("task") or not name or (retain == 0 and not rules.corrects_retain):
        raise checks.Refused(f"invalid job {_told(spec, release)}")
    if spec["task"] not in rules.tasks:
        raise checks.Refused(f"recurring job task {spec['task']} is not valid")
    reason = checks.cron_error(str(spec["cron"]))
    if reason:
        raise checks.Refused(f"invalid cron format({spec['cron']}): {reason}")
    if len(name) > rules.max_name:
        raise checks.Refused(rules.name_message.format(name=name, limit=rules.max_name))
    for group in spec.get("groups") or ():
        if not _NAME.fullmatch(group):
            raise checks.Refused(f"invalid group name {group}")
    _require_parameters(spec, rules)
    if retain > max_retain:
        raise checks.Refused(rules.retain_message.format(limit=max_retain))


def _require_parameters(spec: Object, rules: JobRules) -> None:
    for key, value in (spec.get("parameters") or {}).items():
        known = _VALUES.get(key)
        fits = value in known if known else str(value).isdigit()
        if key not in rules.parameters or not fits:
            raise checks.Refused(f"{key}:{value} is not a valid parameter")


def _told(spec: Object, release: Release) -> str:
    """A specification as Go prints it."""
    full = fields.new("RecurringJob", release, **{key: value for key, value in spec.items() if value is not None})
    return "{" + " ".join(f"{key[0].upper()}{key[1:]}:{logs.go(value)}" for key, value in full.items()) + "}"
