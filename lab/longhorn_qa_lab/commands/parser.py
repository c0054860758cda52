# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the command line, all in one place."""

from __future__ import annotations

import argparse

from longhorn_qa_lab import paths
from longhorn_qa_lab.commands import labs

RELEASES = ("2020-06", "v1.0.0", "v1.0.1")


def build() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="longhorn-qa", description="Longhorn test procedures and the lab they run in."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _lab(commands.add_parser("lab", help="start, watch and stop labs"))
    return parser


def _lab(lab: argparse.ArgumentParser) -> None:
    actions = lab.add_subparsers(dest="action", required=True, metavar="ACTION")
    up = actions.add_parser("up", help="start a lab and leave it running")
    _name(up)
    up.add_argument(
        "--longhorn", choices=(*RELEASES, "none"), default=RELEASES[-1], help="the Longhorn release to simulate"
    )
    up.add_argument("--poll-scale", type=_positive, default=0.2, help="factor on Longhorn's own poll intervals")
    up.add_argument("--cronjob-controller", choices=("v1", "v2"), default="v2", help="which of Kubernetes' two")
    up.add_argument("--port", type=_port, help="the API server's port (default: a free one)")
    up.set_defaults(run=labs.up, status_on_error=1)
    status = actions.add_parser("status", help="show one lab; exit status 0 only when it is up")
    _name(status)
    status.add_argument("--json", action="store_true", help="machine-readable")
    status.set_defaults(run=labs.status, status_on_error=1)
    logs = actions.add_parser("logs", help="print the logs of a lab's parts")
    _name(logs)
    logs.add_argument("part", nargs="?", help="one part only, for example kube-apiserver (default: all)")
    logs.add_argument(
        "--tail", type=_lines, default=20, metavar="LINES", help="lines of each part, 0 for all (default: 20)"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on printing what is added")
    logs.set_defaults(run=labs.logs, status_on_error=1)
    down = actions.add_parser("down", help="stop a lab and remove what it kept")
    _name(down)
    down.set_defaults(run=labs.down, status_on_error=1)
    listing = actions.add_parser("list", help="show all labs")
    listing.add_argument("--json", action="store_true", help="machine-readable")
    listing.set_defaults(run=labs.listing, status_on_error=1)


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default=paths.DEFAULT_NAME, help="the lab's name (default: default)")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and below 1000")
    return value


def _port(text: str) -> int:
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1024 to 65535")
    return int(text)


def _lines(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
    return int(text)
