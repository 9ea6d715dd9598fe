"""Collects a command's events and puts them into bytes, in the order that the contract fixes."""

from __future__ import annotations

from typing import Any, TypeVar

from onseju.contract.commands import CancelOrder, Command, CorrectOrder, NewOrder
from onseju.contract.events import (
    AuctionIndicated,
    BalanceChanged,
    Event,
    LevelChanged,
    OrderEvent,
    OrderRejected,
    PositionChanged,
    RequestRejected,
    encode_event,
)
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderStatus, Side
from onseju.matching.accounts import Account, Position
from onseju.matching.auction import AuctionPricer
from onseju.matching.book import BookSide
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.quotes import MarketLevel, Quotes

E = TypeVar("E", bound=Event)
EMPTY_LEVEL = (0, 0)
NO_MARKETS = MarketLevel()
MOST_SHOWN = 2**63 - 1
"""The largest quantity that a record holds. Market buys that pay as they go reserve nothing, so a level may have more."""


class Outbox:
    """One command's events.

    What happened to orders and trades is written as it happens. Books, levels, positions and balances are only *noted*
    before they are touched; `finish` writes, once each, what differs after the command from before it.
    """

    __slots__ = ("_balances", "_books", "_chunks", "_levels", "_positions", "_pricer", "_quotes", "idx", "seq", "ts")

    def __init__(self, quotes: Quotes, pricer: AuctionPricer) -> None:
        self._quotes = quotes
        self._pricer = pricer
        self._chunks: list[bytes] = []
        self._books: dict[int, tuple[Instrument, dict[Side, MarketLevel]]] = {}
        self._levels: dict[tuple[int, Side, int], tuple[BookSide, tuple[int, int]]] = {}
        self._positions: dict[tuple[int, int], tuple[Position, tuple[int, int, int, int]]] = {}
        self._balances: dict[int, tuple[Account, tuple[int, int, int, int]]] = {}
        self.seq = 0
        self.ts = 0
        self.idx = 0

    def begin(self, seq: int, ts: int) -> None:
        """A command's events follow."""
        self.seq, self.ts, self.idx = seq, ts, 0

    def take_bytes(self) -> bytes:
        """The events since the last call."""
        payload = b"".join(self._chunks)
        self._chunks.clear()
        return payload

    def write(self, event_class: type[E], **fields: Any) -> None:
        """Write one event; the outbox knows its place and time."""
        self._chunks.append(encode_event(event_class(seq=self.seq, ts=self.ts, idx=self.idx, **fields)))
        self.idx += 1

    def write_order(
        self, event_class: type[OrderEvent], order: Order, status: OrderStatus, reason: Reason = Reason.NONE
    ) -> None:
        """Write an order as it stands now."""
        self.write(
            event_class,
            account=order.account,
            instrument=order.instrument,
            reason=reason,
            order_id=order.order_id,
            parent_order_id=order.parent_order_id,
            qty=order.qty,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            leaves_qty=order.leaves_qty,
            filled_qty=order.filled_qty,
            canceled_qty=order.canceled_qty,
            filled_amount=order.filled_amount,
            client_id=order.client_id,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            status=status,
        )

    def reject_order(self, command: NewOrder, order_id: int, instrument: Instrument | None, reason: Reason) -> None:
        """Write that a new order was refused. An instrument that does not exist is not repeated."""
        self.write(
            OrderRejected,
            account=command.account,
            instrument=instrument.number if instrument else 0,
            reason=reason,
            order_id=order_id,
            qty=command.qty,
            limit_price=command.limit_price,
            stop_price=command.stop_price,
            canceled_qty=max(command.qty, 0),
            client_id=command.client_id,
            side=command.side,
            order_type=command.order_type,
            time_in_force=command.time_in_force,
            status=OrderStatus.REJECTED,
        )

    def reject_request(self, command: Command, reason: Reason, instrument: Instrument | None = None) -> None:
        """Write that a request other than a new order was refused."""
        self.write(
            RequestRejected,
            account=command.account,
            instrument=instrument.number if instrument else 0,
            reason=reason,
            order_id=command.order_id if isinstance(command, CancelOrder | CorrectOrder) else 0,
            client_id=command.client_id,
            command_kind=command.kind,
        )

    def touch(self, instrument: Instrument) -> None:
        """Call before anything is changed that an instrument's prices depend on: its book, last price, limits, phase."""
        if instrument.number not in self._books:
            self._books[instrument.number] = (instrument, self._quotes.market_levels(instrument))

    def note_level(self, instrument: Instrument, side: Side, price: int) -> None:
        """Call before a level is touched."""
        self.touch(instrument)
        key = (instrument.number, side, price)
        if key not in self._levels:
            book_side = instrument.book.side(side)
            self._levels[key] = (book_side, book_side.levels.get(price, EMPTY_LEVEL))

    def note_position(self, account: Account, instrument: int) -> Position:
        """Call before a position is touched; gives the position."""
        position = account.position(instrument)
        key = (account.number, instrument)
        if key not in self._positions:
            before = (position.qty, position.reserved_qty, position.cost_amount, position.realized_profit)
            self._positions[key] = (position, before)
        return position

    def note_balance(self, account: Account) -> None:
        """Call before an account's cash, reserved or unsettled cash is touched."""
        if account.number not in self._balances:
            self._balances[account.number] = (account, account.balance)

    def finish(self) -> None:
        """The command is done: write what the auctions would give, the levels, positions and balances that it changed,
        in ascending order."""
        for _, (instrument, _) in sorted(self._books.items()):
            self._indicate(instrument)
        self._write_levels()
        for (number, instrument_number), (position, was) in sorted(self._positions.items(), key=lambda item: item[0]):
            now = (position.qty, position.reserved_qty, position.cost_amount, position.realized_profit)
            if now != was:
                qty, reserved_qty, cost_amount, realized_profit = now
                self.write(
                    PositionChanged,
                    account=number,
                    instrument=instrument_number,
                    qty=qty,
                    reserved_qty=reserved_qty,
                    cost_amount=cost_amount,
                    realized_profit=realized_profit,
                )
        for number, (account, held) in sorted(self._balances.items(), key=lambda item: item[0]):
            if account.balance != held:
                cash, reserved, d1, d2 = account.balance
                self.write(
                    BalanceChanged, account=number, cash=cash, reserved_cash=reserved, unsettled_d1=d1, unsettled_d2=d2
                )
        self._books.clear()
        self._levels.clear()
        self._positions.clear()
        self._balances.clear()

    def _indicate(self, instrument: Instrument) -> None:
        """Tell what an auction would give now, where that is not what was told last."""
        if not instrument.phase.is_auction:
            instrument.indicated = (0, 0)
            return
        found = self._pricer.find(instrument)
        if found != instrument.indicated:
            instrument.indicated = (found.price, found.qty)
            self.write(AuctionIndicated, instrument=instrument.number, price=found.price, qty=found.qty)

    def _write_levels(self) -> None:
        """Write the levels that show something else than before: limit orders, and market orders where they float."""
        markets: dict[tuple[int, Side], tuple[MarketLevel, MarketLevel]] = {}
        for number, (instrument, before) in self._books.items():
            after = self._quotes.market_levels(instrument)
            for side in before.keys() | after.keys():
                pair = before.get(side, NO_MARKETS), after.get(side, NO_MARKETS)
                markets[number, side] = pair
                for market in pair:
                    if market.price:
                        self._note_unchanged(instrument, side, market.price)
        for (number, side, price), (book_side, was) in sorted(self._levels.items(), key=lambda item: item[0]):
            market_before, market_after = markets.get((number, side), (NO_MARKETS, NO_MARKETS))
            before_level = _with_markets(price, was, market_before)
            level = _with_markets(price, book_side.levels.get(price, EMPTY_LEVEL), market_after)
            if level != before_level:
                qty, count = level
                shown = min(qty, MOST_SHOWN)
                self.write(LevelChanged, instrument=number, price=price, qty=shown, order_count=count, side=side)

    def _note_unchanged(self, instrument: Instrument, side: Side, price: int) -> None:
        """A level whose limit orders, if nobody noted it, are as they were."""
        book_side = instrument.book.side(side)
        self._levels.setdefault((instrument.number, side, price), (book_side, book_side.levels.get(price, EMPTY_LEVEL)))


def _with_markets(price: int, limits: tuple[int, int], markets: MarketLevel) -> tuple[int, int]:
    """What shows at a price: the limit orders there, and the market orders if they rest at it."""
    if price != markets.price:
        return limits
    return limits[0] + markets.qty, limits[1] + markets.order_count
