"""`GET /v1/events`: an account's events by the page, the same envelopes as on the streams."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract.envelope import Envelope
from onseju.contract.reasons import Reason
from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.operations import Operations, Parameter
from onseju.gateway.principal import READ
from onseju.gateway.problems import FieldError, Problem
from onseju.push.cursors import account_of, position_of

operations = Operations("streams")

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

AFTER = Parameter("after", "The last event id that the client has, `J-seq-idx`: events after it.")


class EventsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, oldest first. `next_after` is the next page's `after`; `seq` is the last command published."""

    events: list[Envelope]
    next_after: str
    seq: int


@operations.add(
    "GET",
    "/v1/events",
    summary="The account's events after a position",
    scope=READ,
    limit="query",
    responses={200: EventsPage},
    parameters=(
        AFTER,
        Parameter(
            "limit",
            "Events in the page.",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        ),
    ),
)
async def list_events(request: Request) -> Response:
    """From the first event there is without `after`. One `reset` event where `after` is of another journal, or too old."""
    ring = gateway_of(request).ring
    account = account_of(principal_of(request))
    limit = _limit(request.query_params.get("limit"))
    after = request.query_params.get("after")
    position = ring.first_place() if after is None else position_of(ring, account, after, "after")
    if position is None:
        next_after = ring.head_id()
        found = [ring.reset_frame(account)[1]]
    else:
        reader = ring.reader(account, position)
        frames: list[Any] = []
        while len(frames) < limit:
            more = await reader.next(limit - len(frames))
            if not more:
                break
            frames += more
        found = [frame.json for frame in frames]
        next_after = frames[-1].position.event_id(ring.journal_id) if frames else after or ring.head_id()
    seq = ring.head.seq
    body = b'{"events":[%b],"next_after":"%b","seq":%d}' % (b",".join(found), next_after.encode("ascii"), seq)
    return Response(body, media_type="application/json", headers={"Onseju-Seq": str(seq)})


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    error = FieldError("limit", "invalid_limit", f"A whole number from 1 to {MAX_LIMIT}.")
    raise Problem(Reason.MALFORMED, errors=[error])
