"""One client's WebSocket: its registrations, its answers, its unread frames, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from onseju.kis import messages
from onseju.kis.approvals import Approvals, Owner
from onseju.kis.bounds import Guest, Limits
from onseju.kis.hub import Hub
from onseju.kis.layouts import FIELDS
from onseju.kis.messages import NOBODY, UNSUBSCRIBE, Code, Register, Registration, RequestError, answer

CONNECTION = "onseju.connection"
"""The ASGI extension by which `protocol.KisWebSocketProtocol` tells of pong frames and lets a connection be cut."""

TOO_BIG = 1009
CLEAN_CLOSES = (1000, 1001)
SESSION = Registration(NOBODY, "")


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How the simulator treats its clients. What KIS does itself is measured by others, and they disagree."""

    registrations_max: int = 41
    ping_interval_s: float = 10
    pong_timeout_s: float = 100
    """A client that answers PINGPONG neither by text nor by a pong frame for so long is cut off."""
    zombie_s: float = 0
    """For so long after a connection that broke off, its app key still counts as in use."""
    close_after_s: float = 0
    """Cut every connection so long after its beginning, to try out a client's patience; 0 = never."""
    unread_bytes: int = 256 * 1024
    """A client that leaves more than this unread is cut off."""
    send_s: float = 10
    """And so is one that takes nothing at all for so long."""


class Sessions:
    """Which owner has a session: one each."""

    def __init__(self, zombie_s: float) -> None:
        self._zombie_s = zombie_s
        self._holders: dict[Owner, Session] = {}

    def claim(self, owner: Owner, session: Session) -> bool:
        """Take the owner's only place; False if another session has it."""
        return self._holders.setdefault(owner, session) is session

    def release(self, owner: Owner, session: Session, *, clean: bool) -> None:
        """Give the place back, after a broken connection with the delay that KIS has."""
        if clean or not self._zombie_s:
            self._drop(owner, session)
        else:
            asyncio.get_running_loop().call_later(self._zombie_s, self._drop, owner, session)

    def _drop(self, owner: Owner, session: Session) -> None:
        if self._holders.get(owner) is session:
            del self._holders[owner]


