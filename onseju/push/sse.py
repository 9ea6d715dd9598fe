"""`GET /v1/stream`: an account's events as Server-Sent Events, straight from ASGI: encoded frames in, one send for many."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.operations import Operations, Parameter
from onseju.gateway.principal import READ
from onseju.push.cursors import account_of, position_of
from onseju.push.events import AFTER
from onseju.push.ring import AccountReader, AccountRing, TooOldError
from onseju.push.streams import SEND_FRAMES, Stream, owner_of, still_valid, streams_of

operations = Operations("streams")

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
RETRY = b"retry: 1000\n"
HEARTBEAT = b": heartbeat\n\n"


@operations.add(
    "GET",
    "/v1/stream",
    summary="The account's events as they happen (Server-Sent Events)",
    scope=READ,
    limit="stream",
    responses={200: None},
    parameters=(
        AFTER,
        Parameter("Last-Event-ID", "As `after`, and before it: what a browser sends by itself.", where="header"),
    ),
)
async def stream(request: Request) -> Response:
    """Events after the given one, and from now on without one. See "Streams" in the guide."""
    ring = gateway_of(request).ring
    account = account_of(principal_of(request))
    cursor = request.headers.get("last-event-id") or request.query_params.get("after")
    if cursor is None:
        # An id without data is no event, but an EventSource keeps it: a client that is cut off before its first event
        # resumes from here.
        hello = RETRY + b": connected\nid:%b\n\n" % ring.head_id().encode("ascii")
        return SseResponse(request, ring, account, ring.reader(account), hello)
    position = position_of(ring, account, cursor, "after")
    hello = RETRY + b": connected\n\n"
    if position is None:
        return SseResponse(request, ring, account, ring.reader(account), hello + ring.reset_frame(account)[0])
    return SseResponse(request, ring, account, ring.reader(account, position), hello)


class SseResponse(Response):
    """The stream of one connection."""

    def __init__(self, request: Request, ring: AccountRing, account: int, reader: AccountReader, hello: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = [*HEADERS, (b"onseju-seq", b"%d" % ring.head.seq)]
        self._request = request
        self._ring = ring
        self._account = account
        self._reader = reader
        self._hello = hello

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with streams_of(self._request).open(self._request, owner_of(self._request)) as stream:
            stream.lost = lambda: self._reader.behind
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            leaving = asyncio.create_task(_watch(receive, stream))
            self._ring.wake(self._account, stream.wake.set)
            try:
                with stream.cutting():
                    await self._run(stream, send)
            finally:
                self._ring.forget(self._account, stream.wake.set)
                if not stream.dropped:
                    leaving.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await leaving

    async def _run(self, stream: Stream, send: Send) -> None:
        wake = stream.wake
        out = self._hello
        while not stream.ended:
            wake.clear()
            if stream.heartbeat_due:
                stream.heartbeat_due = False
                if not await still_valid(self._request):
                    break
                out += HEARTBEAT
            try:
                frames = await self._reader.next(SEND_FRAMES)
            except TooOldError:  # it fell so far behind that the log has let go of what it would get next
                frames = []
                out += self._ring.reset_frame(self._account)[0]
                self._reader = self._ring.reader(self._account)
            if frames:
                out += b"".join([frame.sse for frame in frames])
            if out:
                await stream.send(send({"type": "http.response.body", "body": out, "more_body": True}))
                out = b""
            if not frames:
                await wake.wait()
        await stream.send(send({"type": "http.response.body", "body": out, "more_body": False}))


async def _watch(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()
