"""The bounded memory."""

from __future__ import annotations

from onseju.identity.cache import Cache


def test_the_longest_unused_entry_goes_first() -> None:
    cache: Cache[str, int] = Cache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)


def test_entries_are_dropped_by_key_and_by_content() -> None:
    cache: Cache[str, int] = Cache(5)
    for number, name in enumerate("abcd"):
        cache.put(name, number)
    cache.drop("a")
    cache.drop("a")
    cache.drop_where(lambda value: value > 1)
    assert [cache.get(name) for name in "abcd"] == [None, 1, None, None]
