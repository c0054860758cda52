# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON documents one after another in a file, as ``kubectl get --watch -o json`` and jsonl files have them.

A broken document costs itself only: reading goes on at the next line that starts a document. Where that has been tried
in vain too often, the rest of the file is taken for broken: each try may read all of it.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass

_SPACE = re.compile(r"\s*")
_NEXT = re.compile(r"\n[{\[]")

MAX_BROKEN = 100  # in one file
_IN_VAIN = 4  # times its length may be read without finding a document


@dataclass(frozen=True)
class Document:
    """A document and the byte where it starts."""

    offset: int
    value: t.Any


@dataclass(frozen=True)
class Broken:
    """Bytes that are not a JSON document, from where, and why."""

    offset: int
    reason: str


def looks_like_json(content: bytes) -> bool:
    """Whether the file sets out to be JSON documents."""
    return content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def read_documents(content: bytes) -> Iterator[Document | Broken]:
    """The documents of a file, and what lies broken between them."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    decoder = json.JSONDecoder()
    bytes_before, counted = len(content) - len(content.removeprefix(b"\xef\xbb\xbf")), 0
    position = _skip(text, 0)
    broken, in_vain = 0, 0
    while position < len(text):
        bytes_before += len(text[counted:position].encode("utf-8"))
        counted = position
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            broken += 1
            in_vain += (error.pos if isinstance(error, json.JSONDecodeError) else len(text)) - position
            if broken >= MAX_BROKEN or in_vain > _IN_VAIN * len(text):
                yield Broken(offset=bytes_before, reason=f"{_reason(error)}; with so much broken the rest was not read")
                return
            yield Broken(offset=bytes_before, reason=_reason(error))
            found = _NEXT.search(text, position + 1)
            position = found.start() + 1 if found else len(text)
            continue
        yield Document(offset=bytes_before, value=value)
        position = _skip(text, end)


def _skip(text: str, position: int) -> int:
    return t.cast(re.Match[str], _SPACE.match(text, position)).end()


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).partition(": line ")[0]
