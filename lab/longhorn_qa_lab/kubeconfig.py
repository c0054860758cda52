# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubeconfig's current context says: where the API server is, whom to trust, and how to be let in."""

from __future__ import annotations

import base64
import ssl
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Access:
    """A client certificate, or a token; the other one is empty."""

    server: str
    authority: bytes
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""

    def context(self) -> ssl.SSLContext:
        """The TLS settings. The library takes client certificates from files only: one that lives for a moment."""
        context = ssl.create_default_context(cadata=self.authority.decode())
        if self.certificate:
            with tempfile.NamedTemporaryFile(suffix=".pem") as bundle:  # made with mode 0600
                bundle.write(self.certificate + b"\n" + self.key)
                bundle.flush()
                context.load_cert_chain(bundle.name)
        return context


def read_kubeconfig(path: Path) -> Access:
    """The current context; file names in it are relative to its folder."""
    import yaml  # loads in 30 ms, so not for programs that never get here

    document = yaml.safe_load(path.read_text())
    context = _named(document["contexts"], document["current-context"])["context"]
    cluster = _named(document["clusters"], context["cluster"])["cluster"]
    user = _named(document["users"], context["user"])["user"]
    token = Path(path.parent, user["tokenFile"]).read_text().strip() if "tokenFile" in user else user.get("token", "")
    return Access(
        server=cluster["server"].rstrip("/"),
        authority=_content(cluster, "certificate-authority", path.parent),
        certificate=_content(user, "client-certificate", path.parent),
        key=_content(user, "client-key", path.parent),
        token=token,
    )


def _named(items: list[dict[str, t.Any]], name: str) -> dict[str, t.Any]:
    return next(item for item in items if item["name"] == name)


def _content(section: t.Mapping[str, t.Any], key: str, folder: Path) -> bytes:
    if f"{key}-data" in section:
        return base64.b64decode(section[f"{key}-data"])
    return Path(folder, section[key]).read_bytes() if key in section else b""
