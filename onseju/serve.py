"""`onseju up`: start the stages, open the port, run the bots beside it, and stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import resource
import signal
import socket
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from types import FrameType
from typing import Any

import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from onseju.app import CannotStartError, Venue
from onseju.bots.process import BotProcess
from onseju.kis.protocol import KisWebSocketProtocol
from onseju.matching import engines
from onseju.push.hostile import Bounds, bounded
from onseju.push.messages import MAX_MESSAGE_BYTES
from onseju.push.protocols import HttpProtocol, WebSocketProtocol
from onseju.rules.calendar import KST
from onseju.settings import Settings

DEMO_NAME = "demo"
DEMO_PASSWORD = "onseju-demo"  # noqa: S105  # printed at the start: it guards play money on this machine alone
BOT_SEED = 1
"""The bots' draws where no seed is set: the demo is the same for everybody."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
COLLECT_AFTER = (50_000, 20, 100)
"""When Python looks for cycles: new objects, then collections of the generation before. By its own default (700, 10, 10)
it walks through the streams' ring and the books again and again, which is two fifths of an order's processor time."""
BACKLOG = 16_384
"""Connections that the system may keep for us until they are accepted (it may keep fewer): a reconnect storm."""
FILES_WANTED = 65_536
"""Open files to ask the system for: each stream holds one."""


class _StopAskedError(Exception):
    """A signal came while the venue was starting."""


class Signals:
    """Ctrl-C and SIGTERM ask for an orderly end, from the first moment to the last. A second Ctrl-C does not wait for it.

    uvicorn's own handlers come late, and end the process by the same signal before the stages are closed.
    """

    def __init__(self) -> None:
        self.asked = False
        self.server: uvicorn.Server | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.server is not None:
            self.server.handle_exit(number, frame)
        elif self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Raise `_StopAskedError` if a signal came. Called between the steps of a start, which may block for long."""
        if self.asked:
            raise _StopAskedError


def listen(settings: Settings) -> socket.socket:
    """The bound port, before anything slow is done. Raises `CannotStartError` when another program has it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            advice = "Another program has it. Choose another port: onseju up --port 0 takes a free one."
        elif error.errno == errno.EACCES:
            advice = "Ports below 1024 are the system's. Choose a higher one with --port."
        else:
            advice = (
                f"{settings.host} must be an address of this machine: --host 127.0.0.1, or 0.0.0.0 for all of them."
            )
        raise CannotStartError(
            f"Port {settings.port} of {settings.host} cannot be opened ({error.strerror}). {advice}"
        ) from error
    return sock


def raise_file_limit() -> None:
    """Ask for as many open files as the system gives without privilege."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def collect_seldom() -> None:
    """Look for cycles less often, and no more in what the start has made: it stays until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def serve(settings: Settings, console: Console) -> int:
    """Run until a signal or until the exchange stops by itself. Gives the exit status."""
    raise_file_limit()
    with Signals() as signals, contextlib.closing(listen(settings)) as sock:
        port = sock.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{port}"
        venue = Venue(settings.model_copy(update={"port": port}))
        with _progress(console) as show, contextlib.suppress(_StopAskedError):

            def tell(what: str, done: int, total: int) -> None:
                signals.check()
                show(what, done, total)

            async with venue.running(tell):
                signals.check()
                collect_seldom()
                return await _serve_venue(venue, sock, url, console, signals)
        return 0


class _WebSocket(KisWebSocketProtocol, WebSocketProtocol):
    """Both protocols' ways to cut off a client that does not read, on one port."""


