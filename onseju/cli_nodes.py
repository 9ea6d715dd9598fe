"""The commands of a venue on many machines: `onseju exchange`, `gateway`, `projector`, and `up --scaled`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn

import typer
import uvloop
from rich.console import Console

from onseju.journal.port import JournalError
from onseju.nodes.starting import CannotStartError
from onseju.settings import Settings

console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)

LACKS = "The drivers of PostgreSQL and RocketMQ are missing: pip install 'onseju[scaled]'"

StatusPort = Annotated[
    int | None, typer.Option("--status-port", help="Port of /healthz, /readyz and /metrics. Default 8100.")
]


def exchange(status_port: StatusPort = None) -> None:
    """Lead a venue, or stand by until nobody does. Addresses come from onseju.toml."""
    from onseju.cli import settings_of

    settings = settings_of(status_port=status_port)

    async def work() -> int:
        from onseju.nodes.exchange_node import ExchangeNode
        from onseju.nodes.http import Signals

        with Signals() as signals:
            return await ExchangeNode(settings).run(signals)

    run(work)


def gateway(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port. Default 8000.")] = None,
    gateway_id: Annotated[
        int | None, typer.Option("--gateway-id", help="This gateway's number: no two have the same. Default 1.")
    ] = None,
) -> None:
    """Serve a venue's API. Addresses come from onseju.toml."""
    from onseju.cli import settings_of

    settings = settings_of(host=host, port=port, gateway_id=gateway_id)

    async def work() -> int:
        from onseju.nodes.gateway_node import GatewayNode
        from onseju.nodes.http import Signals

        with Signals() as signals:
            return await GatewayNode(settings).run(signals)

    run(work)


def projector(status_port: StatusPort = None) -> None:
    """Write a venue's tables, or stand by until nobody does. Addresses come from onseju.toml."""
    from onseju.cli import settings_of

    settings = settings_of(status_port=status_port)

    async def work() -> int:
        from onseju.nodes.http import Signals
        from onseju.nodes.projector_node import ProjectorNode

        with Signals() as signals:
            return await ProjectorNode(settings).run(signals)

    run(work)


def up_scaled(settings: Settings, gateways: int) -> NoReturn:
    """The whole set on this machine."""

    async def work() -> int:
        from onseju.nodes.supervisor import supervise

        return await supervise(settings, gateways, console)

    run(work)


def run(work: Callable[[], Awaitable[int]]) -> NoReturn:
    """Run a process of the set to its end, and exit with its status."""

    async def main() -> int:
        try:
            return await work()
        except ImportError as error:
            if (error.name or "").split(".")[0] in ("psycopg", "grpc", "rocketmq"):
                raise CannotStartError(LACKS) from error
            raise

    try:
        status = uvloop.run(main())
    except (CannotStartError, JournalError) as error:
        errors.print(str(error), markup=False, highlight=False)
        status = 1
    except KeyboardInterrupt:
        status = 0
    raise typer.Exit(status)
