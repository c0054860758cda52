# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables, command lines and volumes of containers."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

import pytest

from longhorn_qa_lab.node import environment, volumes
from longhorn_qa_lab.node.environment import ConfigError, Needed, Where
from longhorn_qa_lab.node.model import PodSpec, read_pod

WHERE = Where(pod_ip="10.244.0.9", host_ip="127.0.0.1")
DATA: environment.Data = {
    ("secrets", "s3"): {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"},
    ("configmaps", "settings"): {"level": "debug"},
}


def pod(container: dict[str, t.Any], **spec: t.Any) -> PodSpec:
    meta = {
        "name": "p",
        "namespace": "ns",
        "uid": "u",
        "labels": {"app": "x"},
        "annotations": {"example.org/note": "n"},
    }
    containers = [{"name": "main", "image": "i", **container}]
    return read_pod({"metadata": meta, "spec": {"nodeName": "lab-node", "containers": containers, **spec}})


def variables(*env: dict[str, t.Any], env_from: t.Sequence[dict[str, t.Any]] = ()) -> dict[str, str]:
    spec = pod({"env": list(env), "envFrom": list(env_from)})
    return environment.variables(spec, spec.containers[0], data=DATA, where=WHERE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.labels['app']", "x"),
        ("metadata.annotations['example.org/note']", "n"),
        ("metadata.labels['none']", ""),
        ("spec.nodeName", "lab-node"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.244.0.9"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert variables({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}) == {"A": value}


def test_unknown_field_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"unsupported field path status\.phase"):
        variables({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}})


def test_secret_and_config_map() -> None:
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "AWS_ACCESS_KEY_ID"}}}
    level = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}
    assert variables(secret, level) == {"KEY": "id", "LEVEL": "debug"}


def test_missing_key_is_named_unless_it_is_optional() -> None:
    reference = {"name": "s3", "key": "CERT"}
    with pytest.raises(ConfigError, match="couldn't find key CERT in Secret ns/s3"):
        variables({"name": "A", "valueFrom": {"secretKeyRef": reference}})
    assert variables({"name": "A", "valueFrom": {"secretKeyRef": {**reference, "optional": True}}}) == {}


def test_whole_secret_with_prefix_and_own_values_on_top() -> None:
    got = variables(
        {"name": "X_AWS_ACCESS_KEY_ID", "value": "mine"}, env_from=[{"prefix": "X_", "secretRef": {"name": "s3"}}]
    )
    assert got == {"X_AWS_ACCESS_KEY_ID": "mine", "X_AWS_SECRET_ACCESS_KEY": "key"}


def test_needed_objects_are_listed_once() -> None:
    spec = pod(
        {
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "b", "optional": True}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings", "optional": True}}],
        }
    )
    assert set(environment.needed(spec.containers[0])) == {
        Needed(kind="secrets", name="s3", optional=False),
        Needed(kind="configmaps", name="settings", optional=True),
    }


def test_references_between_variables() -> None:
    got = variables({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C) $$(A) $A"})
    assert got["B"] == "1$(C) $(A) $A"


def test_secret_documents_are_decoded() -> None:
    encoded = {"data": {"k": base64.b64encode("ü".encode()).decode()}}
    assert environment.decode("secrets", encoded) == {"k": "ü"}
    assert environment.decode("configmaps", {"data": {"k": "v"}}) == {"k": "v"}
    assert environment.decode("secrets", {}) == {}


def test_volumes_become_folders(tmp_path: Path) -> None:
    spec = pod(
        {
            "volumeMounts": [
                {"name": "host", "mountPath": "/var/lib/longhorn"},
                {"name": "work", "mountPath": "/work", "subPath": "deep"},
                {"name": "keys", "mountPath": "/keys"},
            ]
        },
        volumes=[
            {"name": "host", "hostPath": {"path": "/var/lib/longhorn/"}},
            {"name": "work", "emptyDir": {}},
            {"name": "keys", "secret": {"secretName": "s3"}},
        ],
    )
    assert volumes.needed(spec) == (Needed(kind="secrets", name="s3", optional=False),)
    contents: volumes.Contents = {("secrets", "s3"): {"data": {"id": base64.b64encode(b"value").decode()}}}
    places = volumes.set_up(spec, folder=tmp_path / "pod", hostpath=tmp_path / "host", contents=contents)
    mounts = volumes.mounts(spec.containers[0], places)
    assert mounts == {
        "/var/lib/longhorn": str(tmp_path / "host/var/lib/longhorn"),
        "/work": str(tmp_path / "pod/work/deep"),
        "/keys": str(tmp_path / "pod/keys"),
    }
    key = tmp_path / "pod/keys/id"
    assert key.read_bytes() == b"value"
    assert key.stat().st_mode & 0o077 == 0, "a secret is its owner's only"
    assert Path(mounts["/var/lib/longhorn"]).is_dir()


def test_unsupported_volume_is_named(tmp_path: Path) -> None:
    spec = pod({}, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}])
    with pytest.raises(volumes.UnsupportedVolume, match='volume "data" : the lab has no persistentVolumeClaim'):
        volumes.set_up(spec, folder=tmp_path, hostpath=tmp_path, contents={})
