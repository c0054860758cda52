# SPDX-License-Identifier: GPL-3.0-or-later
"""From an error to a module's failure: the one mapping to the arguments of ``fail_json``.

The tree itself lives in ``_cluster``, which raises most of it and may not import upwards; modules take its root from
here.
"""

from __future__ import annotations

import typing as t

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import LonghornQAError

__all__ = ["LonghornQAError", "failure"]


def failure(error: LonghornQAError) -> dict[str, t.Any]:
    """What ``fail_json`` is called with: the message, the class of the error and the evidence."""
    result: dict[str, t.Any] = {"msg": str(error), "error": error.word}
    for name in ("subject", "expected", "seen", "advice"):
        if getattr(error, name):
            result[name] = getattr(error, name)
    if error.after is not None:
        result["waited"] = round(error.after, 1)
    return {**dict(error.evidence), **result}
