# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe's changes to the source: each where it belongs, or a clear word that the source has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from longhorn_qa_lab.binaries import kubernetes_source
from longhorn_qa_lab.errors import LabError

INSTALL = """package install

import (
	"k8s.io/apimachinery/pkg/runtime"
)

func Install(scheme *runtime.Scheme) {
	utilruntime.Must(v1.AddToScheme(scheme))
	utilruntime.Must(scheme.SetVersionPriority(v1.SchemeGroupVersion, v1beta1.SchemeGroupVersion))
}
"""
STORAGE = """	storage["jobs"] = jobsStorage
	storage["jobs/status"] = jobsStatusStorage

	return storage, err
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "pkg/apis/batch/install/install.go": INSTALL,
        "pkg/registry/batch/rest/storage_batch.go": STORAGE,
        "pkg/apis/types.go": "package apis\n// +k8s:openapi-gen=true\n",
        "pkg/other/other.go": "package other\n",
        "cmd/app/app.go": "// +k8s:openapi-gen=true\npackage app\n",
        "staging/src/k8s.io/api/core/v1/doc.go": "// +k8s:openapi-gen=true\npackage v1\n",
        "staging/src/k8s.io/code-generator/example/doc.go": "// +k8s:openapi-gen=true\npackage example\n",
        "vendor/github.com/modern-go/reflect2/old.go": "package reflect2\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    links = tmp_path / "vendor/k8s.io"
    links.mkdir()
    for name in ("api", "code-generator"):
        (links / name).symlink_to(Path("../../staging/src/k8s.io") / name)
    return tmp_path


def test_cronjobs_are_registered_and_stored_as_v1(tree: Path) -> None:
    kubernetes_source.serve_cronjobs_as_v1(tree)
    install = (tree / "pkg/apis/batch/install/install.go").read_text()
    registered = install.index("scheme.AddKnownTypes(v1.SchemeGroupVersion, &cronjobtypes.CronJob{}")
    assert install.index('cronjobtypes "k8s.io/api/batch/v1beta1"') < registered < install.index("SetVersionPriority")
    storage = (tree / "pkg/registry/batch/rest/storage_batch.go").read_text()
    assert (
        storage.index('"jobs/status"') < storage.index('storage["cronjobs/status"]') < storage.rindex("return storage")
    )


@pytest.mark.parametrize(
    ("file", "text"),
    [
        pytest.param("pkg/apis/batch/install/install.go", "package install\n", id="line gone"),
        pytest.param("pkg/registry/batch/rest/storage_batch.go", STORAGE * 2, id="line twice"),
    ],
)
def test_a_source_that_has_changed_is_said_so(tree: Path, file: str, text: str) -> None:
    (tree / file).write_text(text)
    with pytest.raises(LabError, match=r"Kubernetes source has changed: .* expected once"):
        kubernetes_source.serve_cronjobs_as_v1(tree)


def test_definitions_are_made_for_every_package_that_asks(tree: Path) -> None:
    arguments = kubernetes_source.openapi_arguments(tree, tree / "go")
    packages = arguments[arguments.index("--input-dirs") + 1].split(",")
    assert packages == [
        "k8s.io/kubernetes/cmd/app",
        "k8s.io/kubernetes/pkg/apis",
        "k8s.io/kubernetes/vendor/k8s.io/api/core/v1",
    ]


def test_the_vendored_reflection_is_replaced_whole(tree: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "new.go").write_text("package reflect2\n")
    kubernetes_source.replace_reflection(tree, newer)
    assert [path.name for path in (tree / "vendor/github.com/modern-go/reflect2").iterdir()] == ["new.go"]


def test_the_version_is_linked_in_where_servers_and_clients_look() -> None:
    flags = kubernetes_source.link_flags()
    for package in ("component-base/version", "client-go/pkg/version"):
        assert f"-X k8s.io/kubernetes/vendor/k8s.io/{package}.gitVersion={kubernetes_source.VERSION}" in flags
