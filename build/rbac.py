# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes rbac/*.yml and the table in docs/permissions.md from the table of permissions.

build/rbac.py           write them
build/rbac.py --check   fail when one of them is not what would be written
"""

from __future__ import annotations

import argparse
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import permissions  # noqa: E402
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.permissions import (  # noqa: E402
    Mode,
    Permission,
)

NAMESPACE = "longhorn-system"
API = "rbac.authorization.k8s.io"
LICENCE = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
GENERATED = "# Written by build/rbac.py from plugins/module_utils/_longhorn/permissions.py.\n"
TITLES: dict[Mode, str] = {
    "audit": "judge what a cluster still remembers (playbook longhorn.qa.audit); reads, and changes nothing",
    "run": "the whole procedure (playbooks longhorn.qa.best_effort_cleanup and longhorn.qa.teardown)",
    "report": "judge what was recorded (playbook longhorn.qa.rejudge); asks no cluster, so it may do nothing",
}


def manifests(mode: Mode) -> list[dict[str, t.Any]]:
    """The objects of one mode: an account, and what it may do in Longhorn's namespace and outside."""
    name = f"longhorn-qa-{mode}"
    rows = permissions.granted(mode)
    account: dict[str, t.Any] = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "automountServiceAccountToken": False,
    }
    inside = permissions.rules(row for row in rows if row.scope == "longhorn")
    outside = permissions.rules(row for row in rows if row.scope != "longhorn")
    role = {"apiVersion": f"{API}/v1", "kind": "Role", "metadata": {"name": name, "namespace": NAMESPACE}}
    cluster = {"apiVersion": f"{API}/v1", "kind": "ClusterRole", "metadata": {"name": f"{name}-store"}}
    found = [account]
    if inside:
        found += [{**role, "rules": inside}, binding("RoleBinding", "Role", name, account=name)]
    if outside:
        found += [
            {**cluster, "rules": outside},
            binding("ClusterRoleBinding", "ClusterRole", f"{name}-store", account=name),
        ]
    return found


def binding(kind: str, role: str, name: str, *, account: str) -> dict[str, t.Any]:
    metadata = {"name": name, **({"namespace": NAMESPACE} if kind == "RoleBinding" else {})}
    return {
        "apiVersion": f"{API}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": API, "kind": role, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
    }


def manifest(mode: Mode) -> str:
    """One file."""
    text = yaml.dump_all(manifests(mode), Dumper=_Indented, sort_keys=False, explicit_start=True, width=110)
    return f"{LICENCE}{GENERATED}# Rights to {TITLES[mode]}.\n{text}"


class _Indented(yaml.SafeDumper):
    """Lists stand under their key, further right."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:
        del data
        return True


def table() -> str:
    """The whole table for readers."""
    lines = [
        "<!-- SPDX-License-Identifier: GPL-3.0-or-later -->",
        "<!-- Written by build/rbac.py from plugins/module_utils/_longhorn/permissions.py. -->",
        "# Permissions",
        "",
        "`rbac/run.yml`, `rbac/audit.yml` and `rbac/report.yml` are made of this table, and so are the questions of",
        "the preflight. [security.md](security.md) tells how to use them.",
        "",
        "| verb | resource | where | mode | needed | to |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, permissions.PERMISSIONS)]) + "\n"


def _line(row: Permission) -> str:
    resource = f"{row.target}.{row.group}" if row.group else row.target
    where = {"longhorn": "Longhorn's namespace", "store": "the store's namespace", "cluster": "cluster"}[row.scope]
    only = f" ({', '.join(row.names)})" if row.names else ""
    needed = {
        "always": "always", "trigger": "with `trigger`", "store": "with a backup store",
        "own store": "when the run deploys the store or its proxy",
        "own namespace": "when the run makes the store's namespace",
        "admission": "with a fault of type admission", "proxy": "with a fault of type backup-store",
        "bucket": "with a fault of type bucket-policy",
        "refusing store": "with a fault of type backup-store, bucket-policy or object-lock",
    }[row.when]  # fmt: skip
    return f"| {row.verb} | {resource}{only} | {where} | {', '.join(row.modes)} | {needed} | {row.why} |"


def files() -> dict[Path, str]:
    """Everything that is written, by its place."""
    written = {ROOT / "rbac" / f"{mode}.yml": manifest(mode) for mode in permissions.MODES}
    return {**written, ROOT / "docs" / "permissions.md": table()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    outdated = [path for path, text in files().items() if not path.is_file() or path.read_text() != text]
    for path in outdated:
        if check:
            print(f"{path.relative_to(ROOT)} is not what the table says: run build/rbac.py")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files()[path])
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
