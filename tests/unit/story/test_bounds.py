"""A story costs little: what is remembered, what is read, what is told, how many at once."""

from __future__ import annotations

import asyncio

import pytest

from onseju.contract.commands import CancelOrder, RollDay
from onseju.contract.words import Phase
from onseju.story import landmarks, reading, stories
from onseju.story.stories import StoriesBusyError
from tests.properties.driver import DAY
from tests.unit.story.rig import ONE, Rig, codes, small_pages
from tests.unit.story.situations import ANN, BEN, ME, buy, sell, venue


def trade(rig: Rig, price: int, qty: int = 1) -> None:
    rig.do(sell(ANN, qty, price))
    rig.do(buy(BEN, qty, price))


def test_pages_that_cannot_matter_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pages(monkeypatch)
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_000))
    for count in range(400):
        trade(rig, 10_000 - 10 * (count % 7))
    rig.log.read_count = 0
    story = rig.story(mine)
    assert rig.log.read_count < 50
    (passed,) = story.happenings[1:]
    assert (passed.code, passed.params) == (
        "traded_above",
        {"limit_price": 9_000, "nearest_price": 9_940, "traded_qty": 400},
    )
    assert passed.seq == len(rig.log.blocks)
    assert story.more == 0


def test_an_offers_pages_are_those_that_rose_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pages(monkeypatch)
    rig = venue()
    rig.do(sell(ANN, 1_000, 10_200))
    mine = rig.order(sell(ME, 10, 10_200))
    for count in range(100):
        trade(rig, (10_000, 10_050, 10_030)[count % 3])
    rig.do(buy(BEN, 3, 10_200))
    for count in range(100):
        trade(rig, (10_000, 10_090, 10_030)[count % 3])
    rig.log.read_count = 0
    story = rig.story(mine)
    assert rig.log.read_count < 60
    passed = {h.code: h.params["traded_qty"] for h in story.happenings[1:]}
    assert passed == {"traded_below": 200, "traded_ahead": 3}
    below = [h.params for h in story.happenings if h.code == "traded_below"]
    assert max(int(params["nearest_price"]) for params in below) == 10_090


def test_what_could_not_be_read_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest is read, and the entry; the place at entry is exact; what is unknown is not guessed."""
    small_pages(monkeypatch, most=10)
    rig = venue()
    rig.do(buy(ANN, 1_000, 9_990))
    mine = rig.order(buy(ME, 10, 9_990))
    for _ in range(400):
        rig.do(sell(BEN, 1, 9_990))
    rig.log.read_count = 0
    story = rig.story(mine)
    assert rig.log.read_count < 130
    assert story.queue.entry is not None
    assert story.queue.now is not None
    assert (story.queue.entry.ahead_qty, story.queue.now.ahead_qty) == (1_000, 600)
    assert codes(story) == ["entered_line", "traded_ahead"]
    assert story.more + int(story.happenings[-1].params["traded_qty"]) == 400
    assert story.more > 0


def test_only_the_newest_happenings_are_told() -> None:
    rig = venue()
    mine = rig.order(buy(ME, 1_000, 10_000))
    for _ in range(150):
        rig.do(sell(ANN, 2, 10_000))
    story = rig.story(mine)
    assert len(story.happenings) == stories.MAX_HAPPENINGS
    assert story.more == 51
    assert story.happenings[-1].params["leaves_qty"] == 700


def test_two_trading_days_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older orders keep their stories as far as a page by page reading goes; nothing of the index grows with the days."""
    small_pages(monkeypatch)
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_000))
    for _ in range(20):
        trade(rig, 9_900)
    rig.phase(Phase.CLOSED)
    told = rig.story(mine)
    sizes = []
    for day in range(1, 6):
        rig.do(RollDay(trading_day=DAY + day))
        rig.phase(Phase.CONTINUOUS)
        for _ in range(20):
            trade(rig, 9_900)
            rig.do(CancelOrder(account=ME, order_id=mine))
        marks = rig.stories.landmarks.marks(ONE, ME, 0, len(rig.log.blocks))
        sizes.append((len(marks.trade_pages), len(marks.change_pages), len(marks.rule_seqs)))
    assert sizes[-1] == pytest.approx(sizes[1], abs=2)
    page = rig.stories.landmarks.page_of(mine)
    assert page is not None
    assert marks.known_from > page + 1
    old = rig.story(mine)
    assert codes(old) == [*codes(told), "ended"]
    assert old.answer.params == {"limit_price": 9_000, "nearest_price": 9_900}
    assert old.more == 0


def test_too_many_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_000))
    monkeypatch.setattr(stories, "MAX_WAITING", 0)
    with pytest.raises(StoriesBusyError):
        rig.story(mine)


def test_an_id_that_was_never_given_has_no_page() -> None:
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_000))
    index = rig.stories.landmarks
    assert index.page_of(mine) == (len(rig.log.blocks) - 1) // landmarks.PAGE
    assert [index.page_of(number) for number in (-1, 0, mine + 1)] == [None, None, None]


def test_every_order_is_in_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pages(monkeypatch, commands=4)
    rig = venue()
    pages = {}
    for count in range(60):
        order_id = rig.order(buy(ME, 1, 9_000 + count % 3 * 5))
        pages[order_id] = (len(rig.log.blocks) - 1) // 4
        if count % 5 == 0:
            rig.do(CancelOrder(account=ME, order_id=1))
    assert {order_id: rig.stories.landmarks.page_of(order_id) for order_id in pages} == pages


def test_reading_gives_others_their_turn() -> None:
    """While a story is read in its thread, the event loop goes on."""
    rig = venue()
    mine = rig.order(buy(ME, 10, 9_990))
    for _ in range(reading.TURN * 4):
        trade(rig, 9_990 + 10)

    async def both() -> int:
        turns = 0
        telling = asyncio.create_task(rig.telling(mine))
        while not telling.done():
            turns += 1
            await asyncio.sleep(0)
        assert (await telling).order.order_id == mine
        return turns

    assert asyncio.run(both()) > 2
