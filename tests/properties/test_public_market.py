"""What the public side tells is what the engine holds, after every command of long random days in every phase."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import SetRule
from onseju.contract.words import AuctionPricing, MarketRemainder, OrderType, Phase, Rule, Side
from onseju.market.places import QueuePosition
from onseju.matching.counterparty import Counterparties
from onseju.matching.instruments import Instrument
from onseju.matching.orders import Order
from onseju.matching.quotes import Quotes
from onseju.rules.packs import RulesName
from tests.properties.busy_day import BusyDay
from tests.properties.streams import streams
from tests.unit.market.live import LiveMarket

COMMANDS = 300
KRX_TYPES = tuple(word for word in OrderType if word is not OrderType.STOP)
PLAIN_TYPES = (OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT)

VARIANTS: dict[str, tuple[RulesName, dict[Rule, int]]] = {
    "krx": ("krx", {}),
    "interruptions": ("krx", {Rule.VI_DYNAMIC_PPM: 2_000, Rule.VI_STATIC_PPM: 4_000}),
    "plain": ("plain", {}),
    "rest": ("plain", {Rule.MARKET_REMAINDER: MarketRemainder.REST}),
    "float": ("plain", {Rule.MARKET_REMAINDER: MarketRemainder.FLOAT, Rule.AUCTION_PRICING: AuctionPricing.KRX}),
}
Level = tuple[Side, int]


def busy(variant: str, seed: int) -> tuple[LiveMarket, BusyDay]:
    rules, values = VARIANTS[variant]
    live = LiveMarket(rules)
    for rule, value in values.items():
        live.do(SetRule(rule=rule, value=value))
    types = KRX_TYPES if rules == "krx" else PLAIN_TYPES
    return live, BusyDay(live, seed, (2, 3, 4), types + (OrderType.LIMIT,) * 4 + (OrderType.MARKET,) * 2)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("variant", VARIANTS)
def test_depth_and_places_are_the_engines_in_every_phase(variant: str, seed: int) -> None:
    """The depth is the engine's book, floating market orders included; ahead of each order are the shares that the engine
    would trade before it (KRX BR 22, 24, ER 34)."""
    live, day = busy(variant, seed)
    for _ in range(COMMANDS):
        live.do(day.next_command())
        check_depth(live)
        check_places(live)


def check_depth(live: LiveMarket) -> None:
    for instrument in live.engine.state.instruments:
        bids, asks = live.engine.book(instrument.number)
        book = live.market.book(live.market.directory.symbol_of(instrument.number), 10_000)
        assert book is not None
        assert (book.bids, book.asks) == (list(bids), list(asks))


@pytest.mark.parametrize("variant", VARIANTS)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_depth_and_places_after_whatever_is_asked(variant: str, data: st.DataObject) -> None:
    """Wild commands too: refused ones move nothing. Published in batches."""
    live, _ = busy(variant, 1)
    live.in_batch = True
    for number, command in enumerate(data.draw(streams(VARIANTS[variant][0]))):
        live.do(command)
        if number % 3 == 0:
            live.publish()
            check_depth(live)
            check_places(live)


def check_places(live: LiveMarket) -> Counter[str]:
    """Compare all places; gives what there was to compare.

    Those of market orders only while no turns are left: once the last limit order of the turns' price is gone, market
    orders have another price, and in the copied book these turns end before their time.
    """
    seen: Counter[str] = Counter()
    told = {place.order_id: place for account in (2, 3, 4) for place in live.queues.positions(account)}
    expected = {place.order_id: place for place in places(live, seen)}
    assert told.keys() == expected.keys()
    for order in live.engine.state.orders.values():
        if not (seen["turns"] and order.is_market):
            place = live.queues.position(order.account, order.order_id)
            assert place == told.get(order.order_id) == expected.get(order.order_id)
    return seen


def places(live: LiveMarket, seen: Counter[str]) -> list[QueuePosition]:
    """Where the engine has each order that shows at a price, found by letting a copy of the book trade until it is empty."""
    return [place for instrument in live.engine.state.instruments for place in places_of(live, instrument, seen)]


def places_of(live: LiveMarket, instrument: Instrument, seen: Counter[str]) -> list[QueuePosition]:
    quotes = Quotes(live.engine.state)
    levels: dict[int, Level] = {}
    sizes: dict[int, int] = {}
    totals: defaultdict[Level, int] = defaultdict(int)
    for side in Side:
        shown = [(order, order.limit_price) for order in instrument.book.side(side).limits.in_order()]
        market_level = quotes.market_levels(instrument).get(side)
        if market_level is not None:
            shown += [(order, market_level.price) for order in instrument.book.side(side).markets.in_order()]
            seen["market at a price"] += 1
            seen["market at a limit"] += instrument.is_at_limit(side, market_level.price)
        for order, price in shown:
            levels[order.order_id] = (side, price)
            sizes[order.order_id] = order.leaves_qty
            totals[side, price] += order.leaves_qty
    if instrument.book.pool and instrument.book.pool.first():
        seen["turns"] += 1
    found = []
    taken: defaultdict[Level, int] = defaultdict(int)
    met: defaultdict[Level, set[int]] = defaultdict(set)
    for side in Side:
        for order_id, qty in turns(live, instrument, side):
            level = levels[order_id]
            if order_id not in met[level]:
                found.append(
                    QueuePosition(
                        order_id=order_id,
                        ahead_qty=taken[level],
                        leaves_qty=sizes[order_id],
                        level_qty=totals[level],
                        ahead_orders=len(met[level]),
                    )
                )
            met[level].add(order_id)
            taken[level] += qty
    return found


def turns(live: LiveMarket, instrument: Instrument, side: Side) -> list[tuple[int, int]]:
    """The orders of a side that show at a price, with the shares that each trades before the next one's turn."""
    copy = replace(instrument, book=instrument.book.copy())
    book_side = copy.book.side(side)
    for order in book_side.midpoints.in_order():
        book_side.remove(order)
    if copy.phase.is_auction:
        copy.book.pool = None  # other auctions ignore it
    quotes = Quotes(live.engine.state)
    if not quotes.market_levels(copy).get(side):
        for order in book_side.markets.in_order():
            book_side.remove(order)
    counterparties = Counterparties(quotes)
    found = []
    while match := counterparties.best_resting(copy, side):
        order: Order = match.order
        found.append((order.order_id, match.qty))
        if copy.book.pool:
            copy.book.pool.take(order, match.price, match.qty)
        if match.qty == order.leaves_qty:
            book_side.remove(order)
        else:
            book_side.reduce(order, match.qty)
        order.leaves_qty -= match.qty
    return found


def test_the_days_have_what_the_places_are_about() -> None:
    seen: Counter[str] = Counter()
    for seed in range(1, 11):
        live, day = busy("krx", seed)
        for _ in range(COMMANDS):
            live.do(day.next_command())
            seen += check_places(live)
            seen[live.instrument.phase.label] += 1
    for name in ("market at a price", "market at a limit", "turns", *(phase.label for phase in Phase)):
        if name not in ("pre_open", "vi_auction"):
            assert seen[name] > 0, name
