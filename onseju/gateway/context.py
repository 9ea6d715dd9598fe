"""What the gateway's handlers work with: the other stages, as `app.py` wired them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec
from starlette.requests import HTTPConnection

from onseju.contract.reasons import Reason
from onseju.gateway.native_entry import OrderBodies
from onseju.gateway.principal import Principal
from onseju.gateway.sums_reader import SumsReader
from onseju.metrics.exposition import Exposition
from onseju.metrics.readiness import Readiness
from onseju.metrics.recorder import Recorder

if TYPE_CHECKING:
    from onseju.bus.port import CommandBus
    from onseju.exchange.timetable import Timetable
    from onseju.identity.service import IdentityService
    from onseju.journal.port import EventLog
    from onseju.kis.approval import KisDesk
    from onseju.market.market import Market
    from onseju.market.places import Queues
    from onseju.projections.queries import Queries
    from onseju.push.ring import AccountRing
    from onseju.settings import Settings
    from onseju.story.stories import Stories


class Tables(Protocol):
    """How far the tables are, for those who read them."""

    @property
    def position(self) -> int:
        """The number of the last command whose events the tables hold."""
        ...

    @property
    def failed(self) -> Exception | None:
        """Why the tables do not follow now; None while they do."""
        ...

    @property
    def waiting(self) -> int:
        """How many wait for a position."""
        ...

    async def wait_for(self, seq: int, timeout_s: float) -> bool:
        """Wait until the tables hold command `seq`. False when they do not in time, cannot, or too many wait already."""
        ...


class Gateway(msgspec.Struct, kw_only=True):
    """The stages that handlers may use."""

    settings: Settings
    commands: CommandBus
    client_ids: Callable[[], str] | None = None
    """Gives an id to a new order that comes without one, where the exchange is another process and may not answer in time:
    so it can be found. None where it always does."""
    journal: EventLog
    projector: Tables
    queries: Queries
    market: Market
    queues: Queues
    stories: Stories
    ring: AccountRing
    identity: IdentityService
    kis: KisDesk
    timetable: Timetable
    recorder: Recorder = msgspec.field(default_factory=Recorder)
    metrics: Exposition = msgspec.field(default_factory=lambda: Exposition(Recorder()))
    readiness: Readiness = msgspec.field(default_factory=Readiness)
    sums: SumsReader = msgspec.field(default_factory=SumsReader)
    bodies: OrderBodies = msgspec.field(default_factory=OrderBodies)
    reach: Callable[[int], Awaitable[Reason | None]] | None = None
    """Waits until a command beyond the head was heard here, and tells why not where it was not; None where nothing happens
    that is not heard at once."""
    started_s: float = msgspec.field(default_factory=time.monotonic)
    """When this process began, on the clock that never goes back."""


def gateway_of(connection: HTTPConnection) -> Gateway:
    """The gateway that serves this connection."""
    return cast("Gateway", connection.app.state.gateway)


def principal_of(connection: HTTPConnection) -> Principal:
    """The authenticated caller. Only for operations whose scope is not PUBLIC: the shell has checked it."""
    return cast("Principal", connection.state.principal)


def maybe_principal_of(connection: HTTPConnection) -> Principal | None:
    """The caller of a public operation, where one was authenticated."""
    return cast("Principal | None", getattr(connection.state, "principal", None))


Json = dict[str, Any]
