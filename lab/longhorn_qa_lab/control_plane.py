# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and files of a control plane; nothing is started here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from longhorn_qa_lab.binaries.catalog import Binaries
from longhorn_qa_lab.paths import LabPaths
from longhorn_qa_lab.pki import Pair, write_kubeconfig
from longhorn_qa_lab.ports import Ports

NODE_NAME = "lab-node"
POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
ISSUER = "https://kubernetes.default.svc.cluster.local"

_NOBODY = "192.0.2.1"
"""A documentation address: the API server refuses to advertise a loopback one, and nobody dials it."""


_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": [f"system:{name}" for name in ("apiserver", "kube-controller-manager")]},
        {"level": "None", "users": ["system:kube-scheduler"]},
        {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
        {"level": "Metadata"},
    ],
}
"""Names and verbs only, never contents; the control plane's own chatter is left out."""


@dataclass(frozen=True)
class Layout:
    """Everything the commands depend on."""

    paths: LabPaths
    ports: Ports
    binaries: Binaries
    pairs: Mapping[str, Pair]
    service_accounts: Pair
    authority: Path
    cronjob_controller: str = "v2"
    requests: bool = False

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports.api}"

    def kubeconfig_of(self, component: str) -> Path:
        return self.paths.config / f"{component}.kubeconfig"

    @property
    def node_kubeconfig(self) -> Path:
        return self.paths.folder / "node.kubeconfig"

    @property
    def egress_configuration(self) -> Path:
        return self.paths.config / "egress.yaml"

    @property
    def audit_policy(self) -> Path:
        return self.paths.config / "audit.yaml"


def write_files(layout: Layout) -> None:
    """Kubeconfigs of every client, and the rule that sends pod traffic to the egress socket."""
    layout.paths.config.mkdir(parents=True, exist_ok=True)
    clients = {
        "admin": layout.paths.kubeconfig,
        "controller-manager": layout.kubeconfig_of("controller-manager"),
        "scheduler": layout.kubeconfig_of("scheduler"),
        "node-client": layout.node_kubeconfig,
    }
    for name, path in clients.items():
        write_kubeconfig(
            path, server=layout.server, authority=layout.authority, pair=layout.pairs[name], user=f"lab-{name}"
        )
    rule = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {
                "name": "cluster",
                "connection": {
                    "proxyProtocol": "HTTPConnect",
                    "transport": {"uds": {"udsName": str(layout.paths.egress_socket)}},
                },
            },
        ],
    }
    layout.egress_configuration.write_text(yaml.safe_dump(rule, sort_keys=False), encoding="utf-8")
    layout.audit_policy.write_text(yaml.safe_dump(_AUDIT_POLICY, sort_keys=False), encoding="utf-8")


def etcd_command(layout: Layout) -> list[str]:
    """Client certificates on both listeners: other users of the machine share its loopback."""
    client, peer = f"https://127.0.0.1:{layout.ports.etcd}", f"https://127.0.0.1:{layout.ports.etcd_peer}"
    pair, authority = layout.pairs["etcd"], layout.authority
    return [
        str(layout.binaries["etcd"]),
        "--name=lab",
        f"--data-dir={layout.paths.etcd}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        "--client-cert-auth=true",
        f"--trusted-ca-file={authority}",
        f"--cert-file={pair.certificate}",
        f"--key-file={pair.key}",
        "--peer-client-cert-auth=true",
        f"--peer-trusted-ca-file={authority}",
        f"--peer-cert-file={pair.certificate}",
        f"--peer-key-file={pair.key}",
        "--logger=zap",
        "--log-level=warn",
    ]


def apiserver_command(layout: Layout) -> list[str]:
    """RBAC and node authorisation on, anonymous access off, everything on loopback."""
    serving, etcd, kubelet = (layout.pairs[name] for name in ("apiserver", "etcd-client", "kubelet-client"))
    authority = layout.authority
    return [
        str(layout.binaries["kube-apiserver"]),
        f"--etcd-servers=https://127.0.0.1:{layout.ports.etcd}",
        f"--etcd-cafile={authority}",
        f"--etcd-certfile={etcd.certificate}",
        f"--etcd-keyfile={etcd.key}",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports.api}",
        f"--advertise-address={_NOBODY}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={layout.service_accounts.certificate}",
        f"--service-account-signing-key-file={layout.service_accounts.key}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        f"--kubelet-certificate-authority={authority}",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--egress-selector-config-file={layout.egress_configuration}",
        "--feature-gates=BoundServiceAccountTokenVolume=false",
        "--profiling=false",
        *_requests_flags(layout),
    ]


def _requests_flags(layout: Layout) -> list[str]:
    if not layout.requests:
        return []
    return [f"--audit-policy-file={layout.audit_policy}", f"--audit-log-path={layout.paths.requests}"]


def controller_manager_command(layout: Layout) -> list[str]:
    """The second CronJob controller names Jobs by the minute of their tick; the first one polls every ten seconds."""
    kubeconfig = layout.kubeconfig_of("controller-manager")
    second = "true" if layout.cronjob_controller == "v2" else "false"
    return [
        str(layout.binaries["kube-controller-manager"]),
        f"--kubeconfig={kubeconfig}",
        "--port=0",
        "--secure-port=0",
        "--leader-elect=false",
        f"--service-account-private-key-file={layout.service_accounts.key}",
        f"--root-ca-file={layout.authority}",
        f"--feature-gates=CronJobControllerV2={second},BoundServiceAccountTokenVolume=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    ]


def scheduler_command(layout: Layout) -> list[str]:
    """Binds the pods of Deployments and DaemonSets, as on any cluster."""
    return [
        str(layout.binaries["kube-scheduler"]),
        f"--kubeconfig={layout.kubeconfig_of('scheduler')}",
        "--port=0",
        "--secure-port=0",
        "--leader-elect=false",
        "--profiling=false",
    ]
