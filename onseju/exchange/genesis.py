"""The first commands of a start: `start_epoch` always, and in an empty journal the venue's rules and instruments."""

from __future__ import annotations

from collections.abc import Sequence

from onseju.bus.inproc import InprocBus
from onseju.contract.commands import KIND_OFFSET, CommandKind, Request, StartEpoch
from onseju.contract.journal_records import EventBlock
from onseju.exchange.exchange import Exchange
from onseju.journal.port import Journal


def remaining(journal: Journal, pack: Sequence[Request]) -> list[Request]:
    """What of `pack` the journal still lacks: all of it when empty, the rest when the first start was cut short.

    The pack's commands, in order, are the first of every journal (`start_epoch` aside), so their kinds tell how far that
    start came. A journal that began otherwise needs nothing.
    """
    done = 0
    for record in journal.read():
        kind = record.command[KIND_OFFSET]
        if kind == CommandKind.START_EPOCH:
            continue
        if done == len(pack) or kind != pack[done].command.kind:
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
