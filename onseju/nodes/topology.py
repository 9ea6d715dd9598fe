"""`GET /v1/topology`: the processes of a venue on many machines, who leads, and how far each is behind. The page asks it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from onseju import __version__
from onseju.gateway.answers import json_response
from onseju.gateway.operations import PUBLIC, Operations
from onseju.gateway.principal import ADMIN
from onseju.nodes.status import Standing
from onseju.settings import Settings

ASK_S = 1.0
"""How long another process may take to say how it stands."""

PAGE = Path(__file__).parent / "topology.html"
SCRIPT = Path(__file__).parent / "topology.js"
"""A file of its own: the pages' policy lets no script stand in them."""


class ProcessView(msgspec.Struct, frozen=True, kw_only=True):
    """A process, and how it stands; `standing` is null where it does not answer. `lags` are commands, by what lacks them."""

    url: str
    standing: Standing | None


class TopologyView(msgspec.Struct, frozen=True, kw_only=True):
    """All processes that the setting `topology` names, and this gateway."""

    venue: int
    processes: list[ProcessView]


class Topology:
    """What one gateway tells of all."""

    def __init__(self, settings: Settings, told: Callable[[], dict[str, Any]]) -> None:
        """`told` gives this gateway's own kind, name, role, epoch, head, obstacles and lags."""
        self._settings, self._told = settings, told
        self._began_s = time.monotonic()
        self.operations = Operations("operations")
        self.operations.add(
            "GET",
            "/v1/topology",
            summary="The processes of the venue, who leads, how far each is behind",
            scope=ADMIN,
            limit="query",
            responses={200: TopologyView},
        )(self._topology)
        self.operations.add(
            "GET",
            "/status",
            summary="How this gateway stands",
            scope=PUBLIC,
            limit="public",
            responses={200: Standing},
        )(self._status)
        self.operations.add(
            "GET", "/topology.html", summary="The topology's page", scope=PUBLIC, limit="public", responses={200: None}
        )(self._page)
        self.operations.add(
            "GET", "/topology.js", summary="Its script", scope=PUBLIC, limit="public", responses={200: None}
        )(self._script)

    def standing(self) -> Standing:
        """How this gateway stands."""
        told = self._told()
        return Standing(
            pid=os.getpid(),
            version=__version__,
            venue=self._settings.venue,
            ready=not told["obstacles"],
            uptime_s=round(time.monotonic() - self._began_s, 3),
            **told,
        )

    async def _topology(self, request: Request) -> Response:
        """Asks all of them at once, each for a second at most."""
        async with httpx.AsyncClient(trust_env=False, timeout=ASK_S) as client:
            views = await asyncio.gather(*[self._ask(client, url) for url in self._settings.topology])
        own = self.standing()
        if not any(view.standing is not None and view.standing.name == own.name for view in views):
            views.append(ProcessView(url=str(request.base_url).rstrip("/"), standing=own))
        return json_response(TopologyView(venue=self._settings.venue, processes=views))

    async def _ask(self, client: httpx.AsyncClient, url: str) -> ProcessView:
        try:
            answer = await client.get(f"{url}/status")
            return ProcessView(url=url, standing=msgspec.json.decode(answer.content, type=Standing))
        except (httpx.HTTPError, msgspec.DecodeError):
            return ProcessView(url=url, standing=None)

    async def _status(self, request: Request) -> Response:
        return json_response(self.standing())

    async def _page(self, request: Request) -> Response:
        return FileResponse(PAGE, media_type="text/html; charset=utf-8")

    async def _script(self, request: Request) -> Response:
        return FileResponse(SCRIPT, media_type="text/javascript; charset=utf-8")
