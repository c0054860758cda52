# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the engine that a stub can refuse, under all names that the engine gives them, and its words."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from longhorn_qa_lab.errors import LabError

# Longhorn takes an error with these words for "is deleted already", and the fault would be none.
_FORBIDDEN: t.Final = "cannot find"


@dataclass(frozen=True)
class Subcommand:
    """``calls`` are the pairs of words that mean it, with a slash between them."""

    calls: tuple[str, ...]
    words: str


def _called(group: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{one}/{name}" for one in (group, f"{group}s") for name in names)


SUBCOMMANDS: t.Final[t.Mapping[str, Subcommand]] = {
    "snapshot rm": Subcommand(_called("snapshot", "rm"), "stubbed snapshot deletion for testing"),
    "snapshot purge": Subcommand(_called("snapshot", "purge"), "stubbed snapshot purge for testing"),
    "snapshot create": Subcommand(_called("snapshot", "create"), "stubbed snapshot creation for testing"),
    "backup rm": Subcommand(_called("backup", "rm", "remove", "delete"), "stubbed backup deletion for testing"),
    "backup create": Subcommand(_called("backup", "create"), "stubbed backup creation for testing"),
}


def refusals(names: t.Iterable[str], words: str | None = None) -> dict[str, str]:
    """What each of these commands is to say instead of working; every name once, in the order of the table."""
    wanted = {" ".join(name.split()) for name in names}
    unknown = sorted(wanted - set(SUBCOMMANDS))
    if unknown:
        raise LabError(
            f"A stub cannot refuse {', '.join(map(repr, unknown))}: the commands it can refuse are "
            f"{', '.join(map(repr, SUBCOMMANDS))}."
        )
    if words is not None:
        _check(words)
    return {name: words or command.words for name, command in SUBCOMMANDS.items() if name in wanted}


def _check(words: str) -> None:
    if not words.strip() or not words.isprintable():
        raise LabError(f"A stub says one line of printable characters, but its words were to be {words!r}.")
    if _FORBIDDEN in words.lower():
        raise LabError(
            f"The words {words!r} have {_FORBIDDEN!r} in them, which Longhorn takes for an object that is deleted "
            "already, so that nothing would fail: choose others."
        )


def quoted(words: str) -> str:
    """As logrus puts a text behind ``msg=``."""
    return json.dumps(words, ensure_ascii=False)
