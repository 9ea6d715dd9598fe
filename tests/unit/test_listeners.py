"""Listeners that read runs, in Python and in the compiled core, against the plain form: a command at a time, an event at a
time. Whatever the cuts, what they keep and what they tell is the same to the byte."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onseju import listeners
from onseju.contract.command_runs import CommandRun
from onseju.contract.commands import CommandKind
from onseju.contract.event_runs import EventRun
from onseju.contract.events import AuctionIndicated, Event, LevelChanged, Trade, decode_events, encode_event
from onseju.contract.ids import BEFORE_ALL
from onseju.contract.journal_records import EventBlock
from onseju.exchange.applier import Applier
from onseju.exchange.watch import PhaseWatch
from onseju.journal.port import Journal
from onseju.kis import source as kis_source
from onseju.kis.port import Traded
from onseju.kis.source import MarketSource
from onseju.listeners import PLAIN, Forms
from onseju.market import market as market_module
from onseju.market.feeds import FeedReader
from onseju.market.market import Market
from onseju.matching.reference import ReferenceEngine
from onseju.metrics.recorder import ORDER_RESULTS, Recorder
from onseju.push.ring import AccountRing
from onseju.story.landmarks import PAGE, Landmarks
from tests.engines import must_run
from tests.unit.exchange.checkpoints import day_records, plain

ACCOUNTS = range(8)
RING_EVENTS = 300
CUTS = st.lists(st.integers(1, 200), min_size=1, max_size=8)
DAYS = st.sampled_from([0, 1, 2])


@cache
def day(variant: int) -> tuple[EventBlock, ...]:
    """A busy day's blocks."""
    return tuple(Applier(ReferenceEngine()).apply(CommandRun.of(day_records(variant, 3))))


@pytest.fixture(scope="module", params=["plain", "core"])
def forms(request: pytest.FixtureRequest) -> Forms:
    """Each form of the listeners."""
    if request.param == "plain":
        return PLAIN
    must_run("native")
    return listeners.best()


def cut(blocks: Sequence[EventBlock], sizes: Sequence[int]) -> Iterator[EventRun]:
    """Runs of these sizes, in turn, that hold no blocks yet."""
    start, turn = 0, 0
    while start < len(blocks):
        size = sizes[turn % len(sizes)]
        run = EventRun.of(blocks[start : start + size])
        run._blocks = None
        yield run
        start, turn = start + size, turn + 1


class Followed:
    """Follows one symbol, or all, and keeps what it is told."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = symbols
        self.told: list[Any] = []

    def follows(self, symbol: str) -> bool:
        return symbol in self.symbols

    def traded(self, trade: Traded) -> None:
        self.told.append(trade)

    def book_changed(self, symbol: str, ts: int) -> None:
        self.told.append((symbol, ts))


class Public:
    """The market and KIS's source, watched by nobody, or by a few from the first listing on."""

    def __init__(self, forms: Forms, *, is_watched: bool) -> None:
        self.is_watched = is_watched
        self.market = Market("j", forms.digester)
        self.source = MarketSource(self.market, forms.digester)
        self.follower: Followed | None = None
        self.readers: list[FeedReader] = []
        self.frames: list[bytes] = []
        self.woken: Counter[str] = Counter()

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        self.market.listen(blocks)
        if self.is_watched and self.follower is None and self.market.directory.all():
            symbol = self.market.directory.all()[0].symbol
            self.follower = Followed([symbol])
            self.source.subscribe(self.follower)
            for reader in (
                self.market.read_book(symbol, 5, lambda: self.woken.update(["book"])),
                self.market.read_trades(symbol, lambda: self.woken.update(["trades"])),
                self.market.read_states(lambda: self.woken.update(["states"])),
            ):
                assert reader is not None
                self.readers.append(reader)
        self.source.listen(blocks)
        for reader in self.readers:
            while found := reader.take(100):
                self.frames += found

    def kept(self) -> Any:
        told = None if self.follower is None else self.follower.told
        state = plain({"market": self.market.state(), "source": self.source.state()})
        for _, tape in state["market"]["symbols"].values():
            del tape["_frames"]  # those that somebody has read
        return state, told, self.frames, self.woken


@settings(max_examples=12)
@given(variant=DAYS, sizes=CUTS, is_watched=st.booleans())
def test_the_public_market_is_as_event_by_event(forms: Forms, variant: int, sizes: list[int], is_watched: bool) -> None:
    quick, slow = Public(forms, is_watched=is_watched), Public(PLAIN, is_watched=is_watched)
    for run in cut(day(variant), sizes):
        quick.listen(run)
        with pytest.MonkeyPatch.context() as patch:  # of no run it is said that it can be read at once
            patch.setattr(market_module, "_NOT_ALONE", b"")
            patch.setattr(kis_source, "_NOT_ALONE", b"")
            slow.listen(list(run))
    assert quick.kept() == slow.kept()
    assert (quick.woken["book"] > 0) is is_watched


_few = st.integers(1, 3)
_makers: st.SearchStrategy[Callable[[int, int], Event]] = st.one_of(
    st.builds(
        lambda price, qty, taker: lambda seq, idx: Trade(
            seq=seq, ts=seq, idx=idx, instrument=1, trade_id=seq, price=price, qty=qty,
            buy_order_id=1, sell_order_id=2, taker_side=taker,
        ), _few, _few, st.integers(0, 2),
    ),
    st.builds(
        lambda side, price, qty: lambda seq, idx: LevelChanged(
            seq=seq, ts=seq, idx=idx, instrument=1, side=side, price=price, qty=qty, order_count=qty
        ), st.integers(1, 2), _few, st.integers(0, 3),
    ),
    st.builds(
        lambda price, qty: lambda seq, idx: AuctionIndicated(
            seq=seq, ts=seq, idx=idx, instrument=1, price=price, qty=qty
        ), _few, _few,
    ),
)  # fmt: skip


