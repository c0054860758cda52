# SPDX-License-Identifier: GPL-3.0-or-later
"""What probes make of a container: it is ready with the first success, and no more after failures in a row."""

from __future__ import annotations

import asyncio

import pytest

from longhorn_qa_lab.node import probes
from longhorn_qa_lab.node.model import Probe

PROBE = Probe(kind="tcp", port=1, period=10, failures=3)


class Over(Exception):
    """The script is at its end."""


def told(monkeypatch: pytest.MonkeyPatch, script: str) -> list[tuple[bool, str]]:
    """What is told of a script of results: ``o`` is a success, ``x`` a failure."""
    found: list[tuple[bool, str]] = []
    results = iter(script)

    async def failure(_probe: Probe, *, address: str, real: int) -> str:
        del address, real
        result = next(results, None)
        if result is None:
            raise Over
        return "" if result == "o" else "refused"

    monkeypatch.setattr(probes, "failure", failure)

    async def watched() -> None:
        await probes.watch(PROBE, address="a", real=1, scale=0.0, tell=lambda ready, why: found.append((ready, why)))

    with pytest.raises(Over):
        asyncio.run(watched())
    return found


@pytest.mark.parametrize(
    ("script", "ready"),
    [
        pytest.param("o", [True], id="a success"),
        pytest.param("x", [False], id="never ready"),
        pytest.param("oxxo", [True, True, True, True], id="two failures in a row are forgiven"),
        pytest.param("oxxx", [True, True, True, False], id="three are not"),
        pytest.param("oxxoxx", [True, True, True, True, True, True], id="a success in between counts anew"),
        pytest.param("oxxxo", [True, True, True, False, True], id="and it is ready again"),
    ],
)
def test_ready_or_not(monkeypatch: pytest.MonkeyPatch, script: str, ready: list[bool]) -> None:
    assert [is_ready for is_ready, _why in told(monkeypatch, script)] == ready


def test_each_failure_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, "ox") == [(True, ""), (True, "refused")]
