# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: ends with what was wanted, with what makes it impossible, or with what was seen last."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.longhorn.qa.plugins.module_utils._cluster import errors
from ansible_collections.longhorn.qa.plugins.module_utils._cluster.waiting import Backoff, Wanted, wait_for
from ansible_collections.longhorn.qa.plugins.module_utils._longhorn.progress import Progress, done, failed, pending

Clock = t.Any
WANTED = Wanted("Volume n/v", "state attached", timeout=10.0, interval=4.0)


def looks(*values: t.Any) -> t.Callable[[], t.Any]:
    """Reads one after the other; the last one again and again. Errors are raised."""
    given: Iterator[t.Any] = iter(values)
    last: list[t.Any] = []

    def read() -> t.Any:
        last[:] = [next(given, *last)] if last else [next(given)]
        if isinstance(last[0], Exception):
            raise last[0]
        return last[0]

    return read


def attached(state: str | None) -> Progress:
    if state == "attached":
        return done()
    return failed("state=faulted") if state == "faulted" else pending(f"state={state}")


def test_what_was_read_is_returned(clock: Clock) -> None:
    assert wait_for(looks(None, "attaching", "attached"), attached, wanted=WANTED, clock=clock) == "attached"
    assert clock.naps == [4.0, 4.0]


def test_a_terminal_state_ends_the_wait_at_once(clock: Clock) -> None:
    with pytest.raises(errors.TerminalState, match=r"Volume n/v.*expected state attached; seen state=faulted"):
        wait_for(looks("attaching", "faulted"), attached, wanted=WANTED, clock=clock)
    assert clock.elapsed == 4.0


def test_a_time_out_tells_what_was_seen_last_and_sleeps_not_beyond(clock: Clock) -> None:
    with pytest.raises(errors.WaitTimeout, match=r"seen state=attaching \(after 4 looks\); waited 10 s"):
        wait_for(looks("attaching"), attached, wanted=WANTED, clock=clock)
    assert clock.naps == [4.0, 4.0, 2.0]


def test_a_failing_api_is_waited_out(clock: Clock) -> None:
    away = errors.Unreachable("cannot be reached")
    assert wait_for(looks(away, "attached"), attached, wanted=WANTED, clock=clock) == "attached"


def test_a_time_out_while_the_api_fails_tells_the_error(clock: Clock) -> None:
    with pytest.raises(errors.WaitTimeout, match="cannot be reached") as caught:
        wait_for(looks(errors.Unreachable("cannot be reached")), attached, wanted=WANTED, clock=clock)
    assert isinstance(caught.value.__cause__, errors.Unreachable)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(errors.Forbidden("not granted"), id="missing permission"),
        pytest.param(errors.Unauthorized("expired"), id="refused credentials"),
        pytest.param(errors.BadInput("no"), id="an error that is not the API's"),
    ],
)
def test_what_does_not_mend_itself_is_not_waited_for(clock: Clock, error: Exception) -> None:
    with pytest.raises(type(error)):
        wait_for(looks(error), attached, wanted=WANTED, clock=clock)
    assert clock.naps == []


def test_back_off_grows_with_jitter_within_its_budget(clock: Clock) -> None:
    backoff = Backoff(clock=clock, first=1.0, longest=5.0, budget=30.0, jitter=lambda: 1.0)
    while backoff.pause():
        pass
    assert clock.naps == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    lazy = Backoff(clock=clock, first=1.0, jitter=lambda: 0.0)
    lazy.pause()
    assert clock.naps[-1] == 0.5


def test_back_off_obeys_the_server_and_forgets_after_success(clock: Clock) -> None:
    backoff = Backoff(clock=clock, first=1.0, budget=10.0, jitter=lambda: 1.0)
    assert backoff.pause(at_least=7.0)
    assert backoff.spent() == 7.0
    backoff.succeeded()
    assert backoff.spent() == 0.0
    assert backoff.pause()
    assert clock.naps == [7.0, 1.0]
