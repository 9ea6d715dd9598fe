"""The open streams: how many there may be, their heartbeats, and the end of those whose client does not read."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

from starlette.requests import HTTPConnection

from onseju.contract.reasons import Reason
from onseju.gateway.context import gateway_of, maybe_principal_of
from onseju.gateway.problems import Problem
from onseju.push.protocols import Link, link_of
from onseju.settings import Settings

HEARTBEAT_S = 15.0
TICK_S = 1.0

SEND_FRAMES = 64
"""Frames handed to the connection at once. With uvicorn's mark of 64 KiB this bounds what a client that does not read
holds in our memory: about 110 KiB. In the system's it holds `stream_buffer_bytes`."""

CUT_AFTER_LOST_S = 1.0
"""A client that is blocked for so long, and meanwhile so far behind that the ring has passed it, is cut at once."""

SLOW_CONSUMER_CODE = 4008


class Stream:
    """One open stream. `wake` is set when there may be something to do."""

    def __init__(self, link: Link | None) -> None:
        self.wake = asyncio.Event()
        self.ended = False
        """The client left, was cut, or the server shuts down."""
        self.heartbeat_due = False
        self.lost: Callable[[], bool] = bool
        """Whether the client is behind what the ring holds."""
        self.sent = 0
        self.was_cut = False
        self._link = link
        self._sending: asyncio.Task[Any] | None = None
        self._seen = 0
        self._blocked_ticks = 0
        self._ticks = 0

    def end(self) -> None:
        """Finish as soon as possible."""
        self.ended = True
        self.wake.set()

    async def send(self, sending: Awaitable[None]) -> None:
        """Await a send while the watch looks on: it is canceled when the stream is cut."""
        self._sending = asyncio.current_task()
        try:
            await sending
        finally:
            self._sending = None
            self.sent += 1

    def tick(self, tick_s: float, heartbeat_s: float, stall_s: float) -> None:
        """The watch passes by."""
        self._ticks += 1
        if self._ticks * tick_s >= heartbeat_s:
            self._ticks = 0
            self.heartbeat_due = True
            self.wake.set()
        if self._sending is None or self._seen != self.sent:
            self._seen = self.sent
            self._blocked_ticks = 0
            return
        self._blocked_ticks += 1
        blocked_s = self._blocked_ticks * tick_s
        if blocked_s >= stall_s or (blocked_s >= CUT_AFTER_LOST_S and self.lost()):
            self.cut()

    def cut(self) -> None:
        """Drop a client that does not read."""
        self.end()
        if self._link is not None:
            self._link.cut(SLOW_CONSUMER_CODE, Reason.SLOW_CONSUMER.code)
        if self._sending is not None and not self.was_cut:
            self.was_cut = True
            self._sending.cancel()

    def release(self) -> None:
        """It is over. Stream and connection hold each other: without this all of it would stay in memory until Python looks
        for cycles, which it does seldom here (`serve.COLLECT_AFTER`), and a storm leaves thousands."""
        self.lost = bool
        if self._link is not None:
            self._link.release()
            self._link = None

    @property
    def dropped(self) -> bool:
        """Whether the connection was cut, so that its loss is about to be told."""
        return self.was_cut and self._link is not None

    @contextlib.contextmanager
    def cutting(self) -> Iterator[None]:
        """Around the stream's work: the cancellation by which a blocked send is given up ends here."""
        try:
            yield
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self.was_cut or task is None or task.uncancel() > 0:
                raise


class Streams:
    """All open streams of this process."""

    def __init__(self, settings: Settings, *, heartbeat_s: float = HEARTBEAT_S, tick_s: float = TICK_S) -> None:
        self._settings = settings
        self._heartbeat_s = heartbeat_s
        self._tick_s = tick_s
        self._open: set[Stream] = set()
        self._by_owner: Counter[str | int] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def open(self, connection: HTTPConnection, owner: str | int) -> Iterator[Stream]:
        """Count a stream of `owner` (an account, or an address) while it lasts. Raises `Problem(STREAM_TOO_MANY)`."""
        settings = self._settings
        if len(self._open) >= settings.max_streams or self._by_owner[owner] >= settings.max_streams_per_account:
            raise Problem(Reason.STREAM_TOO_MANY)
        link = link_of(connection.scope)
        stream = Stream(link)
        if link is not None:
            link.bound(settings.stream_buffer_bytes // 2, stream.end)  # Linux takes twice what it is told
        self._open.add(stream)
        self._by_owner[owner] += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        try:
            yield stream
        finally:
            stream.release()
            self._open.discard(stream)
            self._by_owner[owner] -= 1
            if not self._by_owner[owner]:
                del self._by_owner[owner]
            if not self._open and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _tick(self) -> None:
        for stream in tuple(self._open):
            stream.tick(self._tick_s, self._heartbeat_s, self._settings.stream_stall_s)
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick) if self._open else None


def streams_of(connection: HTTPConnection) -> Streams:
    """The streams of the application that serves this connection."""
    state = connection.app.state
    if not hasattr(state, "streams"):
        state.streams = Streams(gateway_of(connection).settings)
    return cast("Streams", state.streams)


def owner_of(connection: HTTPConnection) -> str | int:
    """Whose stream it is, for the limits: the account's, else the address's."""
    principal = maybe_principal_of(connection)
    if principal is not None:
        return principal.account_id or principal.name
    return connection.client.host if connection.client else ""


async def still_valid(connection: HTTPConnection) -> bool:
    """Whether the key or session by which the connection was opened still holds."""
    principal = maybe_principal_of(connection)
    if principal is None or principal.via == "bootstrap":
        return True
    identity = gateway_of(connection).identity
    if principal.via == "session":
        found = await identity.session(connection.state.session_token)
    elif principal.via == "signed":
        signer = await identity.signer(connection.headers["x-onseju-key"])
        found = None if signer is None else signer[0]
    else:
        bearer = connection.headers["authorization"].partition(" ")[2].strip()
        found = identity.cached_key(bearer) or await identity.key(bearer)
    return found is not None and found.account_id == principal.account_id
