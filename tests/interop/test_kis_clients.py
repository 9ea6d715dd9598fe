"""Clients that nobody here wrote, python-kis and mojito2, trade prices with the simulator: what they parse is what happened.

Both hard-code the records of before 2026-09-14, so they get the `old` layout.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from onseju.contract.words import Side
from onseju.kis.quotes import hhmmss
from onseju.kis.session import Manners
from tests.unit.kis.blocks import Exchange, Made, level, trade
from tests.unit.kis.fakes import NINE_O_CLOCK, SAMSUNG, TRADING_DAY, Server, serving, settings, until

HERE = Path(__file__).parent
SIGNS = {2: "rise", 5: "decline"}
PONG_TIMEOUT_S = 1.5
SECOND = 1_000_000

BEFORE: tuple[Made, ...] = (
    trade(70_100, 3),
    level(Side.SELL, 70_200, 6),
    level(Side.SELL, 70_500, 8),
    level(Side.BUY, 70_100, 2),
)
SWEEP: tuple[Made, ...] = (
    trade(70_200, 6),
    trade(70_500, 8),
    trade(71_000, 1),
    level(Side.SELL, 70_200, 0),
    level(Side.SELL, 70_500, 0),
    level(Side.SELL, 71_000, 4),
)
LAST: tuple[Made, ...] = (trade(69_000, 5, Side.SELL), level(Side.BUY, 70_100, 0), level(Side.BUY, 69_000, 11))

TRADES, BOOKS = 4, 3


async def parsed_by(python: Path, driver: str) -> list[dict[str, Any]]:
    """Run a client against the simulator while the market moves; what it parsed, in order."""
    exchange = Exchange(SAMSUNG)
    exchange.happen(*BEFORE, ts=NINE_O_CLOCK)
    manners = Manners(ping_interval_s=0.1, pong_timeout_s=PONG_TIMEOUT_S)
    async with serving(exchange.source, settings("old", manners=manners, flush_s=0.02)) as server:
        arguments = (server.http, server.ws, SAMSUNG, str(TRADES), str(BOOKS))
        process = await asyncio.create_subprocess_exec(
            python, HERE / driver, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        talk = asyncio.create_task(process.communicate())
        try:
            with contextlib.suppress(TimeoutError):  # what the client says about it is shown below
                await until(lambda: server.simulator.registrations == 2 or talk.done(), 60)
            exchange.happen(*SWEEP, ts=NINE_O_CLOCK + SECOND)
            stayed = await outlasts_pingpong(server)
            exchange.happen(*LAST, ts=NINE_O_CLOCK + 2 * SECOND)
            output, errors = await asyncio.wait_for(asyncio.shield(talk), 120)
        finally:
            if process.returncode is None:
                process.kill()
            await talk
    assert stayed, output.decode()[-2000:] + errors.decode()[-2000:]
    assert process.returncode == 0, errors.decode()[-2000:]
    lines = output.decode().splitlines()
    return [json.loads(line.removeprefix("PARSED ")) for line in lines if line.startswith("PARSED ")]


async def outlasts_pingpong(server: Server) -> bool:
    """Whether the client is still there after three times the time in which one that does not answer PINGPONG is dropped."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 3 * PONG_TIMEOUT_S
    await until(lambda: loop.time() > end or server.simulator.registrations < 2)
    return server.simulator.registrations == 2


def expected_trades(sign: dict[int, Any]) -> list[dict[str, Any]]:
    """The exchange's trades after the subscription, as a client should have them."""
    first, second, third = (hhmmss(NINE_O_CLOCK + number * SECOND) for number in range(3))
    opened, common = [70_100, first], {"what": "trade", "symbol": SAMSUNG}
    rows = [
        # price, change, sign, high, low, ask, bid, volume, turnover, buys and sells, shares bought and sold, qty
        (70_200, 200, 2, [70_200, second], opened, 71_000, 70_100, 9, 631_500, [2, 0], [9, 0], 6, second),
        (70_500, 500, 2, [70_500, second], opened, 71_000, 70_100, 17, 1_195_500, [3, 0], [17, 0], 8, second),
        (71_000, 1_000, 2, [71_000, second], opened, 71_000, 70_100, 18, 1_266_500, [4, 0], [18, 0], 1, second),
        (
            69_000,
            -1_000,
            5,
            [71_000, second],
            [69_000, third],
            71_000,
            69_000,
            23,
            1_611_500,
            [4, 1],
            [18, 5],
            5,
            third,
        ),
    ]
    return [
        {
            **common,
            "time": f"{TRADING_DAY} {time}",
            "price": price,
            "change": change,
            "sign": sign[code],
            "open": opened,
            "high": high,
            "low": low,
            "ask": ask,
            "bid": bid,
            "volume": volume,
            "turnover": turnover,
            "counts": counts,
            "quantities": quantities,
            "qty": qty,
            "taker": "1" if change > 0 else "5",
        }
        for price, change, code, high, low, ask, bid, volume, turnover, counts, quantities, qty, time in rows
    ]


def ten(*levels: list[int]) -> list[list[int]]:
    return [*levels, *([[0, 0]] * (10 - len(levels)))]


EXPECTED_SIDES = [
    (ten([70_200, 6], [70_500, 8]), ten([70_100, 2])),
    (ten([71_000, 4]), ten([70_100, 2])),
    (ten([71_000, 4]), ten([69_000, 11])),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("driver", "sign"),
    [("drive_python_kis.py", SIGNS), ("drive_mojito.py", {2: 2, 5: 5})],
    ids=["python-kis", "mojito2"],
)
def test_a_client_from_pypi_parses_what_happened(clients_python: Path, driver: str, sign: dict[int, Any]) -> None:
    parsed = asyncio.run(parsed_by(clients_python, driver))
    trades = [values for values in parsed if values["what"] == "trade"]
    assert all(values.pop("previous", 70_000) == 70_000 for values in trades)
    assert trades == expected_trades(sign)
    books = [values for values in parsed if values["what"] == "book"]
    assert [(values["asks"], values["bids"]) for values in books] == EXPECTED_SIDES
    assert {values["symbol"] for values in books} == {SAMSUNG}
    assert [values["time"] for values in books[1:]] == ["090001", "090002"]
