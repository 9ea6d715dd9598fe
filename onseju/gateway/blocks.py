"""What a command's events say to who sent it."""

from __future__ import annotations

import asyncio

from onseju.contract.events import RequestRejected, RequestRepeated
from onseju.contract.journal_records import EventBlock
from onseju.contract.reasons import Reason
from onseju.gateway.context import Gateway


def refusal_of(block: EventBlock) -> Reason | None:
    """Why the exchange refused the command; None where it did not. An id that was used for something else is a refusal."""
    for event in block.events:
        if isinstance(event, RequestRejected) or (isinstance(event, RequestRepeated) and event.reason):
            return Reason(event.reason)
    return None


async def first_time(gateway: Gateway, block: EventBlock) -> tuple[EventBlock, bool]:
    """For a repeat the block of the command's first time, from the event log; and whether it was one."""
    event = block.events[0]
    if not isinstance(event, RequestRepeated) or event.reason:
        return block, False
    return await asyncio.to_thread(_read, gateway, event.original_seq), True


def _read(gateway: Gateway, seq: int) -> EventBlock:
    return next(block for block in gateway.journal.read_events(seq - 1) if block.seq == seq)
