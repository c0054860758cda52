# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's S3 server: moto's, started the way a MinIO container is.

Two command lines are known: ``minio server …`` and ``sh -c "mkdir -p /FOLDER/BUCKET && exec minio server …"``. Buckets
are the folders that are made below the served folder, which is how MinIO sees them. Whoever has the keys of the root is
above the bucket's policy, as there; any other keys are those of a user whom it holds for.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import typing as t

_DEFAULT_PORT: t.Final = 9000


def buckets(arguments: t.Sequence[str]) -> tuple[str, ...]:
    """Names of the buckets a command line makes."""
    found = []
    for folders in re.findall(r"mkdir\s+(?:-p\s+)?([^&;|]+)", " ".join(arguments)):
        found += [word.rstrip("/").rpartition("/")[2] for word in folders.split() if word.strip("/").count("/")]
    return tuple(found)


def container_port(arguments: t.Sequence[str]) -> int:
    """The port the command line asks for."""
    found = re.search(r"--address[ =]\S*:(\d+)", " ".join(arguments))
    return int(found[1]) if found else _DEFAULT_PORT


def real_port(arguments: t.Sequence[str], environment: t.Mapping[str, str]) -> int:
    """The local port that stands for it."""
    ports = json.loads(environment["LAB_PORTS"])
    wanted = str(container_port(arguments))
    if wanted not in ports:
        raise SystemExit(f"the pod does not declare container port {wanted}; it declares {', '.join(ports) or 'none'}")
    return int(ports[wanted])


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Serve until SIGTERM."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    port = real_port(words, os.environ)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    # Services have dots in their names; moto would take the first part for a bucket.
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    put_above_policies(os.environ.get("MINIO_ROOT_USER", ""))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    # Before the port opens, because an open port is what the pod's readiness is.
    create(buckets(words))
    server.start()
    print(f"API: http://127.0.0.1:{container_port(words)}", flush=True)
    stopping.wait()
    server.stop()
    return 0


def put_above_policies(root: str) -> None:
    """Let no policy of a bucket hold for requests that are signed with this access key."""
    from flask import request
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    decided = FakeBucket.get_permission

    def permission(bucket: FakeBucket, action: str, resource: str) -> t.Any:
        header = request.headers.get("Authorization", "").partition("Credential=")[2]
        key = (request.args.get("X-Amz-Credential") or header).partition("/")[0]
        return PermissionResult.NEUTRAL if root and key == root else decided(bucket, action, resource)

    FakeBucket.get_permission = permission


def create(wanted: t.Sequence[str]) -> None:
    """Make buckets in this process's own store; a bucket that is there stays."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in wanted:
        backend.create_bucket(name, "us-east-1")
        print(f"bucket {name} created", flush=True)


if __name__ == "__main__":
    sys.exit(main())
