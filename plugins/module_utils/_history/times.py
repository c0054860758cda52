# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 3339 times, as Kubernetes, logrus and CRI write them: seconds to nanoseconds, always aware UTC inside."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


@lru_cache(maxsize=4096)  # one object says the same moment again in each of its versions
def parse_time(text: str) -> datetime | None:
    """The moment, or None if the text is not an RFC 3339 time. Digits below microseconds are dropped."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in "Zz" else zone
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and ``Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
