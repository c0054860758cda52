# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log file really holds: container output, a runtime's log format, or the error of the tool that fetched it."""

from __future__ import annotations

import codecs
import json
import re

# What kubectl and kubelets write in place of a log that they could not get.
_ERRORS = re.compile(
    rb"(unable to retrieve container logs for \S+"
    rb"|Error from server\b.*"
    rb"|error: .*"
    rb"|failed to (?:try resolving symlinks|create fsnotify watcher|open log file|watch log file)\b.*"
    rb"|failed to get container status\b.*"
    rb"|rpc error: code = .*"
    rb"|The connection to the server \S+ was refused.*"
    rb"|Unable to connect to the server: .*"
    rb"|(?:previous terminated container|container) \"?[^\" ]+\"? (?:in pod|not found|is not available).*)"
)
_CRI = re.compile(rb"(\S+) (stdout|stderr) ([FP])(?::\S+)?(?: (.*))?", re.DOTALL)
_STAMPED = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}(?:Z|[+-]\d\d:\d\d) ")
_CRI_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def from_utf16(content: bytes) -> bytes:
    """As UTF-8 what Windows' PowerShell made of a tool's output on its way to a file; anything else as it is."""
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content
    return content.decode("utf-16", errors="replace").encode("utf-8", errors="replace")


def tool_error(content: bytes) -> str:
    """The error text, if the log holds nothing else or ends with one; empty when it is a log."""
    last = content.rstrip(b"\r\n").rpartition(b"\n")[2].strip()
    return last.decode("utf-8", errors="replace") if _ERRORS.fullmatch(last) else ""


def only_tool_error(content: bytes) -> bool:
    """Whether every line is the error of the tool that should have fetched the log."""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    return bool(lines) and all(_ERRORS.fullmatch(line) for line in lines)


def without_times(content: bytes) -> bytes:
    """The log without the time that ``--timestamps`` puts before each line; unchanged when not every line has one."""
    lines = content.splitlines(keepends=True)
    if not lines or not all(_STAMPED.match(line) for line in lines):
        return content
    return b"".join(line.partition(b" ")[2] for line in lines)


def is_cri(content: bytes) -> bool:
    """Whether this is a container runtime's own log file: time, stream and a tag before each line."""
    first = content.partition(b"\n")[0]
    match = _CRI.fullmatch(first)
    return match is not None and _CRI_TIME.fullmatch(match.group(1)) is not None


def from_cri(content: bytes) -> bytes:
    """The container's output; lines that the runtime had cut in parts are whole again."""
    out: list[bytes] = []
    for line in content.split(b"\n"):
        match = _CRI.fullmatch(line)
        if match is None:
            if line:
                out.append(line + b"\n")
            continue
        out.append((match.group(4) or b"") + (b"\n" if match.group(3) == b"F" else b""))
    return b"".join(out)


def is_docker(content: bytes) -> bool:
    """Whether this is the file in which Docker itself keeps a container's output: a JSON object for each line."""
    return _docker_text(content.partition(b"\n")[0]) is not None


def from_docker(content: bytes) -> bytes:
    """The container's output; a line that is no such object, as the last of a file that is cut, stays as it is."""
    texts = ((line, _docker_text(line)) for line in content.splitlines(keepends=True))
    return b"".join(line if text is None else text for line, text in texts)


def _docker_text(line: bytes) -> bytes | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(entry, dict)
        or not entry.keys() >= {"log", "stream", "time"}
        or not isinstance(entry["log"], str)
    ):
        return None
    return entry["log"].encode("utf-8", errors="replace")
