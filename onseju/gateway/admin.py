"""The host's calls: accounts, deposits, instruments, rules, phases, users. All are written to the log with who asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract import commands
from onseju.contract.commands import Command
from onseju.contract.commands import Request as ExchangeRequest
from onseju.contract.events import BalanceChanged, InstrumentListed, PhaseChanged, PositionChanged
from onseju.contract.ids import client_id_hash, hash128
from onseju.contract.journal_records import MAX_TEXT_BYTES, EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.views import BalanceView, PositionView, balance_view, position_view, timestamp
from onseju.contract.words import Board, MarketRemainder, Phase, Rule, Security, SelfTradePrevention, Word
from onseju.gateway.answers import json_response, no_content
from onseju.gateway.blocks import first_time, refusal_of
from onseju.gateway.body import Amount, AtLeastOne, read_body
from onseju.gateway.context import Gateway, gateway_of, principal_of
from onseju.gateway.openings import open_account, open_venue_account, share_cost
from onseju.gateway.operations import H, Operations, Parameter
from onseju.gateway.principal import ADMIN, READ, TRADE
from onseju.gateway.problems import FieldError, Problem
from onseju.identity.records import BusyError, InvalidNameError, InvalidPasswordError, NameTakenError, User

operations = Operations("admin")
audit = structlog.get_logger("onseju.audit")

Symbol = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,16}\Z", examples=["005930"])]
ClientId = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z", description="A repeat of the same under it takes effect once."),
]
BoardName = Literal["kospi", "kosdaq", "konex", "other"]
SecurityName = Literal["stock", "etf", "etn", "elw"]
PhaseName = Literal[
    "pre_open", "opening_auction", "continuous", "closing_auction", "vi_auction", "closed", "halted", "after_hours"
]
RuleName = Literal[
    "market_remainder",
    "self_trade_prevention",
    "commission_ppm",
    "transaction_tax_ppm",
    "rural_tax_ppm",
    "max_order_qty",
    "max_open_orders",
]
RuleWord = Literal["cancel", "rest", "float", "off", "cancel_incoming", "cancel_resting", "cancel_both"]
RULE_WORDS: dict[Rule, type[Word]] = {
    Rule.MARKET_REMAINDER: MarketRemainder,
    Rule.SELF_TRADE_PREVENTION: SelfTradePrevention,
}
"""The rules whose values are words. Those of all others are numbers."""
FEES = (Rule.COMMISSION_PPM, Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM)
Ppm = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="Millionths of the price; 0 is off.")]
MAX_PAGE = 1000


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to open, and what it begins with (by default the settings' play money and shares)."""

    name: Annotated[str, msgspec.Meta(max_length=256)]
    cash: Amount | None = None
    holdings: dict[Symbol, Amount] | None = None
    kind: Literal["user", "bot", "admin"] = "bot"
    password: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    """Without one the user has API keys only."""


class OpenedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account, and a key for it whose secret is told only here."""

    account_id: int
    user_id: int
    name: str
    api_key: str
    seq: int


class Deposit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cash, or shares of an instrument (which count as bought for `cost_amount`; default: at the base price)."""

    account_id: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
    cash: AtLeastOne | None = None
    symbol: Symbol | None = None
    qty: AtLeastOne | None = None
    cost_amount: Amount | None = None
    client_order_id: ClientId | None = None


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


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that trades now."""

    symbol: str
    instrument_id: int
    seq: int
    ts: str


class RuleForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule of one instrument, or without `symbol` of the whole venue.

    `…_ppm` are fees in millionths of a trade's amount (the taxes on sells); `max_…` are 0 for no limit.
    """

    rule: RuleName
    value: Amount | RuleWord
    symbol: Symbol | None = None


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it holds from now on."""

    rule: str
    value: int | str
    symbol: str | None
    seq: int
    ts: str


class PhaseForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The phase to move to: one instrument, or without `symbol` all."""

    phase: PhaseName
    symbol: Symbol | None = None


class HaltForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to halt: one instrument, or without `symbol` all."""

    symbol: Symbol | None = None


class ResumeForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to resume: one instrument, or without `symbol` all."""

    symbol: Symbol | None = None
    phase: PhaseName = "continuous"


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The instruments whose phase changed, and the phase each is in."""

    phases: dict[str, str]
    seq: int
    ts: str


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A user as the host sees it."""

    user_id: int
    name: str
    kind: str
    account_id: int
    account_ready: bool
    created: str


class Users(msgspec.Struct, frozen=True, kw_only=True):
    """Users, newest first. `next_cursor` is null on the last page."""

    users: list[UserView]
    next_cursor: str | None


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password to set."""

    password: Annotated[str, msgspec.Meta(max_length=1024)]


def _declare(method: str, path: str, summary: str, responses: dict[int, Any], **more: Any) -> Callable[[H], H]:
    return operations.add(
        method, "/v1/admin" + path, summary=summary, responses=responses, scope=ADMIN, limit="query", **more
    )


@_declare("POST", "/accounts", "Open an account, with an API key", {201: OpenedAccount}, body=NewAccount)
async def create_account(request: Request) -> Response:
    """The account's number and key. A name whose account is ready is taken; an unfinished one is finished."""
    gateway = gateway_of(request)
    form = await read_body(request, NewAccount)
    for symbol in form.holdings or {}:
        _instrument_id(gateway, symbol)
    user = await _user_for(gateway, form)
    user, seq = await open_account(gateway, user, cash=form.cash, holdings=form.holdings)
    scopes = [READ, TRADE, ADMIN] if user.kind == "admin" else [READ, TRADE]
    api_key = await gateway.identity.create_key(user.user_id, "admin", scopes, replace=True)
    _audit(request, "open_account", account_id=user.account_id, kind=user.kind, cash=form.cash)
    view = OpenedAccount(account_id=user.account_id, user_id=user.user_id, name=user.name, api_key=api_key, seq=seq)
    return json_response(view, 201, seq=seq)


@_declare(
    "POST",
    "/deposits",
    "Give an account cash or shares",
    {201: BalanceView | PositionView, 200: BalanceView | PositionView},
    body=Deposit,
)
async def deposit(request: Request) -> Response:
    """The balance or position afterwards. A repeat under the same `client_order_id` gets the first answer with 200."""
    gateway = gateway_of(request)
    form = await read_body(request, Deposit)
    command = _deposit_command(gateway, form, principal_of(request).account_id)
    text = ""
    if form.client_order_id is not None:
        text = form.client_order_id
        body_hash = hash128(msgspec.json.encode(form))  # not the command's: its default cost follows the base price
        command = msgspec.structs.replace(command, client_id=client_id_hash(text), body_hash=body_hash)
    block = await _ask(gateway, command, text)
    first, repeated = await first_time(gateway, block)
    if repeated:
        reason = refusal_of(first)
        if reason is not None:
            raise Problem(reason, seq=block.seq, headers={"Idempotency-Replayed": "true"})
        return json_response(_deposited(gateway, first), seq=block.seq, headers={"Idempotency-Replayed": "true"})
    _audit(request, "deposit", account_id=form.account_id, cash=form.cash, symbol=form.symbol, qty=form.qty)
    return json_response(_deposited(gateway, block), 201, seq=block.seq)


@_declare("POST", "/instruments", "List an instrument", {201: Listed}, body=NewInstrument)
async def list_instrument(request: Request) -> Response:
    """The instrument's number. It trades at once."""
    gateway = gateway_of(request)
    form = await read_body(request, NewInstrument)
    if len(form.name.encode()) > MAX_TEXT_BYTES:
        raise Problem(Reason.MALFORMED, errors=[FieldError("name", "invalid")])
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
    )
    block = await _ask(gateway, command, form.name)
    listed = next(event for event in block.events if isinstance(event, InstrumentListed))
    _audit(request, "list_instrument", symbol=form.symbol)
    view = Listed(symbol=form.symbol, instrument_id=listed.instrument, seq=block.seq, ts=timestamp(block.ts))
    return json_response(view, 201, seq=block.seq)


