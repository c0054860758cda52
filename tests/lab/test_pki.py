# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificates: who they say they are, and that nobody else can read their keys."""

from __future__ import annotations

import base64
import datetime
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from longhorn_qa_lab.control_plane import NODE_NAME, SERVICE_ADDRESS
from longhorn_qa_lab.pki import Authority, Identity, identities, issue_all, write_kubeconfig

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki", NOW)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]


def test_every_identity_is_signed_by_the_authority(authority: Authority) -> None:
    issuer = read(authority.certificate)
    pairs = issue_all(authority, identities(NODE_NAME, SERVICE_ADDRESS))
    assert len(pairs) >= 8
    for pair in pairs.values():
        read(pair.certificate).verify_directly_issued_by(issuer)


@pytest.mark.parametrize(
    ("file", "name", "groups"),
    [
        pytest.param("admin", "kubernetes-admin", ["system:masters"], id="administrator"),
        pytest.param(
            "node-client", "system:node:lab-node", ["system:nodes"], id="node as the node authorizer wants it"
        ),
        pytest.param("kubelet-client", "kube-apiserver-kubelet-client", ["system:masters"], id="API server as client"),
        pytest.param("scheduler", "system:kube-scheduler", [], id="scheduler"),
    ],
)
def test_clients_say_who_they_are(authority: Authority, file: str, name: str, groups: list[str]) -> None:
    certificate = read(issue_all(authority, identities(NODE_NAME, SERVICE_ADDRESS))[file].certificate)
    assert names(certificate, NameOID.COMMON_NAME) == [name]
    assert names(certificate, NameOID.ORGANIZATION_NAME) == groups


@pytest.mark.parametrize("file", ["apiserver", "etcd", "node-serving"])
def test_servers_answer_on_loopback(authority: Authority, file: str) -> None:
    certificate = read(issue_all(authority, identities(NODE_NAME, SERVICE_ADDRESS))[file].certificate)
    served = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in [str(address) for address in served.get_values_for_type(x509.IPAddress)]
    assert "localhost" in served.get_values_for_type(x509.DNSName)


def test_a_client_certificate_cannot_serve(authority: Authority) -> None:
    certificate = read(authority.issue(Identity("somebody", "somebody")).certificate)
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_valid_from_before_now_for_years(authority: Authority) -> None:
    certificate = read(authority.issue(Identity("somebody", "somebody")).certificate)
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc
    assert certificate.not_valid_after_utc - NOW > datetime.timedelta(days=3000)


def test_two_authorities_do_not_trust_each_other(tmp_path: Path) -> None:
    one, other = Authority(tmp_path / "one", NOW), Authority(tmp_path / "other", NOW)
    certificate = read(one.issue(Identity("somebody", "somebody")).certificate)
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(read(other.certificate))


def test_files_are_for_their_owner_only(authority: Authority, tmp_path: Path) -> None:
    issue_all(authority, identities(NODE_NAME, SERVICE_ADDRESS))
    authority.service_account_keys()
    files = list((tmp_path / "pki").iterdir())
    assert any(file.name == "ca.key" for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_kubeconfig_can_be_copied_elsewhere(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(Identity("somebody", "somebody"))
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, server="https://127.0.0.1:1", authority=authority.certificate, pair=pair, user="somebody")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    user = document["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == pair.key.read_bytes()
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
