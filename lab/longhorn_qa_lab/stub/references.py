# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images as registries, container engines and Kubernetes understand them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from longhorn_qa_lab.errors import LabError

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"(?:(?P<host>{_HOST})/)?(?P<path>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?", re.ASCII)
_HUB = "docker.io"


@dataclass(frozen=True)
class Reference:
    """``given`` as somebody wrote it; the rest as it is meant."""

    given: str
    repository: str
    tag: str

    @property
    def full(self) -> str:
        return f"{self.repository}:{self.tag}"


def parse(text: str) -> Reference | None:
    """``a/b`` is ``docker.io/a/b:latest``, because a first part without a dot or port is no host."""
    found = _NAME.fullmatch(text)
    if not found:
        return None
    host, path = found["host"], found["path"]
    if host and host != "localhost" and not re.search("[.:]", host):
        host, path = None, f"{host}/{path}"
        if not re.fullmatch(f"{_PART}(?:/{_PART})*", path):
            return None  # only a host may have capital letters
    if not host:
        host, path = _HUB, path if "/" in path else f"library/{path}"
    return Reference(given=text, repository=f"{host}/{path}", tag=found["tag"] or "latest")


def tagged(text: str) -> Reference:
    """A name for a new image."""
    reference = parse(text)
    if reference is None or ":" not in text.rpartition("/")[2]:
        raise LabError(f"The new image was to be named {text!r}: a name like registry.example.com/name:tag is needed.")
    return reference


def same(one: str, other: str) -> bool:
    """Whether two texts name the same image."""
    first, second = parse(one), parse(other)
    return one == other or (first is not None and second is not None and first.full == second.full)
