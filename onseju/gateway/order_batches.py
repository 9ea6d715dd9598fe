"""Many new orders at once: forms become the commands' bytes in one pass, events become answers' JSON in another.

What needs more than that (a refusal, a repeat) goes the way of a single order (`order_entry`), with the same answer.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Mapping, Sequence

from onseju.bus.port import UnansweredError
from onseju.contract.commands import COMMAND_BYTES, COMMAND_VERSION, NO_HASH, CommandKind
from onseju.contract.event_runs import EventRun
from onseju.contract.ids import client_id_hash, hash128
from onseju.contract.reasons import Reason
from onseju.gateway import order_entry
from onseju.gateway.context import Gateway
from onseju.gateway.order_entry import ORDER_TYPES, SIDES, TIMES_IN_FORCE
from onseju.gateway.order_forms import NewOrder
from onseju.gateway.principal import Principal
from onseju.gateway.problems import Problem
from onseju.gateway.replies import Answer, pending

MANY_EVENTS = 10_000
"""Answers made of more events than these are made a few at a time, so that they delay nobody else's."""
FEW = 50

_NEW_ORDER = struct.Struct("<QqBBHIII16s16sqqqBBB21x")

OrderAnswer = tuple[int, bytes] | Answer
"""A taken order's number and JSON (`replies.OrderResult`), or any other answer."""


def pack(
    gateway: Gateway, accounts: Sequence[int], forms: Sequence[NewOrder]
) -> tuple[bytes, dict[int, str], list[int]]:
    """Well-formed orders as commands, each of its account: their bytes, the texts of some by their place, and the places in
    `forms` of orders for instruments that do not exist, which are left out."""
    instruments: dict[str, int] = {}
    by_symbol = gateway.market.directory.by_symbol
    records: list[bytes] = []
    texts: dict[int, str] = {}
    unknown: list[int] = []
    for place, (account, form) in enumerate(zip(accounts, forms, strict=True)):
        symbol = form.symbol
        number = instruments.get(symbol)
        if number is None:
            found = by_symbol(symbol)
            number = instruments[symbol] = 0 if found is None else found.id
        if not number:
            unknown.append(place)
            continue
        body = (
            form.qty,
            form.limit_price or 0,
            form.stop_price or 0,
            SIDES[form.side],
            ORDER_TYPES[form.type],
            TIMES_IN_FORCE[form.time_in_force],
        )
        record = _NEW_ORDER.pack(
            0, 0, CommandKind.NEW_ORDER, COMMAND_VERSION, 0, account, number, account, NO_HASH, NO_HASH, *body
        )
        client_order_id = form.client_order_id
        if client_order_id is None and gateway.client_ids is not None:
            client_order_id = gateway.client_ids()
        if client_order_id is not None:
            texts[len(records)] = client_order_id
            record = record[:32] + client_id_hash(client_order_id) + hash128(record) + record[64:]
        records.append(record)
    return b"".join(records), texts, unknown


async def enter(gateway: Gateway, principal: Principal, forms: Sequence[NewOrder | Problem]) -> list[OrderAnswer]:
    """Enter well-formed orders, in order; one answer each. What is a problem already gets it back and stops no other.
    Raises `Problem` where none of them was taken."""
    account = order_entry.account_of(principal)
    good = [form for form in forms if isinstance(form, NewOrder)]
    records, texts, unknown = pack(gateway, [account] * len(good), good)
    answers = await outcome(gateway, records, texts) if records else []
    for place in unknown:
        answers.insert(place, _not_entered(Problem(Reason.UNKNOWN_SYMBOL)))
    if len(good) < len(forms):
        for place, form in enumerate(forms):
            if isinstance(form, Problem):
                answers.insert(place, _not_entered(form))
    return answers


async def outcome(gateway: Gateway, records: bytes, texts: Mapping[int, str]) -> list[OrderAnswer]:
    """Hand over what `pack` gave: the answers, or that each is pending. Raises `Problem` where none was taken."""
    try:
        run = await order_entry.ask_records(gateway, records, texts)
    except UnansweredError:
        return [pending(texts.get(place)) for place in range(len(records) // COMMAND_BYTES)]
    return await tell(gateway, run)


def _not_entered(problem: Problem) -> Answer:
    return Answer(status=problem.status, body=problem, seq=0)


async def tell(gateway: Gateway, run: EventRun) -> list[OrderAnswer]:
    """The answers to new orders."""
    answers: list[OrderAnswer | None] = []
    seq = run.first_seq
    async for part in _parts(run):
        for body in gateway.bodies.of(part, gateway.market.directory):
            answers.append(None if body is None else (seq, body))
            seq += 1
    rest = [place for place, answer in enumerate(answers) if answer is None]
    plain = iter(await order_entry.answers_to(gateway, [run[place] for place in rest]) if rest else ())
    return [next(plain) if answer is None else answer for answer in answers]


async def _parts(run: EventRun) -> AsyncIterator[EventRun]:
    if run.event_count <= MANY_EVENTS:
        yield run
        return
    async for start in order_entry.in_turns(range(0, len(run), FEW)):
        yield EventRun.of(run[start : start + FEW])
