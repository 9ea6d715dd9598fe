"""Order entry in the contract's records, against a real server, over HTTP and on the WebSocket."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bench.wire import BINARY, client_frame
from onseju.contract.commands import (
    COMMAND_BYTES,
    CORRECT_LEAVES_QTY,
    CORRECT_LIMIT_PRICE,
    CORRECT_PART,
    CancelAll,
    CancelOrder,
    Command,
    CorrectOrder,
    DepositCash,
    NewOrder,
    NoteAdmin,
    encode_command,
)
from onseju.contract.events import EVENT_BYTES, Event, OrderAccepted, OrderFilled, OrderRejected, decode_events
from onseju.contract.ids import client_id_hash
from onseju.contract.reasons import Reason
from onseju.contract.words import OrderStatus, OrderType, Side, TimeInForce
from onseju.gateway.order_records import MAX_RECORDS, MEDIA_TYPE
from tests.journey.hostile import memory_mib
from tests.journey.test_bad_streams import upgraded
from tests.serverprocess import ServerProcess
from tests.unit.gateway.test_signing import signed

SYMBOL = "005930"
ANSWER = struct.Struct("<QIHHB7x")
OUTCOME = struct.Struct("<8sHHI")

_names = (f"records-{number}" for number in itertools.count())


class Answer(NamedTuple):
    """One command's answer."""

    seq: int
    status: int
    reason: int
    replayed: bool
    events: list[Event]


Enter = Callable[[bytes], list[Answer]]


def answers(data: bytes) -> list[Answer]:
    found, at = [], 0
    while at < len(data):
        seq, count, status, reason, flags = ANSWER.unpack_from(data, at)
        at += ANSWER.size
        end = at + count * EVENT_BYTES
        found.append(Answer(seq, status, reason, bool(flags), list(decode_events(data[at:end]))))
        at = end
    return found


def records(*commands: Command) -> bytes:
    return b"".join(map(encode_command, commands))


def order(**changes: Any) -> NewOrder:
    fields = {"instrument": 1, "qty": 3, "limit_price": 0, "side": Side.BUY, "order_type": OrderType.LIMIT} | changes
    return NewOrder(**fields)