@_declare("POST", "/rules", "Set a rule of an instrument or of the venue", {200: RuleView}, body=RuleForm)
async def set_rule(request: Request) -> Response:
    """The rule. Fees go to an account of the venue's own, which is opened before the first of them is set."""
    gateway = gateway_of(request)
    form = await read_body(request, RuleForm)
    rule, instrument = Rule.parse(form.rule), _instrument_id(gateway, form.symbol)
    value = _rule_value(rule, form.value)
    if rule in FEES and value:
        await open_venue_account(gateway)
    command = commands.SetRule(actor=principal_of(request).account_id, instrument=instrument, rule=rule, value=value)
    block = await _ask(gateway, command)
    _audit(request, "set_rule", rule=form.rule, value=form.value, symbol=form.symbol)
    view = RuleView(rule=form.rule, value=form.value, symbol=form.symbol, seq=block.seq, ts=timestamp(block.ts))
    return json_response(view, seq=block.seq)


@_declare("POST", "/phase", "Move the market to a phase", {200: Moved}, body=PhaseForm)
async def change_phase(request: Request) -> Response:
    """The instruments that moved. Each call is an occurrence of its own, apart from the day's schedule (number 0)."""
    gateway = gateway_of(request)
    form = await read_body(request, PhaseForm)
    command = commands.ChangePhase(
        actor=principal_of(request).account_id,
        instrument=_instrument_id(gateway, form.symbol),
        trading_day=gateway.market.directory.trading_day,
        phase=Phase.parse(form.phase),
        occurrence=1 + gateway.journal.last_seq % 65_535,
    )
    return await _move(request, "change_phase", command, phase=form.phase, symbol=form.symbol)


@_declare("POST", "/halt", "Halt trading: cancels only", {200: Moved}, body=HaltForm)
async def halt(request: Request) -> Response:
    """The instruments that are halted now."""
    form = await read_body(request, HaltForm)
    instrument = _instrument_id(gateway_of(request), form.symbol)
    command = commands.Halt(actor=principal_of(request).account_id, instrument=instrument)
    return await _move(request, "halt", command, symbol=form.symbol)


@_declare("POST", "/resume", "End a halt", {200: Moved}, body=ResumeForm)
async def resume(request: Request) -> Response:
    """The instruments that trade again."""
    form = await read_body(request, ResumeForm)
    instrument = _instrument_id(gateway_of(request), form.symbol)
    command = commands.Resume(
        actor=principal_of(request).account_id, instrument=instrument, phase=Phase.parse(form.phase)
    )
    return await _move(request, "resume", command, symbol=form.symbol, phase=form.phase)


