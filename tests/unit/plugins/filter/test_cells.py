# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that roles plan a run with."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.longhorn.qa.plugins.filter import cells as module

FILTERS = module.FilterModule().filters()
STUB = {"image": "quay.io/ttpcodes/longhorn-engine:no-cleanup", "broken": ["snapshot-delete", "backup-delete"]}
OPTIONS: dict[str, t.Any] = {"run_id": "a1", "cron": "*/3 * * * *"}


def test_a_cell_for_each_image_and_task_with_the_faults_its_task_meets() -> None:
    cells = FILTERS["cells"]([STUB], tasks=["snapshot", "backup"], **OPTIONS)

    assert [(cell["task"], cell["faults"]) for cell in cells] == [
        ("snapshot", ["snapshot-delete"]),
        ("backup", ["snapshot-delete", "backup-delete"]),
    ]
    assert all("a1" in cell["volume"] for cell in cells)


def test_the_registry_is_part_of_the_cells_engine_image() -> None:
    (cell,) = FILTERS["cells"]([STUB], tasks=["backup"], registry="r.example", **OPTIONS)

    assert cell["engine_image"] == "r.example/ttpcodes/longhorn-engine:no-cleanup"


def test_what_the_roles_take_names_the_same_volumes() -> None:
    cells = FILTERS["cells"]([STUB], tasks=["snapshot", "backup"], retain=2, **OPTIONS)

    volumes, jobs = FILTERS["cell_volumes"](cells), FILTERS["cell_jobs"](cells)

    assert [volume["name"] for volume in volumes] == [c["volume"] for c in cells]
    assert [job["volumes"] for job in jobs] == [[c["volume"]] for c in cells]
    assert {volume["engine_image"] for volume in volumes} == {STUB["image"]}
    assert [(job["name"], job["task"], job["cron"], job["retain"]) for job in jobs] == [
        (cell["job"], cell["task"], "*/3 * * * *", 2) for cell in cells
    ]


def cell(volume: str, job: str, *faults: str, fault_type: str = "admission") -> dict[str, t.Any]:
    common = {"task": "backup", "cron": "* * * * *", "retain": 1, "engine_image": ""}
    return {"volume": volume, "job": job, "cronjob": job, "faults": list(faults), "fault_type": fault_type, **common}


def test_volumes_that_share_a_job_are_named_in_it_once() -> None:
    jobs = FILTERS["cell_jobs"]([cell("a", "j"), cell("b", "j"), cell("c", "k")])
    assert [(job["name"], job["volumes"]) for job in jobs] == [("j", ["a", "b"]), ("k", ["c"])]


def test_each_kind_of_fault_names_the_volumes_that_have_it() -> None:
    cells = [
        cell("a", "j", "snapshot-delete"), cell("b", "j"), cell("c", "k", "snapshot-delete", "backup-delete"),
        cell("d", "l", "backup-delete", fault_type="backup-store"),
        cell("e", "m", "snapshot-delete", fault_type="engine-image"),
    ]  # fmt: skip
    assert FILTERS["cell_faults"](cells) == [
        {"type": "admission", "deletions": ["snapshot-delete"], "volumes": ["a", "c"]},
        {"type": "admission", "deletions": ["backup-delete"], "volumes": ["c"]},
        {"type": "backup-store", "deletions": ["backup-delete"], "volumes": ["d"]},
    ]


@pytest.mark.parametrize(
    ("images", "options", "told"),
    [
        pytest.param([STUB], {"tasks": ["trim"]}, "'trim' is unknown", id="unknown task"),
        pytest.param([{"image": "A B"}], {"tasks": ["backup"]}, "malformed", id="malformed image"),
        pytest.param([], {"tasks": ["backup"]}, "no engine image", id="no image"),
        pytest.param(["text"], {"tasks": ["backup"]}, "expected a list of {image, broken}", id="an image that is text"),
        pytest.param([STUB], {}, "tasks", id="tasks missing"),
        pytest.param([STUB], {"tasks": ["backup"], "retain": 0}, "at least 1", id="retain 0"),
    ],
)
def test_bad_input_is_one_sentence(images: list[t.Any], options: dict[str, t.Any], told: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"longhorn\.qa\.cells: ") as failure:
        FILTERS["cells"](images, **OPTIONS, **options)

    assert told in str(failure.value)
