# SPDX-License-Identifier: GPL-3.0-or-later
"""A pytest plugin that tries mutants: tests are collected once, and each mutant is tried in a fork of the session.

First all tests run on the code as it is, which tells which test runs which function, and that they pass. Then a mutant
is tried by the tests that run its function: first those that killed others of it, then the quickest. Limits are of CPU
time, so a busy machine stops no mutant.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import time
from collections import defaultdict
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

SLOWER = 10  # times as slow as the tests are on the code as it is
MORE_MEMORY = 1 << 30


class Trial:
    """Which tests run what, and which mutants are being tried."""

    def __init__(self, items: list[pytest.Item]) -> None:
        self.items = items
        self.seconds: list[float] = []
        self.tests: dict[str, list[int]] = defaultdict(list)  # by function: places in items, the best ones first
        self.running: dict[int, tuple[str, str, int]] = {}  # by process: function, key, where it tells the killer

    def run_as_it_is(self) -> None:
        set_mutant_under_test("stats")
        for place in range(len(self.items)):
            before = time.process_time()
            if not self._passes(place, self.items[place + 1] if place + 1 < len(self.items) else None):
                raise pytest.UsageError(f"{self.items[place].nodeid} fails on the code as it is")
            self.seconds.append(time.process_time() - before)
            for function in state()._stats:  # noqa: SLF001 - mutmut has no other way to ask
                self.tests[function].append(place)
            state()._stats.clear()  # noqa: SLF001
        if not self.tests:
            raise pytest.UsageError("no test runs any function that has mutants")
        for places in self.tests.values():
            places.sort(key=self.seconds.__getitem__)

    def start(self, name: str, key: str) -> None:
        reads, writes = os.pipe()
        function = name.rpartition("__mutmut_")[0]
        process = os.fork()
        if process:
            os.close(writes)
            self.running[process] = (function, key, reads)
            return
        status = 1
        try:
            self._limit()
            self._forget()
            set_mutant_under_test(name)
            killer = self._killer(self.tests[function])
            os.write(writes, b"" if killer is None else str(killer).encode())
            status = 0 if killer is None else 1
        finally:
            os._exit(status)

    def _limit(self) -> None:
        seconds = 2 + int(SLOWER * sum(self.seconds))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MORE_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

    def _forget(self) -> None:
        """What test modules have judged and kept was judged by the code as it is."""
        for module in {item.module for item in self.items if isinstance(item, pytest.Function)}:
            for value in vars(module).values():
                if getattr(value, "__module__", "") == module.__name__ and hasattr(value, "cache_clear"):
                    value.cache_clear()

    def _killer(self, places: list[int]) -> int | None:
        following = [*(self.items[place] for place in places[1:]), None]
        return next((p for p, after in zip(places, following, strict=True) if not self._passes(p, after)), None)

    def _passes(self, place: int, following: pytest.Item | None) -> bool:
        return all(report.passed for report in runtestprotocol(self.items[place], log=False, nextitem=following))

    def finish_one(self) -> dict[str, object]:
        process, status, used = os.wait4(-1, 0)
        function, key, reads = self.running.pop(process)
        with os.fdopen(reads) as pipe:
            killer = pipe.read()
        told: dict[str, object] = {"mutant": key, "seconds": round(used.ru_utime + used.ru_stime, 2)}
        if os.WIFSIGNALED(status):
            return {**told, "result": "stopped", "by": f"signal {os.WTERMSIG(status)}"}
        if not os.WEXITSTATUS(status):
            return {**told, "result": "alive"}
        places = self.tests[function]
        if killer:
            places.remove(int(killer))
            places.insert(0, int(killer))
        return {**told, "result": "killed", "by": self.items[int(killer)].nodeid if killer else "the end of the run"}


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    until = time.monotonic() + 60 * float(os.environ["MUTANTS_MINUTES"])
    children = int(os.environ["MUTANTS_CHILDREN"])
    trial = Trial(session.items)
    trial.run_as_it_is()
    gc.collect()
    gc.freeze()
    to_try: list[tuple[str, str]] = json.loads(Path("to-try.json").read_text())
    with Path("results.jsonl").open("a", encoding="utf-8") as results:
        while to_try or trial.running:
            if to_try and time.monotonic() > until:
                print("mutants: the time is over; the next call goes on from here")
                to_try = []
            elif to_try and len(trial.running) < children:
                name, key = to_try.pop(0)
                if trial.tests[name.rpartition("__mutmut_")[0]]:
                    trial.start(name, key)
                else:
                    results.write(json.dumps({"mutant": key, "result": "no test runs it"}) + "\n")
            elif trial.running:
                results.write(json.dumps(trial.finish_one()) + "\n")
                results.flush()
    return True
