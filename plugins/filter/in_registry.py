# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references for clusters that pull from a private registry."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.registry import in_registry


def _in_registry(reference: t.Any, registry: t.Any = "") -> str:
    for name, value in (("the image reference", reference), ("the registry", registry)):
        if not isinstance(value, str):
            raise AnsibleFilterError(f"longhorn.qa.in_registry: {name} must be a string, not {type(value).__name__}")
    return in_registry(reference, registry)


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"in_registry": _in_registry}
