"""`python -m onseju.bots --url URL --seed N`: the demo's bots, until standard input ends or a signal comes.

The API keys come as JSON on standard input, which must stay open: `{"market_maker": "KEY.SECRET", "noise": ["KEY.SECRET"]}`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable
from typing import Any

import msgspec
import uvloop

from onseju.bots.client import Client, KeyRefusedError, Listing
from onseju.bots.http import UnavailableError
from onseju.bots.making import MarketMaker
from onseju.bots.market_data import MarketData
from onseju.bots.noise import Trader
from onseju.bots.pace import Patience
from onseju.bots.trading import NoiseTrader

MAX_KEYS_BYTES = 64 * 1024
NOISE_ORDERS_PER_S = 10.0
"""Of all noise traders together, on ten instruments; fewer instruments get fewer."""
INSTRUMENTS = 10
LEAVE_S = 1.5
"""Time to take the orders out of the books at the end."""
LOOK_AT_PARENT_S = 1.0

log = logging.getLogger("onseju.bots")


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bots' API keys."""

    market_maker: str | None = None
    noise: list[str] = []


def read_keys() -> Keys:
    """The keys from standard input, as far as the JSON goes. Raises `ValueError`."""
    text = b""
    while chunk := os.read(0, 4096):
        text += chunk
        if len(text) > MAX_KEYS_BYTES:
            break
        if chunk.endswith(b"\n"):
            with contextlib.suppress(msgspec.DecodeError):
                msgspec.json.decode(text)
                break
    return msgspec.json.decode(text, type=Keys)


async def run(url: str, seed: int, keys: Keys, stop: asyncio.Event) -> None:
    """Run the bots until `stop`; then take their orders out of the books. Raises `KeyRefusedError`."""
    public = Client(url)
    stopped = asyncio.create_task(stop.wait(), name="stop")
    opening = asyncio.create_task(wait_for_market(public), name="wait for the market")
    tasks: list[asyncio.Task[Any]] = [stopped, opening]
    bots: list[MarketMaker | NoiseTrader] = []
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return
        listings = opening.result()
        tasks.remove(opening)
        market = MarketData(public, [listing.symbol for listing in listings])
        bots = make_bots(url, seed, keys, listings, market)
        tasks += [asyncio.create_task(bot.run()) for bot in (*bots, market)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await leave([*(bot.leave() for bot in bots), public.close()])


def make_bots(
    url: str, seed: int, keys: Keys, listings: list[Listing], market: MarketData
) -> list[MarketMaker | NoiseTrader]:
    """The bots for which there are keys."""
    symbols = [listing.symbol for listing in listings]
    bots: list[MarketMaker | NoiseTrader] = []
    if keys.market_maker:
        bots.append(MarketMaker(Client(url, keys.market_maker), seed, market.sessions))
    for number, key in enumerate(keys.noise, 1):
        rate = NOISE_ORDERS_PER_S / len(keys.noise) * min(1.0, len(symbols) / INSTRUMENTS)
        trader = Trader(seed, f"noise-{number}", symbols, rate)
        bots.append(NoiseTrader(Client(url, key), trader, listings, market))
    return bots


async def wait_for_market(client: Client) -> list[Listing]:
    """The instruments, as soon as the server serves and has some."""
    patience = Patience("bots")
    while True:
        try:
            listings = await client.listings()
            if not listings:
                raise UnavailableError("no instruments are listed")
        except UnavailableError as error:
            await patience.wait(error)
        else:
            patience.rewarded()
            return listings


async def leave(leaving: list[Awaitable[None]]) -> None:
    """Take all orders out of the books, if the server is still there."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_S):
            await asyncio.gather(*leaving, return_exceptions=True)


def watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: whoever started the bots has closed it or is no more."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(stop.set)


async def watch_parent(stop: asyncio.Event) -> None:
    """Set `stop` when the parent process is no more, though somebody else holds standard input open."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110  # nothing tells of a parent's end
        await asyncio.sleep(LOOK_AT_PARENT_S)
    stop.set()


async def main(url: str, seed: int, keys: Keys) -> int:
    """Run until something ends it. Gives the exit status."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=watch_stdin, args=(loop, stop), daemon=True).start()
    parent = asyncio.create_task(watch_parent(stop), name="parent")
    try:
        await run(url, seed, keys, stop)
    except KeyRefusedError as error:
        log.error("the server does not accept an API key (%s)", error)  # the text says all
        return 1
    finally:
        parent.cancel()
        await asyncio.gather(parent, return_exceptions=True)
    return 0


def cli() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m onseju.bots", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the exchange's address")
    parser.add_argument("--seed", type=int, default=1, help="fixes the bots' draws")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    log.setLevel(logging.INFO)
    try:
        keys = read_keys()
    except ValueError as error:
        log.error("standard input must begin with the keys as JSON: %s", error)
        return 2
    return uvloop.run(main(options.url.rstrip("/"), options.seed, keys))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(cli())
