# SPDX-License-Identifier: GPL-3.0-or-later
"""The container images the lab's node can run for Longhorn and its backup store, and by which local program."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import disk
from longhorn_qa_lab.node.images import PYTHON, Idle, Image, Local

_MANAGER = Local(argv=(PYTHON, "-m", "longhorn_qa_lab.longhorn.manager"), ports=(9500,), stop_code=2)
_PYTHON = Local(argv=(PYTHON, "-m", "longhorn_qa_lab.node.python_program"))
_STORE = Local(argv=(PYTHON, "-m", "longhorn_qa_lab.longhorn.s3"), ports=(9000,))

IMAGES: t.Final[tuple[Image, ...]] = (
    Image(
        repository="longhorn-manager",
        entrypoint=("longhorn-manager",),
        executables={"longhorn-manager": _MANAGER},
    ),
    Image(
        repository="longhorn-engine",
        executables={"*": Idle(prints="installed\n")},
    ),
    Image(
        repository="longhorn-instance-manager",
        executables={
            "engine-manager": Idle(follows=disk.log_path("engine")),
            "replica-manager": Idle(follows=disk.log_path("replica")),
            "instance-manager": Idle(follows=disk.log_path("engine")),
        },
    ),
    Image(
        repository="python",
        entrypoint=("python3",),
        executables={"python3": _PYTHON},
    ),
    Image(
        repository="minio",
        entrypoint=("minio",),
        executables={"minio": _STORE, "sh": _STORE, "/bin/sh": _STORE, "*": _STORE},
    ),
)
