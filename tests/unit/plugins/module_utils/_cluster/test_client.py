# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: what the server says becomes an answer or an error that a person can act on, never an empty result."""

from __future__ import annotations

import json
import ssl
import threading
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors, kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect

Api = t.Any
Clock = t.Any


def reply(status: int = 200, body: t.Any = None, **headers: str) -> t.Any:
    """Like the API fixture's replies, without importing a conftest."""

    class Reply:
        def content(self) -> bytes:
            return body if isinstance(body, bytes) else json.dumps(body).encode()

    made = Reply()
    made.status, made.headers = status, {k.replace("_", "-"): v for k, v in headers.items()}  # type: ignore[attr-defined]
    return made


def status(code: int, message: str = "", *, field: str = "") -> t.Any:
    causes = {"details": {"causes": [{"field": field}]}} if field else {}
    return reply(code, {"kind": "Status", "code": code, "message": message, **causes})


@pytest.fixture
def client(api: Api, clock: Clock) -> Client:
    return connect(api.params, clock=clock)


def test_get_sends_the_token_and_gives_the_object(api: Api, client: Client) -> None:
    api.answers(reply(200, {"metadata": {"name": "p"}}))
    assert client.get(kinds.PODS, "p", namespace="n") == {"metadata": {"name": "p"}}
    method, path, headers, _unused = api.requests[0]
    assert (method, path) == ("GET", "/api/v1/namespaces/n/pods/p")
    assert headers["authorization"] == "Bearer canary-token"


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "expected"),
    [
        pytest.param(kinds.JOBS, "n", "j", "/apis/batch/v1/namespaces/n/jobs/j", id="a group"),
        pytest.param(kinds.NAMESPACES, "n", "x", "/api/v1/namespaces/x", id="cluster-wide"),
        pytest.param(
            kinds.VOLUMES, "n", "../x", "/apis/longhorn.io/v1beta1/namespaces/n/volumes/..%2Fx", id="hostile name"
        ),
    ],
)
def test_paths(kind: kinds.Kind, namespace: str, name: str, expected: str) -> None:
    assert kind.path(namespace, name) == expected


def test_a_list_is_read_to_its_last_page(api: Api, client: Client) -> None:
    head = {"apiVersion": "v1", "kind": "PodList"}
    api.answers(
        reply(
            200,
            {**head, "metadata": {"continue": "more", "resourceVersion": "5"}, "items": [{"metadata": {"name": "a"}}]},
        ),
        reply(200, {**head, "metadata": {"resourceVersion": "5"}, "items": [{"metadata": {"name": "b"}}]}),
    )
    listing = client.list(kinds.PODS, namespace="n", labels="a=b")
    assert [(item["kind"], item["metadata"]["name"]) for item in listing.items] == [("Pod", "a"), ("Pod", "b")]
    assert listing.resource_version == "5"
    assert "labelSelector=a%3Db" in api.requests[1][1]
    assert "continue=more" in api.requests[1][1]


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        pytest.param(
            status(403, 'User "u" cannot list resource "pods" in API group "" in namespace "n"'),
            errors.Forbidden,
            "verb list on pods is not granted",
            id="403 names verb and resource",
        ),
        pytest.param(
            status(403, 'User "u" cannot watch resource "jobs" in API group "batch"'),
            errors.Forbidden,
            "verb watch on jobs.batch is not granted",
            id="403 names the group",
        ),
        pytest.param(status(404, 'pods "p" not found'), errors.NotFound, "does not exist", id="404"),
        pytest.param(status(409, "exists"), errors.Conflict, "somebody else", id="409"),
        pytest.param(
            status(422, "spec.x: Invalid"), errors.Refused, "spec.x: Invalid", id="422 tells the server's reason"
        ),
        pytest.param(
            status(422, 'admission webhook "v" denied the request: bad', field="spec.x"),
            errors.Refused,
            r"denied the request: bad \(field spec.x\)",
            id="422 names the field that a webhook names",
        ),
        pytest.param(
            status(422, "spec.x: Invalid", field="spec.x"), errors.Refused, "Invalid.$", id="422 names a field once"
        ),
        pytest.param(
            status(403, 'admission webhook "v" denied the request: no'),
            errors.Refused,
            "denied the request: no",
            id="403 of a webhook is no missing permission",
        ),
        pytest.param(
            status(403, "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
            errors.Refused,
            "denied request: no",
            id="403 of a policy is no missing permission",
        ),
        pytest.param(status(410, "too old"), errors.Expired, "no longer has the changes", id="410"),
        pytest.param(reply(200, b"<html>"), errors.ApiFailure, "not JSON", id="an answer that is not JSON"),
        pytest.param(reply(200, b"[" * 100_000), errors.ApiFailure, "not JSON", id="an answer nested too deeply"),
        pytest.param(reply(400, b"[" * 100_000), errors.LonghornQAError, r"\[\[\[", id="an error nested too deeply"),
    ],
)
def test_errors_are_told(api: Api, client: Client, answer: t.Any, error: type[Exception], message: str) -> None:
    api.answers(answer)
    with pytest.raises(error, match=message):
        client.get(kinds.PODS, "p", namespace="n")
    assert len(api.requests) == 1


