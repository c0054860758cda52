# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that knows a script: a request outside it fails the test, and so does an answer nobody asked for.

It stands behind the real client, so that paths, queries, bodies and the reading of errors are tested as well.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import api as cluster_api
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.http import Connection

HOST = "https://api.example:6443"
NAMESPACE = "longhorn-system"
_NOISE = {"fieldManager", "limit"}  # parts of queries that no test is about

# What Longhorn's API serves, by the first release that does so.
_OLDEST = ("engineimages", "engines", "nodes", "replicas", "settings", "volumes")
_1_2 = (*_OLDEST, "backups", "backuptargets", "backupvolumes", "recurringjobs")
_1_3 = (*_1_2, "snapshots")
SHAPES = {
    "1.0": ("v1beta1", _OLDEST),
    "1.2": ("v1beta1", _1_2),
    "1.3": ("v1beta2", _1_3),
    "1.5": ("v1beta2", (*_1_3, "volumeattachments")),
}


class Answer(t.NamedTuple):
    """What the server says."""

    status: int
    body: t.Any


class _Response:
    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = {"date": "Mon, 23 Nov 2026 08:00:00 GMT"}
        self._body = json.dumps(answer.body).encode()

    def read(self) -> bytes:
        return self._body


class ScriptedClock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 8, tzinfo=timezone.utc)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class ScriptedApi:
    """Answers by request line; of several answers each is given once, and the last one again and again."""

    def __init__(self) -> None:
        self.clock = ScriptedClock()
        self.writes: list[tuple[str, t.Any]] = []
        self.version = "v1beta1"
        self._script: dict[str, list[Answer]] = {}
        self._given: dict[str, int] = {}
        self._optional: set[str] = set()
        self.client = cluster_api.Client(
            lambda: Connection(host=HOST, pool=self, headers={"authorization": "Bearer x"}),
            clock=self.clock,
        )

    # -- writing the script

    def on(self, line: str, *bodies: t.Any) -> None:
        """``line`` is method and path with query; None stands for "not found"."""
        missing = Answer(404, {"kind": "Status", "message": f"{line} not found", "code": 404})
        self._script[line] = [
            body if isinstance(body, Answer) else missing if body is None else Answer(200, body) for body in bodies
        ]

    def object(self, plural: str, name: str, *bodies: t.Any) -> None:
        """A custom resource of Longhorn's, as it is read time after time."""
        self.on(f"GET {self.path(plural)}/{name}", *bodies)

    def objects(self, plural: str, *items: t.Any) -> None:
        """All of a kind."""
        self.on(f"GET {self.path(plural)}", {"metadata": {"resourceVersion": "1"}, "items": list(items)})

    def manager(self, line: str, *bodies: t.Any) -> None:
        """A request to Longhorn's manager: ``POST v1/volumes``."""
        method, _space, path = line.partition(" ")
        self.on(f"{method} {self.proxy}/{path}", *(bodies or ({},)))

    def marks(self, plural: str, name: str) -> None:
        """The label of the run is put on an object."""
        self.on(f"PATCH {self.path(plural)}/{name}", {})

    def marks_maybe(self, plural: str, name: str) -> None:
        """As ``marks``, for a test that is not about whether it happens."""
        self.marks(plural, name)
        self._optional.add(f"PATCH {self.path(plural)}/{name}")

    def longhorn(self, *, shape: str = "1.0", default_image: str = "longhornio/longhorn-engine:v1.0.1") -> None:
        """There is a namespace, and Longhorn in it, with the API of this release and later ones."""
        self.version, plurals = SHAPES[shape]
        if self.version == "v1beta1":
            self.on("GET /apis/longhorn.io/v1beta2", None)
        self.on(f"GET /apis/longhorn.io/{self.version}", {"resources": [{"name": plural} for plural in plurals]})
        self.on(f"GET /api/v1/namespaces/{NAMESPACE}", {"metadata": {"name": NAMESPACE}})
        self.setting("default-engine-image", default_image)

    def setting(self, name: str, value: str) -> None:
        """One of Longhorn's settings."""
        self.object("settings", name, {"metadata": {"name": name}, "value": value})

    @staticmethod
    def refused(message: str, status: int = 500) -> Answer:
        """An error in the manager's shape."""
        return Answer(status, {"code": "Server Error", "detail": "", "message": message, "status": status})

    @staticmethod
    def status(code: int, message: str, *, causes: t.Any = ()) -> Answer:
        """An error in the API server's shape."""
        details = {"causes": list(causes)}
        return Answer(code, {"kind": "Status", "code": code, "message": message, "details": details})

    def path(self, plural: str) -> str:
        """Where objects of Longhorn's kinds, pods and CronJobs are."""
        group = {"pods": "/api/v1", "secrets": "/api/v1", "cronjobs": "/apis/batch/v1"}.get(plural)
        return f"{group or f'/apis/longhorn.io/{self.version}'}/namespaces/{NAMESPACE}/{plural}"

    @property
    def proxy(self) -> str:
        """Where the manager is."""
        return f"/api/v1/namespaces/{NAMESPACE}/services/longhorn-backend:9500/proxy"

    # -- being the server

    def request(self, method: str, url: str, *, body: bytes | None, **_options: t.Any) -> _Response:
        """What urllib3's pool is asked."""
        path, _mark, query = url.removeprefix(HOST).partition("?")
        kept = "&".join(part for part in query.split("&") if part and part.partition("=")[0] not in _NOISE)
        line = f"{method} {path}{'?' + kept if kept else ''}"
        document = json.loads(body) if body else None
        if line not in self._script:
            known = "\n  ".join(sorted(self._script))
            pytest.fail(f"unexpected request: {line}\nwith {document}\nexpected were\n  {known}")
        if method != "GET":
            self.writes.append((line.replace(self.proxy + "/", "manager "), document))
        if method == "POST" and self._taken(path, document):
            return _Response(self.status(409, f"{path} already exists"))
        answers, given = self._script[line], self._given.get(line, 0)
        self._given[line] = given + 1
        return _Response(answers[min(given, len(answers) - 1)])

    def _taken(self, path: str, document: t.Any) -> bool:
        """Whether there is such an object, when it was last asked for; a dry run is refused then too."""
        line = f"GET {path}/{((document or {}).get('metadata') or {}).get('name', '')}"
        answers, given = self._script.get(line, []), self._given.get(line, 0)
        return bool(answers and given) and answers[min(given, len(answers)) - 1].status < 400

    def unused(self) -> list[str]:
        """What the script holds and nobody asked for."""
        return [
            f"{line}: answer {given + 1} of {len(answers)}"
            for line, answers in self._script.items()
            if line not in self._optional and (given := self._given.get(line, 0)) < len(answers)
        ]


@pytest.fixture(name="api")
def _api() -> Iterator[ScriptedApi]:
    scripted = ScriptedApi()
    yield scripted
    assert scripted.unused() == []
