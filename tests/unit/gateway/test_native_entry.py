"""Order entry's compiled loops against the plain form, which is their specification: the same bytes for whatever comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onseju.contract.commands import (
    COMMAND_BYTES,
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CORRECT_STOP_PRICE,
    CORRECT_TYPE,
    CancelAll,
    CancelOrder,
    Command,
    CorrectOrder,
    DepositCash,
    DepositShares,
    NewOrder,
    OpenAccount,
    Request,
    encode_command,
)
from onseju.contract.event_runs import EventRun
from onseju.contract.events import OrderAccepted, OrderFilled, encode_event
from onseju.contract.journal_records import EventBlock, annotation_text
from onseju.contract.money import MAX_INPUT
from onseju.contract.words import OrderType
from onseju.gateway import native_entry, order_batches, order_records
from onseju.gateway.native_entry import OrderBodies, check_records
from onseju.gateway.order_records import Batch, check_plainly
from onseju.gateway.principal import Principal
from onseju.gateway.problems import Problem
from onseju.gateway.replies import OrderResult, answer_from
from onseju.market.directory import Directory
from tests.engines import once
from tests.unit.gateway.served import Venue

pytestmark = [pytest.mark.skipif(native_entry.CORE is None, reason="nothing is compiled"), once]

OWN, OTHER = 7001, 7002
PRICE = 98_500
ALL_TERMS = CORRECT_LIMIT_PRICE | CORRECT_STOP_PRICE | CORRECT_TYPE
BASES: list[Command] = [
    NewOrder(instrument=1, qty=3, limit_price=100, side=1, order_type=1),
    NewOrder(instrument=2, qty=3, limit_price=100, stop_price=90, side=2, order_type=7, time_in_force=1),
    NewOrder(instrument=1, qty=3, side=2, order_type=2, time_in_force=3, client_id=b"x" * 16),
    CancelOrder(order_id=5, qty=1),
    CancelAll(side=2, instrument=1),
    CorrectOrder(order_id=5, flags=CORRECT_LIMIT_PRICE | CORRECT_PART, limit_price=1, part_qty=2),
    CorrectOrder(order_id=5, flags=CORRECT_LEAVES_QTY, leaves_qty=0, client_id=b"y" * 16),
    CorrectOrder(order_id=5, flags=ALL_TERMS, limit_price=1, stop_price=2, order_type=OrderType.STOP_LIMIT),
    CorrectOrder(order_id=5, flags=ALL_TERMS, limit_price=1, stop_price=2, order_type=OrderType.MARKET),
    DepositCash(amount=1),
]
NUMBERS = [0, 1, -1, 2, 5, MAX_INPUT, MAX_INPUT + 1, 2**62, -(2**63)]

numbers = st.tuples(st.sampled_from(range(64, 112, 8)), st.sampled_from(NUMBERS)).map(
    lambda chosen: (chosen[0], chosen[1].to_bytes(8, "little", signed=True))
)
single = st.tuples(
    st.integers(0, COMMAND_BYTES - 1), st.one_of(st.integers(0, 9), st.integers(0, 255)).map(lambda byte: bytes([byte]))
)
in_head = st.tuples(st.integers(0, 90), st.integers(0, 40).map(lambda byte: bytes([byte])))


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A command, most often wrong in one way or another."""
    record = bytearray(encode_command(draw(st.sampled_from(BASES))))
    for at, what in draw(st.lists(st.one_of(numbers, single, in_head), max_size=3)):
        record[at : at + len(what)] = what
    return bytes(record)


@given(st.lists(records(), min_size=1, max_size=20).map(b"".join), st.sampled_from([0, 1, 30]), st.booleans())
@settings(max_examples=400, deadline=None)
def test_records_are_checked_and_stamped_as_the_plain_form_does(raw: bytes, instruments: int, needs_id: bool) -> None:
    found = check_records(raw, OWN, instruments, needs_id=needs_id)
    assert found == check_plainly(raw, OWN, instruments, needs_id=needs_id)


def test_every_byte_of_a_record_counts() -> None:
    for base in BASES:
        record = encode_command(base)
        for at in range(COMMAND_BYTES):
            for value in (0, 1, 2, 4, 9, 255):
                raw = record[:at] + bytes([value]) + record[at + 1 :]
                assert check_records(raw, OWN, 2, needs_id=False) == check_plainly(raw, OWN, 2, needs_id=False), (
                    base,
                    at,
                )


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, tested_on: object) -> Iterator[Venue]:
    made = Venue(Path(tmp_path_factory.mktemp("native")))
    for account in (OWN, OTHER):
        made.bus.apply(Request(OpenAccount(account=account, owner=account.to_bytes(16, "little"))))
        made.bus.apply(Request(DepositCash(account=account, amount=10**12)))
        made.bus.apply(Request(DepositShares(account=account, instrument=1, qty=10**6, cost_amount=1)))
    yield made
    made.close()


