"""A page in headless Chromium, driven over a pipe by its DevTools protocol; nothing to install beside it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--remote-debugging-pipe"),
)
LAUNCHER = (
    "import os, sys; [os.dup2(int(sys.argv[k]), k + 2) for k in (1, 2)]; os.execv(sys.argv[3], sys.argv[3:])"
)
"""A program that moves two file descriptors to 3 and 4, where Chromium expects its pipes, and runs it."""
TIMEOUT_S = 60.0  # of an answer


class Browser:
    """One page at a time.

    ::

        with Browser() as page:
            page.open_window(800, 600)
            page.go(path)

    Attributes:
        errors: of the current page: exceptions, logged errors and warnings, addresses that it requested.
    """

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self.errors: list[str] = []
        self._message_id, self._buffer = 0, b""
        self._session = self._target = ""

    def __enter__(self) -> Browser:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ends = [*os.pipe(), *os.pipe()]
        browser_in, self._out, self._in, browser_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in ends)
        for end in ends:
            os.close(end)
        command = [sys.executable, "-c", LAUNCHER, str(browser_in), str(browser_out), CHROMIUM, *OPTIONS]
        command += [f"--user-data-dir={self._profile.name}", "about:blank"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, pass_fds=(browser_in, browser_out), stdin=quiet, stdout=quiet, stderr=quiet
        )
        os.close(browser_in)
        os.close(browser_out)
        return self

    def open_window(self, width: int, height: int, dark: bool = False, touch: bool = False) -> None:
        """A new page in a window of so many pixels."""
        old, self._session, self.errors = self._target, "", []
        self._target = self.call("Target.createTarget", url="about:blank")["targetId"]
        if old:
            self.call("Target.closeTarget", targetId=old)
        self._session = self.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.call("Emulation.setDeviceMetricsOverride", **window)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        if touch:
            self.call("Emulation.setTouchEmulationEnabled", enabled=True)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._message_id += 1
        message: dict[str, Any] = {"id": self._message_id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            answer = self._read()
            if answer.get("id") == self._message_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._note_errors(answer)

    def _read(self) -> dict[str, Any]:
        """The next message."""
        end = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b""
            if not data:
                raise RuntimeError("the browser does not answer")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def _note_errors(self, event: dict[str, Any]) -> None:
        """Add an event to the errors, if it is one; a request of any other address than the page's own is."""
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])
        elif event.get("method") == "Network.requestWillBeSent":
            address = parameters["request"]["url"]
            if not address.startswith(("file:", "data:", "about:")):
                self.errors.append(address)

    def go(self, path: Path, fragment: str = "") -> None:
        self.call("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")
        self.run("Promise.all([...document.images].filter(i => i.offsetParent).map(i => i.decode()))")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        parameters = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.call("Runtime.evaluate", **parameters)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not self.run(script):
            assert time.monotonic() < end, script
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until what was changed is painted."""
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r())))")

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element in the window."""
        bounds = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); "
            "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
        )
        left, top, width, height = bounds
        return left, top, width, height

    def mouse(self, kind: str, x: float, y: float, held: bool = False) -> None:
        button = "left" if held or kind != "mouseMoved" else "none"
        parameters = {"type": kind, "x": x, "y": y, "button": button, "buttons": int(held), "clickCount": 1}
        self.call("Input.dispatchMouseEvent", **parameters)

    def drag(self, selector: str, start: float, end: float) -> None:
        """Drag in the middle of an element, between shares of its width."""
        left, top, width, height = self.box(selector)
        y = top + height / 2
        self.mouse("mousePressed", left + start * width, y, held=True)
        for k in range(1, 6):
            self.mouse("mouseMoved", left + (start + (end - start) * k / 5) * width, y, held=True)
        self.mouse("mouseReleased", left + end * width, y)
        self.settle()

    def swipe(self, selector: str, start: float, end: float) -> None:
        """Drag with a finger."""
        left, top, width, height = self.box(selector)
        y = top + height / 2
        for k, kind in enumerate(["touchStart", *["touchMove"] * 5]):
            point = {"x": left + (start + (end - start) * k / 5) * width, "y": y}
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[point])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()

    def click(self, selector: str) -> None:
        left, top, width, height = self.box(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, left + width / 2, top + height / 2)
        self.settle()

    def press(self, key: str, code: int = 0) -> None:
        """A key: ``e``, ``ArrowLeft`` …"""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        codes = {
            "Tab": 9,
            "Enter": 13,
            "Escape": 27,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
        }
        parameters = {"key": key, "windowsVirtualKeyCode": codes.get(key, code or ord(key[0].upper()))}
        self.call("Input.dispatchKeyEvent", type="keyDown", **parameters, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **parameters)
        self.settle()

    def picture(self, whole: bool = False) -> bytes:
        """What is seen, as PNG; or the whole page."""
        parameters: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            content = self.call("Page.getLayoutMetrics")["cssContentSize"]
            parameters["clip"] = {
                "x": 0,
                "y": 0,
                "width": content["width"],
                "height": content["height"],
                "scale": 1,
            }
        return base64.b64decode(self.call("Page.captureScreenshot", **parameters)["data"])
