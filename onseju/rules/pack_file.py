"""Reads a host's own rule pack from a TOML file: words as in the API, checked before anything is asked of a venue.

See `docs/rule-packs.md` for the form and two examples.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from onseju.contract.money import MAX_INPUT
from onseju.contract.words import (
    RULE_WORDS,
    Board,
    OrderType,
    Phase,
    Rule,
    Security,
    Word,
    type_mask,
)
from onseju.rules.pack import ListedInstrument, RulePack
from onseju.rules.ticks import EVERY_WHOLE_PRICE, Bands

W = TypeVar("W", bound=Word)

SYMBOL = re.compile(r"[A-Za-z0-9._-]{1,16}")

_NUMBER_RULES: dict[Rule, int] = {
    Rule.SETTLEMENT_DAYS: 2,
    Rule.MAX_QTY_BY_VALUE: 1,
    Rule.MAX_ORDER_QTY: MAX_INPUT,
    Rule.MAX_OPEN_ORDERS: MAX_INPUT,
    Rule.LOT_SIZE: MAX_INPUT,
    Rule.ELW_LOT_SIZE: MAX_INPUT,
    Rule.MAX_CLIENT_IDS: MAX_INPUT,
    Rule.COMMISSION_PPM: 1_000_000,
    Rule.TRANSACTION_TAX_PPM: 1_000_000,
    Rule.RURAL_TAX_PPM: 1_000_000,
    Rule.VI_DYNAMIC_PPM: 1_000_000,
    Rule.VI_STATIC_PPM: 1_000_000,
}
"""Rules whose value is a number, and the largest that it may be."""


class PackFileError(ValueError):
    """The file is not a rule pack. The text says what and where."""


class _TickTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    table: int
    bands: list[tuple[int, int]]


class _Instrument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symbol: str
    base_price: int
    name: str = ""
    listed_shares: int = 0
    tick_table: int = 0
    limit_ppm: int = 0
    vi_dynamic_ppm: int = 0
    vi_static_ppm: int = 0
    board: str = "other"
    security: str = "stock"
    leverage: int = 1


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    price_scale: int = 0
    currency: str = ""
    rules: dict[str, int | str | list[str]] = {}
    types: dict[str, list[str]] = {}
    tick_tables: list[_TickTable] = []
    instruments: list[_Instrument] = []


def read(path: Path) -> RulePack:
    """The pack in a file. Raises `OSError` where it cannot be read, `PackFileError` where it is none."""
    try:
        return parse(path.read_bytes())
    except PackFileError as error:
        raise PackFileError(f"{path}: {error}") from None


def parse(text: bytes) -> RulePack:
    """The pack in a TOML text. Raises `PackFileError`."""
    try:
        file = msgspec.toml.decode(text, type=_File)
    except (msgspec.DecodeError, ValueError) as error:
        raise PackFileError(str(error)) from None
    _expect(bool(re.fullmatch(r"[a-z0-9_-]{1,32}", file.name)), "name: small letters, digits, - and _, at most 32")
    _expect(0 <= file.price_scale <= 8, "price_scale: from 0 to 8")
    _expect(
        bool(re.fullmatch(r"(?:[A-Z]{3})?", file.currency)),
        "currency: three capital letters, like USD",
    )
    tables: dict[int, Bands] = {found.table: _bands(found) for found in file.tick_tables}
    _expect(len(tables) == len(file.tick_tables), "tick_tables: a table stands there twice")
    return RulePack(
        name=file.name,
        price_scale=file.price_scale,
        currency=file.currency,
        tick_tables=tables,
        rules={**_rules(file.rules), **_types(file.types)},
        instruments=tuple(_instrument(listed, tables) for listed in file.instruments),
    )


def _bands(found: _TickTable) -> Bands:
    """A table's bands: from 0 on, ascending."""
    where, bands = f"tick_tables, table {found.table}", found.bands
    _expect(0 < found.table <= 255, f"{where}: tables are numbered from 1 to 255; 0 is every whole price")
    _expect(0 < len(bands) <= 64, f"{where}: from 1 to 64 bands")
    _expect(bands[0][0] == 0, f"{where}: the first band begins at 0")
    for (from_price, tick), following in zip(bands, [*bands[1:], None], strict=True):
        _expect(0 < tick <= MAX_INPUT, f"{where}: the tick {tick} must be at least 1")
        if following is not None:
            _expect(from_price < following[0] <= MAX_INPUT, f"{where}: the bands must ascend")
    return tuple(bands)


