"""The host's calls about the market and its rules over real sockets, with the real engine."""

from __future__ import annotations

from typing import Any, get_args

import httpx
import pytest
from structlog.testing import capture_logs

from onseju.contract.commands import OpenAccount, Request
from onseju.contract.events import InstrumentListed
from onseju.contract.words import (
    AccountKind,
    AuctionPricing,
    Board,
    MarketRemainder,
    OrderType,
    Phase,
    Rule,
    Side,
    StopElection,
)
from onseju.gateway import admin_market, admin_rules
from onseju.gateway.openings import VENUE_ACCOUNT
from tests.unit.gateway.hosting import enter, give_account, refused
from tests.unit.gateway.served import Venue


def test_instruments_are_listed_by_the_customs_of_their_kind(venue: Venue, host: httpx.Client) -> None:
    body = {"symbol": "900001", "name": "온세주전자", "base_price": 10_000}
    answer = host.post("/v1/admin/instruments", json=body)
    assert (answer.status_code, answer.json()["instrument_id"]) == (201, 11)
    listed = venue.bus.market.directory.by_symbol("900001")
    assert listed is not None
    assert (listed.name, listed.upper_limit, listed.lower_limit) == ("온세주전자", 13_000, 7_000)
    fund = {"symbol": "900002", "name": "fund", "base_price": 10_000, "security": "etf", "limit_ppm": 0}
    assert host.post("/v1/admin/instruments", json=fund).status_code == 201
    etf, kodex = venue.bus.market.directory.by_symbol("900002"), venue.bus.market.directory.by_symbol("069500")
    assert etf is not None
    assert kodex is not None
    assert (etf.tick_table, etf.upper_limit) == (kodex.tick_table, 0)
    refused(host.post("/v1/admin/instruments", json=body), 409, "symbol_exists")


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ""},
        {"symbol": "x" * 17},
        {"symbol": "한글"},
        {"symbol": "A\n"},
        {"name": ""},
        {"name": "a\tb"},
        {"name": "a\nb"},
        {"name": "가" * 61},
        {"base_price": -1},
        {"base_price": 1.5},
        {"limit_ppm": 10_000_001},
        {"board": "moon"},
        {"tick_table": 256},
        {"tick_table": 2**32},
    ],
)
def test_instruments_that_cannot_be(venue: Venue, host: httpx.Client, change: Any) -> None:
    before = venue.bus.last_seq
    body = {"symbol": "900001", "name": "x", "base_price": 10_000, **change}
    refused(host.post("/v1/admin/instruments", json=body), 400, "malformed")
    assert venue.bus.last_seq == before
    table = {"symbol": "900001", "name": "x", "base_price": 10_000, "tick_table": 255}
    refused(host.post("/v1/admin/instruments", json=table), 422, "invalid_command")  # the largest number, but no table


def test_interruption_rates_of_an_instrument(venue: Venue, host: httpx.Client) -> None:
    body = {"symbol": "900001", "name": "x", "base_price": 10_000, "vi_dynamic_ppm": 30_000, "vi_static_ppm": 100_000}
    assert host.post("/v1/admin/instruments", json=body).status_code == 201
    (listed,) = [event for event in venue.bus.blocks[-2].events if isinstance(event, InstrumentListed)]
    assert (listed.vi_dynamic_ppm, listed.vi_static_ppm) == (30_000, 100_000)
    refused(host.post("/v1/admin/instruments", json=body | {"vi_static_ppm": 1_000_001}), 400, "malformed")


