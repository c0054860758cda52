# SPDX-License-Identifier: GPL-3.0-or-later
"""Where we are in a container's log, so that a cut stream goes on without losing or repeating a byte.

The log API can start at a whole second only. So streams are asked for with timestamps; those are taken off what is
kept, and remembered for the lines of the last second: after a cut the server repeats that second, and what is known is
skipped. A node stores long lines in parts, and older ones send a timestamp in front of each part, in the middle of the
line; so a part counts as a line here. No I/O: bytes in, bytes to keep out.
"""

from __future__ import annotations

import re
import typing as t
import zlib
from dataclasses import dataclass

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_LONGEST_STAMP = 35
_PART = 8192  # the parts of long lines are this long, or twice this
_PART_STAMP = re.compile(rb"(" + _STAMP.pattern + rb") ")
_SHAPE = b"0000-00-00T00:00:00"
_REST_OF_STAMP = re.compile(rb"(?:\.\d{0,9})?(?:Z|[+-](?:\d(?:\d(?::\d{0,2})?)?)?)?")
_FAR = 1 << 62


@dataclass
class _Line:
    """A line that was seen: its timestamp, and length and checksum of what was kept of it."""

    stamp: bytes
    length: int = 0
    checksum: int = 0
    ended: bool = False

    def add(self, data: bytes) -> None:
        self.length += len(data)
        self.checksum = zlib.crc32(data, self.checksum)


