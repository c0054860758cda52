# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Longhorn's engine, image archives with it in all forms there are, and a checker of OCI layouts.

The checker shares no code with what it checks.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "longhornio/longhorn-engine:v1.0.1"
ENGINE = "usr/local/bin/longhorn"
FULL_NAME = f"docker.io/{NAME}"
_CONFIG = "application/vnd.oci.image.config.v1+json"

# Answers as the engine does where it matters here, and shows what it was called with elsewhere.
_STAND_IN = r"""#!/bin/sh
case "$*" in
    "version --client-only" | "version --client-only=true")
        printf '{\n\t"clientVersion": {\n\t\t"version": "v1.0.1",\n\t\t"gitCommit": "@COMMIT@",\n'
        printf '\t\t"cliAPIVersion": 3\n\t},\n\t"serverVersion": null\n}\n'
        exit 0 ;;
    *--help*) echo "NAME: ${0##*/} ($0): help of $*"; exit 0 ;;
    --version) echo "${0##*/} version v1.0.1, @COMMIT@"; exit 0 ;;
esac
printf '<%s>' "$@"
cat
echo 'time="now" level=error msg="an error of the engine"' >&2
exit "${STATUS:-0}"
"""


def stand_in(commit: str = COMMIT) -> bytes:
    """A script, followed by what no text file has in it."""
    return _STAND_IN.replace("@COMMIT@", commit).encode() + bytes(range(256)) * 400


def answer(commit: str = COMMIT) -> str:
    return json.dumps({"clientVersion": {"version": "v1.0.1", "gitCommit": commit}, "serverVersion": None}) + "\n"


def program(path: str) -> bytes:
    """A real executable that has the commit in it, as a build of the engine has."""
    return Path(path).read_bytes() + COMMIT.encode()


@dataclass(frozen=True)
class Entry:
    """A file, or a folder when it has no content, or a link."""

    name: str
    content: bytes | None = None
    mode: int = 0o755
    link: str = ""
    owner: int = 0


FOLDERS = (Entry("usr"), Entry("usr/local", mode=0o775), Entry("usr/local/bin", owner=7))


def layer(*entries: Entry) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for one in entries:
            info = tarfile.TarInfo(one.name)
            info.mode, info.uid, info.mtime = one.mode, one.owner, 1591647910
            if one.link:
                info.type, info.linkname = tarfile.SYMTYPE, one.link
            elif one.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(one.content)
            archive.addfile(info, io.BytesIO(one.content or b""))
    return memory.getvalue()


def usual_layers(engine: bytes) -> list[bytes]:
    return [layer(*FOLDERS, Entry("etc/os-release", b"ID=x\n", 0o644)), layer(Entry(ENGINE, engine))]


