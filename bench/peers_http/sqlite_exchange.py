"""The exchange that one writes first: FastAPI, an order book from PyPI in memory, and SQLAlchemy on SQLite.

Each request is one transaction that is on the disk before its answer (WAL, `synchronous=FULL`): the order, its trades, and the
cash and shares of both sides. What such a program can easily do better than the tutorials it does: handlers without a thread
pool, one session whose objects stay, uvloop and httptools.

`python sqlite_exchange.py DATABASE ACCOUNTS`; the keys are k0.s, k1.s, … It says its address when it is open.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from lightmatchingengine.lightmatchingengine import LightMatchingEngine
from pydantic import BaseModel, Field
from sqlalchemy import ForeignKey, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

BUY, SELL = 1, 2


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    account_id: Mapped[int] = mapped_column(primary_key=True)
    cash: Mapped[int]


class Position(Base):
    __tablename__ = "positions"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.account_id"), primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    qty: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    order_id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.account_id"), index=True)
    client_order_id: Mapped[str | None] = mapped_column(unique=True)
    symbol: Mapped[str]
    side: Mapped[str]
    qty: Mapped[int]
    leaves_qty: Mapped[int]
    limit_price: Mapped[int | None]
    status: Mapped[str]


class Trade(Base):
    __tablename__ = "trades"
    trade_id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.order_id"), index=True)
    maker_order_id: Mapped[int] = mapped_column(ForeignKey("orders.order_id"), index=True)
    price: Mapped[int]
    qty: Mapped[int]


class NewOrder(BaseModel):
    symbol: str
    side: Literal["buy", "sell"]
    type: Literal["limit", "market"]
    qty: int = Field(gt=0)
    limit_price: int | None = Field(default=None, gt=0)
    client_order_id: str | None = Field(default=None, max_length=64)


class Fill(BaseModel):
    trade_id: int
    price: int
    qty: int


class OrderView(BaseModel):
    order_id: int
    account_id: int
    client_order_id: str | None
    symbol: str
    side: str
    qty: int
    leaves_qty: int
    limit_price: int | None
    status: str
    fills: list[Fill] = []


class Exchange:
    """The book in memory and the session on the database; one request at a time."""

    def __init__(self, path: str, accounts: int) -> None:
        engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

        Base.metadata.create_all(engine)
        self.session = Session(engine, expire_on_commit=False, autoflush=False)
        self.session.add_all(Account(account_id=number + 1, cash=10**15) for number in range(accounts))
        self.session.commit()
        self.keys = {f"Bearer k{number}.s": number + 1 for number in range(accounts)}
        self.book = LightMatchingEngine()
        self.orders: dict[int, Order] = {}
        self.positions: dict[tuple[int, str], Position] = {}
        self.accounts = {account.account_id: account for account in self.session.query(Account)}

    def enter(self, account_id: int, form: NewOrder) -> OrderView:
        """Match an order and commit what came of it."""
        if (form.type == "limit") != (form.limit_price is not None):
            raise HTTPException(422, "a limit order has a limit_price, a market order has none")
        side = BUY if form.side == "buy" else SELL
        entered, told = self.book.add_order(form.symbol, form.limit_price or 0, form.qty, side)
        if form.type == "market" and entered.leaves_qty:
            self.book.cancel_order(entered.order_id, form.symbol)
        order = Order(
            order_id=entered.order_id,
            account_id=account_id,
            client_order_id=form.client_order_id,
            symbol=form.symbol,
            side=form.side,
            qty=form.qty,
            leaves_qty=form.qty,
            limit_price=form.limit_price,
            status="new",
        )
        self.session.add(order)
        fills = []
        for maker in (trade for trade in told if trade.order_id != entered.order_id):
            trade = Trade(
                order_id=order.order_id, maker_order_id=maker.order_id, price=maker.trade_price, qty=maker.trade_qty
            )
            self.session.add(trade)
            self._settle(order, self.orders[maker.order_id], trade)
            fills.append(trade)
        if order.leaves_qty and form.type == "limit":
            self.orders[order.order_id] = order
        elif order.leaves_qty:
            order.status = "canceled"
        self.session.commit()
        return OrderView(
            order_id=order.order_id,
            account_id=account_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            qty=order.qty,
            leaves_qty=order.leaves_qty,
            limit_price=order.limit_price,
            status=order.status,
            fills=[Fill(trade_id=fill.trade_id, price=fill.price, qty=fill.qty) for fill in fills],
        )

    def _settle(self, taker: Order, maker: Order, trade: Trade) -> None:
        for order in (taker, maker):
            order.leaves_qty -= trade.qty
            order.status = "partially_filled" if order.leaves_qty else "filled"
            sign = 1 if order.side == "buy" else -1
            self.accounts[order.account_id].cash -= sign * trade.price * trade.qty
            key = order.account_id, order.symbol
            position = self.positions.get(key)
            if position is None:
                position = self.positions[key] = Position(account_id=key[0], symbol=key[1], qty=10**7)
                self.session.add(position)
            position.qty += sign * trade.qty
        if not maker.leaves_qty:
            del self.orders[maker.order_id]

    def cancel(self, account_id: int, order_id: int) -> OrderView:
        """Take an order out and commit that."""
        order = self.orders.get(order_id)
        if order is None or order.account_id != account_id:
            raise HTTPException(409, "the order is done")
        self.book.cancel_order(order_id, order.symbol)
        del self.orders[order_id]
        order.status, order.leaves_qty = "canceled", 0
        self.session.commit()
        return OrderView(
            **{name: getattr(order, name) for name in OrderView.model_fields if name != "fills"},
        )


exchange: Exchange


def who(authorization: Annotated[str, Header()]) -> int:
    """The account of a request's key."""
    account_id = exchange.keys.get(authorization)
    if account_id is None:
        raise HTTPException(401, "no such key")
    return account_id


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the session at the end."""
    yield
    exchange.session.close()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/orders", status_code=201)
async def new_order(form: NewOrder, account_id: Annotated[int, Depends(who)]) -> OrderView:
    """Enter an order."""
    return exchange.enter(account_id, form)


@app.delete("/v1/orders/{order_id}")
async def cancel_order(order_id: int, account_id: Annotated[int, Depends(who)]) -> OrderView:
    """Cancel an order."""
    return exchange.cancel(account_id, order_id)


if __name__ == "__main__":
    exchange = Exchange(sys.argv[1], int(sys.argv[2]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"open at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
