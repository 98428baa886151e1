"""In PostgreSQL what is packed already is stored as it is, since packing it again takes time and gains a hundredth."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PACKED = {
    "chunk": ("bearers",),
    "change": ("added", "removed"),
    "batch_bucket": ("people", "places"),
    "page": ("entries",),
    "segment": ("keys",),
}
_IS_SPREAD = "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid=to_regclass('chunk')"


def upgrade() -> None:
    """Changes what is written from now on; nothing is rewritten. Citus cannot change it of a table that is spread."""
    if op.get_context().dialect.name != "postgresql":
        return
    connection = op.get_bind()
    has_citus = connection.exec_driver_sql("SELECT to_regclass('pg_dist_partition') IS NOT NULL").scalar_one()
    if has_citus and connection.exec_driver_sql(_IS_SPREAD).scalar_one():
        return
    for table, columns in PACKED.items():
        op.execute(f"ALTER TABLE {table} " + ", ".join(f"ALTER COLUMN {name} SET STORAGE EXTERNAL" for name in columns))
