# SPDX-License-Identifier: GPL-3.0-or-later
"""From authentication options to a client, by the Kubernetes library's own loaders; nobody else imports that library.

Precedence as in kubernetes.core: host with credentials, else kubeconfig or context, else the service account of the pod
we run in, else the default kubeconfig. Single options override what the files say.
"""

from __future__ import annotations

import ssl
import typing as t
from collections.abc import Mapping

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.api import (
    Access,
    Client,
    Listing,
    Object,
    ServerTime,
    ServiceProxy,
    Watch,
)
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, MissingLibrary
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.http import Connection
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock

try:
    import kubernetes.client
    import kubernetes.config
    import urllib3
    from kubernetes.client import rest as kubernetes_rest

    IMPORT_ERROR: ImportError | None = None
except ImportError as _error:
    IMPORT_ERROR = _error

__all__ = ["Access", "Client", "Listing", "Object", "ServerTime", "ServiceProxy", "Watch", "connect"]

_OVERRIDES = {
    "host": "host",
    "validate_certs": "verify_ssl",
    "ca_cert": "ssl_ca_cert",
    "client_cert": "cert_file",
    "client_key": "key_file",
    "proxy": "proxy",
    "no_proxy": "no_proxy",
    "username": "username",
    "password": "password",
}
_POOL_SIZE = 64  # one connection per watch and per followed log


def connect(params: Mapping[str, t.Any], *, clock: Clock = SYSTEM) -> Client:
    """A client for these authentication options (argspec.auth_spec). Sends nothing yet."""
    return Client(lambda: _open_connection(params), clock=clock)


def _open_connection(params: Mapping[str, t.Any]) -> Connection:
    """Reads files and runs credential plugins as the options say; sends nothing to the server yet."""
    if IMPORT_ERROR is not None:
        raise MissingLibrary(
            f"the Python library {IMPORT_ERROR.name or 'kubernetes'} cannot be imported",
            advice="Install it where the module runs: pip install 'kubernetes>=29'.",
        ) from IMPORT_ERROR
    configuration = _configuration(params)
    if "@" in configuration.host:  # it would not be sent, and stand in every message
        raise BadInput(
            "the address of the API server holds a user's name or password",
            subject="host" if params.get("host") else _source(params),
            advice="Give the address alone, and username and password, or api_key, as options of their own.",
        )  # fmt: skip
    rest = kubernetes_rest.RESTClientObject(configuration)
    return Connection(
        host=configuration.host.rstrip("/"),
        pool=rest.pool_manager,
        headers=_headers(configuration, params),
    )


def _configuration(params: Mapping[str, t.Any]) -> t.Any:
    configuration = kubernetes.client.Configuration()
    try:
        _load(configuration, params)
    except BadInput:
        raise
    except Exception as error:  # the loader raises whatever YAML, base64 and the file system raise
        raise BadInput(
            "cannot read how to reach the cluster",
            subject=_source(params),
            seen=_told(error),
            advice="Give kubeconfig (and context), or host with api_key, or the K8S_AUTH_* environment variables.",
        ) from error
    for option, attribute in _OVERRIDES.items():
        if params.get(option) not in (None, ""):
            setattr(configuration, attribute, params[option])
    _check_files(configuration, params)
    configuration.connection_pool_maxsize = _POOL_SIZE
    configuration.keep_alive = True
    headers = {name: value for name, value in (params.get("proxy_headers") or {}).items() if value}
    if headers:
        configuration.proxy_headers = urllib3.util.make_headers(**headers)
    return configuration


def _told(error: Exception) -> str:
    """The loader's own words; what else breaks in it was no kubeconfig."""
    if isinstance(error, TypeError | AttributeError | KeyError | IndexError):
        return "a document that is not a kubeconfig"
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _check_files(configuration: t.Any, params: Mapping[str, t.Any]) -> None:
    """Loads them once: at the first request it would look as if nobody answered, and no file would be named."""
    certificate, key = configuration.cert_file, configuration.key_file
    for option, path, load in (
        ("ca_cert", configuration.ssl_ca_cert, lambda tls, path: tls.load_verify_locations(path)),
        ("client_cert", certificate, lambda tls, path: tls.load_cert_chain(path, key, password="")),
    ):
        if not path:
            continue
        try:
            load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            given = f"{option} {path}" if params.get(option) else _source(params)
            raise BadInput(
                "a certificate or key cannot be read" if option == "client_cert" else "no certificate can be read",
                subject=given, expected="a file in PEM format", seen=str(error),
                advice="Check ca_cert, client_cert and client_key, or what the kubeconfig says in their place.",
            ) from error  # fmt: skip


def _load(configuration: t.Any, params: Mapping[str, t.Any]) -> None:
    if params.get("host") and (
        params.get("api_key")
        or (params.get("username") and params.get("password"))
        or (params.get("client_cert") and params.get("client_key"))
    ):
        return
    kubeconfig, context = params.get("kubeconfig"), params.get("context") or None
    if isinstance(kubeconfig, Mapping):
        kubernetes.config.load_kube_config_from_dict(
            config_dict=dict(kubeconfig), context=context, client_configuration=configuration, persist_config=False
        )
        return
    if not kubeconfig and not context:
        try:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
            return
        except kubernetes.config.ConfigException:
            if params.get("host"):
                return
    kubernetes.config.load_kube_config(
        config_file=kubeconfig or None,
        context=context,
        client_configuration=configuration,
        persist_config=bool(params.get("persist_config")),
    )


def _source(params: Mapping[str, t.Any]) -> str:
    kubeconfig, context = params.get("kubeconfig"), params.get("context")
    if isinstance(kubeconfig, Mapping):
        source = "kubeconfig given as a dictionary"
    else:
        source = f"kubeconfig {kubeconfig or '(default location)'}"
    return f"{source}, context {context}" if context else source


def _headers(configuration: t.Any, params: Mapping[str, t.Any]) -> Mapping[str, str]:
    headers = urllib3.HTTPHeaderDict({"user-agent": "longhorn.qa", "accept": "application/json"})
    token = _token(configuration, params).strip()
    if token and not token.isprintable():
        raise BadInput(
            "not a token: it has line breaks or other control characters", subject=_source(params),
            expected="the text of one token", advice="Check api_key, and the user of the kubeconfig.",
        )  # fmt: skip
    if token:
        headers["authorization"] = token
    if params.get("impersonate_user"):
        headers["impersonate-user"] = params["impersonate_user"]
    for group in params.get("impersonate_groups") or ():
        headers.add("impersonate-group", group)  # the API server takes a list in one header for one group's name
    return headers


def _token(configuration: t.Any, params: Mapping[str, t.Any]) -> str:
    if params.get("api_key"):
        return f"Bearer {params['api_key']}"
    if params.get("username") and params.get("password"):
        basic = urllib3.util.make_headers(basic_auth=f"{params['username']}:{params['password']}")
        return str(basic["authorization"])
    for name in ("BearerToken", "authorization"):  # the library renamed it in version 26
        value = configuration.get_api_key_with_prefix(name)
        if value:
            return str(value).strip()
    return ""
