# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that talks to a cluster, against one it cannot work with: the module says so, and changes nothing."""

from __future__ import annotations

import http.server
import importlib
import json
import socket
import ssl
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[4]
CELL = {
    "volume": "v", "task": "snapshot", "job": "c-1", "cronjob": "v-c-1-c", "cron": "* * * * *", "retain": 1,
    "engine_image": "", "faults": [],
}  # fmt: skip

# The least a module has to be told.
OPTIONS: dict[str, dict[str, t.Any]] = {
    "job_artifact_assert": {"volume": "v", "job": "c-1", "per": "total"},
    "job_audit": {"history": "history"},
    "job_event_assert": {"cronjob": "c"},
    "job_log_assert": {"cronjob": "c", "message_text": "x"},
    "job_record": {"history": "history", "cells": [CELL]},
    "job_trigger": {"cronjob": "c"},
    "longhorn_backup_target": {"url": "s3://bucket@region/", "credential_secret": "s"},
    "longhorn_engine_image": {"image": "longhornio/longhorn-engine:v1.0.1"},
    "longhorn_fault": {"type": "admission", "deletions": ["backup-delete"], "volumes": ["v"]},
    "longhorn_info": {},
    "longhorn_preflight": {"cells": [CELL], "cron": "* * * * *", "run_id": "a1"},
    "longhorn_recurring_job": {"volume": "v", "name": "c-1", "task": "snapshot", "cron": "* * * * *"},
    "longhorn_run": {"run_id": "a1"},
    "longhorn_setting": {"name": "n", "value": "v"},
    "longhorn_volume": {"name": "v", "size": "1Gi"},
    "object_assert": {"kind": "ConfigMap", "name": "c", "condition": "data"},
}
MODULES = [pytest.param(name, id=name) for name in OPTIONS]
EMPTY_LISTS = ("/configmaps", "/pods", "/cronjobs", "/jobs", "/events")


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig and no variables of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("K8S_AUTH_KUBECONFIG", "K8S_AUTH_CONTEXT", "K8S_AUTH_HOST", "K8S_AUTH_API_KEY", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)


def outcome(name: str, auth: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> dict[str, t.Any]:
    """What the module prints for Ansible."""
    module = importlib.import_module(f"ansible_collections.longhorn.qa.plugins.modules.{name}")
    with patch_module_args({**OPTIONS[name], **auth}), pytest.raises(SystemExit) as ended:
        module.main()
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    result: dict[str, t.Any] = json.loads(printed.out)
    assert (ended.value.code, result["failed"], result.get("changed", False)) == (1, True, False)
    assert "\n" not in result["msg"]
    return result


class Server:
    """An API server that answers every request alike, or as ``answers`` has it by the path's beginning or end."""

    def __init__(self, status: int, answers: dict[str, t.Any] | None = None) -> None:
        self.writes: list[str] = []
        self._status, self._answers = status, answers or {}

    def reply(self, method: str, path: str) -> tuple[int, t.Any]:
        bare = path.partition("?")[0]
        if method != "GET" and not bare.endswith("/selfsubjectaccessreviews"):
            self.writes.append(f"{method} {bare}")
        for end, answer in self._answers.items():
            if bare.endswith(end):
                return 200, answer
        return self._status, {"kind": "Status", "code": self._status, "message": f"no answer to {bare}"}

    @contextmanager
    def running(self, context: ssl.SSLContext | None = None) -> Iterator[int]:
        told = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                status, document = told.reply(self.command, self.path)
                content = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the standard library

            def log_message(self, *_args: t.Any) -> None:
                """Says nothing."""

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: t.Any) -> None:
                """A client that trusts nobody hangs up, and that is what it is for."""

        server = Quiet(("127.0.0.1", 0), Handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        server.server_close()
        thread.join()


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that stands for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return paths


def test_every_module_that_talks_to_a_cluster_is_here() -> None:
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]["longhorn"]
    assert {entry for entry in group if isinstance(entry, str)} == set(OPTIONS)


@pytest.mark.parametrize("name", MODULES)
def test_an_api_that_cannot_be_reached(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        host = f"https://127.0.0.1:{taken.getsockname()[1]}"
        result = outcome(name, {"host": host, "api_key": "canary"}, capsys)
    assert (result["error"], host in result["msg"]) == ("unreachable", True)
    assert "Is the cluster running" in result["msg"]


@pytest.mark.parametrize("name", MODULES)
def test_a_certificate_of_another_authority(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate, key = self_signed(tmp_path, "server")
    other, _its_key = self_signed(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(200)
    with server.running(context) as port:
        auth = {"host": f"https://127.0.0.1:{port}", "api_key": "canary", "ca_cert": str(other)}
        result = outcome(name, auth, capsys)
    assert (result["error"], "is not trusted" in result["msg"], server.writes) == ("unreachable", True, [])


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(
    ("auth", "message"),
    [
        pytest.param({"api_key": "canary"}, "the credentials are not accepted by the API server", id="expired token"),
        pytest.param({}, "no credentials were given to the API server", id="no token"),
    ],
)
def test_credentials_that_are_refused(
    name: str, auth: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(401)
    with server.running() as port:
        result = outcome(name, {"host": f"http://127.0.0.1:{port}", **auth}, capsys)
    assert (result["error"], message in result["msg"], "canary" in result["msg"]) == ("unauthorized", True, False)
    assert "renew" in result["msg"]
    # A refused request has changed nothing; that no module begins with a write is what this shows.
    assert server.writes == []


CORE = {"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]}


@pytest.mark.parametrize("name", MODULES)
def test_a_namespace_that_does_not_exist(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(404, {"/api/v1": CORE})
    with server.running() as port:
        auth = {"host": f"http://127.0.0.1:{port}", "api_key": "canary", "namespace": "nowhere"}
        result = outcome(name, auth, capsys)
    assert "namespace nowhere: the namespace does not exist" in result["msg"]
    assert server.writes == []


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in OPTIONS if name.startswith("longhorn_")])
def test_a_cluster_without_longhorn(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The namespace is there, and nothing in it."""
    nothing = {"metadata": {"resourceVersion": "1"}, "items": []}
    answers: dict[str, t.Any] = {"/namespaces/longhorn-system": {"metadata": {"name": "longhorn-system"}}}
    answers |= dict.fromkeys(EMPTY_LISTS, nothing)
    answers |= {"/selfsubjectaccessreviews": {"status": {"allowed": True}}, "/version": {"gitVersion": "v1.20.2"}}
    server = Server(404, answers)
    with server.running() as port:
        result = outcome(name, {"host": f"http://127.0.0.1:{port}", "api_key": "canary"}, capsys)
    assert "Longhorn" in result["msg"]
    assert "installed" in result["msg"] or "no longhorn-manager" in result["msg"]
    assert server.writes == []
