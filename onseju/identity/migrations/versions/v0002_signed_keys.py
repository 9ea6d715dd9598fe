"""Keys that sign instead of showing their secret.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as api_keys:
        api_keys.add_column(sa.Column("signed", sa.Boolean(), server_default=sa.false(), nullable=False))
