# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the command line, all in one place."""

from __future__ import annotations

import argparse
import json
import os
import sys
import typing as t
from pathlib import Path

from longhorn_qa_lab import paths
from longhorn_qa_lab.commands import judging, labs, scenario
from longhorn_qa_lab.longhorn import releases
from longhorn_qa_lab.longhorn.bugs import BUGS
from longhorn_qa_lab.stub import command as stub
from longhorn_qa_lab.verdicts import BROKEN, STATUS, announce

RELEASES = tuple(releases.RELEASES)
TASKS = (
    "snapshot",
    "backup",
    "snapshot-force-create",
    "backup-force-create",
    "snapshot-delete",
    "snapshot-cleanup",
    "filesystem-trim",
)
FAULTS = (
    "auto",
    "engine-image",
    "default-engine-image",
    "patched-engine-image",
    "backup-store",
    "bucket-policy",
    "admission",
    "disable-snapshot-purge",
)
_NONE = "none"
_ERROR = 1


class Parser(argparse.ArgumentParser):
    """argparse's own status for a wrong command line is 2, which here means an inconclusive run."""

    def error(self, message: str) -> t.NoReturn:
        self.print_usage(sys.stderr)
        if self.get_default("judges"):
            announce(BROKEN)
        self.exit(STATUS[BROKEN], f"{self.prog}: {message}\n")


