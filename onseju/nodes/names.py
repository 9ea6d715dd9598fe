"""The names of a venue's topics and consumer groups on RocketMQ. Who has a broker of its own makes them there."""

from __future__ import annotations

from collections.abc import Iterable

from onseju.scaled.rocketmq_server import EXECUTIONS_TOPIC, ORDERS_TOPIC


def topics(venue: int) -> list[str]:
    """The orders' and the executions'."""
    return [orders_topic(venue), executions_topic(venue)]


def orders_topic(venue: int) -> str:
    """Commands to the exchange."""
    return f"{ORDERS_TOPIC}-{venue}"


def executions_topic(venue: int) -> str:
    """Events from it."""
    return f"{EXECUTIONS_TOPIC}-{venue}"


def exchange_group(venue: int) -> str:
    """Whoever leads reads the orders."""
    return f"onseju-exchange-{venue}"


def gateway_group(venue: int, gateway: int) -> str:
    """Each gateway reads all executions."""
    return f"onseju-gateway-{venue}-{gateway}"


def groups(venue: int, gateways: Iterable[int]) -> list[str]:
    """All groups of a venue with these gateways."""
    return [exchange_group(venue), *[gateway_group(venue, gateway) for gateway in gateways]]
