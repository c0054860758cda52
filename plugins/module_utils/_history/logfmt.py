# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines as logrus' text formatter writes them: ``time="..." level=warning msg="..." key=value``.

Evidence is matched on parsed fields, never on lines, because lines quote each other: an event echoed in a log, or an
engine's error inside a job's warning, repeats the very text a check looks for. So the parser follows the format's
definition strictly, and whatever is not exactly that comes out as a line without fields. Any bytes are accepted.

A manager that was told to log as JSON writes the same fields as an object, so such a line has them too.
"""

from __future__ import annotations

import itertools
import json
import re
import typing as t
from collections.abc import Iterable, Iterator
from datetime import datetime

from ansible_collections.longhorn.qa.plugins.module_utils._history.times import parse_time

MAX_LINE = 16 * 1024 * 1024  # bytes; a longer line is kept up to here and has no fields

_BARE = re.compile(r"[A-Za-z0-9\-._/@^+]*")
_KEY = re.compile(r"[^\s\"=]+")
# A whole field of a line without escapes, as nearly all are: much faster than to read it piece by piece.
_PLAIN = re.compile(r'([^\s"=]+)=(?:"([^"]*)"|([A-Za-z0-9\-._/@^+]*))(?: |\Z)')
# Instance managers put the name of the process that wrote a line in front of it.
_PREFIX = re.compile(r"\[([^\s\[\]]+)\] ")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.)|$)", re.DOTALL)
_PART = re.compile(rf"(?:[^\\]+|{_ESCAPE.pattern}){{1,4096}}", re.DOTALL)
_LONE = re.compile("[\ud800-\udfff]")  # half of a character, which no encoding can write
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'"}

Fields = tuple[tuple[str, str], ...]


class _BadEscape(ValueError):
    pass


class Line(t.NamedTuple):
    """One line of a log. ``fields`` is empty when the line is not logfmt; then only ``text`` says anything."""

    number: int  # from 1
    text: str
    prefix: str = ""
    fields: Fields = ()

    def get(self, key: str) -> str | None:
        """The first value of a key: the formatter writes its own fields before anybody else's."""
        for name, value in self.fields:
            if name == key:
                return value
        return None

    @property
    def level(self) -> str:
        return self.get("level") or ""

    @property
    def message(self) -> str:
        return self.get("msg") or ""

    @property
    def time(self) -> datetime | None:
        """The moment the writer claims; good for reading and for one writer's own order only."""
        return parse_time(self.get("time") or "")


def parse_fields(text: str) -> Fields | None:
    """The fields of a line in their order, or None if the whole line is not logfmt."""
    fields: list[tuple[str, str]] = []
    position, end = 0, len(text)
    if "\\" not in text:
        while position < end:
            field = _PLAIN.match(text, position)
            if field is None:
                return None
            key, quoted, bare = field.groups()
            fields.append((key, bare if quoted is None else quoted))
            position = field.end()
        return tuple(fields) if fields else None
    while position < end:
        key = _KEY.match(text, position)
        if key is None or not text.startswith("=", key.end()):
            return None
        read = _value(text, key.end() + 1)
        if read is None:
            return None
        value, position = read
        fields.append((key.group(), value))
        if position < end:
            if text[position] != " ":
                return None
            position += 1
    return tuple(fields) if fields else None


def parse_line(text: str, *, number: int = 1) -> Line:
    """A line with its fields, if it is logfmt, after an optional ``[process] `` prefix, or a JSON object."""
    if text.startswith("{"):
        return Line(number=number, text=text, fields=_json_fields(text))
    if "=" not in text:
        return Line(number=number, text=text)
    prefix = _PREFIX.match(text)
    fields = parse_fields(text[prefix.end() :] if prefix else text)
    if fields is None:
        return Line(number=number, text=text)
    return Line(number=number, text=text, prefix=prefix.group(1) if prefix else "", fields=fields)


def read_lines(chunks: Iterable[bytes], *, max_line: int = MAX_LINE) -> Iterator[Line]:
    """The lines of a log that arrives in pieces; memory is bounded by the longest line, and that by ``max_line``."""
    numbers = itertools.count(1)
    for raw, whole in _split(chunks, max_line):
        number = next(numbers)
        text = raw.decode("utf-8", errors="replace").rstrip("\r")
        del raw  # a line may be large, and its fields are as large once more
        yield parse_line(text, number=number) if whole else Line(number=number, text=text)


def quote(value: str) -> str:
    """A value as the formatter writes it: bare if it may be, else quoted with Go's escapes."""
    if value and _BARE.fullmatch(value):
        return value
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _json_fields(text: str) -> Fields:
    """The members of the object that a whole line is, in their order; none when it is anything else."""
    try:
        members = json.loads(text, object_pairs_hook=tuple)
        told = [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in members]
    except (ValueError, RecursionError):
        return ()
    return tuple((_LONE.sub("\ufffd", key), _LONE.sub("\ufffd", value)) for key, value in told)


def _split(chunks: Iterable[bytes], max_line: int) -> Iterator[tuple[bytes, bool]]:
    pending: list[bytes] = []
    size = 0
    for chunk in chunks:
        start = 0
        while (stop := chunk.find(b"\n", start)) >= 0:
            kept = min(stop, start + max(0, max_line - size))
            size += stop - start
            yield b"".join((*pending, chunk[start:kept])) if pending else chunk[start:kept], size <= max_line
            pending, size, start = [], 0, stop + 1
        if start < len(chunk):
            pending.append(chunk[start : start + max(0, max_line - size)])
            size += len(chunk) - start
    if size:
        yield b"".join(pending), size <= max_line


def _value(text: str, start: int) -> tuple[str, int] | None:
    if not text.startswith('"', start):
        bare = t.cast(re.Match[str], _BARE.match(text, start))
        return bare.group(), bare.end()
    stop = _closing_quote(text, start + 1)
    if stop is None:
        return None
    inner = text[start + 1 : stop]
    try:
        return (_unescape(inner) if "\\" in inner else inner), stop + 1
    except _BadEscape:
        return None


def _closing_quote(text: str, start: int) -> int | None:
    search = start
    while (found := text.find('"', search)) >= 0:
        before = found
        while before > search and text[before - 1] == "\\":
            before -= 1
        if (found - before) % 2 == 0:
            return found
        search = found + 1
    return None


def _unescape(inner: str) -> str:
    """In parts, because a replacement takes far more memory than its text as long as it goes on."""
    return "".join(_ESCAPE.sub(_character, part.group()) for part in _PART.finditer(inner))


def _character(match: re.Match[str]) -> str:
    byte, short, long, simple = match.groups()
    if byte is not None:  # above 0x7f it is one byte of text that was not UTF-8
        return chr(int(byte, 16)) if int(byte, 16) < 0x80 else "\ufffd"
    code = short or long
    if code is not None:
        number = int(code, 16)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
    if simple not in _SIMPLE:
        raise _BadEscape
    return _SIMPLE[simple]


_WRITTEN = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char in _WRITTEN:
        return _WRITTEN[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
