# SPDX-License-Identifier: GPL-3.0-or-later
"""The egress proxy: bytes to a pod's address arrive at the local port that stands for it."""

from __future__ import annotations

import contextlib
import http.server
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from longhorn_qa_lab.egress import Address, EgressAdapter, EgressProxy
from longhorn_qa_lab.tunnel import EgressError, open_connection

POD = "10.244.0.5"


class Upper(http.server.BaseHTTPRequestHandler):
    """Answers with its own path in capitals."""

    def do_GET(self) -> None:
        body = self.path.upper().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upper)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy(tmp_path: Path, web: int) -> Iterator[Path]:
    """Knows one pod that answers, one service name of it, and one pod whose program is gone."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]

    def resolve(host: str, port: int) -> Address | None:
        known = {(POD, 9500): web, ("longhorn-backend", 9500): web, ("10.244.0.6", 80): closed}
        real = known.get((host, port))
        return None if real is None else ("127.0.0.1", real)

    path = tmp_path / "egress.sock"
    with EgressProxy(path, resolve):
        yield path


@pytest.mark.parametrize("host", [POD, "longhorn-backend"], ids=["pod address", "service name"])
def test_requests_reach_what_stands_for_the_address(proxy: Path, host: str) -> None:
    with requests.Session() as session:
        session.mount("http://", EgressAdapter(proxy))
        for word in ("one", "two"):
            assert session.get(f"http://{host}:9500/{word}", timeout=5).text == f"/{word.upper()}"


def test_a_proxy_of_the_environment_is_not_asked(proxy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with requests.Session() as session:
        session.mount("http://", EgressAdapter(proxy))
        assert session.get("http://longhorn-backend:9500/x", timeout=5).text == "/X"


def test_an_unknown_address_is_refused_by_name(proxy: Path) -> None:
    with pytest.raises(EgressError, match=r"nothing in this lab listens at 10\.244\.0\.99:80"):
        open_connection(proxy, "10.244.0.99", 80)


def test_a_program_that_is_gone_is_told(proxy: Path) -> None:
    with pytest.raises(EgressError, match=r"10\.244\.0\.6:80 stands for 127\.0\.0\.1:\d+, which does not answer"):
        open_connection(proxy, "10.244.0.6", 80)


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/1.1", b"CONNECT nowhere HTTP/1.1", b"CONNECT a:b HTTP/1.1", b"\xff\xfe"],
    ids=["not CONNECT", "no port", "port not a number", "not text"],
)
def test_other_requests_are_refused(proxy: Path, request_line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(5)
        stream.connect(str(proxy))
        stream.sendall(request_line + b"\r\n\r\n")
        assert stream.recv(100).startswith(b"HTTP/1.1 400 ")


def test_an_end_of_one_direction_leaves_the_other_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        real = server.getsockname()[1]

        def swallow_then_answer() -> None:
            peer, _ = server.accept()
            with peer:
                size = 0
                while chunk := peer.recv(65536):
                    size += len(chunk)
                peer.sendall(str(size).encode())

        thread = threading.Thread(target=swallow_then_answer)
        thread.start()
        path = tmp_path / "egress.sock"
        proxy = EgressProxy(path, lambda _host, _port: ("127.0.0.1", real))
        with proxy, open_connection(path, POD, 1) as stream:
            stream.sendall(b"x" * 3_000_000)
            stream.shutdown(socket.SHUT_WR)
            assert stream.recv(100) == b"3000000"
        thread.join()


def test_bytes_sent_with_the_request_are_not_lost(proxy: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stream, contextlib.closing(stream.makefile("rb")) as answer:
        stream.settimeout(5)
        stream.connect(str(proxy))
        stream.sendall(f"CONNECT {POD}:9500 HTTP/1.1\r\n\r\nGET /early HTTP/1.0\r\n\r\n".encode())
        assert b"/EARLY" in answer.read()


def test_only_the_owner_may_use_the_socket_and_it_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "egress.sock"
    path.touch()  # left by a killed predecessor
    proxy = EgressProxy(path, lambda _host, _port: None)
    proxy.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    proxy.stop()
    assert not path.exists()
    with pytest.raises(OSError, match="No such file"):
        open_connection(path, POD, 1)
