"""What the stream tests share: made-up events in a real journal, and a real uvicorn on a real socket around the rings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, cast

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from onseju import listeners
from onseju.contract.commands import DepositCash, encode_command, sequence
from onseju.contract.events import (
    BalanceChanged,
    Event,
    InstrumentListed,
    LevelChanged,
    OrderAccepted,
    PhaseChanged,
    Trade,
    encode_event,
)
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.contract.words import Side
from onseju.exchange.exchange import now_us
from onseju.exchange.timetable import Timetable
from onseju.gateway.context import Gateway
from onseju.gateway.principal import Principal
from onseju.gateway.shell import build_app
from onseju.identity.service import IdentityService
from onseju.journal.port import Journal
from onseju.market.market import Market
from onseju.push import events, sse, websocket
from onseju.push.protocols import HttpProtocol, WebSocketProtocol
from onseju.push.ring import AccountRing
from onseju.push.streams import Streams
from onseju.settings import Settings

WAIT_S = 10
TS = 1_795_000_000_000_000
SYMBOL = "005930"

Envelope = dict[str, Any]
Made = Callable[[int, int, int], Event]
"""Gives an event for its seq, ts and idx."""


def _made(cls: type[Event], **fields: Any) -> Made:
    return lambda seq, ts, idx: cls(seq=seq, ts=ts, idx=idx, **fields)


def listed(instrument: int = 1, symbol: str = SYMBOL) -> Made:
    return _made(
        InstrumentListed,
        instrument=instrument,
        symbol=symbol.encode().ljust(16, b"\0"),
        listed_shares=1000,
        limit_ppm=300_000,
        vi_dynamic_ppm=0,
        vi_static_ppm=0,
        tick_table=1,
        board=1,
        security=1,
        leverage=1,
    )


def balance(account: int, cash: int = 100) -> Made:
    return _made(BalanceChanged, account=account, cash=cash, reserved_cash=0)


def accepted(account: int, order_id: int) -> Made:
    return _made(
        OrderAccepted,
        account=account,
        instrument=1,
        order_id=order_id,
        qty=3,
        limit_price=700,
        leaves_qty=3,
        side=1,
        order_type=1,
        time_in_force=1,
        status=1,
    )


def level(side: Side, price: int, qty: int, count: int = 1, instrument: int = 1) -> Made:
    return _made(LevelChanged, instrument=instrument, side=side, price=price, qty=qty, order_count=count if qty else 0)


def trade(price: int, qty: int, trade_id: int = 1, instrument: int = 1) -> Made:
    return _made(
        Trade,
        instrument=instrument,
        trade_id=trade_id,
        price=price,
        qty=qty,
        buy_order_id=987_001,
        sell_order_id=987_002,
        taker_side=Side.BUY,
    )


def phase(instrument: int, phase: int) -> Made:
    return _made(PhaseChanged, instrument=instrument, trading_day=20261123, phase=phase)


def block(seq: int, *made: Made, text: str = "") -> EventBlock:
    """A command's events."""
    ts = TS + seq
    payload = b"".join(encode_event(make(seq, ts, idx)) for idx, make in enumerate(made))
    return EventBlock(venue=1, epoch=1, semantics=1, seq=seq, ts=ts, command_kind=17, payload=payload, text=text)


class MemoryJournal:
    """The event log of a journal, in a list: for tests that make thousands of them."""

    journal_id = "memory"

    def __init__(self) -> None:
        self.blocks: list[EventBlock] = []

    def append_blocks(self, blocks: Sequence[EventBlock]) -> None:
        self.blocks += blocks

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        first = self.blocks[0].seq if self.blocks else 1
        assert after_seq + 1 >= first, "nobody asks for what is gone"
        return iter(self.blocks[after_seq + 1 - first :])


def record_blocks(journal: Journal, blocks: Sequence[EventBlock]) -> None:
    """Put blocks into a real journal, each behind a command of its number."""
    command = encode_command(DepositCash(amount=1))
    journal.append(
        [
            JournalRecord(venue=1, epoch=1, semantics=1, command=sequence(command, found.seq, found.ts))
            for found in blocks
        ]
    )
    journal.append_events(blocks)


