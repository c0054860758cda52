# SPDX-License-Identifier: GPL-3.0-or-later
"""Records a run: checks the options, then lets the recorder work until it is done, and tells what came of it."""

from __future__ import annotations

import signal
import threading
import typing as t
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import kinds
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.client import Client, connect
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.errors import BadInput, LonghornQAError
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.feed import SILENCE
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.history_dir import HistoryWriter, open_for_writing
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.kinds import Kind
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.longhorn import LonghornObjects
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.recorder import Outcome, Plan, Recorder
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import SYSTEM, Clock
from ansible_collections.longhorn.qa.plugins.module_utils._history import model
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.releases import release_of
from ansible_collections.longhorn.qa.plugins.module_utils._module import (
    cell_options,
    cron,
    readiness,
    release_option,
    store_options,
)
from ansible_collections.longhorn.qa.plugins.module_utils._module.play import Play

_LOOK = 1.0


def run(
    params: Mapping[str, t.Any], *, check_mode: bool, client: Client | None = None, clock: Clock = SYSTEM
) -> dict[str, t.Any]:
    """The module: one recording into ``history``."""
    plan = plan_of(params)
    if check_mode:
        return {"changed": False, "skipped": True, "msg": "Nothing is recorded in check mode."}
    client = client or connect(params)
    client.require_namespace(plan.subjects.namespace)
    readiness.refuse_unready(client, plan.subjects, trigger=plan.trigger)
    store = store_options.source(params.get("store"), client=client, namespace=plan.subjects.namespace)
    plan = replace(plan, subjects=_with_release(client, plan.subjects), later=_later(client))
    watched = (*plan.kinds, "logs", *(("store",) if store else ()))
    with open_for_writing(params["history"], plan.subjects, kinds=watched, clock=clock) as writer:
        recorder = Recorder(client, writer, plan, clock, store=store)
        with _signals(recorder):
            outcome = recorder.run()
        return _result(params["history"], writer, outcome)


def plan_of(params: Mapping[str, t.Any]) -> Plan:
    """The options as a plan, or BadInput."""
    cells = cell_options.stated(params["cells"], option="cells")
    if not cells:
        raise BadInput("there is nothing to record", subject="cells", expected="one cell or more", seen="none")
    _refuse_twice(cells)
    for name in ("invocations", "timeout", "progress_deadline"):
        if params.get(name, 1) < 1:
            raise BadInput("nothing would be recorded", subject=name, expected="1 or more", seen=str(params[name]))
    subjects = model.Subjects(
        release=release_option.stated(params),
        namespace=params["namespace"],
        run_id=params.get("run_id") or "",
        cells=cells,
        default_engine_faults=tuple(params.get("default_engine_faults") or ()),
    )
    plan = Plan(
        subjects,
        params["invocations"],
        float(params["timeout"]),
        trigger=bool(params.get("trigger")),
        silence=float(params.get("progress_deadline") or SILENCE),
    )
    _refuse_short(plan)
    return plan


def _refuse_twice(cells: tuple[model.Cell, ...]) -> None:
    """Each volume once; cells share a CronJob only as volumes of the same recurring job do."""
    for volume, times in Counter(cell.volume for cell in cells).items():
        if times > 1:
            raise BadInput("two cells share it", subject=f"volume {volume}", advice="Each cell needs its own.")
    for cronjob in {cell.cronjob for cell in cells}:
        jobs = {(cell.job, cell.task, cell.cron, cell.retain) for cell in cells if cell.cronjob == cronjob}
        if len(jobs) > 1:
            raise BadInput(
                "two cells share it, and differ in job, task, cron or retain", subject=f"cronjob {cronjob}",
                advice="Only volumes of one recurring job have a CronJob in common, and that since release 1.2.",
            )  # fmt: skip


def _with_release(client: Client, subjects: model.Subjects) -> model.Subjects:
    """The release that was stated, else the one that the manager's image names; none where there is no such image."""
    if subjects.release:
        return subjects
    try:
        image = LonghornObjects(client, subjects.namespace).manager_image()
    except LonghornQAError:  # plain CronJobs can be recorded, too
        return subjects
    release = release_of(image)
    return replace(subjects, release=release if release_option.known(release) else "")


def _later(client: Client) -> tuple[Kind, ...]:
    """Longhorn's kinds that this release has and older ones have not."""
    found = (client.served(*candidates) for candidates in kinds.OBSERVED_LATER)
    return tuple(kind for kind in found if kind is not None)


def _refuse_short(plan: Plan) -> None:
    """A deadline before the ticks that are waited for can only be missed."""
    for cell in plan.subjects.cells:
        if plan.trigger or not cell.cron:
            continue
        problems = cron.problems(cell.cron)
        if problems:
            raise BadInput(problems[0], subject=f"cell {cell.volume}", expected="a cron line, five fields")
        needed = cron.shortest_interval(cell.cron) * plan.invocations
        if timedelta(seconds=plan.timeout) < needed:
            raise BadInput(
                f"the deadline may come before tick {plan.invocations} of the schedule", subject=f"cell {cell.volume}",
                expected=f"timeout of {needed.total_seconds():.0f} s or more", seen=f"{plan.timeout:.0f} s",
                advice="Raise timeout, lower invocations, or set trigger.",
            )  # fmt: skip


@contextmanager
def _signals(recorder: Recorder) -> Iterator[None]:
    """A stopped play ends the recording cleanly; only the main thread may change what signals do."""
    ended = threading.Event()
    threading.Thread(target=_mind_the_play, args=(recorder, ended, Play()), daemon=True).start()
    main = threading.current_thread() is threading.main_thread()
    names = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if main else ()
    before = {name: signal.signal(name, lambda *_args: recorder.interrupt()) for name in names}
    try:
        yield
    finally:
        ended.set()
        for name, handler in before.items():
            signal.signal(name, handler)


def _mind_the_play(recorder: Recorder, ended: threading.Event, play: Play) -> None:
    while not ended.wait(_LOOK):
        if play.over():
            recorder.interrupt()
            return


def _result(history: str, writer: HistoryWriter, outcome: Outcome) -> dict[str, t.Any]:
    return {
        "changed": True,
        "history": history,
        "invocations": outcome.invocations,
        "records": writer.count,
        "gaps": writer.gaps,
        "ended": outcome.ended,
    }
