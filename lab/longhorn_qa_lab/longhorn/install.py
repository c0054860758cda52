# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the simulated Longhorn into a cluster by the manifests of a real one, and waits for its manager."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.errors import LabError
from longhorn_qa_lab.kube import ApiError, Kube, Object, Unreachable
from longhorn_qa_lab.longhorn import bugs as bugs_of
from longhorn_qa_lab.longhorn import crds, faults, names, releases
from longhorn_qa_lab.longhorn.context import CONFIG
from longhorn_qa_lab.longhorn.releases import Release, Span

_NAMESPACED: t.Final = f"/api/v1/namespaces/{names.NAMESPACE}"
_MANAGER: t.Final = "longhorn-manager"
_RBAC: t.Final = "/apis/rbac.authorization.k8s.io/v1"
_LABELS: t.Final = {"app": _MANAGER}
_OLD_TARGET: t.Final = "backup-target:\nbackup-target-credential-secret:\n"
_DEFAULT_RESOURCE: t.Final = "backup-target:\nbackup-target-credential-secret:\nbackupstore-poll-interval:\n"
_STORAGE_CLASS: t.Final = """\
kind: StorageClass
apiVersion: storage.k8s.io/v1
metadata:
  name: longhorn
provisioner: driver.longhorn.io
allowVolumeExpansion: true
reclaimPolicy: Delete
volumeBindingMode: Immediate
parameters:
  numberOfReplicas: "3"
  staleReplicaTimeout: "30"
"""


class InstallError(LabError):
    """Longhorn did not come up; the text says what was seen."""


def install(
    *,
    release: str,
    kubeconfig: Path,
    lab_dir: Path,
    poll_scale: float = 1.0,
    bugs: t.Sequence[str] = (),
    say: t.Callable[[str], None] = print,
) -> None:
    """Apply everything; needs an API server that is ready, but no node yet."""
    row = releases.release(release)
    try:
        bugs_of.require(bugs_of.BugPlan({bugs_of.EVERY_VOLUME: bugs}), row)
    except bugs_of.BadBugPlan as error:
        raise InstallError(str(error)) from error
    say(f"Longhorn {release}: applying its manifests (state in {lab_dir})")
    with Kube(kubeconfig) as kube:
        for collection, document in manifests(row, poll_scale=poll_scale, bugs=bugs):
            kube.apply(collection, document)


def wait_ready(*, release: str, kubeconfig: Path, timeout: float = 60.0) -> None:
    """Until the manager answers through the API server, which it does once the default engine image is ready."""
    with Kube(kubeconfig) as kube:
        _wait(kube, release=release, timeout=timeout)


def _wait(kube: Kube, *, release: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    path = f"{_NAMESPACED}/services/longhorn-backend:9500/proxy/v1/nodes"
    seen = "nothing"
    while time.monotonic() < deadline:
        try:
            if kube.get(path)["data"]:
                return
            seen = "no node"
        except (ApiError, Unreachable) as error:
            seen = str(error)
        time.sleep(0.2)
    pods = kube.list(f"{_NAMESPACED}/pods?labelSelector=app%3D{_MANAGER}")["items"]
    state = [f"{pod['metadata']['name']} {(pod.get('status') or {}).get('phase')}" for pod in pods]
    raise InstallError(
        f"Service {names.NAMESPACE}/longhorn-backend of Longhorn {release}: the manager did not answer within "
        f"{timeout:g} s; last answer: {seen}; its pods: {', '.join(state) or 'none'}. See the pods' logs."
    )


def manifests(release: Release, *, poll_scale: float, bugs: t.Sequence[str] = ()) -> t.Iterator[tuple[str, Object]]:
    """What is applied, in order: collection path and document."""
    yield "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.NAMESPACE}}
    for crd in crds.manifests(release):
        yield "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(names.SERVICE_ACCOUNT)}
    yield f"{_NAMESPACED}/serviceaccounts", account
    yield f"{_RBAC}/clusterroles", _cluster_role(release)
    yield f"{_RBAC}/clusterrolebindings", _cluster_role_binding()
    for name, data in (
        (CONFIG, {"release": release.name, "pollScale": str(poll_scale)}),
        (faults.CONFIG_MAP, {bugs_of.PLAN_KEY: bugs_of.document({bugs_of.EVERY_VOLUME: bugs})} if bugs else {}),
        *_config_maps(release),
    ):
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(name), "data": data}
        yield f"{_NAMESPACED}/configmaps", config_map
    yield f"{_NAMESPACED}/services", _service()
    yield f"/apis/apps/v1/namespaces/{names.NAMESPACE}/daemonsets", manager_daemon_set(release)


