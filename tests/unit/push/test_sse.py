"""Server-Sent Events over real sockets: resume, heartbeat, reset, and clients that do not read."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from onseju.push.sse import SseResponse
from onseju.push.streams import Stream
from tests.unit.push.harness import (
    Site,
    SseReader,
    accepted,
    assert_chain,
    balance,
    listed,
    open_journal,
    trade,
    until,
)

Test = Callable[[Site], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Run a test against a site of its own, on uvloop as in production."""

    def run(test: Test, **options: Any) -> None:
        async def main() -> None:
            journal = open_journal(tmp_path / "journal")
            try:
                site = Site(journal, **options)
                site.publish([listed()])
                async with site.open():
                    await test(site)
            finally:
                journal.close()

        uvloop.run(main())

    return run


Run = Callable[..., None]


def test_head_and_first_events(run: Run) -> None:
    async def test(site: Site) -> None:
        site.publish([balance(7)])
        client = await site.sse()
        assert client.status == 200
        assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert client.headers["cache-control"] == "no-cache, no-transform"
        assert client.headers["x-accel-buffering"] == "no"
        assert client.headers["onseju-seq"] == "2"
        await client.comment("connected")
        site.publish([balance(7), balance(8), accepted(7, 5)], [trade(700, 1)])
        found = await client.take(2)
        assert client.last_id == site.event_id(3, 2)
        assert [event["type"] for event in found] == ["account", "order"]
        assert_chain(found, site.event_id(2))
        assert all(event["data"]["account_id"] == 7 for event in found)
        await client.close()

    run(test)


def test_resume_in_the_middle_misses_and_repeats_nothing(run: Run) -> None:
    async def test(site: Site) -> None:
        whole = await site.sse()
        for number in range(1, 41):
            site.publish([balance(7, number), balance(8)], [balance(7)])
        expected = await whole.take(80)
        assert_chain(expected, None)
        for middle in (0, 17, 78):
            resumed = await site.sse(last_event_id=expected[middle]["id"])
            assert await resumed.take(79 - middle) == expected[middle + 1 :]
            by_query = await site.sse(query=f"?after={expected[middle]['id']}")
            assert await by_query.take(79 - middle) == expected[middle + 1 :]
            assert by_query.raw == resumed.raw == whole.raw[middle + 1 :]
            site.publish([balance(9)])
            await resumed.close()
            await by_query.close()
        # a browser sends the header by itself, while the address still has the old cursor
        both = await site.sse(last_event_id=expected[70]["id"], query=f"?after={expected[3]['id']}")
        assert await both.take(9) == expected[71:]
        await both.close()
        await whole.close()

    run(test)


def test_resume_beyond_the_ring_goes_on_live(run: Run) -> None:
    async def test(site: Site) -> None:
        for number in range(200):
            site.publish([balance(7, number), balance(8)])
        client = await site.sse(query=f"?after={site.event_id(0)}")
        first = await client.take(150)
        for number in range(100):
            site.publish([balance(7, 1000 + number)])
        found = first + await client.take(150)
        assert_chain(found, None)
        assert [event["data"]["cash"] for event in found] == [*range(200), *range(1000, 1100)]
        await client.close()

    run(test, capacity=10)


def test_a_client_cut_off_before_its_first_event_resumes_from_the_hello(run: Run) -> None:
    async def test(site: Site) -> None:
        client = await site.sse()
        await client.comment("connected")
        site.publish([balance(7, 1)])
        await client.take(1)
        early = await site.sse(last_event_id=site.event_id(1))
        assert [event["data"]["cash"] for event in await early.take(1)] == [1]
        await early.close()
        await client.close()

    run(test)


