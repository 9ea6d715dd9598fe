"""Order entry without a transport: forms become commands, events become answers. HTTP and the WebSocket both call this."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from onseju.bus.port import BusyError, DiskFullError, StoppedError, UnansweredError
from onseju.contract import commands
from onseju.contract.commands import AnyRequest, Command, Request, encode_command
from onseju.contract.event_runs import EventRun
from onseju.contract.events import KIND_OFFSET, EventKind, RequestRejected, RequestRepeated, decode_event
from onseju.contract.ids import client_id_hash, hash128
from onseju.contract.journal_records import EventBlock
from onseju.contract.money import MAX_INPUT
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderType, Side, TimeInForce
from onseju.gateway.context import Gateway
from onseju.gateway.order_forms import Cancel, CancelAll, Correct, NewOrder
from onseju.gateway.principal import Principal
from onseju.gateway.problems import FieldError, Problem
from onseju.gateway.replies import Answer, answer_from, pending
from onseju.journal.port import EventLog
from onseju.projections.queries import QueriesBusyError, QueriesFailedError

SLICE_S = 0.002
MANY_EVENTS = 1_000
"""An answer made of more events than these is made in a thread, so that it delays nobody else's."""

READ_ON = 64
"""Blocks that are read over rather than opening the event log anew."""

_NO_TEXTS: Mapping[int, str] = {}

T = TypeVar("T")

SIDES = {side.label: int(side) for side in Side}
ORDER_TYPES = {order_type.label: int(order_type) for order_type in OrderType}
TIMES_IN_FORCE = {time_in_force.label: int(time_in_force) for time_in_force in TimeInForce}


async def new_order(gateway: Gateway, principal: Principal, form: NewOrder) -> Answer:
    """Enter an order and wait for what became of it.

    A refusal by the exchange is an `Answer` whose body is a `Problem`; what is refused before there is a command (no
    such instrument, too much waiting, a stopped exchange) is raised as one. So for all functions here. Forms must come
    from `order_forms.decode`, which checks them.
    """
    request = _new_order(gateway, account_of(principal), form)
    return await _one(gateway, request)


async def correct(gateway: Gateway, principal: Principal, order_id: int, form: Correct) -> Answer:
    """Correct (정정) an open order. With `qty`, that many of its open shares become a new order, which is the answer's."""
    account = account_of(principal)
    _check_order_id(order_id)
    flags = 0
    for given, bit in (
        (form.limit_price, commands.CORRECT_LIMIT_PRICE),
        (form.stop_price, commands.CORRECT_STOP_PRICE),
        (form.leaves_qty, commands.CORRECT_LEAVES_QTY),
        (form.type, commands.CORRECT_TYPE),
        (form.qty, commands.CORRECT_PART),
    ):
        if given is not None:
            flags |= bit
    command = commands.CorrectOrder(
        account=account,
        actor=account,
        flags=flags,
        order_id=order_id,
        limit_price=form.limit_price or 0,
        stop_price=form.stop_price or 0,
        leaves_qty=form.leaves_qty or 0,
        part_qty=form.qty or 0,
        order_type=ORDER_TYPES[form.type] if form.type is not None else 0,
    )
    return await _one(gateway, _identified(command, form.client_order_id))


async def cancel(gateway: Gateway, principal: Principal, order_id: int, form: Cancel) -> Answer:
    """Cancel an order's open shares, or `qty` of them."""
    account = account_of(principal)
    _check_order_id(order_id)
    command = commands.CancelOrder(account=account, actor=account, order_id=order_id, qty=form.qty or 0)
    return await _one(gateway, _identified(command, form.client_order_id))


