# SPDX-License-Identifier: GPL-3.0-or-later
"""References of container images, moved to another registry: a cluster without a way out pulls all from one place."""

from __future__ import annotations


def in_registry(reference: str, registry: str) -> str:
    """The same image, pulled from ``registry`` (a host, perhaps with a port and a path). As it was where one is empty.

    The host of the reference is replaced; a reference without one (Docker Hub's short form) keeps its whole path.
    """
    if not (reference and registry):
        return reference
    return f"{registry.rstrip('/')}/{_path(reference)}"


def _path(reference: str) -> str:
    first, slash, rest = reference.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return rest if is_host else reference
