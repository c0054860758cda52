# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did not pass, each thing once, however many volumes have it: for forms that people read from the top."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.longhorn.qa.plugins.module_utils._report.document import Document

MAX_CONTRACTS = 4
_ORDER = ("fail", "inconclusive")


class Finding(t.NamedTuple):
    """One check's verdict with one explanation, and the checks of all volumes that have it."""

    verdict: str
    check: str
    known_issue: str
    checks: list[Document]

    @property
    def first(self) -> Document:
        return self.checks[0]


def findings(run: Document) -> list[Finding]:
    """Failures first, those without an explanation before known ones, else in the order of the checks."""
    found: dict[tuple[str, str, str], list[Document]] = {}
    for cell in run["cells"]:
        for check in cell["checks"]:
            if check["verdict"] in _ORDER:
                found.setdefault((check["verdict"], check["check"], check["known_issue"]), []).append(check)
    every = [Finding(*key, checks) for key, checks in found.items()]
    return sorted(every, key=lambda item: (_ORDER.index(item.verdict), bool(item.known_issue)))


def contracts(run: Document) -> list[str]:
    """What the release is meant to do and does, each sentence once, with the number of volumes; the commonest first."""
    counted = Counter(cell["contract"] for cell in run["cells"] if cell["contract"])
    told = [f"{count} of {len(run['cells'])} volumes: {text}" for text, count in counted.most_common(MAX_CONTRACTS)]
    more = len(counted) - len(told)
    return [*told, f"and {more} more sentences on the contract, see report.json"] if more else told
