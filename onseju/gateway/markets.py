"""The public market: instruments, books from the market's memory; trades and candles from the tables."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.reasons import Reason
from onseju.contract.views import average
from onseju.contract.words import MarketRemainder, Rule
from onseju.gateway import reads
from onseju.gateway.answers import json_response
from onseju.gateway.context import gateway_of
from onseju.gateway.operations import PUBLIC, Operations, Parameter
from onseju.gateway.problems import Problem
from onseju.market.directory import Instrument
from onseju.market.market import BookView, Market
from onseju.market.states import StateView, state_view, type_names
from onseju.projections.pages import CandlePage, TradePage
from onseju.projections.queries import INTERVALS

operations = Operations("market")

DEFAULT_DEPTH = 10
MAX_DEPTH = 100

_SYMBOL = Parameter("symbol", "The instrument, like 005930.", where="path", required=True)


class TickBandView(msgspec.Struct, frozen=True):
    """From `from_price` (inclusive) prices move in steps of `tick`."""

    from_price: int
    tick: int


class InstrumentView(StateView, frozen=True, kw_only=True):
    """An instrument and its day. Prices in the venue's smallest unit; null where there is none yet.

    The `phase…`, `indicative_…` and `vi_…` fields, `order_types` and `immediate_types`: see the `market` channel's rows.
    `previous_price` is the last trade's of today, before it the base price (직전가): what deemed prices and the dynamic
    interruption are measured from. `day_vwap` is the day's turnover by its volume. `settlement_days` are the trading days
    from a trade to its cash. `change` is the last price against the base price, `change_percent` the same in percent, cut off after two decimals.
    `…_ppm` are fees in millionths of a trade's amount, the taxes on sells only; `max_order_qty` is 0 for no bound, and
    so is `max_qty_by_value`, the bound by the company's value; quantities are multiples of `lot_size`. `market_remainder` is what becomes of a market order's shares
    that find nobody: `cancel`, `rest` or `float`. `all_order_types` are the types that any phase takes.
    """

    name: str
    board: str
    security: str
    tick_bands: list[TickBandView]
    last_price: int | None
    previous_price: int | None
    change: int | None
    change_percent: str | None
    day_open: int | None
    day_high: int | None
    day_low: int | None
    day_volume: int
    day_turnover: int
    day_vwap: str | None
    settlement_days: int
    commission_ppm: int
    transaction_tax_ppm: int
    rural_tax_ppm: int
    max_order_qty: int
    max_qty_by_value: int
    lot_size: int
    market_remainder: str
    all_order_types: list[str]


class Symbols(msgspec.Struct, frozen=True):
    """All instruments, in the order of listing. `price_scale` digits of every price and amount stand behind the decimal point
    when people read it, in `currency` (ISO 4217; null where the rules name none)."""

    symbols: list[InstrumentView]
    price_scale: int
    currency: str | None
    seq: int


@operations.add(
    "GET",
    "/v1/symbols",
    summary="All instruments with their prices of the day",
    scope=PUBLIC,
    limit="public",
    responses={200: Symbols},
    parameters=(reads.MIN_SEQ,),
)
async def list_symbols(request: Request) -> Response:
    """Instruments in the order of listing."""
    market = await _market(request)
    views = [instrument_view(instrument, market) for instrument in market.directory.all()]
    shown = market.directory.denomination
    return json_response(Symbols(views, shown.scale, shown.currency, market.seq), seq=market.seq)


@operations.add(
    "GET",
    "/v1/book/{symbol}",
    summary="The best levels of a book",
    scope=PUBLIC,
    limit="public",
    responses={200: BookView},
    parameters=(
        _SYMBOL,
        Parameter(
            "depth",
            "Levels of each side.",
            {"type": "integer", "minimum": 1, "maximum": MAX_DEPTH, "default": DEFAULT_DEPTH},
        ),
        reads.MIN_SEQ,
    ),
)
async def get_book(request: Request) -> Response:
    """Bids and asks as [price, open quantity, number of orders], best first."""
    market = await _market(request)
    depth = reads.number_asked(request, "depth", DEFAULT_DEPTH, 1, MAX_DEPTH) or DEFAULT_DEPTH
    book = market.book(request.path_params["symbol"], depth)
    if book is None:
        raise Problem(Reason.UNKNOWN_SYMBOL)
    return json_response(book, seq=book.seq)


@operations.add(
    "GET",
    "/v1/trades/{symbol}",
    summary="An instrument's trades, newest first",
    scope=PUBLIC,
    limit="public",
    responses={200: TradePage},
    parameters=(_SYMBOL, reads.CURSOR, reads.LIMIT, reads.MIN_SEQ),
)
async def list_trades(request: Request) -> Response:
    """A page of trades, without the parties."""
    symbol = reads.instrument_named(request, request.path_params["symbol"]).symbol
    limit = reads.limit_asked(request)
    await reads.settle(request)
    cursor = request.query_params.get("cursor")
    page = await reads.ask(request, gateway_of(request).queries.trades, symbol, cursor, limit)
    return json_response(page, seq=page.seq)


@operations.add(
    "GET",
    "/v1/candles/{symbol}",
    summary="An instrument's candles, newest first",
    scope=PUBLIC,
    limit="public",
    responses={200: CandlePage},
    parameters=(
        _SYMBOL,
        Parameter(
            "interval",
            "The candles' width; `1d` is a trading day.",
            {"type": "string", "enum": list(INTERVALS), "default": "1m"},
        ),
        Parameter("from", "Candles that begin at this time or later.", {"type": "string", "format": "date-time"}),
        Parameter("to", "Candles that begin before this time.", {"type": "string", "format": "date-time"}),
        reads.LIMIT,
        reads.MIN_SEQ,
    ),
)
async def list_candles(request: Request) -> Response:
    """The newest candles between two times. For older ones ask again with `to` = the oldest one's `ts`."""
    symbol = reads.instrument_named(request, request.path_params["symbol"]).symbol
    interval = reads.choice_asked(request, "interval", INTERVALS, "1m")
    from_ts, to_ts = reads.time_asked(request, "from"), reads.time_asked(request, "to")
    limit = reads.limit_asked(request)
    await reads.settle(request)
    page = await reads.ask(request, gateway_of(request).queries.candles, symbol, interval, from_ts, to_ts, limit)
    return json_response(page, seq=page.seq)


