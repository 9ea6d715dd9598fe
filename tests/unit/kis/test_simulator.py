"""The simulator over real sockets: what a client asks, and what it is told."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from typing import Any

import pytest
import websockets

from onseju.kis.bounds import Limits
from onseju.kis.codec import decode_frame
from onseju.kis.layouts import BOOK, TRADES
from onseju.kis.messages import PINGPONG
from onseju.kis.records import BookRecord, TradeRecord
from tests.unit.kis.fakes import (
    APPKEY,
    HYNIX,
    SAMSUNG,
    SECRETKEY,
    Client,
    FakeSource,
    serving,
    settings,
    until,
    with_manners,
)

ASKS = [(70_100, 30), (70_200, 20)]
BIDS = [(70_000, 10), (69_900, 40), (69_800, 5)]


async def test_a_subscription_is_acknowledged_and_fed() -> None:
    source = FakeSource()
    async with serving(source) as server, server.client(await server.approve()) as client:
        answer = await client.ask(TRADES, SAMSUNG)
        assert answer["header"] == {"tr_id": TRADES, "tr_key": SAMSUNG, "encrypt": "N"}
        body = answer["body"]
        assert (body["rt_cd"], body["msg_cd"], body["msg1"]) == ("0", "OPSP0000", "SUBSCRIBE SUCCESS")
        assert (len(body["output"]["iv"]), len(body["output"]["key"])) == (16, 32)
        source.set_book(SAMSUNG, ASKS, BIDS)
        source.trade(SAMSUNG, 70_100, 3)
        (record,) = await client.records()
        assert isinstance(record, TradeRecord)
        assert (record.symbol, record.time, record.price, record.qty) == (SAMSUNG, "090000", 70_100, 3)
        assert (record.change_sign, record.change, record.change_rate_x100) == (2, 100, 14)
        assert (record.volume, record.turnover, record.trading_day) == (3, 210_300, "20261123")
        assert (record.ask_price, record.bid_price, record.total_ask_qty) == (70_100, 70_000, 50)
        assert record.market_code == "2"


async def test_the_book_comes_at_once_and_then_with_every_change() -> None:
    source = FakeSource()
    source.set_book(SAMSUNG, ASKS, BIDS)
    async with serving(source) as server, server.client() as client:
        assert await client.code(BOOK, SAMSUNG) == "OPSP0000"
        (first,) = await client.records()
        assert isinstance(first, BookRecord)
        assert (first.asks, first.bids, first.mid_price) == (ASKS, BIDS, 70_050)
        assert (first.total_ask_qty, first.total_bid_qty, first.total_ask_change) == (50, 55, 0)
        source.set_book(SAMSUNG, ASKS[:1], BIDS)
        (second,) = await client.records()
        assert isinstance(second, BookRecord)
        assert (second.asks, second.total_ask_change, second.total_bid_change) == (ASKS[:1], -20, 0)


async def test_trades_in_quick_succession_share_a_frame() -> None:
    source = FakeSource()
    async with serving(source, settings(flush_s=0.05)) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        for number in range(25):
            source.trade(SAMSUNG, 70_000 + 100 * (number % 3), number + 1)
        frames = [await client.frame(), await client.frame()]
        assert [frame.split("|")[2] for frame in frames] == ["020", "005"]
        records = [record for frame in frames for record in decode_frame(frame)]
        assert [record.qty for record in records if isinstance(record, TradeRecord)] == list(range(1, 26))
        assert [record.volume for record in records] == [sum(range(1, number + 2)) for number in range(25)]
        assert all(len(frame) < 8192 for frame in frames)


@pytest.mark.parametrize(("layout", "trades", "book"), [("old", 46, 59), ("mid", 46, 62), ("new", 47, 63)])
async def test_records_are_as_wide_as_the_layout_says(layout: Any, trades: int, book: int) -> None:
    source = FakeSource()
    async with serving(source, settings(layout)) as server, server.client() as client:
        await client.send(TRADES, SAMSUNG)
        await client.send(BOOK, SAMSUNG)
        assert (await client.frame()).count("^") == book - 1
        source.trade(SAMSUNG, 70_100, 1)
        assert (await client.frame()).count("^") == trades - 1


@pytest.mark.parametrize(("trading_day", "width"), [(20260911, 46), (20260914, 47)])
async def test_the_automatic_layout_goes_by_the_day(trading_day: int, width: int) -> None:
    source = FakeSource(trading_day)
    async with serving(source) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        source.trade(SAMSUNG, 70_100, 1)
        assert (await client.frame()).count("^") == width - 1


@pytest.mark.parametrize("path", ["/", "/tryitout", "/tryitout/H0STASP0"])
async def test_any_path_carries_any_tr(path: str) -> None:
    source = FakeSource()
    async with serving(source) as server, server.client(path=path) as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        assert await client.code(TRADES, HYNIX) == "OPSP0000"
        source.trade(HYNIX, 70_100, 1)
        assert (await client.frame()).startswith(f"0|{TRADES}|001|{HYNIX}^")


async def test_nothing_comes_after_unsubscribing() -> None:
    source = FakeSource()
    async with serving(source) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        answer = await client.ask(TRADES, SAMSUNG, "2")
        assert (answer["body"]["rt_cd"], answer["body"]["msg_cd"]) == ("0", "OPSP0001")
        assert answer["body"]["msg1"] == "UNSUBSCRIBE SUCCESS"
        assert await client.code(TRADES, HYNIX) == "OPSP0000"
        source.trade(SAMSUNG, 70_100, 1)
        source.trade(HYNIX, 70_200, 1)
        assert (await client.frame()).startswith(f"0|{TRADES}|001|{HYNIX}^")


async def test_what_is_asked_wrongly_is_answered_with_its_code() -> None:
    source = FakeSource(symbols=(SAMSUNG, "삼성전자", "00^930"))
    async with serving(source) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG, "2") == "OPSP0003"
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        twice = await client.ask(TRADES, SAMSUNG)
        assert (twice["body"]["rt_cd"], twice["body"]["msg_cd"]) == ("1", "OPSP0002")
        assert twice["body"]["msg1"] == "ALREADY IN SUBSCRIBE"
        assert twice["header"] == {"tr_id": TRADES, "tr_key": SAMSUNG, "encrypt": "N"}
        assert "output" not in twice["body"]
        assert await client.code("H0STXXX0", SAMSUNG) == "OPSP8991"
        assert await client.code("H0STCNI0", "htsid") == "OPSP8991"
        assert await client.code("", SAMSUNG) == "OPSP8991"
        assert await client.code(TRADES, "999999") == "OPSP8992"
        assert await client.code(TRADES, "삼성전자") == "OPSP8992"
        assert await client.code(TRADES, "00^930") == "OPSP8992"
        assert await client.code(TRADES, "") == "OPSP9990"
        assert await client.code(TRADES, SAMSUNG, "0") == "OPSP8997"
        assert await client.code(TRADES, SAMSUNG, custtype="X") == "OPSP8998"
        assert await client.code(TRADES, SAMSUNG, custtype=None) == "OPSP9997"


async def test_what_is_not_a_request_is_answered_with_its_code() -> None:
    async with serving(FakeSource()) as server, server.client() as client:
        head = {"approval_key": client.approval_key, "custtype": "P", "tr_type": "1"}
        wrong: list[tuple[Any, str]] = [
            ("{", "OPSP9999"),
            ("[" * 3000, "OPSP9999"),
            ('"\\ud800"', "OPSP9999"),
            ("0|H0STCNT0|001|x", "OPSP9999"),
            ("[]", "OPSP9999"),
            (b"\xff\xfe", "OPSP9999"),
            ("{}", "OPSP9998"),
            ('{"header":[]}', "OPSP9998"),
            ('{"header":{}}', "OPSP0011"),
            ('{"header":{"approval_key":{}}}', "OPSP0011"),
            (json.dumps({"header": head}), "OPSP9992"),
            (json.dumps({"header": head, "body": []}), "OPSP9992"),
            (json.dumps({"header": head, "body": {}}), "OPSP9991"),
            (json.dumps({"header": head, "body": {"input": 1}}), "OPSP9991"),
            (json.dumps({"header": head, "body": {"input": {}}}), "OPSP8991"),
            (json.dumps({"header": head, "body": {"input": {"tr_id": [1], "tr_key": {}}}}), "OPSP8991"),
            (json.dumps({"header": head, "body": {"input": {"tr_id": TRADES}}}), "OPSP9990"),
        ]
        for message, code in wrong:
            await client.connection.send(message)
            body = (await client.control())["body"]
            assert (message, body["msg_cd"], body["rt_cd"]) == (message, code, "1")
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"


async def test_tr_type_may_be_a_number() -> None:
    async with serving(FakeSource()) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG, tr_type=1) == "OPSP0000"  # type: ignore[arg-type]
        assert await client.code(TRADES, SAMSUNG, tr_type=2) == "OPSP0001"  # type: ignore[arg-type]


async def test_the_forty_second_registration_is_refused() -> None:
    symbols = tuple(f"{number:06d}" for number in range(1, 30))
    source = FakeSource(symbols=symbols)
    async with serving(source) as server, server.client() as client:
        pairs = [(tr_id, symbol) for symbol in symbols for tr_id in (TRADES, BOOK)]
        codes = [await client.code(*pair) for pair in pairs[:42]]
        assert codes == ["OPSP0000"] * 41 + ["OPSP0008"]
        assert await client.code(*pairs[0]) == "OPSP0002"
        assert await client.code(*pairs[0], "2") == "OPSP0001"
        assert await client.code(*pairs[41]) == "OPSP0000"
        source.trade(pairs[40][1], 70_100, 1)
        assert (await client.frame()).startswith("0|")


async def test_an_unknown_approval_key_is_refused_and_the_connection_stays() -> None:
    async with serving(FakeSource()) as server, server.client("00000000-0000-4000-8000-000000000000") as client:
        answer = await client.ask(TRADES, SAMSUNG)
        assert answer["header"]["tr_id"] == "(null)"
        assert answer["body"] == {"rt_cd": "1", "msg_cd": "OPSP0011", "msg1": "invalid approval : NOT FOUND"}
        client.approval_key = await server.approve()
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"


async def test_a_superseded_key_registers_nothing_but_its_session_lives_on() -> None:
    source = FakeSource()
    async with serving(source) as server, server.client(await server.approve()) as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        newer = await server.approve()
        assert await client.code(TRADES, HYNIX) == "OPSP0011"
        source.trade(SAMSUNG, 70_100, 1)
        assert (await client.frame()).startswith("0|H0STCNT0|001|005930^")
        client.approval_key = newer
        assert await client.code(TRADES, HYNIX) == "OPSP0000"


async def test_a_request_sent_before_a_new_key_was_asked_for_is_good() -> None:
    """python-kis asks for a key before each registration, and so for the next one before the last is answered."""
    symbols = tuple(f"{number:06d}" for number in range(10))
    body = json.dumps(GOOD)
    head = f"POST /oauth2/Approval HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    async with serving(FakeSource(symbols=symbols)) as server, server.client(await server.approve()) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for symbol in symbols:
            client.send_now(TRADES, symbol)
            writer.write((head + body).encode())  # both lie before the server when it looks next
            match = re.search(rb"content-length: (\d+)", await reader.readuntil(b"\r\n\r\n"))
            assert match is not None
            client.approval_key = json.loads(await reader.readexactly(int(match[1])))["approval_key"]
        answers = [(await client.control())["body"]["msg_cd"] for _ in symbols]
        assert answers == ["OPSP0000"] * len(symbols)
        writer.close()
        await writer.wait_closed()


async def test_a_key_of_somebody_else_registers_nothing_on_this_session() -> None:
    async with serving(FakeSource()) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        client.approval_key = await server.approve()
        assert await client.code(TRADES, HYNIX) == "OPSP0011"


async def test_an_expired_key_registers_nothing() -> None:
    now = [1_795_392_000.0]
    async with serving(FakeSource(), clock=lambda: now[0]) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        now[0] += 24 * 3600
        assert await client.code(TRADES, HYNIX) == "OPSP0011"


async def closing_code(client: Client) -> int:
    """How the server ends the connection: the close frame's code, 1006 without one."""
    try:
        while True:
            await client.text()
    except websockets.ConnectionClosed:
        return client.connection.close_code or 0


