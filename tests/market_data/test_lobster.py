"""LOBSTER files read and played: every kind of message, the window of the rows, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.contract.words import Side
from onseju.market_data.lobster import LobsterError, Message, MessageType, Recording, Row, book_before, read
from onseju.market_data.lobster_player import LobsterPlayer
from tests.market_data.plain_venue import ACCOUNT, ONE, PlainVenue

MESSAGES = """34200.5,1,11,18,5853300,1
34200.600000001,4,11,8,5853300,1
34201,2,11,4,5853300,1
34202,3,7,100,5859400,-1
34203,5,0,50,5856000,-1
"""
ROWS = """5859400,200,5853300,18,5859800,100,5853000,150
5859400,200,5853300,10,5859800,100,5853000,150
5859400,200,5853300,6,5859800,100,5853000,150
5859400,100,5853300,6,5859800,100,5853000,150
5859400,100,5853300,6,9999999999,0,-9999999999,0
"""


def folder(where: Path, messages: str = MESSAGES, rows: str = ROWS) -> Path:
    (where / "AAPL_message_2.csv").write_text(messages)
    (where / "AAPL_orderbook_2.csv").write_text(rows)
    return where


def started(rows: list[Row], messages: list[Message]) -> tuple[LobsterPlayer, PlainVenue]:
    venue = PlainVenue()
    player = LobsterPlayer(venue, ACCOUNT, ONE, depth=2)
    player.seed(book_before(Recording(messages, rows, 2)))
    return player, venue


def test_a_recording_is_read(tmp_path: Path) -> None:
    messages, rows, depth = read(folder(tmp_path))
    assert depth == 2
    assert messages[1] == Message(34_200_600_000_001, MessageType.EXECUTION, 11, 8, 5_853_300, Side.BUY)
    assert messages[3].side is Side.SELL
    assert rows[0] == Row(((5_853_300, 18), (5_853_000, 150)), ((5_859_400, 200), (5_859_800, 100)))
    assert rows[4] == Row(((5_853_300, 6),), ((5_859_400, 100),)), "empty levels are left out"


def test_the_book_before_is_the_first_row_less_the_first_message(tmp_path: Path) -> None:
    recording = read(folder(tmp_path))
    assert book_before(recording).bids == ((5_853_000, 150),)
    executed = recording._replace(messages=recording.messages[1:], rows=recording.rows[1:])
    assert book_before(executed).bids == ((5_853_300, 18), (5_853_000, 150))
    hidden = recording._replace(messages=recording.messages[4:], rows=recording.rows[4:])
    assert book_before(hidden) == recording.rows[4]


def test_each_kind_of_message_is_played(tmp_path: Path) -> None:
    messages, rows, _ = recording = read(folder(tmp_path))
    player, venue = started(rows, messages)
    for message, row in zip(messages[:4], rows, strict=False):
        player.play(message)
        assert venue.book() == row
    player.play(messages[4])
    assert venue.book() == recording.rows[3], "a hidden order is in no visible book"
    assert [(trade.price, trade.qty) for trade in venue.driver.trades] == [(5_853_300, 8)]


def test_what_comes_into_the_window_is_learned() -> None:
    """A level that was below it, one that changed while it was below, and one that is gone."""
    before = Row(((100, 5), (99, 5)), ((101, 5), (102, 5)))
    messages = [Message(0, MessageType.HIDDEN_EXECUTION, 0, 1, 100, Side.BUY)]
    player, venue = started([before], messages)
    assert not player.knows(Side.BUY, 98)
    player.play(Message(1, MessageType.DELETE, 3, 5, 100, Side.BUY))
    assert player.reveal(Row(((99, 5), (95, 7)), before.asks)) == [(Side.BUY, 95)]
    assert venue.book().bids == ((99, 5), (95, 7))
    assert player.knows(Side.BUY, 98)
    for number, price in ((8, 98), (9, 97)):
        player.play(Message(2, MessageType.NEW, number, 4, price, Side.BUY))
    player.reveal(Row(((99, 5), (98, 4)), before.asks))
    assert not player.knows(Side.BUY, 97)
    player.play(Message(3, MessageType.DELETE, 8, 4, 98, Side.BUY))
    assert player.reveal(Row(((99, 5), (95, 6)), before.asks)) == [(Side.BUY, 95), (Side.BUY, 97)]
    assert venue.book().bids == ((99, 5), (95, 6))
    player.play(Message(4, MessageType.EXECUTION, 77, 5, 99, Side.BUY))
    assert player.reveal(Row(((95, 6), (94, 1)), before.asks)) == [(Side.BUY, 94)]
    venue.driver.check()


@pytest.mark.parametrize("size", [1, 6])
def test_an_order_of_which_nothing_is_known_cannot_be_played(size: int) -> None:
    player, _ = started([Row(((100, 5),), ())], [Message(0, MessageType.HIDDEN_EXECUTION, 0, 1, 100, Side.BUY)])
    unknown = Message(1, MessageType.DELETE, 9, size, 100 if size > 5 else 90, Side.BUY)
    with pytest.raises(LookupError, match="nothing is known"):
        player.play(unknown)


@pytest.mark.parametrize(
    ("messages", "rows", "words"),
    [
        (MESSAGES, ROWS.split("\n", 1)[1], "5 messages, and 4 rows"),
        ("", "", "0 messages"),
        ("34200.5,1,11,18,5853300\n", "1,2,3,4\n", "6 columns, here are 5"),
        ("noon,1,11,18,5853300,1\n", "1,2,3,4\n", "not a time"),
        ("34200.5,9,11,18,5853300,1\n", "1,2,3,4\n", "not a time"),
        ("34200.5,1,11,18,5853300,0\n", "1,2,3,4\n", "not a time"),
        ("34200.5,1,11,many,5853300,1\n", "1,2,3,4\n", "AAPL_message_2.csv, line 1: 'many' is no whole number"),
        ("34200.5,1,11,18,5853300,1\n", "1,2,3\n", "4 columns for each level, here are 3"),
    ],
)
def test_files_that_are_no_recording(tmp_path: Path, messages: str, rows: str, words: str) -> None:
    with pytest.raises(LobsterError, match=words):
        read(folder(tmp_path, messages, rows))


def test_a_folder_without_files(tmp_path: Path) -> None:
    with pytest.raises(LobsterError, match=r"one \*message\*.csv is needed, there are 0"):
        read(tmp_path)
