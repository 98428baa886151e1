"""PostgreSQL 15 or later: one writer for each environment at a time, any number of readers, processes and machines.

A writer locks the row of its environment from its first read to its commit. So versions have no gaps and are in the
order of the commits. Nothing that the writer reads changes during its transaction, although every statement sees what
was committed before it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sql
from psycopg.pq import TransactionStatus
from sqlalchemy import event

from tagloom.base.counters import Times
from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.engine.storage import Snapshot, Stamp, State, Transaction, Undone
from tagloom.ports import limits
from tagloom.ports.problems import InstallationMissing, SchemaChanged, StoreUnavailable
from tagloom.stores.migrations import SCHEMA_QUERY, VERSIONS, check_schema, newest_schema, upgrade
from tagloom.stores.postgres.cluster import Cluster
from tagloom.stores.postgres.connections import Connection, Connections, Wire, connect_deaf, is_undone, unavailable
from tagloom.stores.postgres.distribution import check_cluster, is_distributed, spread
from tagloom.stores.postgres.notifications import CHANNEL, NOTIFICATION, Stamps
from tagloom.stores.postgres.reads import STATE_QUERY, PostgresSnapshot
from tagloom.stores.postgres.writes import PostgresTransaction
from tagloom.stores.schema import metadata

_LOCK_SECONDS = 60  # A bulk commit of another process may hold the environment for some seconds.
_FROZEN_SECONDS = 300  # A process that stops inside a transaction blocks others for no longer than this.
_READ_SECONDS_MAX = 30  # The time for one answer to a reader. A lost host may stay unnoticed for as long.
_WRITE_SECONDS_MAX = 600  # The time for one answer to a writer. It may wait for others, a standby, or a large COPY.
_CONTROL_CONNECTIONS = 5  # The connections of the control plane, whose queries are short.
_CONTROL_WAIT_SECONDS = 10  # The wait for a connection that is in use.
_MIGRATING = 7_239_401_118_205  # The keys of two advisory locks: a number that no other program is likely to use,
_SETTING_UP = _MIGRATING + 1  # and the number after it.
_SERVER_VERSION_MIN = 150_000

# If the operator made commits durable in more places, this setting stays. `off` and `local` become `on`: with `off`, a
# crash could lose what a receipt confirmed, and with `local`, the promotion of a synchronous standby could.
_DURABLE = (
    "CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') "
    "THEN set_config('synchronous_commit', 'on', true) END"
)
# The settings are local to the transaction, because a pooler passes the session to others after it. There is no timeout
# of statements: it would end the wait of a commit for its standby, and the commit would succeed without the standby.
_WRITER_SETTINGS = (
    f"SELECT set_config('lock_timeout', '{_LOCK_SECONDS}s', true), "
    f"set_config('idle_in_transaction_session_timeout', '{_FROZEN_SECONDS}s', true), "
    f"set_config('statement_timeout', '0', true), {_DURABLE}, "
    # Migrations wait for the writers that have begun, and further writers wait for the migration.
    f"pg_advisory_xact_lock_shared({_MIGRATING})"
)
# A statement of a writer sees what was committed before the statement, whatever the default of the database is.
_BEGIN_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresDatabase:
    """The database of an installation. Opening it runs the migrations in `versions`."""

    def __init__(
        self, url: str, *, create: bool = True, distribute: bool = False, versions: Sequence[Path] = VERSIONS
    ) -> None:
        self.url = url
        self._is_open = False
        self._schema = newest_schema(versions)
        self.engine = open_engine(url, self._control_wrote, self._check_writer, self._is_away)
        self._reading = self.engine.execution_options(reads=True)
        try:
            is_spread = self._migrate(create, distribute, versions)
        except sql.exc.DBAPIError as error:
            self.engine.dispose()
            raise StoreUnavailable(f"PostgreSQL says: {_first_line(error.orig)}", retry_after=1) from error
        except Problem:
            self.engine.dispose()
            raise
        self.cluster = Cluster(url) if is_spread else None
        if self.cluster is not None:
            event.listen(self.engine, "begin", self._join_nodes)
        self.connections = Connections(url)
        self.stamps = Stamps(url, self.connections)
        self.lock_times = Times()
        self._is_open = True

    def _migrate(self, create: bool, distribute: bool, versions: Sequence[Path]) -> bool:
        """Runs the migrations if they are needed. Returns whether the installation is distributed over a cluster."""
        with self.engine.begin() as connection:
            version: int = connection.exec_driver_sql("SELECT current_setting('server_version_num')::int").scalar_one()
            if version < _SERVER_VERSION_MIN:
                raise StoreUnavailable(f"PostgreSQL 15 or later is needed; this is {version // 10_000}.")
            is_there = connection.exec_driver_sql("SELECT to_regclass('alembic_version') IS NOT NULL").scalar_one()
            if not is_there and not create:
                raise InstallationMissing("There is no installation in this database. Create one with: tagloom init")
            is_spread = is_there and is_distributed(connection)
            if distribute and not is_spread:
                check_cluster(connection)
            if is_there and distribute and not is_spread:
                raise ParameterInvalid(
                    "The installation in this database is not distributed, and other processes may be at work on it. "
                    "Create a distributed one in another database, and bring this one there with: tagloom copy"
                )
            if is_there and connection.exec_driver_sql(SCHEMA_QUERY).scalar_one() == self._schema:
                return is_spread
            # A start fails when it has to wait for longer than writers do, because all writers would wait for it.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            # Processes that start at the same time migrate one after another. The later ones have nothing to do.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
            is_new = connection.exec_driver_sql("SELECT to_regclass('alembic_version') IS NULL").scalar_one()
            upgrade(connection, versions)
            _compare_bytewise(connection)
            if distribute and is_new:
                spread(connection)
            return is_distributed(connection)

    def _check_writer(self, connection: sql.Connection) -> None:
        if self._is_open:
            _hold_schema(connection)
            check_schema(connection.exec_driver_sql(SCHEMA_QUERY).scalar_one(), self._schema)
            connection.exec_driver_sql(f"SELECT {_DURABLE}")

    def _join_nodes(self, connection: sql.Connection) -> None:
        """Makes a transaction with the execution option `populations` read or write all nodes in one state."""
        options, opened = connection.get_execution_options(), connection.connection.driver_connection
        if not options.get("populations", False):
            return
        assert isinstance(opened, Connection)
        assert self.cluster is not None
        if options.get("reads", False):
            self.cluster.join_reading(opened)
        else:
            self.cluster.join_writing(Wire(opened), _LOCK_SECONDS)

    def place(self) -> bytes:
        """Returns an identifier that no other database of the same server has."""
        with self._reading.execution_options(patience=limits.CONTROL_SECONDS_MAX).begin() as connection:
            query = "SELECT oid::text FROM pg_database WHERE datname = current_database()"
            return str(connection.exec_driver_sql(query).scalar_one()).encode("ascii")

    def check_ready(self) -> None:
        """Checks that the database answers and has the schema of this release.

        Raises: StoreUnavailable: the database is away; SchemaChanged: it is being migrated, or has another schema.
        """
        try:
            with self._reading.execution_options(patience=limits.CONTROL_SECONDS_MAX).begin() as connection:
                _hold_schema(connection)
                check_schema(connection.exec_driver_sql(SCHEMA_QUERY).scalar_one(), self._schema)
        except (sql.exc.DBAPIError, sql.exc.TimeoutError) as error:
            said = _first_line(getattr(error, "orig", error))
            raise StoreUnavailable(f"PostgreSQL says: {said}", retry_after=1) from error

    def _is_away(self) -> bool:
        return self._is_open and self.stamps.is_away

    def _control_wrote(self) -> None:
        if self._is_open:
            self.stamps.doubt()

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Blocks other processes that begin an installation in this database until this process has finished."""
        # This transaction does not write, so it takes no lock of a writer. It must not delay a migration for which its
        # own writers wait.
        with self._reading.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SETTING_UP})")
            yield

    @contextmanager
    def writing(self) -> Iterator[Callable[[int], Transaction]]:
        """Opens one transaction over any environments. It commits at the end; an exception rolls it back.

        Raises:
            Undone: PostgreSQL rolled the transaction back, or closed the connection, before the commit was sent.
            StoreUnavailable: another error of PostgreSQL. During the commit, it is unknown whether the commit
            succeeded.
        """
        with self.connections.one(_WRITE_SECONDS_MAX) as connection:
            wire, written = Wire(connection), dict[int, Stamp]()

            def committed(environment: int, state: State) -> None:
                written[environment] = Stamp(state.version, state.catalogue_generation, state.keys_generation)

            def bind(environment: int) -> PostgresTransaction:
                # The constructor waits for the lock of the environment in its first round trip, and this wait is
                # measured.
                began = time.monotonic()
                bound = PostgresTransaction(wire, environment, self._schema, committed, self.cluster)
                self.lock_times.add(time.monotonic() - began)
                return bound

            wire.later(_BEGIN_WRITING)
            wire.later(_WRITER_SETTINGS)
            if self.cluster is not None:
                self.cluster.begin_writing(wire, _LOCK_SECONDS)
            is_committing = False
            try:
                yield bind
                wire.send()
                is_committing = True
                self._commit(connection)
            except psycopg.Error as error:
                if is_committing:
                    connection.close()
                    raise StoreUnavailable(
                        "A commit was not confirmed: what was written may be there, or not. Ask again with the same "
                        "idempotency key.",
                        retry_after=1,
                    ) from error
                undone = is_undone(error, connection)
                self._abandon(connection)
                if undone:
                    raise Undone(_first_line(error)) from error
                raise unavailable(error) from error
            except BaseException:
                self._abandon(connection)
                raise
            for environment, stamp in written.items():
                self.stamps.raise_to(environment, stamp)

    def _commit(self, connection: Connection) -> None:
        # The notification is sent after the commit, in its own transaction, which syncs nothing. Inside the commit, it
        # would hold a lock of the whole server during the sync. If a notification is lost, the next poll finds the
        # commit.
        warnings: list[str | None] = []

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                warnings.append(diagnostic.message_primary)

        connection.add_notice_handler(note)
        try:
            with connection.pipeline() as pipeline:
                committing = connection.execute("COMMIT")
                pipeline.sync()
                connection.execute(NOTIFICATION, (CHANNEL, self.stamps.sender))
        finally:
            connection.remove_notice_handler(note)
        # PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and without an error. If the wait for a
        # standby was cancelled, it answers with COMMIT and a warning.
        if committing.statusmessage != "COMMIT" or warnings:
            raise psycopg.OperationalError(f"COMMIT was answered with {committing.statusmessage}: {warnings}")

    def _abandon(self, connection: Connection) -> None:
        if connection.closed:
            self.connections.close_idle()
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            # Closing the connection rolls the transaction back as well.
            connection.close()

    def storage(self, environment: int) -> "PostgresStorage":
        """Returns the storage of one environment of the database."""
        return PostgresStorage(self, environment)

    def broken_pages(self) -> list[str]:
        """Returns an empty list. The tools of PostgreSQL check its files."""
        return []

    def close(self) -> None:
        """Closes every connection."""
        self.stamps.close()
        self.connections.close()
        self.engine.dispose()


