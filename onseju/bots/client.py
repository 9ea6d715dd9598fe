"""The exchange as a bot sees it: the HTTP calls, the account's event stream and the public book, over kept connections."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from onseju.bots.grid import PriceGrid
from onseju.bots.http import Connection, Response, UnavailableError
from onseju.bots.orders import Place

BATCH = 100
"""Orders in one request; the exchange takes up to 1,000."""
MAX_FRAME_BYTES = 1024 * 1024
REPEATS = 3
"""How often orders whose outcome is not known yet are sent again."""


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
    lot_size: int = 1
    """What quantities are multiples of."""


class Answer(msgspec.Struct, frozen=True):
    """An answer's content and the exchange's command number that it is as of (0 = none told)."""

    content: Any
    seq: int


class Client:
    """One account's way to the exchange, or, without a key, the public's.

    All methods raise `UnavailableError` and `KeyRefusedError`.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = url
        self._http = Connection(url)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def close(self) -> None:
        """Close the connection."""
        await self._http.close()

    async def listings(self) -> list[Listing]:
        """All instruments."""
        answer = await self._ask("GET", "/v1/symbols")
        return [_listing(item) for item in _content(answer)["symbols"]]

    async def holdings(self, min_seq: int = 0) -> dict[str, int]:
        """Shares held, by symbol, as of command `min_seq` at the earliest."""
        headers = {"Onseju-Min-Seq": str(min_seq)} if min_seq else {}
        answer = await self._ask("GET", "/v1/positions", None, headers)
        return {item["symbol"]: item["qty"] for item in _content(answer)["positions"]}

    async def place(self, orders: Sequence[Place]) -> list[dict[str, Any] | Refused]:
        """Enter orders, in order: each one's state after matching, or why it was refused."""
        results: list[dict[str, Any] | Refused] = []
        for start in range(0, len(orders), BATCH):
            items = await self._enter([order.body() for order in orders[start : start + BATCH]])
            for item in items:
                problem = item.get("problem")
                results.append(Refused(problem["status"], problem["code"]) if problem else item["order"])
        return results

    async def _enter(self, bodies: Sequence[dict[str, object]]) -> list[dict[str, Any]]:
        """A batch's results. What is pending is sent again under the id that the gateway gave it, so that it enters once."""
        items: list[dict[str, Any]] = [{}] * len(bodies)
        asked = dict(enumerate(bodies))
        for _ in range(1 + REPEATS):
            answer = await self._ask("POST", "/v1/orders:batch", {"orders": list(asked.values())})
            found = dict(zip(asked, _content(answer)["results"], strict=True))
            asked = {
                at: asked[at] | {"client_order_id": item["pending"]["client_order_id"]}
                for at, item in found.items()
                if "pending" in item
            }
            for at, item in found.items():
                items[at] = item
            if not asked:
                return items
        raise UnavailableError(f"{len(asked)} orders have no outcome yet")

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
        answer = await self._ask("DELETE", "/v1/orders" + (f"?symbol={quote(symbol)}" if symbol else ""))
        if isinstance(answer, Refused):
            raise UnavailableError(f"cancel all: {answer.code}")
        return answer.seq

    @contextlib.asynccontextmanager
    async def subscribe(self, *channels: dict[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The frames of these channels of the WebSocket, from now on. They end when the server ends them."""
        address = "ws" + self._url.removeprefix("http") + "/v1/ws"
        try:
            async with connect(
                address, additional_headers=self._headers, max_size=MAX_FRAME_BYTES, compression=None, proxy=None
            ) as socket:
                await socket.send(msgspec.json.encode({"op": "subscribe", "channels": channels}).decode())
                answer = msgspec.json.decode(await socket.recv())
                if problem := answer.get("problem"):
                    raise UnavailableError(f"subscribe: {problem['code']}")
                yield _frames(socket)
        except InvalidStatus as error:
            headers = {name.lower(): value for name, value in error.response.headers.raw_items()}
            refused = _refused(Response(error.response.status_code, headers, bytes(error.response.body or b"")))
            raise UnavailableError(f"WebSocket: {refused.status} {refused.code}") from error
        except (OSError, WebSocketException) as error:
            raise UnavailableError(f"WebSocket: {error!r}") from error

    async def _ask(
        self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer | Refused:
        sent = self._headers | (headers or {})
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        response = await self._http.request(method, target, sent, content)
        if response.status == 202:
            raise UnavailableError(f"{method} {target}: no outcome yet")
        if 200 <= response.status < 300:
            return Answer(msgspec.json.decode(response.content), int(response.headers.get("onseju-seq", "0")))
        return _refused(response)


def _content(answer: Answer | Refused) -> Any:
    """The content of an answer to a request that nothing in a running exchange refuses."""
    if isinstance(answer, Refused):
        raise UnavailableError(f"{answer.status} {answer.code}")
    return answer.content


def _refused(response: Response) -> Refused:
    """The refusal in a response. Raises where it says that the server cannot serve now, or not this key."""
    try:
        code = str(msgspec.json.decode(response.content)["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        code = "unknown"
    if response.status in (401, 403):
        raise KeyRefusedError(code)
    if response.status in (408, 429) or response.status >= 500:
        asked = response.headers.get("retry-after", "")
        raise UnavailableError(f"{response.status} {code}", float(asked) if asked.isdigit() else 0.0)
    return Refused(response.status, code)


def _listing(item: dict[str, Any]) -> Listing:
    bands = [(band["from_price"], band["tick"]) for band in item["tick_bands"]]
    grid = PriceGrid(bands, item["lower_limit"], item["upper_limit"])
    return Listing(item["symbol"], item["base_price"], item["last_price"], grid, item["lot_size"])


async def _frames(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    async for message in socket:
        frame: dict[str, Any] = msgspec.json.decode(message)
        if "ch" in frame:
            yield frame
