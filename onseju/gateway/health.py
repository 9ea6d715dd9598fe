"""Operations: is it alive, is it ready, its metrics, and what the host's page shows."""

from __future__ import annotations

import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju import __version__
from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.gateway.admin_calls import declare
from onseju.gateway.answers import json_response
from onseju.gateway.context import Gateway, gateway_of
from onseju.gateway.operations import PUBLIC, Operations
from onseju.gateway.principal import METRICS
from onseju.gateway.reads import CURSOR, LIMIT, MIN_SEQ, ask, limit_asked, settle
from onseju.metrics.exposition import CONTENT_TYPE
from onseju.metrics.histogram import Histogram
from onseju.projections.pages import DeedPage
from onseju.projections.sums import Sums

operations = Operations("operations")


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str
    version: str


class ObstacleView(msgspec.Struct, frozen=True):
    """Why it is not ready."""

    code: str
    detail: str


class Ready(msgspec.Struct, frozen=True):
    """Whether requests should be sent here, and what is in the way."""

    ready: bool
    obstacles: list[ObstacleView]


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """Two numbers that must be the same: found one way (`left`) and another (`right`)."""

    name: str
    holds: bool
    left: int
    right: int


class HistogramView(msgspec.Struct, frozen=True, kw_only=True):
    """Durations counted by bucket, since the start: up to and with each bound, and last what is above all. Take two, and the
    difference is what happened between."""

    counts: list[int]
    sum_s: float


class InstrumentSums(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument's shares over all accounts."""

    symbol: str
    held: int
    paid_in: int
    reserved: int
    offered: int


class SumsView(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over all accounts at one command of the log. Money in the venue's smallest unit."""

    seq: int
    cash_held: int
    cash_paid_in: int
    cash_reserved: int
    orders_accepted: int
    orders_open: int
    orders_done: int
    orders_rejected: int
    shares: list[InstrumentSums]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A running exchange as its host sees it. `sums` and `invariants` are null and empty while the tables cannot be read."""

    version: str
    ts: str
    uptime_s: float
    head_seq: int
    ready: bool
    obstacles: list[ObstacleView]
    sums: SumsView | None
    invariants: list[Invariant]
    bounds_s: list[float]
    stages: dict[str, HistogramView]
    requests: dict[str, HistogramView]
    fsync: HistogramView
    results: list[tuple[str, str, int]]
    """`[result, reason, count]`: what became of orders since the start."""
    gauges: dict[str, float]
    """The metrics that are single numbers, by their names."""


@operations.add(
    "GET", "/healthz", summary="Is the process alive", scope=PUBLIC, limit="public", responses={200: Health}
)
async def healthz(request: Request) -> Response:
    """200 as long as it answers at all."""
    return json_response(Health("ok", __version__))


@operations.add(
    "GET", "/readyz", summary="Is it ready", scope=PUBLIC, limit="public", responses={200: Ready, 503: Ready}
)
async def readyz(request: Request) -> Response:
    """503 with the obstacles while requests had better go elsewhere. Before the port is open nobody answers at all."""
    obstacles = _obstacles(gateway_of(request))
    status = 503 if obstacles else 200
    return json_response(Ready(not obstacles, obstacles), status, headers={"Retry-After": "1"} if obstacles else None)


@operations.add(
    "GET", "/metrics", summary="Metrics for Prometheus", scope=METRICS, limit="query", responses={200: None}
)
async def metrics(request: Request) -> Response:
    """Text for a scrape. The key is the admin's, or the one of the setting `metrics_key`, which opens nothing else."""
    gateway = gateway_of(request)
    sums = await gateway.sums.read(gateway.queries)
    gateway.metrics.holds = {} if sums is None else {each.name: each.holds for each in invariants(sums)}
    return Response(gateway.metrics.text(), media_type=CONTENT_TYPE)


@declare(operations, "GET", "/status", "What must always hold, latencies by stage, queues and lags", {200: Status})
async def status(request: Request) -> Response:
    """The host's page reads this every other second."""
    gateway = gateway_of(request)
    sums = await gateway.sums.read(gateway.queries)
    recorder = gateway.recorder
    obstacles = _obstacles(gateway)
    view = Status(
        version=__version__,
        ts=timestamp(time.time_ns() // 1000),
        uptime_s=round(time.monotonic() - gateway.started_s, 3),
        head_seq=gateway.journal.last_event_seq,
        ready=not obstacles,
        obstacles=obstacles,
        sums=None if sums is None else _sums_view(gateway, sums),
        invariants=[] if sums is None else invariants(sums),
        bounds_s=list(recorder.fsync.bounds_s),
        stages={name: _view(histogram) for name, histogram in recorder.stages.items()},
        requests={name: _view(histogram) for name, histogram in sorted(recorder.requests.items())},
        fsync=_view(recorder.fsync),
        results=[
            (name, Reason(reason).code if reason else "", count)
            for (name, reason), count in sorted(recorder.order_results().items())
        ],
        gauges={gauge.name: gauge.read() for gauge in gateway.metrics.gauges},
    )
    return json_response(view, seq=view.head_seq)


@declare(
    operations, "GET", "/audit", "What hosts did, newest first", {200: DeedPage}, parameters=(LIMIT, CURSOR, MIN_SEQ)
)
async def audit_trail(request: Request) -> Response:
    """Who did what, by which credential, and when: from the journal, where it cannot be changed without a trace."""
    await settle(request)
    limit = limit_asked(request)
    page = await ask(request, gateway_of(request).queries.deeds, request.query_params.get("cursor"), limit)
    return json_response(page, seq=page.seq)


def invariants(sums: Sums) -> list[Invariant]:
    """What must hold of the sums, each as two numbers that were found in different ways."""
    pairs = {
        "cash": (sums.cash_held, sums.cash_paid_in),
        "shares": (sum(one.held for one in sums.shares), sum(one.paid_in for one in sums.shares)),
        "shares_by_instrument": (sum(one.held != one.paid_in for one in sums.shares), 0),
        "reserved_shares": (sum(one.reserved for one in sums.shares), sum(one.offered for one in sums.shares)),
        "reserved_without_order": (sums.reserved_without_order, 0),
        "overdrawn": (sums.overdrawn, 0),
        "orders": (sums.orders_accepted, sums.orders_open + sums.orders_done),
    }
    return [Invariant(name=name, holds=left == right, left=left, right=right) for name, (left, right) in pairs.items()]


def _obstacles(gateway: Gateway) -> list[ObstacleView]:
    return [ObstacleView(*obstacle) for obstacle in gateway.readiness.obstacles()]


def _view(histogram: Histogram) -> HistogramView:
    return HistogramView(counts=list(histogram.counts), sum_s=histogram.sum_s)


def _sums_view(gateway: Gateway, sums: Sums) -> SumsView:
    symbol_of = gateway.market.directory.symbol_of
    return SumsView(
        seq=sums.seq,
        cash_held=sums.cash_held,
        cash_paid_in=sums.cash_paid_in,
        cash_reserved=sums.cash_reserved,
        orders_accepted=sums.orders_accepted,
        orders_open=sums.orders_open,
        orders_done=sums.orders_done,
        orders_rejected=sums.orders_rejected,
        shares=[
            InstrumentSums(
                symbol=symbol_of(one.instrument),
                held=one.held,
                paid_in=one.paid_in,
                reserved=one.reserved,
                offered=one.offered,
            )
            for one in sums.shares
        ],
    )