async def test_a_second_session_of_a_key_is_told_so_and_dropped_without_a_close_frame() -> None:
    source = FakeSource()
    async with serving(source) as server:
        key = await server.approve()
        async with server.client(key) as first:
            assert await first.code(TRADES, SAMSUNG) == "OPSP0000"
            async with server.client(key) as second:
                assert await second.ask(TRADES, SAMSUNG) == {
                    "header": {"tr_id": "(null)", "tr_key": "", "encrypt": "N"},
                    "body": {"rt_cd": "9", "msg_cd": "OPSP8996", "msg1": "ALREADY IN USE appkey"},
                }
                assert await closing_code(second) == 1006
            source.trade(SAMSUNG, 70_100, 1)
            assert (await first.frame()).startswith("0|")
        await until(lambda: server.simulator.connections == 0)
        async with server.client(key) as third:
            assert await third.code(TRADES, SAMSUNG) == "OPSP0000"


async def test_a_broken_connection_holds_its_key_for_a_while() -> None:
    async with serving(FakeSource(), with_manners(zombie_s=0.3)) as server:
        key = await server.approve()
        async with server.client(key) as broken:
            assert await broken.code(TRADES, SAMSUNG) == "OPSP0000"
            broken.connection.transport.abort()
        await until(lambda: server.simulator.connections == 0)
        async with server.client(key) as early:
            assert await early.code(TRADES, SAMSUNG) == "OPSP8996"
        codes = []
        while "OPSP0000" not in codes:
            async with server.client(key) as late:
                codes.append(await late.code(TRADES, SAMSUNG))
        assert len(codes) < 500


