"""The trading day beside the position: a day's candle is its trading day's. All tables are filled again from the event log.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

REFILLED = (
    "orders", "fills", "trades", "accounts", "balances", "positions", "instruments", "candles", "progress",
)  # fmt: skip


def upgrade() -> None:
    for name in REFILLED:
        op.execute(sa.delete(sa.table(name)))
    with op.batch_alter_table("progress") as progress:
        progress.add_column(sa.Column("trading_day", sa.Integer(), nullable=False))
