"""Who asks: what authentication found out about a request."""

from __future__ import annotations

import msgspec

READ = "read"
TRADE = "trade"
ADMIN = "admin"
SCOPES = (READ, TRADE, ADMIN)
METRICS = "metrics"
"""To read `/metrics` alone: the scope of the setting `metrics_key`, contained in `admin`. No user's key has it."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated caller. `account_id` 0 = none (the bootstrap admin key)."""

    user_id: int
    account_id: int
    scopes: frozenset[str]
    via: str
    """`session`, `key`, `signed` (a key that signs), `bootstrap`, or `setting` (the key of the metrics)."""
    name: str = ""

    def may(self, scope: str) -> bool:
        """Whether this caller has the scope."""
        return scope in self.scopes or (scope == METRICS and ADMIN in self.scopes)
