"""Whether what a snapshot says could be what commands made: numbers within their bounds, everything that is named there.

The hash tells damage, not forgery: whoever writes records can sum them up. So what the machine relies on is checked before a
state is taken up, the values one by one here, and that they add up by `invariants.py`.
"""

from __future__ import annotations

from collections import Counter

from onseju.contract.money import MAX_AMOUNT, fits
from onseju.contract.words import AccountKind, Board, Phase, Rule, Security
from onseju.matching.accounts import Account
from onseju.matching.instruments import Instrument
from onseju.matching.orders import BEST, PPM, WITH_LIMIT, Order, reservation
from onseju.matching.rulebook import RATES, is_valid_value
from onseju.matching.session_desk import LAST_STAGE, is_day
from onseju.matching.state import State
from onseju.matching.venue_desk import MAX_LIMIT_PPM, MAX_TICK_BANDS, SYMBOL
from onseju.rules.ticks import ceil_to_grid, first_day_limits, price_limits

MAX_NUMBER = 1 << 62
"""Numbers that are given one after the other stay below."""

MAX_INTERRUPTIONS = 1 << 31
"""A count of interruptions that no day comes near."""


def check(state: State) -> None:
    """Raise `ValueError`, with words, for the first value that is not within its bounds. Whether the values add up is
    asked of `invariants.check`."""
    _check_counters(state)
    _check_rules(state)
    for account in state.accounts.values():
        _check_account(state, account)
    symbols = Counter(instrument.symbol.rstrip(b"\0") for instrument in state.instruments)
    _expect(all(count == 1 for count in symbols.values()), "two instruments of one symbol")
    for instrument in state.instruments:
        _check_instrument(state, instrument)
    priorities = {order.priority for order in state.orders.values()}
    _expect(len(priorities) == len(state.orders), "two orders of one priority")
    for order in state.orders.values():
        _check_order(state, order, state.instruments[order.instrument - 1])
    _check_sums(state)
    for uses in (state.repeats.today, state.repeats.yesterday):
        _expect(all(1 <= use.seq <= state.last_seq for use in uses.values()), "a client id of a later command")


def check_band(from_price: int, tick: int) -> None:
    """Raise `ValueError` for a band of a tick table that could not be set."""
    _expect(fits(from_price) and 0 < tick <= MAX_AMOUNT, f"a tick of {tick} from {from_price}")


def _expect(holds: bool, words: str) -> None:
    if not holds:
        raise ValueError(words)


def _check_counters(state: State) -> None:
    last = (state.last_seq, state.last_order_id, state.last_trade_id, state.last_priority)
    _expect(all(number <= MAX_NUMBER for number in last) and fits(state.total_cash), "a counter out of its bounds")
    _expect(is_day(state.trading_day) if state.is_open else state.trading_day == 0, "no trading day")
    venues = [account.number for account in state.accounts.values() if account.kind == AccountKind.VENUE]
    _expect(venues == ([state.venue_account] if state.venue_account else []), "another venue account than said")


def _check_rules(state: State) -> None:
    given = [(0, state.rules.values), *((found.number, found.rules) for found in state.instruments)]
    has_fees = any(
        order.commission_ppm or order.transaction_tax_ppm or order.rural_tax_ppm for order in state.orders.values()
    )
    for number, rules in given:
        for rule, value in rules.items():
            is_new = number != 0 and rule == Rule.NEW_LISTING and value in (0, 1)
            _expect(is_new or is_valid_value(rule, value, number != 0), f"rule {rule} of {value}")
            has_fees |= rule in RATES and value > 0
    _expect(bool(state.venue_account) or not has_fees, "a fee without an account to go to")
    _expect(all(len(bands) <= MAX_TICK_BANDS for bands in state.rules.tick_tables.values()), "too many bands")


def _check_account(state: State, account: Account) -> None:
    name, cash, d1, d2 = f"account {account.number}", account.cash, account.unsettled_d1, account.unsettled_d2
    _expect(account.number != 0 and account.kind in set(AccountKind), f"{name}: no such account can be")
    _expect(account.opened_seq <= state.last_seq, f"{name}: opened by a later command")
    _expect(fits(cash) and all(fits(abs(part)) for part in (d1, d2, cash - d1 - d2, cash - d2)), f"{name}: its cash")
    for position in account.positions.values():
        statistics = fits(position.cost_amount) and fits(abs(position.realized_profit))
        _expect(fits(position.qty) and statistics, f"{name}: a position out of its bounds")


