"""The host's calls about the market: instruments, phases, halts, call auctions, the trading day."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract import commands
from onseju.contract.commands import Command
from onseju.contract.commands import Request as ExchangeRequest
from onseju.contract.events import AuctionExtended, AuctionUncrossed, DayRolled, InstrumentListed, PhaseChanged
from onseju.contract.journal_records import MAX_TEXT_BYTES, EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.contract.words import Board, Phase, Rule, Security
from onseju.gateway.admin_calls import Ppm, Symbol, ask, audit, declare, instrument_id
from onseju.gateway.answers import json_response
from onseju.gateway.blocks import refusal_of
from onseju.gateway.body import Amount, read_body
from onseju.gateway.context import Gateway, gateway_of, principal_of
from onseju.gateway.openings import finish_openings
from onseju.gateway.operations import Operations
from onseju.gateway.problems import FieldError, Problem
from onseju.market.directory import Instrument

operations = Operations("admin")

BoardName = Literal["kospi", "kosdaq", "konex", "other"]
SecurityName = Literal["stock", "etf", "etn", "elw"]
PhaseName = Literal[
    "pre_open",
    "opening_auction",
    "continuous",
    "closing_auction",
    "vi_auction",
    "closed",
    "halted",
    "after_hours",
    "resumption_auction",
    "close_price",
    "close_price_reception",
    "previous_close",
]
Leverage = Annotated[
    int,
    msgspec.Meta(ge=-10, le=10, description="Of a leveraged fund: 2 or -2 doubles the price limits' width. Never 0."),
]
FURTHEST_DAY = 31
"""Days that a roll may pass over: a mistyped year would keep the clock from rolling the day for as long."""


class NewInstrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instrument to list. What is left out is as with the listed ones of its kind."""

    symbol: Symbol
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
    base_price: Amount
    listed_shares: Amount = 0
    limit_ppm: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None
    tick_table: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    vi_dynamic_ppm: Ppm = 0
    vi_static_ppm: Ppm = 0
    board: BoardName = "other"
    security: SecurityName = "stock"
    leverage: Leverage = 1


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that trades now."""

    symbol: str
    instrument_id: int
    seq: int
    ts: str


class Which(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The instruments that are meant: one by its `symbol`, those of a `board`, or all without either."""

    symbol: Symbol | None = None
    board: BoardName | None = None


