"""uvicorn's protocol with KIS's extension, alone and together with the streams' own."""

from __future__ import annotations

import asyncio
import contextlib

import websockets

from onseju.kis.layouts import TRADES
from onseju.kis.protocol import KisWebSocketProtocol
from onseju.push.protocols import WebSocketProtocol
from tests.unit.kis.fakes import SAMSUNG, FakeSource, serving, until, with_manners


class Both(KisWebSocketProtocol, WebSocketProtocol):
    """As the server uses it."""


async def test_both_extensions_work_on_one_server() -> None:
    manners = with_manners(ping_interval_s=0.1, pong_timeout_s=1.0)
    async with serving(FakeSource(), manners, protocol=Both) as server, server.client() as polite:
        async with server.client():
            await until(lambda: server.simulator.connections == 2)
            while server.simulator.connections == 2:
                await polite.connection.pong(await polite.text())
        assert await polite.code(TRADES, SAMSUNG) == "OPSP0000"


async def test_a_pong_that_says_something_else_is_no_answer() -> None:
    manners = with_manners(ping_interval_s=0.05, pong_timeout_s=0.2)
    async with serving(FakeSource(), manners) as server, server.client() as client:
        with contextlib.suppress(websockets.ConnectionClosed):
            async with asyncio.timeout(10):
                while True:
                    await client.text()
                    await client.connection.pong(b"hello")
        assert client.connection.close_code == 1006
