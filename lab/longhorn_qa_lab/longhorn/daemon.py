# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's long-running process: picture, control loop and API together."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import threading
import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.kube import ApiError, Kube, Unreachable
from longhorn_qa_lab.longhorn import decide, faults, names, releases, settings, world
from longhorn_qa_lab.longhorn.admission import Admission
from longhorn_qa_lab.longhorn.backup_controller import Backups
from longhorn_qa_lab.longhorn.backup_target_controller import BackupTargets
from longhorn_qa_lab.longhorn.context import CONFIG, Context, write_config
from longhorn_qa_lab.longhorn.disk import Disk
from longhorn_qa_lab.longhorn.logs import Log, style_of
from longhorn_qa_lab.longhorn.manager_api import Server
from longhorn_qa_lab.longhorn.mischief import Mischief
from longhorn_qa_lab.longhorn.operator import Operator
from longhorn_qa_lab.longhorn.refusals import Refusals
from longhorn_qa_lab.longhorn.service import Service
from longhorn_qa_lab.longhorn.snapshot_controller import Snapshots
from longhorn_qa_lab.longhorn.webhooks import Webhooks

_PORT: t.Final = 9500
_START_SECONDS: t.Final = 60.0


@dataclasses.dataclass
class Daemon:
    """`longhorn-manager daemon`."""

    context: Context
    address: tuple[str, int]
    egress: Path | None
    lab: Path

    @classmethod
    def from_command(cls, options: argparse.Namespace, environment: t.Mapping[str, str]) -> Daemon:
        kube = Kube(Path(environment["LAB_KUBECONFIG"]))
        release, scale = _configuration(kube, options.manager_image)
        context = Context(
            release=release,
            node=environment["NODE_NAME"],
            pod_ip=environment["POD_IP"],
            manager_image=options.manager_image,
            service_account=options.service_account,
            engine_image=options.engine_image,
            instance_manager_image=options.instance_manager_image,
            poll_scale=scale,
            plan=faults.KNOWN,
            plan_text="",
            cluster=world.World(kube, release, cron_version=_cron_version(kube, release)),
            disk=Disk.from_environment(environment),
            log=Log(style=style_of(release.number)),
        )
        port = json.loads(environment["LAB_PORTS"])[str(_PORT)]
        egress = Path(environment["LAB_EGRESS"]) if environment.get("LAB_EGRESS") else None
        return cls(context, ("127.0.0.1", int(port)), egress, Path(environment["LAB_DIR"]))

    def run(self) -> int:
        """Until SIGTERM. The API answers only once the default engine image is ready, as the real one's does."""
        context = self.context
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        write_config(context)
        context.cluster.start()
        if not context.cluster.wait_listed(_START_SECONDS):
            context.log.fatal("Error starting manager: cannot list Longhorn's objects")
            return 1
        admin = Kube(self.lab / "kubeconfig")
        mischief = Mischief(context, admin, Refusals(admin, self.lab / "pki"))
        if context.release.webhooks:
            Webhooks(Admission(context), context.log, self.lab / "pki").register(context.cluster)
        controllers = (BackupTargets(context, self.egress), Snapshots(context), Backups(context, self.egress))
        loop = Operator(context, mischief=mischief.step, controllers=[part.tasks for part in controllers])
        loop.prepare()
        threading.Thread(target=loop.run, args=(stopping.is_set,), daemon=True, name="operator").start()
        self._wait_for_default_image(stopping)
        server = Server(self.address, Service(context, egress=self.egress), context.log)
        threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True, name="api").start()
        context.log.info(f"Listening on {context.pod_ip}:{_PORT}")
        stopping.wait()
        server.shutdown()
        context.cluster.stop()
        return 0

    def _wait_for_default_image(self, stopping: threading.Event) -> None:
        context = self.context
        image = context.setting(settings.DEFAULT_ENGINE_IMAGE)
        name = names.engine_image(image)
        pause = min(6.0 * context.poll_scale, 0.5)
        context.log.debug(f"Waiting for engine image {image} to be ready")
        while not stopping.is_set():
            found = context.cluster.find(world.ENGINE_IMAGES, name) or {}
            if decide.is_usable(found.get("status")):
                context.log.debug(f"Engine image {image} is ready")
                return
            stopping.wait(pause)


def _cron_version(kube: Kube, release: releases.Release) -> str:
    """The release's version of CronJobs, or the older one where the API server does not serve it."""
    wanted = release.cron_jobs.version
    served = kube.get(f"/apis/batch/{wanted}")["resources"]
    return wanted if any(entry["name"] == "cronjobs" for entry in served) else "v1beta1"


def _configuration(kube: Kube, manager_image: str) -> tuple[releases.Release, float]:
    """The lab's own ConfigMap says which release to be and how fast; without it, the manager's image does."""
    path = f"/api/v1/namespaces/{names.NAMESPACE}/configmaps/{CONFIG}"
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            data = (kube.find(path) or {}).get("data") or {}
            break
        except (ApiError, Unreachable):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    known = {row.manager_image: row.name for row in releases.RELEASES.values()}
    name = data.get("release") or known.get(manager_image, "")
    return releases.release(name), float(data.get("pollScale") or 1.0)
