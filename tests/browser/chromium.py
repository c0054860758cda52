# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, spoken to over a pipe in its own DevTools protocol: no driver, no port, no package."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
SECONDS = 30.0

Message = dict[str, t.Any]


class PageError(AssertionError):
    """What the page or the browser complained about."""


class Browser:
    """One process, one pipe; answers are told apart by number, events are kept in order."""

    def __init__(self, program: Path, profile: Path) -> None:
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        self.events: list[Message] = []
        self._pending = b""
        self._number = 0

        def place_pipes() -> None:
            spare = [os.dup(commands), os.dup(answers)]  # one of them may be 3 or 4 itself
            os.dup2(spare[0], 3)
            os.dup2(spare[1], 4)

        self._process = subprocess.Popen(
            [str(program), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            pass_fds=(),
            preexec_fn=place_pipes,
            start_new_session=True,
            env={**os.environ, "HOME": str(profile), "XDG_CACHE_HOME": str(profile / "cache"), "TZ": "UTC"},
        )
        os.close(commands)
        os.close(answers)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def send(self, method: str, *, session: str = "", seconds: float = SECONDS, **params: t.Any) -> Message:
        """The command's result, or its error."""
        self._number += 1
        number = self._number
        message: Message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']}")
                return t.cast(Message, answer["result"])
            if "method" in answer:
                self.events.append(answer)

    def _receive(self, deadline: float) -> Message:
        while b"\0" not in self._pending:
            ready, _write, _error = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise PageError("the browser did not answer in time")
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise PageError(f"the browser ended with status {self._process.wait()}")
            self._pending += chunk
        raw, _zero, self._pending = self._pending.partition(b"\0")
        return t.cast(Message, json.loads(raw))


class Page:
    """One page of the browser, as a person at a keyboard and a mouse has it."""

    def __init__(self, browser: Browser, *, width: int, height: int, dark: bool = False) -> None:
        self._browser = browser
        target = browser.send("Target.createTarget", url="about:blank", width=width, height=height)["targetId"]
        self._target = target
        self._session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=scheme)
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def send(self, method: str, **params: t.Any) -> Message:
        return self._browser.send(method, session=self._session, **params)

    def open(self, path: Path, fragment: str = "") -> None:
        """Loads a file and waits until its program has run."""
        self.send("Page.navigate", url=path.absolute().as_uri() + fragment)
        self.wait("document.readyState === 'complete' && document.documentElement.dataset.ready === '1'")
        self.settle()

    def settle(self) -> None:
        """Until every row that is there has its marks, and two frames have passed."""
        self.wait("[...document.querySelectorAll('.row')].every((row) => row.dataset.ready === '1')")
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, expression: str, seconds: float = SECONDS) -> t.Any:
        """An expression's value; a promise's too."""
        answer = self._browser.send(
            "Runtime.evaluate", session=self._session, seconds=seconds,
            expression=expression, awaitPromise=True, returnByValue=True,
        )  # fmt: skip
        if "exceptionDetails" in answer:
            raise PageError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = SECONDS) -> None:
        """Until the expression is true; polled by the browser's own frames."""
        deadline = time.monotonic() + seconds
        while not self.run(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise PageError(f"not within {seconds} s: {expression}; complaints: {self.complaints()}")
            self.run("new Promise((done) => setTimeout(done, 20))")

    def key(self, name: str, *, shift: bool = False, text: str = "") -> None:
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        common = {"key": name, "windowsVirtualKeyCode": codes.get(name, 0), "modifiers": 8 if shift else 0}
        typed = text or ("\r" if name == "Enter" else name if len(name) == 1 else "")
        self.send("Input.dispatchKeyEvent", type="keyDown" if typed else "rawKeyDown", text=typed, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)
        self.settle()

    def click(self, selector: str) -> None:
        """A real click into the middle of the first element, which must be there and be on top."""
        element = json.dumps(selector)
        place = self.run(
            f"(() => {{ const e = document.querySelector({element}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)
        self.settle()

    def shot(self, path: Path) -> Path:
        """What a person sees now, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
        return path

    def complaints(self) -> list[str]:
        """Everything in the console that is not just talk: errors, warnings, violations of the policy."""
        found = []
        for event in self._own():
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(params["exceptionDetails"])[:500])
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(json.dumps(params["args"])[:500])
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(str(params["entry"]["text"]))
        return found

    def requests(self) -> list[str]:
        """Every address that was asked for, but the page itself."""
        found = [
            event["params"]["request"]["url"] for event in self._own() if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in found if not (url.startswith("file://") and url.partition("#")[0].endswith(".html"))]

    def _own(self) -> list[Message]:
        self.run("1")  # so that everything said until now has arrived
        return [event for event in self._browser.events if event.get("sessionId") == self._session]

    def close(self) -> None:
        self._browser.send("Target.closeTarget", targetId=self._target)


@contextlib.contextmanager
def browser(program: Path) -> Iterator[Callable[..., Page]]:
    """A browser of its own, with a new profile; hands out pages."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        running = Browser(program, Path(place))
        try:
            yield lambda **options: Page(running, **options)
        finally:
            running.close()
