# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of Longhorn's API, by what is served."""

from __future__ import annotations

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.shape import Shape

OLDEST = {"volumes", "engines", "settings"}
SHAPES = {
    "1.1": Shape("v1beta1", frozenset(OLDEST)),
    "1.2": Shape("v1beta1", frozenset(OLDEST | {"recurringjobs", "backups", "backuptargets"})),
    "1.4": Shape("v1beta2", frozenset(OLDEST | {"recurringjobs", "backups", "snapshots"})),
    "1.5": Shape("v1beta2", frozenset(OLDEST | {"recurringjobs", "backups", "snapshots", "volumeattachments"})),
}


@pytest.mark.parametrize(
    ("question", "since"),
    [
        pytest.param("job_objects", "1.2", id="recurring-jobs"),
        pytest.param("backup_objects", "1.2", id="backups"),
        pytest.param("snapshot_objects", "1.4", id="snapshots"),
        pytest.param("validated", "1.4", id="webhooks"),
        pytest.param("attachment_tickets", "1.5", id="tickets"),
    ],
)
def test_each_question_has_its_first_release(question: str, since: str) -> None:
    assert {release: getattr(shape, question) for release, shape in SHAPES.items()} == {
        release: release >= since for release in SHAPES
    }
