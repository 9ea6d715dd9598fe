"""Where in the event log an order's story stands, so that telling it reads little of a day's millions of events.

The log is divided into pages of `PAGE` commands. Of each page this remembers how many orders there were before it; what
was traded of each instrument in it outside auctions (lowest and highest price, quantity); which accounts' orders changed and
stayed open (or were to be changed in vain); and, by command, what the rules did (phases, auctions). An event listener: recovery brings it all blocks
again, so nothing of it is stored. It keeps two trading days; of the orders before that, 8 bytes a page.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple

from onseju.contract.event_runs import runs_of
from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, EventKind
from onseju.contract.journal_records import EventBlock

PAGE = 512
"""Commands of a page."""

_ENTRIES = frozenset({EventKind.ORDER_ACCEPTED, EventKind.ORDER_REJECTED})
_CHANGES = frozenset(
    {
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_TRIGGERED,
        EventKind.REQUEST_REJECTED,
    }
)
_RULES = frozenset({EventKind.PHASE_CHANGED, EventKind.AUCTION_UNCROSSED, EventKind.AUCTION_EXTENDED})
_ONE_BY_ONE = _CHANGES | _RULES | {EventKind.TRADE, EventKind.DAY_ROLLED}
_TRADED, _REFUSED = int(EventKind.TRADE), int(EventKind.REQUEST_REJECTED)
_FLAGS = bytes(kind in _ONE_BY_ONE for kind in range(256))

_HEAD = struct.Struct("<Qq4xII")  # seq, ts, account and instrument
_FIRST = struct.Struct("<q")  # the first number of the body: an order's id
_TRADE = struct.Struct("<qqq16xB")  # a trade's id, price, quantity; its taker's side, 0 in an auction
_BODY_OFFSET = 32
_LEAVES = struct.Struct("<q")
_LEAVES_OFFSET = 72  # an order's open quantity
_WIDTH = 5
_MOST = (1 << 63) - 1


class Traded(NamedTuple):
    """What was traded of an instrument in one page: lowest and highest price, shares, trades, and when the last was."""

    page: int
    low: int
    high: int
    qty: int
    trades: int
    ts: int


class _Trades:
    """An instrument's pages with trades, ascending: page numbers, and `_WIDTH` numbers for each."""

    __slots__ = ("numbers", "pages")

    def __init__(self) -> None:
        self.pages = array("Q")
        self.numbers = array("q")

    def add(self, page: int, price: int, qty: int, ts: int) -> None:
        if not self.pages or self.pages[-1] != page:
            self.pages.append(page)
            self.numbers.extend((price, price, qty, 1, ts))
            return
        numbers, at = self.numbers, len(self.numbers) - _WIDTH
        if price < numbers[at]:
            numbers[at] = price
        if price > numbers[at + 1]:
            numbers[at + 1] = price
        numbers[at + 2] = min(numbers[at + 2] + qty, _MOST)
        numbers[at + 3] += 1
        numbers[at + 4] = ts

    def forget_before(self, page: int) -> None:
        count = bisect_left(self.pages, page)
        del self.pages[:count]
        del self.numbers[: count * _WIDTH]


class Marks(NamedTuple):
    """What is known of one order's time: copies, to be read in another thread. Pages and commands ascending."""

    trade_pages: array[int]
    trade_numbers: array[int]
    change_pages: array[int]
    """Pages in which an order of its account changed and stayed open."""
    rule_seqs: array[int]
    """Commands with phases and auctions of its instrument."""
    phase_seq: int
    """The command with the last phase before that; 0 = none is known."""
    known_from: int
    """The first page of which all this is known; of pages before it nothing is."""

    def traded(self) -> list[Traded]:
        """What was traded, page by page."""
        numbers = self.trade_numbers
        return [
            Traded(page, *numbers[at : at + _WIDTH])
            for page, at in zip(self.trade_pages, range(0, len(numbers), _WIDTH), strict=True)
        ]


