# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images the node knows, and what it says of the others."""

from __future__ import annotations

import pytest

from longhorn_qa_lab.node import images
from longhorn_qa_lab.node.images import Idle, Image, Local, MissingExecutable, UnknownImage

TOOL = Local(argv=("tool",))
KNOWN = (
    Image(repository="longhornio/longhorn-manager", entrypoint=("longhorn-manager",), executables={"tool": TOOL}),
    Image(repository="*/longhorn-engine", tag="v1.*", executables={"*": Idle(prints="installed\n")}),
)


@pytest.mark.parametrize(
    "reference",
    [
        "longhornio/longhorn-manager:v1.0.1",
        "docker.io/longhornio/longhorn-manager:v1.0.0-fix",
        "registry.example:5000/mirror/longhornio/longhorn-manager",
        "longhornio/longhorn-manager@sha256:abc",
    ],
)
def test_registry_and_tag_do_not_matter(reference: str) -> None:
    assert images.find(reference, KNOWN) is KNOWN[0]


@pytest.mark.parametrize("reference", ["quay.io/ttpcodes/longhorn-engine:v1.0.0", "me/longhorn-engine:v1.2.3"])
def test_repository_and_tag_patterns(reference: str) -> None:
    assert images.find(reference, KNOWN) is KNOWN[1]


@pytest.mark.parametrize(
    "reference",
    ["busybox", "longhorn-manager:v1.0.1", "other/longhorn-manager", "me/longhorn-engine:latest", "", ":", "a:b:c"],
)
def test_unknown_image_is_told_with_all_known_ones(reference: str) -> None:
    with pytest.raises(UnknownImage, match=r"known images only: \*/longhorn-engine:v1\.\*, longhornio/longhorn-manag"):
        images.find(reference, KNOWN)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("longhornio/x:1", "docker.io/longhornio/x:1"),
        ("quay.io/a/b", "quay.io/a/b:latest"),
        ("localhost/a", "localhost/a:latest"),
        ("host:5000/a:2", "host:5000/a:2"),
        ("a/b@sha256:1", "docker.io/a/b@sha256:1"),
    ],
)
def test_full_reference_as_a_runtime_reports_it(text: str, full: str) -> None:
    assert images.parse_reference(text).full == full


def test_command_replaces_entrypoint_and_default_arguments() -> None:
    image = Image(repository="x", executables={}, entrypoint=("run",), arguments=("--default",))
    assert images.command_line(image, command=(), args=()) == ("run", "--default")
    assert images.command_line(image, command=(), args=("a",)) == ("run", "a")
    assert images.command_line(image, command=("sh",), args=()) == ("sh",)
    assert images.command_line(image, command=("sh",), args=("-c", "x")) == ("sh", "-c", "x")


def test_executable_is_found_by_its_base_name() -> None:
    assert images.executable(KNOWN[0], ("/usr/local/bin/tool", "x")) is TOOL
    assert isinstance(images.executable(KNOWN[1], ("/bin/bash",)), Idle)
    with pytest.raises(MissingExecutable, match=r'exec: "bash": executable file not found .* has: tool'):
        images.executable(KNOWN[0], ("bash", "-c", "true"))
