"""Calls, legs, transfers and their steps."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("switch", sa.String(length=128), nullable=True),
        sa.Column("process", sa.Integer(), nullable=True),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("calls") as batch_op:
        batch_op.create_index("ix_calls_began", ["began"], unique=False)

    op.create_table(
        "journals",
        sa.Column("file", sa.String(length=128), nullable=False),
        sa.Column("kept_to", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("file"),
    )
    op.create_table(
        "legs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=True),
        sa.Column("call", sa.String(length=64), nullable=True),
        sa.Column("number", sa.String(length=256), nullable=True),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column("call_id", sa.String(length=256), nullable=True),
        sa.Column("outgoing", sa.Boolean(), nullable=True),
        sa.Column("dialled", sa.String(length=256), nullable=True),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("legs") as batch_op:
        batch_op.create_index("ix_legs_call", ["call"], unique=False)
        batch_op.create_index("ix_legs_call_id", ["call_id"], unique=False)
        batch_op.create_index("ix_legs_channel", ["channel"], unique=False)
        batch_op.create_index("ix_legs_number", ["number"], unique=False)

    op.create_table(
        "steps",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("transfer", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=128), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("steps") as batch_op:
        batch_op.create_index("ix_steps_transfer", ["transfer"], unique=False)

    op.create_table(
        "transfers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("call", sa.String(length=64), nullable=True),
        sa.Column("switch", sa.String(length=128), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("transferor", sa.String(length=64), nullable=True),
        sa.Column("transferee", sa.String(length=64), nullable=True),
        sa.Column("target", sa.String(length=64), nullable=True),
        sa.Column("transferor_number", sa.String(length=256), nullable=True),
        sa.Column("transferee_number", sa.String(length=256), nullable=True),
        sa.Column("target_number", sa.String(length=256), nullable=True),
        sa.Column("transferor_call_id", sa.String(length=256), nullable=True),
        sa.Column("transferee_call_id", sa.String(length=256), nullable=True),
        sa.Column("target_call_id", sa.String(length=256), nullable=True),
        sa.Column("refer_to", sa.Text(), nullable=True),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=256), nullable=True),
        sa.Column("details", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("transfers") as batch_op:
        batch_op.create_index("ix_transfers_began", ["began"], unique=False)
        batch_op.create_index("ix_transfers_call", ["call"], unique=False)
        batch_op.create_index("ix_transfers_target_number", ["target_number"], unique=False)
        batch_op.create_index("ix_transfers_transferee_number", ["transferee_number"], unique=False)
        batch_op.create_index("ix_transfers_transferor_number", ["transferor_number"], unique=False)
        batch_op.create_index("transfers_by_outcome", ["outcome", "began"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("transfers") as batch_op:
        batch_op.drop_index("transfers_by_outcome")
        batch_op.drop_index("ix_transfers_transferor_number")
        batch_op.drop_index("ix_transfers_transferee_number")
        batch_op.drop_index("ix_transfers_target_number")
        batch_op.drop_index("ix_transfers_call")
        batch_op.drop_index("ix_transfers_began")

    op.drop_table("transfers")
    with op.batch_alter_table("steps") as batch_op:
        batch_op.drop_index("ix_steps_transfer")

    op.drop_table("steps")
    with op.batch_alter_table("legs") as batch_op:
        batch_op.drop_index("ix_legs_number")
        batch_op.drop_index("ix_legs_channel")
        batch_op.drop_index("ix_legs_call_id")
        batch_op.drop_index("ix_legs_call")

    op.drop_table("legs")
    op.drop_table("journals")
    with op.batch_alter_table("calls") as batch_op:
        batch_op.drop_index("ix_calls_began")

    op.drop_table("calls")
