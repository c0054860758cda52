# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's way to its volume in 1.0.1 and 1.1: the manager's REST API."""

from __future__ import annotations

import http.client
import json
import random
import typing as t
import urllib.parse
from pathlib import Path

from longhorn_qa_lab.longhorn.jobs import Backup, JobError, Progress, Snapshot
from longhorn_qa_lab.tunnel import connect_http


class Missing(JobError):
    """The manager knows no such thing."""


class Client:
    """Requests to the manager; its errors are those of the Go client."""

    def __init__(self, url: str, *, egress: Path | None, rng: random.Random, timeout: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._egress = egress
        self._rng = rng
        self._timeout = timeout
        self._request("GET", self._url)

    def get(self, path: str) -> dict[str, t.Any]:
        return self._request("GET", f"{self._url}/{path}")

    def post(self, path: str, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return self._request("POST", f"{self._url}/{path}", body)

    def _request(self, method: str, url: str, body: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
        parts = urllib.parse.urlsplit(url)
        connection = None
        try:
            connection = connect_http(url, socket_path=self._egress, timeout=self._timeout)
            connection.request(
                method,
                f"{parts.path}?{parts.query}" if parts.query else parts.path,
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json", "User-Agent": "Go-http-client/1.1"},
            )
            answer = connection.getresponse()
            status, reason, text = answer.status, answer.reason, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise JobError(f'{method.title()} "{url}": {error}') from error
        finally:
            if connection is not None:
                connection.close()
        if status >= 400:
            problem = Missing if status == 404 else JobError
            raise problem(bad_response(status, reason, text.decode(errors="replace"), url, self._rng))
        return t.cast("dict[str, t.Any]", json.loads(text)) if text else {}


class ApiVolume:
    """Implements jobs.Volume; the manager logs, this process hardly does."""

    def __init__(
        self, *, volume: str, url: str, egress: Path | None, rng: random.Random, timeout: float = 10.0
    ) -> None:
        self._volume = volume
        self._client = Client(url, egress=egress, rng=rng, timeout=timeout)
        self._client.get(f"volumes/{volume}")

    def has_new_data(self, *, since_backup: bool) -> bool:
        head = self._action("snapshotGet", {"name": "volume-head"})
        if int(head["size"]) > 0:
            return True
        return since_backup and head["parent"] not in ("", self._last_backed_up())

    def _last_backed_up(self) -> str:
        last = self._client.get(f"volumes/{self._volume}")["lastBackup"]
        if not last:
            return ""
        found = self._client.post(f"backupvolumes/{self._volume}?action=backupGet", {"name": last})
        return str(found["snapshotName"])

    def create_snapshot(self, name: str, labels: t.Mapping[str, str]) -> None:
        self._action("snapshotCreate", {"name": name, "labels": dict(labels)})

    def snapshots(self) -> list[Snapshot]:
        return [
            Snapshot(
                name=item["name"],
                created=item["created"],
                labels=item["labels"] or {},
                removed=item["removed"],
                usercreated=item["usercreated"],
            )
            for item in self._action("snapshotList", {})["data"]
        ]

    def delete_snapshot(self, name: str) -> None:
        self._action("snapshotDelete", {"name": name})

    def start_purge(self) -> None:
        self._action("snapshotPurge", {})

    def is_purging(self) -> bool:
        status = self._client.get(f"volumes/{self._volume}")["purgeStatus"] or []
        return any(entry["isPurging"] for entry in status)

    def start_backup(self, snapshot: str, labels: t.Mapping[str, str]) -> None:
        self._action("snapshotBackup", {"name": snapshot, "labels": dict(labels)})

    def backup_progress(self, snapshot: str) -> Progress | None:
        for entry in self._client.get(f"volumes/{self._volume}")["backupStatus"] or []:
            if entry["snapshot"] == snapshot:
                return Progress(
                    name=entry["id"],
                    url=entry["backupURL"],
                    state=entry["state"],
                    progress=entry["progress"],
                    error=entry["error"],
                )
        return None

    def backups(self) -> list[Backup]:
        self._client.get(f"backupvolumes/{self._volume}")
        return [
            Backup(name=item["name"], url=item["url"], created=item["created"], labels=item["labels"] or {})
            for item in self._client.post(f"backupvolumes/{self._volume}?action=backupList", {})["data"]
        ]

    def delete_backup(self, backup: Backup) -> None:
        self._client.post(f"backupvolumes/{self._volume}?action=backupDelete", {"name": backup.name})

    def cleaned_up_as(self, backup: Backup) -> str:
        return backup.name

    def finish_backup(self) -> None:
        """The manager looks after the last backup itself."""

    def leave_backup(self) -> None:
        raise JobError("only jobs that drive the engine themselves can do that")

    def _action(self, action: str, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return self._client.post(f"volumes/{self._volume}?action={action}", body)


def bad_response(status: int, reason: str, body: str, url: str, rng: random.Random) -> str:
    """The Go client's error. It prints a map, so its parts begin anywhere in their cycle."""
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if isinstance(fields, dict):
        parts = [f"{key}={fields[key]}" for key in ("code", "detail", "message") if key in fields]
        first = rng.randrange(len(parts)) if parts else 0
        body = ", ".join(parts[first:] + parts[:first])
    return f"Bad response statusCode [{status}]. Status [{status} {reason}]. Body: [{body}] from [{url}]"
