# SPDX-License-Identifier: GPL-3.0-or-later
"""``longhorn-manager`` of the lab: ``daemon`` runs the control loop and the API, the others are recurring jobs.

A job's process must be there as fast as a compiled program, so everything heavy is loaded where it is used.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import typing as t
from pathlib import Path

from longhorn_qa_lab.longhorn import bugs as bugs_of
from longhorn_qa_lab.longhorn import faults, job_bugs, jobs, releases
from longhorn_qa_lab.longhorn.disk import Disk
from longhorn_qa_lab.longhorn.logs import Log

_TOLD_TO_END: t.Final = 2
"""Exit status of the real program after SIGTERM."""


def parser() -> argparse.ArgumentParser:
    """The command line of the real program, as far as manifests and CronJobs use it."""
    top = argparse.ArgumentParser(prog="longhorn-manager")
    top.add_argument("-d", "--debug", action="store_true")
    top.add_argument("-j", "--log-json", action="store_true")
    commands = top.add_subparsers(dest="command", required=True)
    daemon = commands.add_parser("daemon")
    for name in ("--engine-image", "--instance-manager-image", "--manager-image", "--service-account"):
        daemon.add_argument(name, required=True)
    for name in ("--share-manager-image", "--backing-image-manager-image", "--support-bundle-manager-image"):
        daemon.add_argument(name, default="")
    snapshot = commands.add_parser("snapshot")
    snapshot.add_argument("volume")
    snapshot.add_argument("--manager-url", default="http://longhorn-backend:9500/v1")
    snapshot.add_argument("--snapshot-name", required=True)
    snapshot.add_argument("--labels", action="append", default=[])
    snapshot.add_argument("--retain", type=int, default=1)
    snapshot.add_argument("--backup", action="store_true")
    snapshot.add_argument("--backuptarget", default="")
    recurring = commands.add_parser("recurring-job")
    recurring.add_argument("name")
    recurring.add_argument("--manager-url", default="http://longhorn-backend:9500/v1")
    return top


def labels_of(words: t.Sequence[str]) -> dict[str, str]:
    """--labels KEY=VALUE, any number of times."""
    return dict(word.partition("=")[::2] for word in words)


def end_when_told() -> None:
    """SIGTERM ends a job at once, but not an upload that it has begun: that one is a replica's, in Longhorn."""

    def end(*_: object) -> t.NoReturn:
        raise SystemExit(_TOLD_TO_END)  # the interpreter waits for the thread that uploads

    signal.signal(signal.SIGTERM, end)


def run_job(options: argparse.Namespace, environment: t.Mapping[str, str]) -> int:
    """One recurring job."""
    end_when_told()
    disk = Disk.from_environment(environment)
    config = disk.read_config()
    bugs = _bugs(config, disk, options.volume)
    log = bugs.log(options.volume)
    release = releases.release(config["release"])
    labels = {jobs.LABEL: options.snapshot_name, **labels_of(options.labels)}
    job = jobs.Job(
        volume=options.volume,
        name=options.snapshot_name,
        labels=labels,
        retain=options.retain,
        backup=options.backup or bool(options.backuptarget),
        poll=release.job_poll * config["poll_scale"],
    )

    def way() -> jobs.Volume:
        return _way_to_volume(options, environment, release=release, disk=disk, plan=config["plan"], log=log, bugs=bugs)

    def work() -> None:
        jobs.Runner(bugs.job(job), bugs.volume(way()), release=release, log=log, sleep=time.sleep).run()

    return 0 if bugs.idle else bugs.end(jobs.execute(work, log), way)


def run_recurring_job(options: argparse.Namespace, environment: t.Mapping[str, str]) -> int:
    """One recurring job of 1.2 or later, for all its volumes."""
    import random

    from longhorn_qa_lab.kube import Kube
    from longhorn_qa_lab.longhorn import logs, recurring_job
    from longhorn_qa_lab.longhorn.api_volume import Client
    from longhorn_qa_lab.longhorn.recurring_job_api import KubeCluster
    from longhorn_qa_lab.longhorn.recurring_job_rules import rules

    config = Disk.from_environment(environment).read_config()
    release = releases.release(config["release"])
    egress = Path(environment["LAB_EGRESS"]) if environment.get("LAB_EGRESS") else None
    rng = random.Random()  # noqa: S311 the order of words in a message

    def client() -> Client:
        return Client(options.manager_url, egress=egress, rng=rng, timeout=release.client_timeout)

    cluster = KubeCluster(Kube(Path(environment["LAB_KUBECONFIG"])), client, rules(release.name), release)
    setup = recurring_job.Setup(
        cluster=cluster,
        rules=rules(release.name),
        log=Log(style=logs.style_of(release.number)),
        poll=release.job_poll * config["poll_scale"],
        sleep=time.sleep,
    )
    return recurring_job.execute(options.name, setup)


def _bugs(config: t.Mapping[str, t.Any], disk: Disk, volume: str) -> job_bugs.JobBugs:
    found = bugs_of.parse(config.get("bugs", "")).of(volume)
    return job_bugs.JobBugs(found, disk.count_start(volume)) if found else job_bugs.NO_BUGS


def _way_to_volume(
    options: argparse.Namespace,
    environment: t.Mapping[str, str],
    *,
    release: releases.Release,
    disk: Disk,
    plan: str,
    log: Log,
    bugs: job_bugs.JobBugs,
) -> jobs.Volume:
    if release.jobs_through == "api":
        import random

        from longhorn_qa_lab.longhorn.api_volume import ApiVolume

        egress = Path(environment["LAB_EGRESS"]) if environment.get("LAB_EGRESS") else None
        rng = random.Random()  # noqa: S311 the order of words in a message
        return ApiVolume(
            volume=options.volume, url=options.manager_url, egress=egress, rng=rng, timeout=release.client_timeout
        )
    from longhorn_qa_lab.kube import Kube
    from longhorn_qa_lab.longhorn.engine_volume import EngineVolume

    return EngineVolume(
        volume=options.volume,
        kube=Kube(Path(environment["LAB_KUBECONFIG"])),
        disk=disk,
        plan=faults.parse(plan),
        log=log,
        target=options.backuptarget,
        environment=environment,
        bugs=bugs,
    )


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Entry point of both."""
    options = parser().parse_args(arguments)
    if options.command == "recurring-job":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_TOLD_TO_END))
        return run_recurring_job(options, os.environ)
    if options.command == "snapshot":
        return run_job(options, os.environ)
    from longhorn_qa_lab.longhorn.daemon import Daemon

    return Daemon.from_command(options, os.environ).run()


if __name__ == "__main__":
    sys.exit(main())
