# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds lines in logs of any size by their parsed fields.

Parsing every line of a large log is slow, so blocks that cannot hold a match are passed over: a value that is looked
for stands in the log as it is, unless the writer escaped it, and then there is a backslash.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput
from ansible_collections.longhorn.qa.plugins.module_utils._history import logfmt

_PLAIN = re.compile(r"[A-Za-z0-9 ._/:@'()\[\],-]{3,}")
_LONG_ESCAPE = re.compile(r"\\[xuUN0-9]")  # with digits or a name, which are not themselves in what it fits
_ESCAPES = (b"\\x", b"\\u", b"\\U")
_LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Pattern:
    """What a line has to be; empty parts fit every line."""

    level: str = ""
    message: str = ""  # occurs in the message
    message_regex: re.Pattern[str] | None = None
    fields: Mapping[str, str] | None = None

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Pattern:
        """From the options, or BadInput."""
        regex = params.get("message_regex") or ""
        try:
            compiled = re.compile(regex) if regex else None
        except re.error as error:
            raise BadInput(f"not a regular expression: {error}", subject="message_regex", seen=regex) from error
        fields = {str(key): str(value) for key, value in (params.get("fields") or {}).items()}
        pattern = cls(params.get("level") or "", params.get("message_text") or "", compiled, fields)
        if not (pattern.level or pattern.message or regex or fields):
            raise BadInput(
                "every line would match", subject="level, message_text, message_regex, fields", expected="one or more"
            )
        return pattern

    def __str__(self) -> str:
        parts = [
            f"level {self.level}" if self.level else "",
            f"message with {self.message!r}" if self.message else "",
            f"message like {self.message_regex.pattern!r}" if self.message_regex else "",
            *(f"{key}={value!r}" for key, value in (self.fields or {}).items()),
        ]
        return ", ".join(part for part in parts if part)

    def fits(self, line: logfmt.Line) -> bool:
        """Whether the line's own fields are as asked; text quoted inside them is not a field."""
        if self.level and line.level != self.level:
            return False
        message = line.message if line.fields else line.text
        if self.message not in message or (self.message_regex and not self.message_regex.search(message)):
            return False
        return all(line.get(key) == value for key, value in (self.fields or {}).items())

    def literal(self) -> bytes:
        """The longest text that a matching line has to contain; empty when there is none."""
        texts = [self.level, self.message, *(self.fields or {}).values()]
        texts += certain_texts(self.message_regex.pattern) if self.message_regex else []
        runs = [run for text in texts for run in _PLAIN.findall(text)]
        return max(runs, key=len, default="").encode()


def certain_texts(regex: str) -> list[str]:
    """Texts that everything the expression fits has to contain; none when that is not plain to see."""
    if "|" in regex or "(?" in regex or _LONG_ESCAPE.search(regex):
        return []
    texts, depth, place = [""], 0, 0
    while place < len(regex):
        char = regex[place]
        place += 1
        if char in "*?{":  # what came before it may be absent
            texts[-1] = texts[-1][:-1]
            place = _after(regex, place, "}") if char == "{" else place
        elif char == "\\":
            place += 1
        elif char == "[":
            place = _after(regex, place + regex.startswith(("]", "^]"), place) * 2, "]")
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char not in "+.^$" and not depth:
            texts[-1] += char
            continue
        texts.append("")
    return texts


def _after(regex: str, place: int, closing: str) -> int:
    """The place behind a closing bracket that is not escaped; the end when there is none."""
    while place < len(regex) and regex[place] != closing:
        place += 2 if regex[place] == "\\" else 1
    return place + 1


@dataclass(frozen=True)
class Scan:
    """What one log had. Of the first line that is ``cut`` nobody looked at the rest; 0: there is none."""

    lines: int
    bytes: int
    matches: int
    kept: tuple[logfmt.Line, ...]
    cut: int = 0


def scan(chunks: Iterable[bytes], pattern: Pattern, *, keep: int) -> Scan:
    """Counts all matching lines and keeps the first ``keep`` of them."""
    literal = pattern.literal()
    kept: list[logfmt.Line] = []
    matches = size = number = cut = 0
    for block in _blocks(chunks):
        size += len(block)
        if not cut and len(block) > logfmt.MAX_LINE and block.find(b"\n", 0, logfmt.MAX_LINE + 1) < 0:
            cut = number + 1
        if literal and literal not in block and not any(escape in block for escape in _ESCAPES):
            number += block.count(b"\n") + (not block.endswith(b"\n"))
            continue
        for line in logfmt.read_lines([block]):
            if pattern.fits(line):
                matches += 1
                if len(kept) < keep:
                    kept.append(_shortened(line, number + line.number))
            del line  # it may be as large as the next one
        number += block.count(b"\n") + (not block.endswith(b"\n"))
    return Scan(number, size, matches, tuple(kept), cut)


def shown(line: logfmt.Line) -> dict[str, t.Any]:
    """A line as evidence."""
    return {
        "line": line.number,
        "level": line.level,
        "message": line.message,
        "text": line.text,
    }


def _shortened(line: logfmt.Line, number: int) -> logfmt.Line:
    """With its number in the log, and no longer than evidence may be."""
    fields = tuple((key, value[:_LONGEST_TEXT]) for key, value in line.fields if key in ("level", "msg"))
    return logfmt.Line(number=number, text=line.text[:_LONGEST_TEXT], fields=fields)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that end where a line ends; a line that is too long for logfmt is cut there, and its rest dropped."""
    pending: list[bytes] = []
    size, dropping = 0, False
    for chunk in chunks:
        piece = chunk
        if dropping:
            stop = piece.find(b"\n")
            if stop < 0:
                continue
            piece, dropping = piece[stop + 1 :], False
        stop = piece.rfind(b"\n") + 1
        if stop:
            pending.append(piece[:stop])
            piece, block = piece[stop:], b"".join(pending)
            pending.clear()
            yield block
            size, block = 0, b""
        if piece:
            pending.append(piece)
            size += len(piece)
        if size > logfmt.MAX_LINE:
            yield b"".join(pending)[: logfmt.MAX_LINE + 1] + b"\n"
            pending, size, dropping = [], 0, True
    if pending:
        yield b"".join(pending)