class PhaseForm(Which, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The phase to move to."""

    phase: PhaseName


class HaltForm(Which, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to halt. With a `stage` it is the circuit breaker (서킷브레이커): each stage once a day and ascending, the
    third closes for the day."""

    stage: Annotated[int, msgspec.Meta(ge=1, le=3)] | None = None


class ResumeForm(Which, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to resume, and into which phase: where the rules have one, by default the auction that follows a halt."""

    phase: PhaseName | None = None


class DayForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trading day to begin: later than the present one."""

    trading_day: datetime.date


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The instruments whose phase changed, and the phase each is in."""

    phases: dict[str, str]
    seq: int
    ts: str


class AuctionView(msgspec.Struct, frozen=True):
    """What an auction gave: its price (null without a match) and quantity. `extended`: its price would have interrupted
    trading, so that nothing has traded yet and it goes on collecting."""

    price: int | None
    qty: int
    extended: bool


class Uncrossed(msgspec.Struct, frozen=True, kw_only=True):
    """The auctions that were matched, by symbol."""

    auctions: dict[str, AuctionView]
    seq: int
    ts: str


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The trading day that has begun, and the one that ended."""

    trading_day: str
    previous: str
    seq: int
    ts: str


@declare(operations, "POST", "/instruments", "List an instrument", {201: Listed}, body=NewInstrument)
async def list_instrument(request: Request) -> Response:
    """The instrument's number. It trades at once."""
    gateway = gateway_of(request)
    form = await read_body(request, NewInstrument)
    if len(form.name.encode()) > MAX_TEXT_BYTES:
        raise Problem(Reason.MALFORMED, errors=[FieldError("name", "invalid")])
    if form.leverage == 0:
        raise Problem(Reason.MALFORMED, errors=[FieldError("leverage", "invalid")])
    security = Security.parse(form.security)
    table, limit_ppm = _customs(gateway, security)
    command = commands.ListInstrument(
        actor=principal_of(request).account_id,
        symbol=form.symbol.encode("ascii").ljust(16, b"\0"),
        base_price=form.base_price,
        listed_shares=form.listed_shares,
        limit_ppm=limit_ppm if form.limit_ppm is None else form.limit_ppm,
        tick_table=table if form.tick_table is None else form.tick_table,
        vi_dynamic_ppm=form.vi_dynamic_ppm,
        vi_static_ppm=form.vi_static_ppm,
        board=Board.parse(form.board),
        security=security,
        leverage=form.leverage,
    )
    block = await ask(gateway, command, form.name)
    listed = next(event for event in block.events if isinstance(event, InstrumentListed))
    await audit(request, "list_instrument", instrument=listed.instrument, about_seq=block.seq)
    view = Listed(symbol=form.symbol, instrument_id=listed.instrument, seq=block.seq, ts=timestamp(block.ts))
    return json_response(view, 201, seq=block.seq)


@declare(operations, "POST", "/phase", "Move the market to a phase", {200: Moved}, body=PhaseForm)
async def change_phase(request: Request) -> Response:
    """The instruments that moved. Each call is an occurrence of its own, apart from the day's schedule (number 0).

    No auction is matched by it: continuous trading is refused (`auction_pending`) while collected orders still cross.
    """
    gateway = gateway_of(request)
    form = await read_body(request, PhaseForm)
    actor, day = principal_of(request).account_id, gateway.market.directory.trading_day
    occurrence = 1 + gateway.journal.last_event_seq % 65_535

    def command(instrument: int) -> Command:
        return commands.ChangePhase(
            actor=actor,
            instrument=instrument,
            trading_day=day,
            phase=Phase.parse(form.phase),
            occurrence=occurrence,
        )

    blocks = await _ask_of_each(gateway, form, command, lambda _: True, "cannot_move")
    return await _moved(request, "change_phase", blocks, form)


@declare(operations, "POST", "/halt", "Halt trading: cancels only", {200: Moved}, body=HaltForm)
async def halt(request: Request) -> Response:
    """The instruments that are halted now, or closed for the day by the circuit breaker's third stage."""
    gateway = gateway_of(request)
    form = await read_body(request, HaltForm)
    _check_one_of(form)
    command = commands.Halt(
        actor=principal_of(request).account_id,
        instrument=instrument_id(gateway, form.symbol),
        flags=Board.parse(form.board) if form.board is not None else 0,
        stage=form.stage or 0,
    )
    blocks = await _request(gateway, [command], "already_halted" if form.stage is None else "stage_passed")
    return await _moved(request, "halt", blocks, form)


@declare(operations, "POST", "/resume", "End a halt", {200: Moved}, body=ResumeForm)
async def resume(request: Request) -> Response:
    """The instruments that trade again, or whose orders an auction collects: it is matched by `uncross`, as every one."""
    gateway = gateway_of(request)
    form = await read_body(request, ResumeForm)
    actor = principal_of(request).account_id

    def command(instrument: int) -> Command:
        phase = _after_a_halt(gateway, instrument) if form.phase is None else Phase.parse(form.phase)
        return commands.Resume(actor=actor, instrument=instrument, phase=phase)

    blocks = await _ask_of_each(gateway, form, command, lambda found: found.phase is Phase.HALTED, "not_halted")
    return await _moved(request, "resume", blocks, form)


@declare(operations, "POST", "/uncross", "Match call auctions", {200: Uncrossed}, body=Which)
async def uncross(request: Request) -> Response:
    """What each auction gave. The phase stays: what enters afterwards is collected for the next match."""
    gateway = gateway_of(request)
    form = await read_body(request, Which)
    actor = principal_of(request).account_id
    blocks = await _ask_of_each(
        gateway,
        form,
        lambda instrument: commands.Uncross(actor=actor, instrument=instrument),
        lambda found: found.phase.is_auction,
        "no_auction",
    )
    await _audit_each(request, "uncross", blocks, form)
    symbol_of = gateway.market.directory.symbol_of
    auctions = {
        symbol_of(event.instrument): AuctionView(event.price or None, event.qty, False)
        if isinstance(event, AuctionUncrossed)
        else AuctionView(None, 0, True)
        for block in blocks
        for event in block.events
        if isinstance(event, AuctionUncrossed | AuctionExtended)
    }
    last = blocks[-1]
    return json_response(Uncrossed(auctions=auctions, seq=last.seq, ts=timestamp(last.ts)), seq=last.seq)


@declare(operations, "POST", "/day", "Begin a trading day", {200: Day}, body=DayForm)
async def roll_day(request: Request) -> Response:
    """The day. Open orders expire, closes become base prices, cash of earlier trades comes a day nearer.

    The exchange does so by itself at midnight in Korea; this is for a host that plays days faster.
    """
    gateway = gateway_of(request)
    form = await read_body(request, DayForm)
    present = _date(gateway.market.directory.trading_day)
    if not present < form.trading_day <= present + datetime.timedelta(days=FURTHEST_DAY):
        raise Problem(Reason.MALFORMED, errors=[FieldError("trading_day", "invalid_day")])
    await finish_openings(gateway)
    number = form.trading_day.year * 10_000 + form.trading_day.month * 100 + form.trading_day.day
    block = await ask(gateway, commands.RollDay(actor=principal_of(request).account_id, trading_day=number))
    rolled = next(event for event in block.events if isinstance(event, DayRolled))
    await audit(request, "roll_day", about_seq=block.seq, trading_day=rolled.trading_day)
    view = Day(
        trading_day=_date(rolled.trading_day).isoformat(),
        previous=present.isoformat(),
        seq=block.seq,
        ts=timestamp(block.ts),
    )
    return json_response(view, seq=block.seq)


async def _ask_of_each(
    gateway: Gateway,
    form: Which,
    command: Callable[[int], Command],
    applies: Callable[[Instrument], bool],
    why_not: str,
) -> list[EventBlock]:
    """Ask for one instrument, for all (0) in one command, or for each of a board's to which it applies."""
    _check_one_of(form)
    if form.board is None:
        return await _request(gateway, [command(instrument_id(gateway, form.symbol))], why_not)
    board = Board.parse(form.board)
    meant = [found.id for found in gateway.market.directory.all() if found.board is board and applies(found)]
    if not meant:
        raise Problem(Reason.INVALID_COMMAND, errors=[FieldError("board", why_not)])
    return await _request(gateway, [command(number) for number in meant], why_not)


async def _request(gateway: Gateway, asked: list[Command], why_not: str) -> list[EventBlock]:
    """The blocks of the commands that took effect. Raises `Problem` where none did; `why_not` says what the exchange's
    `invalid_command` means here."""
    blocks = await gateway.commands.request([ExchangeRequest(command) for command in asked])
    reasons = [refusal_of(block) for block in blocks]
    taken = [block for block, reason in zip(blocks, reasons, strict=True) if reason is None]
    if not taken:
        reason = reasons[0] or Reason.INVALID_COMMAND
        errors = [FieldError("", why_not)] if reason is Reason.INVALID_COMMAND else []
        raise Problem(reason, errors=errors, seq=blocks[-1].seq)
    return taken


async def _audit_each(request: Request, action: str, blocks: list[EventBlock], form: Which) -> None:
    """One entry for all instruments that were meant: the first command's number stands for them."""
    what = msgspec.structs.asdict(form)
    instrument = instrument_id(gateway_of(request), what.pop("symbol"))
    await audit(request, action, instrument=instrument, about_seq=blocks[0].seq, **what)


async def _moved(request: Request, action: str, blocks: list[EventBlock], form: Which) -> Response:
    await _audit_each(request, action, blocks, form)
    symbol_of = gateway_of(request).market.directory.symbol_of
    moved = {
        symbol_of(event.instrument): Phase(event.phase).label
        for block in blocks
        for event in block.events
        if isinstance(event, PhaseChanged) and event.instrument
    }
    last = blocks[-1]
    return json_response(Moved(phases=moved, seq=last.seq, ts=timestamp(last.ts)), seq=last.seq)


def _check_one_of(form: Which) -> None:
    if form.symbol is not None and form.board is not None:
        raise Problem(Reason.MALFORMED, errors=[FieldError("board", "not_allowed")])


def _after_a_halt(gateway: Gateway, instrument: int) -> Phase:
    has_auction = gateway.market.directory.rule(Rule.TYPES_RESUMPTION_AUCTION, instrument)
    return Phase.RESUMPTION_AUCTION if has_auction else Phase.CONTINUOUS


def _customs(gateway: Gateway, security: Security) -> tuple[int, int]:
    """Tick table and price limit (millionths) of the listed instruments of this kind: funds have a table of their own."""
    funds = (Security.ETF, Security.ETN)
    for instrument in gateway.market.directory.all():
        if (instrument.security in funds) == (security in funds):
            return instrument.tick_table, instrument.limit_ppm
    return 0, 0


def _date(day: int) -> datetime.date:
    return datetime.date(day // 10_000, day // 100 % 100, day % 100)
