# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the parts of a lab in the order that wastes no time, and waiting for each of them."""

from __future__ import annotations

import datetime
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from longhorn_qa_lab import control_plane, description, pki
from longhorn_qa_lab.binaries.catalog import Binaries
from longhorn_qa_lab.control_plane import NODE_NAME, Layout
from longhorn_qa_lab.description import Description
from longhorn_qa_lab.errors import LabError, PortTaken
from longhorn_qa_lab.keeper_client import KeeperClient
from longhorn_qa_lab.kube import ApiError, Kube, Unreachable
from longhorn_qa_lab.longhorn import install as longhorn
from longhorn_qa_lab.paths import LabPaths
from longhorn_qa_lab.ports import Ports, says_taken
from longhorn_qa_lab.processes import Process
from longhorn_qa_lab.progress import Progress

NO_LONGHORN = "none"

_POLL = 0.05
_PATIENCE = 300.0
_ANSWER = 5.0
_LAST_LINES = 12
_FIRST_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
"""No pod is admitted to a namespace before its ServiceAccount exists and has a token, which comes a moment later."""


@dataclass(frozen=True)
class Options:
    """What a lab is asked to be."""

    name: str
    release: str = NO_LONGHORN
    poll_scale: float = 0.2
    time_scale: float = 1.0
    """Factor on the kubelet's own delays: the back-off of restarts, for instance."""
    cronjob_controller: str = "v2"
    api_port: int | None = None
    bugs: tuple[str, ...] = ()
    """Bug switches of every volume."""
    requests: bool = False
    """Whether the API server notes who asked what of it: its audit log, without contents."""


