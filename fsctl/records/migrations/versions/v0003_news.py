"""What is sent of transfers that have ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "news",
        sa.Column("transfer", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("transfer"),
    )
    with op.batch_alter_table("news") as batch_op:
        batch_op.create_index("ix_news_due", ["due"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("news") as batch_op:
        batch_op.drop_index("ix_news_due")

    op.drop_table("news")
