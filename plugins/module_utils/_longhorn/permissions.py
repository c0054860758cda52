# SPDX-License-Identifier: GPL-3.0-or-later
"""Every permission that anything of ours needs, once: rbac/ and the preflight's questions come from it.

There are three ways to use the collection. ``run`` does the whole procedure, ``audit`` looks at a cluster and changes
nothing, ``report`` judges what was recorded and asks no cluster. What every authenticated user may do anyway
(discovery, the version, asking about one's own permissions) is not listed.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn import versions

Mode = t.Literal["audit", "run", "report"]
Scope = t.Literal["longhorn", "store", "cluster"]
MODES: tuple[Mode, ...] = t.get_args(Mode)

# When a permission is needed, beyond the mode itself.
When = t.Literal[
    "always", "trigger", "store", "own store", "own namespace", "admission", "refusing store", "proxy", "bucket"
]
ALWAYS: When = "always"
TRIGGER: When = "trigger"  # invocations are started by hand
STORE: When = "store"  # there is a backup store whose content is compared
OWN_STORE: When = "own store"  # the run deploys the store, or a proxy in front of one
OWN_NAMESPACE: When = "own namespace"  # and makes a namespace for it
ADMISSION: When = "admission"  # the API server is told to refuse deletions
REFUSING_STORE: When = "refusing store"  # the store or a proxy in front of it is told to refuse them
PROXY: When = "proxy"  # it is a proxy
BUCKET: When = "bucket"  # it is the store itself


@dataclass(frozen=True)
class Permission:
    """One verb on one resource. ``scope``: Longhorn's namespace, the store's, or the whole cluster."""

    verb: str
    group: str
    resource: str
    modes: tuple[Mode, ...]
    why: str
    subresource: str = ""
    scope: Scope = "longhorn"
    when: When = ALWAYS
    names: tuple[str, ...] = ()  # only these objects; empty: all
    since: str = ""  # the first release that has this resource; empty: all have it

    @property
    def target(self) -> str:
        """The resource as a Role names it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def told(self, namespace: str = "") -> str:
        """For a message: what is missing, where, and what for."""
        resource = f"{self.target}.{self.group}" if self.group else self.target
        where = "" if self.scope == "cluster" else f" in {namespace or 'the namespace of the store'}"
        only = f" {', '.join(self.names)}" if self.names else ""
        return f"{self.verb} {resource}{only}{where} (to {self.why})"


_RUN: tuple[Mode, ...] = ("run",)
_AUDIT: tuple[Mode, ...] = ("audit",)
_BOTH: tuple[Mode, ...] = ("audit", "run")


def _each(verbs: str, resource: str, why: str, modes: tuple[Mode, ...], **more: t.Any) -> tuple[Permission, ...]:
    plural, _dot, group = resource.partition(".")
    name, _slash, subresource = plural.partition("/")
    return tuple(
        Permission(verb=verb, group=group, resource=name, subresource=subresource, modes=modes, why=why, **more)
        for verb in verbs.split()
    )


_MANAGER: dict[str, t.Any] = {"names": ("longhorn-backend:9500",)}
_STORE: dict[str, t.Any] = {"scope": "store", "when": OWN_STORE}