async def test_an_orderly_close_frees_the_key_at_once() -> None:
    async with serving(FakeSource(), with_manners(zombie_s=60)) as server:
        key = await server.approve()
        for _ in range(3):
            async with server.client(key) as client:
                assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
            await until(lambda: server.simulator.connections == 0)


async def test_pingpong_is_sent_and_its_echo_is_not_answered() -> None:
    async with serving(FakeSource(), with_manners(ping_interval_s=0.05)) as server, server.client() as client:
        text = await client.text()
        assert re.fullmatch(r'\{"header":\{"tr_id":"PINGPONG","datetime":"\d{14}"\}\}', text)
        await client.connection.send(text)
        assert json.loads(await client.text())["header"]["tr_id"] == "PINGPONG"
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"


@pytest.mark.parametrize("manner", ["text", "pong frame"])
async def test_a_client_that_answers_pingpong_stays(manner: str) -> None:
    manners = with_manners(ping_interval_s=0.1, pong_timeout_s=1.0)
    async with serving(FakeSource(), manners) as server, server.client() as client:
        for _ in range(16):
            text = await client.text()
            await (client.connection.send(text) if manner == "text" else client.connection.pong(text))
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"


async def test_a_client_that_never_answers_pingpong_is_dropped() -> None:
    manners = with_manners(ping_interval_s=0.05, pong_timeout_s=0.2)
    async with serving(FakeSource(), manners) as server, server.client() as client:
        assert await closing_code(client) == 1006
        await until(lambda: server.simulator.connections == 0)


