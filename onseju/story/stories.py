"""The desk that tells stories: what is asked is gathered here, the log is read in a thread, a few at a time."""

from __future__ import annotations

import asyncio

import msgspec

from onseju.contract.money import WON, Denomination
from onseju.contract.reasons import Sentence
from onseju.contract.views import OrderView, timestamp
from onseju.contract.words import OrderType, Side
from onseju.journal.port import EventLog
from onseju.story.answers import answer
from onseju.story.happenings import Happening
from onseju.story.landmarks import PAGE, Landmarks
from onseju.story.moment import Limits, Line, Moment, Standing
from onseju.story.options import options
from onseju.story.places import Place
from onseju.story.reading import Wanted, read
from onseju.story.sentences import ANSWERS, HAPPENINGS, OPTIONS
from onseju.story.tale import Present, tell
from onseju.story.wording import Value, write

MAX_HAPPENINGS = 100
"""The newest that one story tells."""
AT_ONCE = 2
"""Stories that are read at the same time."""
MAX_WAITING = 32
"""Stories that may wait for that."""


class StoriesBusyError(Exception):
    """Too many stories are being told; try again shortly."""


class SentenceView(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence: its code, what it names, and how it reads. The end of a parameter's name says what it is:
    `…_price`, `…_qty`, `…_count`, `…_number`, `…_time`, `…_word`, `…_reason`."""

    code: str
    params: dict[str, Value]
    text: str


class HappeningView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. `own`: to the order itself; `rule`: because the market's rules say so."""

    seq: int
    ts: str
    code: str
    params: dict[str, Value]
    text: str
    own: bool
    rule: bool


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """The order's place when it first came to a queue, and now; null where it stood at no price of its own."""

    entry: Place | None
    now: Place | None


class StoryView(msgspec.Struct, frozen=True, kw_only=True):
    """An order's story. `more` is how many older happenings are left out, counting each trade that was not looked at."""

    order: OrderView
    answer: SentenceView
    queue: QueueView
    happenings: list[HappeningView]
    more: int
    options: list[SentenceView]
    seq: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An order, its instrument, and how both stand after the command `seq`."""

    order: OrderView
    instrument: int
    seq: int
    ts: int
    """That command's time, microseconds since 1970."""
    moment: Moment
    limits: Limits
    denomination: Denomination = WON


class Stories:
    """Tells the stories of orders. `listen` belongs on the event bus."""

    def __init__(self, journal: EventLog) -> None:
        self._journal = journal
        self.landmarks = Landmarks()
        self.listen = self.landmarks.listen
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def tell(self, asked: Asked, language: str) -> StoryView:
        """The story in `ko` or `en`. Raises `StoriesBusyError`, and `JournalError` where the log is damaged."""
        if self._waiting >= MAX_WAITING:
            raise StoriesBusyError
        self._waiting += 1
        try:
            async with self._turns:
                wanted = self._wanted(asked)
                return await asyncio.to_thread(_tell, self._journal, asked, wanted, language)
        finally:
            self._waiting -= 1

    def _wanted(self, asked: Asked) -> Wanted:
        order = asked.order
        is_open = order.status in ("new", "partially_filled")
        last_seq = asked.seq if is_open else order.seq
        page = self.landmarks.page_of(order.order_id)
        first_page = (last_seq - 1) // PAGE if page is None else page
        return Wanted(
            order_id=order.order_id,
            account=order.account_id,
            instrument=asked.instrument,
            side=Side.parse(order.side),
            is_asleep=order.type in (OrderType.STOP_LIMIT.label, OrderType.STOP.label),
            first_page=first_page,
            last_seq=last_seq,
            marks=self.landmarks.marks(asked.instrument, order.account_id, first_page, last_seq),
        )


def _tell(journal: EventLog, asked: Asked, wanted: Wanted, language: str) -> StoryView:
    """In a thread: read, and put into words."""
    order, place = asked.order, asked.moment.place
    found = read(journal, wanted)
    standing = standing_of(order)
    tale = tell(
        found,
        order.order_id,
        Present(wanted.last_seq, asked.ts, place.ahead_qty if place is not None and standing.is_open else None),
        asked.limits,
    )
    happenings, money = tale.happenings, asked.denomination

    def say(line: Line, sentences: dict[str, Sentence]) -> SentenceView:
        text = write(sentences[line.code], line.params, language, money)
        return SentenceView(code=line.code, params=line.params, text=text)

    return StoryView(
        order=order,
        answer=say(answer(standing, tale, asked.moment), ANSWERS),
        queue=QueueView(entry=tale.entry, now=place if standing.is_open else None),
        happenings=[_happening(told, language, money) for told in happenings[-MAX_HAPPENINGS:]],
        more=found.left_out + max(len(happenings) - MAX_HAPPENINGS, 0),
        options=[say(line, OPTIONS) for line in options(standing, tale, asked.moment)],
        seq=asked.seq,
    )


def standing_of(order: OrderView) -> Standing:
    """The order's view in the words that answers are chosen by."""
    return Standing(
        side=Side.parse(order.side),
        order_type=order.type,
        status=order.status,
        qty=order.qty,
        limit_price=order.limit_price or 0,
        stop_price=order.stop_price or 0,
        leaves_qty=order.leaves_qty,
        filled_qty=order.filled_qty,
        canceled_qty=order.canceled_qty,
        average_price=order.avg_fill_price or "0",
    )


def _happening(told: Happening, language: str, money: Denomination) -> HappeningView:
    return HappeningView(
        seq=told.seq,
        ts=timestamp(told.ts),
        code=told.code,
        params=told.params,
        text=write(HAPPENINGS[told.code], told.params, language, money),
        own=told.own,
        rule=told.rule,
    )