class Session:
    """A connection from accept to end."""

    def __init__(
        self,
        websocket: WebSocket,
        *,
        hub: Hub,
        approvals: Approvals,
        sessions: Sessions,
        guest: Guest,
        limits: Limits,
        manners: Manners,
        clock: Callable[[], float],
    ) -> None:
        self._websocket = websocket
        self._hub, self._approvals, self._sessions = hub, approvals, sessions
        self._guest, self._limits, self._manners = guest, limits, manners
        self._clock = clock
        self._owner: Owner | None = None
        self._registrations: set[Registration] = set()
        self._iv, self._key = secrets.token_hex(8), secrets.token_hex(16)
        self._unread: deque[str] = deque()
        self._unread_bytes = 0
        self._wake = asyncio.Event()
        self._refused = False
        self._cut = False
        self._clean = False
        self._last_pong = time.monotonic()
        self._connection: dict[str, Any] = websocket.scope.get("extensions", {}).get(CONNECTION, {})
        self._reader: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve the client until it leaves, is refused, or is cut off."""
        await self._websocket.accept()
        self._reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        tasks = (self._reader, writer, asyncio.create_task(self._ping()))
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=self._manners.close_after_s or None, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._cut_off()
            if self._refused and not self._cut:
                await asyncio.wait((writer,), timeout=self._manners.send_s)
        finally:
            await self._end(tasks)

    def offer(self, frame: str) -> None:
        """Queue a frame (`Subscriber`)."""
        if self._cut:
            return
        self._unread.append(frame)
        self._unread_bytes += len(frame)
        if self._unread_bytes > self._manners.unread_bytes:
            self._cut_off()
        else:
            self._wake.set()

    def _cut_off(self) -> None:
        """Stop at once, without a close frame: the client does not read, and would not read that either."""
        self._cut = True
        if self._reader is not None:
            self._reader.cancel()

    async def _end(self, tasks: tuple[asyncio.Task[None], ...]) -> None:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for registration in self._registrations:
            self._hub.remove(registration, self)
        self._guest.registrations -= len(self._registrations)
        self._registrations.clear()
        if self._owner is not None:
            self._sessions.release(self._owner, self, clean=self._clean)
        if self._cut and "abort" in self._connection:
            self._connection["abort"]()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                self._clean = message.get("code") in CLEAN_CLOSES
                return
            await asyncio.sleep(self._guest.messages.owe(self._clock()))
            text = message.get("text")
            content = text if text is not None else message.get("bytes") or b""
            if len(content) > self._limits.message_bytes:
                with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
                    await self._websocket.close(TOO_BIG)
                return
            self._take(content)
            if self._refused:
                return

    async def _write(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
            while True:
                while self._unread:
                    frame = self._unread.popleft()
                    self._unread_bytes -= len(frame)
                    try:
                        async with asyncio.timeout(self._manners.send_s):
                            await self._websocket.send({"type": "websocket.send", "text": frame})
                    except TimeoutError:
                        self._cut_off()
                        return
                if self._refused:
                    return
                self._wake.clear()
                await self._wake.wait()

    async def _ping(self) -> None:
        interval = self._manners.ping_interval_s
        while True:
            await asyncio.sleep(interval)
            if self._pongs_are_late():
                self._cut_off()
                return
            self.offer(messages.pingpong(self._clock()))

    def _pongs_are_late(self) -> bool:
        """Whether the client is silent. Unknown, and so False, on a server that does not tell of pong frames."""
        if "last_pong" not in self._connection:
            return False
        last: float = max(self._last_pong, self._connection["last_pong"])
        return time.monotonic() - last > self._manners.pong_timeout_s

    def _take(self, content: str | bytes) -> None:
        try:
            request = messages.parse(content)
        except RequestError as error:
            self.offer(answer(error.code, SESSION))
            return
        if request is None:
            self._last_pong = time.monotonic()
            return
        owner = self._approvals.owner_of(request.approval_key)
        if owner is None or (self._owner is not None and owner is not self._owner):
            self.offer(answer(Code.UNKNOWN_APPROVAL, SESSION))
            return
        if self._owner is None and not self._sessions.claim(owner, self):
            self.offer(answer(Code.IN_USE, SESSION))
            self._refused = True  # KIS closes without a close frame after it
            return
        self._owner = owner
        self._register(request)

    def _register(self, request: Register) -> None:
        try:
            registration = request.registration()
            if request.tr_type == UNSUBSCRIBE:
                self._unsubscribe(registration)
            else:
                self._subscribe(registration)
        except RequestError as error:
            self.offer(answer(error.code, request.named()))

    def _subscribe(self, registration: Registration) -> None:
        if registration.tr_id not in FIELDS:
            raise RequestError(Code.INVALID_TR)
        if registration in self._registrations:
            raise RequestError(Code.ALREADY_SUBSCRIBED)
        if not self._hub.knows(registration.tr_key):
            raise RequestError(Code.INVALID_KEY)
        if len(self._registrations) >= self._manners.registrations_max:
            raise RequestError(Code.TOO_MANY)
        if self._guest.registrations >= self._limits.registrations:
            raise RequestError(Code.NO_RESOURCE)
        self._registrations.add(registration)
        self._guest.registrations += 1
        self.offer(answer(Code.SUBSCRIBED, registration, self._iv, self._key))
        self._hub.add(registration, self)

    def _unsubscribe(self, registration: Registration) -> None:
        if registration not in self._registrations:
            raise RequestError(Code.NOT_SUBSCRIBED)
        self._registrations.remove(registration)
        self._guest.registrations -= 1
        self._hub.remove(registration, self)
        self.offer(answer(Code.UNSUBSCRIBED, registration, self._iv, self._key))
