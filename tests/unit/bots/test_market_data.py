"""The best prices as the public book channel tells them, and the bots' patience."""

from __future__ import annotations

from typing import Any

import pytest

from onseju.bots.client import Client
from onseju.bots.http import UnavailableError
from onseju.bots.market_data import EMPTY, MarketData
from onseju.bots.noise import Top
from onseju.bots.pace import LONGEST_ASKED_WAIT_S, LONGEST_WAIT_S, Patience
from onseju.bots.sessions import CLOSED, Session

Levels = list[tuple[int, int, int]]


def frame(type_: str, id_: str, prev: str | None, bids: Levels, asks: Levels) -> dict[str, Any]:
    data = {"symbol": "005930", "depth": 1, "bids": bids, "asks": asks}
    return {"ch": "book", "id": id_, "prev": prev, "type": type_, "ts": None, "data": data}


def test_snapshots_and_deltas() -> None:
    market = MarketData(Client("http://127.0.0.1:1"), ["005930"])
    assert market.top("005930") == EMPTY
    market.take(frame("snapshot", "j-1-0", None, [(70_000, 10, 1)], [(70_100, 20, 2)]))
    assert market.top("005930") == Top((70_000, 10), (70_100, 20))
    market.take(frame("delta", "j-2-0", "j-1-0", [(70_000, 0, 0), (69_900, 5, 1)], []))
    assert market.top("005930") == Top((69_900, 5), (70_100, 20))
    market.take(frame("delta", "j-3-0", "j-2-0", [], [(70_100, 0, 0)]))
    assert market.top("005930") == Top((69_900, 5), None)


def market_frame(type_: str, id_: str, prev: str | None, **row: Any) -> dict[str, Any]:
    standing = {"phase": "continuous", "order_types": [], "indicative_price": None, "fixed_price": None}
    rows = [{"symbol": "005930"} | standing | row]
    return {
        "ch": "market",
        "id": id_,
        "prev": prev,
        "type": type_,
        "ts": None,
        "data": {"symbols": rows, "clock": None},
    }


def test_what_the_market_takes_is_followed() -> None:
    market = MarketData(Client("http://127.0.0.1:1"), ["005930"])
    assert not market.sessions.of("005930").is_open
    market.take(market_frame("snapshot", "j-1-0", None, order_types=["limit", "market"]))
    assert market.sessions.of("005930") == Session(frozenset({"limit", "market"}))
    market.take(
        market_frame("delta", "j-2-0", "j-1-0", phase="vi_auction", order_types=["limit"], indicative_price=70_500)
    )
    session = market.sessions.of("005930")
    assert (session.is_open, session.collects, session.indicative_price) == (True, True, 70_500)
    assert session.fixed_price is None
    market.take(market_frame("delta", "j-3-0", "j-2-0", phase="closed"))
    assert not market.sessions.of("005930").is_open
    with pytest.raises(UnavailableError, match="a gap in the market"):
        market.take(market_frame("delta", "j-5-0", "j-4-0"))
    market.sessions.forget()
    assert market.sessions.of("005930") == CLOSED


def test_a_gap_is_noticed() -> None:
    market = MarketData(Client("http://127.0.0.1:1"), ["005930"])
    with pytest.raises(UnavailableError):
        market.take(frame("delta", "j-2-0", "j-1-0", [], []))
    market.take(frame("snapshot", "j-3-0", None, [], []))
    with pytest.raises(UnavailableError):
        market.take(frame("delta", "j-5-0", "j-4-0", [], []))


def test_patience_grows_is_bounded_heeds_the_server_and_begins_anew() -> None:
    patience = Patience("a bot")
    waits = [patience.next_wait_s(UnavailableError("away")) for _ in range(8)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.25, LONGEST_WAIT_S)
    assert patience.next_wait_s(UnavailableError("busy", 12.0)) == 12.0
    assert patience.next_wait_s(UnavailableError("busy", 1e9)) == LONGEST_ASKED_WAIT_S
    patience.rewarded()
    assert patience.next_wait_s(UnavailableError("away")) == 0.25


def test_only_what_takes_longer_than_a_moment_is_told_and_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="onseju.bots")
    patience = Patience("a bot")
    for _ in range(2):
        patience.next_wait_s(UnavailableError("away"))
    patience.rewarded()
    assert caplog.messages == []
    for _ in range(9):
        patience.next_wait_s(UnavailableError("away"))
    patience.rewarded()
    assert caplog.messages == ["a bot: waits for the server (away)", "a bot: goes on"]
