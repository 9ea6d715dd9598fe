"""How instruments stand, from the events of the real engine: phases, auctions, interruptions, what may be ordered."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import Halt, Resume, RollDay, SetRule, Uncross
from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.contract.words import OrderType, Phase, Rule, Security, Side, type_mask
from onseju.market.state_feed import STATE_RING_FRAMES
from onseju.market.states import StateView, state_view
from onseju.matching.volatility import interruption
from onseju.rules.ticks import next_down, next_up
from tests.properties.busy_day import BusyDay
from tests.properties.driver import DAY, SECOND
from tests.unit.market.live import BASE, SYMBOL, LiveMarket, taken

BUY, SELL = Side.BUY, Side.SELL
DYNAMIC_PPM, STATIC_PPM = 30_000, 100_000


def state(live: LiveMarket) -> StateView:
    return state_view(live.instrument, live.market.directory, None)


def interrupting() -> LiveMarket:
    """A venue with volatility interruptions, in continuous trading."""
    live = LiveMarket()
    live.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=DYNAMIC_PPM))
    live.do(SetRule(rule=Rule.VI_STATIC_PPM, value=STATIC_PPM))
    return live


def test_an_auction_from_its_first_order_to_continuous_trading() -> None:
    """KRX rules 1.4, 5.2: the indicative price follows the orders; what the auction fixed is the new reference."""
    live = LiveMarket()
    live.phase(Phase.OPENING_AUCTION)
    assert live.market.phase is Phase.OPENING_AUCTION
    assert (state(live).phase, state(live).indicative_price) == ("opening_auction", None)
    assert state(live).phase_since == timestamp(live.seq * SECOND)
    live.order(BUY, 10, 99_000)
    live.order(SELL, 4, 98_900, account=3)
    assert (state(live).indicative_price, state(live).indicative_qty) == (99_000, 4)
    assert live.instrument.previous_price == BASE
    live.do(Uncross(instrument=0))
    assert (state(live).indicative_price, state(live).indicative_qty) == (None, None)
    assert live.instrument.auction_price == live.instrument.previous_price == live.instrument.last_price == 99_000
    live.phase(Phase.CONTINUOUS)
    live.order(BUY, 1, 99_500)
    live.order(SELL, 1, 99_400, account=3)
    assert (live.instrument.previous_price, live.instrument.auction_price) == (99_500, 99_000)


def test_what_an_auction_would_give_is_forgotten_with_the_auction() -> None:
    live = LiveMarket()
    live.phase(Phase.OPENING_AUCTION)
    live.order(BUY, 10, 99_000)
    live.order(SELL, 4, 98_900, account=3)
    assert live.instrument.indicative_qty == 4
    live.do(Halt(instrument=1))
    assert (state(live).phase, state(live).indicative_price, state(live).indicative_qty) == ("halted", None, None)
    live.do(Resume(instrument=1, phase=Phase.RESUMPTION_AUCTION))
    assert (state(live).phase, state(live).indicative_qty) == ("resumption_auction", 4)


def test_a_dynamic_interruption_begins_at_the_bound_and_tells_why() -> None:
    """KRX BR 26-2: 3 % of 98,500 is 2,955, so the first price that interrupts is 101,500."""
    live = interrupting()
    before = state(live)
    assert (before.vi_dynamic_lower, before.vi_dynamic_upper) == (95_500, 101_500)
    assert (before.vi_static_lower, before.vi_static_upper) == (88_600, 108_400)
    live.order(SELL, 1, 101_400, account=3)
    live.order(SELL, 1, 101_500, account=3)
    live.order(BUY, 1, 101_400)
    assert (state(live).phase, state(live).vi_count) == ("continuous", 0)
    assert state(live).vi_dynamic_upper == 104_500  # 3 % of 101,400 is 3,042
    live.order(SELL, 5, 104_500, account=3)
    live.order(BUY, 9, 104_500)
    after = state(live)
    assert (after.phase, after.phase_reason, after.vi_count) == ("vi_auction", "vi_dynamic", 1)
    assert (after.vi_dynamic_upper, after.vi_static_upper) == (None, None)
    assert after.phase_since == timestamp(live.seq * SECOND)
    assert after.indicative_price == 104_500
    live.do(Uncross(instrument=1))
    live.phase(Phase.CONTINUOUS, 1)
    assert (state(live).phase_reason, state(live).vi_count) == (None, 1)
    assert live.instrument.auction_price == 104_500


def test_an_extended_auction_counts_and_cannot_interrupt_again() -> None:
    live = interrupting()
    live.phase(Phase.CLOSING_AUCTION)
    assert state(live).vi_dynamic_upper == 100_500  # two thirds of 3 %: 1,970
    live.order(BUY, 5, 110_000)
    live.order(SELL, 5, 110_000, account=3)
    live.do(Uncross(instrument=1))
    row = state(live)
    assert (row.phase, row.phase_reason, row.vi_count) == ("closing_auction", "vi_dynamic", 1)
    assert (row.vi_dynamic_upper, row.vi_static_upper) == (None, None)
    live.do(Uncross(instrument=1))
    assert live.instrument.auction_price == 110_000
    assert state(live).vi_static_upper == 121_000


def test_a_bound_beyond_the_daily_limit_is_none() -> None:
    live = LiveMarket()
    live.do(SetRule(rule=Rule.VI_STATIC_PPM, value=400_000))
    assert (state(live).vi_static_lower, state(live).vi_static_upper) == (None, None)
    assert (state(live).vi_dynamic_lower, state(live).vi_dynamic_upper) == (None, None)


def test_the_previous_price_by_rule_moves_the_dynamic_bounds() -> None:
    """KRX rules 1.4: where the day's previous price is not its base price."""
    live = interrupting()
    live.do(SetRule(instrument=1, rule=Rule.PREVIOUS_PRICE, value=100_000))
    row = state(live)
    assert (live.instrument.previous_price, row.base_price) == (100_000, BASE)
    assert (row.vi_dynamic_upper, row.vi_static_upper) == (103_000, 108_400)


