"""The WebSocket over real sockets: channels, resume, transports changed in the middle, and clients that do not read."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import resource
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol

from onseju.contract.words import Phase, Side
from onseju.identity.service import IdentityService
from onseju.market.feeds import BOOK_RING_FRAMES
from onseju.push import protocols
from onseju.push.socket_orders import SocketOrders
from onseju.push.streams import Stream
from onseju.push.websocket import Connection
from tests.unit.push.harness import (
    SYMBOL,
    WAIT_S,
    Envelope,
    Site,
    accepted,
    ask,
    assert_chain,
    balance,
    level,
    listed,
    open_journal,
    phase,
    take,
    trade,
    until,
)

Test = Callable[[Site], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a test against a site of its own, on uvloop as in production."""

    def run(test: Test, **options: Any) -> None:
        async def main() -> None:
            journal = open_journal(tmp_path / "journal")
            try:
                site = Site(journal, **options)
                site.publish([listed()], [listed(2, "000660")])
                async with site.open():
                    await test(site)
            finally:
                journal.close()

        uvloop.run(main())

    return run


def subscribe(*channels: dict[str, Any], own: str = "s") -> dict[str, Any]:
    return {"op": "subscribe", "id": own, "channels": list(channels)}


BOOK = {"name": "book", "symbols": [SYMBOL], "depth": 10}
TRADES = {"name": "trades", "symbols": [SYMBOL]}
ACCOUNT = {"name": "account"}
MARKET = {"name": "market"}


async def closed(ws: ClientConnection) -> int | None:
    """Read until the connection is closed; gives the code."""
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                await ws.recv()
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None