def test_rules_of_an_instrument_and_of_the_venue(venue: Venue, host: httpx.Client) -> None:
    directory = venue.bus.market.directory
    answer = host.post("/v1/admin/rules", json={"rule": "max_order_qty", "value": 100})
    told = answer.json()
    assert (answer.status_code, told["rule"], told["value"], told["symbol"]) == (200, "max_order_qty", 100, None)
    assert told["seq"] == venue.bus.last_deed
    with capture_logs() as logs:
        body = {"rule": "market_remainder", "value": "rest", "symbol": "005930"}
        assert host.post("/v1/admin/rules", json=body).status_code == 200
    assert [entry["rule"] for entry in logs if entry["event"] == "set_rule"] == ["market_remainder"]
    samsung, hynix = directory.by_symbol("005930"), directory.by_symbol("000660")
    assert samsung is not None
    assert hynix is not None
    assert directory.rule(Rule.MAX_ORDER_QTY, samsung.id) == 100
    assert directory.rule(Rule.MARKET_REMAINDER, samsung.id) == MarketRemainder.REST
    assert directory.rule(Rule.MARKET_REMAINDER, hynix.id) == MarketRemainder.FLOAT


def test_the_first_fee_opens_the_account_that_collects_it(venue: Venue, host: httpx.Client) -> None:
    assert host.post("/v1/admin/rules", json={"rule": "commission_ppm", "value": 0}).status_code == 200
    assert host.post("/v1/admin/deposits", json={"account_id": VENUE_ACCOUNT, "cash": 1}).status_code == 404
    for value in (150, 140):
        assert host.post("/v1/admin/rules", json={"rule": "commission_ppm", "value": value}).json()["value"] == value
    assert venue.bus.engine.account(VENUE_ACCOUNT).kind == AccountKind.VENUE


def test_a_fee_goes_to_an_account_of_the_venue_that_there_is(venue: Venue, host: httpx.Client) -> None:
    venue.bus.apply(Request(OpenAccount(account=77, account_kind=AccountKind.VENUE)))
    assert host.post("/v1/admin/rules", json={"rule": "commission_ppm", "value": 150}).status_code == 200
    assert host.post("/v1/admin/deposits", json={"account_id": VENUE_ACCOUNT, "cash": 1}).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"rule": "gravity", "value": 1}, 400, "malformed"),
        ({"rule": "max_order_qty"}, 400, "malformed"),
        ({"rule": "max_order_qty", "value": -1}, 400, "malformed"),
        ({"rule": "max_order_qty", "value": 1.5}, 400, "malformed"),
        ({"rule": "max_order_qty", "value": True}, 400, "malformed"),
        ({"rule": "max_order_qty", "value": "rest"}, 400, "malformed"),
        ({"rule": "market_remainder", "value": 2}, 400, "malformed"),
        ({"rule": "market_remainder", "value": "off"}, 400, "malformed"),
        ({"rule": "self_trade_prevention", "value": "float"}, 400, "malformed"),
        ({"rule": "commission_ppm", "value": 1_000_001}, 422, "invalid_command"),
        ({"rule": "max_open_orders", "value": 5, "symbol": "005930"}, 422, "invalid_command"),
        ({"rule": "max_order_qty", "value": 5, "symbol": "999999"}, 404, "unknown_symbol"),
    ],
)
def test_rules_that_cannot_be(host: httpx.Client, body: Any, status: int, code: str) -> None:
    refused(host.post("/v1/admin/rules", json=body), status, code)


def test_halting_and_resuming_and_phases(venue: Venue, host: httpx.Client) -> None:
    halted = host.post("/v1/admin/halt", json={"symbol": "005930"})
    assert (halted.status_code, halted.json()["phases"]) == (200, {"005930": "halted"})
    refused(host.post("/v1/admin/halt", json={"symbol": "005930"}), 422, "invalid_command")
    resumed = host.post("/v1/admin/resume", json={"symbol": "005930", "phase": "continuous"})
    assert resumed.json()["phases"] == {"005930": "continuous"}
    for phase in ("closed", "continuous", "closed", "continuous"):
        moved = host.post("/v1/admin/phase", json={"phase": phase})
        assert moved.status_code == 200, moved.text
        assert set(moved.json()["phases"].values()) == {phase}
        assert len(moved.json()["phases"]) == 10
    refused(host.post("/v1/admin/phase", json={"phase": "lunch"}), 400, "malformed")
    refused(host.post("/v1/admin/halt", json={"symbol": "999999"}), 404, "unknown_symbol")
    assert host.post("/v1/admin/halt", json={}).json()["phases"].keys() == {
        instrument.symbol for instrument in venue.bus.market.directory.all()
    }


