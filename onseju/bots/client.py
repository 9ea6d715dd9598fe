"""The exchange as a bot sees it: the HTTP calls, the account's event stream and the public book, over kept connections."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from onseju.bots.grid import PriceGrid
from onseju.bots.orders import Place

BATCH = 100
"""Orders in one request; the exchange takes up to 1,000."""
ANSWER_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 45.0
"""A stream tells every 15 s that it lives."""
MAX_FRAME_BYTES = 1024 * 1024


class UnavailableError(Exception):
    """The server does not answer, or asks to be left alone for a while (429, 503)."""

    def __init__(self, why: str, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class KeyRefusedError(Exception):
    """The server does not accept the API key: nothing that a retry could change."""


class Refused(msgspec.Struct, frozen=True):
    """A request that the exchange refused, with its reason's code."""

    status: int
    code: str


class Listing(msgspec.Struct, frozen=True):
    """An instrument and its prices of the day."""

    symbol: str
    base_price: int
    last_price: int | None
    grid: PriceGrid


class StreamEvent(msgspec.Struct, frozen=True):
    """An event of an account's stream: `order`, `fill`, `account`, `request` or `reset`."""

    id: str
    type: str
    data: dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """An answer's content and the exchange's command number that it is as of (0 = none told)."""

    content: Any
    seq: int


class Client:
    """One account's way to the exchange. All methods raise `UnavailableError` and `KeyRefusedError`."""

    def __init__(self, http: httpx.AsyncClient, key: str | None = None) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def listings(self) -> list[Listing]:
        """All instruments."""
        answer = await self._ask("GET", "/v1/symbols")
        return [_listing(item) for item in _content(answer)["symbols"]]

    async def holdings(self, min_seq: int = 0) -> dict[str, int]:
        """Shares held, by symbol, as of command `min_seq` at the earliest."""
        headers = {"Onseju-Min-Seq": str(min_seq)} if min_seq else {}
        answer = await self._ask("GET", "/v1/positions", headers=headers)
        return {item["symbol"]: item["qty"] for item in _content(answer)["positions"]}

    async def place(self, orders: Sequence[Place]) -> list[dict[str, Any] | Refused]:
        """Enter orders, in order: each one's state after matching, or why it was refused."""
        results: list[dict[str, Any] | Refused] = []
        for start in range(0, len(orders), BATCH):
            body = {"orders": [order.body() for order in orders[start : start + BATCH]]}
            answer = await self._ask("POST", "/v1/orders:batch", body)
            for item in _content(answer)["results"]:
                problem = item.get("problem")
                results.append(Refused(problem["status"], problem["code"]) if problem else item["order"])
        return results

    async def move(self, order_id: int, limit_price: int) -> dict[str, Any] | Refused:
        """Give an open order another price."""
        answer = await self._ask("PATCH", f"/v1/orders/{order_id}", {"limit_price": limit_price})
        return answer if isinstance(answer, Refused) else answer.content

    async def cancel(self, order_id: int) -> dict[str, Any] | Refused:
        """Cancel an open order."""
        answer = await self._ask("DELETE", f"/v1/orders/{order_id}")
        return answer if isinstance(answer, Refused) else answer.content

    async def cancel_all(self, symbol: str | None = None) -> int:
        """Cancel all open orders, or those of one instrument; gives the command's number."""
        answer = await self._ask("DELETE", "/v1/orders", params={"symbol": symbol} if symbol else None)
        if isinstance(answer, Refused):
            raise UnavailableError(f"cancel all: {answer.code}")
        return answer.seq

    @contextlib.asynccontextmanager
    async def events(self, after: str | None) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """The account's stream from now on, or from the event `after` on. It ends when the server ends it."""
        headers = self._headers | {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S, read=SILENCE_TIMEOUT_S)
        try:
            async with self._http.stream("GET", "/v1/stream", headers=headers, timeout=timeout) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise UnavailableError(_refused(response).code, _retry_after(response))
                yield _events(response)
        except httpx.TransportError as error:
            raise UnavailableError(f"stream: {error!r}") from error

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> Answer | Refused:
        sent = self._headers | (headers or {})
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        try:
            response = await self._http.request(method, path, content=content, headers=sent, params=params)
        except httpx.TransportError as error:
            raise UnavailableError(f"{method} {path}: {error!r}") from error
        if response.is_success:
            return Answer(msgspec.json.decode(response.content), int(response.headers.get("onseju-seq", "0")))
        return _refused(response)


def _content(answer: Answer | Refused) -> Any:
    """The content of an answer to a request that nothing in a running exchange refuses."""
    if isinstance(answer, Refused):
        raise UnavailableError(f"{answer.status} {answer.code}")
    return answer.content


def _refused(response: httpx.Response) -> Refused:
    """The refusal in a response. Raises where it says that the server cannot serve now, or not this key."""
    try:
        code = str(msgspec.json.decode(response.content)["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        code = "unknown"
    if response.status_code in (401, 403):
        raise KeyRefusedError(code)
    if response.status_code in (408, 429) or response.status_code >= 500:
        raise UnavailableError(f"{response.status_code} {code}", _retry_after(response))
    return Refused(response.status_code, code)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _listing(item: dict[str, Any]) -> Listing:
    bands = [(band["from_price"], band["tick"]) for band in item["tick_bands"]]
    grid = PriceGrid(bands, item["lower_limit"], item["upper_limit"])
    return Listing(item["symbol"], item["base_price"], item["last_price"], grid)


async def _events(response: httpx.Response) -> AsyncIterator[StreamEvent]:
    """Server-sent events: fields line by line, an empty line ends an event."""
    event_id, data = "", ""
    async for line in response.aiter_lines():
        if line.startswith("id:"):
            event_id = line[3:].strip()
        elif line.startswith("data:"):
            data = line[5:].strip()
        elif not line and data:
            envelope = msgspec.json.decode(data)
            yield StreamEvent(event_id, envelope["type"], envelope["data"])
            data = ""


async def public_frames(url: str, channels: Sequence[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """The frames of public channels, as subscribed to. Ends by raising `UnavailableError`."""
    address = "ws" + url.removeprefix("http") + "/v1/ws"
    try:
        async with connect(address, max_size=MAX_FRAME_BYTES, compression=None, proxy=None) as socket:
            await socket.send(msgspec.json.encode({"op": "subscribe", "channels": channels}).decode())
            async for message in socket:
                yield msgspec.json.decode(message)
    except (OSError, WebSocketException) as error:
        raise UnavailableError(f"market data: {error!r}") from error
    raise UnavailableError("market data: ended")
