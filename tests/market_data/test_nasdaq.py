"""NASDAQ's own messages played under `plain` rules: the same book as NASDAQ's, and each execution meets the same order.

The recording is LOBSTER's free sample, which may not be shipped: `ONSEJU_LOBSTER_DIR` names the folder that holds it.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from onseju.contract.events import Trade
from onseju.contract.words import Side
from onseju.market_data.lobster import Message, MessageType, Recording, Row, book_before, read
from onseju.market_data.lobster_player import LobsterPlayer
from tests.market_data.plain_venue import ACCOUNT, ONE, PlainVenue

FOLDER = os.environ.get("ONSEJU_LOBSTER_DIR", "")
needs_recording = pytest.mark.skipif(
    not FOLDER, reason="ONSEJU_LOBSTER_DIR names no folder with LOBSTER's message and orderbook files"
)


@dataclass
class Report:
    """What came out of playing a recording."""

    kinds: Counter[str] = field(default_factory=Counter)
    executions: Counter[str] = field(default_factory=Counter)
    best_same: int = 0
    best_differs: list[tuple[Side, int]] = field(default_factory=list)
    """Where NASDAQ's best quote was another: its side and price."""
    levels_same: int = 0
    levels_differ: int = 0
    levels_from_below: int = 0
    learned: list[tuple[Side, int]] = field(default_factory=list)


def play(recording: Recording, *, learns: bool) -> tuple[Report, PlainVenue]:
    """Play all, and hold the book against NASDAQ's after each message. Without learning, what the recording says of orders
    below the first row's levels is left undone."""
    venue, report = PlainVenue(), Report()
    player = LobsterPlayer(venue, ACCOUNT, ONE, recording.depth)
    player.seed(book_before(recording))
    for message, row in zip(recording.messages, recording.rows, strict=True):
        report.kinds[message.kind.name.lower()] += 1
        if learns or message.kind is MessageType.NEW or player.resting(message) is not None:
            play_one(report, player, venue, message)
        compare(report, player, venue.book(), row)
        if learns:
            report.learned += player.reveal(row)
    venue.driver.check()
    return report, venue


def play_one(report: Report, player: LobsterPlayer, venue: PlainVenue, message: Message) -> None:
    """Play a message; of an execution see whether it meets the order that NASDAQ's met, for as many shares."""
    named, shown, trades = player.resting(message), player.shows(message), len(venue.driver.trades)
    player.play(message)
    met = [met_by(trade, message.side) for trade in venue.driver.trades[trades:]]
    if message.kind is MessageType.EXECUTION and named is not None:
        same = met == [(named.order_id, message.price, message.size)]
        report.executions[f"{'shown' if shown else 'from before'}, {'same' if same else 'another'}"] += 1
    else:
        assert not met, f"{message} must not trade"


def met_by(trade: Trade, side: Side) -> tuple[int, int, int]:
    """The resting order of a trade, its price and size."""
    order_id = trade.buy_order_id if side is Side.BUY else trade.sell_order_id
    return order_id, trade.price, trade.qty


def compare(report: Report, player: LobsterPlayer, ours: Row, row: Row) -> None:
    """Hold the book against NASDAQ's, as deep as the recording could be seen through until now."""
    differs = [(side, row.levels(side)[0][0]) for side in Side if ours.levels(side)[:1] != row.levels(side)[:1]]
    report.best_differs += differs
    report.best_same += not differs
    for side in Side:
        theirs = [level for level in row.levels(side) if player.knows(side, level[0])]
        same = list(ours.levels(side)[: len(theirs)]) == theirs
        report.levels_from_below += len(row.levels(side)) - len(theirs)
        report.levels_same += len(theirs) if same else 0
        report.levels_differ += 0 if same else len(theirs)


@needs_recording
def test_the_book_is_nasdaqs_after_every_message() -> None:
    """999 messages of AAPL, 2012-06-21 from 09:30:00 on: best bid and ask, all levels in view, and whom executions meet."""
    recording = read(Path(FOLDER))
    report, venue = play(recording, learns=True)
    assert report.kinds == {"new": 471, "delete": 369, "execution": 98, "hidden_execution": 61}
    assert (report.best_same, report.best_differs) == (999, [])
    assert (report.levels_same, report.levels_differ) == (19_662, 0)
    # A level that comes into view when a better one is gone may be older than the recording, or have changed unseen.
    assert (report.levels_from_below, len(report.learned)) == (318, 14)
    assert report.executions == {"shown, same": 94, "from before, same": 4}
    # Hidden orders are in no visible book: their executions are not ours to make.
    visible = [message for message in recording.messages if message.kind is MessageType.EXECUTION]
    assert [(trade.price, trade.qty) for trade in venue.driver.trades] == [(m.price, m.size) for m in visible]


@needs_recording
def test_all_that_differs_without_learning_is_older_than_the_recording() -> None:
    """Only the first row's ten levels are seeded: best bid and ask agree until the price falls below the lowest of them."""
    recording = read(Path(FOLDER))
    learned = set(play(recording, learns=True)[0].learned)
    report, _ = play(recording, learns=False)
    assert (report.best_same, len(report.best_differs)) == (955, 44)
    assert {side for side, _ in report.best_differs} == {Side.BUY}
    assert set(report.best_differs) <= learned
    assert report.executions == {"shown, same": 94}
