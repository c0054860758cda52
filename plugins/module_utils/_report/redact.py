# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes out what must not leave a company with a bug report: addresses, people, keys."""

from __future__ import annotations

import re

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), "(access key)"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), "(key)"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), "(token)"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w+/=.~-]{8,}"), r"\1 (token)"),
    (
        re.compile(r"(?i)\b([\w-]*(?:password|passwd|secret|token|signature|credential|(?:access|account|api)_?key)[\w-]*)(\"?\s*[=:]\s*\"?)[^\s\"&,;]+"),
        r"\1\2(removed)",
    ),
    (re.compile(r"\b(s3|nfs|cifs|azblob|https?)://[^\s\"'<>/?]+"), r"\1://(host)"),
    (re.compile(r"\b(lookup|dial tcp|dial udp) [A-Za-z0-9][\w.-]*[\w](?= on |:)"), r"\1 (host)"),
    (re.compile(r"(certificate is valid for) .{1,400}?, not [^\s\"']+"), r"\1 (hosts)"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b"), "(mail address)"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "(address)"),
    (re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}(?![\w:])"), "(address)"),
    (re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6}(?![\w:])"), "(address)"),
    (re.compile(r"(?<![\w:])::1(?![\w:])"), "(address)"),
    (re.compile(r"(?<![\w./])/(?:home|root|Users|var|tmp|srv|work)/[^\s\"':,;)]+"), "(path)"),
)  # fmt: skip


def redacted(text: str) -> str:
    """The text without them. Names of volumes, Jobs and images stay: a bug report is about those."""
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text
