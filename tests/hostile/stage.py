"""The gateway without port and exchange, in one loop that a test turns by hand: bytes in, bytes out, and what went wrong.

The protocols are the server's own, the transport is a list. Orders that are in good form meet a bus that is always full:
what is tried here is what reads the bytes.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Any, cast

import structlog
import uvicorn
from argon2 import PasswordHasher
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.server import ServerState

from onseju.bus.port import BusyError
from onseju.exchange.exchange import now_us
from onseju.exchange.timetable import Timetable
from onseju.gateway import orders, reads, shell
from onseju.gateway.answers import json_response
from onseju.gateway.context import Gateway
from onseju.gateway.operations import Operations
from onseju.gateway.problems import language_of
from onseju.identity.service import IdentityService
from onseju.market.market import Market
from onseju.market.queues import QueuePositions
from onseju.nodes.http import WebSocket
from onseju.push import events, sse, websocket
from onseju.push.cursors import position_of
from onseju.push.messages import MAX_MESSAGE_BYTES
from onseju.push.protocols import HttpProtocol
from onseju.push.ring import AccountRing
from onseju.push.streams import Streams
from onseju.settings import Settings
from tests.unit.push.harness import Keys, MemoryJournal, block, listed

ADMIN_KEY = "ADMIN0123456789AB.thisisthebootstrapsecret0123456789"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PEER = ("127.0.0.1", 40_000)
OURS = ("127.0.0.1", 8000)
TURNS = 400
"""Turns of the loop in which what was sent must have been taken in."""

echo = Operations("echo")


@echo.add("GET", "/v1/echo/{symbol}", summary="What a query says", scope="read", limit="query", responses={200: None})
async def read_query(request: Request) -> Response:
    """Everything that reads of the API understand in a query."""
    await reads.min_seq(request)
    found = [
        reads.limit_asked(request),
        reads.number_asked(request, "order_id", None, 1, 2**53),
        reads.choice_asked(request, "status", ("open", "done"), "open"),
        reads.time_asked(request, "from"),
        language_of(request),
    ]
    if (after := request.query_params.get("after")) is not None:
        found.append(position_of(request.app.state.gateway.ring, 7, after, "after"))
    return json_response(
        {"found": len(found), "symbol": reads.instrument_named(request, request.path_params["symbol"]).symbol}
    )


class Journal(MemoryJournal):
    """What reads ask of a journal beside its events."""

    @property
    def last_event_seq(self) -> int:
        return self.blocks[-1].seq


class Full:
    """A bus that takes nothing."""

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_: Any, **__: Any) -> Any:
            raise BusyError

        return refuse


class Alarm:
    """The gateway's log, of which only what the program did wrong is kept."""

    def __init__(self) -> None:
        self.errors: list[BaseException | str] = []

    def error(self, event: str, exc_info: BaseException | None = None, **_: Any) -> None:
        self.errors.append(exc_info or event)

    def exception(self, event: str, **_: Any) -> None:
        self.errors.append(event)

    def info(self, *_: Any, **__: Any) -> None:
        return


class Socket:
    """What the protocols ask of a connection's socket."""

    def getpeername(self) -> tuple[str, int]:
        return PEER

    def getsockname(self) -> tuple[str, int]:
        return OURS

    def setsockopt(self, *_: Any) -> None:
        """Nothing is buffered."""


