"""A ceiling: Starlette and msgspec read an order, look its key up and answer. There is no exchange, nothing is kept.

`python bare.py ACCOUNTS`; the keys are k0.s, k1.s, … It says its address when it is open.
"""

from __future__ import annotations

import itertools
import socket
import sys
from typing import Literal

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class NewOrder(msgspec.Struct):
    symbol: str
    side: Literal["buy", "sell"]
    type: Literal["limit", "market"]
    qty: int
    limit_price: int | None = None
    client_order_id: str | None = None


class OrderView(msgspec.Struct):
    order_id: int
    account_id: int
    client_order_id: str | None
    symbol: str
    side: str
    qty: int
    leaves_qty: int
    limit_price: int | None
    status: str
    fills: list[None]


KEYS = {f"Bearer k{number}.s": number + 1 for number in range(int(sys.argv[1]))}
numbers = itertools.count(1)
decode = msgspec.json.Decoder(NewOrder).decode
encode = msgspec.json.Encoder().encode


async def new_order(request: Request) -> Response:
    """Answer as if it rested."""
    account_id = KEYS.get(request.headers.get("authorization", ""))
    if account_id is None:
        return Response(status_code=401)
    form = decode(await request.body())
    view = OrderView(
        next(numbers),
        account_id,
        form.client_order_id,
        form.symbol,
        form.side,
        form.qty,
        form.qty,
        form.limit_price,
        "new",
        [],
    )
    return Response(encode(view), 201, media_type="application/json")


async def cancel_order(request: Request) -> Response:
    """Answer as if it was open."""
    if request.headers.get("authorization", "") not in KEYS:
        return Response(status_code=401)
    return Response(encode({"order_id": int(request.path_params["order_id"])}), media_type="application/json")


app = Starlette(
    routes=[
        Route("/v1/orders", new_order, methods=["POST"]),
        Route("/v1/orders/{order_id}", cancel_order, methods=["DELETE"]),
    ]
)

if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"open at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