def test_another_journals_cursor_gives_one_reset(run: Run) -> None:
    async def test(site: Site) -> None:
        site.publish([balance(7, 1)])
        client = await site.sse(last_event_id="otherjournal-1-0")
        (reset,) = await client.take(1)
        assert (reset["type"], reset["id"], reset["prev"]) == ("reset", site.event_id(2), None)
        assert reset["data"] == {"account_id": 7, "reason": "reset", "seq": 2}
        site.publish([balance(7, 2)])
        assert (await client.take(1))[0]["data"]["cash"] == 2
        resumed = await site.sse(last_event_id=reset["id"])
        assert (await resumed.take(1))[0]["data"]["cash"] == 2
        await resumed.close()
        await client.close()

    run(test)


def test_a_restart_changes_nothing(run: Run, tmp_path: Path) -> None:
    """The same bytes before and after, whether the new ring still holds them or the log must."""

    async def test(site: Site) -> None:
        before = await site.sse()
        for number in range(50):
            site.publish([balance(7, number), balance(8)])
        expected = await before.take(50)
        for capacity in (3, 1000):
            again = Site(site.journal, capacity=capacity)
            again.replay()
            async with again.open():
                resumed = await again.sse(last_event_id=expected[9]["id"])
                await resumed.take(40)
                assert resumed.raw == before.raw[10:]
                await resumed.close()
        await before.close()

    run(test)


def test_a_shutdown_ends_the_streams_at_once(run: Run) -> None:
    async def test(site: Site) -> None:
        client = await site.sse()
        await client.comment("connected")
        assert site.server is not None
        site.server.should_exit = True
        async with asyncio.timeout(1):
            assert await client.next() is None
        await client.close()

    run(test)


@pytest.mark.parametrize(
    ("cursor", "code"),
    [("nonsense", "malformed"), ("{j}-1", "malformed"), ("{j}-99-0", "seq_ahead"), ("{j}-1-1", "seq_ahead")],
)
def test_bad_cursors_are_refused(run: Run, cursor: str, code: str) -> None:
    async def test(site: Site) -> None:
        client = await site.sse(last_event_id=cursor.format(j=site.journal.journal_id))
        problem = json.loads(client.body)
        assert (client.status, problem["code"]) == (400, code)
        await client.close()
        assert len(site.streams) == 0

    run(test)


def test_two_connections_of_one_account_and_none_of_anothers(run: Run) -> None:
    async def test(site: Site) -> None:
        first, second, other = await site.sse(7), await site.sse(7), await site.sse(8)
        for number in range(30):
            site.publish([balance(7, number)], [balance(8, 1000 + number)])
        mine = await first.take(30)
        assert await second.take(30) == mine
        theirs = await other.take(30)
        assert {event["data"]["account_id"] for event in mine} == {7}
        assert {event["data"]["account_id"] for event in theirs} == {8}
        assert first.raw == second.raw
        for client in (first, second, other):
            await client.close()
        await until(lambda: len(site.streams) == 0)

    run(test)


def test_heartbeats_and_the_end_of_a_revoked_key(run: Run) -> None:
    async def test(site: Site) -> None:
        client, other = await site.sse(7), await site.sse(8)
        await client.comment("heartbeat")
        site.keys.revoked.add("k7.x")
        assert await client.next() is None
        site.publish([balance(8)])
        assert (await other.take(1))[0]["data"]["account_id"] == 8
        await other.close()
        await client.close()

    run(test, heartbeat_s=0.1)


def test_too_many_streams_are_refused(run: Run) -> None:
    async def test(site: Site) -> None:
        first, second, third = await site.sse(7), await site.sse(7), await site.sse(7)
        assert (first.status, second.status, third.status) == (200, 200, 429)
        assert json.loads(third.body)["code"] == "stream_too_many"
        assert third.headers["retry-after"] == "1"
        other, beyond = await site.sse(8), await site.sse(9)
        assert (other.status, beyond.status) == (200, 429)
        await first.close()
        await until(lambda: len(site.streams) == 2)
        again = await site.sse(7)
        assert again.status == 200
        for client in (second, third, other, beyond, again):
            await client.close()

    run(test, max_streams=3, max_streams_per_account=2)


