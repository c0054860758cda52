# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things of a lab live: the one place that turns names into folders."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab.errors import LabError

DEFAULT_NAME = "default"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_SOCKET_LIMIT = 100  # the kernel takes 107 bytes; a little is left for suffixes


@dataclass(frozen=True)
class LabPaths:
    """The folder of one lab and what is in it."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def description(self) -> Path:
        return self.folder / "lab.json"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def requests(self) -> Path:
        """What was asked of the API server and by whom, one JSON object a line; only when the lab keeps it."""
        return self.logs / "requests.jsonl"

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"

    @property
    def node(self) -> Path:
        return self.folder / "node"

    @property
    def lock(self) -> Path:
        """Beside the folder, because the folder comes and goes under it."""
        return self.folder.with_name(f".{self.name}.lock")

    @property
    def egress_socket(self) -> Path:
        """UNIX sockets have a short limit for their path, so a deep checkout gets one elsewhere."""
        path = self.folder / "egress.sock"
        if len(os.fsencode(path)) <= _SOCKET_LIMIT:
            return path
        return self.short_folder / "egress.sock"

    @property
    def short_folder(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"longhorn-qa-{os.getuid()}-{digest}"


def checkout() -> Path | None:
    """The repository this package is run from, if it is."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "galaxy.yml").is_file() else None


def lab_root() -> Path:
    """The folder of all labs."""
    given = os.environ.get("LONGHORN_QA_LAB_DIR")
    if given:
        return Path(given).expanduser().resolve()
    return (checkout() or Path.cwd()) / ".lab"


def is_name(text: str) -> bool:
    """Whether a lab may be called so."""
    return _NAME.fullmatch(text) is not None


def lab_paths(name: str) -> LabPaths:
    """The paths of the lab of that name, which may not exist yet."""
    if not is_name(name):
        raise LabError(
            f"A lab's name is 1 to 40 lower-case letters, digits and inner hyphens, but {name!r} was given: "
            "choose another name."
        )
    return LabPaths(lab_root() / name)


def cache_root() -> Path:
    """The user's cache folder for binaries."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").expanduser().resolve() / "longhorn-qa"