class PostgresStorage:
    """The storage of one environment in the database."""

    def __init__(self, database: PostgresDatabase, environment: int) -> None:
        self._database = database
        self._environment = environment

    def stamp(self) -> Stamp:
        """Returns the stamp of the newest commit.

        A commit of another process may be missing, usually for some milliseconds and for a second at most. A commit of
        this process is never missing.
        """
        return self._database.stamps.stamp(self._environment)

    def find_stamp(self) -> Stamp | None:
        """Returns the stamp of the newest commit if it is in memory and fresh, or else None."""
        return self._database.stamps.find_stamp(self._environment)

    def reading(self) -> AbstractContextManager[Snapshot]:
        """Opens one committed state."""
        return self._reading()

    @contextmanager
    def _reading(self) -> Iterator[Snapshot]:
        cluster = self._database.cluster
        with self._database.connections.one(_READ_SECONDS_MAX) as connection:
            try:
                wire, layout = Wire(connection), None
                if cluster is None:
                    wire.later(_BEGIN_READING)
                    found = wire.ask(STATE_QUERY, self._environment)
                else:
                    found, layout = cluster.begin_reading(wire, self._environment)
                snapshot = PostgresSnapshot(wire, self._environment, found)
                self._database.stamps.raise_to(self._environment, snapshot.stamp())
                yield snapshot
                if cluster is not None and layout is not None:
                    cluster.end_reading(connection, layout)
            except psycopg.Error as error:
                if connection.closed:
                    self._database.connections.close_idle()
                raise unavailable(error) from error
            finally:
                if connection.info.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
                    connection.execute("ROLLBACK")