PLUGIN = """#!/bin/sh
printf '{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": "%s"}}' \
  "$(cat "$1")"
"""


@pytest.mark.parametrize("way", ["kubeconfig", "token file", "credential plugin"])
def test_an_expired_token_is_read_anew_once(api: Api, clock: Clock, tmp_path: Path, way: str) -> None:
    kubeconfig, plugin, place = tmp_path / "config", tmp_path / "plugin", tmp_path / "token"
    plugin.write_text(PLUGIN)
    plugin.chmod(0o700)

    def write(token: str) -> None:
        place.write_text(token)
        ran = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": str(plugin), "args": [str(place)]}
        ways = {
            "kubeconfig": {"token": token},
            "token file": {"tokenFile": str(place)},
            "credential plugin": {"exec": ran},
        }
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "c",
                    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                    "clusters": [{"name": "k", "cluster": {"server": api.host}}],
                    "users": [{"name": "u", "user": ways[way]}],
                }
            )
        )

    write("old")
    client = connect({"kubeconfig": str(kubeconfig)}, clock=clock)
    write("new")
    api.answers(status(401, "Unauthorized"), reply(200, {"ok": True}))
    assert client.get(kinds.PODS, "p", namespace="n") == {"ok": True}
    assert [request[2]["authorization"] for request in api.requests] == ["Bearer old", "Bearer new"]


def test_a_refused_token_is_told_without_showing_it(api: Api, client: Client) -> None:
    api.answers(status(401, "Unauthorized"), status(401, "Unauthorized"))
    with pytest.raises(errors.Unauthorized, match="credentials are not accepted") as caught:
        client.get(kinds.PODS, "p", namespace="n")
    assert "canary" not in str(caught.value)
    assert len(api.requests) == 2


def test_a_token_with_its_files_last_line_break_is_that_token(api: Api, clock: Clock) -> None:
    api.answers(reply(200, {}))
    connect({"host": api.host, "api_key": "canary-token\n"}, clock=clock).get(kinds.PODS, "p")
    assert api.requests[0][2]["authorization"] == "Bearer canary-token"


def test_what_cannot_be_a_token_is_told_without_showing_it(clock: Clock) -> None:
    with pytest.raises(errors.BadInput, match="not a token") as caught:
        connect({"host": "https://127.0.0.1:1", "api_key": "canary\ntoken"}, clock=clock).get(kinds.NAMESPACES, "n")
    assert "canary" not in str(caught.value)


def test_no_credentials_at_all(api: Api, clock: Clock) -> None:
    client = connect({"host": api.host}, clock=clock)
    api.answers(status(401), status(401))
    with pytest.raises(errors.Unauthorized, match="no credentials were given to the API server at"):
        client.get(kinds.PODS, "p")


def test_reads_wait_for_a_busy_server_as_it_asks(api: Api, client: Client, clock: Clock) -> None:
    api.answers(reply(429, {"message": "slow down"}, retry_after="2"), status(503, "later"), reply(200, {"ok": True}))
    assert client.get(kinds.PODS, "p") == {"ok": True}
    assert clock.naps[0] == 2.0


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        pytest.param("Wed, 21 Oct 2026 07:28:30 GMT", 30.0, id="a moment, by the server's own clock"),
        pytest.param("Wed, 21 Oct 2026 07:28:30 -0000", 30.0, id="a moment without a zone is UTC"),
        pytest.param("Wed, 21 Oct 2026 07:20:00 GMT", None, id="a moment that is over"),
        pytest.param("soon", None, id="neither"),
    ],
)
def test_the_server_may_name_a_moment_to_come_again(
    api: Api, client: Client, clock: Clock, asked: str, named: float | None
) -> None:
    busy = reply(503, b"busy", Retry_After=asked, Date="Wed, 21 Oct 2026 07:28:00 GMT")
    api.answers(busy, reply(200, {"metadata": {"name": "p"}}))
    client.get(kinds.PODS, "p", namespace="n")
    (nap,) = clock.naps
    assert nap == named if named else 0 < nap < 1


