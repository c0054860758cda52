# SPDX-License-Identifier: GPL-3.0-or-later
"""Container log files in the runtime's own format: `<RFC3339Nano> <stream> <F|P> <text>`.

Writing and reading are apart from files and clocks, so that a test needs neither.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

LONGEST_PART = 16 * 1024
FULL, PART = b"F", b"P"
NANOSECONDS = 1_000_000_000


def format_nanoseconds(moment: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 with all nine digits."""
    seconds, rest = divmod(moment, NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def parse_nanoseconds(text: str) -> int:
    """An RFC 3339 time with any number of digits as nanoseconds since 1970."""
    head, dot, tail = text.strip().partition(".")
    digits = ""
    if dot:
        count = len(tail) - len(tail.lstrip("0123456789"))
        digits, head = tail[:count], head + tail[count:]
    whole = datetime.fromisoformat(head)
    if whole.tzinfo is None:
        raise ValueError(f"time without zone: {text!r}")
    return int(whole.timestamp()) * NANOSECONDS + int(digits[:9].ljust(9, "0"))


@dataclass
class LineSplitter:
    """Cuts a process's output into log entries: one per line, several where a line is longer than a part may be."""

    stream: str
    _rest: bytes = b""

    def feed(self, data: bytes, *, now: int) -> bytes:
        """The entries that are complete with these bytes."""
        text, at = self._rest + data, 0
        stamp = format_nanoseconds(now).encode()
        entries = []
        while True:
            end = text.find(b"\n", at, at + LONGEST_PART + 1)
            if end >= 0:
                entries.append(self._entry(stamp, FULL, text[at:end]))
                at = end + 1
            elif len(text) - at > LONGEST_PART:
                entries.append(self._entry(stamp, PART, text[at : at + LONGEST_PART]))
                at += LONGEST_PART
            else:
                self._rest = text[at:]
                return b"".join(entries)

    def close(self, *, now: int) -> bytes:
        """What the process wrote after its last line feed."""
        rest, self._rest = self._rest, b""
        return self._entry(format_nanoseconds(now).encode(), PART, rest) if rest else b""

    def _entry(self, stamp: bytes, tag: bytes, text: bytes) -> bytes:
        return b" ".join((stamp, self.stream.encode(), tag, text)) + b"\n"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a log file."""

    stamp: str
    full: bool
    text: bytes


def read_entry(raw: bytes) -> Entry | None:
    """Take a line of a log file apart; None for what is none."""
    parts = raw.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[2] not in (FULL, PART):
        return None
    text = parts[3] if len(parts) == 4 else b""
    return Entry(stamp=parts[0].decode("ascii", "replace"), full=parts[2] == FULL, text=text)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a reader of a log wants of it."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: int | None = None
    limit: int | None = None


@dataclass
class Renderer:
    """Turns entries into the bytes a reader gets, under its selection; one per request."""

    selection: Selection
    _sent: int = 0
    _within_line: bool = False

    @property
    def exhausted(self) -> bool:
        """Whether the byte limit has been reached."""
        return self.selection.limit is not None and self._sent >= self.selection.limit

    def render(self, raw: bytes) -> bytes:
        """The bytes for one line of the file."""
        entry = read_entry(raw)
        if entry is None or self.exhausted:
            return b""
        if self.selection.since is not None and parse_nanoseconds(entry.stamp) < self.selection.since:
            return b""
        text = entry.text + (b"\n" if entry.full else b"")
        if self.selection.timestamps and not self._within_line:
            text = entry.stamp.encode() + b" " + text
        self._within_line = not entry.full
        if self.selection.limit is not None:
            text = text[: self.selection.limit - self._sent]
        self._sent += len(text)
        return text


def tail_offset(file: t.BinaryIO, lines: int) -> int:
    """Where the last so many entries of a file begin, found from its end."""
    end = file.seek(0, 2)
    if lines <= 0 or end == 0:
        return end
    position, found = end, 0
    while position > 0:
        start = max(0, position - 65536)
        file.seek(start)
        block = file.read(position - start)
        at = len(block) - 1 if position == end and block.endswith(b"\n") else len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            found += 1
            if found == lines:
                return start + at + 1
        position = start
    return 0