@dataclass
class Archive:
    """Files of an image archive that is being made."""

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def blob(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = content
        return f"sha256:{digest}"

    def json(self, name: str, document: object) -> None:
        self.files[name] = json.dumps(document).encode()

    def tar(self, path: Path, *, compressed: bool = False) -> Path:
        memory = io.BytesIO()
        with tarfile.open(fileobj=memory, mode="w") as archive:
            for name, content in self.files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            for name, target in self.links.items():
                info = tarfile.TarInfo(name)
                info.type, info.linkname = tarfile.SYMTYPE, target
                archive.addfile(info)
        path.write_bytes(gzip.compress(memory.getvalue()) if compressed else memory.getvalue())
        return path

    def folder(self, path: Path) -> Path:
        for name, content in self.files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return path


def configuration(layers: t.Sequence[bytes], architecture: str = "amd64") -> dict[str, t.Any]:
    return {
        "architecture": architecture,
        "os": "linux",
        "created": "2020-06-08T20:05:10Z",
        "config": {"Cmd": ["longhorn"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]},
        "history": [{"created_by": f"layer {number}"} for number, _ in enumerate(layers)],
    }


def docker_save(layers: t.Sequence[bytes], name: str = NAME) -> Archive:
    """As Docker before 25: a folder for each layer."""
    made = Archive()
    config = configuration(layers)
    made.json("c0ffee.json", config)
    places = [f"{number:064x}/layer.tar" for number, _ in enumerate(layers)]
    made.files.update(zip(places, layers, strict=True))
    made.json("manifest.json", [{"Config": "c0ffee.json", "RepoTags": [name] if name else None, "Layers": places}])
    return made


def crane_pull(layers: t.Sequence[bytes]) -> Archive:
    """The same form, with compressed layers, whose digests nothing in there names."""
    made = docker_save(layers)
    places = [f"{number:064x}.tar.gz" for number, _ in enumerate(layers)]
    made.files.update({place: gzip.compress(one) for place, one in zip(places, layers, strict=True)})
    made.json("manifest.json", [{"Config": "c0ffee.json", "RepoTags": [NAME], "Layers": places}])
    return made


def skopeo_docker_archive(layers: t.Sequence[bytes]) -> Archive:
    """The same form, with links where Docker has files."""
    made = docker_save(layers)
    for name in [name for name in made.files if name.endswith("/layer.tar")]:
        made.files[f"{name.split('/')[0]}.tar"] = made.files.pop(name)
        made.links[name] = f"../{name.split('/')[0]}.tar"
    return made


@dataclass(frozen=True)
class Packed:
    """An image in an OCI layout."""

    layers: t.Sequence[bytes]
    annotations: t.Mapping[str, str] = field(default_factory=lambda: {"org.opencontainers.image.ref.name": NAME})
    architecture: str = "amd64"
    compressed: bool = True

    def into(self, made: Archive) -> dict[str, t.Any]:
        content = json.dumps(configuration(self.layers, self.architecture)).encode()
        config = made.blob(content)
        packed = [gzip.compress(one) if self.compressed else one for one in self.layers]
        kind = "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if self.compressed else "")
        document = {
            "schemaVersion": 2,
            "config": {"digest": config, "mediaType": _CONFIG, "size": len(content)},
            "layers": [{"digest": made.blob(one), "mediaType": kind, "size": len(one)} for one in packed],
        }
        manifest = json.dumps(document).encode()
        return {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": made.blob(manifest),
            "size": len(manifest),
            "annotations": dict(self.annotations),
        }


def oci(*images: Packed) -> Archive:
    made = Archive()
    made.json("oci-layout", {"imageLayoutVersion": "1.0.0"})
    made.json("index.json", {"schemaVersion": 2, "manifests": [one.into(made) for one in images]})
    return made


def docker_25_save(layers: t.Sequence[bytes]) -> Archive:
    """Both forms at once, with the full name and the tag as annotations."""
    annotations = {"io.containerd.image.name": FULL_NAME, "org.opencontainers.image.ref.name": "v1.0.1"}
    made = oci(Packed(layers, annotations, compressed=False))
    index = json.loads(made.files["index.json"])
    document = json.loads(made.files["blobs/" + index["manifests"][0]["digest"].replace(":", "/")])
    places = ["blobs/" + one["digest"].replace(":", "/") for one in document["layers"]]
    config = "blobs/" + document["config"]["digest"].replace(":", "/")
    made.json("manifest.json", [{"Config": config, "RepoTags": [NAME], "Layers": places}])
    return made


def several_platforms(*images: Packed) -> Archive:
    """An index in the index, with an attestation and with a platform whose blobs were left out."""
    made = oci()
    listed = [one.into(made) for one in images]
    attestation = Packed([b""], architecture="unknown").into(made)
    attestation["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    absent = {"mediaType": listed[0]["mediaType"], "digest": "sha256:" + "0" * 64, "size": 1}
    inner = {"schemaVersion": 2, "manifests": [*listed, attestation, absent]}
    entry = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": made.blob(json.dumps(inner).encode()),
        "annotations": {"io.containerd.image.name": FULL_NAME},
    }
    made.json("index.json", {"schemaVersion": 2, "manifests": [entry]})
    return made


@dataclass(frozen=True)
class Checked:
    """What a container engine makes of an archive."""

    manifest: dict[str, t.Any]
    config: dict[str, t.Any]
    files: dict[str, tuple[tarfile.TarInfo, bytes]]
    annotations: dict[str, str]
    docker: dict[str, t.Any]


def check_layout(path: Path) -> Checked:
    """Every rule of the OCI image layout, and what docker load wants, that such an archive can break."""
    with tarfile.open(path, "r:") as archive:
        names = archive.getnames()
        assert len(names) == len(set(names)), "a name twice"
        content = {name: t.cast(t.IO[bytes], archive.extractfile(name)).read() for name in names}
    assert json.loads(content["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    reached = {"oci-layout", "index.json", "manifest.json"}

    def blob(descriptor: dict[str, t.Any]) -> bytes:
        kind, _, digest = descriptor["digest"].partition(":")
        found = content[f"blobs/{kind}/{digest}"]
        assert (kind, hashlib.sha256(found).hexdigest(), len(found)) == ("sha256", digest, descriptor["size"])
        reached.add(f"blobs/{kind}/{digest}")
        return found

    index = json.loads(content["index.json"])
    assert index["schemaVersion"] == 2
    (entry,) = index["manifests"]
    manifest = json.loads(blob(entry))
    assert manifest["mediaType"] == entry["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    config = json.loads(blob(manifest["config"]))
    assert {key: config[key] for key in entry["platform"]} == entry["platform"]
    files = _unpack(config, manifest, blob)
    (docker,) = json.loads(content["manifest.json"])
    assert [docker["Config"], *docker["Layers"]] == [
        "blobs/" + one["digest"].replace(":", "/") for one in (manifest["config"], *manifest["layers"])
    ]
    assert set(content) == reached, "a blob that nothing names"
    return Checked(manifest, config, files, entry["annotations"], docker)


def _unpack(
    config: dict[str, t.Any], manifest: dict[str, t.Any], blob: t.Callable[[dict[str, t.Any]], bytes]
) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    files: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    digests = config["rootfs"]["diff_ids"]
    assert len([one for one in config["history"] if not one.get("empty_layer")]) == len(digests)
    for descriptor, digest in zip(manifest["layers"], digests, strict=True):
        packed = blob(descriptor)
        plain = gzip.decompress(packed) if descriptor["mediaType"].endswith("+gzip") else packed
        assert descriptor["mediaType"].removesuffix("+gzip") == "application/vnd.oci.image.layer.v1.tar"
        assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == digest
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() else None
                files[member.name] = (member, stream.read() if stream else b"")
    return files
