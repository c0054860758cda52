# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that the documentation gives for logging in to OpenShift, against a server that answers as one."""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import typing as t
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "sha256~a-token"
PASSWORD = base64.b64encode(b"eve:canary").decode()


@pytest.fixture(name="script")
def _script(tmp_path: Path) -> Path:
    text = (ROOT / "docs/real-cluster.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# login\.py\n.*?)```", text, re.DOTALL)
    path = tmp_path / "login.py"
    path.write_text(code, encoding="utf-8")
    return path


@pytest.fixture(name="host")
def _host() -> Iterator[str]:
    class OpenShift(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/.well-known/oauth-authorization-server":
                host = f"http://{self.headers['Host']}"
                self.tell(200, {"authorization_endpoint": f"{host}/auth", "token_endpoint": f"{host}/token"})
            elif self.headers["Authorization"] == f"Basic {PASSWORD}":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:1/implicit?code=one-time&state=1")
                self.end_headers()
            else:
                self.tell(401, {})

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            good = form.get("code") == ["one-time"]
            self.tell(200 if good else 400, {"access_token": TOKEN, "expires_in": 86400, "scope": "user:full"})

        def tell(self, status: int, document: t.Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: t.Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OpenShift)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def login(script: Path, host: str, password: str) -> subprocess.CompletedProcess[str]:
    """Runs it without a terminal, so that the password is read from its input."""
    env = {**os.environ, "K8S_AUTH_HOST": host, "OCP_USER": "eve", "OAUTHLIB_INSECURE_TRANSPORT": "1"}
    command = [sys.executable, "-W", "ignore", str(script)]
    return subprocess.run(
        command, env=env, input=f"{password}\n", capture_output=True, text=True, check=False, start_new_session=True
    )


def test_the_documented_script_prints_the_token_and_nothing_else(script: Path, host: str) -> None:
    done = login(script, host, "canary")
    assert (done.returncode, done.stdout) == (0, f"{TOKEN}\n"), done.stderr
    assert "canary" not in done.stderr


def test_a_wrong_password_gives_no_token(script: Path, host: str) -> None:
    done = login(script, host, "wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Authorization failed" in done.stderr
