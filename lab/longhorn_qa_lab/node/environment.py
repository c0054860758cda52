# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's environment variables and command line, resolved as the kubelet does.

Pure: the Secrets and ConfigMaps a pod names come in as mappings, which somebody else has fetched.
"""

from __future__ import annotations

import base64
import re
import typing as t
from dataclasses import dataclass

from longhorn_qa_lab.node.model import ContainerSpec, Document, PodSpec

Kind = t.Literal["secrets", "configmaps"]
_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")
_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class ConfigError(Exception):
    """The container's configuration cannot be made: the kubelet's CreateContainerConfigError."""


@dataclass(frozen=True, kw_only=True)
class Needed:
    """A Secret or ConfigMap that a pod names."""

    kind: Kind
    name: str
    optional: bool


@dataclass(frozen=True, kw_only=True)
class Where:
    """What is known of a pod's place only when it starts."""

    pod_ip: str
    host_ip: str


Data = t.Mapping[tuple[Kind, str], t.Mapping[str, str]]


def needed(container: ContainerSpec) -> tuple[Needed, ...]:
    """The Secrets and ConfigMaps a container's environment is made of."""
    found: dict[tuple[Kind, str], Needed] = {}
    for source in container.env_from:
        for key, kind in _REFERENCES_FROM:
            if key in source:
                found[kind, source[key]["name"]] = _needed(kind, source[key])
    for variable in container.env:
        for key, kind in _REFERENCES_KEY:
            reference = (variable.get("valueFrom") or {}).get(key)
            if reference:
                found.setdefault((kind, reference["name"]), _needed(kind, reference))
    return tuple(found.values())


_REFERENCES_FROM: tuple[tuple[str, Kind], ...] = (("secretRef", "secrets"), ("configMapRef", "configmaps"))
_REFERENCES_KEY: tuple[tuple[str, Kind], ...] = (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps"))


def _needed(kind: Kind, reference: Document) -> Needed:
    return Needed(kind=kind, name=reference["name"], optional=bool(reference.get("optional")))


def decode(kind: Kind, document: Document) -> dict[str, str]:
    """A Secret's or ConfigMap's data as text."""
    data = document.get("data") or {}
    if kind == "configmaps":
        return dict(data)
    return {key: base64.b64decode(value).decode("utf-8", "surrogateescape") for key, value in data.items()}


def variables(pod: PodSpec, container: ContainerSpec, *, data: Data, where: Where) -> dict[str, str]:
    """The container's environment."""
    result: dict[str, str] = {}
    for source in container.env_from:
        prefix = source.get("prefix") or ""
        for key, kind in _REFERENCES_FROM:
            if key in source:
                values = data.get((kind, source[key]["name"]), {})
                result |= {prefix + name: value for name, value in values.items()}
    for variable in container.env:
        value = _value(pod, variable, data=data, where=where)
        if value is not None:
            result[variable["name"]] = expand(value, result)
    return result


def _value(pod: PodSpec, variable: Document, *, data: Data, where: Where) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return variable.get("value") or ""
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"], where=where)
    if "resourceFieldRef" in source:
        return "0"
    for key, kind in _REFERENCES_KEY:
        if key in source:
            return _from_data(pod, kind, source[key], data)
    raise ConfigError(f"unsupported source of variable {variable['name']}: {', '.join(source)}")


def _from_data(pod: PodSpec, kind: Kind, reference: Document, data: Data) -> str | None:
    value = data.get((kind, reference["name"]), {}).get(reference["key"])
    if value is None and not reference.get("optional"):
        word = "Secret" if kind == "secrets" else "ConfigMap"
        raise ConfigError(f"couldn't find key {reference['key']} in {word} {pod.namespace}/{reference['name']}")
    return value


def field_value(pod: PodSpec, path: str, *, where: Where) -> str:
    """A field of the pod for the downward API."""
    subscript = _SUBSCRIPT.match(path)
    if subscript:
        values = pod.labels if subscript[1] == "labels" else pod.annotations
        return values.get(subscript[2], "")
    fields = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": pod.node,
        "spec.serviceAccountName": pod.service_account,
        "status.podIP": where.pod_ip,
        "status.podIPs": where.pod_ip,
        "status.hostIP": where.host_ip,
    }
    if path not in fields:
        raise ConfigError(f"unsupported field path {path}")
    return fields[path]


def expand(text: str, values: t.Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; an unknown name stays as it is, and $$ is one dollar sign."""
    return _REFERENCE.sub(
        lambda match: "$" if match[1] == "$" else values.get(match[2], match[0]),
        text,
    )
