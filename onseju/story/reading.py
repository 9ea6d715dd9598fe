"""Reads what concerns one order out of the event log, and no more of it than is worth the time. Runs in a thread.

Read are the pages (`landmarks`) where the order entered and ended, where its account's orders changed, the commands of the
rules, and the pages in which trades reached its price. Of all other pages the index already knows what was traded.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator

import msgspec

from onseju.contract.events import (
    EVENT_BYTES,
    KIND_OFFSET,
    Event,
    EventKind,
    LevelChanged,
    OrderEvent,
    decode_event,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import Side
from onseju.journal.port import EventLog
from onseju.story.landmarks import PAGE, Marks, Traded
from onseju.story.places import UNQUEUED, Arrival, Place, arrival

MAX_PAGES = 48
"""Pages that one story reads at most: some 25,000 commands."""
MAX_CHANGE_PAGES = 24
MAX_RULES = 64
MAX_S = 1.0
"""After so many seconds no further page is begun."""
LOOK_BACK = 4
"""Pages in which the last state of a level is looked for."""
TURN = 16
"""Blocks between two moments at which other threads may go on."""

_OWN = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_REJECTED,
        EventKind.ORDER_CORRECTED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_TRIGGERED,
        EventKind.ORDER_FILLED,
        EventKind.REQUEST_REJECTED,
    }
)
_PUBLIC = frozenset({EventKind.TRADE, EventKind.PHASE_CHANGED, EventKind.AUCTION_UNCROSSED, EventKind.AUCTION_EXTENDED})
_KINDS = _OWN | _PUBLIC
_ORDER = struct.Struct("<qq")  # an order's id, and in events of whole orders its parent's
_HEAD = struct.Struct("<II")
_HEAD_OFFSET, _BODY_OFFSET = 20, 32


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whose story, and where it stands."""

    order_id: int
    account: int
    instrument: int
    side: Side
    is_asleep: bool
    first_page: int
    last_seq: int
    """The last command that may be told."""
    marks: Marks


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says: events in order, the arrivals of the order by command, the pages that are told by their sums,
    and how much that might concern the order was not read."""

    events: list[Event]
    places: dict[int, Place]
    skipped: list[Traded]
    left_out: int


class _Reader:
    def __init__(self, journal: EventLog, wanted: Wanted) -> None:
        self._journal = journal
        self._wanted = wanted
        self._pages: set[int] = set()
        self._ends = time.monotonic() + MAX_S
        self.events: dict[int, list[Event]] = {}
        """By command."""
        self.places: dict[int, Place] = {}

    def page(self, page: int) -> None:
        """Read a page, once."""
        if page in self._pages:
            return
        self._pages.add(page)
        for block in self._blocks(page * PAGE, min((page + 1) * PAGE, self._wanted.last_seq)):
            self._take(block)

    def command(self, seq: int) -> None:
        """Read one command."""
        if (seq - 1) // PAGE not in self._pages:
            for block in self._blocks(seq - 1, seq):
                self._take(block)

    def may_go_on(self) -> bool:
        return len(self._pages) < MAX_PAGES and time.monotonic() < self._ends

    def has_read(self, page: int) -> bool:
        return page in self._pages

    def _blocks(self, after_seq: int, through: int) -> Iterator[EventBlock]:
        for count, block in enumerate(self._journal.read_events(after_seq)):
            if block.seq > through:
                return
            yield block
            if count % TURN == 0:
                time.sleep(0)

    def _take(self, block: EventBlock) -> None:
        payload = block.payload
        kinds = payload[KIND_OFFSET::EVENT_BYTES]
        if _KINDS.isdisjoint(kinds):
            return
        wanted = self._wanted
        events: list[Event] = []
        for idx, kind in enumerate(kinds):
            if kind not in _KINDS:
                continue
            offset = idx * EVENT_BYTES
            account, instrument = _HEAD.unpack_from(payload, offset + _HEAD_OFFSET)
            if kind in _PUBLIC:
                concerns = instrument == wanted.instrument or (instrument == 0 and kind == EventKind.PHASE_CHANGED)
            else:
                order_id, parent_id = _ORDER.unpack_from(payload, offset + _BODY_OFFSET)
                is_child = kind == EventKind.ORDER_ACCEPTED and parent_id == wanted.order_id
                concerns = account == wanted.account and (order_id == wanted.order_id or is_child)
            if concerns:
                events.append(decode_event(payload, offset))
        if not events:
            return
        self.events[block.seq] = events
        if any(isinstance(event, OrderEvent) and event.order_id == wanted.order_id for event in events):
            self._find_place(block)

    def _find_place(self, block: EventBlock) -> None:
        came = arrival(block.payload, self._wanted.order_id)
        if came is not None:
            place = came.place(None if came.level else self._level_before(came, block.seq))
            if place is not None:
                self.places[block.seq] = place

    def _level_before(self, came: Arrival, seq: int) -> tuple[int, int] | None:
        """How the level stood before a command that left it as it was. None where that lies too far back."""
        found: tuple[int, int] | None = None
        where = came.instrument, came.side, came.price
        page = (seq - 1) // PAGE
        for earlier in range(page, max(page - LOOK_BACK, -1), -1):
            for block in self._blocks(earlier * PAGE, min((earlier + 1) * PAGE, seq - 1)):
                for idx, kind in enumerate(block.payload[KIND_OFFSET::EVENT_BYTES]):
                    if kind != EventKind.LEVEL_CHANGED:
                        continue
                    event = decode_event(block.payload, idx * EVENT_BYTES)
                    if isinstance(event, LevelChanged) and (event.instrument, event.side, event.price) == where:
                        found = event.qty, event.order_count
            if found is not None:
                return found
        return None


def read(journal: EventLog, wanted: Wanted) -> Found:
    """What the log says about the order. Blocking."""
    reader = _Reader(journal, wanted)
    marks = wanted.marks
    last_page = (wanted.last_seq - 1) // PAGE
    reader.page(wanted.first_page)
    reader.page(last_page)
    for page in reversed(marks.change_pages[-MAX_CHANGE_PAGES:]):
        reader.page(page)
    if marks.phase_seq:
        reader.command(marks.phase_seq)
    for seq in marks.rule_seqs[-MAX_RULES:]:
        reader.command(seq)
    left_out = max(len(marks.rule_seqs) - MAX_RULES, 0) + max(len(marks.change_pages) - MAX_CHANGE_PAGES, 0)
    matters = _what_matters(wanted, reader)
    skipped: list[Traded] = []
    for traded in reversed(marks.traded()):
        if reader.has_read(traded.page):
            continue
        if not matters(traded):
            skipped.append(traded)
        elif reader.may_go_on():
            reader.page(traded.page)
        else:
            left_out += traded.trades
    for page in range(min(marks.known_from, last_page) - 1, wanted.first_page, -1):  # of which nothing is known
        if reader.may_go_on():
            reader.page(page)
        elif not reader.has_read(page):
            left_out += PAGE
    return Found(
        events=[event for _, events in sorted(reader.events.items()) for event in events],
        places=reader.places,
        skipped=skipped[::-1],
        left_out=left_out,
    )


class _Matters:
    """Whether a page's trades may concern the order: they reached the best price that it ever had, or it has none."""

    def __init__(self, side: Side, reach: int | None, *, never: bool) -> None:
        self._side = side
        self._reach = reach
        self._never = never

    def __call__(self, traded: Traded) -> bool:
        if self._never:
            return False
        if self._reach is None:
            return True
        return traded.low <= self._reach if self._side is Side.BUY else traded.high >= self._reach


def _what_matters(wanted: Wanted, reader: _Reader) -> _Matters:
    mine = [
        event
        for events in reader.events.values()
        for event in events
        if isinstance(event, OrderEvent) and event.order_id == wanted.order_id
    ]
    prices = [event.limit_price for event in mine if event.order_type not in UNQUEUED or event.stop_price]
    is_unpriced = any(event.order_type in UNQUEUED and not event.stop_price for event in mine)
    reach = (max(prices) if wanted.side is Side.BUY else min(prices)) if prices and not is_unpriced else None
    return _Matters(wanted.side, reach or None, never=wanted.is_asleep)
