"""Who asks: what authentication found out about a request."""

from __future__ import annotations

import msgspec

READ = "read"
TRADE = "trade"
ADMIN = "admin"
SCOPES = (READ, TRADE, ADMIN)


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated caller. `account_id` 0 = none (the bootstrap admin key)."""

    user_id: int
    account_id: int
    scopes: frozenset[str]
    via: str
    """`session`, `key`, or `bootstrap`."""
    name: str = ""

    def may(self, scope: str) -> bool:
        """Whether this caller has the scope."""
        return scope in self.scopes
