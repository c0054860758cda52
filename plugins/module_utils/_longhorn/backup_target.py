# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup targets: their address, the Secret they need, and when they can be used.

Up to release 1.7 there is one, made of settings; since 1.8 each is an object, and the one named ``default`` is always
there. Address and Secret are handled together here, because one without the other is a target that fails.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import names, versions
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.conditions import condition
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import (
    InvalidRequest,
    Plan,
    Step,
    refuse_foreign,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending

DEFAULT = names.DEFAULT_BACKUP_TARGET
_SCHEMES = ("s3", "nfs")
_LATER_SCHEMES = ("cifs", "azblob")
_LATER = "v1.5.0"
_USUAL_INTERVAL = 300  # seconds between two looks into the store
_REQUIRED_KEYS: Mapping[str, tuple[str, ...]] = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "cifs": ("CIFS_USERNAME", "CIFS_PASSWORD"),
    "azblob": ("AZBLOB_ACCOUNT_NAME", "AZBLOB_ACCOUNT_KEY"),
}
_ROLE_KEY = "AWS_IAM_ROLE_ARN"  # stands in for the two keys
_HOPELESS = re.compile(
    r"NoSuchBucket|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|InvalidBucketName|unsupported driver", re.I
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class BackupTarget:
    """A target as it is set, or wanted. All empty: there is none."""

    url: str = ""
    credential_secret: str = ""
    name: str = DEFAULT
    poll_interval: int | None = None  # seconds; wanted None: as it is

    def summary(self) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {
            "name": self.name,
            "url": self.url,
            "credential_secret": self.credential_secret,
            "poll_interval": self.poll_interval,
        }


@dataclass(frozen=True)
class TargetObject:
    """A BackupTarget object: the target itself since 1.8, and what the manager thinks of it since 1.2."""

    target: BackupTarget
    labels: Mapping[str, str] = field(default_factory=dict)
    available: bool = False
    reason: str = ""  # why it is not available, in Longhorn's words
    requested_at: str = ""  # the last wish to look into the store, and the last look
    synced_at: str = ""
    deleting: bool = False

    @classmethod
    def from_object(cls, document: Mapping[str, t.Any]) -> TargetObject:
        """From the custom resource."""
        metadata, spec, status = (document.get(part) or {} for part in ("metadata", "spec", "status"))
        unavailable = condition(status.get("conditions"), "unavailable")
        told = str(unavailable.get("message") or unavailable.get("reason") or "")
        return cls(
            target=BackupTarget(
                url=str(spec.get("backupTargetURL") or ""),
                credential_secret=str(spec.get("credentialSecret") or ""),
                name=str(metadata.get("name", "")),
                poll_interval=seconds(str(spec.get("pollInterval") or "")),
            ),
            labels=dict(metadata.get("labels") or {}),
            available=bool(status.get("available")),
            reason=told if unavailable.get("status") == "True" else "",
            requested_at=str(spec.get("syncRequestedAt") or ""),
            synced_at=str(status.get("lastSyncedAt") or ""),
            deleting=bool(metadata.get("deletionTimestamp")),
        )

    def summary(self) -> dict[str, t.Any]:
        """What a module returns and shows."""
        return {**self.target.summary(), "available": self.available}


def from_summary(summary: Mapping[str, t.Any]) -> BackupTarget:
    """The target of a summary, as a journal keeps it."""
    interval = summary.get("poll_interval")
    return BackupTarget(
        url=str(summary.get("url") or ""),
        credential_secret=str(summary.get("credential_secret") or ""),
        name=str(summary.get("name") or DEFAULT),
        poll_interval=interval if isinstance(interval, int) else None,
    )


def seconds(duration: str) -> int | None:
    """Seconds of a duration such as ``5m0s``; None for what is none."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        return None
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def plan(existing: BackupTarget, desired: BackupTarget) -> Plan:
    """Which settings to write; the Secret comes first, for the address is tried as soon as it is there."""
    if desired.name != DEFAULT:
        raise InvalidRequest(
            f"backup target {desired.name}: this Longhorn has only one, named {DEFAULT}; several need release 1.8"
        )
    steps = []
    for setting, told, before, after in (
        (names.BACKUP_SECRET_SETTING, "Secret", existing.credential_secret, desired.credential_secret),
        (names.BACKUP_TARGET_SETTING, "address", existing.url, desired.url),
    ):
        if before != after:
            message = f"set the backup target's {told} to {after or 'nothing'}"
            steps.append(Step("set", message, {"setting": setting, "value": after}))
    interval = desired.poll_interval
    if interval is not None and interval != existing.poll_interval:
        message = f"look into the backup store every {interval} s"
        steps.append(Step("set", message, {"setting": names.BACKUP_POLL_SETTING, "value": str(interval)}))
    return Plan(before=existing.summary(), after=_kept(existing, desired).summary(), steps=tuple(steps))


def plan_object(existing: TargetObject | None, desired: BackupTarget, *, run_id: str = "") -> Plan:
    """Make or change the object. Without an address the default one stays, empty, and any other goes."""
    if desired.name != DEFAULT:
        refuse_foreign(f"backup target {desired.name}", existing.labels if existing else None, run_id=run_id)
    current = None if existing is None or existing.deleting else existing
    before = current.target.summary() if current else {}
    if not desired.url and desired.name != DEFAULT:
        steps = (Step("delete", f"delete backup target {desired.name}"),) if current else ()
        return Plan(before=before, after={}, steps=steps)
    if current is None:
        if not desired.url:
            return Plan(before=before, after=before)
        step = Step("create", f"create backup target {desired.name}: {desired.url}", {"target": desired})
        return Plan(before=before, after=desired.summary(), steps=(step,))
    wanted = _kept(current.target, desired)
    patch = {key: value for key, value in spec(wanted).items() if spec(current.target)[key] != value}
    message = f"set backup target {desired.name} to {desired.url or 'nothing'}"
    step = Step("change", message, {"spec": patch})
    return Plan(before=before, after=wanted.summary(), steps=(step,) if patch else ())


def spec(target: BackupTarget) -> dict[str, str]:
    """The object's spec."""
    interval = _USUAL_INTERVAL if target.poll_interval is None else target.poll_interval
    return {
        "backupTargetURL": target.url,
        "credentialSecret": target.credential_secret,
        "pollInterval": f"{interval}s",
    }


def body(target: BackupTarget, *, version: str, run_id: str = "") -> dict[str, t.Any]:
    """The object to create."""
    return {
        "apiVersion": version,
        "kind": "BackupTarget",
        "metadata": {"name": target.name, "labels": {names.RUN_ID_LABEL: run_id} if run_id else {}},
        "spec": spec(target),
    }


def _kept(existing: BackupTarget, desired: BackupTarget) -> BackupTarget:
    interval = existing.poll_interval if desired.poll_interval is None else desired.poll_interval
    return BackupTarget(desired.url, desired.credential_secret, desired.name, interval)


def validate(desired: BackupTarget, *, release: str = "") -> None:
    """InvalidRequest for what can be told without a look at the cluster. ``release``: as far as it is known."""
    problems = url_problems(desired.url, release=release) if desired.url else []
    if desired.url.startswith("s3:") and not desired.credential_secret:
        problems.append(f"backup target {desired.url}: an s3 target needs credential_secret, the name of a Secret")
    if desired.poll_interval is not None and desired.poll_interval < 0:
        problems.append(f"poll_interval {desired.poll_interval} is not allowed; 0 means never")
    if problems:
        raise InvalidRequest("; ".join(problems))


def url_problems(url: str, *, release: str = "") -> list[str]:
    """What is wrong with a target's address, if anything."""
    if re.search(r"\s", url):
        return [f"backup target {url!r} has white space in it"]
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [f"backup target {url!r} is not an address: {error}"]
    if parts.scheme in _LATER_SCHEMES:
        early = bool(release) and not versions.between(release, _LATER)
        return [f"backup target {url!r}: {parts.scheme} needs Longhorn 1.5 or later, not {release}"] if early else []
    if parts.scheme not in _SCHEMES:
        known = "s3://bucket@region/path, nfs://host:/export, cifs://host/share, azblob://container@suffix/path"
        return [f"backup target {url!r} has an unknown scheme; known are {known}"]
    if parts.scheme == "s3":
        bucket, at, region = parts.netloc.partition("@")
        if not bucket or not at or not region:
            return [f"backup target {url!r}: expected s3://bucket@region/, with any region for MinIO"]
        return []
    if not parts.netloc or ":/" not in url.removeprefix("nfs://"):
        return [f"backup target {url!r}: expected nfs://host:/export"]
    return []


def secret_problems(url: str, secret: Mapping[str, t.Any] | None, *, name: str) -> list[str]:
    """What is wrong with the Secret's keys. ``secret`` maps keys to their decoded values, which are never shown."""
    if not name:
        return []
    if secret is None:
        return [f"Secret {name} does not exist"]
    scheme = url.partition(":")[0]
    problems = []
    if not (scheme == "s3" and secret.get(_ROLE_KEY)):
        missing = [key for key in _REQUIRED_KEYS.get(scheme, ()) if not secret.get(key)]
        if missing:
            there = [f"{key} (empty)" if value == "" else key for key, value in sorted(secret.items())]
            problems.append(f"Secret {name} lacks {', '.join(missing)}; it has {', '.join(there) or 'no keys'}")
    padded = sorted(key for key, value in secret.items() if isinstance(value, str) and value != value.strip())
    if padded:
        problems.append(f"Secret {name} has white space around the value of {', '.join(padded)}")
    return problems


def listable(error: str | None) -> Progress:
    """Up to 1.1: whether the manager can list the content; ``error`` is what it said when it could not."""
    return done("the manager can list it") if error is None else _unavailable(error)


def available(found: TargetObject | None, desired: BackupTarget) -> Progress:
    """Since 1.2: whether the manager finds the target usable, after it has looked at this very one."""
    if found is None:
        return pending(f"BackupTarget {desired.name} does not exist")
    if (found.target.url, found.target.credential_secret) != (desired.url, desired.credential_secret):
        return pending(f"BackupTarget {desired.name} still has the address {found.target.url!r}")
    if found.requested_at > found.synced_at:  # nor will it be later, when the target cannot even be tried
        told = "" if found.available else found.reason
        return pending(told or "the manager has not looked into it since it was changed")
    if found.available:
        return done("available")
    return _unavailable(found.reason or "not available")


def gone(found: TargetObject | None) -> Progress:
    """Whether the object was removed."""
    return done("gone") if found is None else pending("the object still exists")


def _unavailable(told: str) -> Progress:
    return failed(told) if _HOPELESS.search(told) else pending(told)