class Book:
    """A client's copy of a book: snapshot, then deltas along `prev`."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[int, list[int]]] = {"bids": {}, "asks": {}}
        self.last: str | None = None
        self.snapshots = 0

    def apply(self, envelope: Envelope) -> None:
        if envelope["type"] == "snapshot":
            self.sides = {"bids": {}, "asks": {}}
            self.snapshots += 1
        else:
            assert envelope["prev"] == self.last
        self.last = envelope["id"]
        for side, levels in self.sides.items():
            for price, qty, count in envelope["data"][side]:
                if qty == 0:
                    del levels[price]
                else:
                    levels[price] = [price, qty, count]

    def bids(self) -> list[list[int]]:
        return [self.sides["bids"][price] for price in sorted(self.sides["bids"], reverse=True)]

    def asks(self) -> list[list[int]]:
        return [self.sides["asks"][price] for price in sorted(self.sides["asks"])]


def random_levels(draw: random.Random) -> list[Any]:
    """The level events of one command."""
    wanted = draw.sample([(Side.BUY, 600 + n) for n in range(60)] + [(Side.SELL, 700 + n) for n in range(60)], 3)
    return [level(side, price, draw.choice([0, 0, 1, 5, 9])) for side, price in sorted(wanted)]


def test_the_answer_to_subscribe_tells_the_position(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws() as ws:
            answer = await ask(ws, subscribe(BOOK, ACCOUNT, own="mine"))
            assert (answer["id"], answer["status"], answer["seq"]) == ("mine", 200, 2)
            assert answer["body"]["position"] == site.event_id(2)
            assert answer["body"]["channels"] == [{"name": "book", "symbol": SYMBOL}, {"name": "account"}]
            assert (await ask_past_frames(ws, {"op": "ping", "id": 5}))["status"] == 200

    run(test)


async def ask_past_frames(ws: ClientConnection, message: dict[str, Any]) -> Envelope:
    """As `ask`, passing over frames of channels."""
    await ws.send(json.dumps(message))
    async with asyncio.timeout(WAIT_S):
        while "ch" in (answer := json.loads(await ws.recv())):
            pass
    return answer


@pytest.mark.parametrize("depth", [1, 5, 10, 50])
def test_snapshot_and_deltas_give_the_book(run: Run, depth: int) -> None:
    async def test(site: Site) -> None:
        draw = random.Random(depth)
        for _ in range(50):
            site.publish(random_levels(draw))
        async with site.ws(None) as ws:
            await ask(ws, subscribe({**BOOK, "depth": depth}))
            book = Book()
            (snapshot,) = await take(ws, 1)
            assert (snapshot["ch"], snapshot["type"], snapshot["prev"]) == ("book", "snapshot", None)
            book.apply(snapshot)
            for _ in range(300):
                site.publish(random_levels(draw), random_levels(draw))
                await asyncio.sleep(0)
            final = site.market.book(SYMBOL, depth)
            assert final is not None

            def same() -> bool:
                return book.bids() == [list(each) for each in final.bids] and book.asks() == [
                    list(each) for each in final.asks
                ]

            async with asyncio.timeout(WAIT_S):
                while not same():
                    book.apply(json.loads(await ws.recv()))
            assert len(book.bids()) <= depth
            assert book.snapshots == 1

    run(test)


def test_one_delta_for_each_command_with_absolute_quantities(run: Run) -> None:
    async def test(site: Site) -> None:
        site.publish([level(Side.BUY, 700, 5, 2)])
        async with site.ws(None) as ws:
            await ask(ws, subscribe(BOOK))
            (snapshot,) = await take(ws, 1)
            assert snapshot["id"] == site.event_id(3)
            assert snapshot["data"] == {"symbol": SYMBOL, "depth": 10, "bids": [[700, 5, 2]], "asks": []}
            site.publish([balance(7), level(Side.BUY, 700, 0), level(Side.SELL, 710, 4)], [level(Side.SELL, 710, 9, 3)])
            site.publish([level(Side.SELL, 710, 1, instrument=2)], [level(Side.SELL, 710, 9, 3)])
            first, second = await take(ws, 2)
            assert (first["id"], first["prev"], first["type"]) == (site.event_id(4, 2), site.event_id(3), "delta")
            assert first["data"] == {"symbol": SYMBOL, "depth": 10, "bids": [[700, 0, 0]], "asks": [[710, 4, 1]]}
            assert (second["id"], second["prev"]) == (site.event_id(5), first["id"])
            assert second["data"]["asks"] == [[710, 9, 3]]
            # what changed nothing for this client is not sent
            assert (await ask(ws, {"op": "ping", "id": 1}))["id"] == 1

    run(test)


def test_trades_come_without_their_parties(run: Run) -> None:
    async def test(site: Site) -> None:
        site.publish([trade(700, 3, 1)])
        async with site.ws(None) as ws:
            await ask(ws, subscribe(TRADES))
            (snapshot,) = await take(ws, 1)
            assert [found["trade_id"] for found in snapshot["data"]["trades"]] == [1]
            site.publish([trade(701, 4, 2), trade(702, 5, 3)], [trade(500, 1, 4, instrument=2)])
            found = await take(ws, 2)
            assert_chain(found, snapshot["id"])
            assert found[0]["data"] == {
                "symbol": SYMBOL,
                "trade_id": 2,
                "price": 701,
                "qty": 4,
                "taker_side": "buy",
                "ts": found[0]["ts"],
            }
            assert "98700" not in json.dumps([snapshot, *found])

    run(test)


def test_the_states_of_all_instruments_without_a_key(run: Run) -> None:
    """One subscription for all of them; one delta for each batch that changed something."""

    async def test(site: Site) -> None:
        async with site.ws(account=None) as ws:
            answer = await ask(ws, subscribe(MARKET))
            assert answer["body"]["channels"] == [{"name": "market"}]
            (snapshot,) = await take(ws, 1)
            assert [row["symbol"] for row in snapshot["data"]["symbols"]] == [SYMBOL, "000660"]
            site.publish([phase(1, Phase.CLOSED)], [phase(2, Phase.CLOSED)], [balance(7)])
            site.publish([phase(1, Phase.HALTED)])
            both, one = await take(ws, 2)
            assert [(row["symbol"], row["phase"]) for row in both["data"]["symbols"]] == [
                (SYMBOL, "closed"),
                ("000660", "closed"),
            ]
            assert [(row["symbol"], row["phase"]) for row in one["data"]["symbols"]] == [(SYMBOL, "halted")]
            assert_chain([snapshot, both, one], None)
            answer = await ask(ws, {"op": "unsubscribe", "id": 2, "channels": [MARKET]})
            assert answer["body"]["channels"] == []
            site.publish([phase(1, Phase.CLOSED)])
            assert (await ask(ws, {"op": "ping", "id": 3}))["status"] == 200

    run(test)


def test_account_events_are_the_same_on_both_transports_and_resume_across_them(run: Run) -> None:
    async def test(site: Site) -> None:
        sse = await site.sse(7)
        async with site.ws(7) as ws:
            await ask(ws, subscribe(ACCOUNT))
            for number in range(20):
                site.publish([balance(7, number), accepted(7, number + 1), balance(8)])
            on_ws, on_sse = await take(ws, 40), await sse.take(40)
        assert on_ws == on_sse
        assert_chain(on_ws, None)
        await sse.close()
        for number in range(20):
            site.publish([balance(7, 100 + number), balance(8)])
        # begun on SSE, continued on the WebSocket, then on SSE again
        async with site.ws(7) as ws:
            await ask(ws, subscribe({**ACCOUNT, "after": on_sse[-1]["id"]}))
            more = (await take(ws, 20))[:12]  # one that leaves messages unread waits for the end of its connection
        sse = await site.sse(7, last_event_id=more[-1]["id"])
        rest = await sse.take(8)
        assert_chain([*on_sse, *more, *rest], None)
        assert [found["data"]["cash"] for found in [*more, *rest]] == list(range(100, 120))
        await sse.close()

    run(test, capacity=15)


def test_bytes_are_equal_on_both_transports_and_from_the_log(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws(7) as ws:
            await ask(ws, subscribe(ACCOUNT))
            for number in range(30):
                site.publish([balance(7, number)])
            live = [await ws.recv() for _ in range(30)]
        async with site.ws(7) as ws:
            await ask(ws, subscribe({**ACCOUNT, "after": site.event_id(0)}))
            again = [await ws.recv() for _ in range(30)]
        sse = await site.sse(7, last_event_id=site.event_id(0))
        await sse.take(30)
        assert live == again
        assert [f"data:{text}".encode() for text in live] == [raw.split(b"\n")[2] for raw in sse.raw]
        await sse.close()

    run(test, capacity=4)


def test_another_journals_cursor_gives_a_reset(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws(7) as ws:
            await ask(ws, subscribe({**ACCOUNT, "after": "otherjournal-5-0"}))
            site.publish([balance(7, 3)])
            reset, event = await take(ws, 2)
            assert (reset["type"], reset["id"]) == ("reset", site.event_id(2))
            assert event["data"]["cash"] == 3

    run(test)


@pytest.mark.parametrize(
    ("account", "message", "status", "code"),
    [
        (None, subscribe(ACCOUNT), 401, "unauthenticated"),
        (7, subscribe({**ACCOUNT, "after": "x"}), 400, "malformed"),
        (7, subscribe({**ACCOUNT, "symbols": [SYMBOL]}), 400, "malformed"),
        (7, subscribe({"name": "nothing"}), 400, "malformed"),
        (None, subscribe({**MARKET, "symbols": [SYMBOL]}), 400, "malformed"),
        (7, subscribe({**BOOK, "depth": 7}), 400, "malformed"),
        (7, subscribe({**BOOK, "symbols": [SYMBOL, "999999"]}), 404, "unknown_symbol"),
        (7, {"op": "dance", "id": "s"}, 400, "malformed"),
        (7, {"op": "order.new", "id": "s", "data": {"symbol": SYMBOL}}, 400, "malformed"),
        (7, {"op": "order.cancel", "id": "s", "data": {"order_id": "x"}}, 400, "malformed"),
        (7, {"op": "order.cancel", "id": "s"}, 400, "malformed"),
        (7, {"op": "order.cancel_all", "id": "s", "data": {"symbol": 5}}, 400, "malformed"),
        (None, {"op": "order.new", "id": "s", "data": {}}, 401, "unauthenticated"),
    ],
)
def test_bad_requests_are_answered_and_change_nothing(
    run: Run, account: int | None, message: dict[str, Any], status: int, code: str
) -> None:
    async def test(site: Site) -> None:
        async with site.ws(account) as ws:
            answer = await ask(ws, message)
            assert (answer["id"], answer["status"], answer["problem"]["code"]) == ("s", status, code)
            assert answer["problem"]["detail"]
            site.publish([balance(7), level(Side.BUY, 700, 1), trade(700, 1)])
            assert (await ask(ws, {"op": "ping", "id": "still"}))["id"] == "still"

    run(test)


def test_a_position_ahead_is_refused(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws(7) as ws:
            answer = await ask(ws, subscribe({**ACCOUNT, "after": site.event_id(50)}))
            assert (answer["status"], answer["problem"]["code"]) == (400, "seq_ahead")

    run(test)


def test_what_is_no_message_is_answered_then_closed(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws(7) as ws:
            for wrong in ("{", "[]", "", "[" * 5000, '{"op":1}', '{"op":"ping","extra":1}', '{"id":'):
                await ws.send(wrong)
                answer = json.loads(await ws.recv())
                assert (answer["id"], answer["status"], answer["problem"]["code"]) == (None, 400, "malformed")
            for _ in range(3):
                await ws.send("{")
            assert await closed(ws) == 1008

    run(test)


def test_a_message_too_large_closes(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws(7) as ws:
            await ws.send(json.dumps({"op": "ping", "id": "x" * 70_000}))
            assert await closed(ws) == 1009
        await until(lambda: len(site.streams) == 0)

    run(test)


def test_unsubscribing_ends_a_channel(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws(7) as ws:
            await ask(ws, subscribe(BOOK, TRADES, ACCOUNT))
            await take(ws, 2)
            answer = await ask(ws, {"op": "unsubscribe", "id": 2, "channels": [BOOK, ACCOUNT]})
            assert answer["body"]["channels"] == [{"name": "trades", "symbol": SYMBOL}]
            site.publish([balance(7), level(Side.BUY, 700, 1), trade(700, 1)])
            (found,) = await take(ws, 1)
            assert found["ch"] == "trades"
            assert (await ask(ws, {"op": "ping", "id": 3}))["id"] == 3
            # begun anew, a book starts with a snapshot again
            await ask(ws, subscribe(BOOK))
            assert [found["type"] for found in await take(ws, 1)] == ["snapshot"]

    run(test)


def test_who_is_no_longer_let_in_enters_no_more_orders(tmp_path: Path) -> None:
    async def main() -> None:
        journal = open_journal(tmp_path / "journal")
        identity = IdentityService.open(tmp_path / "identity.db")
        site = Site(journal, heartbeat_s=3600, identity=identity)
        site.publish([listed()])
        user = await identity.sign_up("someone", "correct horse battery")
        key = await identity.create_key(user.user_id, "streams", ["read", "trade"])
        session = await identity.log_in("someone", "correct horse battery")
        order = {"op": "order.new", "id": 1, "data": {}}
        async with site.open():
            browser = {
                "Cookie": f"__Host-onseju={session.token}",
                "Origin": f"http://127.0.0.1:{site.port}",
            }
            bot = {"Authorization": f"Bearer {key}"}
            async with site.ws(headers=bot) as by_key, site.ws(headers=browser) as by_session:
                for ws in (by_key, by_session):
                    assert (await ask(ws, order))["problem"]["code"] == "malformed"
                await identity.delete_key(user.user_id, key.partition(".")[0])
                await by_key.send(json.dumps(order))
                assert await closed(by_key) == 4001
                await identity.log_out(session.token)
                await by_session.send(json.dumps(order))
                assert await closed(by_session) == 4009
        await identity.close()
        journal.close()

    asyncio.run(main())


def test_a_revoked_key_and_an_ended_session_close(tmp_path: Path) -> None:
    async def main() -> None:
        journal = open_journal(tmp_path / "journal")
        identity = IdentityService.open(tmp_path / "identity.db")
        site = Site(journal, heartbeat_s=0.2, identity=identity)
        site.publish([listed()])
        user = await identity.sign_up("someone", "correct horse battery")
        key = await identity.create_key(user.user_id, "streams", ["read"])
        session = await identity.log_in("someone", "correct horse battery")
        async with site.open():
            browser = {
                "Cookie": f"__Host-onseju={session.token}",
                "Origin": f"http://127.0.0.1:{site.port}",
            }
            bot = {"Authorization": f"Bearer {key}"}
            async with site.ws(headers=bot) as by_key, site.ws(headers=browser) as by_session, site.ws(None) as nobody:
                for ws in (by_key, by_session):
                    assert (await ask(ws, subscribe(ACCOUNT)))["status"] == 200
                refused = await ask(by_key, {"op": "order.new", "id": 1, "data": {}})
                assert (refused["status"], refused["problem"]["code"]) == (403, "forbidden")
                await identity.delete_key(user.user_id, key.partition(".")[0])
                assert await closed(by_key) == 4001
                site.publish([balance(user.account_id)])
                assert (await take(by_session, 1))[0]["data"]["account_id"] == user.account_id
                await identity.log_out(session.token)
                assert await closed(by_session) == 4009
                assert (await ask(nobody, {"op": "ping", "id": 1}))["id"] == 1
        await identity.close()
        journal.close()

    uvloop.run(main())


async def silent(site: Site) -> ClientConnection:
    """A client with small buffers that reads nothing more once it has subscribed."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", site.port))
    return await connect(
        f"ws://127.0.0.1:{site.port}/v1/ws",
        sock=sock,
        additional_headers={"Authorization": "Bearer k7.x"},
        compression=None,
        proxy=None,
        max_queue=1,
        ping_interval=None,
    )