class Keys:
    """The part of identity that streams use: `k7.x` is account 7's key, until it is revoked."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    def cached_key(self, bearer: str) -> Principal | None:
        account = bearer.partition(".")[0].removeprefix("k")
        if bearer in self.revoked or not account.isdigit():
            return None
        scopes = frozenset({"read", "trade"})
        return Principal(user_id=1, account_id=int(account), scopes=scopes, via="key", name=bearer)

    async def key(self, bearer: str) -> Principal | None:
        return self.cached_key(bearer)


class Site:
    """A server with the streams alone, whose events the test makes up."""

    def __init__(
        self,
        journal: Journal,
        *,
        capacity: int = 1000,
        heartbeat_s: float = 15,
        identity: IdentityService | None = None,
        **settings: Any,
    ) -> None:
        self.journal = journal
        self.market = Market(journal.journal_id)
        forms = listeners.best()
        self.ring = AccountRing(journal, self.market.directory.symbol_of, capacity, core=forms.account_chains)
        self.keys = Keys()
        self.settings = Settings(**{"max_streams_per_account": 1000, **settings})
        nothing = cast("Any", None)
        gateway = Gateway(
            settings=self.settings,
            commands=nothing,
            journal=journal,
            projector=nothing,
            queries=nothing,
            market=self.market,
            ring=self.ring,
            identity=identity or cast("Any", self.keys),
            queues=forms.queues(),
            stories=cast("Any", None),
            kis=nothing,
            timetable=Timetable(now_us),
        )
        self.app = build_app(gateway, [events.operations, sse.operations, websocket.operations])
        self.streams = Streams(self.settings, heartbeat_s=heartbeat_s, tick_s=0.05)
        self.app.state.streams = self.streams
        self.server: uvicorn.Server | None = None
        self.seq = 0
        self.port = 0

    def replay(self) -> None:
        """Take in what the journal holds, as at a start."""
        blocks = list(self.journal.read_events())
        self.market.listen(blocks)
        self.ring.listen(blocks)
        self.seq = blocks[-1].seq

    def publish(self, *commands: Sequence[Made]) -> None:
        """Publish one command for each list of events, all in one batch."""
        blocks = []
        for made in commands:
            self.seq += 1
            blocks.append(block(self.seq, *made))
        record_blocks(self.journal, blocks)
        self.market.listen(blocks)
        self.ring.listen(blocks)

    def event_id(self, seq: int, idx: int = 0) -> str:
        return f"{self.journal.journal_id}-{seq}-{idx}"

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Serve on a free port."""
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        config = uvicorn.Config(
            self.app,
            loop="none",
            http=HttpProtocol,
            ws=WebSocketProtocol,
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
        self.server = server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server._serve([sock]))
        try:
            await until(lambda: server.started)
            yield self
        finally:
            server.should_exit = True
            await serving
            sock.close()
            self.ring.close()

    async def sse(self, account: int = 7, **more: Any) -> SseReader:
        return await SseReader.open(self.port, account, **more)

    def ws(self, account: int | None = 7, *, headers: dict[str, str] | None = None) -> connect:
        if headers is None:
            headers = {} if account is None else {"Authorization": f"Bearer k{account}.x"}
        return connect(f"ws://127.0.0.1:{self.port}/v1/ws", additional_headers=headers, compression=None, proxy=None)


async def until(condition: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    """Wait until the condition holds. Raises `TimeoutError`."""
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110  # a test's condition has no event of its own
            await asyncio.sleep(0.005)


class SseReader:
    """A raw HTTP client of the stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.comments: list[str] = []
        self.last_id: str | None = None
        self.body = b""
        """The answer where it is no stream."""
        self.raw: list[bytes] = []
        """Each event's bytes."""
        self._reader = reader
        self._writer = writer
        self._lines: list[bytes] = []
        self._rest = b""
        self._event: list[bytes] = []

    @classmethod
    async def open(
        cls, port: int, account: int = 7, *, last_event_id: str | None = None, query: str = "", buffer: int = 0
    ) -> SseReader:
        sock = socket.socket()
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=2**16)
        head = [f"GET /v1/stream{query} HTTP/1.1", "Host: localhost", f"Authorization: Bearer k{account}.x"]
        if last_event_id is not None:
            head.append(f"Last-Event-ID: {last_event_id}")
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
        self = cls(reader, writer)
        self.status = int((await reader.readline()).split()[1])
        while line := (await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        if self.status != 200:
            self.body = await reader.readexactly(int(self.headers["content-length"]))
        return self

    async def _line(self) -> bytes | None:
        while not self._lines:
            size = await self._reader.readline()
            if not size or int(size, 16) == 0:
                return None
            chunk = await self._reader.readexactly(int(size, 16))
            await self._reader.readexactly(2)
            *self._lines, self._rest = (self._rest + chunk).split(b"\n")
        return self._lines.pop(0)

    async def next(self) -> Envelope | None:
        """The next event; None at the stream's end."""
        async with asyncio.timeout(WAIT_S):
            while (line := await self._line()) is not None:
                if line.startswith(b":"):
                    self.comments.append(line[1:].strip().decode())
                elif line:
                    self._event.append(line)
                else:
                    fields = dict(part.split(b":", 1) for part in self._event)
                    raw = b"\n".join(self._event)
                    self._event = []
                    if b"id" in fields:
                        self.last_id = fields[b"id"].decode()
                    if b"data" in fields:
                        self.raw.append(raw)
                        envelope: Envelope = json.loads(fields[b"data"])
                        assert (envelope["id"], envelope["type"]) == (self.last_id, fields[b"event"].decode())
                        return envelope
        return None

    async def take(self, count: int) -> list[Envelope]:
        found = []
        for _ in range(count):
            envelope = await self.next()
            assert envelope is not None, f"the stream ended after {len(found)} of {count} events"
            found.append(envelope)
        return found

    async def comment(self, text: str) -> None:
        """Wait for a comment; no event may come before it."""
        while text not in self.comments:
            async with asyncio.timeout(WAIT_S):
                line = await self._line()
            assert line is not None
            assert not line.startswith(b"data"), line
            if line.startswith(b":"):
                self.comments.append(line[1:].strip().decode())
            elif line.startswith(b"id:"):
                self.last_id = line[3:].decode()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


async def ask(ws: ClientConnection, message: dict[str, Any]) -> Envelope:
    """Send a message and take its answer, which must be the next thing that comes."""
    await ws.send(json.dumps(message))
    async with asyncio.timeout(WAIT_S):
        answer: Envelope = json.loads(await ws.recv())
    assert "ch" not in answer, answer
    return answer


async def take(ws: ClientConnection, count: int) -> list[Envelope]:
    """The next envelopes."""
    async with asyncio.timeout(WAIT_S):
        return [json.loads(await ws.recv()) for _ in range(count)]


def assert_chain(envelopes: Sequence[Envelope], first_prev: str | None) -> None:
    """Each names the one before it."""
    prev = first_prev
    for envelope in envelopes:
        assert envelope["prev"] == prev
        prev = envelope["id"]


def open_journal(directory: Path) -> Any:
    from onseju.journal.segments import SegmentJournal

    return SegmentJournal.open(directory, fsync=False)
