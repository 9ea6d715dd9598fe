"""A host's own rule pack: the documented examples work, and every mistake is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onseju.contract.commands import NewOrder
from onseju.contract.events import OrderAccepted, RequestRejected
from onseju.contract.words import OrderType, Rule
from onseju.rules.pack import RulePack
from onseju.rules.pack_file import PackFileError, parse, read
from tests.properties.driver import DAY, Driver

DOCUMENT = Path(__file__).parents[3] / "docs" / "rule-packs.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
VENUE_OWNER = b"\1" * 16


def venue_under(pack: RulePack) -> Driver:
    driver = Driver()
    for request in pack.commands(DAY) + pack.fee_commands(1, VENUE_OWNER) + pack.list_commands():
        assert not any(isinstance(event, RequestRejected) for event in driver.do(request.command)), request
    return driver


def test_the_documented_examples_open_a_venue_that_trades() -> None:
    packs = {pack.name: pack for pack in map(parse, (text.encode() for text in EXAMPLES))}
    assert packs.keys() == {"us", "classroom"}
    for pack in packs.values():
        driver = venue_under(pack)
        assert driver.engine.state.price_scale == pack.price_scale
        driver.account(2, cash=10**9)
        driver.account(3, shares={1: 100})
        price = pack.instruments[0].base_price
        for account, side in ((3, 2), (2, 1)):
            order = NewOrder(account=account, instrument=1, side=side, qty=5, limit_price=price, order_type=1)
            driver.first(order, OrderAccepted)
        assert [(trade.price, trade.qty) for trade in driver.trades] == [(price, 5)]
        driver.check()


def test_what_the_us_example_says_holds() -> None:
    (text,) = (text for text in EXAMPLES if 'name = "us"' in text)
    driver = venue_under(parse(text.encode()))
    assert driver.engine.state.price_scale == 2
    rules = driver.engine.state.rules
    assert rules.value(Rule.SETTLEMENT_DAYS) == 1
    assert rules.value(Rule.TRANSACTION_TAX_PPM) == 28
    driver.account(2, cash=10**9)
    midpoint = NewOrder(account=2, instrument=1, side=1, qty=5, order_type=OrderType.MIDPOINT)
    assert not isinstance(driver.do(midpoint)[0], OrderAccepted)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n', "utf-8")
    assert read(path) == RulePack(name="mine")
    path.write_text('name = "Mine"\n', "utf-8")
    with pytest.raises(PackFileError, match=r"mine\.toml: name: small letters"):
        read(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "Invalid value"),
        ("", "missing required field `name`"),
        ('name = "a"\nprice_scale = 9', "price_scale: from 0 to 8"),
        ('name = "a"\ncurrency = "dollar"', "currency: three capital letters"),
        ('name = "a"\nticks = 3', "unknown field `ticks`"),
        ('name = "a"\n[rules]\nfoo = 1', "rules: there is no 'foo'; there are market_remainder"),
        ('name = "a"\n[rules]\nmarket_remainder = "keep"', "there is no 'keep'; there are cancel, rest, float"),
        ('name = "a"\n[rules]\nmarket_remainder = 1', "1 is not a value"),
        ('name = "a"\n[rules]\nprevious_price = 1', "1 is not a value"),
        ('name = "a"\n[rules]\nsettlement_days = 3', "rules, settlement_days: from 0 to 2"),
        ('name = "a"\n[rules]\nimmediate_types = ["iceberg"]', "there is no 'iceberg'"),
        ('name = "a"\n[types]\nclosed = ["limit"]', "types: closed takes no orders"),
        ('name = "a"\n[rules]\nlot_size = 0', "rules, lot_size: from 1 to"),
        ('name = "a"\n[types]\nclose_price = ["limit", "market"]', "types, close_price: limit, or nothing"),
        ('name = "a"\n[types]\nprevious_close = ["limit"]', "types: previous_close is as close_price"),
        ('name = "a"\n[types]\nnight = ["limit"]', "types: there is no 'night'"),
        ('name = "a"\n[[tick_tables]]\ntable = 0\nbands = [[0, 1]]', "numbered from 1"),
        ('name = "a"\n[[tick_tables]]\ntable = 1\nbands = [[5, 1]]', "the first band begins at 0"),
        ('name = "a"\n[[tick_tables]]\ntable = 1\nbands = []', "from 1 to 64 bands"),
        ('name = "a"\n[[tick_tables]]\ntable = 1\nbands = [[0, 0]]', "the tick 0 must be at least 1"),
        ('name = "a"\n[[tick_tables]]\ntable = 1\nbands = [[0, 1], [0, 2]]', "the bands must ascend"),
        ('name = "a"\n' + "[[tick_tables]]\ntable = 1\nbands = [[0, 1]]\n" * 2, "stands there twice"),
        ('name = "a"\n[[instruments]]\nsymbol = "A B"\nbase_price = 1', "a symbol is of 1 to 16"),
        ('name = "a"\n[[instruments]]\nsymbol = "A"\nbase_price = 0', "the base price must be at least 1"),
        ('name = "a"\n[[instruments]]\nsymbol = "A"\nbase_price = 1\ntick_table = 4', "there is no tick table 4"),
        ('name = "a"\n[[instruments]]\nsymbol = "A"\nbase_price = 1\nleverage = 0', "leverage is from -10 to 10"),
        ('name = "a"\n[[instruments]]\nsymbol = "A"\nbase_price = 1\nboard = "NYSE"', "there is no 'NYSE'"),
        ('name = "a"\n[[instruments]]\nsymbol = "A"\nbase_price = 1\nlisted_shares = -1', "cannot be -1"),
        ('name = "a"\n[[instruments]]\nsymbol = "A"\nbase_price = 1\nlimit_ppm = -1', "limit_ppm is from 0"),
        ('name = "a"\n[[instruments]]\nsymbol = "A"\nbase_price = 1\nvi_static_ppm = -1', "the vi rates are from 0"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(PackFileError, match=re.escape(words)):
        parse(text.encode())