def test_order_types_follow_the_phase() -> None:
    """KRX rules 3.7."""
    live = LiveMarket()
    every = {"limit", "market", "conditional_limit", "best_opposite", "best_same", "midpoint", "stop_limit"}
    table: dict[Phase, set[str]] = {
        Phase.OPENING_AUCTION: {"limit", "market", "conditional_limit", "stop_limit"},
        Phase.CONTINUOUS: every,
        Phase.VI_AUCTION: {"limit", "market", "conditional_limit", "stop_limit"},
        Phase.CLOSING_AUCTION: {"limit", "market", "stop_limit"},
        Phase.AFTER_HOURS: {"limit", "best_opposite", "best_same"},
        Phase.CLOSED: set(),
        Phase.PRE_OPEN: set(),
        Phase.CLOSE_PRICE: set(),  # nothing was traded today
        Phase.PREVIOUS_CLOSE: {"limit"},
    }
    for phase, types in table.items():
        live.phase(phase)
        row = state(live)
        assert (row.phase, set(row.order_types)) == (phase.label, types)
        immediate = {"limit", "market", "best_opposite", "midpoint"} if phase is Phase.CONTINUOUS else set()
        assert set(row.immediate_types) == immediate
    live.phase(Phase.CONTINUOUS)
    live.do(SetRule(instrument=1, rule=Rule.TYPES_CONTINUOUS, value=type_mask(OrderType.LIMIT)))
    assert (state(live).order_types, state(live).immediate_types) == (["limit"], ["limit"])


def test_the_one_price_of_the_sessions_at_a_close() -> None:
    """KRX rules 2.1: yesterday's close before the opening, today's after it; their trades count in volume alone."""
    live = LiveMarket()
    live.phase(Phase.PREVIOUS_CLOSE)
    assert state(live).fixed_price == BASE
    live.order(SELL, 3, BASE, account=3)
    live.order(BUY, 3, BASE)
    told = live.instrument
    assert (told.day_open, told.last_price, told.day_volume, told.day_turnover) == (None, None, 3, 3 * BASE)
    live.phase(Phase.CONTINUOUS)
    assert state(live).fixed_price is None
    live.order(SELL, 2, BASE + 500, account=3)
    live.order(BUY, 2, BASE + 500)
    live.phase(Phase.AFTER_HOURS)
    live.order(SELL, 1, BASE + 700, account=3)
    live.order(BUY, 1, BASE + 700)
    live.phase(Phase.CLOSE_PRICE_RECEPTION)
    assert (state(live).fixed_price, state(live).order_types) == (BASE + 500, ["limit"])
    live.phase(Phase.CLOSE_PRICE)
    live.order(SELL, 4, BASE + 500, account=3)
    live.order(BUY, 4, BASE + 500)
    assert (told.day_open, told.day_high, told.day_low) == (BASE + 500, BASE + 700, BASE + 500)
    assert (told.last_price, told.previous_price, told.day_volume) == (BASE + 700, BASE + 700, 10)
    live.do(SetRule(instrument=1, rule=Rule.TYPES_CLOSE_PRICE, value=0))
    assert state(live).order_types == []
    live.do(RollDay(trading_day=DAY + 1))
    assert state(live).fixed_price is None


