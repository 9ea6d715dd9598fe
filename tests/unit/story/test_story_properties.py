"""Random days: every order's story agrees with the order, and its places with the engine's own queues."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pytest

from onseju.contract.commands import DepositCash, DepositShares, OpenAccount
from onseju.contract.words import AccountKind, OrderType, SelfTradePrevention
from onseju.rules.packs import RulesName
from onseju.story import stories
from onseju.story.places import Place
from onseju.story.stories import StoryView
from tests.properties.busy_day import BusyDay
from tests.unit.story.rig import ONE, Rig, small_pages

COMMANDS = 350
ACCOUNTS = (2, 3, 4)
KRX_TYPES = tuple(word for word in OrderType if word is not OrderType.STOP)
PLAIN_TYPES = (OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT)


def crowd(rules: RulesName) -> Rig:
    rig = Rig(rules, base_price=98_500 if rules == "krx" else 100)
    rig.do(OpenAccount(account=1, account_kind=AccountKind.VENUE))
    for account in ACCOUNTS:
        rig.do(OpenAccount(account=account))
        rig.do(DepositCash(account=account, amount=10**9))
        rig.do(DepositShares(account=account, instrument=ONE, qty=50_000))
    return rig


def busy(rig: Rig, seed: int) -> BusyDay:
    """What happens next, with self-trade prevention and volatility interruptions in some of the days."""
    if seed % 2:
        rig.rule(self_trade_prevention=SelfTradePrevention.CANCEL_RESTING)
    if seed % 3 == 0:
        rig.rule(vi_dynamic_ppm=20_000, vi_static_ppm=50_000)
    types = KRX_TYPES if rig.rules == "krx" else PLAIN_TYPES
    return BusyDay(cast("Any", rig), seed, ACCOUNTS, types + (OrderType.LIMIT,) * 4)


def shown_place(rig: Rig, order_id: int) -> Place | None:
    """The engine's place; market orders that float at the price, which all came before, are ahead."""
    place = rig.place(order_id)
    if place is None:
        return None
    order = rig.engine.state.orders[order_id]
    depth = rig.engine.book(ONE)[order.side - 1]
    qty = next(qty for price, qty, _ in depth if price == order.limit_price)
    count = next(count for price, _, count in depth if price == order.limit_price)
    book_side = rig.engine.state.instruments[0].book.side(order.side)
    limits = book_side.levels[order.limit_price]
    return Place(
        ahead_qty=place.ahead_qty + qty - limits[0],
        ahead_orders=place.ahead_orders + count - limits[1],
        level_qty=qty,
    )


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("rules", ["krx", "plain"])
def test_every_story_agrees_with_its_order(rules: RulesName, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    small_pages(monkeypatch)
    monkeypatch.setattr(stories, "MAX_HAPPENINGS", 100_000)
    rig = crowd(rules)
    day = busy(rig, seed)
    entries: dict[int, Place] = {}
    for _ in range(COMMANDS):
        rig.do(day.next_command())
        for order_id in rig.engine.state.orders:
            place = shown_place(rig, order_id)
            if place is not None:
                entries.setdefault(order_id, place)
    seen: Counter[str] = Counter()
    for order_id, view in rig.views.items():
        story = rig.story(order_id)
        assert story.more == 0
        assert story.queue.entry == entries.get(order_id), (view, story.queue.entry)
        filled = [h for h in story.happenings if h.code in ("filled", "filled_auction")]
        assert sum(int(h.params["fill_qty"]) for h in filled) == view.filled_qty
        assert sum(int(h.params["fill_qty"]) * int(h.params["fill_price"]) for h in filled) == view.filled_amount
        assert [h.seq for h in story.happenings] == sorted(h.seq for h in story.happenings)
        assert story.happenings[0].own
        is_open = view.status in ("new", "partially_filled")
        assert is_open == (story.options != [] and story.options[-1].code.startswith("cancel_"))
        if not is_open and view.status != "filled":
            assert story.happenings[-1].code in ("refused", "canceled", "ended", "moved")
        texts = [story.answer.text, *(s.text for s in story.options), *(s.text for s in story.happenings)]
        assert not any("{" in text for text in texts)
        seen.update({story.answer.code, *(h.code for h in story.happenings)})
    assert seen["filled"] > 10
    assert seen["entered_line"] > 10


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rules", ["krx", "plain"])
def test_pages_that_are_skipped_change_nothing(rules: RulesName, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same from short pages, of which many are told by their sums, as from one page with everything."""
    told = []
    for commands in (4, 100_000):
        small_pages(monkeypatch, commands)
        monkeypatch.setattr(stories, "MAX_HAPPENINGS", 100_000)
        rig = crowd(rules)
        day = busy(rig, seed)
        for _ in range(COMMANDS):
            rig.do(day.next_command())
        rig.log.read_count = 0
        every = [rig.story(order_id) for order_id in rig.views]
        told.append(([(s.answer, s.options, s.queue, sums(s)) for s in every], rig.log.read_count))
    assert told[0][0] == told[1][0]
    assert told[0][1] < told[1][1] / 4


def sums(story: StoryView) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """Shares that passed it by, by kind; and everything else that happened."""
    passed: Counter[str] = Counter()
    others = []
    for happening in story.happenings:
        if happening.code.startswith("traded_") and not happening.rule:
            passed[happening.code] += int(happening.params["traded_qty"])
        else:
            others.append((happening.seq, happening.code))
    return dict(passed), others
