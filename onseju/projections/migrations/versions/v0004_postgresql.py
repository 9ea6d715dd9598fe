"""PostgreSQL: text compared by its bytes; room in the pages of rows that change often. SQLite's tables stay as they are.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TEXTS = {
    "orders": ("client_order_id",),
    "instruments": ("symbol", "name"),
    "sums": ("name", "value"),
    "deeds": ("text",),
    "progress": ("journal_id",),
}
# A changed row goes into its own page while there is room, and no index hears of it.
CHANGING = {"balances": 70, "positions": 70, "candles": 70, "progress": 50, "sums": 50, "orders": 90}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, names in TEXTS.items():
        for name in names:
            op.alter_column(table, name, type_=sa.Text(collation="C"))
    for table, percent in CHANGING.items():
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")
    for table in ("balances", "positions", "candles"):
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.05)")
    # Many rows a day are added and few changed: the planner's statistics of the newest rows must not be days old.
    for table in ("orders", "fills", "trades"):
        op.execute(f"ALTER TABLE {table} SET (autovacuum_analyze_scale_factor = 0.02)")
