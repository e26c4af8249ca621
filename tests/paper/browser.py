"""A browser without a window, told over a pipe what to do, and asked what it saw (Chrome DevTools Protocol)."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

NAMES = ("chromium", "google-chrome")
# The protocol wants descriptors 3 and 4, and to itself: what else the browser prints stays out of the pipe.
PIPED = ("sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null', "sh")
# No sandbox, since root gets none; it opens our own pages only.
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--hide-scrollbars")
HEIGHT = 900


def program() -> str | None:
    """The browser that is installed here; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Browser:
    """A running browser.

    Args:
        pipe: where it reads what it is told.
        messages: what it says, event or answer.

    Attributes:
        events: all that it said without being asked.
    """

    pipe: BinaryIO
    messages: Iterator[dict[str, Any]]
    asked: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, in a tab's session or for the whole browser, and return its result.

        Raises:
            RuntimeError: where it fails, or the browser ends.
        """
        self.asked += 1
        call = {"id": self.asked, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self.pipe.write(json.dumps(call).encode() + b"\0")
        self.pipe.flush()
        while (answer := self.hear()).get("id") != self.asked:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def hear(self) -> dict[str, Any]:
        """Wait for the next message.

        Raises:
            RuntimeError: where the browser ends.
        """
        message = next(self.messages, None)
        if message is None:
            raise RuntimeError("the browser has ended")
        if "method" in message:
            self.events.append(message)
        return message

    @contextmanager
    def opened(self, file: Path, width: int, scheme: str = "light") -> Iterator["Tab"]:
        """Show a file in a tab, once all is there that it asks for; the tab closes with the block.

        Args:
            file: the page.
            width: of the window, in CSS pixels.
            scheme: "light" or "dark", which the reader prefers.
        """
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        tab = Tab(self, self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.ask(f"{domain}.enable")
        tab.ask("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        tab.show(scheme)
        tab.ask("Page.navigate", url=file.as_uri())
        while not tab.heard("Page.loadEventFired"):
            self.hear()
        yield tab
        self.ask("Target.closeTarget", targetId=target)


@dataclass(frozen=True)
class Tab:
    """A page that is shown."""

    browser: Browser
    session: str

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        return self.browser.ask(method, self.session, **parameters)

    def show(self, scheme: str, media: str = "screen") -> None:
        """Show the page to a reader who prefers a scheme of colours, on a screen or in print."""
        prefers = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=prefers)

    def run(self, script: str) -> Any:
        """Return what a script of the page comes to.

        Raises:
            RuntimeError: if it throws.
        """
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(told["exceptionDetails"]["exception"]["description"])
        return told["result"].get("value")

    def heard(self, event: str) -> list[dict[str, Any]]:
        """What was told of each event of a kind."""
        mine = (told for told in self.browser.events if told.get("sessionId") == self.session)
        return [told["params"] for told in mine if told["method"] == event]

    @property
    def requests(self) -> list[str]:
        """The addresses that the page asked for, its own first."""
        return [told["request"]["url"] for told in self.heard("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """What stands in the console: errors of scripts, what they print, and the browser's own warnings."""
        thrown = [
            told["exceptionDetails"]["exception"]["description"] for told in self.heard("Runtime.exceptionThrown")
        ]
        printed = [f"{told['type']}: {told['args']}" for told in self.heard("Runtime.consoleAPICalled")]
        return [*thrown, *printed, *(told["entry"]["text"] for told in self.heard("Log.entryAdded"))]


@contextmanager
def running() -> Iterator[Browser]:
    """Start the browser that is installed; when the block ends, so does its pipe, and with that the browser."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [*PIPED, program() or NAMES[0], *OPTIONS, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        pipe, silence = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=silence) as process:  # noqa: S603
            yield Browser(cast("BinaryIO", process.stdin), _messages(cast("BinaryIO", process.stdout)))


def _messages(pipe: BinaryIO) -> Iterator[dict[str, Any]]:
    rest = b""
    while read := os.read(pipe.fileno(), 1 << 16):
        *whole, rest = (rest + read).split(b"\0")
        yield from map(json.loads, whole)
