# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``store`` of modules that list a backup store: where it is, with whose credentials."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.store import Location, S3Store
from ansible_collections.longhorn.qa.plugins.module_utils._module.argspec import Spec


def spec(*, named: bool = True) -> Spec:
    """The option, with its suboptions. Not ``named``: it may be the store that is set in Longhorn."""
    which = {"required": True} if named else {"default": ""}
    options: Spec = {
        "url": {"type": "str", **which},
        "credential_secret": {"type": "str", "no_log": False, **which},  # the Secret's name, not what is in it
        "credential_namespace": {"type": "str", "default": ""},
        "endpoint": {"type": "str", "default": ""},
        "service": {"type": "str", "default": ""},
    }
    return {"store": {"type": "dict", "options": options}}


def source(store: Mapping[str, t.Any] | None, *, client: Client, namespace: str) -> S3Store | None:
    """Something that can list the store, or None when no store was named."""
    if not store or not store.get("url"):
        return None
    return S3Store(
        client,
        Location(
            target=store["url"],
            secret=store["credential_secret"],
            namespace=store.get("credential_namespace") or namespace,
            endpoint=store.get("endpoint") or "",
            service=store.get("service") or "",
        ),
    )
