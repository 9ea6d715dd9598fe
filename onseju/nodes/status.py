"""The small HTTP of a process that serves no API: is it alive, is it ready, its metrics, and who it is."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onseju import __version__
from onseju.metrics.exposition import CONTENT_TYPE, Exposition
from onseju.metrics.readiness import Readiness
from onseju.nodes.http import Server
from onseju.settings import Settings

JSON = "application/json"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A process as it says of itself. `lags` are commands that it lacks, by what lacks them."""

    kind: str
    """`exchange`, `gateway` or `projector`."""
    name: str
    pid: int
    version: str
    role: str
    """`leader`, `standby`, `active`, or `starting`."""
    venue: int
    epoch: int
    head_seq: int
    ready: bool
    obstacles: list[str]
    uptime_s: float
    lags: dict[str, int]


class Status:
    """What a process tells of itself, at any time of its life."""

    def __init__(
        self,
        kind: str,
        name: str,
        settings: Settings,
        readiness: Readiness,
        metrics: Exposition,
        told: Callable[[], dict[str, Any]],
    ) -> None:
        """`told` gives the role, the epoch, the head and the lags of now."""
        self._kind, self._name, self._settings = kind, name, settings
        self._readiness, self._metrics, self._told = readiness, metrics, told
        self._began_s = time.monotonic()

    def standing(self) -> Standing:
        """How it stands now."""
        obstacles = [obstacle.code for obstacle in self._readiness.obstacles()]
        return Standing(
            kind=self._kind,
            name=self._name,
            pid=os.getpid(),
            version=__version__,
            venue=self._settings.venue,
            ready=not obstacles,
            obstacles=obstacles,
            uptime_s=round(time.monotonic() - self._began_s, 3),
            **self._told(),
        )

    def app(self) -> Starlette:
        """`/healthz`, `/readyz`, `/metrics`, `/status`."""
        return Starlette(
            routes=[
                Route("/healthz", self._health),
                Route("/readyz", self._ready),
                Route("/metrics", self._scrape),
                Route("/status", self._status),
            ]
        )

    async def _health(self, request: Request) -> Response:
        return Response(msgspec.json.encode({"status": "ok", "version": __version__}), media_type=JSON)

    async def _ready(self, request: Request) -> Response:
        obstacles = self._readiness.obstacles()
        body = {"ready": not obstacles, "obstacles": [{"code": one.code, "detail": one.detail} for one in obstacles]}
        return Response(
            msgspec.json.encode(body),
            503 if obstacles else 200,
            headers={"Retry-After": "1"} if obstacles else None,
            media_type=JSON,
        )

    async def _scrape(self, request: Request) -> Response:
        """Where the setting `metrics_key` is set, the scrape needs it, as at a gateway."""
        key = self._settings.metrics_key
        if key is not None:
            given = request.headers.get("authorization", "").encode()
            if not secrets.compare_digest(given, f"Bearer {key.get_secret_value()}".encode()):
                return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer realm="onseju"'})
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _status(self, request: Request) -> Response:
        return Response(msgspec.json.encode(self.standing()), media_type=JSON)


def status_server(app: Starlette) -> Server:
    """A server for it. Only the host's own network may reach it: it asks nobody who they are."""
    config = uvicorn.Config(
        app,
        loop="none",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=100,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    return Server(config)
