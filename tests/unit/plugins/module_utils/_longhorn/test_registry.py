# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references, moved to a private registry."""

from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.registry import in_registry


@pytest.mark.parametrize(
    ("reference", "registry", "expected"),
    [
        pytest.param("quay.io/a/engine:no-cleanup", "", "quay.io/a/engine:no-cleanup", id="no registry, no change"),
        pytest.param("quay.io/a/engine:x", "reg.example.com", "reg.example.com/a/engine:x", id="the host is replaced"),
        pytest.param("localhost/engine:x", "reg:5000", "reg:5000/engine:x", id="localhost is a host"),
        pytest.param("reg:5000/a/b:x", "other.example", "other.example/a/b:x", id="a host with a port"),
        pytest.param("longhornio/minio:x", "r.example", "r.example/longhornio/minio:x", id="Docker Hub's short form"),
        pytest.param("busybox", "r.example/m/", "r.example/m/busybox", id="a bare name and a slash at the end"),
        pytest.param("", "r.example", "", id="no image, which is the default one"),
        pytest.param("a.b/c@sha256:00", "r.example", "r.example/c@sha256:00", id="a digest"),
    ],
)
def test_in_registry(reference: str, registry: str, expected: str) -> None:
    assert in_registry(reference, registry) == expected
