# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's volumes as folders below the lab; nothing is mounted here, so programs are told where things are."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

from longhorn_qa_lab.node.environment import Kind, Needed
from longhorn_qa_lab.node.model import ContainerSpec, Document, PodSpec

Contents = t.Mapping[tuple[Kind, str], Document]
_SOURCES: tuple[tuple[str, Kind, str], ...] = (("secret", "secrets", "secretName"), ("configMap", "configmaps", "name"))
_FOLDERS = ("hostPath", "emptyDir", "downwardAPI", "projected")


class UnsupportedVolume(Exception):
    """A kind of volume the node does not have."""


def needed(pod: PodSpec) -> tuple[Needed, ...]:
    """The Secrets and ConfigMaps that the pod's volumes are made of."""
    found = []
    for volume in pod.volumes:
        for key, kind, field in _SOURCES:
            if key in volume:
                source = volume[key]
                found.append(Needed(kind=kind, name=source[field], optional=bool(source.get("optional"))))
    return tuple(found)


def set_up(pod: PodSpec, *, folder: Path, hostpath: Path, contents: Contents) -> dict[str, Path]:
    """Make every volume of the pod and say where it is."""
    return {volume["name"]: _set_up(volume, folder / volume["name"], hostpath, contents) for volume in pod.volumes}


def _set_up(volume: Document, folder: Path, hostpath: Path, contents: Contents) -> Path:
    if "hostPath" in volume:
        place: Path = hostpath / volume["hostPath"]["path"].strip("/")
        as_file = (volume["hostPath"].get("type") or "").startswith(("File", "Socket"))
        (place.parent if as_file else place).mkdir(parents=True, exist_ok=True)
        return place
    for key, kind, field in _SOURCES:
        if key in volume:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(folder, kind, contents.get((kind, volume[key][field])) or {}, volume[key].get("items"))
            return folder
    if not any(kind in volume for kind in _FOLDERS):
        kinds = ", ".join(key for key in volume if key != "name")
        raise UnsupportedVolume(f'MountVolume.SetUp failed for volume "{volume["name"]}" : the lab has no {kinds}')
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(folder: Path, kind: Kind, document: Document, items: t.Sequence[Document] | None) -> None:
    data = document.get("data") or {}
    paths = {item["key"]: item["path"] for item in items} if items else {key: key for key in data}
    for key, path in paths.items():
        if key not in data:
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_bytes(base64.b64decode(data[key]) if kind == "secrets" else data[key].encode())


def mounts(container: ContainerSpec, places: t.Mapping[str, Path]) -> dict[str, str]:
    """Which folder stands for each mount path of a container."""
    return {
        mount["mountPath"]: str(places[mount["name"]] / (mount.get("subPath") or "").strip("/"))
        for mount in container.mounts
        if mount["name"] in places
    }
