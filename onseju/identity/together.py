"""What counts once for all gateways together: nonces of signed requests, wrong passwords for a name, gateways' epochs.

The moments are the database server's, so that the gateways' clocks need not agree to the second.
"""

from __future__ import annotations

import sqlalchemy as sa

from onseju.identity.postgres import PostgresDatabase
from onseju.identity.store import Store

SKEW_US = 60_000_000
"""How far a gateway's clock may be from the database's before a nonce could be forgotten too early."""
FORGOTTEN_AT_ONCE = 1_000
FORGET_EVERY_US = 5_000_000

_NOW_US = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_USE_NONCE = sa.text("INSERT INTO nonces VALUES (:key_id, :nonce, :forget_ts) ON CONFLICT DO NOTHING")
_QUICK = sa.text("SELECT set_config('synchronous_commit', 'off', true)")
"""For what may be lost with the server: nobody waits for a disk."""
_FORGET = sa.text(
    f"DELETE FROM nonces WHERE ctid = ANY (ARRAY(SELECT ctid FROM nonces WHERE forget_ts < {_NOW_US} "  # noqa: S608
    "LIMIT :most FOR UPDATE SKIP LOCKED))"
)
_FORGET_GUESSES = sa.text(
    f"DELETE FROM guesses WHERE ctid = ANY (ARRAY(SELECT ctid FROM guesses WHERE full_ts < {_NOW_US} "  # noqa: S608
    "LIMIT :most FOR UPDATE SKIP LOCKED))"
)
_TAKE_GUESS = sa.text(
    "INSERT INTO guesses AS own "  # noqa: S608  # nothing but our own words
    f"VALUES (:who, {_NOW_US} + :cost_us) ON CONFLICT (name_hash) DO UPDATE "
    f"SET full_ts = greatest(own.full_ts, {_NOW_US}) + :cost_us "
    f"WHERE greatest(own.full_ts, {_NOW_US}) + :cost_us <= {_NOW_US} + :fill_us"
)
_GIVE_BACK = sa.text("UPDATE guesses SET full_ts = full_ts - :cost_us WHERE name_hash = :who")
_NEXT_EPOCH = sa.text(
    "INSERT INTO gateway_epochs AS own VALUES (:gateway_id, extract(epoch FROM clock_timestamp())::bigint) "
    "ON CONFLICT (gateway_id) DO UPDATE SET epoch = greatest(own.epoch + 1, excluded.epoch) RETURNING epoch"
)
"""At least the Unix second: where an older copy of the database is put back, epochs go on above those that were used."""


class Together:
    """The shared counts. Any thread may call it."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._forget_next_us = 0

    def use_nonce(self, key_id: str, nonce: str, until_us: int, now_us: int) -> bool:
        """Use a nonce up; False where it was. `until_us`: when its request is refused for its time alone."""

        def use(connection: sa.Connection) -> bool:
            connection.execute(_QUICK)
            values = {"key_id": key_id, "nonce": nonce, "forget_ts": until_us + SKEW_US}
            return connection.execute(_USE_NONCE, values).rowcount == 1

        used = self._database.transact(use)
        if now_us >= self._forget_next_us:
            self._forget_next_us = now_us + FORGET_EVERY_US
            self._database.transact(lambda connection: connection.execute(_FORGET, {"most": FORGOTTEN_AT_ONCE * 100}))
        return used

    def take_guess(self, who: bytes, rate_per_s: float, burst: int) -> bool:
        """Take one of the tries at a name's password; False where none is left."""
        cost_us = round(1_000_000 / rate_per_s)

        def take(connection: sa.Connection) -> bool:
            connection.execute(_FORGET_GUESSES, {"most": FORGOTTEN_AT_ONCE})
            values = {"who": who, "cost_us": cost_us, "fill_us": cost_us * burst}
            return connection.execute(_TAKE_GUESS, values).rowcount == 1

        return self._database.transact(take)

    def give_guess_back(self, who: bytes, rate_per_s: float) -> None:
        """The try was no wrong password."""
        values = {"who": who, "cost_us": round(1_000_000 / rate_per_s)}
        self._database.transact(lambda connection: connection.execute(_GIVE_BACK, values))


def next_gateway_epoch(url: str, gateway_id: int) -> int:
    """A number above all that this gateway has had: by it the exchange tells a gateway's new life from an earlier one.

    Blocking. Fits 32 bits without sign until the year 2106. Raises `DatabaseUnusableError`, or `sqlalchemy.exc.DBAPIError`
    where the server is lost meanwhile: then ask again, a number left out is no harm.
    """
    if gateway_id < 1:
        raise ValueError("gateways are numbered from 1")
    database = PostgresDatabase(url)
    try:
        Store(database)
        return next_epoch(database, gateway_id)
    finally:
        database.close()


def next_epoch(database: PostgresDatabase, gateway_id: int) -> int:
    """As `next_gateway_epoch`, where the tables are known to be there."""
    found = database.transact(
        lambda connection: connection.execute(_NEXT_EPOCH, {"gateway_id": gateway_id}).scalar_one()
    )
    return int(found)
