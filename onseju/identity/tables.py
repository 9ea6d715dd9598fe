"""The tables: users, their sessions and their API keys, and what many gateways share.

They are the same in SQLite and in PostgreSQL (there in the schema `identity`). Times are microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_key", sa.Text, nullable=False, unique=True),  # the name with its case folded
    sa.Column("password_hash", sa.Text),  # null: this user does not log in
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("account_id", sa.BigInteger, nullable=False, unique=True),
    sa.Column("owner", sa.LargeBinary(16), nullable=False),  # proves to the exchange whose account number it is
    sa.Column("account_ready", sa.Boolean, nullable=False),
    sa.Column("created_ts", sa.BigInteger, nullable=False),
    sa.Column("password_changes", sa.Integer, nullable=False, server_default="0"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.user_id"), nullable=False, index=True),
    sa.Column("created_ts", sa.BigInteger, nullable=False),
    sa.Column("expires_ts", sa.BigInteger, nullable=False, index=True),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("user_id", sa.ForeignKey("users.user_id"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),  # separated by spaces
    sa.Column("created_ts", sa.BigInteger, nullable=False),
    sa.Column("revoked_ts", sa.BigInteger),
    sa.Column("signed", sa.Boolean, nullable=False, server_default=sa.false()),  # else it is sent as a bearer key
)

nonces = sa.Table(
    "nonces",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("nonce", sa.Text, primary_key=True),
    sa.Column("forget_ts", sa.BigInteger, nullable=False, index=True),
)
"""Nonces of signed requests that came to any gateway. Of one process alone they are in its memory."""

guesses = sa.Table(
    "guesses",
    metadata,
    sa.Column("name_hash", sa.LargeBinary(16), primary_key=True),
    sa.Column("full_ts", sa.BigInteger, nullable=False, index=True),  # when all tries at this name's password are back
)
"""Wrong passwords by name, from all gateways together. Of one process alone they are in its memory."""

gateway_epochs = sa.Table(
    "gateway_epochs",
    metadata,
    sa.Column("gateway_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
"""What all gateways must agree on, by name."""
