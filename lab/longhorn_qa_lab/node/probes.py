# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness: TCP and HTTP probes are tried against the port a program really listens on.

A command probe cannot be run, because there is no container to run it in; a program is its own witness there.
"""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

import aiohttp

from longhorn_qa_lab.node.model import Probe
from longhorn_qa_lab.node.services import LOOPBACK

FIRST_LOOKS = 0.2


async def failure(probe: Probe, *, address: str, real: int) -> str:
    """Why the probe fails now; empty if it succeeds. The text names the address the cluster knows."""
    try:
        async with asyncio.timeout(probe.timeout):
            if probe.kind == "tcp":
                _, writer = await asyncio.open_connection(LOOPBACK, real)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                return ""
            return await _http(probe, real)
    except TimeoutError:
        return f"dial tcp {address}:{probe.port}: i/o timeout"
    except (OSError, aiohttp.ClientError):
        return f"dial tcp {address}:{probe.port}: connect: connection refused"


async def _http(probe: Probe, real: int) -> str:
    url = f"{probe.scheme}://{LOOPBACK}:{real}{probe.path}"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=False, allow_redirects=False) as answer:
        return "" if 200 <= answer.status < 400 else f"HTTP probe failed with statuscode: {answer.status}"


async def watch(
    probe: Probe,
    *,
    address: str,
    real: int,
    scale: float,
    tell: t.Callable[[bool, str], None],
) -> t.NoReturn:
    """Probe for ever and tell what the results make of the container: is it ready, and why the probe failed if it did.

    Until the first success it looks more often than the period says, and silently, so that a lab is ready as soon as
    its programs are; failures are only told at the probe's own pace. What was ready stays so until the probe has failed
    as many times in a row as its author wanted.
    """
    loop = asyncio.get_running_loop()
    period = probe.period * scale
    await asyncio.sleep(probe.initial_delay * scale)
    told, ready, failed = loop.time(), False, 0
    while True:
        reason = await failure(probe, address=address, real=real)
        failed = failed + 1 if reason else 0
        ready = not reason or (ready and failed < probe.failures)
        if not reason or loop.time() - told >= period:
            tell(ready, reason)
            told = loop.time()
        await asyncio.sleep(period if ready else min(period, FIRST_LOOKS))