def test_auctions_are_matched_by_command(venue: Venue, host: httpx.Client) -> None:
    give_account(host)
    refused(host.post("/v1/admin/uncross", json={}), 422, "invalid_command")
    host.post("/v1/admin/phase", json={"phase": "opening_auction", "symbol": "005930"})
    host.post("/v1/admin/phase", json={"phase": "opening_auction", "symbol": "000660"})
    enter(venue, Side.BUY)
    enter(venue, Side.SELL, 3)
    refused(host.post("/v1/admin/phase", json={"phase": "continuous", "symbol": "005930"}), 422, "auction_pending")
    with capture_logs() as logs:
        answer = host.post("/v1/admin/uncross", json={})
    told = answer.json()
    assert answer.status_code == 200
    assert told["auctions"] == {
        "005930": {"price": 98_500, "qty": 3, "extended": False},
        "000660": {"price": None, "qty": 0, "extended": False},
    }
    assert (told["seq"], answer.headers["onseju-seq"]) == (venue.bus.last_deed, str(venue.bus.last_deed))
    assert [entry["by"] for entry in logs if entry["event"] == "uncross"] == ["bootstrap"]
    moved = host.post("/v1/admin/phase", json={"phase": "continuous", "symbol": "005930"})
    assert moved.json()["phases"] == {"005930": "continuous"}
    answer = host.post("/v1/admin/uncross", json={"symbol": "005930"})
    refused(answer, 422, "invalid_command")
    assert answer.json()["errors"][0]["code"] == "no_auction"
    refused(host.post("/v1/admin/uncross", json={"symbol": "999999"}), 404, "unknown_symbol")


def test_an_auction_that_would_interrupt_trading_goes_on_once(venue: Venue, host: httpx.Client) -> None:
    give_account(host)
    host.post("/v1/admin/rules", json={"rule": "vi_static_ppm", "value": 100_000, "symbol": "005930"})
    host.post("/v1/admin/phase", json={"phase": "opening_auction", "symbol": "005930"})
    enter(venue, Side.BUY, 1, 110_000)
    enter(venue, Side.SELL, 1, 110_000)
    answer = host.post("/v1/admin/uncross", json={"symbol": "005930"})
    assert answer.json()["auctions"] == {"005930": {"price": None, "qty": 0, "extended": True}}
    answer = host.post("/v1/admin/uncross", json={"symbol": "005930"})
    assert answer.json()["auctions"] == {"005930": {"price": 110_000, "qty": 1, "extended": False}}


def test_a_resumed_instrument_collects_before_it_trades(host: httpx.Client) -> None:
    host.post("/v1/admin/halt", json={"symbol": "005930"})
    assert host.post("/v1/admin/resume", json={"symbol": "005930"}).json()["phases"] == {"005930": "resumption_auction"}
    answer = host.post("/v1/admin/resume", json={"symbol": "005930"})
    refused(answer, 422, "invalid_command")
    assert answer.json()["errors"][0]["code"] == "not_halted"
    host.post("/v1/admin/rules", json={"rule": "types_resumption_auction", "value": [], "symbol": "000660"})
    host.post("/v1/admin/halt", json={"symbol": "000660"})
    assert host.post("/v1/admin/resume", json={"symbol": "000660"}).json()["phases"] == {"000660": "continuous"}


