# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills up while something is recorded, by the operating system's own refusal to let a file grow."""

from __future__ import annotations

import resource
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import history_dir
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

SUBJECTS = model.Subjects(release="2020-06", namespace="n")
ENOUGH = 64 * 1024


@contextmanager
def files_stay_below(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def a_record(writer: history_dir.HistoryWriter) -> None:
    writer.note("x" * ENOUGH)
    writer.note("x")


def a_log(writer: history_dir.HistoryWriter) -> None:
    log = writer.log_file(writer.log_opened("uid", "pod", "c", 0))
    try:
        log.append(b"x" * ENOUGH)
        log.append(b"x")
    finally:
        log.close()


def the_end(writer: history_dir.HistoryWriter) -> None:
    with files_stay_below(16):
        writer.end("deadline")


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(a_record, id="a record"),
        pytest.param(a_log, id="a log"),
        pytest.param(the_end, id="the manifest"),
    ],
)
def test_a_disk_that_is_full_is_told_and_what_was_written_stays_readable(
    tmp_path: Path, write: Callable[[history_dir.HistoryWriter], t.Any]
) -> None:
    with history_dir.open_for_writing(tmp_path / "h", SUBJECTS) as writer:
        writer.note("before")
        with files_stay_below(ENOUGH), pytest.raises(LonghornQAError, match="Check free space and permissions") as told:
            write(writer)
    assert str(tmp_path / "h") in told.value.subject
    found = history_dir.read_history(tmp_path / "h")
    assert "before" in [record.text for record in found.records if isinstance(record, model.Note)]


def test_a_recording_that_cannot_begin_is_told(tmp_path: Path) -> None:
    with files_stay_below(0), pytest.raises(LonghornQAError, match="Check free space and permissions"):
        history_dir.open_for_writing(tmp_path / "h", SUBJECTS)
