"""Queries: the same views as the events give, pages that new rows do not disturb, candles exact, indexes used."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from onseju.contract.events import BalanceChanged, OrderEvent, OrderFilled, PositionChanged, Trade, encode_event
from onseju.contract.journal_records import EventBlock
from onseju.contract.views import balance_view, fill_view, order_view, position_view, timestamp
from onseju.contract.words import OrderStatus
from onseju.market.trades import TradeView
from onseju.projections.cursors import BadCursorError, decode_cursor, encode_cursor
from onseju.projections.pages import PublicTrade
from onseju.projections.places import Place
from onseju.projections.projector import Projector
from onseju.projections.queries import (
    INTERVALS,
    Queries,
    QueriesBusyError,
    QueriesFailedError,
    UnknownSymbolError,
)
from tests.unit.projections.conftest import NewTables
from tests.unit.projections.support import ACCOUNTS, SYMBOLS, MemoryJournal, blocks_of, records

COUNT = 1500
ACCOUNT = 2
SYMBOL = SYMBOLS[0]


@pytest.fixture(scope="module")
def blocks() -> list[EventBlock]:
    return blocks_of(records(5, COUNT, step_us=7_000_000))


@pytest.fixture(scope="module")
def queries(blocks: list[EventBlock], new_tables: NewTables) -> Iterator[Queries]:
    database = new_tables()
    # the last command ends the day: without it some orders are open
    projector = Projector(MemoryJournal(blocks[:-1]), database)
    projector.catch_up()
    queries = Queries(database)
    yield queries
    queries.close()
    projector.stop()


@pytest.fixture
def growing(blocks: list[EventBlock], database: Place) -> Iterator[tuple[Queries, Callable[[int], None]]]:
    """Queries on tables that grow: call with the number of blocks they shall hold."""
    journal = MemoryJournal()
    projector = Projector(journal, database)
    projector.catch_up()
    queries = Queries(database)

    def grow(until: int) -> None:
        journal.append_events(blocks[journal.last_event_seq : until])
        projector.catch_up()

    yield queries, grow
    queries.close()
    projector.stop()


def symbol_of(instrument: int) -> str:
    return SYMBOLS[instrument - 1]


def walk(page: Callable[[str | None], Any], rows: str) -> list[Any]:
    """All rows of a list, page by page."""
    found, cursor = [], None
    while True:
        answer = page(cursor)
        found += getattr(answer, rows)
        if answer.next_cursor is None:
            return found
        cursor = answer.next_cursor


def all_orders(blocks: list[EventBlock], account: int) -> dict[int, Any]:
    """The account's orders as their events tell, by id."""
    orders: dict[int, Any] = {}
    for block in blocks:
        for event in block.events:
            if event.account != account:
                continue
            if isinstance(event, OrderEvent):
                orders[event.order_id] = order_view(event, block.annotations, symbol_of)
            elif isinstance(event, OrderFilled):
                fill = fill_view(event, block.annotations, symbol_of)
                names = ("leaves_qty", "filled_qty", "canceled_qty", "filled_amount", "avg_fill_price", "status")
                values = {name: getattr(fill, name) for name in (*names, "seq", "ts")}
                orders[event.order_id] = msgspec.structs.replace(orders[event.order_id], **values)
    return orders


@pytest.mark.parametrize("status", ["all", "open", "done", *(status.label for status in OrderStatus)])
@pytest.mark.parametrize("symbol", [None, SYMBOL])
def test_orders_are_those_of_the_events_newest_first(
    queries: Queries, blocks: list[EventBlock], status: str, symbol: str | None
) -> None:
    want = [
        view
        for _, view in sorted(all_orders(blocks[:-1], ACCOUNT).items(), reverse=True)
        if (symbol is None or view.symbol == symbol)
        and (
            status in ("all", view.status)
            or (status == "open" and OrderStatus.parse(view.status).is_open)
            or (status == "done" and not OrderStatus.parse(view.status).is_open)
        )
    ]
    assert want or symbol or status in ("expired", "rejected")
    assert walk(lambda cursor: queries.orders(ACCOUNT, status, symbol, cursor, 7), "orders") == want
    page = queries.orders(ACCOUNT, status, symbol)
    assert page.orders == want[:100]
    assert page.seq == len(blocks) - 1


