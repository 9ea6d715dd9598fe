"""The host's calls about people: accounts, deposits and withdrawals, users, passwords. All are written to the log with who asked."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract import commands
from onseju.contract.commands import Command
from onseju.contract.events import BalanceChanged, PositionChanged
from onseju.contract.ids import client_id_hash, hash128
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.views import BalanceView, PositionView, balance_view, position_view, timestamp
from onseju.gateway.admin_calls import Symbol, ask, audit, declare, instrument_id
from onseju.gateway.answers import json_response, no_content
from onseju.gateway.blocks import first_time, refusal_of
from onseju.gateway.body import Amount, AtLeastOne, read_body
from onseju.gateway.context import Gateway, gateway_of, principal_of
from onseju.gateway.openings import open_account, share_cost
from onseju.gateway.operations import Operations, Parameter
from onseju.gateway.principal import ADMIN, READ, TRADE
from onseju.gateway.problems import FieldError, Problem
from onseju.identity.names import checked_password
from onseju.identity.records import BusyError, InvalidNameError, InvalidPasswordError, NameTakenError, User

operations = Operations("admin")

ClientId = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z", description="A repeat of the same under it takes effect once."),
]
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


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cash to take out of the venue."""

    account_id: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
    cash: AtLeastOne
    client_order_id: ClientId | None = None


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


@declare(operations, "POST", "/accounts", "Open an account, with an API key", {201: OpenedAccount}, body=NewAccount)
async def create_account(request: Request) -> Response:
    """The account's number and key. A name whose account is ready is taken; an unfinished one is finished."""
    gateway = gateway_of(request)
    form = await read_body(request, NewAccount)
    for symbol in form.holdings or {}:
        instrument_id(gateway, symbol)
    user = await _user_for(gateway, form)
    user, seq = await open_account(gateway, user, cash=form.cash, holdings=form.holdings)
    scopes = [READ, TRADE, ADMIN] if user.kind == "admin" else [READ, TRADE]
    api_key = await gateway.identity.create_key(user.user_id, "admin", scopes, replace=True)
    await audit(request, "open_account", account=user.account_id, about_seq=seq, kind=user.kind, cash=form.cash)
    view = OpenedAccount(account_id=user.account_id, user_id=user.user_id, name=user.name, api_key=api_key, seq=seq)
    return json_response(view, 201, seq=seq)


@declare(
    operations,
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
    return await _once(request, form, _deposit_command(gateway, form, principal_of(request).account_id), "deposit")


@declare(
    operations,
    "POST",
    "/withdrawals",
    "Take settled cash out of an account",
    {201: BalanceView, 200: BalanceView},
    body=Withdrawal,
)
async def withdraw(request: Request) -> Response:
    """The balance afterwards. Cash that orders have reserved stays, and what is not settled yet (`cash_not_settled`): a
    sale's proceeds arrive days after the trade, as the rule `settlement_days` says."""
    form = await read_body(request, Withdrawal)
    actor = principal_of(request).account_id
    command = commands.WithdrawCash(account=form.account_id, actor=actor, amount=form.cash)
    return await _once(request, form, command, "withdraw")


@declare(
    operations,
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


@declare(
    operations,
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
        password = checked_password(form.password)
        await audit(request, "set_password", user_id=user_id)  # before: no password is ever changed without a trace
        await identity.set_password(user_id, password)
    except InvalidPasswordError:
        raise Problem(Reason.MALFORMED, errors=[FieldError("password", "invalid_password")]) from None
    except BusyError:
        raise Problem(Reason.OVERLOADED) from None
    return no_content()


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


async def _once(request: Request, form: Deposit | Withdrawal, command: Command, action: str) -> Response:
    """What a deposit or withdrawal changed: 201, and 200 with the first answer for a repeat under its client's id."""
    gateway, text = gateway_of(request), ""
    if form.client_order_id is not None:
        text = form.client_order_id
        body_hash = hash128(msgspec.json.encode(form))  # not the command's: its default cost follows the base price
        command = msgspec.structs.replace(command, client_id=client_id_hash(text), body_hash=body_hash)
    block = await ask(gateway, command, text)
    first, repeated = await first_time(gateway, block)
    if repeated:
        reason = refusal_of(first)
        if reason is not None:
            raise Problem(reason, seq=block.seq, headers={"Idempotency-Replayed": "true"})
        return json_response(_deposited(gateway, first), seq=block.seq, headers={"Idempotency-Replayed": "true"})
    what = msgspec.structs.asdict(form)
    account, instrument = what.pop("account_id"), instrument_id(gateway, what.pop("symbol", None))
    await audit(request, action, account=account, instrument=instrument, about_seq=block.seq, **what)
    return json_response(_deposited(gateway, block), 201, seq=block.seq)


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
    raise LookupError(f"the deposit or withdrawal of seq {block.seq} changed nothing")


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most):
        raise Problem(Reason.MALFORMED, errors=[FieldError(name, "invalid")])
    return int(text)
