# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the judge says of a run, and what is otherwise in another one; compared with what was approved.

A test that finds something else writes all of it to tests/output, to be read and copied to tests/expected.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
import typing as t
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[4]

Words = dict[str, tuple[str, list[str]]]  # what is said, and the evidence, by what it is said about


def said(judgement: t.Any, cases: t.Any) -> Words:
    """All of it."""
    words: Words = {"run": (f"{judgement.verdict} {judgement.origin} {judgement.reason}", [])}
    for cell, case in itertools.zip_longest(judgement.cells, cases):
        volume = cell.cell.volume
        older = f"{case.older_snapshots} older snapshots, {case.older_backups} older backups"
        words[volume] = (f"{cell.verdict}, {cell.contract}, {older}", list(map(artefact_of, case.loose)))
        for item, seen in zip(cell.invocations, case.invocations, strict=True):
            made = [*map(artefact_of, (*seen.snapshots, *seen.backups))]
            attempts = [
                f"{attempt}: {attempt.exit_code} {attempt.log and attempt.log.problem}" for attempt in seen.attempts
            ]
            words[f"{volume} {item.name}"] = (
                f"{item.tick}, by hand {item.by_hand}, cut {item.cut!r}, {item.state}, {item.attempts} attempts, "
                f"snapshots {', '.join(item.snapshots)}, backups {', '.join(item.backups)}",
                [*attempts, *made],
            )
        for check in cell.checks:
            more = "; ".join(text for text in (check.advice, check.known_issue) if text)
            about = f"{check.verdict}: {check.summary}" + (f" ({more})" if more else "")
            words[f"{volume} {check.check}"] = (unnumbered(about), [unnumbered(str(item)) for item in check.evidence])
    return words


def unnumbered(text: str) -> str:
    """Without the places of records, of which a change makes more or fewer."""
    return re.sub(r"\d+( records without a hole)|(\(record) \d+", r"\1\2", text) if "record" in text else text


def artefact_of(artefact: t.Any) -> str:
    made = f"{artefact.kind} {artefact.name}" + (f" of {artefact.snapshot}" if artefact.snapshot else "")
    known = ", ".join(sorted(artefact.sources)) + (", maybe older" if artefact.maybe_older else "")
    return f"{made} ({known}) by {artefact.attempt}, {artefact.invocation} of {artefact.candidates}"


def difference(before: Words, after: Words) -> list[str]:
    """What is said otherwise, or no longer; of evidence the lines that came and went."""
    told = []
    for about in {**before, **after}:
        if before.get(about) != after.get(about):
            text, evidence = after.get(about, ("not there", []))
            compared = [*difflib.unified_diff(before.get(about, ("", []))[1], evidence, n=0, lineterm="")][2:]
            told += [f"{about}: {text}", *(f"    {one[0]} {one[1:]}" for one in compared if one[0] in "+-")]
    return [re.sub("299238(0[123])", r"10\1", one) for one in told]  # Jobs by the time of day, for reading


class Approved:
    """What was approved of cases by name: of "a, b" what differs from the case "b", else what does from ``base``."""

    def __init__(self, file: str, cases: Mapping[str, t.Any], base: str, examine: Callable[[str], t.Any]) -> None:
        self.file, self.cases, self.base = file, cases, base
        self.whole: Callable[[str], Words] = cache(lambda name: said(*examine(name)))
        path = TESTS / "expected" / file
        self.texts: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
        self.found: dict[str, list[str]] = {}

    def check(self, name: str) -> None:
        parts = name.split(", ")
        shorter = (", ".join(parts[place:]) for place in range(1, len(parts)))
        base = next((item for item in shorter if item in self.cases), self.base)
        before = self.whole(base) if base not in ("", name) else {}
        self.found[name] = difference(before, self.whole(name))
        assert self.found[name] == self.texts.get(name), f"if this is meant, copy tests/output/{self.file} to expected"

    def write(self) -> None:
        """All of it, if something was found to be otherwise."""
        if any(self.texts.get(name) != told for name, told in self.found.items()):
            folder = TESTS / "output"
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({**self.texts, **self.found}, indent=1, sort_keys=True)
            (folder / self.file).write_text(text + "\n")