orders = st.builds(
    lambda account, side, qty, away, kind, time, named: (
        account,
        NewOrder(
            account=account,
            actor=account,
            instrument=1,
            qty=qty,
            limit_price=PRICE + away if kind == OrderType.LIMIT else 0,
            side=side,
            order_type=kind,
            time_in_force=time,
        ),
        named,
    ),
    st.sampled_from([OWN, OTHER]),
    st.sampled_from([1, 2]),
    st.one_of(st.integers(1, 40), st.just(10**9)),
    st.sampled_from([-100, 0, 100, 1]),
    st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET, OrderType.BEST_SAME, OrderType.BEST_OPPOSITE]),
    st.sampled_from([1, 1, 2, 3]),
    st.booleans(),
)


def play(venue: Venue, made: Sequence[tuple[int, NewOrder, bool]]) -> EventRun:
    """Orders of both accounts, and cancels and corrections of the first's, through the real engine. One in two has a text."""
    blocks: list[EventBlock] = []
    for number, (_, command, is_named) in enumerate(made):
        block = venue.bus.apply(Request(command))
        first = block.events[0]
        if is_named and isinstance(first, OrderAccepted):
            block = msgspec.structs.replace(block, text=annotation_text({1: "other", first.order_id: f"id-{number}"}))
        blocks.append(block)
        if number % 3 == 0 and isinstance(first, OrderAccepted):
            own = {"account": first.account, "actor": first.account, "order_id": first.order_id}
            part = CORRECT_PART | CORRECT_LIMIT_PRICE
            blocks.append(venue.bus.apply(Request(CancelOrder(qty=1, **own))))
            blocks.append(venue.bus.apply(Request(CorrectOrder(flags=part, part_qty=1, limit_price=PRICE, **own))))
            blocks.append(venue.bus.apply(Request(CancelOrder(**own))))
    return EventRun.of(blocks)


FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.lists(orders, min_size=1, max_size=25))
@FEW
def test_answers_in_json_are_the_plain_forms(venue: Venue, made: list[tuple[int, NewOrder, bool]]) -> None:
    run = play(venue, made)
    directory = venue.gateway.market.directory
    told = 0
    for block, body in zip(run, OrderBodies().of(run, directory), strict=True):
        plain = answer_from(block, directory.symbol_of).body
        if body is not None:
            assert body == msgspec.json.encode(plain)
            told += 1
        else:
            assert not isinstance(plain, OrderResult), "what was taken is not left to the plain form"
    venue.bus.apply(Request(CancelAll(account=OWN, actor=OWN)))
    venue.bus.apply(Request(CancelAll(account=OTHER, actor=OTHER)))


@given(st.lists(orders, min_size=1, max_size=25), st.sampled_from([OWN, OTHER]), st.sets(st.integers(0, 30)))
@FEW
def test_answers_in_records_are_the_plain_forms(
    venue: Venue, made: list[tuple[int, NewOrder, bool]], account: int, refused: set[int]
) -> None:
    run = play(venue, made)
    reasons: list[int] = []
    for number in range(len(run)):
        reasons += [256] * (number in refused) + [0]
    found = native_entry.answer_records(reasons, run, account)
    assert found is not None
    answers, left = found

    async def both() -> tuple[bytes, bytes]:
        gateway = venue.gateway
        plain = [part async for part in order_records._answer_plainly(gateway, account, reasons, run)]
        return b"".join(plain), await order_records._with_rest(gateway, account, reasons, run, answers, left)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order_records.order_entry, "owns_done_order", _owned)
        plain, native = asyncio.run(both())
    assert native == plain


async def _owned(*_: object) -> bool:
    return True


values = st.integers(0, 2**63 - 1)
words = st.integers(0, 10)


def event_of(cls: type[OrderAccepted] | type[OrderFilled], seq: int, ts: int) -> st.SearchStrategy[bytes]:
    """Events with all the numbers that their bytes can hold, and words that there are not."""
    kinds = {"seq": st.just(seq), "ts": st.just(ts), "idx": st.just(0), "kind": st.just(int(cls.KIND))}
    known = {**kinds, "version": st.just(1), "reason": st.sampled_from([0, 80, 84, 98, 99, 500])}
    narrow = {"side", "order_type", "time_in_force", "status", "liquidity"}
    small = st.one_of(st.integers(0, 3), st.integers(0, 10**15))

    def values_of(name: str) -> st.SearchStrategy[object]:
        if name in known:
            return known[name]
        if name == "client_id":
            return st.just(bytes(16))
        if name == "order_id":
            return st.integers(1, 2)
        if name in ("account", "instrument"):
            return st.integers(0, 3)
        return st.integers(1, 8) if name in narrow else small

    return st.fixed_dictionaries({name: values_of(name) for name in cls.__struct_fields__}).map(
        lambda fields: encode_event(cls(**fields))  # type: ignore[arg-type]  # named by the class itself
    )


