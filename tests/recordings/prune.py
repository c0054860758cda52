# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy what the tests need out of a full recording of a real Longhorn, and nothing else.

Usage: python prune.py SOURCE TARGET DUMP, where DUMP is the folder of ``kubectl get -o json`` lists to keep. Objects
keep every field but managedFields, in their order; watch streams become one event a line. Log files are copied byte by
byte, wrong ones included: what is wrong with them is what the tests are about.
"""

from __future__ import annotations

import json
import shutil
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

STREAMS = ("cronjobs", "jobs", "pods", "events", "engines.longhorn.io", "volumes.longhorn.io")
LISTS = (
    "k8s-cronjobs",
    "k8s-jobs",
    "k8s-pods",
    "k8s-events",
    "engines.longhorn.io",
    "volumes.longhorn.io",
)
PLAIN = ("s3.jsonl", "s3-final.json", "summary.json")
LOGS = ("logs/test-*.log", "logs/cri/*.log", "logs/_longhorn-manager-*.log", "logs/_instance-manager-e-*.log")


def main(source: Path, target: Path, dump: str) -> None:
    """Copy one recording."""
    for kind in STREAMS:
        events = [dump_line(item) for item in documents(source / f"watch-{kind}.json")]
        write(target / f"watch-{kind}.json", "".join(f"{line}\n" for line in events))
    for name in LISTS:
        (whole,) = documents(source / dump / f"{name}.json")
        write(target / "dump" / f"{name}.json", dump_line(whole) + "\n")
    for name in PLAIN:
        copy(source / name, target / name)
    for pattern in LOGS:
        for path in sorted(source.glob(pattern)):
            copy(path, target / path.relative_to(source))


def documents(path: Path) -> Iterator[t.Any]:
    """The JSON documents of a file, one after another, however they are separated."""
    text, decoder, start = path.read_text(encoding="utf-8"), json.JSONDecoder(), 0
    while (start := start + len(text[start:]) - len(text[start:].lstrip())) < len(text):
        document, start = decoder.raw_decode(text, start)
        yield document


def dump_line(document: t.Any) -> str:
    """One line of JSON without what nobody reads."""
    return json.dumps(without_managed_fields(document), separators=(",", ":"))


def without_managed_fields(value: t.Any) -> t.Any:
    """The document without the field that records who wrote which field."""
    if isinstance(value, dict):
        return {key: without_managed_fields(item) for key, item in value.items() if key != "managedFields"}
    if isinstance(value, list):
        return [without_managed_fields(item) for item in value]
    return value


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
