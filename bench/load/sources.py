"""Each way's bytes: requests made ahead, and what has to be read of an answer (its result, the order's number)."""

from __future__ import annotations

import os
import re
import struct
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from bench.load.flow import MAX_QTY, Draw, Kind, Symbol, draws
from bench.wire import BINARY, TEXT, client_frame
from onseju.contract.commands import (
    COMMAND_BYTES,
    CORRECT_LEAVES_QTY,
    CancelOrder,
    Command,
    CorrectOrder,
    NewOrder,
    encode_command,
)
from onseju.contract.events import EVENT_BYTES, EventKind
from onseju.contract.reasons import Reason
from onseju.contract.words import Liquidity, OrderType, Side

RECORDS = "application/vnd.onseju.records"
POOL = 4_096
"""Requests that are made ahead, to be sent again and again."""

BATCHES = 12
"""Batches that are made ahead."""

STANDING = 2_000
"""Deep orders that are left in the books before cancels begin."""

HEAD_BYTES, OUTCOME_BYTES = 24, 8
ORDER_ID_AT = 32
"""In an event."""
LIQUIDITY_AT = 121
"""In a fill."""

_ORDER_ID = re.compile(rb'"order_id":(\d+)')
_CODE = re.compile(rb'"code":"(\w+)"')
_EVENTS = struct.Struct("<I")


class Terms(NamedTuple):
    """What a source is made of."""

    port: int
    keys: Sequence[str]
    symbols: Sequence[Symbol]
    mix: str
    seed: int = 1
    side: int | None = None
    batch: int = 1
    dialect: str = "onseju"


class Results:
    """What became of the requests of all sources, and which orders took something (for their fills on the streams)."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        """Commands by result: the status, or the code of the refusal."""
        self.takers: dict[int, float] | None = None
        """When an order that traded at once was due, by its number; None while nobody listens."""


class Source(Protocol):
    """Requests of one connection, or of several."""

    each: int
    """Commands in a request."""

    def next(self, number: int) -> tuple[bytes, object]:
        """The bytes of the next request, and what its answer has to be read with. `number` is its own."""

    def answered(self, answer: bytes, tag: object, due: float) -> None:
        """Take the answer in: a whole HTTP response, or a WebSocket message's content."""


def _reason(results: Results, status: str, answer: bytes, times: int = 1) -> None:
    found = _CODE.search(answer)
    results.codes[found[1].decode() if found else status] += times


def _order_id(answer: bytes) -> bytes:
    start = answer.find(b'"order_id":') + 11
    return answer[start : answer.find(b",", start)]


def _order_json(draw: Draw) -> bytes:
    body: dict[str, object] = {
        "symbol": draw.symbol.name,
        "side": "buy" if draw.is_buy else "sell",
        "type": "market" if draw.kind == Kind.MARKET else "limit",
        "qty": draw.qty,
    }
    if draw.kind != Kind.MARKET:
        body["limit_price"] = draw.price
    return msgspec.json.encode(body)


def _engine_json(draw: Draw) -> bytes:
    """The same for the package `matching-engine`: decimals as strings, and a number for an account."""
    body: dict[str, object] = {
        "account": draw.account + 1,
        "side": "buy" if draw.is_buy else "sell",
        "type": "market" if draw.kind == Kind.MARKET else "limit",
        "quantity": str(draw.qty),
    }
    if draw.kind != Kind.MARKET:
        body["price"] = str(draw.price)
    return msgspec.json.encode(body)