class LogCursor:
    """One container run's log. ``feed`` what a stream delivers; ``reconnect`` before a new stream's first byte."""

    def __init__(self) -> None:
        self.foreign = ""  # text without a timestamp: an error of the node in place of the log
        self.conflict = ""  # why the new stream does not fit to the old one
        self.first: tuple[bytes, int] | None = None  # identity of the first line: timestamp, checksum
        self._prefix = bytearray()  # a timestamp that has not come completely
        self._seen: list[_Line] = []  # the lines of the last second; only the last of them may be unfinished
        self._line: _Line | None = None  # the line we are in
        self._known: list[_Line] = []  # what the server is going to repeat
        self._skipping: _Line | None = None  # the known line that is being repeated
        self._dropping = False  # inside a foreign line, or one older than what was asked for
        self._held = bytearray()  # at the end of what may be a part: the beginning of the next one's timestamp, or text

    @property
    def repeated(self) -> bool:
        """Whether the stream has brought again all that it was expected to."""
        return not self._known

    @property
    def since(self) -> str:
        """What to give as ``sinceTime``; empty: from the beginning."""
        return _second(self._seen[-1].stamp) if self._seen else ""

    def reconnect(self) -> None:
        """A new stream, asked for with ``since``, is about to begin."""
        self._known = list(self._seen)
        self._prefix.clear()
        self._held.clear()
        self._line, self._skipping, self._dropping = None, None, False

    def feed(self, data: bytes) -> bytes:
        """The bytes of the log in ``data`` that were not seen before."""
        kept = bytearray()
        while data:
            if self._line is None and self._skipping is None and not self._dropping:
                data = self._begin(data)
                continue
            if self._held or self._at_part():
                data = self._between_parts(data)
                if not data:
                    break
            end = data.find(b"\n", 0, self._room()) + 1
            size = end or min(len(data), self._room())
            part, data = data[:size], data[size:]
            kept += self._inside(part, ended=bool(end))
        return bytes(kept)

    def _current(self) -> _Line | None:
        return None if self._dropping else self._skipping or self._line

    def _room(self) -> int:
        """How many bytes may come before the next place where a part can end."""
        line = self._current()
        return _FAR if line is None else _PART - line.length % _PART

    def _at_part(self) -> bool:
        line = self._current()
        return line is not None and line.length > 0 and line.length % _PART == 0

    def _between_parts(self, data: bytes) -> bytes:
        """A timestamp here begins the next part of the line; anything else is text. Returns what is to be read on."""
        rest = bytes(self._held) + data
        line = t.cast(_Line, self._current())
        match = _PART_STAMP.match(rest)
        if match is None and _may_become_stamp(rest):
            self._held[:] = rest
            return b""
        self._held.clear()
        if match is None or _second(match[1]) < _second(line.stamp):
            return rest
        self._end_part(line)
        self._enter(match[1])
        return rest[match.end() :]

    def _end_part(self, line: _Line) -> None:
        """The line goes on in another part."""
        if self._skipping is not None:
            self._skip(b"", ended=True)
        else:
            self._keep(line, b"", ended=True)

    def finish(self) -> bytes:
        """The log has ended: what looked like the beginning of a timestamp was text."""
        held, self._held = bytes(self._held), bytearray()
        if held and self._line is not None:
            self._keep(self._line, held, ended=False)
        return held

    def _begin(self, data: bytes) -> bytes:
        """Takes a timestamp and its space off; decides what to do with the line."""
        space = data.find(b" ", 0, _LONGEST_STAMP + 1)
        newline = data.find(b"\n", 0, _LONGEST_STAMP + 1)
        stop = min(position for position in (space, newline, len(data)) if position >= 0)
        complete = stop < len(data)
        self._prefix += data[:stop]
        if not complete and len(self._prefix) <= _LONGEST_STAMP:
            return b""
        stamp = bytes(self._prefix)
        self._prefix.clear()
        if not complete or _STAMP.fullmatch(stamp) is None:
            self.foreign = self.foreign or (stamp + data[stop : stop + 300]).decode("utf-8", "replace").strip()
            self._dropping = True
            return data[stop:]
        self._enter(stamp)
        return data[stop + 1 :] if space == stop else data[stop:]

    def _enter(self, stamp: bytes) -> None:
        if self._known and _second(stamp) < _second(self._known[0].stamp):
            self._dropping = True  # the server gave more than was asked for
        elif self._known and self._known[0].stamp == stamp:
            self._skipping = _Line(stamp)
        else:
            if self._known:
                self.conflict = self.conflict or f"line {self._known[0].stamp.decode()} did not come again"
                self._known = []
            self._start_line(_Line(stamp))

    def _start_line(self, line: _Line) -> None:
        if self._seen and _second(self._seen[-1].stamp) != _second(line.stamp):
            self._seen = []
        self._seen.append(line)
        self._line = line

    def _inside(self, part: bytes, *, ended: bool) -> bytes:
        if self._dropping:
            self._dropping = not ended
            return b""
        if self._skipping is not None:
            return self._skip(part, ended=ended)
        line = t.cast(_Line, self._line)
        self._keep(line, part, ended=ended)
        return part

    def _skip(self, part: bytes, *, ended: bool) -> bytes:
        known, again = self._known[0], t.cast(_Line, self._skipping)
        left = known.length - again.length
        again.add(part[:left])
        new = part[left:]
        if again.length < known.length and not ended:
            return b""
        if (again.length, again.checksum) != (known.length, known.checksum) or (known.ended and new):
            self.conflict = self.conflict or f"line {known.stamp.decode()} has another text now"
            return self._diverge(part, ended=ended)
        if known.ended:
            self._known.pop(0)
            self._skipping = None
            return b""
        if not new and not ended:
            return b""  # exactly what we have; the rest of the line is still to come
        self._known.pop(0)
        self._skipping, self._line = None, known
        self._keep(known, new, ended=ended)
        return new

    def _diverge(self, part: bytes, *, ended: bool) -> bytes:
        """Another log than the one we know: what is left of it is kept, the conflict is told."""
        stamp = self._known[0].stamp
        self._known, self._skipping = [], None
        line = _Line(stamp)
        self._start_line(line)
        self._keep(line, part, ended=ended)
        return part

    def _keep(self, line: _Line, part: bytes, *, ended: bool) -> None:
        line.add(part)
        line.ended = ended
        if not ended:
            return
        if self.first is None:
            self.first = (line.stamp, line.checksum)
        self._line = None


def _may_become_stamp(text: bytes) -> bool:
    """Whether more bytes could make a timestamp and a space of it."""
    begins = zip(text, _SHAPE, strict=False)
    shape = all((seen in b"0123456789") if wanted == ord("0") else seen == wanted for seen, wanted in begins)
    return shape and (len(text) <= len(_SHAPE) or _REST_OF_STAMP.fullmatch(text, len(_SHAPE)) is not None)


def _second(stamp: bytes) -> str:
    """The timestamp without its fraction."""
    match = _STAMP.fullmatch(stamp)
    return (match[1] + match[2]).decode() if match else ""
