"""A journal of busy days, the views that a venue keeps, and how to compare them."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from onseju import listeners
from onseju.contract.command_runs import CommandRun
from onseju.contract.journal_records import EventBlock, JournalRecord
from onseju.exchange.applier import Applier
from onseju.exchange.checkpoint import View
from onseju.exchange.watch import PhaseWatch
from onseju.journal.segments import SegmentJournal
from onseju.kis.source import MarketSource
from onseju.market.market import Market
from onseju.matching import engines
from onseju.push.ring import AccountRing
from onseju.story.stories import Stories
from tests.engines import name_under_test
from tests.properties.test_busy_days import busy

COMMANDS = 600
AT_ONCE = 20


def makers() -> tuple[Any, Any]:
    """The engine under test: fresh, and from a snapshot."""
    name = name_under_test()
    return (lambda: engines.make(name)), (lambda data: engines.restore(name, data))


def day_records(variant: int = 0, seed: int = 1) -> list[JournalRecord]:
    """The records of a busy day; the orders have ids of their clients'."""
    driver, day = busy(variant, seed)
    for _ in range(COMMANDS):
        driver.do(day.next_command())
    return [
        JournalRecord(venue=1, epoch=1, semantics=1, command=command, text=f"cid-{seq}" if command[16] == 1 else "")
        for seq, command in enumerate(driver.commands, 1)
    ]


def write_day(directory: Path, records: Sequence[JournalRecord], **options: int) -> list[EventBlock]:
    """A journal with these records and their events."""
    blocks = list(Applier(makers()[0]()).apply(CommandRun.of(records)))
    journal = SegmentJournal.open(directory, fsync=False, **options)
    for first in range(0, len(records), AT_ONCE):
        journal.append(records[first : first + AT_ONCE])
        journal.append_events(blocks[first : first + AT_ONCE])
    journal.close()
    return blocks


def views_of(journal: SegmentJournal) -> dict[str, View]:
    """What a venue keeps in memory of the events."""
    forms = listeners.best(name_under_test())
    market = Market(journal.journal_id, forms.digester)
    ring = AccountRing(
        journal,
        market.directory.symbol_of,
        10_000,
        oldest=lambda: journal.first_event_seq,
        core=forms.account_chains,
    )
    return {
        "watch": PhaseWatch(),
        "market": market,
        "kis": MarketSource(market, forms.digester),
        "queues": forms.queues(),
        "stories": Stories(journal).landmarks,
        "ring": ring,
    }


def states_of(views: dict[str, View]) -> dict[str, Any]:
    """What the views keep, as plain values that can be compared."""
    return {name: plain(view.state()) for name, view in views.items()}


def plain(value: Any) -> Any:
    """Any tree of objects as dicts and lists."""
    if value is None or isinstance(value, int | str | bytes | float | Enum):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, list | tuple | deque | array):
        return [plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.structs.asdict(value))
    names = list(getattr(value, "__dict__", ())) + [
        name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ()) if name != "__weakref__"
    ]
    assert names, f"{value!r} has nothing to compare"
    return {name: plain(getattr(value, name)) for name in sorted(names) if name != "_frame"}
