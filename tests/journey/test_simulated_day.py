"""A whole KRX day with bots, 08:30 to 20:00 in about a minute: it replays to the same state, and its figures agree."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn

from onseju.app import Venue
from onseju.bots.process import BotProcess
from onseju.contract.events import (
    AuctionUncrossed,
    DayRolled,
    Event,
    OrderAccepted,
    OrderRejected,
    PhaseChanged,
    Trade,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import Phase
from onseju.exchange.applier import Applier
from onseju.exchange.recovery import replayed
from onseju.journal.segments import SegmentJournal
from onseju.matching import engines
from onseju.settings import Settings
from tests.engines import EngineName, make_engine, name_under_test

PATIENCE_S = 240
SEED = 5
DAY = [
    Phase.OPENING_AUCTION,
    Phase.CONTINUOUS,
    Phase.CLOSING_AUCTION,
    Phase.CLOSE_PRICE_RECEPTION,
    Phase.CLOSE_PRICE,
    Phase.AFTER_HOURS,
    Phase.CLOSED,
]
"""The phases of an instrument whose price was never far enough for an interruption."""


class LivedDay(NamedTuple):
    """What was left of the day, and what the public was told at its end."""

    journal: Path
    engine: Any
    last_seq: int
    trading_day: int
    told: dict[str, dict[str, Any]]
    """The rows of `GET /v1/symbols` after the last trade of the day."""
    candles: dict[str, dict[str, list[dict[str, Any]]]]
    """By symbol, then by interval; oldest first."""


@pytest.fixture(scope="module")
def lived(tested_on: EngineName, tmp_path_factory: pytest.TempPathFactory) -> LivedDay:
    return asyncio.run(live(tmp_path_factory.mktemp("day") / "data"))


async def live(data_dir: Path) -> LivedDay:
    """Run the exchange and its bots, over real sockets, until the second trading day begins."""
    engine = make_engine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "make", lambda _name: engine)
        engine_name = name_under_test()
        venue = Venue(Settings(data_dir=data_dir, port=0, market_hours="fast", seed=SEED, engine=engine_name))
    over = asyncio.Event()
    days: list[int] = []
    told: dict[str, dict[str, Any]] = {}

    def watch(blocks: Sequence[EventBlock]) -> None:
        if any(isinstance(event, DayRolled) for block in blocks for event in block.events):
            over.set()

    venue.bus.subscribe(watch)
    async with venue.running():
        days.append(venue.market.trading_day)
        config = uvicorn.Config(venue.app(), lifespan="off", log_level="error", loop="none")
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            bots = BotProcess(url, SEED, venue.serving.bot_keys)
            await bots.start()
            try:
                async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as public:
                    async with asyncio.timeout(PATIENCE_S):
                        while not over.is_set():
                            rows = (await public.get("/v1/symbols")).json()["symbols"]
                            told = told if over.is_set() else {row["symbol"]: row for row in rows}
                            await asyncio.sleep(0.2)
                    candles = {
                        symbol: {
                            interval: await candles_of(public, symbol, interval, venue.exchange.head_seq)
                            for interval in ("1m", "1d")
                        }
                        for symbol in told
                    }
            finally:
                await bots.stop()
                server.should_exit = True
                await serving
    return LivedDay(data_dir / "journal", engine, venue.exchange.head_seq, days[0], told, candles)


async def candles_of(public: httpx.AsyncClient, symbol: str, interval: str, seq: int) -> list[dict[str, Any]]:
    """All candles of an instrument, oldest first."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"interval": interval, "limit": 1000}
    while True:
        answer = await public.get(f"/v1/candles/{symbol}", params=query, headers={"Onseju-Min-Seq": str(seq)})
        assert answer.status_code == 200, answer.text
        page = answer.json()["candles"]
        if not page:
            return found[::-1]
        found += page
        query["to"] = page[-1]["ts"]


@pytest.fixture(scope="module")
def events(lived: LivedDay) -> list[Event]:
    """The first day's events, from the event log."""
    journal = SegmentJournal.open_for_reading(lived.journal)
    try:
        found: list[Event] = []
        for block in journal.read_events():
            for event in block.events:
                if isinstance(event, DayRolled) and event.trading_day != lived.trading_day:
                    return found
                found.append(event)
        raise AssertionError("the day did not end")
    finally:
        journal.close()