def _rules(given: dict[str, int | str | list[str]]) -> dict[Rule, int]:
    rules: dict[Rule, int] = {}
    for name, value in given.items():
        rule = _parsed(Rule, name, "rules")
        if rule in RULE_WORDS and isinstance(value, str):
            rules[rule] = _parsed(RULE_WORDS[rule], value, f"rules, {name}")
        elif rule in _NUMBER_RULES and isinstance(value, int):
            least = 1 if rule is Rule.LOT_SIZE else 0
            _expect(least <= value <= _NUMBER_RULES[rule], f"rules, {name}: from {least} to {_NUMBER_RULES[rule]}")
            rules[rule] = value
        elif rule is Rule.IMMEDIATE_TYPES and isinstance(value, list):
            rules[rule] = _mask(value, f"rules, {name}")
        else:
            raise PackFileError(f"rules, {name}: {value!r} is not a value that it can have")
    return rules


def _types(given: dict[str, list[str]]) -> dict[Rule, int]:
    """Which order types each phase takes. Those at a close have one rule, and take limit orders or none."""
    rules: dict[Rule, int] = {}
    for name, types in given.items():
        phase = _parsed(Phase, name, "types")
        rule = Rule.types_in(phase)
        _expect(rule is not None, f"types: {name} takes no orders")
        if rule is not None:
            _expect(
                rule is not Rule.TYPES_CLOSE_PRICE or phase is Phase.CLOSE_PRICE, f"types: {name} is as close_price"
            )
            rules[rule] = _mask(types, f"types, {name}")
    at_close = rules.get(Rule.TYPES_CLOSE_PRICE, 0)
    _expect(at_close in (0, type_mask(OrderType.LIMIT)), "types, close_price: limit, or nothing")
    return rules


def _mask(types: list[str], where: str) -> int:
    return type_mask(*(_parsed(OrderType, label, where) for label in types))


def _instrument(listed: _Instrument, tables: dict[int, Bands]) -> ListedInstrument:
    where = f"instruments, {listed.symbol}"
    _expect(bool(SYMBOL.fullmatch(listed.symbol)), f"{where}: a symbol is of 1 to 16 letters, digits, '.', '_' and '-'")
    _expect(
        listed.tick_table in ({0: EVERY_WHOLE_PRICE} | tables), f"{where}: there is no tick table {listed.tick_table}"
    )
    _expect(0 < listed.base_price <= MAX_INPUT, f"{where}: the base price must be at least 1")
    _expect(0 <= listed.listed_shares <= MAX_INPUT, f"{where}: the listed shares cannot be {listed.listed_shares}")
    _expect(0 <= listed.limit_ppm <= 10_000_000, f"{where}: limit_ppm is from 0 to 10000000")
    for rate in (listed.vi_dynamic_ppm, listed.vi_static_ppm):
        _expect(0 <= rate <= 1_000_000, f"{where}: the vi rates are from 0 to 1000000")
    _expect(listed.leverage != 0 and abs(listed.leverage) <= 10, f"{where}: leverage is from -10 to 10, and not 0")
    fields: dict[str, Any] = msgspec.structs.asdict(listed)
    fields["name"] = listed.name or listed.symbol
    fields["board"] = _parsed(Board, listed.board, where)
    fields["security"] = _parsed(Security, listed.security, where)
    return ListedInstrument(**fields)


def _parsed(words: type[W], label: str, where: str) -> W:
    try:
        return words.parse(label)
    except KeyError:
        known = ", ".join(word.label for word in words)
        raise PackFileError(f"{where}: there is no {label!r}; there are {known}") from None


def _expect(holds: bool, words: str) -> None:
    if not holds:
        raise PackFileError(words)
