# SPDX-License-Identifier: GPL-3.0-or-later
"""The images a lab's node can run, put together from the tables beside the programs."""

from __future__ import annotations

from longhorn_qa_lab.node.images import PYTHON, Image, Local

LAB_IMAGE = Image(
    repository="longhorn-qa/lab",
    entrypoint=("lab",),
    executables={"lab": Local(argv=(PYTHON, "-m", "longhorn_qa_lab.node.lab_program"))},
)


def known_images() -> tuple[Image, ...]:
    """Every image of the lab; Longhorn's are imported late, because their table imports this package's types."""
    from longhorn_qa_lab.longhorn.images import IMAGES

    return (LAB_IMAGE, *IMAGES)
