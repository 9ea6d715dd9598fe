"""Sums over all accounts, and what hosts did. All tables are filled again from the event log: sums begin at its beginning.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

REFILLED = (
    "orders", "fills", "trades", "accounts", "balances", "positions", "instruments", "candles", "progress",
)  # fmt: skip


def upgrade() -> None:
    for name in REFILLED:
        op.execute(sa.delete(sa.table(name)))
    op.create_table(
        "sums",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("instrument", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "instrument", name=op.f("pk_sums")),
    )
    op.create_table(
        "deeds",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.BigInteger(), nullable=False),
        sa.Column("via", sa.SmallInteger(), nullable=False),
        sa.Column("account", sa.BigInteger(), nullable=False),
        sa.Column("instrument", sa.BigInteger(), nullable=False),
        sa.Column("about_seq", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_deeds")),
    )