def test_one_order_is_its_owners_alone(queries: Queries, blocks: list[EventBlock]) -> None:
    mine = all_orders(blocks[:-1], ACCOUNT)
    order_id, view = next(iter(mine.items()))
    assert queries.order(ACCOUNT, order_id) == (view, len(blocks) - 1)
    assert queries.order(ACCOUNT + 1, order_id)[0] is None
    assert queries.order(ACCOUNT, 10**15)[0] is None
    assert queries.order_owner(order_id) == ACCOUNT
    assert queries.order_owner(10**15) is None
    open_now = sum(OrderStatus.parse(view.status).is_open for view in mine.values())
    assert queries.open_order_count(ACCOUNT) == open_now > 0


def test_an_order_is_found_by_its_client_id(queries: Queries, blocks: list[EventBlock]) -> None:
    named = [view for view in all_orders(blocks[:-1], ACCOUNT).values() if view.client_order_id]
    assert named
    for view in named[:20]:
        assert queries.order_by_client_id(ACCOUNT, view.client_order_id)[0] == view
        assert queries.order_by_client_id(ACCOUNT + 1, view.client_order_id)[0] is None
    assert queries.order_by_client_id(ACCOUNT, "never-used")[0] is None


def test_fills_are_those_of_the_events_newest_first(queries: Queries, blocks: list[EventBlock]) -> None:
    want = [
        fill_view(event, block.annotations, symbol_of)
        for block in reversed(blocks[:-1])
        for event in reversed(block.events)
        if isinstance(event, OrderFilled) and event.account == ACCOUNT
    ]
    assert len(want) > 100
    assert walk(lambda cursor: queries.fills(ACCOUNT, None, None, cursor, 9), "fills") == want
    of_symbol = [view for view in want if view.symbol == SYMBOL]
    assert walk(lambda cursor: queries.fills(ACCOUNT, SYMBOL, None, cursor, 9), "fills") == of_symbol
    order_id = max((view.order_id for view in want), key=lambda one: sum(view.order_id == one for view in want))
    of_order = [view for view in want if view.order_id == order_id]
    assert len(of_order) > 2
    assert walk(lambda cursor: queries.fills(ACCOUNT, None, order_id, cursor, 1), "fills") == of_order
    assert queries.fills(ACCOUNT, of_order[0].symbol, order_id).fills == of_order
    assert queries.fills(ACCOUNT, SYMBOLS[9], order_id).fills == []
    assert queries.fills(ACCOUNT + 1, None, order_id).fills == []


def test_holdings_are_the_last_events(queries: Queries, blocks: list[EventBlock]) -> None:
    for account in ACCOUNTS:
        balance, positions = None, {}
        for block in blocks[:-1]:
            for event in block.events:
                if event.account != account:
                    continue
                if isinstance(event, BalanceChanged):
                    balance = balance_view(event)
                elif isinstance(event, PositionChanged):
                    positions[symbol_of(event.instrument)] = position_view(event, symbol_of)
        holdings = queries.holdings(account)
        assert holdings is not None
        assert holdings.balance == balance
        assert holdings.positions == [positions[symbol] for symbol in sorted(positions)]
    assert queries.holdings(99) is None


def test_an_account_without_money_has_zeros(growing: tuple[Queries, Callable[[int], None]], blocks: Any) -> None:
    queries, grow = growing
    opened = next(block.seq for block in blocks if block.events[0].account == 1)
    grow(opened)
    holdings = queries.holdings(1)
    assert holdings is not None
    assert (holdings.balance.cash, holdings.balance.available, holdings.balance.seq) == (0, 0, opened)
    assert holdings.positions == []


