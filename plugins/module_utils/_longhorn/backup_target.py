# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup target: its address, the Secret it needs, and when it can be used.

Up to release 1.7 the target is two settings; both are handled together here, because one without the other is a target
that fails.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.plan import InvalidRequest, Plan, Step
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending

SCHEMES = ("s3", "nfs")  # up to release 1.4
_LATER_SCHEMES = ("cifs", "azblob")  # since release 1.5
_REQUIRED_KEYS: Mapping[str, tuple[str, ...]] = {"s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "nfs": ()}
_ROLE_KEY = "AWS_IAM_ROLE_ARN"  # stands in for the two keys
_HOPELESS = re.compile(
    r"NoSuchBucket|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|InvalidBucketName|unsupported driver", re.I
)


@dataclass(frozen=True)
class BackupTarget:
    """The target as it is set, or wanted. All empty: there is none."""

    url: str = ""
    credential_secret: str = ""

    def summary(self) -> dict[str, str]:
        """What a module returns and shows."""
        return {"url": self.url, "credential_secret": self.credential_secret}


def plan(existing: BackupTarget, desired: BackupTarget) -> Plan:
    """Which of the two settings to write; the Secret comes first, for the address is tried as soon as it is there."""
    validate(desired)
    steps = []
    if existing.credential_secret != desired.credential_secret:
        steps.append(
            Step(
                "set_secret",
                f"set the backup target's Secret to {desired.credential_secret or 'none'}",
                {"value": desired.credential_secret},
            )
        )
    if existing.url != desired.url:
        steps.append(Step("set_url", f"set the backup target to {desired.url or 'none'}", {"value": desired.url}))
    return Plan(before=existing.summary(), after=desired.summary(), steps=tuple(steps))


def validate(desired: BackupTarget) -> None:
    """InvalidRequest for what can be told without a cluster."""
    problems = url_problems(desired.url) if desired.url else []
    if desired.url.startswith("s3:") and not desired.credential_secret:
        problems.append(f"backup target {desired.url}: an s3 target needs credential_secret, the name of a Secret")
    if problems:
        raise InvalidRequest("; ".join(problems))


def url_problems(url: str) -> list[str]:
    """What is wrong with a target's address, if anything."""
    if re.search(r"\s", url):
        return [f"backup target {url!r} has white space in it"]
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [f"backup target {url!r} is not an address: {error}"]
    if parts.scheme in _LATER_SCHEMES:
        return [f"backup target {url!r}: {parts.scheme} needs Longhorn 1.5 or later; known here are s3://, nfs://"]
    if parts.scheme not in SCHEMES:
        return [f"backup target {url!r} has an unknown scheme; known are s3://bucket@region/path, nfs://host:/export"]
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
            problems.append(
                f"Secret {name} lacks {', '.join(missing)}; it has {', '.join(sorted(secret)) or 'no keys'}"
            )
    padded = sorted(key for key, value in secret.items() if isinstance(value, str) and value != value.strip())
    if padded:
        problems.append(f"Secret {name} has white space around the value of {', '.join(padded)}")
    return problems


def available(error: str | None) -> Progress:
    """Whether the manager can list the target's content; ``error`` is what it said when it could not."""
    if error is None:
        return done("the manager can list it")
    if _HOPELESS.search(error):
        return failed(error)
    return pending(error)