class Transport(asyncio.Transport):
    """A connection whose client reads everything at once."""

    def __init__(self) -> None:
        super().__init__({"peername": PEER, "sockname": OURS, "socket": Socket()})
        self.written = bytearray()
        self.closing = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.written += data

    def writelines(self, parts: Any) -> None:
        for part in parts:
            self.written += part

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def pause_reading(self) -> None:
        """Never too much here."""

    def resume_reading(self) -> None:
        """Never too much here."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""

    def get_write_buffer_size(self) -> int:
        return 0


class Stage:
    """The application and its protocols. Close it."""

    def __init__(self) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        self._talk = logging.getLogger("uvicorn.error")
        self._talk.disabled = True
        self._folder = tempfile.TemporaryDirectory(prefix="onseju-hostile-")
        self.loop = asyncio.new_event_loop()
        self.alarm = Alarm()
        self._log, shell.log = shell.log, cast("Any", self.alarm)
        self.loop.set_exception_handler(lambda _, about: self.alarm.errors.append(about.get("exception") or str(about)))
        self.statuses: list[int] = []
        self._busy = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server = ServerState()
        self.loop.run_until_complete(self._build())

    async def _build(self) -> None:
        never = 10**9
        settings = Settings(
            admin_key=SecretStr(ADMIN_KEY),
            data_dir=Path(self._folder.name),
            query_rate_per_s=never,
            order_rate_per_s=never,
            cancel_rate_per_s=never,
            stream_rate_per_s=never,
            max_streams_per_account=never,
        )
        journal: Any = Journal()
        journal.append_blocks([block(1, listed())])
        market = Market(journal.journal_id)
        market.listen(journal.blocks)
        ring = self._ring = AccountRing(journal, market.directory.symbol_of, 1000)
        ring.listen(journal.blocks)
        self.identity = IdentityService.open(Path(self._folder.name) / "identity.db", hasher=QUICK)
        keys = Keys()
        self.identity.cached_key = keys.cached_key  # type: ignore[method-assign]
        nothing = cast("Any", None)
        self.gateway = Gateway(
            settings=settings,
            commands=cast("Any", Full()),
            journal=journal,
            projector=nothing,
            queries=nothing,
            market=market,
            ring=ring,
            identity=self.identity,
            queues=QueuePositions(),
            stories=nothing,
            kis=nothing,
            timetable=Timetable(now_us),
        )
        self.app = shell.build_app(
            self.gateway, [echo, orders.operations, events.operations, sse.operations, websocket.operations]
        )
        self.app.state.streams = Streams(settings, heartbeat_s=1000, tick_s=1000)
        self.config = uvicorn.Config(
            cast("Any", self._watched),
            interface="asgi3",
            loop="none",
            http=HttpProtocol,
            ws=WebSocket,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            lifespan="off",
            access_log=False,
            log_config=None,
        )
        self.config.load()

    async def _watched(self, scope: Any, receive: Any, send: Any) -> None:
        async def waits() -> Any:
            self._busy -= 1
            try:
                return await receive()
            finally:
                self._busy += 1

        async def sends(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            await send(message)

        self._busy += 1
        try:
            await self.app(scope, waits, sends)
        except Exception as error:  # uvicorn would only write it to its log
            self.alarm.errors.append(error)
        finally:
            self._busy -= 1

    def converse(self, *parts: bytes) -> bytes:
        """Send these bytes on a new connection, then hang up. What came back.

        Raises what the program did wrong: an exception that nobody expected, a 500, a task that does not end.
        """
        return self.loop.run_until_complete(self._converse(parts))

    async def _converse(self, parts: tuple[bytes, ...]) -> bytes:
        self.statuses.clear()
        self.alarm.errors.clear()
        before = asyncio.all_tasks()
        transport = Transport()
        protocol: Any = HttpProtocol(self.config, self._server, {}, _loop=self.loop)
        transport.protocol = protocol
        protocol.connection_made(transport)
        try:
            for part in parts:
                if transport.closing:
                    break
                transport.protocol.data_received(part)
                await self._settle()
        finally:
            transport.closing = True
            transport.protocol.connection_lost(None)
            left = asyncio.all_tasks() - before
            if left:
                _, pending = await asyncio.wait(left, timeout=20)
                if pending:
                    self.alarm.errors.append(f"tasks go on though the client has left: {pending}")
        for error in self.alarm.errors:
            raise error if isinstance(error, BaseException) else AssertionError(error)
        assert 500 not in self.statuses
        return bytes(transport.written)

    async def _settle(self) -> None:
        """Until the application has taken in what came: it waits for more, or is done."""
        for turn in range(TURNS):
            await asyncio.sleep(0)
            if turn > 2 and not self._busy:
                return

    def close(self) -> None:
        self._ring.close()
        self.loop.run_until_complete(self.identity.close())
        self.loop.close()
        self._folder.cleanup()
        shell.log = self._log
        self._talk.disabled = False
        structlog.reset_defaults()