async def test_connections_can_be_made_to_break() -> None:
    async with serving(FakeSource(), with_manners(close_after_s=0.1)) as server, server.client() as client:
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        assert await closing_code(client) == 1006
        await until(lambda: server.simulator.registrations == 0)


async def test_a_second_subscribers_book_is_no_change_for_the_first() -> None:
    source = FakeSource()
    source.set_book(SAMSUNG, ASKS, BIDS)
    async with serving(source) as server, server.client() as first, server.client() as second:
        assert await first.code(BOOK, SAMSUNG) == "OPSP0000"
        await first.records()
        source.set_book(SAMSUNG, ASKS[:1], BIDS)
        assert await second.code(BOOK, SAMSUNG) == "OPSP0000"
        (change,) = await first.records()
        (present,) = await second.records()
        assert isinstance(change, BookRecord)
        assert isinstance(present, BookRecord)
        assert (change.asks, change.total_ask_change) == (present.asks, -20) == (ASKS[:1], -20)


async def test_where_pong_frames_cannot_be_seen_nobody_is_dropped_for_silence() -> None:
    manners = with_manners(ping_interval_s=0.02, pong_timeout_s=0.1)
    async with serving(FakeSource(), manners, protocol="websockets-sansio") as server, server.client() as client:
        for _ in range(15):
            assert PINGPONG in await client.text()
        assert await client.code(TRADES, SAMSUNG) == "OPSP0000"


