# SPDX-License-Identifier: GPL-3.0-or-later
"""The node process of a lab: kubelet, log server and the egress proxy's resolver, on one event loop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import signal
import typing as t
import urllib.parse
from pathlib import Path

from longhorn_qa_lab.egress import EgressProxy
from longhorn_qa_lab.kubeconfig import read_kubeconfig
from longhorn_qa_lab.node.api import Api
from longhorn_qa_lab.node.events import Recorder
from longhorn_qa_lab.node.known import known_images
from longhorn_qa_lab.node.kubelet import Kubelet
from longhorn_qa_lab.node.logs import LogServer
from longhorn_qa_lab.node.node import Addresses, Node, Settings
from longhorn_qa_lab.node.services import Directory


def _arguments(arguments: t.Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="longhorn_qa_lab.node", description=__doc__)
    parser.add_argument("--lab-dir", type=Path, required=True)
    parser.add_argument("--name", default="lab-node")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of the node's own identity")
    parser.add_argument("--port", type=int, required=True, help="where the log server listens")
    parser.add_argument("--egress-socket", type=Path, required=True)
    parser.add_argument("--tls-cert", type=Path, required=True)
    parser.add_argument("--tls-key", type=Path, required=True)
    parser.add_argument("--client-ca", type=Path, required=True)
    parser.add_argument("--time-scale", type=float, default=1.0, help="factor on the kubelet's own delays")
    return parser.parse_args(arguments)


def _node(options: argparse.Namespace) -> Node:
    settings = Settings(
        lab_dir=options.lab_dir.resolve(),
        name=options.name,
        port=options.port,
        egress_socket=options.egress_socket,
        time_scale=options.time_scale,
    )
    api = Api(read_kubeconfig(options.kubeconfig))
    server = urllib.parse.urlsplit(api.access.server)
    return Node(
        settings=settings,
        api=api,
        events=Recorder(api, host=settings.name),
        directory=Directory((server.hostname or "127.0.0.1", server.port or 443)),
        images=known_images,
        addresses=Addresses(),
        rng=random.Random(settings.name),  # noqa: S311
    )


async def _serve(options: argparse.Namespace) -> None:
    node = _node(options)
    node.hostpath.mkdir(parents=True, exist_ok=True)
    kubelet, stopped = Kubelet(node), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    proxy = EgressProxy(options.egress_socket, node.directory.resolve)
    proxy.start()
    logs = LogServer(kubelet)
    await logs.start(
        port=options.port, certificate=options.tls_cert, key=options.tls_key, client_authority=options.client_ca
    )
    tasks = _root_tasks(node, kubelet)
    try:
        await asyncio.wait([*tasks, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await _end(tasks)
        await kubelet.stop()
        await logs.stop()
        proxy.stop()
        await node.api.close()


def _root_tasks(node: Node, kubelet: Kubelet) -> list[asyncio.Task[None]]:
    async def report() -> None:
        await kubelet.register()
        await kubelet.beat()

    return [
        asyncio.create_task(report(), name="node"),
        asyncio.create_task(kubelet.watch_pods(), name="pods"),
        asyncio.create_task(kubelet.watch_services(), name="services"),
        asyncio.create_task(node.events.run(), name="events"),
    ]


async def _end(tasks: t.Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    """Run until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    asyncio.run(_serve(_arguments()))


if __name__ == "__main__":
    main()
