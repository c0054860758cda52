# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier recording into the same history knew, so that the next one goes on instead of beginning again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ansible_collections.longhorn.qa.plugins.module_utils._cluster.tracker import Tracker
from ansible_collections.longhorn.qa.plugins.module_utils._history import model

LogKey = tuple[str, int]  # pod UID, attempt


@dataclass
class Earlier:
    """Read from the records that were there before."""

    began: datetime  # the server's clock when the first recording began
    stopped: datetime  # ours, at its last record
    finished_logs: set[LogKey] = field(default_factory=set)
    open_logs: dict[LogKey, model.Log] = field(default_factory=dict)
    jobs: list[tuple[model.ObjectSeen, bool]] = field(default_factory=list)  # with: is it baseline

    def teach(self, tracker: Tracker) -> None:
        """The invocations that were seen already count on."""
        for seen, baseline in self.jobs:
            tracker.job(seen.object, deleted=seen.change == "DELETED", baseline=baseline)


def earlier(history: model.History) -> Earlier | None:
    """The state at the end of the last recording but the one that has just begun; None if there was none."""
    starts = [item for item in history.records if isinstance(item, model.Start)]
    if len(starts) < 2:
        return None
    before = [item for item in history.records if item.number < starts[-1].number]
    offset = next((item.offset for item in before if isinstance(item, model.Clock)), 0.0)
    state = Earlier(began=starts[0].at + timedelta(seconds=offset), stopped=before[-1].at)
    listed = False
    for item in before:
        if isinstance(item, model.ListDone) and item.kind == "jobs":
            listed = True
        elif isinstance(item, model.ObjectSeen) and item.kind == "jobs":
            state.jobs.append((item, not listed))
        elif isinstance(item, model.Log):
            _note(state, item)
    return state


def _note(state: Earlier, item: model.Log) -> None:
    key = (item.pod_uid, item.attempt)
    if item.state == "opened":
        state.open_logs[key] = item
    elif item.complete:
        state.open_logs.pop(key, None)
        state.finished_logs.add(key)
