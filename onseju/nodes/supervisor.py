"""`onseju up --scaled`: the whole set of processes on one machine, for trying it out. What dies is started again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from onseju.nodes.child import Child, as_environment
from onseju.nodes.http import Signals, StopAskedError
from onseju.nodes.names import groups, topics
from onseju.nodes.starting import CannotStartError, with_data_folder
from onseju.scaled.postgres_server import PostgresServer, ServerError, free_port
from onseju.scaled.rocketmq_server import RocketServer
from onseju.settings import Settings

EXCHANGES = 2
"""One leads, one stands by."""

SPARE = 8
"""Gateways beyond those of the set for which RocketMQ is made ready: they may be started by hand beside it."""

READY_S = 120.0
LOOK_S = 0.1
SERVER_AGAIN_S = 2.0
"""Pause before a server that does not start again is tried once more."""


class Supervisor:
    """Everything of the set, from `start` until `stop`. Used from the main thread, which everything ends with."""

    def __init__(self, settings: Settings, gateways: int, console: Console) -> None:
        self.settings = with_data_folder(settings)
        self.gateways = gateways
        self.children: list[Child] = []
        """In the order in which they are started; they are ended the other way round."""
        self._console = console
        self._folder = settings.data_dir.absolute() / "scaled"
        self._postgres: PostgresServer | None = None
        self._rocketmq: RocketServer | None = None
        self._servers_again_s = 0.0

    async def start(self, signals: Signals) -> None:
        """Start it, and return once all are ready. Raises `CannotStartError`, and what `signals.check` raises."""
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        try:
            settings = self._with_servers(signals)
        except ServerError as error:
            raise CannotStartError(str(error)) from error
        self.children = self._made(settings, logs)
        for child in self.children:
            child.start()
        await self._until_ready(signals)

    def _with_servers(self, signals: Signals) -> Settings:
        """The settings with the addresses of database and broker; those of our own where none are set."""
        settings = self.settings
        if settings.database_url is None:
            self._say("starting PostgreSQL …")
            self._postgres = PostgresServer(self._folder / "postgres")
            self._postgres.start()
            settings = settings.model_copy(update={"database_url": SecretStr(self._postgres.url)})
            signals.check()
        if settings.rocketmq_endpoints is None:
            self._say("starting RocketMQ …")
            self._rocketmq = RocketServer(self._folder / "rocketmq")
            self._rocketmq.directory.mkdir(parents=True, exist_ok=True)
            self._rocketmq.start()
            signals.check()
            self._rocketmq.make(topics(settings.venue), groups(settings.venue, range(1, self.gateways + SPARE + 1)))
            settings = settings.model_copy(update={"rocketmq_endpoints": self._rocketmq.endpoints})
            signals.check()
        return settings

    def _made(self, settings: Settings, logs: Path) -> list[Child]:
        """All processes of ours, each knowing where the others are."""
        taken: set[int] = set()
        status = [_port(0, taken) for _ in range(EXCHANGES + 1)]
        serving = [_port(settings.port + number if settings.port else 0, taken) for number in range(self.gateways)]
        topology = [f"http://127.0.0.1:{port}" for port in (*status, *serving)]
        common = {"status_host": "127.0.0.1", "topology": topology}
        children = [
            Child(f"exchange-{at + 1}", "exchange", port, logs, as_environment(settings, **common, status_port=port))
            for at, port in enumerate(status[:EXCHANGES])
        ]
        port = status[EXCHANGES]
        children.append(
            Child("projector", "projector", port, logs, as_environment(settings, **common, status_port=port))
        )
        for at, port in enumerate(serving):
            more = {"gateway_id": at + 1, "port": port, "bots": settings.bots and at == 0}
            children.append(
                Child(f"gateway-{at + 1}", "gateway", port, logs, as_environment(settings, **common, **more))
            )
        return children

    async def _until_ready(self, signals: Signals) -> None:
        self._say("starting the exchange, the projector and the gateways …")
        until = time.monotonic() + READY_S
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            waiting = list(self.children)
            while waiting:
                signals.check()
                self._keep()
                if time.monotonic() > until:
                    said = ", ".join(f"{child.name} ({child.log})" for child in waiting)
                    raise CannotStartError(f"Not ready after {READY_S:.0f} s: {said}.")
                waiting = [child for child in waiting if not await _is_ready(client, child)]
                await asyncio.sleep(LOOK_S)

    async def run(self, signals: Signals) -> None:
        """Start again what dies, until somebody asks for the end."""
        while not signals.asked:
            self._keep()
            self._keep_servers()
            await asyncio.sleep(LOOK_S)

    def _keep(self) -> None:
        for child in self.children:
            ended = child.keep()
            if ended is not None:
                self._say(f"{child.name} has ended ({ended}); it is started again. Its log: {child.log}")

    def _keep_servers(self) -> None:
        """Our own servers, too. One that does not start now is tried again after a while: its disk may have been full, or
        what a crash has left may need a moment to end."""
        if time.monotonic() < self._servers_again_s:
            return
        try:
            if self._postgres is not None and not self._postgres.is_running:
                self._say("PostgreSQL has ended; it is started again.")
                self._postgres.kill()
                self._postgres.start()
            if self._rocketmq is not None and not self._rocketmq.is_running:
                self._say("RocketMQ has ended; it is started again.")
                self._rocketmq.start()
        except ServerError as error:
            self._say(f"{error} It is tried again in {SERVER_AGAIN_S:.0f} s.")
            self._servers_again_s = time.monotonic() + SERVER_AGAIN_S

    async def stop(self) -> None:
        """End everything: first who takes requests, the standby before the leader, the servers last. Idempotent."""
        of = {what: [child for child in self.children if child.what == what] for what in ("gateway", "projector")}
        await asyncio.gather(*[child.stop() for child in of["gateway"]])
        await asyncio.gather(*[child.stop() for child in of["projector"]])
        # nobody is to take over now: all of them at once
        await asyncio.gather(*[child.stop() for child in self.children if child.what == "exchange"])
        if self._rocketmq is not None:
            self._rocketmq.stop()
        if self._postgres is not None:
            self._postgres.stop()

    def table(self) -> Table:
        """What runs, and where."""
        table = Table("process", "pid", "address", "log", box=None, pad_edge=False)
        table.columns[-1].overflow = "fold"
        if self._postgres is not None:
            where = self._postgres.directory / "server.log"
            table.add_row("PostgreSQL", str(self._postgres.pid), f"127.0.0.1:{self._postgres.port}", str(where))
        if self._rocketmq is not None:
            for name, pid, port in zip(
                ("nameserver", "proxy"),
                self._rocketmq.pids,
                (self._rocketmq.ports.nameserver, self._rocketmq.ports.grpc),
                strict=True,
            ):
                where = self._rocketmq.directory / f"{name}.log"
                table.add_row(f"RocketMQ {name}", str(pid), f"127.0.0.1:{port}", str(where))
        for child in self.children:
            table.add_row(child.name, str(child.pid), child.url, str(child.log))
        return table

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)


async def supervise(settings: Settings, gateways: int, console: Console) -> int:
    """Run the set until a signal. Gives the exit status. Raises `CannotStartError`."""
    with Signals() as signals:
        supervisor = Supervisor(settings, gateways, console)
        try:
            with contextlib.suppress(StopAskedError):
                await supervisor.start(signals)
                first = next(child for child in supervisor.children if child.what == "gateway")
                console.print(f"\n[bold]온세주 Onseju is open[/bold] at [bold]{first.url}[/bold]", highlight=False)
                console.print(supervisor.table(), highlight=False)
                console.print(f"  admin     key in {supervisor.settings.data_dir / 'admin.key'}", highlight=False)
                console.print("  stop      Ctrl-C; nothing acknowledged is lost\n", highlight=False)
                await supervisor.run(signals)
        finally:
            await supervisor.stop()
    return 0


async def _is_ready(client: httpx.AsyncClient, child: Child) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.get(f"{child.url}/readyz")).status_code == 200
    return False


def _port(wanted: int, taken: set[int]) -> int:
    """The port that is wanted where it is free, else one that is."""
    port = wanted if wanted and wanted not in taken and _is_free(wanted) else free_port()
    while port in taken:
        port = free_port()
    taken.add(port)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return True
    return False