def test_a_client_that_never_reads_is_cut_and_delays_nobody(run: Run) -> None:
    """50,000 events while one client reads nothing: the others get all of them, memory stays, the silent one is cut."""
    events, batch = 50_000, 500

    async def test(site: Site) -> None:
        silent = await site.sse(7, buffer=4096)
        reading, other = await site.sse(7), await site.sse(8)
        silent._writer.transport.pause_reading()  # type: ignore[attr-defined]

        async def read(client: SseReader, count: int) -> int:
            last: str | None = None
            for _ in range(count):
                envelope = await client.next()
                assert envelope is not None
                assert last is None or envelope["prev"] == last
                last = envelope["id"]
                client.raw.clear()
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
        silent._writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = 0
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ValueError, AssertionError)):  # noqa: PT012
            while await silent.next() is not None:
                received += 1
            raise AssertionError("the stream ended")
        assert received < events / 10
        for client in (silent, reading, other):
            await client.close()

    run(test, capacity=2000, stream_stall_s=2)


def test_a_stalled_client_is_cut_even_while_the_ring_still_holds_its_place(run: Run) -> None:
    async def test(site: Site) -> None:
        silent = await site.sse(7, buffer=4096)
        silent._writer.transport.pause_reading()  # type: ignore[attr-defined]
        assert len(site.streams) == 1
        for _ in range(20):
            site.publish(*[[balance(7)] for _ in range(500)])
            await asyncio.sleep(0)
        await until(lambda: len(site.streams) == 0)
        await silent.close()

    run(test, capacity=100_000, stream_stall_s=0.3)


def test_a_stream_that_is_over_leaves_nothing_in_memory(run: Run) -> None:
    async def test(site: Site) -> None:
        gc.collect()
        gc.disable()  # as good as: the server seldom looks for cycles
        try:
            readers = [await site.sse(7) for _ in range(5)]
            assert streams_in_memory() == 5
            for reader in readers:
                await reader.close()
            await until(lambda: streams_in_memory() == 0)
        finally:
            gc.enable()

    run(test)


def streams_in_memory() -> int:
    """The streams that Python holds, open or not, and no fewer than their responses."""
    kinds = [type(found) for found in gc.get_objects()]
    return max(kinds.count(Stream), kinds.count(SseResponse))


def test_a_page_of_events(run: Run) -> None:
    async def test(site: Site) -> None:
        stream = await site.sse(7)
        for number in range(30):
            site.publish([balance(7, number), balance(8)])
        expected = await stream.take(30)
        await stream.close()
        headers = {"Authorization": "Bearer k7.x"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}", headers=headers) as http:
            found: list[Any] = []
            query: dict[str, Any] = {"limit": 7}
            while page := (await http.get("/v1/events", params=query)).json():
                if not page["events"]:
                    break
                found += page["events"]
                assert found == expected[: len(found)], "each page goes on from the one before"  # else it has no end
                query["after"] = page["next_after"]
            assert found == expected
            assert page["seq"] == 31
            assert page["next_after"] == expected[-1]["id"]
            other = (await http.get("/v1/events", params={"after": "otherjournal-3-0"})).json()
            assert [event["type"] for event in other["events"]] == ["reset"]
            assert other["next_after"] == site.event_id(31, 1)
            for wrong, code in (
                ({"limit": "0"}, "malformed"),
                ({"limit": "1001"}, "malformed"),
                ({"limit": "x"}, "malformed"),
                ({"after": "x"}, "malformed"),
                ({"after": site.event_id(32)}, "seq_ahead"),
            ):
                answer = await http.get("/v1/events", params=wrong)
                assert (answer.status_code, answer.json()["code"]) == (400, code)
            assert (await http.get("/v1/events", headers={"Authorization": ""})).status_code == 401

    run(test, capacity=5)
