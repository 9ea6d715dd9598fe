"""A bounded memory of what the database said: the longest unused entry goes first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Mark(NamedTuple):
    """Where a cache stood when a read of the database began."""

    drops: int
    """How often anything had been dropped."""
    at_s: float


ALONE = Mark(0, 0.0)


class Cache(Generic[K, V]):
    """A mapping of at most `size` entries."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The entry, which counts as used now."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._entries[key] = entry
        return entry

    def mark(self) -> Mark:
        """To be taken before the database is asked, and handed to `put`."""
        return ALONE

    def put(self, key: K, value: V, since: Mark = ALONE) -> None:
        """Keep the entry, at the cost of the longest unused one where there is no room."""
        self._entries.pop(key, None)
        if len(self._entries) >= self._size:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = value

    def drop(self, key: K) -> None:
        """Forget the entry."""
        self._entries.pop(key, None)

    def drop_where(self, matches: Callable[[V], bool]) -> None:
        """Forget all entries that match."""
        for key in [key for key, value in self._entries.items() if matches(value)]:
            del self._entries[key]


class SharedCache(Cache[K, V]):
    """A cache of what other gateways may change. An entry is trusted for `trust_s` since it was read, or since it was last
    certain that every change up to then had been heard.

    `heard` drops from this cache what changed, and gives that moment on `clock`.
    """

    def __init__(
        self, size: int, heard: Callable[[], float], trust_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(size)
        self._aged: Cache[K, tuple[V, float]] = Cache(size)
        """The entries, and when the reading of each began."""
        self._heard = heard
        self._trust_s = trust_s
        self._clock = clock
        self._drops = 0

    def __len__(self) -> int:
        return len(self._aged)

    def get(self, key: K) -> V | None:
        """The entry, where it can be trusted."""
        heard_s = self._heard()
        aged = self._aged.get(key)
        if aged is None:
            return None
        value, read_at_s = aged
        if max(heard_s, read_at_s) + self._trust_s > self._clock():
            return value
        self._aged.drop(key)
        return None

    def mark(self) -> Mark:
        """To be taken before the database is asked, and handed to `put`."""
        self._heard()
        return Mark(self._drops, self._clock())

    def put(self, key: K, value: V, since: Mark = ALONE) -> None:
        """Keep the entry, unless anything was dropped since the mark: it may have been this one."""
        self._heard()
        if since.drops == self._drops:
            self._aged.put(key, (value, since.at_s))

    def drop(self, key: K) -> None:
        """Forget the entry, and one that is just being read."""
        self._drops += 1
        self._aged.drop(key)

    def drop_where(self, matches: Callable[[V], bool]) -> None:
        """Forget all entries that match, and one that is just being read."""
        self._drops += 1
        self._aged.drop_where(lambda aged: matches(aged[0]))
