# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from logs and objects is anybody's text: made harmless before it meets a terminal or an XML parser."""

from __future__ import annotations

import unicodedata

FORMULA = ("=", "+", "-", "@")


def one_line(text: str) -> str:
    """The text without what moves a cursor, colours, reverses or hides: such characters are shown as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char == " " or (char.isprintable() and _plain_width(char)) else _escape(char) for char in text
    )


def xml_text(text: str) -> str:
    """The text with only characters that XML 1.0 allows; others are shown as escapes, line ends are kept."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char == "\n" or (char.isprintable() and _in_xml(char)) else _escape(char) for char in text)


def no_formula(text: str) -> str:
    """The text, quoted if a spreadsheet that it is pasted or imported into would calculate it."""
    return f"'{text}" if text[:1] in FORMULA and text else text


def clipped(text: str, width: int) -> str:
    """At most ``width`` columns; what is left out shows as dots."""
    return text if len(text) <= width else text[: max(0, width - 3)] + "..."


def wrapped(text: str, *, width: int, indent: str) -> list[str]:
    """Lines of at most ``width`` columns; words that are longer are cut."""
    room = width - len(indent)
    lines: list[str] = []
    line = ""
    for word in one_line(text).split(" "):
        pieces = [word[start : start + room] for start in range(0, len(word), room)] or [""]
        for piece in pieces:
            if line and len(line) + 1 + len(piece) > room:
                lines.append(indent + line)
                line = piece
            else:
                line = f"{line} {piece}" if line else piece
    if line:
        lines.append(indent + line)
    return lines


def _plain_width(char: str) -> bool:
    return unicodedata.east_asian_width(char) not in "WF" and not unicodedata.combining(char)


def _in_xml(char: str) -> bool:
    code = ord(char)
    return 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