class _Server(uvicorn.Server):
    """uvicorn, with an event for the moment when it has tried to start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.tried = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.tried.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """`Signals` takes them."""
        yield


async def _serve_venue(venue: Venue, sock: socket.socket, url: str, console: Console, signals: Signals) -> int:
    bounds = Bounds.of(venue.settings)
    config = uvicorn.Config(
        venue.app(),
        loop="none",
        http=bounded(HttpProtocol, bounds),
        ws=bounded(_WebSocket, bounds),
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        lifespan="off",
        access_log=False,
        log_config=None,  # its lines take the way of all others
        server_header=False,
        timeout_keep_alive=75,
        backlog=BACKLOG,
        timeout_graceful_shutdown=3,
    )
    server = signals.server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
    await server.tried.wait()
    seed = BOT_SEED if venue.settings.seed is None else venue.settings.seed
    bots = BotProcess(url, seed, venue.bot_keys) if venue.settings.bots and server.started else None
    exchange = venue.exchange_task
    if exchange is None:
        raise CannotStartError("The exchange is not running.")
    try:
        if bots is not None:
            await bots.start()
        demo = await _demo_user(venue) if venue.settings.host in LOOPBACK else None
        if server.started:
            _greet(console, venue, url, demo, bots is not None)
        await asyncio.wait({serving, exchange}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            return 0
        console.print(f"[bold]The exchange has stopped:[/bold] {venue.exchange.stopped}")
        server.should_exit = True
        await serving
        return 1
    finally:
        if bots is not None:
            await bots.stop()


async def _demo_user(venue: Venue) -> str | None:
    """A log-in to begin with, on this machine alone."""
    if venue.settings.sign_up != "open":
        return None
    await venue.demo_user(DEMO_NAME, DEMO_PASSWORD)
    return f"{DEMO_NAME} / {DEMO_PASSWORD}"


def _greet(console: Console, venue: Venue, url: str, demo: str | None, bots: bool) -> None:
    market = f"{len(venue.market.directory.all())} instruments, rules {venue.pack.name}"
    console.print(f"\n[bold]온세주 Onseju is open[/bold] at [bold]{url}[/bold]  (the API's documentation: {url}/docs)")
    console.print(f"  engine    {_engine(venue)}")
    console.print(f"  market    {market}, {'bots trade (--no-bots turns them off)' if bots else 'no bots'}")
    console.print(f"  hours     {_hours(venue)}")
    if demo:
        console.print(f"  log in    {demo}")
    console.print(f"  admin     key in {venue.settings.data_dir / 'admin.key'}, for the host's page at {url}/host.html")
    console.print(f"  data      {venue.settings.data_dir.resolve()}")
    console.print("  stop      Ctrl-C; nothing acknowledged is lost\n")


def _engine(venue: Venue) -> str:
    """The engine that runs; where it is not the native one and nobody asked for another, what that costs and what helps."""
    name, lack = venue.engine
    if name == "native":
        return f"native: {engines.NATIVE}"
    if lack is None:
        return f"reference: the rule book in Python, {engines.REFERENCE}"
    return (
        f"reference, since there is no native one: {lack}. All works, at {engines.REFERENCE} "
        f"instead of {engines.NATIVE}. {engines.advice()}"
    )


def _hours(venue: Venue) -> str:
    """The market's hours, its phase, and what comes next."""
    timetable = venue.gateway.timetable
    following = timetable.next_phase()
    phase = venue.market.phase.label
    if following is None:
        return f"always open, now {phase}  (--market-hours krx follows Korea's day, fast runs it in about a minute)"
    at = datetime.fromtimestamp(following.ts // 1_000_000, KST)
    speed = f" at {timetable.speed:g} times the speed" if timetable.speed != 1 else ""
    return (
        f"{venue.settings.sessions}{speed}, trading day {venue.market.trading_day}, now {phase}, "
        f"next {following.phase.label} at {at:%Y-%m-%d %H:%M:%S} (Korea)"
    )


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Bars for what takes long at the start; nothing is shown for what does not."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if total == 0 or not console.is_terminal:
            return
        if not tasks:
            bars.start()
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)
        if done >= total:
            bars.stop()

    try:
        yield tell
    finally:
        bars.stop()