PERMISSIONS: tuple[Permission, ...] = (
    # -- what happened, and what is there
    *_each("get", "namespaces", "see that Longhorn's namespace exists", _BOTH),
    *_each("list", "cronjobs.batch", "find the recurring jobs' CronJobs", _BOTH),
    *_each("list", "jobs.batch", "see the invocations", _BOTH),
    *_each("list", "pods", "see the attempts", _BOTH),
    *_each("list", "events", "see what Kubernetes reported", _BOTH),
    *_each("list", "engines.longhorn.io", "see snapshots and backups as Longhorn has them", _BOTH),
    *_each("list", "volumes.longhorn.io", "find volumes and their recurring jobs", _BOTH),
    *_each("list", "recurringjobs.longhorn.io", "find recurring jobs and their volumes", _BOTH, since="v1.2.0"),
    *_each("list", "backups.longhorn.io", "see backups as Longhorn has them", _BOTH, since="v1.2.0"),
    *_each("list", "snapshots.longhorn.io", "see snapshots as Longhorn has them", _BOTH, since="v1.3.0"),
    *_each("list", "backuptargets.longhorn.io", "know the backup target", _BOTH, since="v1.2.0"),
    *_each("get", "pods/log", "read the logs of jobs, managers and engines", _BOTH),
    *_each("list", "settings.longhorn.io", "know the backup target and the default engine image", _BOTH),
    *_each("watch", "cronjobs.batch", "record when CronJobs change", _RUN),
    *_each("watch", "jobs.batch", "record invocations as they happen", _RUN),
    *_each("watch", "pods", "record attempts as they happen", _RUN),
    *_each("watch", "events", "record events before Kubernetes forgets them", _RUN),
    *_each("watch", "engines.longhorn.io", "record snapshots and backups as they come and go", _RUN),
    *_each("watch", "volumes.longhorn.io", "record volumes as they change", _RUN),
    *_each("watch", "recurringjobs.longhorn.io", "record how often recurring jobs ran", _RUN, since="v1.2.0"),
    *_each("watch", "backups.longhorn.io", "record backups as they come and go", _RUN, since="v1.2.0"),
    *_each("watch", "snapshots.longhorn.io", "record snapshots as they come and go", _RUN, since="v1.3.0"),
    # -- Longhorn
    *_each("get", "services/proxy", "read from Longhorn's manager", _RUN, **_MANAGER),
    *_each("create", "services/proxy", "make volumes, engine images and recurring jobs", _RUN, **_MANAGER),
    *_each("update", "services/proxy", "change Longhorn's settings", _RUN, **_MANAGER),
    *_each("delete", "services/proxy", "remove what the run made in Longhorn", _RUN, **_MANAGER),
    *_each("get", "settings.longhorn.io", "see that a setting has changed", _RUN),
    *_each("get", "volumes.longhorn.io", "wait until a volume is ready", _RUN),
    *_each("patch", "volumes.longhorn.io", "mark volumes as the run's", _RUN),
    *_each("get", "volumeattachments.longhorn.io", "see who wants a volume attached", _RUN, since="v1.5.0"),
    *_each("list", "replicas.longhorn.io", "see which nodes need a volume's engine image", _RUN),
    *_each("get", "engineimages.longhorn.io", "wait until an engine image is deployed", _RUN),
    *_each("list", "engineimages.longhorn.io", "find the run's engine images", _RUN),
    *_each("patch", "engineimages.longhorn.io", "mark engine images as the run's", _RUN),
    *_each("list", "nodes.longhorn.io", "find a node that is ready", _RUN),
    *_each("get", "recurringjobs.longhorn.io", "see a recurring job as it is", _RUN, since="v1.2.0"),
    *_each("create", "recurringjobs.longhorn.io", "make recurring jobs", _RUN, since="v1.2.0"),
    *_each("patch", "recurringjobs.longhorn.io", "change recurring jobs", _RUN, since="v1.2.0"),
    *_each("delete", "recurringjobs.longhorn.io", "remove the run's recurring jobs", _RUN, since="v1.2.0"),
    *_each("get", "backuptargets.longhorn.io", "see the backup target as it is", _RUN, since="v1.2.0"),
    *_each("create", "backuptargets.longhorn.io", "make backup targets", _RUN, since="v1.8.0"),
    *_each("patch", "backuptargets.longhorn.io", "change the backup target", _RUN, since="v1.8.0"),
    *_each("delete", "backuptargets.longhorn.io", "remove the run's backup targets", _RUN, since="v1.8.0"),
    *_each("list", "backupvolumes.longhorn.io", "see that no backup of the run is left", _RUN, since="v1.2.0"),
    *_each("get", "cronjobs.batch", "wait for a recurring job's CronJob", _RUN),
    *_each("get", "jobs.batch", "find a free name for a Job", _RUN, when=TRIGGER),
    *_each("create", "jobs.batch", "start invocations by hand", _RUN, when=TRIGGER),
    # -- the run's own things in Longhorn's namespace
    *_each("get", "configmaps", "read the run's journal", _RUN),
    *_each("list", "configmaps", "see that no other run is open", _RUN),
    *_each("create", "configmaps", "write the run's journal", _RUN),
    *_each("update", "configmaps", "note a setting in the run's journal", _RUN),
    *_each("delete", "configmaps", "remove the run's journal", _RUN),
    *_each("get", "secrets", "sign requests to the backup store", _BOTH, when=STORE),
    *_each("list", "secrets", "see that no Secret of the run is left", _RUN),
    *_each("list", "services", "see that no Service of the run is left", _RUN),
    *_each("list", "deployments.apps", "see that no Deployment of the run is left", _RUN),
    *_each("create", "secrets", "hand the store's credentials to Longhorn", _RUN, when=OWN_STORE),
    *_each("patch", "secrets", "renew the store's credentials", _RUN, when=OWN_STORE),
    *_each("delete", "secrets", "remove the store's credentials", _RUN, when=OWN_STORE),
    # -- what makes deletions fail
    *(
        one
        for plural in (
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        )
        for one in _each(
            "get list create patch delete",
            f"{plural}.admissionregistration.k8s.io",
            "have deletions refused, and then no more",
            _RUN,
            scope="cluster",
            when=ADMISSION,
            since="v1.2.0",
        )
    ),
    *_each("update", "services/proxy", "tell the store what to refuse", _RUN, scope="store", when=REFUSING_STORE),
    *_each("create", "configmaps", "deploy the store's proxy", _RUN, scope="store", when=PROXY),
    *_each("patch", "configmaps", "renew the store's proxy", _RUN, scope="store", when=PROXY),
    *_each("delete", "configmaps", "remove the store's proxy", _RUN, scope="store", when=PROXY),
    *_each("delete", "services/proxy", "let a store inside the cluster forget that", _RUN, scope="store", when=BUCKET),
    # -- the backup store
    *_each("get", "services", "find out whether the store runs in the cluster", _BOTH, scope="store", when=STORE),
    *_each("get", "services/proxy", "list a store inside the cluster", _BOTH, scope="store", when=STORE),
    *_each("list", "services", "see that no Service of the store is left", _RUN, **_STORE),
    *_each("create", "services", "deploy the store", _RUN, **_STORE),
    *_each("patch", "services", "renew the store", _RUN, **_STORE),
    *_each("delete", "services", "remove a store that shares its namespace", _RUN, **_STORE),
    *_each("get", "deployments.apps", "wait until the store answers", _RUN, **_STORE),
    *_each("list", "deployments.apps", "see that no Deployment of the store is left", _RUN, **_STORE),
    *_each("create", "deployments.apps", "deploy the store", _RUN, **_STORE),
    *_each("patch", "deployments.apps", "renew the store", _RUN, **_STORE),
    *_each("delete", "deployments.apps", "remove a store that shares its namespace", _RUN, **_STORE),
    *_each("get", "secrets", "compare the store's credentials", _RUN, **_STORE),
    *_each("list", "secrets", "see that no Secret of the store is left", _RUN, **_STORE),
    *_each("create", "secrets", "give the store its credentials", _RUN, **_STORE),
    *_each("patch", "secrets", "renew the store's credentials", _RUN, **_STORE),
    *_each("get", "namespaces", "see whether the store's namespace exists", _RUN, scope="cluster", when=OWN_NAMESPACE),
    *_each("create", "namespaces", "make the store's namespace", _RUN, scope="cluster", when=OWN_NAMESPACE),
    *_each("patch", "namespaces", "mark the store's namespace as the run's", _RUN, scope="cluster", when=OWN_NAMESPACE),
    *_each("delete", "namespaces", "remove the store's namespace", _RUN, scope="cluster", when=OWN_NAMESPACE),
)


def granted(mode: Mode) -> tuple[Permission, ...]:
    """What a mode's roles give, in the order of the table."""
    return tuple(one for one in PERMISSIONS if mode in one.modes)


def needed(mode: Mode, *circumstances: When, release: str = "") -> tuple[Permission, ...]:
    """What a mode needs under these circumstances, on a release or, without one, on any."""
    rows = (one for one in granted(mode) if one.when in (ALWAYS, *circumstances))
    return tuple(one for one in rows if not (one.since and release) or versions.between(release, one.since))


def rules(rows: Iterable[Permission]) -> list[dict[str, t.Any]]:
    """The rows as a Role's rules: resources with the same verbs in one rule."""
    verbs: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for row in rows:
        known = verbs.setdefault((row.group, row.target, row.names), [])
        if row.verb not in known:
            known.append(row.verb)
    merged: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (group, target, names), said in verbs.items():
        merged.setdefault((group, names, tuple(sorted(said))), []).append(target)
    return [
        {
            "apiGroups": [group],
            "resources": sorted(resources),
            **({"resourceNames": list(names)} if names else {}),
            "verbs": list(said),
        }
        for (group, names, said), resources in merged.items()
    ]