def trades_of(blocks: list[EventBlock], instrument: int) -> list[Trade]:
    return [
        event
        for block in blocks
        for event in block.events
        if isinstance(event, Trade) and event.instrument == instrument
    ]


def test_trades_are_public_and_newest_first(queries: Queries, blocks: list[EventBlock]) -> None:
    want = [event.trade_id for event in reversed(trades_of(blocks, 1))]
    pages = walk(lambda cursor: queries.trades(SYMBOL, cursor, 10), "trades")
    assert [view.trade_id for view in pages] == want
    assert {view.taker_side for view in pages} == {"buy", "sell"}
    assert PublicTrade.__struct_fields__ == TradeView.__struct_fields__, "the same JSON as on the stream"


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_are_the_trades_summed(queries: Queries, blocks: list[EventBlock], interval: str) -> None:
    want = candles_by_hand(trades_of(blocks, 1), interval)
    got = queries.candles(SYMBOL, interval, limit=1000).candles
    assert [msgspec.structs.astuple(candle) for candle in got] == [row for _, row in want]
    assert len(got) > 1 or interval == "1d"


def candles_by_hand(trades: list[Trade], interval: str) -> list[tuple[int, tuple[Any, ...]]]:
    """(start, candle) newest first."""
    width = INTERVALS[interval] * 1_000_000
    offset = 9 * 3600 * 1_000_000 if interval == "1d" else 0
    buckets: dict[int, list[Trade]] = defaultdict(list)
    for event in trades:
        buckets[(event.ts + offset) // width * width - offset].append(event)
    rows = []
    for start, events in sorted(buckets.items(), reverse=True):
        prices = [event.price for event in events]
        volume = sum(event.qty for event in events)
        turnover = sum(event.price * event.qty for event in events)
        ohlc = (prices[0], max(prices), min(prices), prices[-1])
        rows.append((start, (timestamp(start), *ohlc, volume, turnover, len(events))))
    return rows


@pytest.mark.parametrize("interval", ["1m", "3m", "15m", "1d"])
def test_candles_between_two_times(queries: Queries, blocks: list[EventBlock], interval: str) -> None:
    rows = candles_by_hand(trades_of(blocks, 1), interval)
    starts = [start for start, _ in rows]
    middle = starts[len(starts) // 2]
    for from_ts, to_ts in (
        (middle, None),
        (middle + 1, None),
        (None, middle),
        (None, middle + 1),
        (middle, middle + 1),
    ):
        want = [
            row for start, row in rows if (from_ts is None or start >= from_ts) and (to_ts is None or start < to_ts)
        ]
        got = queries.candles(SYMBOL, interval, from_ts, to_ts, 1000).candles
        assert [msgspec.structs.astuple(candle) for candle in got] == want, (from_ts, to_ts)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_oldest_candle_of_a_short_page_is_whole(queries: Queries, blocks: list[EventBlock], limit: int) -> None:
    want = [row for _, row in candles_by_hand(trades_of(blocks, 1), "3m")][:limit]
    got = queries.candles(SYMBOL, "3m", limit=limit).candles
    assert [msgspec.structs.astuple(candle) for candle in got] == want


def test_pages_are_stable_while_rows_come(
    growing: tuple[Queries, Callable[[int], None]], blocks: list[EventBlock]
) -> None:
    queries, grow = growing
    grow(900)
    orders = [view.order_id for view in walk(lambda cursor: queries.orders(ACCOUNT, "all", None, cursor, 50), "orders")]
    fills = walk(lambda cursor: queries.fills(ACCOUNT, None, None, cursor, 50), "fills")
    trades = walk(lambda cursor: queries.trades(SYMBOL, cursor, 50), "trades")
    assert min(len(orders), len(fills), len(trades)) > 50

    size = 900

    def growing_page(page: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
        def read(cursor: str | None) -> Any:
            nonlocal size
            answer = page(cursor)
            size += 10
            grow(size)
            return answer

        return read

    while_growing = walk(growing_page(lambda cursor: queries.orders(ACCOUNT, "all", None, cursor, 11)), "orders")
    assert [view.order_id for view in while_growing] == orders
    before = {view.trade_id for view in fills}
    seen = walk(growing_page(lambda cursor: queries.fills(ACCOUNT, None, None, cursor, 23)), "fills")
    assert [view for view in seen if view.trade_id in before] == fills
    seen = walk(growing_page(lambda cursor: queries.trades(SYMBOL, cursor, 31)), "trades")
    assert [view for view in seen if view.trade_id <= trades[0].trade_id] == trades


def test_a_query_sees_one_state_while_the_projector_writes(
    growing: tuple[Queries, Callable[[int], None]], blocks: list[EventBlock]
) -> None:
    queries, grow = growing
    grow(100)
    wrong: list[str] = []
    finished = threading.Event()
    rounds = 0

    def read() -> None:
        nonlocal rounds
        while not finished.is_set() or rounds == 0:
            page = queries.orders(ACCOUNT, limit=1000)
            fills = queries.fills(ACCOUNT, limit=1000)
            if any(view.seq > page.seq for view in page.orders) or any(view.seq > fills.seq for view in fills.fills):
                wrong.append("a row is newer than the page's position")
            rounds += 1

    reader = threading.Thread(target=read)
    reader.start()
    for until in range(100, len(blocks), 20):
        grow(until)
    finished.set()
    reader.join()
    assert rounds > 1
    assert wrong == []


def test_unknown_things_are_told(queries: Queries) -> None:
    with pytest.raises(UnknownSymbolError):
        queries.orders(ACCOUNT, symbol="999999")
    with pytest.raises(UnknownSymbolError):
        queries.trades("999999")
    with pytest.raises(KeyError):
        queries.orders(ACCOUNT, "gone")
    with pytest.raises(KeyError):
        queries.candles(SYMBOL, "2m")


def test_a_new_instrument_is_known_at_once(growing: tuple[Queries, Callable[[int], None]], blocks: Any) -> None:
    queries, grow = growing
    grow(12)
    with pytest.raises(UnknownSymbolError):
        queries.trades(SYMBOLS[9])
    grow(200)
    assert queries.trades(SYMBOLS[9]).trades == []


@pytest.mark.parametrize(
    "cursor",
    ["", "!!!", "x" * 100, "é", encode_cursor("f", 1, 2), encode_cursor("o", 2**63), encode_cursor("o", 1, 2), "bzE=="],
)
def test_a_cursor_of_something_else_is_refused(queries: Queries, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        queries.orders(ACCOUNT, cursor=cursor)


def test_a_cursor_comes_back() -> None:
    assert decode_cursor("f", 2, encode_cursor("f", 2**63 - 1, 0)) == (2**63 - 1, 0)


def test_candles_of_more_than_a_database_integer(database: Place) -> None:
    """Three trades of 2**62 in three minutes: their sum is no 64-bit integer, in a longer candle it is exact."""
    trades = [
        EventBlock(
            venue=1, epoch=1, semantics=1, seq=seq, ts=seq * 60_000_000, command_kind=1,
            payload=_bytes(Trade(
                seq=seq, ts=seq * 60_000_000, idx=0, instrument=1, trade_id=seq, price=2**31, qty=2**31,
                buy_order_id=1, sell_order_id=2,
            )),
        )
        for seq in (31, 32, 33)
    ]  # fmt: skip
    journal = MemoryJournal([*blocks_of(records(5, 0))[:30], *trades])
    projector = Projector(journal, database)
    projector.catch_up()
    queries = Queries(database)
    assert [candle.turnover for candle in queries.candles(SYMBOL, "60m").candles] == [3 * 2**62]
    assert [candle.turnover for candle in queries.candles(SYMBOL, "1d").candles] == [2**63 - 1]
    queries.close()
    projector.stop()


def _bytes(event: Trade) -> bytes:
    return encode_event(event)


def test_asking_is_bounded(queries: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onseju.projections.queries.MAX_PENDING", 5)
    go = threading.Event()

    async def ask() -> None:
        waiting = [asyncio.create_task(queries.ask(go.wait, 20)) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(QueriesBusyError):
            await queries.ask(queries.order_owner, 1)
        go.set()
        assert await asyncio.gather(*waiting) == [True] * 5
        assert await queries.ask(queries.order_owner, 10**15) is None

    asyncio.run(ask())


def test_an_error_of_the_database_is_named(tmp_path: Path) -> None:
    queries = Queries(tmp_path / "missing.db")

    async def ask() -> None:
        with pytest.raises(QueriesFailedError, match="unable to open"):
            await queries.ask(queries.order_owner, 1)

    asyncio.run(ask())
    queries.close()


def test_no_query_searches_a_whole_table(queries: Queries) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    sa.event.listen(queries._engine, "before_cursor_execute", note)
    order_cursor, fill_cursor = encode_cursor("o", 500), encode_cursor("f", 800, 1)
    for status in ("all", "open", "done", *(status.label for status in OrderStatus)):
        for symbol in (None, SYMBOL):
            for cursor in (None, order_cursor):
                queries.orders(ACCOUNT, status, symbol, cursor, 10)
    for symbol in (None, SYMBOL):
        for order_id in (None, 5):
            for cursor in (None, fill_cursor):
                queries.fills(ACCOUNT, symbol, order_id, cursor, 10)
    queries.order(ACCOUNT, 5)
    queries.order_owner(5)
    queries.order_by_client_id(ACCOUNT, "c-5")
    queries.open_order_count(ACCOUNT)
    queries.holdings(ACCOUNT)
    queries.trades(SYMBOL)
    queries.trades(SYMBOL, encode_cursor("t", 50))
    for interval in INTERVALS:
        queries.candles(SYMBOL, interval)
        queries.candles(SYMBOL, interval, 1, 2**60)
    sa.event.remove(queries._engine, "before_cursor_execute", note)

    checked = 0
    with queries._engine.connect() as connection:
        for statement, parameters in statements:
            if not statement.startswith("SELECT") or "FROM progress" in statement:
                continue
            checked += 1
            plan = plan_of(connection, statement, parameters)
            for line in plan:
                assert not re.search(
                    r"(SCAN|Seq Scan on) (orders|fills|trades|balances|positions|candles|acc)", line
                ), (
                    statement,
                    plan,
                )
            if "candles" not in statement:
                assert not any("TEMP B-TREE" in line or "Sort" in line for line in plan), (statement, plan)
    assert checked > 40


def plan_of(connection: sa.Connection, statement: str, parameters: Any) -> list[str]:
    """How the database finds the rows."""
    if connection.dialect.name == "sqlite":
        return [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)]
    return [row[0] for row in connection.exec_driver_sql("EXPLAIN " + statement, parameters)]


def test_an_accounts_open_orders_are_not_looked_for_among_its_done_ones(queries: Queries) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM orders" in statement:
            statements.append((statement, parameters))

    sa.event.listen(queries._engine, "before_cursor_execute", note)
    queries.orders(ACCOUNT, "open")
    queries.orders(ACCOUNT, "open", SYMBOL)
    queries.orders(ACCOUNT, "partially_filled", SYMBOL)
    queries.orders(ACCOUNT, "rejected", SYMBOL)
    queries.orders(ACCOUNT, "done")
    sa.event.remove(queries._engine, "before_cursor_execute", note)
    with queries._engine.connect() as connection:
        plans = [" ".join(plan_of(connection, *one)) for one in statements]
    used = [re.findall(r"(?:INDEX|using) (\w+)", plan) for plan in plans]
    is_sqlite = queries._engine.dialect.name == "sqlite"
    of_symbol = "ix_orders_done_status" if is_sqlite else "ix_orders_account_instrument"
    assert used == [["ix_orders_open"]] * 3 + [[of_symbol], ["ix_orders_account"]]
