# SPDX-License-Identifier: GPL-3.0-or-later
"""What the virtual node knows about container images.

Nothing is ever pulled. An image is known when a table says which local program stands for it; the tables of Longhorn
and of the S3 server live beside those programs. The registry in front of a repository does not matter, because a
private mirror rewrites exactly that part of the reference.
"""

from __future__ import annotations

import fnmatch
import hashlib
import sys
import typing as t
from dataclasses import dataclass, field

PYTHON = sys.executable
ANY = "*"


@dataclass(frozen=True, kw_only=True)
class Local:
    """A local process that stands for an executable of an image.

    argv replaces the first word of the container's command line, the other words are handed over unchanged.
    ports are what the image listens on although the pod does not say so (the EXPOSE lines of an image).
    stop_code is the exit code of the real program after SIGTERM, where it differs from the local one's.
    """

    argv: tuple[str, ...]
    ports: tuple[int, ...] = ()
    stop_code: int | None = None
    env: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Idle:
    """An executable that only waits: it costs no process.

    It prints a text once and then, where follows names a file below the node's root file system, every line somebody
    appends to that file. It runs until its pod is deleted.
    """

    prints: str = ""
    follows: str = ""
    stop_code: int = 0


Executable = Local | Idle


@dataclass(frozen=True, kw_only=True)
class Image:
    """One known image: glob patterns for the end of its repository and for its tag, and what is inside."""

    repository: str
    executables: t.Mapping[str, Executable]
    tag: str = ANY
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image reference taken apart."""

    repository: str
    tag: str
    digest: str

    @property
    def full(self) -> str:
        """The reference as a container runtime reports it, with registry and tag."""
        first, _, rest = self.repository.partition("/")
        if not rest:
            name = f"docker.io/library/{first}"
        elif "." in first or ":" in first or first == "localhost":
            name = self.repository
        else:
            name = f"docker.io/{self.repository}"
        return f"{name}@{self.digest}" if self.digest else f"{name}:{self.tag}"

    @property
    def image_id(self) -> str:
        """A digest that is always the same for the same reference."""
        return "sha256:" + hashlib.sha256(self.full.encode()).hexdigest()


def parse_reference(text: str) -> Reference:
    """Take `registry:port/path/name:tag@digest` apart; the tag is `latest` when there is none."""
    name, _, digest = text.strip().partition("@")
    head, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    return Reference(repository=f"{head}{slash}{base}", tag=tag or "latest", digest=digest)


class UnknownImage(LookupError):
    """No table knows the image; the text tells which ones are known."""


class MissingExecutable(LookupError):
    """The image is known, but nothing in it answers to the command's first word."""


def find(text: str, known: t.Iterable[Image]) -> Image:
    """The first known image that a reference matches."""
    images = tuple(known)
    reference = parse_reference(text)
    for image in images:
        if _ends_with(reference.repository, image.repository) and fnmatch.fnmatchcase(reference.tag, image.tag):
            return image
    names = ", ".join(sorted({f"{image.repository}:{image.tag}" for image in images}))
    raise UnknownImage(
        f'failed to pull and unpack image "{reference.full}": failed to resolve reference "{reference.full}": '
        f"the lab's node pulls nothing and runs known images only: {names}"
    )


def _ends_with(repository: str, pattern: str) -> bool:
    wanted = pattern.split("/")
    return fnmatch.fnmatchcase("/".join(repository.split("/")[-len(wanted) :]), pattern)


def command_line(image: Image, *, command: t.Sequence[str], args: t.Sequence[str]) -> tuple[str, ...]:
    """What a runtime would execute: the pod's command replaces the entrypoint and, alone, the default arguments too."""
    if command:
        return (*command, *args)
    return (*image.entrypoint, *(args or image.arguments))


def executable(image: Image, argv: t.Sequence[str]) -> Executable:
    """The program that stands for the first word of a command line."""
    first = argv[0] if argv else ""
    found = image.executables.get(first.rpartition("/")[2]) or image.executables.get(ANY)
    if found is None:
        raise MissingExecutable(
            f'failed to create containerd task: exec: "{first}": executable file not found in $PATH '
            f"(the lab's {image.repository} has: {', '.join(sorted(image.executables))})"
        )
    return found
