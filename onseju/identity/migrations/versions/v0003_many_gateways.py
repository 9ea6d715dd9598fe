"""What many gateways share: password changes counted, nonces, guesses, the gateways' epochs, and facts about the set.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("password_changes", sa.Integer(), server_default="0", nullable=False))
    # Ten seconds' memory needs no write-ahead log. What a crash of the server empties, nobody was promised.
    prefixes = ["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else []
    op.create_table(
        "nonces",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("forget_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "nonce", name=op.f("pk_nonces")),
        prefixes=prefixes,
    )
    op.create_index(op.f("ix_nonces_forget_ts"), "nonces", ["forget_ts"])
    op.create_table(
        "guesses",
        sa.Column("name_hash", sa.LargeBinary(16), nullable=False),
        sa.Column("full_ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name_hash", name=op.f("pk_guesses")),
    )
    op.create_index(op.f("ix_guesses_full_ts"), "guesses", ["full_ts"])
    op.create_table(
        "gateway_epochs",
        sa.Column("gateway_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", name=op.f("pk_gateway_epochs")),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