def test_a_board_is_halted_and_resumed_alone(venue: Venue, host: httpx.Client) -> None:
    kosdaq = {found.symbol for found in venue.bus.market.directory.all() if found.board is Board.KOSDAQ}
    halted = host.post("/v1/admin/halt", json={"board": "kosdaq"})
    assert halted.json()["phases"] == dict.fromkeys(kosdaq, "halted")
    refused(host.post("/v1/admin/halt", json={"board": "kosdaq"}), 422, "invalid_command")
    refused(host.post("/v1/admin/halt", json={"board": "kosdaq", "symbol": "005930"}), 400, "malformed")
    refused(host.post("/v1/admin/resume", json={"board": "kospi"}), 422, "invalid_command")
    resumed = host.post("/v1/admin/resume", json={"board": "kosdaq"})
    assert resumed.json()["phases"] == dict.fromkeys(kosdaq, "resumption_auction")
    assert host.post("/v1/admin/uncross", json={"board": "kosdaq"}).json()["auctions"].keys() == kosdaq
    moved = host.post("/v1/admin/phase", json={"board": "kosdaq", "phase": "continuous"})
    assert moved.json()["phases"] == dict.fromkeys(kosdaq, "continuous")


def test_the_circuit_breaker_ascends_through_its_stages(host: httpx.Client) -> None:
    """KRX rules 6.2: each stage once a day; the third closes for the day."""
    stage = {"board": "kosdaq", "stage": 1}
    assert set(host.post("/v1/admin/halt", json=stage).json()["phases"].values()) == {"halted"}
    answer = host.post("/v1/admin/halt", json=stage)
    refused(answer, 422, "invalid_command")
    assert answer.json()["errors"][0]["code"] == "stage_passed"
    host.post("/v1/admin/resume", json={"board": "kosdaq"})
    assert set(host.post("/v1/admin/halt", json=stage | {"stage": 3}).json()["phases"].values()) == {"closed"}
    refused(host.post("/v1/admin/halt", json=stage | {"stage": 2}), 422, "invalid_command")
    answer = host.post("/v1/admin/phase", json={"board": "kosdaq", "phase": "continuous"})
    refused(answer, 422, "invalid_command")
    assert answer.json()["errors"][0]["code"] == "cannot_move"
    for wrong in (0, 4, -1, "1", 1.5):
        refused(host.post("/v1/admin/halt", json={"stage": wrong}), 400, "malformed")


def test_a_day_is_begun_by_command(venue: Venue, host: httpx.Client) -> None:
    give_account(host)
    enter(venue, Side.BUY)
    answer = host.post("/v1/admin/day", json={"trading_day": "2026-11-24"})
    told = answer.json()
    assert (answer.status_code, told["trading_day"], told["previous"]) == (200, "2026-11-24", "2026-11-23")
    assert told["seq"] == venue.bus.last_deed
    assert venue.bus.market.directory.trading_day == 20261124
    account = venue.bus.engine.account(1)
    assert (len(account.orders), account.reserved_cash) == (0, 0)


@pytest.mark.parametrize(
    "day",
    ["2026-11-23", "2026-11-22", "2026-12-25", "2062-11-24", "0001-01-01", 20261124, "20261124", "2026-11-31", None],
)
def test_days_that_cannot_be(venue: Venue, host: httpx.Client, day: Any) -> None:
    before = venue.bus.last_seq
    refused(host.post("/v1/admin/day", json={"trading_day": day}), 400, "malformed")
    assert venue.bus.last_seq == before


def test_a_leveraged_fund_has_wider_limits(venue: Venue, host: httpx.Client) -> None:
    """KRX rules 1.3: the band times the absolute leverage."""
    body = {"symbol": "900003", "name": "2X", "base_price": 10_000, "security": "etf", "leverage": -2}
    assert host.post("/v1/admin/instruments", json=body).status_code == 201
    listed = venue.bus.market.directory.by_symbol("900003")
    assert listed is not None
    assert (listed.leverage, listed.upper_limit, listed.lower_limit) == (-2, 16_000, 4_000)
    for wrong in (0, 11, -11, 1.5, "2"):
        refused(host.post("/v1/admin/instruments", json=body | {"leverage": wrong}), 400, "malformed")


def test_every_rule_is_named() -> None:
    assert set(get_args(admin_rules.RuleName)) == {rule.label for rule in Rule}
    words = {word.label for kind in admin_rules.RULE_WORDS.values() for word in kind}
    assert set(get_args(admin_rules.RuleWord)) == words
    assert set(get_args(admin_market.PhaseName)) == {phase.label for phase in Phase}