async def test_a_client_that_never_reads_is_cut_and_delays_nobody() -> None:
    source = FakeSource()
    chosen = settings(flush_s=0.0, manners=with_manners(unread_bytes=64 * 1024).manners)
    async with serving(source, chosen, send_buffer=16 * 1024) as server, server.client() as reader:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
        sock.connect(("127.0.0.1", server.port))
        async with websockets.connect(f"{server.ws}/", sock=sock, ping_interval=None) as silent:
            await Client(silent, server.simulator.issue_for_page("127.0.0.1")).send(TRADES, SAMSUNG)
            silent.transport.pause_reading()
            assert await reader.code(TRADES, SAMSUNG) == "OPSP0000"
            assert server.simulator.connections == 2
            read, slowest, loop = 0, 0.0, asyncio.get_running_loop()
            while server.simulator.connections == 2:
                begun = loop.time()
                for _ in range(20):
                    source.trade(SAMSUNG, 70_100, 1)
                read += len(await reader.records())
                slowest = max(slowest, loop.time() - begun)
                assert read < 200_000
            assert slowest < 1.0
            assert read == source.day(SAMSUNG).volume
            silent.transport.resume_reading()
            assert await closing_code(Client(silent, "")) == 1006


async def test_a_message_too_big_ends_the_connection() -> None:
    async with serving(FakeSource()) as server, server.client() as client:
        await client.connection.send("x" * 5000)
        assert await closing_code(client) == 1009
        await until(lambda: server.simulator.connections == 0)


async def test_a_client_that_sends_too_fast_is_slowed_and_answered() -> None:
    limits = Limits(messages_per_s=100, messages_burst=5)
    async with serving(FakeSource(), settings(limits=limits)) as server, server.client() as client:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(25):
            await client.send(TRADES, SAMSUNG)
        codes = [(await client.control())["body"]["msg_cd"] for _ in range(25)]
        assert codes == ["OPSP0000"] + ["OPSP0002"] * 24
        assert loop.time() - begun >= 0.19


async def test_connections_and_registrations_of_an_address_are_bounded() -> None:
    limits = Limits(connections=2, registrations=3)
    async with serving(FakeSource(), settings(limits=limits)) as server:
        async with server.client() as one, server.client() as two:
            assert [await one.code(tr_id, SAMSUNG) for tr_id in (TRADES, BOOK)] == ["OPSP0000", "OPSP0000"]
            assert [await two.code(tr_id, SAMSUNG) for tr_id in (TRADES, BOOK)] == ["OPSP0000", "OPSP8999"]
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with server.client():
                    pass
            assert refused.value.response.status_code == 429
        await until(lambda: server.simulator.connections == 0)
        async with server.client() as later:
            assert await later.code(BOOK, SAMSUNG) == "OPSP0000"


async def test_cookies_and_origins_make_no_difference() -> None:
    async with serving(FakeSource()) as server:
        headers = {"Cookie": "__Host-session=abc", "Origin": "https://elsewhere.example"}
        async with websockets.connect(server.ws, additional_headers=headers) as connection:
            client = Client(connection, await server.approve())
            assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
            assert "set-cookie" not in {name.lower() for name in connection.response.headers}  # type: ignore[union-attr]


async def test_approval_answers_with_a_key() -> None:
    async with serving(FakeSource()) as server:
        body = {"grant_type": "client_credentials", "appkey": APPKEY, "secretkey": SECRETKEY}
        answer = await server.post(body)
        assert answer.status_code == 200
        assert re.fullmatch(r'\{"approval_key":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"\}', answer.text)
        assert answer.headers["cache-control"] == "no-store"
        assert (await server.post(body)).json() != answer.json()


