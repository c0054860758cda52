# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that modules share, each written once.

The authentication options are named as in kubernetes.core, with its aliases and its K8S_AUTH_* environment variables,
so that one ``module_defaults`` block and one credential type serve both collections. That collection is only a
dependency for documentation, hence the names are repeated here.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, MutableSet

from ansible.module_utils.basic import env_fallback

Spec = dict[str, dict[str, t.Any]]

_SECRET_KEYS = frozenset(
    {
        "token",
        "password",
        "secret",
        "client-key-data",
        "client-secret",
        "client-certificate-data",
        "id-token",
        "access-token",
        "refresh-token",
    }
)
_SECRET_VARIABLE = re.compile(r"token|secret|pass|key|credential", re.IGNORECASE)


def _env(*names: str, **option: t.Any) -> dict[str, t.Any]:
    return {**option, "fallback": (env_fallback, [f"K8S_AUTH_{name}" for name in names])}


def auth_spec() -> Spec:
    """How to reach the API server and as whom."""
    headers = {
        "proxy_basic_auth": _env("PROXY_HEADERS_PROXY_BASIC_AUTH", type="str", no_log=True),
        "basic_auth": _env("PROXY_HEADERS_BASIC_AUTH", type="str", no_log=True),
        "user_agent": _env("PROXY_HEADERS_USER_AGENT", type="str"),
    }
    return {
        "kubeconfig": _env("KUBECONFIG", type="raw"),
        "context": _env("CONTEXT", type="str"),
        "host": _env("HOST", type="str"),
        "api_key": _env("API_KEY", type="str", no_log=True),
        "username": _env("USERNAME", type="str"),
        "password": _env("PASSWORD", type="str", no_log=True),
        "validate_certs": _env("VALIDATE_CERTS", "VERIFY_SSL", type="bool", aliases=["verify_ssl"]),
        "ca_cert": _env("CA_CERT", "SSL_CA_CERT", type="path", aliases=["ssl_ca_cert"]),
        "client_cert": _env("CLIENT_CERT", "CERT_FILE", type="path", aliases=["cert_file"]),
        "client_key": _env("CLIENT_KEY", "KEY_FILE", type="path", aliases=["key_file"], no_log=False),
        "proxy": _env("PROXY", type="str"),
        "no_proxy": _env("NO_PROXY", type="str"),
        "proxy_headers": {"type": "dict", "options": headers, "apply_defaults": True},
        "persist_config": _env("PERSIST_CONFIG", type="bool"),
        "impersonate_user": _env("IMPERSONATE_USER", type="str"),
        "impersonate_groups": _env("IMPERSONATE_GROUPS", type="list", elements="str"),
    }


def namespace_spec() -> Spec:
    """Where Longhorn lives."""
    return {"namespace": {"type": "str", "default": "longhorn-system"}}


def release_spec() -> Spec:
    """Which Longhorn it is, when the manager's image tag does not tell."""
    return {"longhorn_release": {"type": "str", "default": ""}}


def wait_spec(timeout: int = 300) -> Spec:
    """Whether to wait for the state, and for how many seconds at most."""
    return {"wait": {"type": "bool", "default": True}, "wait_timeout": {"type": "int", "default": timeout}}


def owner_spec() -> Spec:
    """The mark of the run that makes an object."""
    return {"run_id": {"type": "str", "default": ""}}


def merged(*specs: Mapping[str, Mapping[str, t.Any]]) -> Spec:
    """The authentication options and these; an option stated twice is a mistake of ours."""
    result = auth_spec()
    for spec in specs:
        twice = sorted(set(result) & set(spec))
        if twice:
            raise ValueError(f"option {twice[0]} is stated twice")
        result.update({name: dict(option) for name, option in spec.items()})
    return result


def hide_secrets(hidden: MutableSet[str], params: Mapping[str, t.Any]) -> None:
    """Adds what is secret inside a kubeconfig given as a dictionary to the values that Ansible never shows."""
    _collect(params.get("kubeconfig"), hidden)


def _collect(value: t.Any, hidden: MutableSet[str]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            # An empty text, if hidden, would be found between any two characters.
            if inner and isinstance(inner, str) and (key in _SECRET_KEYS or _is_secret_variable(key, value)):
                hidden.add(inner)
            else:
                _collect(inner, hidden)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, hidden)


def _is_secret_variable(key: str, variable: Mapping[str, t.Any]) -> bool:
    """Whether it is the value of a credential plugin's variable; others, such as a region, occur in results."""
    return key == "value" and bool(_SECRET_VARIABLE.search(str(variable.get("name") or "")))