def test_the_lot_of_an_instrument() -> None:
    """KRX rules 2.4: its own, else that of ELWs, else the venue's."""
    live = LiveMarket()
    lot, told = live.market.directory.lot_size, live.instrument
    elw = msgspec.structs.replace(told, id=99, security=Security.ELW)
    assert (lot(told), lot(elw)) == (1, 10)
    live.do(SetRule(rule=Rule.LOT_SIZE, value=5))
    assert (lot(told), lot(elw)) == (5, 10)
    live.do(SetRule(rule=Rule.LOT_SIZE, value=3, instrument=1))
    live.do(SetRule(rule=Rule.ELW_LOT_SIZE, value=0))
    assert (lot(told), lot(elw)) == (3, 5)


def test_a_venue_without_rules_has_the_engines_defaults() -> None:
    live = LiveMarket("plain")
    live.phase(Phase.RESUMPTION_AUCTION)
    assert state(live).order_types == ["limit", "market", "stop_limit", "stop"]
    live.order(BUY, 1, type_=OrderType.STOP, stop_price=99_000)  # the engine takes what is shown
    assert live.orders[1].leaves_qty == 1


def test_a_halt_by_the_circuit_breaker_tells_so_and_the_day_roll_begins_anew() -> None:
    live = interrupting()
    live.order(SELL, 1, 101_500, account=3)
    live.order(BUY, 1, 101_500)
    live.do(Halt(instrument=0, stage=1))
    row = state(live)
    assert (row.phase, row.phase_reason, row.order_types, row.vi_count) == ("halted", "circuit_breaker", [], 1)
    assert live.market.phase is Phase.HALTED
    live.do(RollDay(trading_day=DAY + 1))
    assert (state(live).vi_count, live.market.trading_day) == (0, DAY + 1)
    live.do(Resume(instrument=0, phase=Phase.CONTINUOUS))
    assert (state(live).phase, state(live).phase_reason) == ("continuous", None)


def test_one_instrument_in_an_interruption_does_not_change_the_venues_phase() -> None:
    live = interrupting()
    live.order(SELL, 1, 101_500, account=3)
    live.order(BUY, 1, 101_500)
    assert live.instrument.phase is Phase.VI_AUCTION
    assert live.market.phase is Phase.CONTINUOUS


def test_the_channel_gives_all_first_and_then_what_changed() -> None:
    live = interrupting()
    live.market.clock = lambda: {"phase": live.market.phase.label}
    woken: list[int] = []
    reader = live.market.read_states(lambda: woken.append(live.seq))
    (first,) = taken(reader)
    assert (first["ch"], first["type"], first["prev"]) == ("market", "snapshot", None)
    assert first["data"]["clock"] == {"phase": "continuous"}
    assert [row["symbol"] for row in first["data"]["symbols"]][:2] == [SYMBOL, "000660"]
    assert first["data"]["symbols"][0]["vi_dynamic_upper"] == 101_500
    live.order(BUY, 1, 98_000)  # changes no state
    assert (taken(reader), woken) == ([], [])
    live.order(SELL, 5, 101_500, account=3)
    live.in_batch = True
    for _ in range(3):
        live.order(BUY, 1, 101_500)
    live.publish()
    (delta,) = taken(reader)
    assert (delta["type"], delta["prev"], woken) == ("delta", first["id"], [live.seq])
    (row,) = delta["data"]["symbols"]
    assert (row["symbol"], row["phase"], row["phase_reason"]) == (SYMBOL, "vi_auction", "vi_dynamic")
    assert row["indicative_qty"] == 3
    assert delta["data"]["clock"] == {"phase": "continuous"}
    live.market.refresh()
    (told,) = taken(reader)
    assert (told["prev"], told["data"]["symbols"]) == (delta["id"], [])
    assert told["id"] not in (delta["id"], first["id"])
    assert told["data"]["clock"] is not None


def test_the_planned_end_of_a_phase_is_told() -> None:
    live = LiveMarket()
    ends: dict[int, int] = {}
    live.market.phase_end = ends.get
    reader = live.market.read_states(lambda: None)
    assert taken(reader)[0]["data"]["symbols"][0]["phase_until"] is None
    ends[1] = 7 * SECOND
    live.market.refresh()
    (delta,) = taken(reader)
    assert [(row["symbol"], row["phase_until"]) for row in delta["data"]["symbols"]] == [
        (SYMBOL, timestamp(7 * SECOND))
    ]


def test_who_falls_behind_gets_a_snapshot_and_memory_stays_bounded() -> None:
    live = LiveMarket()
    reader = live.market.read_states(lambda: None)
    taken(reader)
    for number in range(STATE_RING_FRAMES + 2):
        live.phase(Phase.CLOSED if number % 2 else Phase.CONTINUOUS)
    frames = taken(reader)
    assert [frame["type"] for frame in frames] == ["snapshot"]
    assert frames[0]["data"]["symbols"][0]["phase"] == "closed"


def test_a_channel_that_nobody_listens_to_is_let_go() -> None:
    live = LiveMarket()

    def wake() -> None:
        raise AssertionError("nobody listens")

    reader = live.market.read_states(wake)
    live.market.leave(reader, wake)
    live.phase(Phase.CLOSED)
    assert taken(live.market.read_states(lambda: None))[0]["data"]["symbols"][0]["phase"] == "closed"