def _meta(name: str) -> Object:
    return {"name": name, "namespace": names.NAMESPACE}


def _cluster_role_binding() -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "longhorn-bind"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "longhorn-role"},
        "subjects": [{"kind": "ServiceAccount", "name": names.SERVICE_ACCOUNT, "namespace": names.NAMESPACE}],
    }


#: What a release's manifest puts into the namespace besides the manager: name and data.
_CONFIG_MAPS: t.Final = (
    (Span(), "longhorn-default-setting", "default-setting.yaml", _OLD_TARGET),
    (Span(since=(1, 3, 0)), "longhorn-storageclass", "storageclass.yaml", _STORAGE_CLASS),
    (Span(since=(1, 8, 0)), "longhorn-default-resource", "default-resource.yaml", _DEFAULT_RESOURCE),
)


def _config_maps(release: Release) -> t.Iterator[tuple[str, Object]]:
    for span, name, key, text in _CONFIG_MAPS:
        if release.has(span):
            yield name, {key: text}


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_meta("longhorn-backend"), "labels": _LABELS},
        "spec": {
            "selector": _LABELS,
            "sessionAffinity": "ClientIP",
            "type": "ClusterIP",
            "ports": [{"name": "manager", "port": 9500, "targetPort": "manager"}],
        },
    }


def _cluster_role(release: Release) -> Object:
    def rule(group: str, *resources: str) -> Object:
        return {"apiGroups": [group], "resources": list(resources), "verbs": ["*"]}

    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "longhorn-role"},
        "rules": [
            rule(
                "",
                "pods",
                "events",
                "persistentvolumes",
                "persistentvolumeclaims",
                "nodes",
                "secrets",
                "services",
                "endpoints",
                "configmaps",
            ),
            rule("apps", "daemonsets", "deployments", "statefulsets"),
            rule("batch", "jobs", "cronjobs"),
            rule("coordination.k8s.io", "leases"),
            rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
            rule(names.GROUP, *(f"{crd.plural}{part}" for crd in crds.kinds(release) for part in ("", "/status"))),
        ],
    }


def manager_daemon_set(release: Release) -> Object:
    """The manager, one per node."""
    volumes = [
        {"name": "longhorn", "hostPath": {"path": "/var/lib/longhorn/"}},
        {"name": "longhorn-default-setting", "configMap": {"name": "longhorn-default-setting"}},
    ]
    pod = {
        "serviceAccountName": names.SERVICE_ACCOUNT,
        "containers": [_manager_container(release)],
        "volumes": volumes,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {**_meta(_MANAGER), "labels": _LABELS},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


_MORE_IMAGES: t.Final = (
    (Span(since=(1, 1, 0)), "--share-manager-image", "longhorn-share-manager"),
    (Span(since=(1, 1, 0)), "--backing-image-manager-image", "backing-image-manager"),
    (Span(since=(1, 4, 0)), "--support-bundle-manager-image", "support-bundle-kit"),
)


def _manager_container(release: Release) -> Object:
    """The command line and environment of the release's own manifest."""
    words = ["longhorn-manager", "-d", "daemon", "--engine-image", release.engine_image]
    words += ["--instance-manager-image", release.instance_manager_image]
    for span, flag, image in _MORE_IMAGES:
        words += [flag, f"longhornio/{image}"] if release.has(span) else []
    words += ["--manager-image", release.manager_image, "--service-account", names.SERVICE_ACCOUNT]

    def field(name: str, path: str) -> Object:
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}

    return {
        "name": _MANAGER,
        "image": release.manager_image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"privileged": True},
        "command": words,
        "ports": [{"containerPort": 9500, "name": "manager"}],
        "readinessProbe": {"tcpSocket": {"port": 9500}},
        "volumeMounts": [
            {"name": "longhorn", "mountPath": "/var/lib/longhorn/", "mountPropagation": "Bidirectional"},
            {"name": "longhorn-default-setting", "mountPath": "/var/lib/longhorn-setting/"},
        ],
        "env": [
            field("POD_NAMESPACE", "metadata.namespace"),
            field("POD_IP", "status.podIP"),
            field("NODE_NAME", "spec.nodeName"),
            {"name": "DEFAULT_SETTING_PATH", "value": "/var/lib/longhorn-setting/default-setting.yaml"},
        ],
    }