def instrument_view(instrument: Instrument, market: Market) -> InstrumentView:
    """An instrument as the API shows it, with the rules that hold for it."""
    directory = market.directory
    last, base = instrument.last_price, instrument.base_price
    change = None if last is None else last - base
    state = state_view(instrument, directory, market.phase_end(instrument.id))
    return InstrumentView(
        **msgspec.structs.asdict(state),
        name=instrument.name,
        board=instrument.board.label,
        security=instrument.security.label,
        tick_bands=[TickBandView(start, tick) for start, tick in instrument.tick_bands],
        last_price=last,
        previous_price=instrument.previous_price or None,
        change=change,
        change_percent=None if change is None or base <= 0 else percent(change, base),
        day_open=instrument.day_open,
        day_high=instrument.day_high,
        day_low=instrument.day_low,
        day_volume=instrument.day_volume,
        day_turnover=instrument.day_turnover,
        day_vwap=average(instrument.day_turnover, instrument.day_volume),
        settlement_days=directory.rule(Rule.SETTLEMENT_DAYS),
        commission_ppm=directory.rule(Rule.COMMISSION_PPM, instrument.id),
        transaction_tax_ppm=directory.rule(Rule.TRANSACTION_TAX_PPM, instrument.id),
        rural_tax_ppm=directory.rule(Rule.RURAL_TAX_PPM, instrument.id),
        max_order_qty=directory.rule(Rule.MAX_ORDER_QTY, instrument.id),
        lot_size=directory.lot_size(instrument),
        max_qty_by_value=directory.max_qty_by_value(instrument),
        market_remainder=MarketRemainder(directory.rule(Rule.MARKET_REMAINDER, instrument.id)).label,
        all_order_types=list(type_names(directory.types_ever_allowed(instrument))),
    )


def percent(change: int, base: int) -> str:
    """`change` in percent of `base` (above 0): a decimal string with two decimals, cut off towards zero."""
    whole, rest = divmod(abs(change) * 10_000 // base, 100)
    sign = "-" if change < 0 and (whole or rest) else ""
    return f"{sign}{whole}.{rest:02d}"


async def _market(request: Request) -> Market:
    """The market, which must hold what the request asks for. It is told of every command before its sender is."""
    market = gateway_of(request).market
    if await reads.min_seq(request) > market.seq:
        raise Problem(Reason.PROJECTION_BEHIND)
    return market
