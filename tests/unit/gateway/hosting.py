"""What the tests of the host's calls share: its client, the calls, and orders straight to the exchange."""

from __future__ import annotations

import httpx

from onseju.contract.commands import NewOrder, Request
from onseju.contract.events import OrderAccepted
from onseju.contract.words import OrderType, Side
from onseju.gateway import admin, admin_market, admin_rules
from tests.unit.gateway.served import Venue

HOSTS = (admin.operations, admin_market.operations, admin_rules.operations)


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def enter(venue: Venue, side: Side, qty: int = 5, price: int = 98_500) -> None:
    """An order of account 1, straight to the exchange."""
    command = NewOrder(account=1, instrument=1, side=side, order_type=OrderType.LIMIT, qty=qty, limit_price=price)
    assert isinstance(venue.bus.apply(Request(command)).events[0], OrderAccepted)


def give_account(host: httpx.Client) -> None:
    assert host.post("/v1/admin/accounts", json={"name": "kim", "cash": 10**9}).status_code == 201