@_declare(
    "GET",
    "/users",
    "List users, newest first",
    {200: Users},
    parameters=(
        Parameter("limit", "Users on a page.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 100}),
        Parameter("cursor", "Where the last page ended: its `next_cursor`."),
    ),
)
async def list_users(request: Request) -> Response:
    """A page of users."""
    limit = _number(request, "limit", 100, MAX_PAGE)
    before = _number(request, "cursor", 2**31, 2**31)
    users = await gateway_of(request).identity.list_users(before, limit)
    views = [
        UserView(
            user_id=user.user_id,
            name=user.name,
            kind=user.kind,
            account_id=user.account_id,
            account_ready=user.account_ready,
            created=timestamp(user.created_ts),
        )
        for user in users
    ]
    cursor = str(users[-1].user_id) if len(users) == limit else None
    return json_response(Users(users=views, next_cursor=cursor))


@_declare(
    "POST",
    "/users/{user_id}/password",
    "Set a user's password and end its sessions",
    {204: None},
    body=NewPassword,
    parameters=(Parameter("user_id", "The user's number.", {"type": "integer", "minimum": 1}, "path", True),),
)
async def set_password(request: Request) -> Response:
    """The user logs in with this one from now on."""
    identity = gateway_of(request).identity
    form = await read_body(request, NewPassword)
    text = request.path_params["user_id"]
    user_id = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if await identity.user(user_id) is None:
        raise Problem(Reason.NOT_FOUND)
    try:
        await identity.set_password(user_id, form.password)
    except InvalidPasswordError:
        raise Problem(Reason.MALFORMED, errors=[FieldError("password", "invalid_password")]) from None
    except BusyError:
        raise Problem(Reason.OVERLOADED) from None
    _audit(request, "set_password", user_id=user_id)
    return no_content()


def _audit(request: Request, action: str, **what: Any) -> None:
    principal = principal_of(request)
    audit.info(action, by=principal.name, via=principal.via, request_id=request.state.request_id, **what)


async def _user_for(gateway: Gateway, form: NewAccount) -> User:
    identity = gateway.identity
    try:
        return await identity.create_user(form.name, form.kind, form.password)
    except NameTakenError:
        user = await identity.user_by_name(form.name)
        if user is None or user.account_ready or user.kind != form.kind:
            raise Problem(Reason.NAME_TAKEN) from None
        return user
    except InvalidNameError:
        raise Problem(Reason.MALFORMED, errors=[FieldError("name", "invalid_name")]) from None
    except InvalidPasswordError:
        raise Problem(Reason.MALFORMED, errors=[FieldError("password", "invalid_password")]) from None
    except BusyError:
        raise Problem(Reason.OVERLOADED) from None


async def _ask(gateway: Gateway, command: Command, text: str = "") -> EventBlock:
    """The command's events. Raises `Problem` for a refusal."""
    (block,) = await gateway.commands.request([ExchangeRequest(command, text)])
    reason = refusal_of(block)
    if reason is not None:
        raise Problem(reason, seq=block.seq)
    return block


async def _move(request: Request, action: str, command: Command, **what: Any) -> Response:
    gateway = gateway_of(request)
    block = await _ask(gateway, command)
    _audit(request, action, **what)
    symbol_of = gateway.market.directory.symbol_of
    moved = {
        symbol_of(event.instrument): Phase(event.phase).label
        for event in block.events
        if isinstance(event, PhaseChanged) and event.instrument
    }
    return json_response(Moved(phases=moved, seq=block.seq, ts=timestamp(block.ts)), seq=block.seq)


def _deposit_command(gateway: Gateway, form: Deposit, actor: int) -> Command:
    if form.cash is not None and (form.symbol, form.qty, form.cost_amount) == (None, None, None):
        return commands.DepositCash(account=form.account_id, actor=actor, amount=form.cash)
    if form.cash is None and form.symbol is not None and form.qty is not None:
        instrument = gateway.market.directory.by_symbol(form.symbol)
        if instrument is None:
            raise Problem(Reason.UNKNOWN_SYMBOL)
        cost = share_cost(instrument.base_price, form.qty) if form.cost_amount is None else form.cost_amount
        return commands.DepositShares(
            account=form.account_id, actor=actor, instrument=instrument.id, qty=form.qty, cost_amount=cost
        )
    raise Problem(Reason.MALFORMED, errors=[FieldError("", "either_cash_or_shares")])


def _deposited(gateway: Gateway, block: EventBlock) -> BalanceView | PositionView:
    for event in block.events:
        if isinstance(event, BalanceChanged):
            return balance_view(event)
        if isinstance(event, PositionChanged):
            return position_view(event, gateway.market.directory.symbol_of)
    raise LookupError(f"the deposit of seq {block.seq} changed nothing")


def _customs(gateway: Gateway, security: Security) -> tuple[int, int]:
    """Tick table and price limit (millionths) of the listed instruments of this kind: funds have a table of their own."""
    funds = (Security.ETF, Security.ETN)
    for instrument in gateway.market.directory.all():
        if (instrument.security in funds) == (security in funds):
            return instrument.tick_table, instrument.limit_ppm
    return 0, 0


def _rule_value(rule: Rule, value: int | str) -> int:
    words = RULE_WORDS.get(rule)
    try:
        if isinstance(value, str) and words is not None:
            return words.parse(value)
        if isinstance(value, int) and words is None:
            return value
    except KeyError:
        pass  # another rule's word
    raise Problem(Reason.MALFORMED, errors=[FieldError("value", "invalid_choice")])


def _instrument_id(gateway: Gateway, symbol: str | None) -> int:
    """The instrument's number; 0, which means all, without a symbol."""
    if symbol is None:
        return 0
    instrument = gateway.market.directory.by_symbol(symbol)
    if instrument is None:
        raise Problem(Reason.UNKNOWN_SYMBOL)
    return instrument.id


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most):
        raise Problem(Reason.MALFORMED, errors=[FieldError(name, "invalid")])
    return int(text)
