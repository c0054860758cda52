# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup targets as objects: what they are made of, and what is refused. Pure."""

from __future__ import annotations

import typing as t
import urllib.parse

from longhorn_qa_lab.longhorn import checks, fields, names
from longhorn_qa_lab.longhorn.decide import Object
from longhorn_qa_lab.longhorn.releases import Release

DEFAULT: t.Final = "default"
_SCHEMES: t.Final = ("s3", "nfs", "cifs", "azblob")


def new(name: str, release: Release, **spec: str) -> Object:
    """A BackupTarget."""
    metadata = {"name": name, "namespace": names.NAMESPACE, "finalizers": [names.FINALIZER]}
    return {"kind": "BackupTarget", "metadata": metadata, "spec": fields.new("BackupTarget", release, **spec)}


def complete(target: Object, release: Release) -> Object:
    """The target with all that its maker left out."""
    given = {key: value for key, value in (target.get("spec") or {}).items() if value is not None}
    finalizers = [*{*target["metadata"].get("finalizers", ()), names.FINALIZER}]
    metadata = {**target["metadata"], "finalizers": finalizers}
    return {**target, "metadata": metadata, "spec": fields.new("BackupTarget", release, **given)}


def require_url(url: str) -> None:
    """Refuse a URL of a store that Longhorn does not know; an empty one is no target."""
    scheme = urllib.parse.urlsplit(url).scheme
    if url and scheme not in _SCHEMES:
        raise checks.Refused(
            f"value {url} of backup target URL is invalid: unsupported backup store type {scheme or url}"
        )


def require_secret(values: t.Mapping[str, str]) -> None:
    """Refuse credentials with white space around them, which nobody sees and no store takes."""
    for key in sorted(values):
        if values[key] != values[key].lstrip():
            raise checks.Refused(f"invalid leading whitespace in {key}")
        if values[key] != values[key].rstrip():
            raise checks.Refused(f"invalid trailing whitespace in {key}")


def poll_interval(seconds: str) -> str:
    """The setting's seconds as Go prints a duration."""
    minutes, rest = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