def test_a_chain_of_deltas_gives_what_a_snapshot_gives() -> None:
    """What a client holds after any number of batches is what a new client is told."""
    live = interrupting()
    day = BusyDay(live, 5, (2, 3, 4), tuple(OrderType)[:7])
    reader = live.market.read_states(lambda: None)
    held: dict[str, Any] = {}
    last: str | None = None
    for _ in range(150):
        live.in_batch = True
        for _ in range(3):
            live.do(day.next_command())
        live.publish()
        for frame in taken(reader):
            assert frame["type"] == "snapshot" or frame["prev"] == last
            last = frame["id"]
            held |= {row["symbol"]: row for row in frame["data"]["symbols"]}
    (fresh,) = taken(live.market.read_states(lambda: None))
    assert list(held.values()) == fresh["data"]["symbols"]
    assert last == fresh["id"]


@given(st.integers(0, 2**32), st.sampled_from([(2_000, 4_000), (30_000, 0), (0, 60_000), (15_000, 15_000)]))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_directory_stands_as_the_engine_does(seed: int, rates: tuple[int, int]) -> None:
    """Phases, references, indications, interruptions of the day; and a trade at a bound, but none inside, interrupts."""
    live = LiveMarket()
    for rule, rate in zip((Rule.VI_DYNAMIC_PPM, Rule.VI_STATIC_PPM), rates, strict=True):
        live.do(SetRule(rule=rule, value=rate))
    day = BusyDay(live, seed, (2, 3, 4), tuple(OrderType)[:7])
    for _ in range(120):
        live.do(day.next_command())
        check_against_engine(live)


def check_against_engine(live: LiveMarket) -> None:
    engine, engine_state = live.engine.state.instruments[0], live.engine.state
    told = live.instrument
    assert told.phase is engine.phase
    assert (told.base_price, told.upper_limit, told.lower_limit) == (engine.base_price, *engine.limits)
    assert (told.previous_price, told.auction_price) == (engine.last_price, engine.auction_price)
    assert (told.vi_count, told.is_extended) == (engine.interruptions, engine.is_extended)
    assert (told.indicative_price, told.indicative_qty) == (engine.indicated if engine.phase.is_auction else (0, 0))
    directory = live.market.directory
    assert directory.off_hours_close(told) == engine.off_hours_close()
    assert directory.lot_size(told) == engine_state.rules.lot_size(engine)
    bounds = directory.vi_bounds(told)

    def interrupts(price: int) -> Reason:
        if engine.is_extended:
            return Reason.NONE
        return interruption(engine_state, engine, price, engine.last_price)

    for found, reason in ((bounds.dynamic, Reason.VI_DYNAMIC), (bounds.static, Reason.VI_STATIC)):
        for bound in found:
            if bound:
                assert interrupts(bound) in (reason, Reason.VI_DYNAMIC)
    uppers = [found.upper for found in (bounds.dynamic, bounds.static) if found.upper]
    lowers = [found.lower for found in (bounds.dynamic, bounds.static) if found.lower]
    highest = next_down(engine.bands, min(uppers)) if uppers else engine.limits.upper
    lowest = next_up(engine.bands, max(lowers)) if lowers else engine.limits.lower
    if lowest <= highest and (uppers or lowers):
        for price in (lowest, highest):
            if lowest <= engine.last_price <= highest:
                assert interrupts(price) is Reason.NONE


def test_the_first_day_of_a_listing_has_no_bounds_and_wider_limits() -> None:
    """KRX rules 1.3, 6.1."""
    live = LiveMarket()
    live.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=DYNAMIC_PPM))
    live.do(SetRule(instrument=1, rule=Rule.NEW_LISTING, value=1))
    assert (state(live).vi_dynamic_upper, state(live).upper_limit) == (None, 4 * BASE - 4 * BASE % 500)
    live.do(RollDay(trading_day=DAY + 1))
    assert state(live).vi_dynamic_upper is not None
    assert live.instrument.upper_limit < 2 * BASE


def test_plain_rules_have_no_bounds() -> None:
    live = LiveMarket("plain")
    assert state(live).vi_dynamic_upper is None
    assert state(live).upper_limit is None


@pytest.mark.parametrize("price", [900, 999, 1_000])
def test_a_low_price_lets_three_ticks_pass(price: int) -> None:
    """KRX ER 41-2: below 1,000 won a move within three ticks interrupts nothing."""
    live = LiveMarket("plain")
    live.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=1_000))
    live.do(SetRule(instrument=1, rule=Rule.PREVIOUS_PRICE, value=price))
    assert state(live).vi_dynamic_upper == (price + 4 if price < 1_000 else price + 1)
