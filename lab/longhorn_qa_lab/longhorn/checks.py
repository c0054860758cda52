# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager's API refuses, in its words. Pure."""

from __future__ import annotations

import re
import typing as t

from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import Release

_VOLUME_NAME: t.Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_UNITS: t.Final = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "Ti": 1 << 40,
}
_SECTOR: t.Final = 2 * 1024 * 1024
_FIELDS: t.Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_DAYS: t.Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: t.Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORDS: t.Final[t.Mapping[str, int]] = {
    **{word: number for number, word in enumerate(_DAYS)},
    **{word: number for number, word in enumerate(_MONTHS, 1)},
}
_DESCRIPTORS: t.Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


class Refused(ValueError):
    """A request the manager does not do; webhooks also name the field."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def volume_name(name: str, release: Release) -> None:
    if not _VOLUME_NAME.fullmatch(name):
        raise Refused(f"invalid name {name}")
    if len(name) > release.max_volume_name:
        raise Refused(f"Volume name is too long {name}, must be less than {release.max_volume_name} characters")


def size(text: str) -> int:
    """Bytes of a size, rounded up to what the engine can address."""
    found = re.fullmatch(r"(\d+)([kMGT]i?|)", str(text))
    if found is None:
        raise Refused(
            f"error parse size {text}: quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    bytes_ = int(found[1]) * _UNITS[found[2]]
    if bytes_ <= 0:
        raise Refused(f"invalid size {text}: must be more than 0")
    return -(-bytes_ // _SECTOR) * _SECTOR


def recurring_jobs(jobs: t.Sequence[Object], release: Release) -> list[Object]:
    """The jobs as they are stored, or Refused."""
    total = 0
    seen: set[str] = set()
    for job in jobs:
        name, retain = str(job.get("name", "")), int(job.get("retain") or 0)
        if not job.get("cron") or not job.get("task") or not name or retain == 0:
            raise Refused(f"invalid job {job}")
        reason = cron_error(str(job["cron"]))
        if reason:
            raise Refused(f"invalid cron format({job['cron']}): {reason}")
        if len(name) > release.job_rules.max_name:
            raise Refused(f"job name {name} is too long, must be {release.job_rules.max_name} characters or less")
        if name in seen:
            raise Refused(f"duplicate job {name} in recurringJobs")
        seen.add(name)
        total += retain
    if total > release.job_rules.max_retain:
        raise Refused(f"Job Can't retain more than {release.job_rules.max_retain} snapshots")
    return [
        {
            "cron": job["cron"],
            "labels": job.get("labels"),
            "name": job["name"],
            "retain": int(job["retain"]),
            "task": job["task"],
        }
        for job in jobs
    ]


def cron_error(text: str) -> str:
    """Why five-field cron text does not parse; empty when it does."""
    if text.startswith("@"):
        known = text in _DESCRIPTORS or re.fullmatch(r"@every \d+(ms|s|m|h)", text) is not None
        return "" if known else f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f"expected exactly 5 fields, found {len(fields)}: {fields}"
    for field, (low, high) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            reason = _part_error(part, low, high)
            if reason:
                return reason
    return ""


def _part_error(part: str, low: int, high: int) -> str:
    span, slash, step = part.partition("/")
    if slash and (not step.isdigit() or int(step) == 0):
        return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    ends = []
    for end in span.split("-"):
        value = _WORDS.get(end.lower()) if not end.isdigit() else int(end)
        if value is None:
            return f"failed to parse int from {end}"
        ends.append(value)
    if len(ends) > 2:
        return f"too many hyphens: {part}"
    if ends[0] < low:
        return f"beginning of range ({ends[0]}) below minimum ({low}): {part}"
    if ends[-1] > high:
        return f"end of range ({ends[-1]}) above maximum ({high}): {part}"
    return f"beginning of range ({ends[0]}) beyond end of range ({ends[-1]}): {part}" if ends[0] > ends[-1] else ""
