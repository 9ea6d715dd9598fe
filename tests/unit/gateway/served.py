"""A real uvicorn on a free port of this machine, and a venue of real stages without the journal's files."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import httpx
import uvicorn
from argon2 import PasswordHasher
from pydantic import SecretStr
from starlette.types import ASGIApp

from onseju.bus.port import BusyError
from onseju.contract.commands import COMMAND_BYTES, CommandKind, Request, decode_command, encode_command, sequence
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, annotation_text
from onseju.exchange.exchange import now_us
from onseju.exchange.timetable import Timetable
from onseju.gateway.context import Gateway
from onseju.gateway.operations import Operations
from onseju.gateway.shell import build_app
from onseju.identity.service import IdentityService
from onseju.market.market import Market
from onseju.rules import instruments, packs
from onseju.settings import Settings
from tests.engines import make_engine

ADMIN_KEY = "ADMIN0123456789AB.thisisthebootstrapsecret0123456789"
PASSWORD = "correct horse 말"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
START_S = 10.0


class Bus:
    """The exchange as the gateway sees it: the real engine behind `request`, its blocks kept as the journal's."""

    journal_id = "test"

    def __init__(self) -> None:
        self.engine = make_engine()
        self.market = Market(self.journal_id)
        self.blocks: list[EventBlock] = []
        self.busy_after: int | None = None
        """So many more commands are applied and then lost their answer; None = all is well."""

    @property
    def last_seq(self) -> int:
        return len(self.blocks)

    @property
    def last_event_seq(self) -> int:
        return len(self.blocks)

    @property
    def last_deed(self) -> int:
        """The last command that changed something: a host's deed is followed by its note for the audit trail."""
        return next(block.seq for block in reversed(self.blocks) if block.command_kind != CommandKind.NOTE_ADMIN)

    async def request(self, requests: Sequence[Request]) -> list[EventBlock]:
        answers = []
        for request in requests:
            if self.busy_after is not None:
                if self.busy_after == 0:
                    raise BusyError
                self.busy_after -= 1
            answers.append(self.apply(request))
        return answers

    async def request_records(self, records: bytes, texts: Mapping[int, str] = MappingProxyType({}), /) -> EventRun:
        commands = [decode_command(records, at) for at in range(0, len(records), COMMAND_BYTES)]
        return EventRun.of(
            await self.request([Request(command, texts.get(place, "")) for place, command in enumerate(commands)])
        )

    def apply(self, request: Request) -> EventBlock:
        seq = len(self.blocks) + 1
        ts = 1_795_000_000_000_000 + seq
        payload = self.engine.apply(sequence(encode_command(request.command), seq, ts))
        text = annotation_text({len(self.market.directory.all()) + 1: request.text}) if request.text else ""
        block = EventBlock(
            venue=1, epoch=1, semantics=1, seq=seq, ts=ts, command_kind=request.command.kind, payload=payload, text=text
        )
        self.blocks.append(block)
        self.market.listen([block])
        return block

    def read_events(self, after_seq: int = 0) -> Iterator[EventBlock]:
        return iter(self.blocks[after_seq:])


class Served:
    """An application on its port."""

    def __init__(self, app: ASGIApp, http: Any = "httptools") -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app,
            http=http,
            ws="websockets-sansio",
            lifespan="off",
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Served:
        self._thread.start()
        end = time.monotonic() + START_S
        while not self._server.started:
            if time.monotonic() > end or not self._thread.is_alive():
                raise RuntimeError("uvicorn has not started")
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(START_S)
        self._socket.close()

    def client(self, **more: Any) -> httpx.Client:
        """A client without proxies; answers in English unless asked otherwise."""
        headers = {"Accept-Language": "en", **more.pop("headers", {})}
        return httpx.Client(base_url=self.url, trust_env=False, timeout=10, headers=headers, **more)

    def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes as they are, and read until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received


class Venue:
    """A gateway on a real identity database and the real engine."""

    def __init__(
        self, directory: Path, *, database: str | None = None, bus: Bus | None = None, **settings: Any
    ) -> None:
        """`database`: identity's, where it is shared with other gateways; `bus`: their exchange."""
        values: dict[str, Any] = {
            "admin_key": SecretStr(ADMIN_KEY),
            "data_dir": directory,
            "login_rate_per_min": 1000,
            "starting_cash": 1_000_000,
            "starting_shares": 3,
        }
        self.settings = Settings(**(values | settings))
        self.identity = IdentityService.open(
            database or directory / "identity.db", hasher=QUICK, signing=directory / "signing.key"
        )
        self.bus = bus or Bus()
        if bus is None:
            for request in packs.commands("krx", 20261123) + instruments.list_commands("krx"):
                self.bus.apply(request)
        self.gateway = Gateway(
            settings=self.settings,
            commands=self.bus,
            journal=cast("Any", self.bus),
            projector=cast("Any", None),
            queries=cast("Any", None),
            market=self.bus.market,
            ring=cast("Any", None),
            identity=self.identity,
            queues=cast("Any", None),
            stories=cast("Any", None),
            kis=cast("Any", None),
            timetable=Timetable(now_us),
        )

    @contextlib.contextmanager
    def served(self, *operations: Operations, page: Path | None = None) -> Iterator[Served]:
        """The shell with these operations, on its port."""
        with Served(build_app(self.gateway, operations, page=page)) as server:
            yield server

    def close(self) -> None:
        asyncio.run(self.identity.close())