async def cancel_all(gateway: Gateway, principal: Principal, form: CancelAll) -> Answer:
    """Cancel the account's open orders, of one instrument or side where the form names it."""
    account = account_of(principal)
    command = commands.CancelAll(
        account=account,
        actor=account,
        instrument=0 if form.symbol is None else _instrument_id(gateway, form.symbol),
        side=0 if form.side is None else SIDES[form.side],
    )
    return await _one(gateway, _identified(command, form.client_order_id))


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The items. After every two milliseconds of work with them, others on the event loop get their turn."""
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > SLICE_S:
            await asyncio.sleep(0)
            began = time.monotonic()


def account_of(principal: Principal) -> int:
    """The account that this caller trades with. Raises `Problem(FORBIDDEN)` where it has none."""
    if principal.account_id == 0:
        raise Problem(Reason.FORBIDDEN)  # the bootstrap key administers; it holds no account to trade with
    return principal.account_id


def _check_order_id(order_id: int) -> None:
    if not 1 <= order_id <= MAX_INPUT:
        raise Problem(Reason.ORDER_NOT_FOUND)


def _instrument_id(gateway: Gateway, symbol: str) -> int:
    instrument = gateway.market.directory.by_symbol(symbol)
    if instrument is None:
        raise Problem(Reason.UNKNOWN_SYMBOL)
    return instrument.id


def _new_order(gateway: Gateway, account: int, form: NewOrder) -> Request:
    command = commands.NewOrder(
        account=account,
        actor=account,
        instrument=_instrument_id(gateway, form.symbol),
        qty=form.qty,
        limit_price=form.limit_price or 0,
        stop_price=form.stop_price or 0,
        side=SIDES[form.side],
        order_type=ORDER_TYPES[form.type],
        time_in_force=TIMES_IN_FORCE[form.time_in_force],
    )
    client_order_id = form.client_order_id
    if client_order_id is None and gateway.client_ids is not None:
        client_order_id = gateway.client_ids()
    return _identified(command, client_order_id)


def _identified(command: Command, client_order_id: str | None) -> Request:
    """The command under its client's id. The body's hash is that of the command itself, which holds the operation and
    every field with its default: the order of JSON keys, white space and left-out defaults do not matter."""
    if client_order_id is None:
        return Request(command)
    body_hash = hash128(encode_command(command))
    command = msgspec.structs.replace(command, client_id=client_id_hash(client_order_id), body_hash=body_hash)
    return Request(command, client_order_id)


async def _one(gateway: Gateway, request: Request) -> Answer:
    try:
        blocks = await ask(gateway, [request])
    except UnansweredError:
        return pending(request.text)
    return (await answers_to(gateway, blocks))[0]


async def ask(gateway: Gateway, requests: Sequence[AnyRequest]) -> list[EventBlock]:
    """Hand commands to the exchange. Raises `Problem` where none was taken: OVERLOADED or EXCHANGE_STOPPED; and
    `UnansweredError`."""
    try:
        return await gateway.commands.request(requests)
    except BusyError as error:
        reason = Reason.DISK_FULL if isinstance(error, DiskFullError) else Reason.OVERLOADED
        raise Problem(reason) from None
    except StoppedError:
        raise Problem(Reason.EXCHANGE_STOPPED) from None


async def ask_records(gateway: Gateway, records: bytes, texts: Mapping[int, str] = _NO_TEXTS) -> EventRun:
    """Hand over one or more checked commands in their bytes, with the texts of some by their place. Raises as `ask` does."""
    try:
        return await gateway.commands.request_records(records, texts)
    except BusyError as error:
        reason = Reason.DISK_FULL if isinstance(error, DiskFullError) else Reason.OVERLOADED
        raise Problem(reason) from None
    except StoppedError:
        raise Problem(Reason.EXCHANGE_STOPPED) from None


async def answers_to(gateway: Gateway, blocks: Sequence[EventBlock]) -> list[Answer]:
    """One answer for each block. A repeat gets the first answer again, rebuilt from the event log."""
    originals = await read_originals(gateway, blocks)
    symbol_of: Callable[[int], str] = gateway.market.directory.symbol_of
    answers = []
    async for block, original in in_turns(zip(blocks, originals, strict=True)):
        replayed = original is not None
        told = original or block
        if told.event_count <= MANY_EVENTS:
            answer = answer_from(told, symbol_of, seq=block.seq, replayed=replayed)
        else:  # everything canceled, or a book swept empty
            answer = await asyncio.to_thread(answer_from, told, symbol_of, seq=block.seq, replayed=replayed)
        if isinstance(answer.body, Problem) and answer.body.reason is Reason.ORDER_DONE:
            answer = await _hide_others(gateway, told, answer)
        elif isinstance(answer.body, Problem) and answer.body.reason is Reason.INVALID_QTY and not replayed:
            await _tell_open_qty(gateway, told, answer.body)
        answers.append(answer)
    return answers


async def read_originals(gateway: Gateway, blocks: Sequence[EventBlock]) -> list[EventBlock | None]:
    """For each block that of the first time where it is a repeat's, from the event log; else None."""
    repeats = {block.seq: original for block in blocks if (original := _original_seq(block))}
    if not repeats:
        return [None] * len(blocks)
    found = await asyncio.to_thread(_read_blocks, gateway.journal, set(repeats.values()))
    return [found[repeats[block.seq]] if block.seq in repeats else None for block in blocks]