@pytest.mark.parametrize(
    ("rule", "value", "number"),
    [
        ("auction_pricing", "max_volume", AuctionPricing.MAX_VOLUME),
        ("stop_election", "distance", StopElection.DISTANCE),
        ("stop_election", "time", StopElection.TIME),
        ("max_qty_by_value", 0, 0),
        ("vi_dynamic_ppm", 30_000, 30_000),
        ("immediate_types", ["limit"], 1 << OrderType.LIMIT),
        ("types_continuous", ["limit", "market", "limit"], 1 << OrderType.LIMIT | 1 << OrderType.MARKET),
        ("types_after_hours", [], 0),
        ("types_close_price", [], 0),
        ("lot_size", 10, 10),
    ],
)
def test_rules_of_every_kind(venue: Venue, host: httpx.Client, rule: str, value: Any, number: int) -> None:
    answer = host.post("/v1/admin/rules", json={"rule": rule, "value": value, "symbol": "005930"})
    assert (answer.status_code, answer.json()["value"]) == (200, value)
    assert venue.bus.market.directory.rule(Rule.parse(rule), 1) == number
    assert venue.bus.market.directory.rule(Rule.parse(rule), 2) == venue.bus.market.directory.rule(Rule.parse(rule))


def test_the_previous_price_of_an_instrument(venue: Venue, host: httpx.Client) -> None:
    """KRX rules 1.4."""
    body = {"rule": "previous_price", "value": 99_000, "symbol": "005930"}
    assert host.post("/v1/admin/rules", json=body).status_code == 200
    assert venue.bus.engine.state.instruments[0].last_price == 99_000
    answer = host.post("/v1/admin/rules", json={"rule": "previous_price", "value": 99_000})
    refused(answer, 400, "malformed")
    assert answer.json()["errors"][0]["field"] == "symbol"
    refused(host.post("/v1/admin/rules", json=body | {"value": 0}), 422, "invalid_command")


def test_the_days_until_cash_is_settled_hold_for_the_venue(host: httpx.Client) -> None:
    assert host.post("/v1/admin/rules", json={"rule": "settlement_days", "value": 0}).status_code == 200
    refused(host.post("/v1/admin/rules", json={"rule": "settlement_days", "value": 3}), 422, "invalid_command")
    body = {"rule": "settlement_days", "value": 0, "symbol": "005930"}
    refused(host.post("/v1/admin/rules", json=body), 422, "invalid_command")


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("types_continuous", "limit"),
        ("types_continuous", 2),
        ("types_continuous", ["wish"]),
        ("types_continuous", [1]),
        ("types_continuous", ["limit"] * 9),
        ("types_continuous", {"limit": 1}),
        ("stop_election", "krx"),
        ("stop_election", ["limit"]),
        ("max_order_qty", ["limit"]),
        ("auction_pricing", 1),
        ("settlement_days", "off"),
        ("previous_price", "krx"),
        ("gravity", ["limit"]),
    ],
)
def test_values_that_are_another_rules(venue: Venue, host: httpx.Client, rule: str, value: Any) -> None:
    before = venue.bus.last_seq
    refused(host.post("/v1/admin/rules", json={"rule": rule, "value": value, "symbol": "005930"}), 400, "malformed")
    assert venue.bus.last_seq == before


def test_the_first_day_of_a_listing(venue: Venue, host: httpx.Client) -> None:
    """KRX rules 1.3."""
    body = {"rule": "new_listing", "value": 1, "symbol": "005930"}
    assert host.post("/v1/admin/rules", json=body).status_code == 200
    instrument = venue.bus.engine.state.instruments[0]
    assert instrument.limits.upper > 3 * instrument.base_price
    refused(host.post("/v1/admin/rules", json={"rule": "new_listing", "value": 1}), 400, "malformed")
    refused(host.post("/v1/admin/rules", json=body | {"value": 2}), 422, "invalid_command")
