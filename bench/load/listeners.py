"""Accounts that listen on SSE while orders come, as bare as they can be: when did which order's fill arrive?"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence

_TAKER = re.compile(rb'"type":"fill"[^\n]*?"order_id":(\d+),[^\n]*?"liquidity":"taker"')


class Listener(asyncio.Protocol):
    """An account's stream."""

    def __init__(self, port: int, key: str, arrivals: dict[int, float]) -> None:
        self._hello = f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
        self._arrivals = arrivals
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.closing = False
        self.lost = False
        """Whether the server ended it."""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        transport.write(self._hello.encode())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.opened.done():
            self._rest += data
            if b"\n\n" not in self._rest:
                return
            if b" 200 " not in self._rest[:20]:
                self.opened.set_exception(RuntimeError(f"the stream was refused: {self._rest[:200]!r}"))
                return
            self._rest = b""
            self.opened.set_result(None)
            return
        whole, _, rest = data.rpartition(b"\n\n")
        if not whole:
            self._rest += data
            return
        if self._rest:
            whole = self._rest + whole
        self._rest = rest
        if b'"taker"' in whole:
            for order_id in _TAKER.findall(whole):
                self._arrivals.setdefault(int(order_id), now)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = not self.closing
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionResetError("the server closed the stream"))

    def close(self) -> None:
        """End it."""
        self.closing = True
        if self._transport is not None:
            self._transport.abort()


async def listen(port: int, keys: Sequence[str], arrivals: dict[int, float]) -> list[Listener]:
    """A stream for each key, open."""
    loop = asyncio.get_running_loop()
    listeners = []
    for key in keys:
        _, listener = await loop.create_connection(
            lambda key=key: Listener(port, key, arrivals),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        listeners.append(listener)
    await asyncio.gather(*(listener.opened for listener in listeners))
    return listeners