@settings(max_examples=60)
@given(commands=st.lists(st.lists(_makers, min_size=1, max_size=4), min_size=1, max_size=25), is_watched=st.booleans())
def test_sums_of_a_run_are_as_trade_by_trade(
    forms: Forms, commands: list[list[Callable[[int, int], Event]]], is_watched: bool
) -> None:
    """Few prices and quantities, so that much comes again: at the same price, at a level that was gone."""
    quick, slow = Public(forms, is_watched=is_watched), Public(PLAIN, is_watched=is_watched)
    opening = [block for block in day(0) if block.command_kind == CommandKind.LIST_INSTRUMENT][:1]
    made = [
        msgspec.structs.replace(
            opening[0],
            seq=opening[0].seq + at,
            ts=opening[0].seq + at,
            payload=b"".join(encode_event(make(opening[0].seq + at, idx)) for idx, make in enumerate(makers)),
            text="",
        )
        for at, makers in enumerate(commands, 1)
    ]
    for part in (opening, made):
        run = EventRun.of(part)
        quick.listen(run)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(market_module, "_NOT_ALONE", b"")
            patch.setattr(kis_source, "_NOT_ALONE", b"")
            slow.listen(list(run))
    assert quick.kept() == slow.kept()


@settings(max_examples=12)
@given(variant=DAYS, sizes=CUTS)
def test_queues_are_as_command_by_command(forms: Forms, variant: int, sizes: list[int]) -> None:
    quick, slow = forms.queues(), PLAIN.queues()
    woken: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
    for account in (1, 2, 3):
        quick.watch(account, lambda account=account: woken[0].update([account]))
        slow.watch(account, lambda account=account: woken[1].update([account]))
    for at, run in enumerate(cut(day(variant), sizes)):
        if at == 3:
            for queues in (quick, slow):
                queues.take_up(pickle.loads(pickle.dumps(queues.state())))
        quick.listen(run)
        slow.listen(list(run))
        assert [quick.positions(account) for account in ACCOUNTS] == [slow.positions(account) for account in ACCOUNTS]
        for account in ACCOUNTS:
            for place in slow.positions(account):
                assert quick.position(account, place.order_id) == place
    assert woken[0] == woken[1]
    assert quick.state() == slow.state()
    other = forms.queues()
    other.take_up(slow.state())
    assert other.state() == slow.state()


def ring_of(forms: Forms, blocks: Sequence[EventBlock]) -> AccountRing:
    class Log:
        journal_id = "j"

        def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
            return iter(blocks[after_seq:])

    return AccountRing(cast("Journal", Log()), str, RING_EVENTS, core=forms.account_chains)


@settings(max_examples=12)
@given(variant=DAYS, sizes=CUTS)
def test_the_ring_is_as_event_by_event(forms: Forms, variant: int, sizes: list[int]) -> None:
    blocks = day(variant)
    quick, slow = ring_of(forms, blocks), ring_of(PLAIN, blocks)
    for run in cut(blocks, sizes):
        quick.listen(run)
        slow.listen(list(run))
        assert len(quick) == len(slow)
        for account in ACCOUNTS:
            chains = quick.chain(account), slow.chain(account)
            if chains[1] is None:
                assert chains[0] is None
                continue
            assert chains[0] is not None
            place = (chains[1].start, chains[1].end, chains[1].evicted)
            assert (chains[0].start, chains[0].end, chains[0].evicted) == place
            frames = [
                [(frame.position, frame.prev, frame.sse) for frame in chain.held(place[0], 20)] for chain in chains
            ]
            assert frames[0] == frames[1]
            assert chains[0].number_after(BEFORE_ALL) == place[0]
    assert plain(quick.state()) == plain(slow.state())
    taken_up = ring_of(forms, blocks)
    taken_up.take_up(pickle.loads(pickle.dumps(slow.state())))
    assert plain(taken_up.state()) == plain(slow.state())


@settings(max_examples=8)
@given(variant=DAYS, sizes=CUTS)
def test_landmarks_watch_and_recorder_are_as_command_by_command(variant: int, sizes: list[int]) -> None:
    quick: tuple[Any, ...] = (Landmarks(), PhaseWatch(), Recorder(lambda: 0.0))
    slow: tuple[Any, ...] = (Landmarks(), PhaseWatch(), Recorder(lambda: 0.0))
    expected: Counter[tuple[str, int]] = Counter()
    for run in cut(day(variant), sizes):
        for listener in quick:
            listener.listen(run)
        for block in run:
            for listener in slow:
                listener.listen([block])
        for event in decode_events(run.payload):
            if event.kind in ORDER_RESULTS:
                expected[ORDER_RESULTS[event.kind], event.reason] += 1
    assert plain(quick[0].state()) == plain(slow[0].state())
    assert plain(quick[1].state()) == plain(slow[1].state())
    assert quick[2].order_results() == slow[2].order_results() == expected
    assert quick[2].head_seq == slow[2].head_seq == len(day(variant))
    assert len(day(variant)) > PAGE
