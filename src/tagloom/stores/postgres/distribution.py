"""Distributes a new installation over the nodes of a cluster, and detects a distributed installation."""

import sqlalchemy as sql

from tagloom.base.problems import ParameterInvalid

# The first release of Citus that begins the transaction on a node in the same way as on the coordinator.
_RELEASE_MIN = (11, 2)
PLACES_REACHED = 1_024  # Rows of each reach table: enough to have some on each of 32 shards, or of a few hundred.
# Statements for the tables that only a cluster has: the marks on every node, and the tables with rows on each shard;
# see `cluster`.
_OWN = (
    "CREATE TABLE mark (environment int4 PRIMARY KEY, writer int8 NOT NULL, before int8)",
    "CREATE TABLE reach (place int4 PRIMARY KEY)",
    "CREATE TABLE reach_of_keys (place int8 PRIMARY KEY)",
    # A unique key must contain the column by which its table is distributed.
    "ALTER TABLE chunk DROP CONSTRAINT chunk_pkey, ADD PRIMARY KEY (place, bucket)",
    "ALTER TABLE change DROP CONSTRAINT change_pkey, ADD PRIMARY KEY (id, bucket)",
)
# Each table, the column by which it is distributed, and the table whose shards are on the same nodes as its own.
_SPREAD = (
    ("chunk", "bucket", "none"),
    ("change", "bucket", "chunk"),
    ("batch_bucket", "bucket", "chunk"),
    ("reach", "place", "chunk"),
    ("page", "place", "none"),
    ("segment", "first", "page"),
    ("reach_of_keys", "place", "page"),
)


def is_distributed(connection: sql.Connection) -> bool:
    """Returns whether the installation in this database is distributed over a cluster."""
    if connection.exec_driver_sql("SELECT to_regclass('pg_dist_partition')").scalar_one() is None:
        return False
    found = connection.exec_driver_sql("SELECT 1 FROM pg_dist_partition WHERE logicalrelid=to_regclass('chunk')")
    return found.first() is not None


def check_cluster(connection: sql.Connection) -> None:
    """Checks that the database can have a distributed installation.

    Raises: ParameterInvalid: it is not the coordinator of a suitable cluster.
    """
    found = connection.exec_driver_sql("SELECT extversion FROM pg_extension WHERE extname='citus'").scalar()
    if found is None:
        raise ParameterInvalid(
            "--distributed needs Citus, which this database has not: CREATE EXTENSION citus, here and on each node."
        )
    if tuple(map(int, found.split("-")[0].split("."))) < _RELEASE_MIN:
        raise ParameterInvalid(f"Citus 11.2 or later is needed; this is {found}.")
    if connection.exec_driver_sql("SELECT groupid FROM pg_dist_local_group").scalar_one() != 0:
        raise ParameterInvalid("This database is a node of a cluster; name its coordinator's.")
    is_added, nodes = connection.exec_driver_sql(
        "SELECT count(*) FILTER (WHERE groupid=0), count(*) FILTER (WHERE isactive AND shouldhaveshards) "
        "FROM pg_dist_node WHERE noderole='primary'"
    ).one()
    if not is_added or not nodes:
        raise ParameterInvalid(
            "The cluster has no nodes yet: SELECT citus_set_coordinator_host(…), and SELECT citus_add_node(…) for each."
        )


def spread(connection: sql.Connection) -> None:
    """Distributes the tables of a new, empty installation, in the transaction that created the tables."""
    # On each node, only the connection of this transaction sees the tables that the transaction created.
    connection.exec_driver_sql("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
    for statement in _OWN:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("SELECT create_reference_table('mark')")
    for table, column, beside in _SPREAD:
        connection.exec_driver_sql(
            "SELECT create_distributed_table(%s, %s, colocate_with => %s)", (table, column, beside)
        )
    for table in ("reach", "reach_of_keys"):
        connection.exec_driver_sql(f"INSERT INTO {table} SELECT generate_series(0, {PLACES_REACHED - 1})")
