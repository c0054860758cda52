# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of a run, and what roles need of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.longhorn.qa.plugins.module_utils._history.records import plain
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.cells import CellError, plan_cells
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.registry import in_registry

Document = dict[str, t.Any]
_USERS = (1, 2, 3)


def _cells(images: t.Any, *, run_id: str, cron: str, **options: t.Any) -> list[Document]:
    """One cell for each engine image and task."""
    registry = str(options.pop("registry", "") or "")
    try:
        moved = [{**image, "image": in_registry(str(image.get("image") or ""), registry)} for image in images]
        return [plain(cell) for cell in plan_cells(moved, run_id=run_id, cron=cron, **options)]
    except CellError as error:
        raise AnsibleFilterError(f"longhorn.qa.cells: {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise AnsibleFilterError(
            f"longhorn.qa.cells: expected a list of {{image, broken}} and the options tasks, run_id, cron: {error}"
        ) from error


def _volumes(cells: list[Document]) -> list[Document]:
    """What the role volume takes. A task that deletes snapshots of anybody's finds some there."""
    return [
        {
            "name": cell["volume"],
            "engine_image": cell["engine_image"],
            "snapshots": [f"{cell['volume']}-{n}" for n in _USERS] if cell["task"] == "snapshot-delete" else [],
        }
        for cell in cells
    ]


def _jobs(cells: list[Document]) -> list[Document]:
    """What the role recurring_job takes: each job once, with the volumes that share it."""
    found: dict[str, Document] = {}
    for cell in cells:
        same = {key: cell[key] for key in ("task", "cron", "retain")}
        job = found.setdefault(cell["cronjob"], {"name": cell["job"], "volumes": [], **same})
        job["volumes"].append(cell["volume"])
    return list(found.values())


def _faults(cells: list[Document]) -> list[Document]:
    """What the role fault takes. Where the volume's engine image is the fault, the role volume sees to it."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        for deletion in cell["faults"] or ():
            if cell["fault_type"] not in ("engine-image", "patched-engine-image", "default-engine-image"):
                found.setdefault((cell["fault_type"], deletion), []).append(cell["volume"])
    return [{"type": kind, "deletions": [deletion], "volumes": volumes} for (kind, deletion), volumes in found.items()]


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"cells": _cells, "cell_faults": _faults, "cell_jobs": _jobs, "cell_volumes": _volumes}
