# SPDX-License-Identifier: GPL-3.0-or-later
"""An image archive in OCI layout, which ``docker load``, ``ctr images import``, podman and skopeo all read.

Docker before 25 reads manifest.json instead of index.json, and takes the same blobs. The new layer is not compressed,
so its digest is also the one that the configuration wants.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from longhorn_qa_lab.stub.archives import Document, Image
from longhorn_qa_lab.stub.references import Reference

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class _Writer:
    archive: tarfile.TarFile
    written: set[str] = field(default_factory=set)

    def add(self, name: str, stream: t.IO[bytes], size: int) -> None:
        if name in self.written:  # layers may be equal
            return
        self.written.add(name)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o644
        self.archive.addfile(entry, stream)

    def document(self, name: str, document: object) -> None:
        content = _encode(document)
        self.add(name, io.BytesIO(content), len(content))

    def blob(self, content: bytes, media_type: str) -> Document:
        digest = _digest(content)
        self.add(_place(digest), io.BytesIO(content), len(content))
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


def write(stream: t.IO[bytes], image: Image, *, layer: bytes, name: Reference, what: str) -> None:
    """The image with one layer more, under another name; the same input makes the same bytes."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        writer = _Writer(archive)
        writer.document("oci-layout", {"imageLayoutVersion": "1.0.0"})
        layers = _layers(writer, image)
        layers.append(writer.blob(layer, _LAYER))
        config = _configured(image.config, digest=_digest(layer), what=what)
        configured = writer.blob(_encode(config), _CONFIG)
        document = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": configured, "layers": layers}
        manifest = writer.blob(_encode(document), _MANIFEST)
        manifest["platform"] = {key: config[key] for key in ("architecture", "os", "variant") if config.get(key)}
        manifest["annotations"] = {
            "io.containerd.image.name": name.full,
            "org.opencontainers.image.ref.name": name.tag,
        }
        writer.document("index.json", {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [manifest]})
        places = [_place(one["digest"]) for one in layers]
        docker = {"Config": _place(configured["digest"]), "RepoTags": [name.given], "Layers": places}
        writer.document("manifest.json", [docker])


def _layers(writer: _Writer, image: Image) -> list[Document]:
    described = []
    for layer in image.layers:
        with layer.open() as stream:
            writer.add(_place(layer.digest), stream, layer.size)
        media_type = f"{_LAYER}+{layer.compression}" if layer.compression else _LAYER
        described.append({"mediaType": media_type, "digest": layer.digest, "size": layer.size})
    return described


def _configured(config: Mapping[str, t.Any], *, digest: str, what: str) -> Document:
    new = {**config, "rootfs": {**config["rootfs"], "diff_ids": [*config["rootfs"]["diff_ids"], digest]}}
    if config.get("history"):
        made = {"created": config["created"]} if config.get("created") else {}
        new["history"] = [*config["history"], {**made, "created_by": what}]
    return new


def _encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _place(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)
