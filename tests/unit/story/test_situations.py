"""Every answer, happening and option is told of a situation that is made by real commands, with its exact numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from onseju.contract.commands import CancelOrder
from onseju.story.sentences import ANSWERS, HAPPENINGS, OPTIONS
from onseju.story.stories import StoryView
from tests.unit.story.open_situations import OTHERS
from tests.unit.story.rig import codes
from tests.unit.story.situations import ANN, BEN, ME, SITUATIONS, P, Situation, T, buy, correct, sell, venue

ALL = {**SITUATIONS, **OTHERS}


@pytest.mark.parametrize("code", SITUATIONS)
def test_each_answer_has_its_situation(code: str) -> None:
    rig, mine, params = SITUATIONS[code]()
    story = rig.story(mine)
    assert (story.answer.code, story.answer.params) == (code, params), codes(story)
    assert story.more == 0
    korean = rig.story(mine, "ko")
    assert re.search("[가-힣]", korean.answer.text)
    assert not re.search("[가-힣]", story.answer.text)


def test_every_code_is_told_in_some_situation() -> None:
    answers, happened, offered = set[str](), set[str](), set[str]()
    for build in ALL.values():
        story = _story(build)
        answers.add(story.answer.code)
        happened |= set(codes(story))
        offered |= {option.code for option in story.options}
        until = build()
        offered |= {option.code for option in until[0].story(until[1], phase_until=10**15).options}
    assert ANSWERS.keys() - answers == set()
    assert HAPPENINGS.keys() - happened == set()
    assert OPTIONS.keys() - offered == set()


@pytest.mark.parametrize("name", ALL)
def test_what_is_told_reads_well(name: str) -> None:
    """No code, brace or empty place in any sentence; params hold what the sentence names; one option at least while open."""
    rig, mine, _ = ALL[name]()
    for language in ("ko", "en"):
        story = rig.story(mine, language)
        for text in [story.answer.text, *(s.text for s in story.options), *(s.text for s in story.happenings)]:
            assert text.endswith("."), text
            assert not re.search(r"[{}_]|  |\bNone\b", text), text


def _story(build: Callable[[], Situation]) -> StoryView:
    rig, mine, _ = build()
    return rig.story(mine)


def told(name: str) -> list[tuple[str, dict[str, int | str]]]:
    rig, mine, _ = ALL[name]()
    return [(happening.code, happening.params) for happening in rig.story(mine).happenings]


def test_each_correction_says_what_became_of_the_place() -> None:
    """KRX rules 3.6."""
    assert told("a full life") == [
        ("entered_first", {"limit_price": 9_980, "ahead_qty": 0, "order_qty": 10}),
        ("corrected_price", {"limit_price": 9_990, "ahead_qty": 20}),
        ("corrected_up", {"leaves_qty": 25, "ahead_qty": 20}),
        ("corrected_down", {"leaves_qty": 15}),
        ("corrected_type", {"type_word": "conditional_limit"}),
        ("canceled_part", {"canceled_qty": 3, "leaves_qty": 12}),
        ("correction_refused", {"refuse_reason": "price_tick"}),
        ("corrected_price", {"limit_price": 10_010, "ahead_qty": 0}),
        ("filled", {"fill_price": 10_010, "fill_qty": 4, "leaves_qty": 8}),
    ]
    assert told("a correction that trades")[1:] == [
        ("repriced", {"limit_price": 10_010}),
        ("filled", {"fill_price": 10_010, "fill_qty": 10, "leaves_qty": 0}),
    ]


def test_a_conversion_for_which_the_cash_is_short() -> None:
    """KRX rules 3.5: 130,000 won reserve ten shares at the upper limit of 13,000."""
    assert told("a conversion")[2:] == [
        ("cut", {"end_reason": "cash_ran_out", "leaves_qty": 10}),
        ("converted", {"leaves_qty": 10}),
    ]


def test_auctions_that_passed_it_by() -> None:
    """KRX rules 5.4, 6.1: what is strictly better is filled first, at one price for all."""
    assert told("an offer below") == [
        ("entered_first", {"limit_price": 10_500, "ahead_qty": 0, "order_qty": 10}),
        ("auction_below", {"limit_price": 10_500, "auction_price": 10_000, "auction_qty": 4}),
        ("phase_continuous", {}),
        ("phase_auction", {"phase_word": "closing_auction"}),
        ("filled_auction", {"fill_price": 10_500, "fill_qty": 2, "leaves_qty": 8}),
        ("auction_at_limit", {"limit_price": 10_500, "auction_price": 10_500, "auction_qty": 8}),
        ("phase_closed", {}),
    ]
    phases = told("a day of phases")
    assert phases[1] == ("auction_extended", {"auction_price": 11_500})
    assert phases[2] == ("auction_above", {"limit_price": 9_500, "auction_price": 11_500, "auction_qty": 4})
    assert [code for code, _ in phases[3:]] == [
        "phase_continuous",
        "phase_halted",
        "phase_auction",
        "auction_no_match",
        "phase_continuous",
        "phase_circuit_breaker",
        "phase_auction",
        "auction_no_match",
        "phase_continuous",
        "phase",
    ]


def test_the_turns_at_a_price_limit() -> None:
    """KRX rules 5.6: 100 to the larger order and 50 here; afterwards first the 50 that its first turn still has."""
    assert told("a pool that goes on")[1:] == [
        ("filled_auction", {"fill_price": 13_000, "fill_qty": 50, "leaves_qty": 100}),
        ("traded_pool", {"limit_price": 13_000, "traded_qty": 150}),
        ("phase_continuous", {}),
        ("filled", {"fill_price": 13_000, "fill_qty": 50, "leaves_qty": 50}),
        ("traded_pool", {"limit_price": 13_000, "traded_qty": 10}),
    ]


def test_market_orders_go_first() -> None:
    assert told("market orders first")[1:] == [("traded_market_first", {"last_price": 10_000, "traded_qty": 6})]


def test_what_was_traded_while_it_slept() -> None:
    for name in ("a stop limit that woke", "a stop that woke"):
        asleep = {"stop_price": 10_100, "nearest_price": 10_100, "traded_qty": 10}
        assert told(name)[1] == ("traded_asleep", asleep)


def test_the_nearest_price_is_measured_from_the_present_limit() -> None:
    """9,950 was near to a bid of 9,900; a bid that was corrected to 9,960 and back has seen nothing yet."""
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_900))
    rig.do(sell(ANN, 5, 9_950))
    rig.do(buy(BEN, 5, 9_950))
    assert rig.story(mine).answer.code == "first_in_line"
    rig.do(buy(BEN, 5, 10_050))
    assert rig.story(mine).answer.params == {"limit_price": 9_900, "nearest_price": 9_950}
    rig.do(correct(mine, limit_price=9_960))
    assert rig.story(mine).answer.code == "better_prices_first"
    rig.do(sell(ANN, 3, 10_050))
    assert rig.story(mine).answer.params == {"limit_price": 9_960, "nearest_price": 10_050}


def test_what_left_the_queue_ahead_of_it() -> None:
    assert told("in_line")[1:] == [
        ("traded_ahead", {"limit_price": 10_000, "traded_qty": 12}),
        ("ahead_canceled", {"canceled_qty": 7, "ahead_qty": 18}),
    ]
    rig = venue()
    first, gone = rig.order(buy(ANN, 30, 10_000)), rig.order(buy(BEN, 7, 10_000))
    mine = rig.order(buy(ME, 10, 10_000))
    rig.do(sell(BEN, 12, 10_000))
    rig.do(CancelOrder(account=ANN, order_id=first, qty=5))
    rig.do(CancelOrder(account=BEN, order_id=gone))
    rig.do(sell(BEN, 15, 10_000))
    happened = [(h.code, h.params) for h in rig.story(mine).happenings]
    assert happened[1:] == [
        ("traded_ahead", {"limit_price": 10_000, "traded_qty": 25}),
        ("ahead_canceled", {"canceled_qty": 12, "ahead_qty": 0}),
        ("filled", {"fill_price": 10_000, "fill_qty": 2, "leaves_qty": 8}),
    ]


def test_other_peoples_requests_are_not_told() -> None:
    assert [code for code, _ in told("canceled_by_owner")] == [
        "entered_first",
        "filled",
        "canceled_part",
        "cancel_refused",
        "canceled",
    ]


def test_stops_that_wake_together_queue_one_behind_the_other() -> None:
    rig = venue()
    rig.do(buy(ANN, 5, 9_900))
    stops = [
        rig.order(buy(account, qty, 9_900, order_type=T.STOP_LIMIT, stop_price=10_100))
        for account, qty in ((BEN, 3), (ME, 10), (ANN, 20), (BEN, 40))
    ]
    rig.do(sell(ANN, 1, 10_100))
    rig.do(buy(BEN, 1, 10_100))
    entries = [rig.story(order_id).queue.entry for order_id in stops]
    assert [(entry.ahead_qty, entry.ahead_orders, entry.level_qty) for entry in entries if entry] == [
        (5, 1, 78),
        (8, 2, 78),
        (18, 3, 78),
        (38, 4, 78),
    ]


def test_the_closing_auction_knows_no_turns() -> None:
    """KRX rules 5.6: at the upper limit, but by time."""
    rig = venue()
    rig.phase(P.CLOSING_AUCTION)
    rig.do(buy(ANN, 1_000, 13_000))
    mine = rig.order(buy(ME, 150, 13_000))
    rig.do(sell(BEN, 150, 13_000))
    rig.phase(P.CLOSED)
    assert [h.code for h in rig.story(mine).happenings] == ["entered_line", "auction_at_limit", "phase_closed"]


def test_the_session_at_the_close() -> None:
    """KRX rules 2.1: one price, by time; an order that waits is behind those that came before it."""
    rig, mine, _ = ALL["close_reception"]()
    rig.do(buy(BEN, 3, 10_000))
    rig.phase(P.CLOSE_PRICE)
    rig.do(sell(ANN, 2, 10_000))
    last = rig.order(buy(BEN, 5, 10_000))
    story, behind = rig.story(mine), rig.story(last)
    assert [(h.code, h.params) for h in story.happenings][1:] == [
        ("phase", {"phase_word": "close_price"}),
        ("filled", {"fill_price": 10_000, "fill_qty": 4, "leaves_qty": 6}),
        ("filled", {"fill_price": 10_000, "fill_qty": 2, "leaves_qty": 4}),
    ]
    assert story.answer.code == "first_in_line"
    assert (behind.answer.code, behind.answer.params["ahead_qty"]) == ("in_line", 7)
    assert not {"correct_to_opposite", "correct_to_best"} & {option.code for option in behind.options}
    rig.phase(P.CLOSED)
    assert rig.story(last).answer.code == "session_ended"
