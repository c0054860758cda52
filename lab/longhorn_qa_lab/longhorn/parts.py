# SPDX-License-Identifier: GPL-3.0-or-later
"""What all of the manager's requests share: the context, and how a failure is told.

Every failure is an ApiFault with the text Longhorn answers; HTTP is somebody else's business.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Unreachable
from longhorn_qa_lab.longhorn import checks, engine, world
from longhorn_qa_lab.longhorn.context import Context
from longhorn_qa_lab.longhorn.s3_client import StoreError

_PROXY_PORT: t.Final = 8501

REASONS: t.Final = (checks.Refused, ApiError, Unreachable, engine.CommandError, StoreError, LookupError)


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

    def _binary(self, image: str) -> engine.Binary:
        store = engine.StoreRules.of(self._c.release, self._c.poll_scale)
        return engine.Binary(image=image, plan=self._c.plan, store=store)

    def _engine(self, volume: str) -> engine.Engine:
        """The running engine of a volume, called through the image it runs."""
        engines = self._w.all(world.ENGINES, volume=volume)
        if len(engines) != 1:
            raise checks.Refused(f"cannot find suitable engine for volume {volume}")
        status = engines[0].get("status") or {}
        if status.get("currentState") != "running":
            raise checks.Refused(f"cannot find the engine of volume {volume}: it is not running, no IP available")
        binary = self._binary(status["currentImage"])
        if self._c.release.engines_through == "proxy":
            return engine.Proxied(self._c.disk, binary, volume, proxy=f"{status['ip']}:{_PROXY_PORT}")
        return engine.Engine(self._c.disk, binary, volume)
