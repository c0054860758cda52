# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed from one run to another, for instance before and after an upgrade.

Cells of two runs belong together by what they are, not by their volumes' names, which hold the run's own id.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator

Document = dict[str, t.Any]

_NAMED = 3  # cells of a group
_FIRST = ("worse", "better", "other")

_BADNESS = {"pass": 0, "inconclusive": 1, "fail": 2, "broken": 3}


def changes(before: Document, after: Document) -> list[Document]:
    """Everything that is not the same, the run's own facts first."""
    found = [
        _change("run", name, str(before[name]), str(after[name]))
        for name in ("release", "verdict", "namespace", "default_engine_faults")
        if before[name] != after[name]
    ]
    old, new = _keyed(before), _keyed(after)
    for key in [*old, *(key for key in new if key not in old)]:
        found += _cell_changes(key, old.get(key), new.get(key))
    return found


class Group(t.NamedTuple):
    """The same change of one or more cells."""

    what: str
    before: str
    after: str
    direction: str
    cells: list[str]

    @property
    def named(self) -> str:
        """The first cells' names, and how many more there are."""
        more = len(self.cells) - _NAMED
        return ", ".join(self.cells[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def grouped(found: Iterable[Document]) -> list[Group]:
    """What changed in hundreds of cells alike is told once: the run's own facts first, then what is worse."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for item in found:
        key = (item["what"], item["before"], item["after"], item["direction"])
        groups.setdefault(key, []).append(item["cell"])
    every = [Group(*key, cells) for key, cells in groups.items()]
    return sorted(every, key=lambda group: (group.cells[0] != "run", _FIRST.index(group.direction)))


def _keyed(run: Document) -> dict[str, Document]:
    """Cells by what they are; a second one of the same kind keeps a number."""
    keyed: dict[str, Document] = {}
    for cell in run["cells"]:
        name = cell["volume"].replace(run["run_id"], "*") if run["run_id"] else cell["volume"]
        key, number = name, 1
        while key in keyed:
            number += 1
            key = f"{name} ({number})"
        keyed[key] = cell
    return keyed


def _cell_changes(key: str, old: Document | None, new: Document | None) -> Iterator[Document]:
    if old is None or new is None:
        there = "not part of the run"
        yield _change(key, "cell", there if old is None else old["verdict"], there if new is None else new["verdict"])
        return
    verdicts = {check["check"]: check["verdict"] for check in old["checks"]}
    for check in new["checks"]:
        was = verdicts.get(check["check"], "not_applicable")
        if was != check["verdict"]:
            yield _change(key, check["check"], was, check["verdict"])
    for name in ("task", "engine_image", "retain", "cron"):
        if old[name] != new[name]:
            yield _change(key, name, str(old[name]), str(new[name]))
    for what in ("attempts", "snapshots", "backups"):
        before, after = _per_job(old, what), _per_job(new, what)
        if before != after:
            yield _change(key, f"{what} per Job", before, after)


def _per_job(cell: Document, what: str) -> str:
    """Which numbers occur, so that runs of different lengths compare."""
    counts = {item[what] if what == "attempts" else len(item[what]) for item in cell["invocations"] if item["judged"]}
    return ", ".join(str(count) for count in sorted(counts)) or "no Job"


def _change(cell: str, what: str, before: str, after: str) -> Document:
    direction = "other"
    if before in _BADNESS and after in _BADNESS:
        direction = "better" if _BADNESS[after] < _BADNESS[before] else "worse"
    return {"cell": cell, "what": what, "before": before, "after": after, "direction": direction}