def test_reads_give_up_with_the_last_answer(api: Api, client: Client) -> None:
    api.answers(*[status(500, "etcdserver: leader changed") for _unused in range(100)])
    with pytest.raises(errors.ApiFailure, match="500 etcdserver: leader changed"):
        client.get(kinds.PODS, "p")
    assert 2 < len(api.requests) < 100


def half_an_answer(code: int = 200) -> t.Any:
    return reply(code, {"ok": True}, Content_Length="1000")


def test_reads_are_sent_again_when_a_connection_broke_but_only_once(api: Api, client: Client) -> None:
    api.answers(half_an_answer(), reply(200, {"ok": True}))
    assert client.get(kinds.PODS, "p") == {"ok": True}
    api.answers(half_an_answer(), half_an_answer())
    with pytest.raises(errors.Unreachable, match="broke the connection"):
        client.get(kinds.PODS, "p")
    assert len(api.requests) == 4


def test_writes_are_not_sent_again_when_a_connection_broke(api: Api, client: Client) -> None:
    api.answers(half_an_answer())
    with pytest.raises(errors.Unreachable, match="broke the connection"):
        client.create(kinds.PODS, {"metadata": {"name": "p"}}, namespace="n")
    assert len(api.requests) == 1


def test_writes_are_sent_once(api: Api, client: Client) -> None:
    api.answers(status(500, "maybe it worked"))
    with pytest.raises(errors.ApiFailure, match="maybe it worked"):
        client.create(kinds.PODS, {"metadata": {"name": "p"}}, namespace="n")
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        pytest.param(
            lambda c: c.create(kinds.PODS, {}, namespace="n", dry_run=True), ("POST", "dryRun=All"), id="create"
        ),
        pytest.param(
            lambda c: c.patch(kinds.PODS, "p", {}, namespace="n", dry_run=True), ("PATCH", "dryRun=All"), id="patch"
        ),
        pytest.param(lambda c: c.replace(kinds.PODS, "p", {}, dry_run=True), ("PUT", "dryRun=All"), id="replace"),
        pytest.param(
            lambda c: c.apply(kinds.PODS, {"metadata": {"name": "p"}}, dry_run=True),
            ("PATCH", "force=true"),
            id="apply",
        ),
        pytest.param(lambda c: c.delete(kinds.PODS, "p", dry_run=True), ("DELETE", "dryRun=All"), id="delete"),
    ],
)
def test_a_dry_run_is_the_servers(
    api: Api, client: Client, write: t.Callable[[Client], object], expected: tuple[str, str]
) -> None:
    api.answers(reply(200, {}))
    write(client)
    assert api.requests[0][0] == expected[0]
    assert expected[1] in api.requests[0][1]


def test_deleting_this_very_object_only(api: Api, client: Client) -> None:
    api.answers(reply(200, {}), status(404))
    assert client.delete(kinds.PODS, "p", namespace="n", uid="u-1") is True
    assert json.loads(api.requests[0][3])["preconditions"] == {"uid": "u-1"}
    assert client.delete(kinds.PODS, "p", namespace="n") is False


def test_a_namespace_that_is_missing(api: Api, client: Client) -> None:
    api.answers(status(404, 'namespaces "x" not found'))
    with pytest.raises(errors.NotFound, match="namespace x: the namespace does not exist"):
        client.require_namespace("x")


def test_a_namespace_that_may_not_be_read_is_taken_as_it_is(api: Api, client: Client) -> None:
    api.answers(status(403, "no"))
    client.require_namespace("x")
    assert len(api.requests) == 1


def test_the_first_version_that_is_served(api: Api, client: Client) -> None:
    api.answers(status(404), reply(200, {"resources": [{"name": "cronjobs"}]}))
    assert client.first_served(kinds.CRONJOBS, kinds.CRONJOBS_V1BETA1) == kinds.CRONJOBS_V1BETA1