class Trader:
    """An account, with both ways in."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.key = server.account(next(_names), cash=100_000_000, s005930=100)
        self.http = server.client(self.key)
        rows = self.http.get("/v1/symbols").json()["symbols"]
        self.symbols = [row["symbol"] for row in rows]
        self.price = next(row["base_price"] for row in rows if row["symbol"] == SYMBOL)
        self.instrument = self.symbols.index(SYMBOL) + 1
        self.headers = {"Authorization": f"Bearer {self.key}"}

    def post(self, content: bytes) -> httpx.Response:
        return self.http.post("/v1/orders:batch", content=content, headers={"Content-Type": MEDIA_TYPE})

    def socket(self) -> ClientConnection:
        url = self.server.url.replace("http", "ws", 1) + "/v1/ws"
        return connect(url, additional_headers=self.headers, compression=None, proxy=None, max_size=None)

    def order(self, **changes: Any) -> NewOrder:
        return order(**{"instrument": self.instrument, "limit_price": self.price - 1000} | changes)

    def over_http(self, content: bytes) -> list[Answer]:
        answer = self.post(content)
        assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE), answer.text[:300]
        return answers(answer.content)

    def over_websocket(self, content: bytes) -> list[Answer]:
        with self.socket() as socket:
            socket.send(b"request1" + content)
            data = socket.recv(timeout=20)
        assert isinstance(data, bytes)
        assert OUTCOME.unpack_from(data) == (b"request1", 200, 0, 0)
        return answers(data[OUTCOME.size :])


@pytest.fixture
def trader(server: ServerProcess) -> Iterator[Trader]:
    found = Trader(server)
    yield found
    assert found.http.delete("/v1/orders").status_code == 200
    found.http.close()


@pytest.fixture(params=["over_http", "over_websocket"])
def enter(request: pytest.FixtureRequest, trader: Trader) -> Enter:
    way: Enter = getattr(trader, request.param)
    return way


def test_an_orders_life(trader: Trader, enter: Enter) -> None:
    (new,) = enter(records(trader.order()))
    accepted = new.events[0]
    assert (new.status, new.reason, accepted.seq) == (201, 0, new.seq)
    assert isinstance(accepted, OrderAccepted)
    assert (accepted.qty, accepted.limit_price, accepted.status) == (3, trader.price - 1000, OrderStatus.NEW)
    number = accepted.order_id
    correct = CorrectOrder(
        flags=CORRECT_LIMIT_PRICE | CORRECT_LEAVES_QTY, order_id=number, limit_price=trader.price - 2000, leaves_qty=2
    )
    corrected, canceled, again = enter(records(correct, CancelOrder(order_id=number), CancelOrder(order_id=number)))
    assert [one.status for one in (corrected, canceled, again)] == [200, 200, 409]
    assert again.reason == Reason.ORDER_DONE
    told = trader.http.get(f"/v1/orders/{number}", headers={"Onseju-Min-Seq": str(again.seq)}).json()
    assert (told["status"], told["limit_price"], told["canceled_qty"]) == ("canceled", trader.price - 2000, 3)


def test_the_callers_own_events_and_nobody_elses(trader: Trader, enter: Enter, server: ServerProcess) -> None:
    other = Trader(server)
    (resting,) = other.over_http(records(other.order(side=Side.SELL, limit_price=trader.price, qty=2)))
    (taken,) = enter(records(trader.order(limit_price=trader.price, qty=2)))
    own = trader.http.get("/v1/account").json()["account_id"]
    assert {event.account for event in taken.events} == {own}
    (fill,) = [event for event in taken.events if isinstance(event, OrderFilled)]
    assert (fill.qty, fill.price, fill.status) == (2, trader.price, OrderStatus.FILLED)
    assert {event.account for event in resting.events} == {own} ^ {own, *{e.account for e in resting.events}}
    # What was somebody else's and is done is as unknown as what never was.
    number = resting.events[0].order_id  # type: ignore[attr-defined]
    done, unknown = enter(records(CancelOrder(order_id=number), CancelOrder(order_id=2**52)))
    assert (done.status, done.reason, done.events) == (404, Reason.ORDER_NOT_FOUND, [])
    assert (unknown.status, unknown.reason) == (404, Reason.ORDER_NOT_FOUND)
    other.http.close()


def test_a_signed_callers_commands_need_ids_of_their_own(trader: Trader) -> None:
    made = trader.http.post("/v1/api-keys", json={"name": "bot", "kind": "signed", "scopes": ["read", "trade"]})
    key: str = made.json()["api_key"]
    number = trader.over_http(records(trader.order()))[0].events[0].order_id  # type: ignore[attr-defined]
    correct = {"flags": CORRECT_LIMIT_PRICE, "order_id": number, "limit_price": trader.price - 2000}
    unnamed = [trader.order(), CorrectOrder(**correct), CancelOrder(order_id=number, qty=1), CancelAll()]
    ids = [client_id_hash(f"{key}-{place}") for place in range(3)]
    named = [
        trader.order(client_id=ids[0]),
        CorrectOrder(client_id=ids[1], **correct),
        CancelOrder(client_id=ids[2], order_id=number, qty=1),
    ]
    content = records(*unnamed, *named)
    path = "/v1/orders:batch"
    with trader.server.client() as client:
        headers = signed(key, "POST", path, content) | {"Content-Type": MEDIA_TYPE}
        got = client.post(path, content=content, headers=headers)
    assert got.status_code == 200, got.text
    over_http = answers(got.content)
    trader.headers = signed(key, "GET", "/v1/ws")
    over_websocket = trader.over_websocket(content)
    for told in (over_http, over_websocket):
        assert [(one.status, one.reason, one.seq) for one in told[:4]] == [(400, Reason.MALFORMED, 0)] * 4
    assert [(one.status, one.replayed) for one in over_http[4:]] == [(201, False), (200, False), (200, False)]
    assert [(one.status, one.replayed) for one in over_websocket[4:]] == [(200, True)] * 3


def test_what_is_wrong_with_one_does_not_stop_the_others(trader: Trader, enter: Enter) -> None:
    good = trader.order()
    raw = bytearray(encode_command(good))
    wrong = {
        Reason.INVALID_QTY: trader.order(qty=0),
        Reason.INVALID_PRICE: trader.order(limit_price=2**53),
        Reason.INVALID_SIDE: trader.order(side=3),
        Reason.INVALID_ORDER_TYPE: trader.order(order_type=99),
        Reason.INVALID_TIME_IN_FORCE: trader.order(time_in_force=0),
        Reason.INVALID_STOP_PRICE: trader.order(stop_price=5),
        Reason.UNKNOWN_SYMBOL: trader.order(instrument=9999),
    }
    malformed = [
        trader.order(account=1),
        trader.order(actor=1),
        trader.order(seq=1),
        trader.order(ts=1),
        trader.order(flags=1),
        trader.order(version=2),
        trader.order(body_hash=b"x" * 16),
        DepositCash(amount=10**9),
        NoteAdmin(about_seq=1, via=1),
        CancelOrder(order_id=1, instrument=1),
        CorrectOrder(order_id=1),
        CorrectOrder(order_id=1, flags=CORRECT_LIMIT_PRICE | 1 << 9, limit_price=1),
        CorrectOrder(order_id=1, flags=CORRECT_PART, part_qty=1),
        CorrectOrder(order_id=1, flags=CORRECT_LIMIT_PRICE, limit_price=1, stop_price=7),
    ]
    raw[COMMAND_BYTES - 1] = 1  # what must be zero
    sent = [encode_command(command) for command in (*wrong.values(), *malformed)] + [bytes(raw), bytes(COMMAND_BYTES)]
    got = enter(b"".join([encode_command(good), *sent, encode_command(good)]))
    assert [one.status for one in (got[0], got[-1])] == [201, 201]
    refused = got[1:-1]
    assert [one.reason for one in refused[: len(wrong)]] == list(wrong)
    assert {one.reason for one in refused[len(wrong) :]} == {Reason.MALFORMED}
    assert all((one.seq, one.events) == (0, []) for one in refused), "no command was made"


def test_a_refusal_by_the_exchange_has_its_reason_and_its_event(trader: Trader, enter: Enter) -> None:
    (poor,) = enter(records(trader.order(qty=10**6)))
    assert (poor.status, poor.reason) == (422, Reason.INSUFFICIENT_CASH)
    assert [type(event) for event in poor.events] == [OrderRejected]
    assert poor.seq > 0


def test_a_repeat_takes_effect_once_whichever_way_it_comes(trader: Trader, enter: Enter) -> None:
    body = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 3, "limit_price": trader.price - 1000}
    first = trader.http.post("/v1/orders", json=body | {"client_order_id": "both-ways"})
    assert first.status_code == 201
    own = client_id_hash("both-ways")
    (again,) = enter(records(trader.order(client_id=own)))
    assert (again.status, again.replayed) == (200, True)
    assert again.events[0].order_id == first.json()["order_id"]  # type: ignore[attr-defined]
    (other,) = enter(records(trader.order(client_id=own, qty=4)))
    assert (other.status, other.reason) == (409, Reason.CLIENT_ORDER_ID_REUSED)
    (new,) = enter(records(trader.order(client_id=client_id_hash("records"))))
    back = trader.http.post("/v1/orders", json=body | {"client_order_id": "records"})
    assert (back.status_code, back.headers["idempotency-replayed"]) == (200, "true")
    assert back.json()["order_id"] == new.events[0].order_id  # type: ignore[attr-defined]
    number = back.json()["order_id"]
    cancel = records(CancelOrder(order_id=number, client_id=client_id_hash("c")))
    assert [(one.status, one.replayed) for one in (*enter(cancel), *enter(cancel))] == [(200, False), (200, True)]


def test_cancel_all(trader: Trader, enter: Enter) -> None:
    enter(records(*[trader.order()] * 5))
    (canceled,) = enter(records(CancelAll(side=Side.BUY)))
    assert canceled.status == 200
    assert trader.http.get("/v1/queue").json()["positions"] == []


@pytest.mark.parametrize(
    "content", [b"", b"x", bytes(COMMAND_BYTES - 1), bytes(COMMAND_BYTES * (MAX_RECORDS + 1))], ids=len
)
def test_bytes_that_are_no_records(trader: Trader, content: bytes) -> None:
    answer = trader.post(content)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    if len(content) < 60_000:
        with trader.socket() as socket:
            socket.send(b"12345678" + content)
            assert OUTCOME.unpack(socket.recv(timeout=20)) == (b"12345678", 400, Reason.MALFORMED, 0)  # type: ignore[arg-type]


def test_ten_messages_that_are_none_close_the_socket(trader: Trader) -> None:
    with trader.socket() as socket:
        for _ in range(10):
            socket.send(b"short")
        for _ in range(10):
            data = socket.recv(timeout=20)
            assert OUTCOME.unpack(data) == (b"short\0\0\0", 400, Reason.MALFORMED, 0)  # type: ignore[arg-type]
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_many_in_flight_keep_their_order(trader: Trader) -> None:
    with trader.socket() as socket:
        for number in range(40):
            socket.send(
                number.to_bytes(8, "little")
                + records(*[trader.order(qty=number + 1, time_in_force=TimeInForce.IOC)] * 3)
            )
        data = [socket.recv(timeout=20) for _ in range(40)]
    got = [answers(one[OUTCOME.size :]) for one in data]  # type: ignore[arg-type]
    assert sorted(int.from_bytes(one[:8], "little") for one in data) == list(range(40))  # type: ignore[arg-type]
    by_seq = sorted((one.seq, one.events[0].qty) for batch in got for one in batch)  # type: ignore[attr-defined]
    assert [qty for _, qty in by_seq] == [number + 1 for number in range(40) for _ in range(3)]


def test_a_client_that_reads_no_answers_sends_no_more(trader: Trader) -> None:
    """Else the answers of hundreds of messages would wait in memory, five times as large as what was sent."""
    message = client_frame(BINARY, b"12345678" + records(*[trader.order(time_in_force=TimeInForce.IOC)] * 500))
    before = memory_mib(trader.server)
    with upgraded(trader.server, trader, receive_bytes=4096) as connection:
        connection.settimeout(2.0)
        sent = 0
        with suppress(TimeoutError):
            while sent < 200:
                connection.sendall(message)
                sent += 1
        assert sent < 200, "the server goes on reading"
        assert memory_mib(trader.server) - before < 40
    assert trader.http.get("/v1/clock").status_code == 200


def test_too_many_are_429_and_say_when_to_try_again(server: ServerProcess, tmp_path: Any) -> None:
    limits = {"ONSEJU_ORDER_RATE_PER_S": "10", "ONSEJU_CANCEL_RATE_PER_S": "1"}
    strict = ServerProcess(tmp_path, env=limits).start()
    trader = Trader(strict)
    try:
        full = records(*[trader.order()] * 49)
        assert [one.status for one in trader.over_http(full)] == [201] * 49
        refused = trader.post(full)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        with trader.socket() as socket:
            socket.send(b"12345678" + full)
            own, status, reason, retry_s = OUTCOME.unpack(socket.recv(timeout=20))  # type: ignore[arg-type]
            assert (own, status, reason) == (b"12345678", 429, Reason.RATE_LIMITED)
            assert retry_s >= 1
            socket.send(json.dumps({"op": "order.new", "id": 1, "data": {}}))
            problem = json.loads(socket.recv(timeout=20))["problem"]
            assert problem["code"] in ("rate_limited", "malformed")
        # Cancels have their own bucket: orders at their limit do not keep anybody from canceling.
        assert [one.status for one in trader.over_websocket(records(CancelAll()))] == [200]
    finally:
        trader.http.close()
        assert strict.stop() == 0


def test_who_may_not_trade(server: ServerProcess, trader: Trader) -> None:
    made = trader.http.post("/v1/api-keys", json={"name": "reader", "scopes": ["read"]})
    assert made.status_code == 201, made.text
    reader = server.client(made.json()["api_key"])
    answer = reader.post("/v1/orders:batch", content=records(trader.order()), headers={"Content-Type": MEDIA_TYPE})
    assert answer.status_code == 403
    reader.close()
    url = server.url.replace("http", "ws", 1) + "/v1/ws"
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {made.json()['api_key']}"}, 403)):
        with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
            socket.send(b"12345678" + records(trader.order()))
            assert OUTCOME.unpack(socket.recv(timeout=20))[1] == status  # type: ignore[arg-type]
    with server.admin() as host:
        answer = host.post("/v1/orders:batch", content=records(trader.order()), headers={"Content-Type": MEDIA_TYPE})
        assert answer.status_code == 403, "the host's key has no account"