def _check_instrument(state: State, instrument: Instrument) -> None:
    name = f"instrument {instrument.number}"
    is_listed = (
        SYMBOL.fullmatch(instrument.symbol.rstrip(b"\0"))
        and instrument.board in set(Board)
        and instrument.security in set(Security)
        and instrument.leverage != 0
        and instrument.limit_ppm <= MAX_LIMIT_PPM
        and instrument.tick_table <= 255
        and fits(instrument.listed_shares)
        and state.rules.is_whole(instrument.tick_table)
    )
    _expect(bool(is_listed), f"{name} could not be listed")
    base = instrument.base_price
    prices = (base, instrument.last_price, instrument.close_price, instrument.auction_price, *instrument.indicated)
    _expect(all(map(fits, prices)) and fits(instrument.total_shares), f"{name}: a number out of its bounds")
    _expect(base == (ceil_to_grid(instrument.bands, base) if base else 0), f"{name}: its base price is not on the grid")
    if instrument.is_new:
        limits = first_day_limits(base, instrument.bands)
    else:
        limits = price_limits(base, instrument.limit_ppm, instrument.bands, instrument.leverage)
    _expect(limits == instrument.limits and (instrument.has_limits or not instrument.is_new), f"{name}: its limits")
    counts = instrument.interruptions <= MAX_INTERRUPTIONS and instrument.breaker_stage <= LAST_STAGE
    _expect(counts, f"{name}: a count out of its bounds")
    _expect(all(phase in set(Phase) for phase, _ in instrument.phases_done), f"{name}: a phase that is not there")
    pool = instrument.book.pool
    if pool is not None:
        _expect(pool.price > 0, f"{name}: a pool at no price")
        for turn in pool.turns:
            order = turn.order
            is_here = order.limit_price == pool.price or order.is_market
            is_here = is_here and (order.instrument, order.side) == (instrument.number, pool.side)
            _expect(turn.open_qty > 0 and is_here, f"{name}: a turn in its pool that is none")


def _check_order(state: State, order: Order, instrument: Instrument) -> None:
    name = f"order {order.order_id}"
    is_given = 1 <= order.order_id <= state.last_order_id and 1 <= order.priority <= state.last_priority
    _expect(is_given, f"{name} was not given")
    parts = (order.leaves_qty, order.filled_qty, order.canceled_qty, order.qty)
    amounts = (order.filled_amount, order.commission, order.transaction_tax, order.rural_tax)
    _expect(order.leaves_qty > 0 and all(map(fits, (*parts, *amounts))), f"{name}: a number out of its bounds")
    rates = (order.commission_ppm, order.transaction_tax_ppm, order.rural_tax_ppm)
    _expect(all(rate <= PPM for rate in rates), f"{name}: a rate above the whole")
    has_price = order.order_type in WITH_LIMIT or order.order_type in BEST
    is_priced = _is_price(order.limit_price, instrument) if has_price else order.limit_price == 0
    _expect(is_priced and order.limit_price <= MAX_AMOUNT, f"{name}: its price")
    _expect(order.stop_price >= 0, f"{name}: its stop price")
    _expect(not order.sleeps or _is_price(order.stop_price, instrument), f"{name}: its stop price")
    unit = 0
    if order.is_buy:
        upper = instrument.limits.upper
        unit = order.limit_price if order.order_type in WITH_LIMIT or upper == 0 else upper
    reserved = reservation(unit, order.leaves_qty, order.commission_ppm)
    is_reserved = (order.reserve_price, order.reserved_cash) == (unit, reserved) and fits(reserved)
    _expect(is_reserved, f"{name}: what it reserves")


def _is_price(price: int, instrument: Instrument) -> bool:
    return instrument.is_on_grid(price) and instrument.is_within_limits(price)


def _check_sums(state: State) -> None:
    """What is bought is bounded by the cash, what is sold by the shares; so no level can be too large to be counted."""
    shown: Counter[tuple[int, int]] = Counter()
    for order in state.orders.values():
        if order.has_own_price:
            shown[order.instrument, order.side] += order.leaves_qty
    _expect(all(map(fits, shown.values())), "more shares at limit prices than there can be")
