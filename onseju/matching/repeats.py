"""Idempotency: which client ids were used, today and on the trading day before."""

from __future__ import annotations

from typing import NamedTuple

Key = tuple[int, bytes]
"""Account number and the hash of the client's id."""


KEPT_HASH_BYTES = 8
"""How much of the hash of a request's meaning is kept: enough to notice another one under the same id."""


class FirstUse(NamedTuple):
    """The request that used a client id first: the first `KEPT_HASH_BYTES` of its meaning's hash, and its command's
    number."""

    body_hash: bytes
    seq: int


class Repeats:
    """Client ids and what they were first used for. An id is free again after two rolls of the day."""

    __slots__ = ("today", "yesterday")

    def __init__(self) -> None:
        self.today: dict[Key, FirstUse] = {}
        self.yesterday: dict[Key, FirstUse] = {}

    def first_use(self, key: Key) -> FirstUse | None:
        """What the id was used for; None when it is free."""
        return self.today.get(key) or self.yesterday.get(key)

    def remember(self, key: Key, use: FirstUse) -> None:
        """Use an id up."""
        self.today[key] = use

    def roll(self) -> None:
        """A trading day begins: the ending one's ids are kept, those of the day before it are dropped."""
        self.yesterday = self.today
        self.today = {}
