# SPDX-License-Identifier: GPL-3.0-or-later
"""Longhorn's manager, by its REST API, reached through the API server's service proxy.

Up to release 1.2 nothing else validates or completes what is written, and only this way works on every release, so
volumes, engine images and settings are changed here; objects are read as custom resources, which can be listed and
carry labels. No port is opened and no address of the cluster's network
is needed: whoever may use the service proxy may use this.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import http
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import (
    ApiFailure,
    Conflict,
    NotFound,
    Refused,
)
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.artefacts import (
    Backup,
    Snapshot,
    snapshots_told,
)

SERVICE = "longhorn-backend"
PORT = 9500
_NOBODY = re.compile(r"no endpoints available|error trying to reach service|connection refused|dial tcp", re.I)


class ManagerApi:
    """Longhorn's manager in one namespace. Writes are sent once; its refusals become ``Refused`` with its own words."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._proxy = client.service_proxy(namespace, SERVICE, PORT)

    def set_setting(self, name: str, value: str) -> None:
        """Sets a setting; the rest of it is sent back as it was read."""
        path, what = f"v1/settings/{quote(name)}", f"setting {name}"
        document = self._get(path, what)
        with self._told(what, "set"):
            self._proxy.put(path, {**document, "value": value})

    def create_engine_image(self, image: str) -> None:
        """Registers an engine image; its deployment is waited for elsewhere."""
        self._post("v1/engineimages", f"engine image {image}", {"image": image})

    def delete_engine_image(self, name: str) -> None:
        """Removes an engine image; refused while it is the default or in use."""
        self._delete(f"v1/engineimages/{quote(name)}", f"engine image {name}")

    def create_volume(self, body: Mapping[str, t.Any]) -> None:
        """Creates a volume with the default engine image, detached."""
        self._post("v1/volumes", f"volume {body['name']}", dict(body))

    def delete_volume(self, name: str) -> None:
        """Deletes a volume in whatever state."""
        self._delete(f"v1/volumes/{quote(name)}", f"volume {name}")

    def attach(self, name: str, *, node: str, disable_frontend: bool, ticket: str = "") -> None:
        """Asks for a volume's engine on a node; since 1.5 under the name of a ticket."""
        body = {"hostId": node, "disableFrontend": disable_frontend}
        self._action(name, "attach", {**body, "attachmentID": ticket} if ticket else body)

    def detach(self, name: str, *, ticket: str | None = None) -> None:
        """Asks for a volume's engine to stop; since 1.5 by taking a ticket back, whose name may be empty."""
        self._action(name, "detach", {} if ticket is None else {"attachmentID": ticket})

    def upgrade_engine(self, name: str, *, image: str) -> None:
        """Asks for a volume's engine to become one of another image."""
        self._action(name, "engineUpgrade", {"image": image})

    def snapshots(self, name: str) -> tuple[Snapshot, ...]:
        """An attached volume's snapshots; refused while no engine runs that could be asked."""
        with self._told(f"volume {name}", "list the snapshots of"):
            answer = self._proxy.post(f"v1/volumes/{quote(name)}", {}, {"action": "snapshotList"})
        return snapshots_told(name, {str(item.get("name", "")): item for item in answer.get("data") or ()})

    def create_snapshot(self, name: str, snapshot: str) -> None:
        """Takes a snapshot that is no recurring job's."""
        self._action(name, "snapshotCreate", {"name": snapshot})

    def update_recurring_jobs(self, name: str, jobs: list[Mapping[str, t.Any]]) -> None:
        """Replaces a volume's whole list of recurring jobs (releases 1.0 and 1.1)."""
        self._action(name, "recurringUpdate", {"jobs": jobs})

    def backup_target_error(self) -> str | None:
        """What is wrong with the backup target, in the manager's words; None when it can list what is stored there.

        Asked once, without tries: whoever waits for the target asks again.
        """
        what = f"the list of backup volumes of {self._namespace}"
        path = f"{self._proxy.prefix}/v1/backupvolumes"
        try:
            self._client.raw(http.Request("GET", path, what), retry=False).json(what)
        except ApiFailure as error:
            if error.status < 500:
                raise
            return error.seen
        return None

    def backup_volumes(self) -> tuple[str, ...]:
        """The names of the volumes that have backups."""
        answer = self._get("v1/backupvolumes", "the list of backup volumes")
        return tuple(str(item.get("name", "")) for item in answer.get("data") or ())

    def delete_backup_volume(self, name: str) -> None:
        """Deletes all backups of a volume, by the name of its backup volume; the store may take its time."""
        self._delete(f"v1/backupvolumes/{quote(name)}", f"backup volume {name}")

    def backups(self, volume: str) -> tuple[Backup, ...]:
        """A volume's backups; none when it never had one."""
        path = f"v1/backupvolumes/{quote(volume)}"
        try:
            with self._told(f"backups of volume {volume}", "list"):
                answer = self._proxy.post(path, {}, {"action": "backupList"})
        except NotFound:
            return ()
        return tuple(Backup.from_answer(item) for item in answer.get("data") or ())

    # -- inside

    def _get(self, path: str, what: str) -> Mapping[str, t.Any]:
        with self._told(what, "read"):
            return t.cast(Mapping[str, t.Any], self._proxy.get(path))

    def _post(self, path: str, what: str, body: Mapping[str, t.Any]) -> None:
        with self._told(what, "create"):
            self._proxy.post(path, body)

    def _delete(self, path: str, what: str) -> None:
        try:
            with self._told(what, "delete"):
                self._proxy.delete(path)
        except NotFound:
            return  # somebody was faster

    def _action(self, volume: str, action: str, body: Mapping[str, t.Any]) -> None:
        with self._told(f"volume {volume}", action):
            self._proxy.post(f"v1/volumes/{quote(volume)}", body, {"action": action})

    @contextmanager
    def _told(self, what: str, verb: str) -> Iterator[None]:
        """Failures in the terms of Longhorn: no manager there, no such object, refused and why."""
        try:
            yield
        except NotFound as error:
            if SERVICE in error.seen:
                raise self._absent(error) from error
            raise NotFound("does not exist", subject=what, seen=error.seen) from error
        except ApiFailure as error:
            if error.status >= 500 and _NOBODY.search(error.seen):
                raise self._not_ready(error) from error
            if error.status != 500:  # the manager's own is 500; others are of what stands between
                raise
            raise Refused(f"Longhorn's manager refused to {verb} it", subject=what, seen=error.seen) from error
        except (Refused, Conflict) as error:
            raise Refused(f"Longhorn's manager refused to {verb} it", subject=what, seen=error.seen) from error

    def _absent(self, error: NotFound) -> NotFound:
        return NotFound(
            "Longhorn's manager is not there",
            subject=f"service {self._namespace}/{SERVICE}",
            seen=error.seen,
            advice="Is Longhorn installed in this namespace? Set the option namespace if it is in another one.",
        )

    def _not_ready(self, error: ApiFailure) -> ApiFailure:
        return ApiFailure(
            "no longhorn-manager pod answers",
            subject=f"service {self._namespace}/{SERVICE}",
            seen=error.seen,
            status=error.status,
            advice="Look at the longhorn-manager pods: are they running and ready?",
        )