class BringUp:
    """One start of one lab."""

    def __init__(self, options: Options, *, layout: Layout, keeper: KeeperClient, progress: Progress) -> None:
        self._options = options
        self._layout = layout
        self._keeper = keeper
        self._progress = progress
        self._processes: dict[str, Process] = {}
        self._kube = Kube(layout.paths.kubeconfig, timeout=_ANSWER)

    def run(self, owner: int | None) -> Description:
        """Returns the description of a lab that is up; whoever called ends the keeper if this raises."""
        self._describe(description.STARTING, owner)
        with self._kube:
            self._control_plane()
            installing = _Background(self._longhorn)
            self._node(installing)
        installing.join()
        installing.check()
        if self._options.release != NO_LONGHORN:
            self._progress(f"waiting for Longhorn {self._options.release}")
            longhorn.wait_ready(
                release=self._options.release, kubeconfig=self._layout.paths.kubeconfig, timeout=_PATIENCE
            )
        return self._describe(description.UP, owner)

    def _control_plane(self) -> None:
        layout = self._layout
        self._progress(f"starting etcd and Kubernetes {layout.binaries.kubernetes} ({layout.binaries.source})")
        self._start("etcd", control_plane.etcd_command(layout))
        self._wait("etcd", lambda: _accepts(layout.ports.etcd))
        self._start("kube-apiserver", control_plane.apiserver_command(layout))
        self._wait("kube-apiserver", lambda: self._answers("/livez/ping"))
        self._start("kube-controller-manager", control_plane.controller_manager_command(layout))
        self._wait("kube-apiserver", lambda: self._answers("/readyz"))
        self._start("kube-scheduler", control_plane.scheduler_command(layout))
        self._progress(f"the API server is ready at {layout.server}")

    def _node(self, installing: _Background) -> None:
        layout, folder = self._layout, self._layout.paths.folder
        arguments = {
            "lab-dir": folder,
            "name": NODE_NAME,
            "kubeconfig": layout.node_kubeconfig,
            "port": layout.ports.node,
            "egress-socket": layout.paths.egress_socket,
            "tls-cert": layout.pairs["node-serving"].certificate,
            "tls-key": layout.pairs["node-serving"].key,
            "client-ca": layout.authority,
            "time-scale": self._options.time_scale,
        }
        command = [sys.executable, "-m", "longhorn_qa_lab.node"]
        for name, value in arguments.items():
            command += [f"--{name}", str(value)]
        self._start("node", command)

        def ready() -> bool:
            installing.check()  # a failed installation need not wait for the node
            return self._node_ready()

        self._wait("node", ready)
        self._wait("kube-controller-manager", self._pods_admitted)
        self._progress(f"node {NODE_NAME} is ready")

    def _longhorn(self) -> None:
        options, layout = self._options, self._layout
        if options.release == NO_LONGHORN:
            return
        self._progress(f"installing Longhorn {options.release}")
        longhorn.install(
            release=options.release,
            kubeconfig=layout.paths.kubeconfig,
            lab_dir=layout.paths.folder,
            poll_scale=options.poll_scale,
            bugs=options.bugs,
            say=self._progress,
        )

    def _answers(self, path: str) -> bool:
        """Whether this path answers with success just now."""
        try:
            self._kube.text(path)
        except (ApiError, Unreachable):
            return False
        return True

    def _node_ready(self) -> bool:
        try:
            node = self._kube.find(f"/api/v1/nodes/{NODE_NAME}") or {}
        except (ApiError, Unreachable):
            return False
        conditions = node.get("status", {}).get("conditions") or []
        ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
        return ready and not node.get("spec", {}).get("taints")

    def _pods_admitted(self) -> bool:
        try:
            account = self._kube.find(_FIRST_ACCOUNT) or {}
        except (ApiError, Unreachable):
            return False
        return bool(account.get("secrets"))

    def _start(self, name: str, command: list[str]) -> None:
        self._processes[name] = self._keeper.start(name, command)

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Polls tightly; a part that has ended is told at once with its last words."""
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if not self._processes[name].alive():
                raise self._died(name)
            if time.monotonic() > deadline:
                raise LabError(
                    f"{name} was not ready after {_PATIENCE:.0f} s; its last lines in {self._log(name)}:\n"
                    + self._last_words(name)
                )
            time.sleep(_POLL)

    def _died(self, name: str) -> LabError:
        words = self._last_words(name)
        if says_taken(words.splitlines()):
            return PortTaken(f"{name} found one of its ports taken ({self._layout.ports}).")
        if "no space left on device" in words.lower():
            return LabError(f"The disk that holds {self._layout.paths.folder} is full: {name} could not go on.")
        return LabError(f"{name} ended before it was ready; its last lines in {self._log(name)}:\n{words}")

    def _last_words(self, name: str) -> str:
        text = self._log(name).read_text(encoding="utf-8", errors="replace")
        return "\n".join(f"  {line[:400]}" for line in text.splitlines()[-_LAST_LINES:])

    def _log(self, name: str) -> Path:
        return self._layout.paths.logs / f"{name}.log"

    def _describe(self, state: str, owner: int | None) -> Description:
        layout, options = self._layout, self._options
        described = Description(
            name=options.name,
            folder=str(layout.paths.folder),
            state=state,
            release=options.release,
            started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            owner=owner,
            kubeconfig=str(layout.paths.kubeconfig),
            server=layout.server,
            kubernetes=layout.binaries.kubernetes,
            cronjob_controller=options.cronjob_controller,
            poll_scale=options.poll_scale,
            egress_socket=str(layout.paths.egress_socket),
            ports=layout.ports,
            keeper=self._keeper.process,
            processes=dict(self._processes),
        )
        described.write(layout.paths.description)
        return described


class _Background(threading.Thread):
    """One piece of work beside the main one, abandoned when that is interrupted."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="install")
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 -- raised again in the main thread
            self._error = error

    def check(self) -> None:
        """Raises what the work raised, if it did so already."""
        if self._error is not None:
            raise self._error


def lay_out(paths: LabPaths, options: Options, *, ports: Ports, binaries: Binaries) -> Layout:
    """Makes the certificates and files of a lab in its empty folder."""
    authority = pki.Authority(paths.pki, datetime.datetime.now(datetime.UTC))
    wanted = pki.identities(NODE_NAME, control_plane.SERVICE_ADDRESS)
    layout = Layout(
        paths=paths,
        ports=ports,
        binaries=binaries,
        pairs=pki.issue_all(authority, wanted),
        service_accounts=authority.service_account_keys(),
        authority=authority.certificate,
        cronjob_controller=options.cronjob_controller,
        requests=options.requests,
    )
    control_plane.write_files(layout)
    return layout


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
