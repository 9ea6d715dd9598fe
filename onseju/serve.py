"""`onseju up`: start the stages, open the port, run the bots beside it, and stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from onseju.app import Venue
from onseju.bots.process import BotProcess
from onseju.matching import engines
from onseju.nodes.http import (
    Signals,
    StopAskedError,
    api_server,
    collect_seldom,
    listen,
    raise_file_limit,
    switch_often,
)
from onseju.nodes.starting import CannotStartError
from onseju.rules.calendar import KST
from onseju.settings import Settings

DEMO_NAME = "demo"
DEMO_PASSWORD = "onseju-demo"  # noqa: S105  # printed at the start: it guards play money on this machine alone
BOT_SEED = 1
"""The bots' draws where no seed is set: the demo is the same for everybody."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


async def serve(settings: Settings, console: Console) -> int:
    """Run until a signal or until the exchange stops by itself. Gives the exit status."""
    raise_file_limit()
    with Signals() as signals, contextlib.closing(listen(settings.host, settings.port)) as sock:
        port = sock.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{port}"
        venue = Venue(settings.model_copy(update={"port": port}))
        with _progress(console) as show, contextlib.suppress(StopAskedError):

            def tell(what: str, done: int, total: int) -> None:
                signals.check()
                show(what, done, total)

            async with venue.running(tell):
                signals.check()
                collect_seldom()
                switch_often()
                return await _serve_venue(venue, sock, url, console, signals)
        return 0


async def _serve_venue(venue: Venue, sock: socket.socket, url: str, console: Console, signals: Signals) -> int:
    server = signals.server = api_server(venue.app(), venue.settings)
    serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
    await server.tried.wait()
    seed = BOT_SEED if venue.settings.seed is None else venue.settings.seed
    bots = BotProcess(url, seed, venue.serving.bot_keys) if venue.settings.bots and server.started else None
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
    await venue.serving.demo_user(DEMO_NAME, DEMO_PASSWORD)
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
