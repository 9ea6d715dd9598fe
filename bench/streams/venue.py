"""The server under load, its accounts, and orders on a fixed timetable."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import uvloop

from bench.httpload import Connection, Server, open_loop
from bench.streamload import processor_s, resident_kib

ACCOUNTS = 10
SENDERS = 16
"""Connections for orders: more than ever wait for an answer at the rates that are measured."""


class Venue:
    """A server of its own on a data folder, with `accounts` accounts."""

    def __init__(self, directory: Path, streams: int, accounts: int = ACCOUNTS, **env: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.stamps = directory / "stamps"
        each = str(max(20, streams))
        limits = {"ONSEJU_MAX_STREAMS_PER_ACCOUNT": each, "ONSEJU_MAX_STREAMS": str(max(12_000, streams)), **env}
        program = ("bench.streams.stamped", str(self.stamps))
        self.server = Server(directory, None, program, **limits)
        self.port = self.server.port
        self.symbol, self.price = next(iter(self.server.symbols().items()))
        self.keys = [self.server.account(f"stream-{place}", 10**15, {}) for place in range(accounts)]
        self._runs = itertools.count()
        self.run(20, 1, self.keys[:1])
        events = self.events(self.keys[0])
        self.events_each = len({place for seq, place in events if seq == events[-1][0]})
        """What an order gives each stream of its account."""

    def events(self, key: str) -> list[tuple[int, int]]:
        """Where an account's last events are: seq and idx."""
        found: list[tuple[int, int]] = []
        with httpx.Client(
            base_url=self.server.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False
        ) as client:
            after: dict[str, str] = {}
            while page := client.get("/v1/events", params={"limit": 1000, **after}).raise_for_status().json()["events"]:
                found += [tuple(map(int, event["id"].split("-")[1:])) for event in page]  # type: ignore[misc]
                after = {"after": page[-1]["id"]}
        return found

    def run(self, per_s: float, count: int, keys: list[str] | None = None, port: int | None = None) -> float:
        """So many orders, of the accounts in turn, on a fixed timetable. Gives the server's processor time, seconds.

        They find nobody and leave nothing behind. Raises `RuntimeError` where one is refused.
        """
        spent = processor_s(self.server.pid)
        uvloop.run(self._run(per_s, count, keys or self.keys, port or self.port))
        return processor_s(self.server.pid) - spent

    async def _run(self, per_s: float, count: int, keys: list[str], port: int) -> None:
        connections = [await Connection.open(port) for _ in range(min(SENDERS, count))]
        outcome = await open_loop(connections, self._orders(keys, port), per_s, count / per_s + 1e-6)
        for connection in connections:
            connection.close()
        if set(outcome.statuses) != {201}:
            raise RuntimeError(f"orders were refused: {dict(outcome.statuses)}")

    def _orders(self, keys: list[str], port: int) -> Iterator[tuple[str, bytes]]:
        run = next(self._runs)
        for number, key in enumerate(itertools.cycle(keys)):
            name = f"s{run}-{number}"
            body = (
                f'{{"symbol":"{self.symbol}","side":"buy","type":"limit","qty":1,"limit_price":{self.price},'
                f'"time_in_force":"ioc","client_order_id":"{name}"}}'
            )
            head = (
                f"POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            yield name, (head + body).encode()

    def resident_kib(self) -> int:
        """The server's resident memory, KiB."""
        return resident_kib(self.server.pid)

    def processor_s(self) -> float:
        """The server's processor time so far, seconds."""
        return processor_s(self.server.pid)

    def sockets(self) -> int:
        """The sockets that the server has open."""
        count = 0
        for link in Path(f"/proc/{self.server.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                count += os.readlink(link).startswith("socket:")
        return count

    def close(self) -> None:
        """Stop the server."""
        self.server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
