"""`POST /v1/kis/approval`: what the page needs to open KIS's WebSocket by itself."""

from __future__ import annotations

import ipaddress
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.reasons import Reason
from onseju.gateway.answers import json_response
from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.operations import Operations
from onseju.gateway.principal import ADMIN, READ
from onseju.gateway.problems import Problem
from onseju.kis.layouts import LayoutName
from onseju.kis.live import KisUnavailableError, LiveKis
from onseju.kis.simulator import KisSimulator

operations = Operations("kis")


class KisApproval(msgspec.Struct, frozen=True, kw_only=True):
    """Open `url` (`null`: this server's own address, ws or wss as the page's), register with `approval_key`."""

    mode: str
    """`simulator`: this exchange's own prices; `mock` or `live`: Korea Investment's."""
    approval_key: str
    url: str | None
    layout: LayoutName
    """Which record widths the frames have: `new` since 2026-09-14, `old` before, `auto` by the day's date."""
    registrations: int
    """How many may be registered at once."""


class KisDesk(Protocol):
    """Gives approvals, or says why not."""

    async def approve(self, address: str, is_admin: bool) -> KisApproval:
        """An approval for a page at `address`. Raises `Problem`."""
        ...


MAX_REGISTRATIONS = 41


class SimulatorDesk:
    """Each page gets a key of its own."""

    def __init__(self, simulator: KisSimulator, layout: LayoutName) -> None:
        self._simulator = simulator
        self._layout = layout

    async def approve(self, address: str, is_admin: bool) -> KisApproval:
        """A fresh key on the simulator."""
        return KisApproval(
            mode="simulator",
            approval_key=self._simulator.issue_for_page(address),
            url=None,
            layout=self._layout,
            registrations=MAX_REGISTRATIONS,
        )


class LiveDesk:
    """The one key is the host's: only the admin gets it, and pages on this machine where the host says so."""

    def __init__(self, kis: LiveKis, layout: LayoutName, *, share_with_loopback: bool) -> None:
        self._kis = kis
        self._layout = layout
        self._share_with_loopback = share_with_loopback

    async def approve(self, address: str, is_admin: bool) -> KisApproval:
        """The host's key."""
        if not is_admin and not (self._share_with_loopback and is_loopback(address)):
            raise Problem(Reason.KIS_NOT_SHARED)
        try:
            key = await self._kis.approval_key()
        except KisUnavailableError as error:
            raise Problem(Reason.KIS_UNAVAILABLE, detail=str(error), retry_after_s=5) from error
        return KisApproval(
            mode=self._kis.mode,
            approval_key=key,
            url=self._kis.url,
            layout=self._layout,
            registrations=MAX_REGISTRATIONS,
        )


def is_loopback(address: str) -> bool:
    """Whether a client's address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@operations.add(
    "POST",
    "/v1/kis/approval",
    summary="What a page needs to open KIS's WebSocket",
    scope=READ,
    limit="query",
    responses={200: KisApproval},
)
async def approve(request: Request) -> Response:
    """Approve a page."""
    desk: KisDesk = gateway_of(request).kis
    address = request.client.host if request.client else ""
    return json_response(await desk.approve(address, principal_of(request).may(ADMIN)))
