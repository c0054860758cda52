# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods and DaemonSets the manager makes: engine images and instance managers."""

from __future__ import annotations

import typing as t

from longhorn_qa_lab.longhorn import fields, names
from longhorn_qa_lab.longhorn.decide import Object, owner_reference
from longhorn_qa_lab.longhorn.releases import Release, Span

COMPONENT: t.Final = "longhorn.io/component"


_MANAGED: t.Final = Span(since=(1, 1, 0))


def engine_image_daemon_set(image: Object, *, service_account: str, release: Release) -> Object:
    """Brings an image's engine binary to every node."""
    name = image["metadata"]["name"]
    reference = image["spec"]["image"]
    labels = {COMPONENT: "engine-image", "longhorn.io/engine-image": name}
    ready = ["ls", "/data/longhorn"]
    if release.has(_MANAGED):
        labels["longhorn.io/managed-by"] = "longhorn-manager"
        ready = ["sh", "-c", "ls /data/longhorn && /data/longhorn version --client-only"]
    daemon_set = names.engine_image_daemon_set(name)
    script = (
        "diff /usr/local/bin/longhorn /data/longhorn > /dev/null 2>&1; if [ $? -ne 0 ]; then cp -p "
        "/usr/local/bin/longhorn /data/ && echo installed; fi && trap 'rm /data/longhorn* && echo cleaned up' EXIT "
        "&& sleep infinity"
    )
    container = {
        "name": daemon_set,
        "image": reference,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/bash"],
        "args": ["-c", script],
        "securityContext": {"privileged": True},
        "readinessProbe": {"exec": {"command": ready}, "initialDelaySeconds": 5, "periodSeconds": 5},
        "volumeMounts": [{"name": "data", "mountPath": "/data/"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": daemon_set,
            "namespace": names.NAMESPACE,
            "labels": labels,
            "ownerReferences": [owner_reference(image, blockOwnerDeletion=True)],
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"name": daemon_set, "labels": labels},
                "spec": {
                    "serviceAccountName": service_account,
                    "containers": [container],
                    "volumes": [{"name": "data", "hostPath": {"path": names.binaries_folder(reference)}}],
                },
            },
        },
    }


def instance_manager(*, kind: str, node: Object, image: str, release: Release) -> Object:
    """The object of the process that holds a node's engines, or its replicas."""
    node_name = node["metadata"]["name"]
    return {
        "kind": "InstanceManager",
        "metadata": {
            "name": names.instance_manager(kind),
            "namespace": names.NAMESPACE,
            "finalizers": [names.FINALIZER],
            "labels": {
                COMPONENT: "instance-manager",
                "longhorn.io/instance-manager-image": image.replace("/", "-").replace(":", "-"),
                "longhorn.io/instance-manager-type": kind,
                "longhorn.io/node": node_name,
            },
            "ownerReferences": [owner_reference(node, blockOwnerDeletion=True)],
        },
        "spec": fields.new("InstanceManager", release, image=image, nodeID=node_name, type=kind),
    }


def instance_manager_pod(manager: Object, *, service_account: str) -> Object:
    kind = manager["spec"]["type"]
    program = "instance-manager" if kind == "aio" else f"{kind}-manager"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": manager["metadata"]["name"],
            "namespace": names.NAMESPACE,
            "labels": manager["metadata"]["labels"],
            "ownerReferences": [owner_reference(manager)],
        },
        "spec": {
            "serviceAccountName": service_account,
            "restartPolicy": "Never",
            "nodeName": manager["spec"]["nodeID"],
            "containers": [
                {
                    "name": program,
                    "image": manager["spec"]["image"],
                    "imagePullPolicy": "IfNotPresent",
                    "args": [program, "--debug", "daemon", "--listen", "0.0.0.0:8500"],
                    "securityContext": {"privileged": True},
                    "volumeMounts": [
                        {
                            "name": "engine-binaries",
                            "mountPath": "/engine-binaries/",
                            "mountPropagation": "HostToContainer",
                        }
                    ],
                }
            ],
            "volumes": [{"name": "engine-binaries", "hostPath": {"path": names.BINARIES}}],
        },
    }


def instance_lists(manager: Object) -> tuple[str, ...]:
    """Where an instance manager's status lists its instances; one for all has two lists."""
    return ("instanceEngines", "instanceReplicas") if manager["spec"]["type"] == "aio" else ("instances",)


def data_path(replica: Object) -> str:
    """Where a replica's data is, by its specification; 1.0 has one field for it."""
    if "dataPath" in replica:
        return str(replica["dataPath"])
    return f"{replica['diskPath']}replicas/{replica['dataDirectoryName']}" if replica["diskPath"] else ""


def volume_engine(volume: Object, release: Release) -> Object:
    """A new volume's engine, stopped."""
    end = "0" if release.engine_names == "numbered" else names.random_id()
    return _part(volume, "Engine", f"e-{end}", release, frontend=volume["spec"]["frontend"])


def volume_replica(volume: Object, engine: str, release: Release) -> Object:
    """One of a new volume's replicas, not yet placed."""
    return _part(volume, "Replica", f"r-{names.random_id()}", release, engineName=engine)


def _part(volume: Object, kind: str, end: str, release: Release, **filled: t.Any) -> Object:
    name, size = volume["metadata"]["name"], volume["spec"]["size"]
    images = release.image_fields_of(release.image_of(volume["spec"]))
    return {
        "kind": kind,
        "metadata": {
            "name": f"{name}-{end}",
            "namespace": names.NAMESPACE,
            "finalizers": [names.FINALIZER],
            "labels": {"longhornnode": "", names.VOLUME_LABEL: name},
            "ownerReferences": [owner_reference(volume)],
        },
        "spec": fields.new(kind, release, volumeName=name, volumeSize=size, **images, **filled),
    }