class Landmarks:
    """The index of the event log for stories. An `EventListener`."""

    def __init__(self) -> None:
        self.last_order_id = 0
        """Ids are given densely, ascending."""
        self._orders_before = array("Q")
        self._trades: dict[int, _Trades] = {}
        self._changes: dict[int, array[int]] = {}
        self._rules: dict[int, array[int]] = {}
        """Commands with phases and auctions, by instrument; 0 = of all at once."""
        self._phases: dict[int, array[int]] = {}
        """Those with phases."""
        self._day_page = 0
        self._known_from = 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps (`exchange.checkpoint.View`)."""
        return dict(vars(self))

    def take_up(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken."""
        vars(self).update(state)

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Take in published blocks."""
        for run in runs_of(blocks):
            first, count, at = run.first_seq, len(run.ends), 0
            while at < count:  # a page after the other
                page = (first + at - 1) // PAGE
                end = min((page + 1) * PAGE + 1 - first, count)
                while len(self._orders_before) <= page:
                    self._orders_before.append(self.last_order_id)
                start = run.ends[at - 1] if at else 0
                self._take(run.payload[start : run.ends[end - 1]], page)
                at = end

    def page_of(self, order_id: int) -> int | None:
        """The page in which an order entered or was refused; None for an id that was never given."""
        if not 0 < order_id <= self.last_order_id:
            return None
        return bisect_left(self._orders_before, order_id) - 1

    def marks(self, instrument: int, account: int, first_page: int, last_seq: int) -> Marks:
        """What is known of the pages from `first_page` on through the command `last_seq`."""
        last_page = (last_seq - 1) // PAGE
        trades = self._trades.get(instrument)
        pages, numbers = array("Q"), array("q")
        if trades is not None:
            start, end = bisect_left(trades.pages, first_page), bisect_right(trades.pages, last_page)
            pages, numbers = trades.pages[start:end], trades.numbers[start * _WIDTH : end * _WIDTH]
        changes = self._changes.get(account, array("Q"))
        changes = changes[bisect_left(changes, first_page) : bisect_right(changes, last_page)]
        seqs = {seq for key in (0, instrument) for seq in self._rule_seqs(key, first_page, last_seq)}
        phase_seq = max(self._phase_before(key, first_page) for key in (0, instrument))
        return Marks(pages, numbers, changes, array("Q", sorted(seqs)), phase_seq, self._known_from)

    def _rule_seqs(self, instrument: int, first_page: int, last_seq: int) -> array[int]:
        seqs = self._rules.get(instrument, array("Q"))
        return seqs[bisect_right(seqs, first_page * PAGE) : bisect_right(seqs, last_seq)]

    def _phase_before(self, instrument: int, first_page: int) -> int:
        seqs = self._phases.get(instrument, array("Q"))
        place = bisect_right(seqs, first_page * PAGE)
        return seqs[place - 1] if place else 0

    def _take(self, payload: bytes, page: int) -> None:
        """The events of commands of one page."""
        kinds = payload[KIND_OFFSET::EVENT_BYTES]
        for entry in _ENTRIES:
            last = kinds.rfind(entry)
            if last >= 0:
                (order_id,) = _FIRST.unpack_from(payload, last * EVENT_BYTES + _BODY_OFFSET)
                self.last_order_id = max(self.last_order_id, order_id)
        for offset in compress(range(0, len(payload), EVENT_BYTES), kinds.translate(_FLAGS)):
            kind = payload[offset + KIND_OFFSET]
            seq, ts, account, instrument = _HEAD.unpack_from(payload, offset)
            if kind == _TRADED:
                _, price, qty, taker_side = _TRADE.unpack_from(payload, offset + _BODY_OFFSET)
                if not taker_side:
                    continue  # an auction's: its command is remembered
                trades = self._trades.get(instrument)
                if trades is None:
                    trades = self._trades[instrument] = _Trades()
                trades.add(page, price, qty, ts)
            elif kind in _CHANGES:
                if kind != _REFUSED and not _LEAVES.unpack_from(payload, offset + _LEAVES_OFFSET)[0]:
                    continue  # its end, which is found without this
                _append_once(self._changes, account, page)
            elif kind in _RULES:
                _append_once(self._rules, instrument, seq)
                if kind == EventKind.PHASE_CHANGED:
                    _append_once(self._phases, instrument, seq)
            else:
                self._begin_day(page)

    def _begin_day(self, page: int) -> None:
        """Keep the day that ended now and the one that begins."""
        keep, self._day_page = self._day_page, page
        self._known_from = keep
        for trades in self._trades.values():
            trades.forget_before(keep)
        for pages in self._changes.values():
            del pages[: bisect_left(pages, keep)]
        for seqs in self._rules.values():
            del seqs[: bisect_right(seqs, keep * PAGE)]
        for seqs in self._phases.values():
            del seqs[: max(bisect_right(seqs, keep * PAGE) - 1, 0)]
        self._changes = {account: pages for account, pages in self._changes.items() if pages}


def _append_once(lists: dict[int, array[int]], key: int, number: int) -> None:
    found = lists.get(key)
    if found is None:
        lists[key] = array("Q", (number,))
    elif not found or found[-1] != number:
        found.append(number)
