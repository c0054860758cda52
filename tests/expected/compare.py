# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a scenario's report what lab.yml says? Usage: python compare.py SCENARIO REPORT_JSON; prints what differs.

Of a report with a second history, of the recovery after the fault, only the overall verdict is compared: the table is
about the first.

Jobs that were all made by hand have no ticks and no events of their CronJob, so those two checks may then be
``not_applicable`` where the table has another word.
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("lab.yml")
ONLY_BY_SCHEDULE = ("count-matches-schedule", "events-recorded")


def differences(scenario: str, report: dict[str, t.Any]) -> list[str]:
    """One line for each verdict that is not the expected one, and for each cell that is missing or too many."""
    expected = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["scenarios"][scenario]
    cells = {(c["engine_image"], c["task"]): c for c in report["runs"][0]["cells"]}
    wanted = {(c["image"], c["task"]): c["checks"] for c in expected["cells"]}
    found = [f"{image} x {task}: no such cell in the report" for image, task in wanted if (image, task) not in cells]
    found += [f"{image} x {task}: not in the table" for image, task in cells if (image, task) not in wanted]
    if report["verdict"] != expected["verdict"]:
        found.append(f"run: expected {expected['verdict']}, found {report['verdict']}")
    for key in sorted(wanted.keys() & cells.keys()):
        by_hand = all(item["by_hand"] for item in cells[key]["invocations"])
        for check in cells[key]["checks"]:
            entry = wanted[key][check["check"]]
            right = entry["verdict"]
            excused = by_hand and check["check"] in ONLY_BY_SCHEDULE and check["verdict"] == "not_applicable"
            if check["verdict"] not in (right, entry.get("or")) and not excused:
                where = f"{key[0].rpartition(':')[2]} x {key[1]}: {check['check']}"
                found.append(f"{where}: expected {right}, found {check['verdict']}: {check['summary']}")
    return found


if __name__ == "__main__":
    lines = differences(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    print("\n".join(lines) or "as expected")
    sys.exit(1 if lines else 0)
