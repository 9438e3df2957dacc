"""Archived transcripts, gaps, ratings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archived",
        sa.Column("conversation_id", sa.Text, primary_key=True),
        sa.Column("from_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("to_version", sa.Integer, nullable=False),
        sa.Column("transcript", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("written", sa.Boolean, nullable=False),
    )
    op.create_table(
        "gaps",
        sa.Column("conversation_id", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("ix_gaps_at", "gaps", ["at"])
    op.create_table(
        "ratings",
        sa.Column("conversation_id", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("rating", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    for table in ("ratings", "gaps", "archived"):
        op.drop_table(table)
