"""A market of two instruments for the simulator's tests, and the simulator itself behind a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import uvicorn
import websockets
from starlette.applications import Starlette

from onseju.kis.codec import decode_frame
from onseju.kis.layouts import LayoutName
from onseju.kis.messages import PINGPONG
from onseju.kis.port import Day, Depth, PriceListener, PriceSource, Quoted, Standing, Traded
from onseju.kis.protocol import KisWebSocketProtocol
from onseju.kis.records import Record
from onseju.kis.session import Manners
from onseju.kis.simulator import KisSimulator, SimulatorSettings

SAMSUNG, HYNIX = "005930", "000660"
APPKEY, SECRETKEY = "P" * 36, "S" * 180
NINE_O_CLOCK = 1_795_392_000_000_000
"""2026-11-23 09:00:00 KST in microseconds since 1970."""
TRADING_DAY = 20261123

PATIENT = Manners(ping_interval_s=60)
"""No PINGPONG within a test."""


class FakeSource:
    """A price source whose trades and books the test makes."""

    def __init__(self, trading_day: int = TRADING_DAY, symbols: tuple[str, ...] = (SAMSUNG, HYNIX)) -> None:
        self.instruments = {
            symbol: Quoted(
                symbol=symbol, base_price=70_000, upper_limit=91_000, lower_limit=49_000, listed_shares=1_000_000
            )
            for symbol in symbols
        }
        self.depths = {symbol: Depth(asks=[], bids=[]) for symbol in symbols}
        self.days = {symbol: Day(trading_day=trading_day, previous_volume=500) for symbol in symbols}
        self.standings: dict[str, Standing] = {}
        self.listeners: list[PriceListener] = []
        self.now = NINE_O_CLOCK

    def quoted(self, symbol: str) -> Quoted | None:
        return self.instruments.get(symbol)

    def depth(self, symbol: str) -> Depth:
        return self.depths[symbol]

    def day(self, symbol: str) -> Day:
        return self.days[symbol]

    def standing(self, symbol: str) -> Standing:
        return self.standings.get(symbol) or Standing()

    def subscribe(self, listener: PriceListener) -> None:
        self.listeners.append(listener)

    def trade(self, symbol: str, price: int, qty: int, taker: int = 1) -> None:
        self.days[symbol].add(price, qty, taker, self.now)
        for listener in self.listeners:
            listener.traded(Traded(symbol=symbol, price=price, qty=qty, taker=taker, ts=self.now))

    def set_book(self, symbol: str, asks: list[tuple[int, int]], bids: list[tuple[int, int]]) -> None:
        self.depths[symbol] = Depth(asks=asks, bids=bids)
        for listener in self.listeners:
            listener.book_changed(symbol, self.now)


class Server:
    """Where the simulator listens."""

    def __init__(self, port: int, simulator: KisSimulator) -> None:
        self.port = port
        self.simulator = simulator
        self.http = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        """POST /oauth2/Approval, with a JSON body or with bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with httpx.AsyncClient() as client:
            return await client.post(
                f"{self.http}/oauth2/Approval", content=content, headers={"content-type": "application/json", **headers}
            )

    async def approve(self, appkey: str = APPKEY, secretkey: str = SECRETKEY) -> str:
        answer = await self.post({"grant_type": "client_credentials", "appkey": appkey, "secretkey": secretkey})
        assert answer.status_code == 200, answer.text
        key = answer.json()["approval_key"]
        assert isinstance(key, str)
        return key

    @contextlib.asynccontextmanager
    async def client(self, approval_key: str | None = None, path: str = "/tryitout") -> AsyncIterator[Client]:
        """A connected client with an approval key of its own, unless one is given."""
        key = self.simulator.issue_for_page("127.0.0.1") if approval_key is None else approval_key
        async with websockets.connect(self.ws + path, ping_interval=None) as connection:
            yield Client(connection, key)


class Client:
    """A KIS client that keeps what it gets apart: JSON here, records there."""

    def __init__(self, connection: websockets.ClientConnection, approval_key: str) -> None:
        self.connection = connection
        self.approval_key = approval_key

    async def send(self, tr_id: str, tr_key: str, tr_type: str = "1", **header: Any) -> None:
        await self.connection.send(self._request(tr_id, tr_key, tr_type, **header))

    def send_now(self, tr_id: str, tr_key: str) -> None:
        """Send a request without giving the loop, and so the server, a turn."""
        protocol = self.connection.protocol
        protocol.send_text(self._request(tr_id, tr_key, "1").encode())
        self.connection.transport.write(b"".join(protocol.data_to_send()))

    def _request(self, tr_id: str, tr_key: str, tr_type: str, **header: Any) -> str:
        head = {"approval_key": self.approval_key, "custtype": "P", "tr_type": tr_type, "content-type": "utf-8"}
        return json.dumps({"header": {**head, **header}, "body": {"input": {"tr_id": tr_id, "tr_key": tr_key}}})

    async def ask(self, tr_id: str, tr_key: str, tr_type: str = "1", **header: Any) -> dict[str, Any]:
        """Send a request, give its answer."""
        await self.send(tr_id, tr_key, tr_type, **header)
        return await self.control()

    async def code(self, tr_id: str, tr_key: str, tr_type: str = "1", **header: Any) -> str:
        """Send a request, give its answer's msg_cd."""
        code = (await self.ask(tr_id, tr_key, tr_type, **header))["body"]["msg_cd"]
        assert isinstance(code, str)
        return code

    async def text(self) -> str:
        message = await asyncio.wait_for(self.connection.recv(), 10)
        assert isinstance(message, str)
        return message

    async def control(self) -> dict[str, Any]:
        """The next answer; data frames and PINGPONG are passed over."""
        while not (text := await self.text()).startswith("{") or PINGPONG in text:
            pass
        decoded = json.loads(text)
        assert isinstance(decoded, dict)
        return decoded

    async def frame(self) -> str:
        """The next data frame; JSON is passed over."""
        while (text := await self.text()).startswith("{"):
            pass
        return text

    async def records(self) -> list[Record]:
        return decode_frame(await self.frame())


def settings(layout: LayoutName = "auto", **more: Any) -> SimulatorSettings:
    """Settings for a test: no PINGPONG unless asked for, frames at once."""
    return SimulatorSettings(layout=layout, **{"manners": PATIENT, "flush_s": 0.005, **more})


def with_manners(**manners: Any) -> SimulatorSettings:
    """The same, with these manners."""
    return settings(manners=msgspec.structs.replace(PATIENT, **manners))


@contextlib.asynccontextmanager
async def serving(
    source: PriceSource,
    chosen: SimulatorSettings | None = None,
    *,
    clock: Callable[[], float] | None = None,
    send_buffer: int | None = None,
    protocol: Any = KisWebSocketProtocol,
    **options: Any,
) -> AsyncIterator[Server]:
    """The simulator behind uvicorn on a free port of this machine; `send_buffer` is the system's, in bytes."""
    more: dict[str, Any] = {} if clock is None else {"clock": clock}
    simulator = KisSimulator(source, chosen or settings(), **more, **options)
    config = uvicorn.Config(
        Starlette(routes=simulator.routes()),
        ws=protocol,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if send_buffer is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: server.started or running.done())
        try:
            yield Server(listening.getsockname()[1], simulator)
        finally:
            server.should_exit = True
            await running


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until a condition holds; fail when it does not within `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # any condition, and few of them announce themselves
            await asyncio.sleep(0.005)
