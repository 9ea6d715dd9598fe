"""Opening a new user's account at the exchange, with what it begins with, once: whatever crashes in the middle.

Identity allots the account number first and remembers that the account is not ready. The exchange knows the account's owner
by a random token and each deposit by an id made from that token, so every step can be sent again without effect.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog

from onseju.contract.commands import Command, DepositCash, DepositShares, OpenAccount, Request
from onseju.contract.ids import hash128
from onseju.contract.money import fits
from onseju.contract.reasons import Reason
from onseju.contract.words import AccountKind
from onseju.gateway.blocks import first_time, refusal_of
from onseju.gateway.context import Gateway
from onseju.gateway.problems import Problem
from onseju.identity.records import User

log = structlog.get_logger("onseju.gateway")

VENUE_ACCOUNT = 2**32 - 1
"""The number of the account that collects fees: the last one, which identity allots to nobody."""
VENUE_OWNER = hash128(b"the venue's own account")

MAX_MOVES = 40
"""Account numbers to try. The steps double, so that any number of taken ones is soon behind us."""


def starting_holdings(gateway: Gateway) -> dict[str, int]:
    """The shares that a new account begins with, by symbol."""
    qty = gateway.settings.starting_shares
    return {instrument.symbol: qty for instrument in gateway.market.directory.all()} if qty else {}


async def open_account(
    gateway: Gateway, user: User, *, cash: int | None = None, holdings: Mapping[str, int] | None = None
) -> tuple[User, int]:
    """Open the user's account and pay in what it begins with (by default the settings' cash and shares).

    Gives the user as it is now and the last command's number. Raises `Problem` (UNKNOWN_SYMBOL before anything is
    done), `BusyError` or `StoppedError`; the same call may be made again at any time.
    """
    cash = gateway.settings.starting_cash if cash is None else cash
    holdings = starting_holdings(gateway) if holdings is None else holdings
    gifts = _gifts(gateway, user.owner, cash, holdings)
    user, seq = await _open(gateway, user)
    if gifts:
        mine = [msgspec.structs.replace(gift, account=user.account_id, actor=user.account_id) for gift in gifts]
        for block in await gateway.commands.request([Request(gift) for gift in mine]):
            first, _ = await first_time(gateway, block)
            reason = refusal_of(first)
            if reason is not None:
                raise Problem(reason, seq=block.seq)
            seq = block.seq
    await gateway.identity.mark_account_ready(user.user_id)
    return msgspec.structs.replace(user, account_ready=True), seq


async def ensure_account(
    gateway: Gateway,
    name: str,
    *,
    kind: str = "user",
    password: str | None = None,
    cash: int | None = None,
    holdings: Mapping[str, int] | None = None,
) -> User:
    """The user of this name with its account open, made if it does not exist. What an existing one has stays."""
    user = await gateway.identity.ensure_user(name, kind, password)
    if not user.account_ready:
        user, _ = await open_account(gateway, user, cash=cash, holdings=holdings)
    return user


async def open_venue_account(gateway: Gateway) -> None:
    """Open the account that collects fees, where there is none. Refused where the venue has another one, which stays."""
    command = OpenAccount(account=VENUE_ACCOUNT, owner=VENUE_OWNER, account_kind=AccountKind.VENUE)
    await gateway.commands.request([Request(command)])


async def finish_openings(gateway: Gateway) -> int:
    """Open the accounts of users who signed up just before a crash. To be called before a new trading day begins: the
    exchange remembers deposits' ids for this and the previous day. Gives the number of accounts opened.

    One that the exchange refuses stays unfinished; its user is told why at the next log-in.
    """
    opened = 0
    for user in await gateway.identity.unready_users():
        try:
            finished, seq = await open_account(gateway, user)
        except Problem as problem:
            log.warning("account not opened", user_id=user.user_id, reason=problem.reason.code)
        else:
            log.info("account opened late", account_id=finished.account_id, seq=seq)
            opened += 1
    return opened


async def _open(gateway: Gateway, user: User) -> tuple[User, int]:
    kind = AccountKind.BOT if user.kind == "bot" else AccountKind.USER
    for move in range(MAX_MOVES):
        command = OpenAccount(account=user.account_id, actor=user.account_id, owner=user.owner, account_kind=kind)
        (block,) = await gateway.commands.request([Request(command)])
        reason = refusal_of(block)
        if reason is None:
            return user, block.seq
        if reason is not Reason.ACCOUNT_EXISTS:
            raise Problem(reason, seq=block.seq)
        log.warning("account number is another owner's", account_id=user.account_id)
        user = await gateway.identity.move_account(user.user_id, user.account_id, 2 ** min(move, 24))
    raise Problem(Reason.ACCOUNT_EXISTS)


def _gifts(gateway: Gateway, owner: bytes, cash: int, holdings: Mapping[str, int]) -> list[Command]:
    """The deposits, each under an id that is the same at every try, whatever the base price or the settings are then."""
    gifts: list[Command] = []
    if cash:
        gift_id = hash128(b"opening cash " + owner)
        gifts.append(DepositCash(amount=cash, client_id=gift_id, body_hash=gift_id))
    for symbol, qty in holdings.items():
        instrument = gateway.market.directory.by_symbol(symbol)
        if instrument is None:
            raise Problem(Reason.UNKNOWN_SYMBOL)
        if qty:
            gift_id = hash128(b"opening shares " + owner + instrument.id.to_bytes(4, "little"))
            cost = share_cost(instrument.base_price, qty)
            gifts.append(
                DepositShares(instrument=instrument.id, qty=qty, cost_amount=cost, client_id=gift_id, body_hash=gift_id)
            )
    return gifts


def share_cost(base_price: int, qty: int) -> int:
    """What deposited shares are taken to have cost. Raises `Problem(AMOUNT_TOO_LARGE)`."""
    cost = base_price * qty
    if not fits(cost):
        raise Problem(Reason.AMOUNT_TOO_LARGE)
    return cost
