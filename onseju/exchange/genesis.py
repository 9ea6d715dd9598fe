"""The first commands of a start: `start_epoch` always, and in an empty journal the venue's rules and instruments."""

from __future__ import annotations

from collections.abc import Sequence

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import (
    KIND_OFFSET,
    CommandKind,
    OpenAccount,
    Request,
    SetRule,
    StartEpoch,
    encode_command,
)
from onseju.contract.journal_records import EventBlock
from onseju.contract.words import AccountKind, Rule
from onseju.exchange.exchange import Exchange
from onseju.journal.port import Journal, JournalGoneError
from onseju.rules import fees, instruments
from onseju.rules.pack import RulePack
from onseju.rules.packs import PACKS, rules_name
from onseju.rules.sessions import SessionsName

_WHOSE = slice(KIND_OFFSET, KIND_OFFSET + 12)
"""Where a command's kind, account and instrument stand in its bytes."""


def first_commands(
    pack: RulePack, trading_day: int, *, venue_account: int, owner: bytes, sessions: SessionsName | None
) -> list[Request]:
    """What makes an empty journal a venue on `trading_day`: rules, instruments, the account for fees, and the fees.

    A pack that ships lists the demo's instruments: with interruptions where there are `sessions`, on Nextrade the dynamic
    ones alone (KRX rules 2.3). `krx` has the commission and the taxes of the day; its after-market is for stocks alone
    (KRX rules 2.2).
    """
    opening = pack.commands(trading_day)
    if pack is not PACKS.get(pack.name):  # type: ignore[call-overload]  # a host's own
        return opening + pack.list_commands() + pack.fee_commands(venue_account, owner)
    name = rules_name(pack.name)
    requests = opening + instruments.list_commands(name, interruptions=sessions is not None)
    if name == "krx" and sessions == "nxt":
        requests.append(Request(SetRule(rule=Rule.VI_STATIC_PPM, value=0)))
    if name == "krx":
        requests.append(Request(OpenAccount(account=venue_account, owner=owner, account_kind=AccountKind.VENUE)))
        requests += fees.fee_commands(trading_day, instruments.taxed())
        if sessions == "krx":
            requests += instruments.after_hours_commands()
    return requests


def remaining(journal: Journal, pack: Sequence[Request]) -> list[Request]:
    """What of `pack` the journal still lacks: all of it when empty, the rest when the first start was cut short.

    The pack's commands, in order, are the first of every journal (`start_epoch` aside), so their kinds, accounts and
    instruments tell how far that start came; the rest of them may be another day's. A journal that began otherwise needs
    nothing.
    """
    done = 0
    try:
        records = journal.read()
    except JournalGoneError:  # archived: that start is long over
        return []
    for record in records:
        if record.command[KIND_OFFSET] == CommandKind.START_EPOCH:
            continue
        if done == len(pack) or record.command[_WHOSE] != encode_command(pack[done].command)[_WHOSE]:
            return []
        done += 1
    return list(pack[done:])


async def begin(bus: InprocBus, exchange: Exchange, pack: Sequence[Request]) -> list[EventBlock]:
    """Start this leader's epoch, and the venue where it is new. The exchange must run; nobody else may have asked before.

    Raises `StoppedError`.
    """
    blocks = await bus.request([Request(StartEpoch(epoch=exchange.epoch))])
    missing = remaining(exchange.journal, pack)
    for first in range(0, len(missing), bus.capacity):
        blocks += await bus.request(missing[first : first + bus.capacity])
    return blocks
