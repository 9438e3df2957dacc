"""How far each conversation has been told to the webhooks, and what was asked and not answered each day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_told",
        sa.Column("conversation_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "days",
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("gaps", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    for table in ("days", "webhook_told"):
        op.drop_table(table)