class HttpOrders:
    """One order, cancel or correction a request. New orders carry a `client_order_id`, as a careful bot's do."""

    each = 1

    def __init__(self, terms: Terms, results: Results) -> None:
        self._results = results
        self._live: deque[tuple[bytes, int]] = deque()
        """Deep orders, as they stand in a path, and their accounts' places."""
        self._is_engine = terms.dialect == "matching-engine"
        self._auth = [f"Host: 127.0.0.1:{terms.port}\r\nAuthorization: Bearer {key}\r\n".encode() for key in terms.keys]
        self._draws = draws(terms.mix, len(terms.keys), terms.symbols, POOL, seed=terms.seed, side=terms.side)
        self._new = [self._engine_order(draw) if self._is_engine else self._order(draw) for draw in self._draws]
        self._run = os.urandom(4).hex().encode()

    def _order(self, draw: Draw) -> tuple[bytes, bytes]:
        """A new order's bytes, before and behind its client order id of 18 characters."""
        body = _order_json(draw)[:-1] + b',"client_order_id":"'
        head = b"POST /v1/orders HTTP/1.1\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
        return head % (self._auth[draw.account], len(body) + 20) + body, b'"}'

    def _engine_order(self, draw: Draw) -> tuple[bytes, bytes]:
        body = _engine_json(draw)
        head = b"POST /markets/%b/orders HTTP/1.1\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
        return head % (draw.symbol.name.encode(), self._auth[draw.account], len(body)) + body, b""

    def next(self, number: int) -> tuple[bytes, Draw]:
        """See `Source`."""
        place = number % POOL
        draw = self._draws[place]
        if draw.kind >= Kind.CANCEL:
            if len(self._live) > STANDING // 10:
                return self._change(draw), draw
            while self._draws[place].kind >= Kind.CANCEL:
                place = (place + 1) % POOL
        before, behind = self._new[place]
        if not behind:
            return before, self._draws[place]
        return b"%b%b%010d%b" % (before, self._run, number, behind), self._draws[place]

    def _change(self, draw: Draw) -> bytes:
        """Cancel or correct the oldest of the deep orders."""
        order_id, account = self._live.popleft()
        if draw.kind == Kind.CANCEL:
            path = b"/markets/%b?account=%d" % (order_id, account + 1) if self._is_engine else b"/v1/orders/" + order_id
            return b"DELETE %b HTTP/1.1\r\n%b\r\n" % (path, self._auth[account])
        self._live.append((order_id, account))
        body = b'{"leaves_qty":%d}' % (draw.qty + MAX_QTY)
        head = b"PATCH /v1/orders/%b HTTP/1.1\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
        return head % (order_id, self._auth[account], len(body), body)

    def answered(self, answer: bytes, tag: object, due: float) -> None:
        """See `Source`."""
        assert isinstance(tag, Draw)
        if answer[9:12] > b"299":
            _reason(self._results, answer[9:12].decode(), answer)
            return
        self._results.codes["taken"] += 1
        if tag.kind == Kind.DEEP:
            order_id = _order_id(answer)
            if self._is_engine:
                order_id = b"%b/orders/%b" % (tag.symbol.name.encode(), order_id)
            self._live.append((order_id, tag.account))
        elif self._results.takers is not None and tag.kind < Kind.CANCEL and b'"fills":[]' not in answer:
            self._results.takers[int(_order_id(answer))] = due