@given(
    st.lists(
        st.one_of(event_of(OrderAccepted, 5, 1_795_000_000_123_456), event_of(OrderFilled, 5, 1_795_000_000_123_456)),
        min_size=1,
        max_size=4,
    ).map(b"".join),
    st.sampled_from(["", "1\ta", "2\tb-2:x\n1\tc.d", '1\tq"uote', "1\t한글", "1\tback\\slash"]),
    st.sampled_from([0, 1, 951_782_400_000_000, 1_709_164_799_999_999, 1_795_000_000_123_456, 4_107_542_400_000_001]),
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_events_hold_it_is_the_plain_forms_or_left_to_it(payload: bytes, text: str, ts: int) -> None:
    payload = b"".join(
        payload[at : at + 8] + ts.to_bytes(8, "little") + payload[at + 16 : at + 128]
        for at in range(0, len(payload), 128)
    )
    block = EventBlock(venue=1, epoch=1, semantics=1, seq=5, ts=ts, command_kind=1, payload=payload, text=text)
    directory = Directory()
    (body,) = OrderBodies().of(EventRun.of([block]), directory)
    if body is not None:
        assert body == msgspec.json.encode(answer_from(block, directory.symbol_of).body)


class Canned:
    """An exchange that gave this run."""

    def __init__(self, run: EventRun) -> None:
        self._run = run

    async def request_records(self, records: bytes, texts: Mapping[int, str] = MappingProxyType({}), /) -> EventRun:
        assert len(records) == COMMAND_BYTES * len(self._run)
        return self._run


def test_where_nothing_is_compiled_the_answers_are_the_same(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    sell = NewOrder(account=OWN, actor=OWN, instrument=1, qty=9, limit_price=PRICE, side=2, order_type=1)
    poor = NewOrder(account=OWN, actor=OWN, instrument=1, qty=10**9, limit_price=PRICE, side=2, order_type=1)
    buy = NewOrder(account=OTHER, actor=OTHER, instrument=1, qty=5, limit_price=PRICE, side=1, order_type=1)
    blocks = [
        venue.bus.apply(Request(command)) for command in (sell, sell, poor, buy, CancelAll(account=OWN, actor=OWN))
    ]
    batch = Batch(bytes(COMMAND_BYTES * len(blocks)), [0, 256, 0, 0, 48, 0, 0], orders=6, cancels=1)
    principal = Principal(user_id=1, account_id=OWN, scopes=frozenset({"trade"}), via="key")

    async def answers() -> tuple[bytes, list[bytes]]:
        told = await order_batches.tell(venue.gateway, EventRun.of(blocks[:4]))
        bodies = [
            answer[1]
            if isinstance(answer, tuple)
            else msgspec.json.encode(answer.body.body("en", "") if isinstance(answer.body, Problem) else answer.body)
            for answer in told
        ]
        return await order_records.enter(venue.gateway, principal, batch), bodies

    monkeypatch.setattr(venue.gateway, "commands", Canned(EventRun.of(blocks)))
    compiled = asyncio.run(answers())
    raw = b"".join(map(encode_command, BASES))
    parsed = order_records.parse(raw, principal, 2)
    monkeypatch.setattr(native_entry, "CORE", None)
    assert asyncio.run(answers()) == compiled
    assert order_records.parse(raw, principal, 2) == parsed
    monkeypatch.setattr(order_batches, "MANY_EVENTS", 3)
    monkeypatch.setattr(order_batches, "FEW", 2)
    assert asyncio.run(answers()) == compiled, "in parts, too"


def test_a_signed_callers_batch_and_the_plain_form(venue: Venue) -> None:
    raw = b"".join(map(encode_command, BASES))
    signed = Principal(user_id=1, account_id=OWN, scopes=frozenset({"trade"}), via="signed")
    batch = order_records.parse(raw, signed, 2)
    assert batch == Batch(*check_plainly(raw, OWN, 2, needs_id=True)[:2], orders=len(BASES) - 2, cancels=2)
    assert [bool(reason) for reason in batch.reasons].count(False) == 2, "those with an id"


def test_events_that_do_not_fit_their_commands_are_refused() -> None:
    event = bytes(128)
    core = native_entry.CORE
    assert core is not None
    for ends in ([64], [256], [128, 0]):
        with pytest.raises(ValueError, match="do not fit"):
            core.OrderViews([""], [""]).orders(event, ends, {})
    with pytest.raises(ValueError, match="each good command"):
        core.answer_records([0, 0], 1, b"\1", event, [128], 1, [])
    with pytest.raises(ValueError, match="no whole number"):
        core.check_records(b"x", 1, 1, False)
