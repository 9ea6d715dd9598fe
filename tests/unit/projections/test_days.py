"""The tables after long random days under the `krx` rules: as the engine holds it, whole or in pieces, and day by day."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from onseju.contract.commands import RollDay, SetRule
from onseju.contract.events import DayRolled, Trade
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.contract.words import AccountKind, OrderStatus, OrderType, Phase, Rule, Side, TimeInForce
from onseju.projections import tables as t
from onseju.projections.database import writer_engine
from onseju.projections.migrate import MIGRATIONS
from onseju.projections.places import Place
from onseju.projections.projector import Projector
from onseju.projections.queries import Queries
from onseju.projections.rows import start_of_day
from tests.properties.busy_day import BusyDay
from tests.properties.driver import DAY
from tests.unit.market.live import SYMBOL, LiveMarket
from tests.unit.projections.conftest import NewTables
from tests.unit.projections.support import MemoryJournal, connected, contents

BUY, SELL = Side.BUY, Side.SELL


class Kept(LiveMarket):
    """It keeps the blocks that it published."""

    def __init__(self) -> None:
        self.blocks: list[EventBlock] = []
        super().__init__()

    def publish(self) -> None:
        self.blocks += self._waiting
        super().publish()


def project(database: Place, blocks: list[EventBlock], max_blocks: int = 1000) -> None:
    projector = Projector(MemoryJournal(blocks), database, max_blocks=max_blocks)
    projector.catch_up()
    projector.stop()


@pytest.fixture(scope="module")
def live() -> Kept:
    """Some days with fees, interruptions and everything that a crowd asks."""
    live = Kept()
    live.account(1, kind=AccountKind.VENUE)
    for rule, value in {
        Rule.COMMISSION_PPM: 150,
        Rule.TRANSACTION_TAX_PPM: 500,
        Rule.VI_DYNAMIC_PPM: 15_000,
        Rule.VI_STATIC_PPM: 40_000,
    }.items():
        live.do(SetRule(rule=rule, value=value))
    day = BusyDay(live, 11, (2, 3, 4), tuple(OrderType)[:7])
    for number in range(900):
        live.do(day.next_command())
        if number % 200 == 199:
            live.phase(Phase.CONTINUOUS)
    return live


@pytest.fixture(scope="module")
def database(live: Kept, new_tables: NewTables) -> Place:
    place = new_tables()
    project(place, live.blocks)
    return place


def test_rebuilt_in_pieces_they_are_the_same(live: Kept, database: Place, new_tables: NewTables) -> None:
    """The trading day lasts from one transaction to the next, and over a restart."""
    pieces = new_tables()
    for end in (len(live.blocks) // 3, len(live.blocks) // 2, len(live.blocks)):
        project(pieces, live.blocks[:end], max_blocks=7)
    assert contents(pieces) == contents(database)


def test_orders_balances_and_positions_are_the_engines(live: Kept, database: Place) -> None:
    state = live.engine.state
    with connected(database) as connection:
        rows = {row.order_id: row for row in connection.execute(sa.select(t.orders))}
        balances = {row.account: row for row in connection.execute(sa.select(t.balances))}
        positions = {(row.account, row.instrument): row for row in connection.execute(sa.select(t.positions))}
    assert {order_id for order_id, row in rows.items() if not row.done} == state.orders.keys()
    for order in state.orders.values():
        row = rows[order.order_id]
        assert (row.order_type, row.limit_price, row.stop_price) == (
            order.order_type,
            order.limit_price,
            order.stop_price,
        )
        assert (row.leaves_qty, row.filled_qty, row.canceled_qty) == (
            order.leaves_qty,
            order.filled_qty,
            order.canceled_qty,
        )
    for account in state.accounts.values():
        row = balances.get(account.number)
        held = (row.cash, row.reserved_cash, row.unsettled_d1, row.unsettled_d2) if row else (0, 0, 0, 0)
        assert held == account.balance
        for instrument, position in account.positions.items():
            row = positions[account.number, instrument]
            assert (row.qty, row.reserved_qty, row.cost_amount, row.realized_profit) == (
                position.qty,
                position.reserved_qty,
                position.cost_amount,
                position.realized_profit,
            )
    types = {row.order_type for row in rows.values()}
    reasons = {row.reason for row in rows.values() if row.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)}
    assert types >= {OrderType.LIMIT, OrderType.MARKET, OrderType.CONDITIONAL_LIMIT, OrderType.STOP_LIMIT}
    assert reasons >= {Reason.NONE, Reason.DAY_ENDED}


def test_each_trading_day_has_its_candle_and_it_agrees_with_its_trades(live: Kept, database: Place) -> None:
    expected: dict[int, list[Trade]] = defaultdict(list)
    trading_day = DAY
    for block in live.blocks:
        for event in block.events:
            if isinstance(event, DayRolled):
                trading_day = event.trading_day
            elif isinstance(event, Trade) and event.instrument == 1:
                expected[trading_day].append(event)
    queries = Queries(database)
    try:
        page = asyncio.run(queries.ask(queries.candles, SYMBOL, "1d"))
        minutes = asyncio.run(queries.ask(queries.candles, SYMBOL, "1m", None, None, 1000))
    finally:
        queries.close()
    assert len(page.candles) == len(expected) > 2
    for candle, (day, trades) in zip(reversed(page.candles), expected.items(), strict=True):
        assert candle.ts == timestamp(start_of_day(day))
        prices = [trade.price for trade in trades]
        assert (candle.open, candle.high, candle.low, candle.close) == (
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
        )
        assert candle.volume == sum(trade.qty for trade in trades)
        assert candle.turnover == sum(trade.price * trade.qty for trade in trades)
        assert candle.trade_count == len(trades)
    assert sum(candle.volume for candle in minutes.candles) == sum(candle.volume for candle in page.candles)
    last = page.candles[0] if trading_day in expected else None
    assert live.instrument.day_volume == (last.volume if last else 0)
    assert live.instrument.day_turnover == (last.turnover if last else 0)


def test_the_view_tells_why_an_order_ended(new_tables: NewTables) -> None:
    place = new_tables()
    live = Kept()
    ioc = live.order(BUY, 3, 98_000, time_in_force=TimeInForce.IOC)
    midpoint_side = live.order(BUY, 1, 98_000), live.order(SELL, 1, 99_000, account=3)
    midpoint = live.order(BUY, 1, type_=OrderType.MIDPOINT)
    conditional = live.order(BUY, 2, 97_000, type_=OrderType.CONDITIONAL_LIMIT)
    live.phase(Phase.CLOSING_AUCTION)
    live.do(RollDay(trading_day=DAY + 1))
    project(place, live.blocks)
    queries = Queries(place)
    try:
        orders = {order.order_id: order for order in asyncio.run(queries.ask(queries.orders, 2)).orders}
    finally:
        queries.close()
    ended = {number: (orders[number].type, orders[number].status, orders[number].end_reason) for number in orders}
    assert ended == {
        ioc: ("limit", "canceled", "ioc_remainder"),
        midpoint_side[0]: ("limit", "expired", "day_ended"),
        midpoint: ("midpoint", "canceled", "midpoint_void"),
        conditional: ("market", "expired", "day_ended"),
    }
    assert all(order.reject_reason is None for order in orders.values())


def test_tables_of_the_first_form_are_filled_again(live: Kept, database: Place, new_tables: NewTables) -> None:
    """They do not know the trading day: what they hold cannot be gone on with."""
    old = new_tables()
    engine = writer_engine(old)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text("INSERT INTO progress (journal_id, seq) VALUES ('test', 40)"))
        connection.execute(sa.text("INSERT INTO accounts VALUES (77, 1, 5, 5)"))
    engine.dispose()
    project(old, live.blocks)
    assert contents(old) == contents(database)