def test_no_version_is_served(api: Api, client: Client) -> None:
    api.answers(reply(200, {"resources": [{"name": "jobs"}]}))
    with pytest.raises(errors.NotFound, match="none of these resources"):
        client.first_served(kinds.CRONJOBS)


def test_permissions_are_asked_not_tried(api: Api, client: Client) -> None:
    api.answers(reply(201, {"status": {"allowed": False, "reason": "no rule"}}))
    answer = client.allowed("watch", kinds.JOBS, namespace="n")
    assert (answer.allowed, answer.reason) == (False, "no rule")
    assert json.loads(api.requests[0][3])["spec"]["resourceAttributes"] == {
        "verb": "watch", "group": "batch", "resource": "jobs", "namespace": "n",
    }  # fmt: skip


def test_the_servers_clock(api: Api, client: Client) -> None:
    api.answers(reply(200, {}, Date="Fri, 02 Jan 2026 04:04:05 GMT"))
    answer = client.server_time()
    assert answer is not None
    assert answer.offset == pytest.approx(3600.5)


def test_a_service_says_why_it_failed(api: Api, client: Client) -> None:
    api.answers(reply(500, {"code": "Server Error", "message": "fail to delete snapshot"}))
    proxy = client.service_proxy("n", "longhorn-backend", 9500)
    with pytest.raises(errors.ApiFailure, match="the service could not do it; seen 500 fail to delete snapshot"):
        proxy.post("v1/volumes/v", {}, {"action": "snapshotDelete"})
    assert (
        api.requests[0][1]
        == "/api/v1/namespaces/n/services/longhorn-backend:9500/proxy/v1/volumes/v?action=snapshotDelete"
    )


def test_a_watch_gives_events_and_ends_with_what_the_server_says(api: Api, client: Client) -> None:
    lines = [
        {"type": "ADDED", "object": {"metadata": {"name": "a\u00e4"}}},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
        {"type": "ERROR", "object": {"code": 410, "message": "too old resource version: 1 (2)"}},
    ]
    api.answers(reply(200, b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)))
    seen = []
    with pytest.raises(errors.Expired, match="too old resource version"):
        for event in client.watch(kinds.PODS, namespace="n", resource_version="1").events():
            seen.append(event["type"])
    assert seen == ["ADDED", "BOOKMARK"]
    assert "allowWatchBookmarks=true" in api.requests[0][1]
    assert "resourceVersion=1" in api.requests[0][1]


def test_half_an_event_is_an_error(api: Api, client: Client) -> None:
    api.answers(reply(200, b'{"type": "ADDED", "obj'))
    with pytest.raises(errors.ApiFailure, match="ended inside an event"):
        list(client.watch(kinds.PODS, namespace="n", resource_version="1").events())


def test_a_log_is_bytes(api: Api, client: Client) -> None:
    api.answers(reply(200, b"\xff\x00\n"))
    stream = client.logs("p", namespace="n", container="c", previous=True, since_time="2026-01-02T03:04:05+02:00")
    assert b"".join(stream.chunks()) == b"\xff\x00\n"
    assert api.requests[0][1].endswith(
        "/pods/p/log?previous=true&container=c&sinceTime=2026-01-02T03%3A04%3A05%2B02%3A00"
    )


@pytest.mark.parametrize(
    "open_stream",
    [
        pytest.param(lambda c: c.watch(kinds.PODS, namespace="n", resource_version="1"), id="a watch"),
        pytest.param(lambda c: c.logs("p", namespace="n"), id="a log"),
    ],
)
def test_a_stream_that_is_refused_with_half_an_answer(
    api: Api, client: Client, open_stream: t.Callable[[Client], object]
) -> None:
    api.answers(half_an_answer(503))
    with pytest.raises(errors.Unreachable, match="broke the connection"):
        open_stream(client)


def test_nobody_listens(clock: Clock) -> None:
    client = connect({"host": "https://127.0.0.1:1", "api_key": "canary-token"}, clock=clock)
    with pytest.raises(errors.Unreachable, match=r"https://127\.0\.0\.1:1 cannot be reached") as caught:
        client.get(kinds.PODS, "p", namespace="n")
    assert "canary" not in str(caught.value)
    assert "0x" not in str(caught.value)


