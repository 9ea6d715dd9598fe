"""What the page's shared worker says on the wire: read through the browser's own debugging protocol."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Browser, Page


class FeedWatch:
    """Watches the shared workers that begin after it: their WebSockets with every frame, their requests, their errors."""

    def __init__(self, browser: Browser) -> None:
        self.sockets: dict[str, str] = {}
        """Address by request id, of every WebSocket ever opened."""
        self.received: list[tuple[str, str]] = []
        """Address and text of every frame received."""
        self.sent: list[tuple[str, str]] = []
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.workers = 0
        self._commands = 0
        self._session = browser.new_browser_cdp_session()
        self._session.on("Target.targetCreated", self._created)
        self._session.on("Target.receivedMessageFromTarget", lambda event: self._message(json.loads(event["message"])))
        self._session.send("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "shared_worker"}]})

    def close(self) -> None:
        """Watch no longer."""
        self._session.detach()

    def frames(self, path: str, begin: str = "") -> list[str]:
        """Frames received on WebSockets whose address ends with `path`, that begin with `begin`."""
        return [text for url, text in self.received if url.endswith(path) and text.startswith(begin)]

    def wait_for_frame(self, page: Page, path: str, begin: str) -> str:
        """The first frame received on `path` that begins so. Raises `AssertionError` when none comes."""
        for _ in range(400):
            if frames := self.frames(path, begin):
                return frames[0]
            page.wait_for_timeout(50)
        raise AssertionError(f"no frame {begin!r} on {path}; sockets: {sorted(set(self.sockets.values()))}")

    def _created(self, event: dict[str, Any]) -> None:
        target = event["targetInfo"]
        if target["type"] != "shared_worker":
            return
        self.workers += 1
        attached = self._session.send(
            "Target.attachToTarget",
            {"targetId": target["targetId"], "flatten": False},
        )
        for method in ("Network.enable", "Runtime.enable"):
            self._commands += 1
            message = json.dumps({"id": self._commands, "method": method})
            self._session.send(
                "Target.sendMessageToTarget",
                {"sessionId": attached["sessionId"], "message": message},
            )

    def _message(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.webSocketCreated":
                self.sockets[params["requestId"]] = params["url"]
            case "Network.webSocketFrameReceived":
                self.received.append((self.sockets.get(params["requestId"], ""), params["response"]["payloadData"]))
            case "Network.webSocketFrameSent":
                self.sent.append((self.sockets.get(params["requestId"], ""), params["response"]["payloadData"]))
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])
