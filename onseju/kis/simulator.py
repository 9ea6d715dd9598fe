"""A local KIS: `/oauth2/Approval` and the real-time WebSocket, with this exchange's own trades and books as its prices.

A client changes the base address and the port, nothing else. Cookies are ignored: what is sent here is public.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from onseju.kis.approvals import Approvals
from onseju.kis.bounds import Guests, Limits
from onseju.kis.hub import Hub
from onseju.kis.layouts import LayoutName
from onseju.kis.oauth import ApprovalEndpoint, CheckPair
from onseju.kis.port import PriceSource
from onseju.kis.session import Manners, Session, Sessions

WEBSOCKET_PATHS = ("/", "/tryitout", "/tryitout/{tr_id}")
"""Which TR is meant is said by the request, not by the path."""


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a host may set."""

    layout: LayoutName = "auto"
    any_pair: bool = True
    """Whether any well-formed app key and secret will do, and not only those that this exchange issued."""
    approvals_per_s: float = 1
    """Approval keys a second and pair."""
    approvals_burst: float = 41
    """And so many at once: a client that asks anew for each registration can make all of them."""
    flush_s: float = 0.02
    """For how long trades are gathered into a frame, and books into their last state."""
    limits: Limits = Limits()
    manners: Manners = Manners()


class KisSimulator:
    """All of it, on one source of prices. `clock` gives seconds since 1970; `market_time` is the market's own time in
    microseconds since 1970, where that is another."""

    def __init__(
        self,
        source: PriceSource,
        settings: SimulatorSettings | None = None,
        *,
        check_pair: CheckPair | None = None,
        clock: Callable[[], float] = time.time,
        market_time: Callable[[], int] | None = None,
    ) -> None:
        self._settings = settings = settings or SimulatorSettings()
        self._clock = clock
        self._guests = Guests(settings.limits, clock)
        self._approvals = Approvals(
            clock,
            per_s=settings.approvals_per_s,
            burst=settings.approvals_burst,
            per_guest=settings.limits.approvals,
        )
        self._sessions = Sessions(settings.manners.zombie_s)
        now_us = market_time or (lambda: int(clock() * 1_000_000))
        self._hub = Hub(source, settings.layout, settings.flush_s, now_us)
        self._endpoint = ApprovalEndpoint(
            self._approvals,
            self._guests,
            settings.limits,
            any_pair=settings.any_pair,
            check_pair=check_pair,
            clock=clock,
        )

    def routes(self) -> list[BaseRoute]:
        """The routes, to stand before any route or mount that takes `/`."""
        approval = Route("/oauth2/Approval", self._endpoint.issue, methods=["POST"])
        return [approval, *(WebSocketRoute(path, self._serve) for path in WEBSOCKET_PATHS)]

    def issue_for_page(self, address: str) -> str:
        """An approval key for a browser at `address`, which has no pair. It is alone on its session; nothing supersedes it."""
        return self._approvals.issue_anonymous(self._guests.of(address))

    @property
    def connections(self) -> int:
        """Open connections now."""
        return self._guests.connections

    @property
    def registrations(self) -> int:
        """Registrations of all connections now."""
        return self._hub.registrations

    async def _serve(self, websocket: WebSocket) -> None:
        guest = self._guests.of(websocket.client.host if websocket.client else "")
        if not self._guests.enter(guest):
            await websocket.send_denial_response(Response(status_code=429, headers={"retry-after": "10"}))
            return
        try:
            session = Session(
                websocket,
                hub=self._hub,
                approvals=self._approvals,
                sessions=self._sessions,
                guest=guest,
                limits=self._settings.limits,
                manners=self._settings.manners,
                clock=self._clock,
            )
            await session.run()
        finally:
            self._guests.leave(guest)


def kis_routes(
    source: PriceSource, settings: SimulatorSettings | None = None, *, check_pair: CheckPair | None = None
) -> list[BaseRoute]:
    """The routes of a simulator on `source`."""
    return KisSimulator(source, settings, check_pair=check_pair).routes()