def _original_seq(block: EventBlock) -> int:
    """Whose answer a repeat gets; 0 for what is no repeat, or a refused one."""
    if block.payload[KIND_OFFSET] != EventKind.REQUEST_REPEATED:
        return 0
    repeated: RequestRepeated = decode_event(block.payload)  # type: ignore[assignment]  # its kind says so
    return 0 if repeated.reason else repeated.original_seq


def _read_blocks(journal: EventLog, seqs: Iterable[int]) -> dict[int, EventBlock]:
    """These commands' blocks from the event log (blocking). Neighbours are read in one go."""
    found: dict[int, EventBlock] = {}
    blocks: Iterator[EventBlock] = iter(())
    at = 0
    for seq in sorted(seqs):
        if at == 0 or seq - at > READ_ON:
            blocks = journal.read_events(seq - 1)
        block = next((block for block in blocks if block.seq == seq), None)
        if block is None:
            raise LookupError(f"the event log has no block of seq {seq}, though it is a repeat's original")
        found[seq] = block
        at = seq
    return found


async def _hide_others(gateway: Gateway, block: EventBlock, answer: Answer) -> Answer:
    """The same answer where the done order was the asker's own; else what an order that never was gets."""
    if await owns_done_order(gateway, block):
        return answer
    problem = Problem(Reason.ORDER_NOT_FOUND, seq=block.seq)
    return msgspec.structs.replace(answer, status=problem.status, body=problem)


async def owns_done_order(gateway: Gateway, block: EventBlock) -> bool:
    """Whether the order that this block refused to touch because it is done was the asker's own.

    The exchange keeps no done orders, so only the read side knows whose it was; it must have caught up to be asked.
    """
    rejected: RequestRejected = decode_event(block.payload)  # type: ignore[assignment]  # only it gives ORDER_DONE
    if not await gateway.projector.wait_for(rejected.seq, gateway.settings.min_seq_wait_s):
        raise Problem(Reason.PROJECTION_BEHIND, seq=block.seq)
    try:
        owner = await gateway.queries.ask(gateway.queries.order_owner, rejected.order_id)
    except QueriesBusyError:
        raise Problem(Reason.OVERLOADED, seq=block.seq) from None
    except QueriesFailedError:
        raise Problem(Reason.PROJECTION_BEHIND, seq=block.seq) from None
    return owner == rejected.account


async def _tell_open_qty(gateway: Gateway, block: EventBlock, problem: Problem) -> None:
    """Name the order's open quantity where a cancel or correction of a part asked for more, or for no whole lots. A
    courtesy: while the read side is behind or busy, the refusal goes out without it."""
    rejected = decode_event(block.payload)
    if not isinstance(rejected, RequestRejected) or not rejected.order_id:
        return
    if not await gateway.projector.wait_for(rejected.seq, gateway.settings.min_seq_wait_s):
        return
    try:
        order, _ = await gateway.queries.ask(gateway.queries.order, rejected.account, rejected.order_id)
    except (QueriesBusyError, QueriesFailedError):
        return
    directory = gateway.market.directory
    instrument = directory.by_id(rejected.instrument)
    if order is not None and instrument is not None:
        code = "more_than_open" if directory.lot_size(instrument) == 1 else "open_lots"
        problem.errors.append(FieldError("qty", code, most=order.leaves_qty))