def build() -> argparse.ArgumentParser:
    """The whole command line; `run` is the function that carries it out, `judges` whether it ends in a verdict."""
    parser = Parser(
        prog="longhorn-qa",
        description="Longhorn test procedures and the lab they run in.",
        epilog="Exit status of scenario, audit and rejudge: 0 pass, 1 fail, 2 inconclusive, 3 broken.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _scenario(commands.add_parser("scenario", help="run the whole procedure in a lab of its own"))
    _audit(commands.add_parser("audit", help="judge a folder of kubectl dumps and logs, or a live cluster"))
    _rejudge(commands.add_parser("rejudge", help="judge a saved history again"))
    _lab(commands.add_parser("lab", help="start, watch and stop labs"))
    _stub(commands.add_parser("stub", help="make an engine image that refuses some commands", description=stub.TITLE))
    return parser


def _scenario(parser: argparse.ArgumentParser) -> None:
    environment = os.environ.get
    parser.add_argument(
        "--longhorn",
        type=_release,
        metavar="RELEASE",
        default=environment("LONGHORN") or RELEASES[0],
        help=f"the Longhorn release to simulate: {', '.join(RELEASES)} (environment: LONGHORN; default: {RELEASES[0]})",
    )
    parser.add_argument(
        "--invocations",
        type=_count,
        metavar="N",
        default=environment("INVOCATIONS") or "3",
        help="invocations of each job (environment: INVOCATIONS; default: 3)",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        default=_is_set(environment("KEEP")),
        help="leave the lab and what the run made in place, also of one that failed (environment: KEEP=1)",
    )
    parser.add_argument("--trigger", action="store_true", help="start invocations by hand instead of waiting for ticks")
    parser.add_argument("--task", action="append", choices=TASKS, help="what the jobs do; may be given several times")
    parser.add_argument(
        "--effect",
        action="append",
        choices=("visible", "asynchronous", "none"),
        help="who sees deletions fail; may be given several times (default: what the procedure does on the release)",
    )
    parser.add_argument("--fault", choices=FAULTS, help="what makes deletions fail (default: what has the effect)")
    parser.add_argument("--variables", type=_json_file, metavar="FILE", help="more variables of the playbook, as JSON")
    parser.add_argument("--no-recovery", action="store_true", help="do not record an invocation without the fault")
    parser.add_argument(
        "--default-engine-image", metavar="IMAGE", help="one of the stubs, as Longhorn's default engine"
    )
    parser.add_argument("--name", default="scenario", help="the lab's name (default: scenario)")
    _lab_options(parser)
    _report(parser, kind=_unused_folder)
    parser.set_defaults(run=scenario.run, judges=True, status_on_error=STATUS[BROKEN])


def _audit(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("dump", nargs="?", type=Path, metavar="DUMP", help="the folder to judge")
    what.add_argument(
        "--live", action="store_true", help="judge what the cluster of K8S_AUTH_KUBECONFIG still remembers; read-only"
    )
    parser.add_argument("--longhorn", metavar="RELEASE", help="its Longhorn release, if it does not tell")
    parser.add_argument("--expect", type=Path, metavar="FILE", help="YAML file with key cells: what is expected where")
    _report(parser)
    parser.set_defaults(run=judging.audit, judges=True, status_on_error=STATUS[BROKEN])


def _rejudge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("history", type=Path, metavar="DIR", help="the history's folder")
    _report(parser)
    parser.set_defaults(run=judging.rejudge, judges=True, status_on_error=STATUS[BROKEN])


def _lab(lab: argparse.ArgumentParser) -> None:
    actions = lab.add_subparsers(dest="action", required=True, metavar="ACTION")
    up = _action(actions.add_parser("up", help="start a lab and leave it running"), labs.up)
    _name(up)
    up.add_argument(
        "--longhorn",
        choices=(*RELEASES, _NONE),
        default=RELEASES[0],
        help=f"the Longhorn release to simulate (default: {RELEASES[0]})",
    )
    up.add_argument(
        "--bug", action="append", default=[], choices=tuple(BUGS), metavar="BUG", help="a bug switch of every volume"
    )
    up.add_argument("--port", type=_port, help="the API server's port (default: a free one)")
    _lab_options(up)
    up.add_argument(
        "--requests", action="store_true", help="note who asks what of the API server, in logs/requests.jsonl"
    )
    kubeconfig = _action(
        actions.add_parser("kubeconfig", help="make a kubeconfig with the rights of a ServiceAccount"), labs.kubeconfig
    )
    _name(kubeconfig)
    kubeconfig.add_argument(
        "--service-account", type=_account, metavar="NAMESPACE/NAME", help="whose (default: the administrator's)"
    )
    kubeconfig.add_argument("--output", type=Path, metavar="FILE", help="where (default: in the lab's folder)")
    status = _action(actions.add_parser("status", help="show a lab; exit status 0 only when it is up"), labs.status)
    _name(status)
    status.add_argument("--json", action="store_true", help="machine-readable")
    logs = _action(actions.add_parser("logs", help="print the logs of a lab's parts"), labs.logs)
    _name(logs)
    logs.add_argument("part", nargs="?", help="one part only, for example kube-apiserver (default: all)")
    logs.add_argument(
        "--tail", type=_lines, default=20, metavar="LINES", help="lines of each part, 0: all (default: 20)"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on printing what is added")
    down = _action(actions.add_parser("down", help="stop a lab and remove what it kept"), labs.down)
    _name(down)
    down.add_argument("--all", action="store_true", help="all labs, also those that were left half-made")
    listing = _action(actions.add_parser("list", help="show all labs"), labs.listing)
    listing.add_argument("--json", action="store_true", help="machine-readable")


def _stub(parser: argparse.ArgumentParser) -> None:
    stub.add_options(parser)
    _action(parser, stub.run)


def _action(parser: argparse.ArgumentParser, run: t.Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser.set_defaults(run=run, judges=False, status_on_error=_ERROR)
    return parser


def _lab_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--poll-scale", type=_positive, default=0.2, help="factor on Longhorn's poll intervals (0.2)")
    parser.add_argument("--time-scale", type=_positive, default=1.0, help="factor on the kubelet's own delays (1)")
    parser.add_argument(
        "--cronjob-controller", choices=("v1", "v2"), default="v2", help="which of Kubernetes' two (v2)"
    )


def _report(parser: argparse.ArgumentParser, *, kind: t.Callable[[str], Path] | None = None) -> None:
    parser.add_argument(
        "--report", type=kind or _new_folder, metavar="DIR", help="the report's folder (default: under reports/)"
    )


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default=paths.DEFAULT_NAME, help="the lab's name (default: default)")


def _new_folder(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path


def _unused_folder(text: str) -> Path:
    path = _new_folder(text)
    if (path / "history").exists():
        raise argparse.ArgumentTypeError(f"{text!r} has the history of an earlier run; every run needs its own folder")
    return path


def _json_file(text: str) -> Path:
    path = Path(text)
    try:
        good = isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a readable JSON file: {error}") from error
    if not good:
        raise argparse.ArgumentTypeError(f"{text!r} does not hold a JSON object")
    return path


def _release(text: str) -> str:
    if text not in RELEASES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a release the lab knows: {', '.join(RELEASES)}")
    return text


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


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


def _account(text: str) -> tuple[str, str]:
    namespace, _slash, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME of a ServiceAccount")
    return namespace, name


def _lines(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
    return int(text)


def _is_set(text: str | None) -> bool:
    return (text or "").lower() not in ("", "0", "no", "false")
