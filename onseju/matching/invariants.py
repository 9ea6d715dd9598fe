"""What must hold of the state after every command. Used by tests; each finding says in words what is wrong."""

from __future__ import annotations

from collections import Counter

from onseju.matching.counterparty import Counterparties
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order, reservation
from onseju.matching.quotes import Quotes
from onseju.matching.state import State


def check(state: State) -> None:
    """Raise `AssertionError` for the first contradiction found."""
    _check_money(state)
    _check_reservations(state)
    for order in state.orders.values():
        _check_order(order)
    for instrument in state.instruments:
        _check_book(state, instrument)


def _expect(holds: bool, words: str) -> None:
    if not holds:
        raise AssertionError(words)


def _check_money(state: State) -> None:
    """Cash and shares are conserved: accounts together hold what was deposited less what was withdrawn."""
    cash = sum(account.cash for account in state.accounts.values())
    _expect(cash == state.total_cash, f"the accounts hold {cash} of cash, {state.total_cash} was deposited")
    for day, moves in (
        ("D+1", [a.unsettled_d1 for a in state.accounts.values()]),
        ("D+2", [a.unsettled_d2 for a in state.accounts.values()]),
    ):
        _expect(sum(moves) == 0, f"what arrives on {day} is not what leaves: {moves}")
    shares: Counter[int] = Counter()
    for account in state.accounts.values():
        for number, position in account.positions.items():
            shares[number] += position.qty
    for instrument in state.instruments:
        held, given = shares[instrument.number], instrument.total_shares
        _expect(
            held == given, f"the accounts hold {held} shares of instrument {instrument.number}, {given} were deposited"
        )


def _check_reservations(state: State) -> None:
    """An account reserves what its open orders need, no more and no less, and never more than it has."""
    cash: Counter[int] = Counter()
    shares: Counter[tuple[int, int]] = Counter()
    for order in state.orders.values():
        if order.is_buy:
            cash[order.account] += reservation(order.reserve_price, order.leaves_qty, order.commission_ppm)
        else:
            shares[order.account, order.instrument] += order.leaves_qty
    for account in state.accounts.values():
        who, reserved = f"account {account.number}", account.reserved_cash
        _expect(reserved == cash[account.number], f"{who} reserves {reserved}, its orders need {cash[account.number]}")
        _expect(0 <= reserved <= account.cash, f"{who} reserves {reserved} of {account.cash}")
        for instrument, position in account.positions.items():
            need = shares[account.number, instrument]
            what = f"{who} reserves {position.reserved_qty} shares of instrument {instrument}"
            _expect(position.reserved_qty == need, f"{what}, its orders need {need}")
            _expect(0 <= position.reserved_qty <= position.qty, f"{what} of {position.qty}")
            _expect(position.cost_amount >= 0, f"{who} holds shares of instrument {instrument} at a negative cost")


def _check_order(order: Order) -> None:
    """A live order has open shares, and every share of it is open, filled or canceled."""
    name = f"order {order.order_id}"
    _expect(order.leaves_qty > 0, f"{name} is live with {order.leaves_qty} shares open")
    parts = order.leaves_qty + order.filled_qty + order.canceled_qty
    _expect(parts == order.qty, f"{name} has {parts} shares open, filled and canceled, and is of {order.qty}")


def _check_book(state: State, instrument: Instrument) -> None:
    """The book holds exactly the live orders, its levels are their sums, and it is not crossed while trading goes on."""
    name = f"the book of instrument {instrument.number}"
    live = {order.order_id for order in state.orders.values() if order.instrument == instrument.number}
    rests: set[int] = set()
    for side in (instrument.book.buys, instrument.book.sells):
        levels: dict[int, tuple[int, int]] = {}
        for order in side.limits.in_order():
            qty, count = levels.get(order.limit_price, (0, 0))
            levels[order.limit_price] = (qty + order.leaves_qty, count + 1)
            rests.add(order.order_id)
        for queue in (side.markets, side.midpoints, side.stops):
            rests.update(order.order_id for order in queue.in_order())
        resting_markets = sum(order.leaves_qty for order in side.markets.in_order())
        _expect(side.market_qty == resting_markets, f"{name} counts {side.market_qty} shares at market")
        _expect(levels == side.levels, f"{name} shows levels {side.levels}, its orders make {levels}")
    _expect(rests == live, f"{name} holds orders {sorted(rests)}, live are {sorted(live)}")
    if instrument.phase.is_continuous:
        crossing = Counterparties(Quotes(state)).crossing(instrument)
        _expect(crossing is None, f"{name} is crossed: {crossing}")