def open_engine(
    url: str,
    wrote: Callable[[], None],
    writes: Callable[[sql.Connection], None] = lambda connection: None,
    is_away: Callable[[], bool] = lambda: False,
) -> sql.Engine:
    """Returns a SQLAlchemy engine on a database, for the control plane and the migrations.

    A transaction begins with `writes`, and `wrote` is called after its end. Both are skipped for transactions with the
    execution option `reads`. The option `patience` limits the seconds of each answer. No connection is opened while the
    database `is_away`.
    """
    engine = sql.create_engine(
        "postgresql+psycopg://",
        creator=lambda: _for_sqlalchemy(url, is_away),
        pool_size=_CONTROL_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_CONTROL_WAIT_SECONDS,
        pool_pre_ping=True,
        use_native_hstore=False,
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: sql.Connection) -> None:
        opened = connection.connection.driver_connection
        assert isinstance(opened, Connection)
        opened.patience = connection.get_execution_options().get("patience")
        if not connection.get_execution_options().get("reads", False):
            connection.info["wrote"] = True
            writes(connection)

    @event.listens_for(engine, "checkin")
    def _checkin(_connection: object, record: sql.pool.ConnectionPoolEntry) -> None:
        if record.info.pop("wrote", False):
            wrote()

    return engine


def _hold_schema(connection: sql.Connection) -> None:
    """Prevents migrations until the transaction ends. Raises: SchemaChanged: a migration is running."""
    if not connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock_shared({_MIGRATING})").scalar_one():
        raise SchemaChanged("The database is being migrated.", retry_after=1)


def _for_sqlalchemy(url: str, is_away: Callable[[], bool]) -> Connection:
    if is_away():
        raise StoreUnavailable("PostgreSQL is away.", retry_after=1)
    connection = connect_deaf(url)
    connection.autocommit = False
    return connection


def _compare_bytewise(connection: sql.Connection) -> None:
    """Makes PostgreSQL compare the text columns of our tables by their bytes, as SQLite and Python do.

    Otherwise the comparison would depend on the language of the database.
    """
    found = connection.exec_driver_sql(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema=current_schema() "
        "AND data_type='text' AND collation_name IS DISTINCT FROM 'C' AND table_name=ANY(%s)",
        (list(metadata.tables),),
    ).fetchall()
    for table, column in found:
        connection.exec_driver_sql(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE text COLLATE "C"')


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