def test_the_journal_replays_to_the_same_bytes_and_the_same_hash(lived: LivedDay) -> None:
    journal = SegmentJournal.open_for_reading(lived.journal)
    again = make_engine()
    last_seq = 0
    try:
        for _, blocks, _ in replayed(journal, Applier(again)):  # raises where the event log says otherwise
            last_seq = blocks.last_seq
    finally:
        journal.close()
    assert last_seq == lived.last_seq > 1000
    assert again.state_hash() == lived.engine.state_hash()
    again.check_invariants()


def test_every_instrument_went_through_the_day(lived: LivedDay, events: list[Event]) -> None:
    phases: dict[int, list[PhaseChanged]] = defaultdict(list)
    for event in events:
        if isinstance(event, PhaseChanged) and event.instrument:
            phases[event.instrument].append(event)
    assert len(phases) == len(lived.told) == 10
    for changes in phases.values():
        planned = [Phase(change.phase) for change in changes if not change.reason]
        interrupted = sum(change.phase == Phase.VI_AUCTION for change in changes)
        lived_through = planned[planned.index(Phase.OPENING_AUCTION) :]  # it was listed and waited before
        assert list(dict.fromkeys(lived_through)) == list(dict.fromkeys(DAY))
        assert len(lived_through) == len(DAY) + interrupted  # after each interruption trading went on


def test_the_opening_and_the_closing_auction_gave_prices(lived: LivedDay, events: list[Event]) -> None:
    uncrossed: dict[int, list[AuctionUncrossed]] = defaultdict(list)
    traded: dict[tuple[int, int], int] = defaultdict(int)
    for event in events:
        if isinstance(event, AuctionUncrossed):
            uncrossed[event.instrument].append(event)
        elif isinstance(event, Trade) and event.taker_side == 0:
            traded[event.seq, event.instrument] += event.qty
    assert len(uncrossed) == len(lived.told)
    for auctions in uncrossed.values():
        assert len(auctions) >= 2
        for auction in auctions:
            assert traded[auction.seq, auction.instrument] == auction.qty
    assert sum(auction.qty > 0 for auctions in uncrossed.values() for auction in auctions) >= 10


def test_the_session_at_the_close_traded_at_the_close(events: list[Event]) -> None:
    """KRX rules 2.1: at no other price; and the bots know it: what they are refused came as the phase changed."""
    phases: dict[int, Phase] = {}
    closes: dict[int, int] = {}
    taken = refused = traded = 0
    for event in events:
        if isinstance(event, PhaseChanged):
            phases[event.instrument] = Phase(event.phase)
        phase = phases.get(event.instrument, Phase.CONTINUOUS)
        if isinstance(event, Trade):
            if phase.off_hours is None:
                closes[event.instrument] = event.price
            elif phase is Phase.CLOSE_PRICE:
                assert event.price == closes[event.instrument]
                traded += event.qty
        elif phase.is_at_close:
            taken += isinstance(event, OrderAccepted)
            refused += isinstance(event, OrderRejected)
    assert traded > 0
    assert refused < taken / 2


def test_candles_vwap_and_volume_agree_with_the_trades(lived: LivedDay, events: list[Event]) -> None:
    trades: dict[int, list[Trade]] = defaultdict(list)
    for event in events:
        if isinstance(event, Trade):
            trades[event.instrument].append(event)
    assert len(trades) == len(lived.told)
    for number, symbol in enumerate(lived.told, 1):
        mine = trades[number]
        volume, turnover = sum(trade.qty for trade in mine), sum(trade.price * trade.qty for trade in mine)
        prices = [trade.price for trade in mine]
        row = lived.told[symbol]
        assert (row["day_volume"], row["day_turnover"]) == (volume, turnover)
        assert (row["day_open"], row["day_high"], row["day_low"], row["last_price"]) == (
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
        )
        whole, _, decimals = row["day_vwap"].partition(".")
        scale = 10 ** len(decimals)
        assert int(whole + decimals) == turnover * scale // volume
        [day] = lived.candles[symbol]["1d"]
        assert (day["open"], day["high"], day["low"], day["close"]) == (prices[0], max(prices), min(prices), prices[-1])
        assert (day["volume"], day["turnover"], day["trade_count"]) == (volume, turnover, len(mine))
        minutes = lived.candles[symbol]["1m"]
        assert sum(candle["volume"] for candle in minutes) == volume
        by_minute: dict[int, list[Trade]] = defaultdict(list)
        for trade in mine:
            by_minute[trade.ts // 60_000_000].append(trade)
        assert [(candle["open"], candle["close"], candle["volume"]) for candle in minutes] == [
            (group[0].price, group[-1].price, sum(trade.qty for trade in group)) for group in by_minute.values()
        ]