def test_the_wrong_ca(tmp_path: Path, clock: Clock) -> None:
    certificate, key = _self_signed(tmp_path, "server")
    other, _unused = _self_signed(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _TlsServer(context) as port:
        client = connect({"host": f"https://127.0.0.1:{port}", "api_key": "x", "ca_cert": str(other)}, clock=clock)
        with pytest.raises(errors.Unreachable, match=r"is not trusted.*ca_cert"):
            client.get(kinds.PODS, "p")


@pytest.mark.parametrize(
    ("content", "option", "message"),
    [
        pytest.param(None, "ca_cert", "no certificate can be read.*No such file", id="no such authority"),
        pytest.param("text", "ca_cert", "no certificate can be read.*PEM", id="an authority that is none"),
        pytest.param(
            None, "client_cert", "a certificate or key cannot be read.*No such file", id="no such certificate"
        ),
        pytest.param("text", "client_cert", "a certificate or key cannot be read", id="a certificate that is none"),
    ],
)
def test_a_certificate_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None, option: str, message: str
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    params = {"host": "https://127.0.0.1:1", "api_key": "x", option: str(path)}
    with pytest.raises(errors.BadInput, match=f"{option} {path}: {message}"):
        connect(params)


def test_a_certificate_and_its_key_are_taken(tmp_path: Path) -> None:
    certificate, key = _self_signed(tmp_path, "client")
    files = {"ca_cert": str(certificate), "client_cert": str(certificate), "client_key": str(key)}
    assert connect({"host": "https://127.0.0.1:1", **files})


def test_an_authority_in_a_kubeconfig_that_is_none(tmp_path: Path) -> None:
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "dGV4dA=="}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    path = tmp_path / "config"
    users = [{"name": "u", "user": {"token": "t"}}]
    path.write_text(json.dumps({"current-context": "x", "contexts": [context], "clusters": [cluster], "users": users}))
    with pytest.raises(errors.BadInput, match=f"kubeconfig {path}: no certificate can be read"):
        connect({"kubeconfig": str(path)})


def test_an_address_with_a_password_is_refused_and_not_repeated(clock: Clock) -> None:
    with pytest.raises(errors.BadInput, match=r"^host: .*password.*options of their own") as refused:
        connect({"host": "https://admin:canary@127.0.0.1:6443", "api_key": "x"}, clock=clock)
    assert "canary" not in str(refused.value)


def test_an_address_without_tls(api: Api, client: Client) -> None:
    api.answers(reply(400, b"Client sent an HTTP request to an HTTPS server.\n"))
    with pytest.raises(errors.BadInput, match=r"HTTPS server\. Begin host with https://"):
        client.get(kinds.PODS, "p", namespace="n")


@pytest.mark.parametrize(
    ("content", "params", "message"),
    [
        pytest.param(None, {}, "cannot read how to reach the cluster", id="no such file"),
        pytest.param("{", {}, "cannot read how to reach the cluster", id="broken YAML"),
        pytest.param(
            '{"contexts": [], "clusters": [], "users": []}', {"context": "gone"}, "context gone", id="no such context"
        ),
        pytest.param("", {}, "cannot read how to reach the cluster", id="empty file"),
        pytest.param("a text", {}, "seen a document that is not a kubeconfig", id="something else"),
    ],
)
def test_a_kubeconfig_that_says_nothing(
    tmp_path: Path, content: str | None, params: dict[str, str], message: str
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.BadInput, match=message) as caught:
        connect({"kubeconfig": str(path), **params})
    assert str(path) in str(caught.value)


def test_basic_authentication_and_impersonation(api: Api, clock: Clock) -> None:
    params = {"host": api.host, "username": "u", "password": "p", "impersonate_user": "x"}
    api.answers(reply(200, {}))
    connect({**params, "impersonate_groups": ["g", "h"]}, clock=clock).get(kinds.PODS, "p")
    headers = api.requests[0][2]
    assert headers["authorization"].startswith("Basic ")
    assert (headers["impersonate-user"], headers["impersonate-group"]) == ("x", "g\nh")  # a line of its own for each


def _self_signed(folder: Path, name: str) -> tuple[Path, Path]:
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
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class _TlsServer:
    """Accepts one connection and shakes hands."""

    def __init__(self, context: ssl.SSLContext) -> None:
        import socket

        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        connection, _unused = self._socket.accept()
        try:
            self._context.wrap_socket(connection, server_side=True).close()
        except (OSError, ssl.SSLError):
            connection.close()
