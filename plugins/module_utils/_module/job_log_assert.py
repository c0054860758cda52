# SPDX-License-Identifier: GPL-3.0-or-later
"""Asserts how often the logs of a job say something; evidence is the same on success and on failure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._history import logfmt
from ansible_collections.longhorn.qa.plugins.module_utils._module import bounds, invocations, log_matching


def run(params: Mapping[str, t.Any], *, client: Client | None = None) -> dict[str, t.Any]:
    """The module: counts matching lines, and decides."""
    selection = invocations.Selection.of(params)
    pattern = log_matching.Pattern.of(params)
    limits = bounds.Bounds.of(params)
    if params.get("history"):
        sources = invocations.recorded(invocations.read(params["history"]), selection, folder=params["history"])
    else:
        sources = invocations.live(client or connect(params), selection, namespace=params["namespace"])
    counts = dict.fromkeys(sources.invocations, 0)
    matched: list[dict[str, t.Any]] = []
    looked: list[dict[str, t.Any]] = []
    unseen = list(sources.unseen)
    for source in sources.logs:
        keep = max(0, params["evidence"] - len(matched))
        result, problem = _scanned(source, pattern, keep=keep)
        counts[source.invocation] = counts.get(source.invocation, 0) + result.matches
        where = {"invocation": source.invocation, "pod": source.pod, "attempt": source.attempt}
        matched += [{**where, **log_matching.shown(line)} for line in result.kept]
        looked.append(
            {**where, "lines": result.lines, "bytes": result.bytes, "matches": result.matches, "problem": problem}
        )
        if problem:
            told = f"pod {source.pod}, attempt {source.attempt}: {problem}" if source.pod else problem
            unseen.append((source.invocation, told))
    evidence = {
        "matched": matched,
        "unmatched": sorted(name for name, count in counts.items() if not count),
        "logs": looked,
        "pattern": str(pattern),
    }
    found = bounds.Found(counts, unseen)
    return bounds.decide(limits, found, subject=f"log lines of {selection} ({pattern})", evidence=evidence)


def _scanned(
    source: invocations.LogSource, pattern: log_matching.Pattern, *, keep: int
) -> tuple[log_matching.Scan, str]:
    """The log's matches, and what is missing of it. A log that cannot be read is missing, not empty."""
    try:
        found = log_matching.scan(source.open(), pattern, keep=keep)
    except LonghornQAError as error:
        return log_matching.Scan(0, 0, 0, ()), f"its log could not be read: {error}"
    cut = f"line {found.cut} is longer than {logfmt.MAX_LINE >> 20} MiB, and its rest was not looked at"
    return found, source.problem or (cut if found.cut else "")
