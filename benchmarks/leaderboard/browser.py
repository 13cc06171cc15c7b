"""Drives Chromium through its debugging pipe, without a driver or a socket."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run")


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, width: int, height: int) -> None:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            raise SystemExit("this benchmark needs chromium")
        self._profile = tempfile.TemporaryDirectory()
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        flags = [*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={self._profile.name}"]
        # Chromium reads its commands from file descriptor 3 and answers on 4.
        shell = f'exec "$0" "$@" 3<&{read_commands} 4>&{write_answers} 2>/dev/null'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, program, *flags, "about:blank"], pass_fds=(read_commands, write_answers)
        )
        os.close(read_commands)
        os.close(write_answers)
        self._number, self._read = 0, b""
        self.version = str(self._call("Browser.getVersion")["product"])
        page = next(t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        self._page("Performance.enable", timeDomain="threadTicks")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        self._profile.cleanup()

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self._page("Page.navigate", url=path.resolve().as_uri())
        self.run("new Promise(done => document.readyState === 'complete' ? done() : (onload = done))")

    def run(self, script: str) -> Any:
        """Run a script in the page, wait for its promise and return its value."""
        found = self._page("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def busy_ms(self) -> float:
        """Return the CPU milliseconds of the page's main thread so far: script, style, layout and paint."""
        found = self._page("Performance.getMetrics")["metrics"]
        return 1000 * next(float(metric["value"]) for metric in found if metric["name"] == "TaskDuration")

    def _page(self, method: str, **parameters: Any) -> Any:
        return self._call(method, session=self._session, **parameters)

    def _call(self, method: str, session: str = "", **parameters: Any) -> Any:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        command |= {"sessionId": session} if session else {}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    def _message(self) -> Any:
        while b"\0" not in self._read:
            if not (block := os.read(self._answers, 2**20)):
                raise RuntimeError("chromium went away")
            self._read += block
        first, _, self._read = self._read.partition(b"\0")
        return json.loads(first)