GOOD = {"grant_type": "client_credentials", "appkey": APPKEY, "secretkey": SECRETKEY}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**GOOD, "grant_type": None}, 403, "EGW00115"),
        ({**GOOD, "grant_type": "password"}, 403, "EGW00116"),
        ({**GOOD, "grant_type": ["client_credentials"]}, 403, "EGW00116"),
        ({**GOOD, "appkey": ""}, 403, "EGW00102"),
        ({**GOOD, "appkey": "short"}, 403, "EGW00103"),
        ({**GOOD, "appkey": "가" * 36}, 403, "EGW00103"),
        ({**GOOD, "appkey": 36}, 403, "EGW00103"),
        ({key: value for key, value in GOOD.items() if key != "secretkey"}, 403, "EGW00104"),
        ({**GOOD, "secretkey": "short"}, 403, "EGW00105"),
        ({"grant_type": "client_credentials", "appkey": APPKEY, "appsecret": SECRETKEY}, 403, "EGW00104"),
        (b"", 403, "EGW00101"),
        (b"[]", 403, "EGW00101"),
        (b"{", 403, "EGW00101"),
        (b"\xff", 403, "EGW00101"),
        (b"[" * 4000, 403, "EGW00101"),
        (b" " * 5000, 413, "EGW00101"),
    ],
)
async def test_approval_refuses_with_its_code(body: Any, status: int, code: str) -> None:
    async with serving(FakeSource()) as server:
        answer = await server.post(body)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)
        assert answer.json()["error_description"]
        assert set(answer.json()) == {"error_code", "error_description"}


async def test_approval_wants_json() -> None:
    async with serving(FakeSource()) as server:
        answer = await server.post(GOOD, **{"content-type": "text/plain"})
        assert (answer.status_code, answer.json()["error_code"]) == (403, "EGW00132")
        assert (await server.post(GOOD, **{"content-type": "application/json; charset=UTF-8"})).status_code == 200


async def test_a_body_that_drips_is_given_up() -> None:
    async with serving(FakeSource(), settings(limits=Limits(body_s=0.1))) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /oauth2/Approval HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()


async def test_approval_asked_too_often_is_told_to_wait() -> None:
    async with serving(FakeSource(), settings(approvals_burst=2, approvals_per_s=0.01)) as server:
        answers = [await server.post(GOOD) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 500]
        assert answers[2].json() == {"rt_cd": "1", "msg_cd": "EGW00201", "msg1": "초당 거래건수를 초과하였습니다."}
        assert (await server.post({**GOOD, "appkey": "Q" * 36})).status_code == 200


async def test_an_address_that_asks_for_too_many_keys_is_told_to_wait() -> None:
    async with serving(FakeSource(), settings(limits=Limits(approvals_burst=2, approvals_per_s=0.01))) as server:
        answers = [await server.post({**GOOD, "appkey": str(number) * 36}) for number in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "1"


async def test_only_issued_pairs_are_accepted_where_the_host_says_so() -> None:
    async def check(appkey: str, secretkey: str) -> bool:
        return (appkey, secretkey) == ("MYKEY", "my-secret")

    async with serving(FakeSource(), settings(any_pair=False), check_pair=check) as server:
        assert (await server.post(GOOD)).json()["error_code"] == "EGW00105"
        issued = {**GOOD, "appkey": "MYKEY", "secretkey": "my-secret"}
        assert (await server.post(issued)).status_code == 200
        assert (await server.post({**issued, "secretkey": "guess"})).status_code == 403
    async with serving(FakeSource(), check_pair=check) as server:
        assert (await server.post(GOOD)).status_code == 200
        assert (await server.post(issued)).status_code == 200


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(FakeSource()) as server:
        key = await server.approve("A1" * 18, "B2" * 90)
        await server.post({"grant_type": "x", "appkey": "A1" * 18, "secretkey": "B2" * 90})
        async with server.client(key) as client:
            assert await client.code(TRADES, SAMSUNG) == "OPSP0000"
        ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("websockets", "http"))]
        assert "A1A1" not in repr(ours)
        assert "B2B2" not in repr(ours)
        assert key not in repr(ours)
