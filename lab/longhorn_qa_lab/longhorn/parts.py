# SPDX-License-Identifier: GPL-3.0-or-later
"""What all of the manager's requests share: the context, and how a failure is told.

Every failure is an ApiFault with the text Longhorn answers; HTTP is somebody else's business.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Unreachable
from longhorn_qa_lab.longhorn import backupstore, checks, engine, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.releases import Release, Span
from longhorn_qa_lab.longhorn.s3_client import StoreError

REASONS: t.Final = (
    checks.Refused,
    ApiError,
    Unreachable,
    engine.CommandError,
    StoreError,
    backupstore.LockRefused,
    LookupError,
)


_PROXY_PORT: t.Final = 8501
_FAILED: t.Final = Span(since=(1, 5, 0))


class ApiFault(Exception):
    """An answer that is an error."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class Gone(ApiFault):
    """Nothing there: an empty answer with status 404."""

    def __init__(self) -> None:
        super().__init__("", 404)


class Doing:
    """Prefixes the reason of a failure with what was being done."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, REASONS):
            raise ApiFault(f"{self._what}: {error}") from error


class Part:
    """Some of the requests, on one context."""

    def __init__(self, context: Context, *, egress: Path | None) -> None:
        self._c = context
        self._w = context.cluster
        self._egress = egress

    @property
    def _fail(self) -> str:
        """How an error begins: the releases have changed their word."""
        return "failed" if self._c.release.has(_FAILED) else "fail"

    @property
    def release(self) -> Release:
        return self._c.release

    def _binary(self, image: str) -> engine.Binary:
        return binary(self._c, image)

    def _engine(self, volume: str) -> engine.Engine:
        return reach(self._c, volume)


def binary(context: Context, image: str) -> engine.Binary:
    """An image's executable on this node."""
    rules = engine.StoreRules.of(context.release, context.poll_scale)
    return engine.Binary(image=image, plan=context.plan, store=rules)


def reach(context: Context, volume: str) -> engine.Engine:
    """The running engine of a volume: by the binary of its image, or from 1.3 on through the proxy."""
    engines = context.cluster.all(world.ENGINES, volume=volume)
    if len(engines) != 1:
        raise checks.Refused(f"cannot find suitable engine for volume {volume}")
    status = engines[0].get("status") or {}
    if status.get("currentState") != "running":
        raise checks.Refused(f"cannot find the engine of volume {volume}: it is not running, no IP available")
    called = binary(context, status["currentImage"])
    if context.release.engines_through == "proxy":
        return engine.Proxied(context.disk, called, volume, proxy=f"{status['ip']}:{_PROXY_PORT}")
    return engine.Engine(context.disk, called, volume)