def test_a_client_that_never_reads_is_cut_with_4008_and_delays_nobody(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It wakes up when the others have read everything. On a busy machine that is long after it was cut, and behind the
    # usual grace the close code is gone.
    monkeypatch.setattr(protocols, "GRACE_S", 3600.0)
    events, batch = 50_000, 500

    async def test(site: Site) -> None:
        ws = await silent(site)
        await ask(ws, subscribe(ACCOUNT))
        async with site.ws(7) as reading, site.ws(8) as other:
            await ask(reading, subscribe(ACCOUNT))
            await ask(other, subscribe(ACCOUNT))

            async def read(client: ClientConnection, count: int) -> int:
                for _ in range(count):
                    await client.recv()
                return count

            readers = [asyncio.create_task(read(reading, events)), asyncio.create_task(read(other, events // batch))]
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for start in range(0, events, batch):
                site.publish(*[[balance(7, start + number)] for number in range(batch)], [balance(8)])
                await asyncio.sleep(0)
            assert await asyncio.gather(*readers) == [events, events // batch]
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert grown < 30_000, f"{grown} KiB more"
            await until(lambda: len(site.streams) == 2)
            # it wakes up: what was buffered, then why it was cut
            assert await closed(ws) == 4008

    run(test, capacity=2000, stream_stall_s=3)


def test_a_client_that_sleeps_through_the_grace_finds_its_connection_gone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "GRACE_S", 0.01)

    async def test(site: Site) -> None:
        ws = await silent(site)
        await ask(ws, subscribe(ACCOUNT))
        assert site.server is not None
        for start in range(0, 10_000, 500):
            site.publish(*[[balance(7, start + number)] for number in range(500)])
            await asyncio.sleep(0)
        await until(lambda: not site.streams)
        await until(lambda: not site.server.server_state.connections)  # the socket, and what was kept for it
        assert await closed(ws) is None

    run(test, capacity=2000, stream_stall_s=1)


def test_a_slow_listener_of_a_book_gets_a_snapshot_instead_of_what_it_missed(run: Run) -> None:
    async def test(site: Site) -> None:
        ws = await silent(site)
        await ask(ws, subscribe({**BOOK, "depth": 50}, TRADES))
        draw = random.Random(4)
        for number in range(40 * BOOK_RING_FRAMES):
            site.publish([*random_levels(draw), trade(700, 1, number)])
            if number % 50 == 0:
                await asyncio.sleep(0)
        final = site.market.book(SYMBOL, 50)
        assert final is not None
        book, trades, last_trade = Book(), 0, 0
        async with asyncio.timeout(WAIT_S):
            while (
                last_trade != 40 * BOOK_RING_FRAMES - 1
                or book.last is None
                or len(book.bids()) != len(final.bids)
                or book.bids() != [list(each) for each in final.bids]
                or book.asks() != [list(each) for each in final.asks]
            ):
                envelope = json.loads(await ws.recv())
                if envelope["ch"] == "book":
                    book.apply(envelope)
                elif envelope["type"] == "trade":
                    trades, last_trade = trades + 1, envelope["data"]["trade_id"]
                else:
                    last_trade = envelope["data"]["trades"][0]["trade_id"] if envelope["data"]["trades"] else 0
        assert book.snapshots > 1
        assert trades < 40 * BOOK_RING_FRAMES
        await ws.close()

    run(test)


def test_a_feed_that_nobody_listens_to_costs_nothing(run: Run) -> None:
    async def test(site: Site) -> None:
        async with site.ws(None) as ws:
            await ask(ws, subscribe(BOOK, {**BOOK, "depth": 5}))
            assert list(site.market._symbols[1].books) == [5]
        await until(lambda: not site.market._symbols[1].books)
        assert not site.market._symbols[1].trade_feed.wakers

    run(test)


def test_a_socket_that_is_over_leaves_nothing_in_memory(run: Run) -> None:
    async def test(site: Site) -> None:
        gc.collect()
        gc.disable()  # as good as: the server seldom looks for cycles
        try:
            sockets = [await site.ws(7) for _ in range(5)]
            for ws in sockets[1:]:
                await ask(ws, subscribe(ACCOUNT, BOOK, TRADES))
            assert set(in_memory().values()) == {5}
            for ws in sockets[:3]:
                await ws.close()
            for ws in sockets[3:]:
                ws.transport.abort()
            await until(lambda: not in_memory())
        finally:
            gc.enable()

    run(test)


def in_memory() -> dict[str, int]:
    """What Python holds of WebSockets, open or not."""
    kinds = [type(found) for found in gc.get_objects()]
    ours = (Connection, SocketOrders, Stream, protocols.WebSocketProtocol, protocols.HttpProtocol, ServerProtocol)
    return {kind.__name__: kinds.count(kind) for kind in ours if kind in kinds}
