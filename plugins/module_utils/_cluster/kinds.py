# SPDX-License-Identifier: GPL-3.0-or-later
"""The API resources we use, by the names that URLs have. No discovery: three requests less, and no shared cache."""

from __future__ import annotations

import typing as t
from urllib.parse import quote


class Kind(t.NamedTuple):
    """One resource of one API version."""

    group_version: str  # "v1", "batch/v1"
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return self.group_version.partition("/")[0] if "/" in self.group_version else ""

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of something below it."""
        parts = ["apis" if "/" in self.group_version else "api", self.group_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(parts)

    def described(self, namespace: str = "", name: str = "") -> str:
        """How messages name it: ``cronjobs longhorn-system/test-c``."""
        where = f"{namespace}/{name}" if namespace and name else namespace or name
        return f"{self.plural} {where}".strip()


NAMESPACES = Kind("v1", "namespaces", namespaced=False)
PODS = Kind("v1", "pods")
EVENTS = Kind("v1", "events")
EVENTS_V1 = Kind("events.k8s.io/v1", "events")
EVENTS_V1BETA1 = Kind("events.k8s.io/v1beta1", "events")
SECRETS = Kind("v1", "secrets")
SERVICES = Kind("v1", "services")
CONFIGMAPS = Kind("v1", "configmaps")
JOBS = Kind("batch/v1", "jobs")
CRONJOBS = Kind("batch/v1", "cronjobs")
CRONJOBS_V1BETA1 = Kind("batch/v1beta1", "cronjobs")  # the only one before Kubernetes 1.21
DEPLOYMENTS = Kind("apps/v1", "deployments")
ACCESS_REVIEWS = Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)


def _admission(plural: str, *versions: str) -> tuple[Kind, ...]:
    return tuple(Kind(f"admissionregistration.k8s.io/{version}", plural, namespaced=False) for version in versions)


# What can refuse a deletion, each by the versions it may be served in; a binding goes before what it binds. v1alpha1
# has no validationActions in Kubernetes 1.26, and insists on them in 1.27: there a webhook does as well.
REFUSING: tuple[tuple[Kind, ...], ...] = (
    _admission("validatingadmissionpolicybindings", "v1", "v1beta1"),
    _admission("validatingadmissionpolicies", "v1", "v1beta1"),
    _admission("validatingwebhookconfigurations", "v1"),
)


def longhorn(plural: str, version: str = "v1beta1") -> Kind:
    """A kind of Longhorn's own group; ``v1beta1`` up to release 1.2, ``v1beta2`` since."""
    return Kind(f"longhorn.io/{version}", plural)


VOLUMES = longhorn("volumes")
ENGINES = longhorn("engines")

# What is looked at to see what happens, each by the versions it may be served in, the newest first.
OBSERVED: tuple[tuple[Kind, ...], ...] = (
    (CRONJOBS, CRONJOBS_V1BETA1),
    (JOBS,),
    (PODS,),
    (EVENTS,),
    (longhorn("engines", "v1beta2"), ENGINES),
    (longhorn("volumes", "v1beta2"), VOLUMES),
)
# What only some releases have, and is looked at where it is: recurring jobs and backups since 1.2, snapshots since 1.3.
OBSERVED_LATER: tuple[tuple[Kind, ...], ...] = tuple(
    (longhorn(plural, "v1beta2"), longhorn(plural)) for plural in ("recurringjobs", "snapshots", "backups")
)