class JsonBatches:
    """New orders in batches over HTTP."""

    def __init__(self, terms: Terms, results: Results) -> None:
        self.each = terms.batch
        self._results = results
        self._requests = []
        drawn = draws(terms.mix, 1, terms.symbols, terms.batch * BATCHES, seed=terms.seed, side=terms.side)
        for place in range(BATCHES):
            orders = b",".join(_order_json(draw) for draw in drawn[place * self.each : (place + 1) * self.each])
            body = b'{"orders":[%b]}' % orders
            key = terms.keys[place % len(terms.keys)]
            head = (
                f"POST /v1/orders:batch HTTP/1.1\r\nHost: 127.0.0.1:{terms.port}\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            self._requests.append(head.encode() + body)

    def next(self, number: int) -> tuple[bytes, None]:
        """See `Source`."""
        return self._requests[number % BATCHES], None

    def answered(self, answer: bytes, tag: object, due: float) -> None:
        """See `Source`."""
        results = self._results
        if answer[9:12] != b"200":
            _reason(results, answer[9:12].decode(), answer, self.each)
            return
        refused = [code.decode() for code in _CODE.findall(answer)] if b'"problem"' in answer else []
        results.codes.update(refused)
        results.codes["taken"] += self.each - len(refused)
        if results.takers is not None:
            for part in answer.split(b'{"order":{')[1:]:
                if b'"fills":[]' not in part and (found := _ORDER_ID.search(part)):
                    results.takers[int(found[1])] = due


class SocketOrders:
    """One order, cancel or correction a message, for one WebSocket: one account."""

    each = 1

    def __init__(self, terms: Terms, results: Results) -> None:
        self._results = results
        self._live: deque[bytes] = deque()
        self._draws = draws(terms.mix, 1, terms.symbols, POOL, seed=terms.seed, side=terms.side)
        self._new = [b'"data":%b}' % _order_json(draw) for draw in self._draws]

    def next(self, number: int) -> tuple[bytes, Draw]:
        """See `Source`."""
        place = number % POOL
        draw = self._draws[place]
        if draw.kind >= Kind.CANCEL:
            if len(self._live) > STANDING // 10:
                order_id = self._live.popleft()
                if draw.kind == Kind.CANCEL:
                    message = b'{"op":"order.cancel","id":%d,"data":{"order_id":%b}}' % (number, order_id)
                else:
                    self._live.append(order_id)
                    message = b'{"op":"order.correct","id":%d,"data":{"order_id":%b,"leaves_qty":%d}}' % (
                        number,
                        order_id,
                        draw.qty + MAX_QTY,
                    )
                return client_frame(TEXT, message), draw
            while self._draws[place].kind >= Kind.CANCEL:
                place = (place + 1) % POOL
        return client_frame(TEXT, b'{"op":"order.new","id":%d,%b' % (number, self._new[place])), self._draws[place]

    def answered(self, answer: bytes, tag: object, due: float) -> None:
        """See `Source`."""
        assert isinstance(tag, Draw)
        results = self._results
        if b'"problem"' in answer:
            _reason(results, "refused", answer)
            return
        results.codes["taken"] += 1
        if tag.kind == Kind.DEEP:
            self._live.append(_order_id(answer))
        elif results.takers is not None and tag.kind < Kind.CANCEL and b'"fills":[]' not in answer:
            results.takers[int(_order_id(answer))] = due


class _Template(NamedTuple):
    rows: np.ndarray
    """Bytes of the commands, one a row."""
    deep: np.ndarray
    """The rows of orders whose numbers are kept."""
    changes: np.ndarray
    """The rows of cancels and corrections, whose order is filled in."""
    corrects: np.ndarray
    """Which of the changes are corrections: their orders live on."""


def _record(draw: Draw) -> bytes:
    command: Command
    if draw.kind == Kind.CANCEL:
        command = CancelOrder(order_id=0)
    elif draw.kind == Kind.CORRECT:
        command = CorrectOrder(order_id=0, flags=CORRECT_LEAVES_QTY, leaves_qty=draw.qty + MAX_QTY)
    else:
        command = NewOrder(
            instrument=draw.symbol.number,
            qty=draw.qty,
            limit_price=draw.price,
            side=Side.BUY if draw.is_buy else Side.SELL,
            order_type=OrderType.MARKET if draw.kind == Kind.MARKET else OrderType.LIMIT,
        )
    return encode_command(command)


class Records:
    """The contract's own records, many at once, for one account, over HTTP or as a WebSocket's binary messages."""

    def __init__(self, terms: Terms, results: Results, *, websocket: bool) -> None:
        self.each = terms.batch
        self._results = results
        self._live: deque[int] = deque()
        self._websocket = websocket
        drawn = draws(terms.mix, 1, terms.symbols, terms.batch * 8, seed=terms.seed, side=terms.side)
        whole = [drawn[place * self.each : (place + 1) * self.each] for place in range(8)]
        self._mixed = [self._template(batch) for batch in whole]
        only_new = [draw for draw in drawn if draw.kind < Kind.CANCEL]
        self._opening = self._template([only_new[place % len(only_new)] for place in range(self.each)])
        size = self.each * COMMAND_BYTES
        self._head = (
            f"POST /v1/orders:batch HTTP/1.1\r\nHost: 127.0.0.1:{terms.port}\r\nContent-Type: {RECORDS}\r\n"
            f"Authorization: Bearer {terms.keys[0]}\r\nContent-Length: {size}\r\n\r\n"
        ).encode()

    def _template(self, batch: Sequence[Draw]) -> _Template:
        rows = np.frombuffer(b"".join(map(_record, batch)), dtype=np.uint8).reshape(-1, COMMAND_BYTES).copy()
        kinds = np.array([draw.kind for draw in batch])
        changes = np.flatnonzero(kinds >= Kind.CANCEL)
        return _Template(rows, np.flatnonzero(kinds == Kind.DEEP), changes, kinds[changes] == Kind.CORRECT)

    def next(self, number: int) -> tuple[bytes, _Template]:
        """See `Source`."""
        template = self._mixed[number % len(self._mixed)]
        changes = len(template.changes)
        if changes and len(self._live) < changes + min(STANDING, 4 * self.each):
            template = self._opening
        elif changes:
            live = self._live
            ids = np.array([live.popleft() for _ in range(changes)], dtype="<i8")
            template.rows[template.changes, 64:72] = ids.view(np.uint8).reshape(-1, 8)
            live.extend(ids[template.corrects].tolist())
        data = template.rows.tobytes()
        if self._websocket:
            return client_frame(BINARY, b"%08d" % (number % 100_000_000) + data), template
        return self._head + data, template

    def answered(self, answer: bytes, tag: object, due: float) -> None:
        """See `Source`."""
        assert isinstance(tag, _Template)
        if self._websocket:
            start, status = 8 + OUTCOME_BYTES, int.from_bytes(answer[8:10], "little")
        else:
            start, status = answer.find(b"\r\n\r\n") + 4, int(answer[9:12])
        if status != 200:
            if self._websocket:
                self._results.codes[Reason(int.from_bytes(answer[10:12], "little")).code] += self.each
            else:
                _reason(self._results, str(status), answer, self.each)
            return
        size, at = len(answer), start
        heads: list[int] = []
        while at < size:
            heads.append(at)
            at += HEAD_BYTES + EVENT_BYTES * (answer[at + 8] | answer[at + 9] << 8)  # nobody has 65,536 events
        raw, places = np.frombuffer(answer, dtype=np.uint8), np.array(heads)
        reasons = raw[places + 14].astype(int) | raw[places + 15].astype(int) << 8
        for reason, count in zip(*(each.tolist() for each in np.unique(reasons, return_counts=True)), strict=True):
            self._results.codes[Reason(reason).code if reason else "taken"] += count
        if len(tag.deep):
            deep = places[tag.deep]
            ids = raw[deep[:, None] + HEAD_BYTES + ORDER_ID_AT + np.arange(8)].view("<i8").ravel()
            self._live.extend(ids[raw[deep + 12] == 201].tolist())
        if self._results.takers is not None:
            self._takers(answer, heads, due)

    def _takers(self, answer: bytes, heads: Sequence[int], due: float) -> None:
        assert self._results.takers is not None
        for head in heads:
            for number in range(events_of(answer, head)):
                at = head + HEAD_BYTES + number * EVENT_BYTES
                if answer[at + 28] == EventKind.ORDER_FILLED and answer[at + LIQUIDITY_AT] == Liquidity.TAKER:
                    order_id = int.from_bytes(answer[at + ORDER_ID_AT : at + ORDER_ID_AT + 8], "little")
                    self._results.takers[order_id] = due
                    break


def events_of(answer: bytes, head: int) -> int:
    """How many events follow the answer's head at this place."""
    count: int = _EVENTS.unpack_from(answer, head + 8)[0]
    return count
