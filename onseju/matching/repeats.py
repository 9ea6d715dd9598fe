"""Idempotency: which client ids were used, today and on the trading day before."""

from __future__ import annotations

from collections import Counter
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
    """Client ids and what they were first used for. An id is free again after two rolls of the day.

    How many each account used today is not part of the state: it follows from the ids.
    """

    __slots__ = ("_used", "today", "yesterday")

    def __init__(self) -> None:
        self.today: dict[Key, FirstUse] = {}
        self.yesterday: dict[Key, FirstUse] = {}
        self._used: Counter[int] = Counter()

    def first_use(self, key: Key) -> FirstUse | None:
        """What the id was used for; None when it is free."""
        return self.today.get(key) or self.yesterday.get(key)

    def remember(self, key: Key, use: FirstUse) -> None:
        """Use an id up that is free."""
        self.today[key] = use
        self._used[key[0]] += 1

    def used_today(self, account: int) -> int:
        """How many ids an account has used on this trading day."""
        return self._used[account]

    def roll(self) -> None:
        """A trading day begins: the ending one's ids are kept, those of the day before it are dropped."""
        self.yesterday = self.today
        self.today = {}
        self._used.clear()
