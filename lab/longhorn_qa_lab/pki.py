# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own certificate authority: every identity of a control plane, valid nowhere else."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=3650)
_SKEW = datetime.timedelta(hours=1)
_LOCAL = ("127.0.0.1", "localhost")

_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Identity:
    """What one certificate says: who, in which groups, under which names it serves."""

    file: str
    name: str
    groups: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()


def identities(node_name: str, service_address: str) -> tuple[Identity, ...]:
    """Everybody who speaks in a lab."""
    api_names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    return (
        Identity("apiserver", "kube-apiserver", serves=(*_LOCAL, *api_names, service_address)),
        Identity("etcd", "etcd", serves=_LOCAL),
        Identity("etcd-client", "kube-apiserver-etcd-client"),
        Identity("kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",)),
        Identity("admin", "kubernetes-admin", ("system:masters",)),
        Identity("controller-manager", "system:kube-controller-manager", ("system:masters",)),
        Identity("scheduler", "system:kube-scheduler"),
        Identity("node-client", f"system:node:{node_name}", ("system:nodes",)),
        Identity("node-serving", f"system:node:{node_name}", serves=(*_LOCAL, node_name)),
    )


class Authority:
    """Makes the files of one lab."""

    def __init__(self, folder: Path, now: datetime.datetime) -> None:
        self._folder = folder
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "longhorn-qa lab")])
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.certificate = folder / "ca.crt"
        self._write_authority()

    def issue(self, identity: Identity) -> Pair:
        """One certificate; the key never leaves the lab's folder."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in identity.groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, identity.name))
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if identity.serves:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        builder = self._builder(x509.Name(subject), key).add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if identity.serves:
            names = x509.SubjectAlternativeName([_general_name(name) for name in identity.serves])
            builder = builder.add_extension(names, critical=False)
        pair = Pair(self._folder / f"{identity.file}.crt", self._folder / f"{identity.file}.key")
        certificate = builder.sign(self._key, hashes.SHA256())
        _write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        _write(pair.key, _private_bytes(key))
        return pair

    def service_account_keys(self) -> Pair:
        """The key that signs ServiceAccount tokens; the public half stands where a certificate would."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pair = Pair(self._folder / "service-accounts.pub", self._folder / "service-accounts.key")
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        _write(pair.certificate, public)
        _write(pair.key, _private_bytes(key))
        return pair

    def _write_authority(self) -> None:
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = self._builder(self._name, self._key).add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        _write(self.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        _write(self._folder / "ca.key", _private_bytes(self._key))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        public = key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _SKEW)
            .not_valid_after(self._now + _VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def write_kubeconfig(path: Path, *, server: str, authority: Path, pair: Pair, user: str) -> None:
    """A kubeconfig that can be copied elsewhere: everything is inside."""
    secrets = {"client-certificate-data": _inline(pair.certificate), "client-key-data": _inline(pair.key)}
    _write_kubeconfig(path, server=server, authority=authority, user=user, secrets=secrets)


def write_token_kubeconfig(path: Path, *, server: str, authority: Path, token: str, user: str) -> None:
    """The same, for somebody with a token."""
    _write_kubeconfig(path, server=server, authority=authority, user=user, secrets={"token": token})


def _write_kubeconfig(path: Path, *, server: str, authority: Path, user: str, secrets: Mapping[str, str]) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "lab", "cluster": {"server": server, "certificate-authority-data": _inline(authority)}},
        ],
        "users": [
            {"name": user, "user": dict(secrets)},
        ],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
        "current-context": "lab",
        "preferences": {},
    }
    _write(path, yaml.safe_dump(document, sort_keys=False).encode())


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_bytes(key: _PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Keys are for their owner's eyes from the first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def issue_all(authority: Authority, wanted: Sequence[Identity]) -> dict[str, Pair]:
    return {identity.file: authority.issue(identity) for identity in wanted}
