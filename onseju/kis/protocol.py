"""uvicorn's WebSocket protocol, telling the application two things that ASGI does not carry.

When a pong frame with PINGPONG's text came (KIS's own sample client answers so), and a way to cut a connection whose
client reads nothing: closing would wait for it for ever.
"""

from __future__ import annotations

import time
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from onseju.kis.messages import PINGPONG
from onseju.kis.session import CONNECTION


class KisWebSocketProtocol(WebSocketsSansIOProtocol):
    """For `uvicorn.Config(ws=…)`, alone or as the first base beside another subclass of uvicorn's protocol.

    Other WebSockets of the same server are served as before.
    """

    def handle_connect(self, event: Request) -> None:
        """Begin the application, with the extension in its scope."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self._connection: dict[object, Any] = {"last_pong": 0.0, "abort": self.transport.abort}
            extensions = self.scope["extensions"]
            if extensions is not None:
                extensions[CONNECTION] = self._connection

    def handle_pong(self, event: Frame) -> None:
        """Note a pong that answers PINGPONG."""
        super().handle_pong(event)
        if PINGPONG.encode() in bytes(event.data):
            self._connection["last_pong"] = time.monotonic()
