"""Runs queries in other databases: one statement that only reads, in a read-only session, with a limit of time."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import quote

import sqlalchemy as sql

from tagloom.base.text import printable
from tagloom.egress import limits
from tagloom.egress.problems import SourceUnreadable
from tagloom.jobs.loop import BackgroundLoop

IsOver: TypeAlias = Callable[[], bool]
"""A function that returns True if the rows are no longer needed."""

_SECONDS_BETWEEN_CHECKS = 0.2
_BUSY_SECONDS = 5
# PyMySQL waits this much longer than the database's own limit, whose answer says more than a lost connection.
_READ_SECONDS_MORE = 10
# With these modes, MySQL and MariaDB end a text or a quoted name at other places if it has backslashes.
_BACKSLASH_MODES = ("NO_BACKSLASH_ESCAPES", "ANSI_QUOTES")
_BIT = 16  # The type code of BIT in the protocol of MySQL and MariaDB.
_STANDARD = (
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]"  # Comments, texts and names.
)
_POSTGRES = (
    r"--[^\n]*|/\*.*?\*/|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$([A-Za-z_]\w*)?\$.*?\$\1\$"
)
# A comment that begins with `/*!`, or in MariaDB with `/*M!`, is code. `--` begins a comment if an ASCII space follows.
_MYSQL = (
    r"--(?=[ \t-\r]|$)[^\n]*|#[^\n]*|/\*(?![Mm]?!).*?\*/|'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`]|``)*`"
)
# These patterns match comments, texts and quoted names. Keywords have no meaning in them.
_QUOTED: Mapping[str, re.Pattern[str]] = {
    "postgresql": re.compile(_POSTGRES, re.DOTALL),
    "mysql": re.compile(_MYSQL, re.DOTALL),
    "mariadb": re.compile(_MYSQL, re.DOTALL),
}
_OTHERWISE = re.compile(_STANDARD, re.DOTALL)
_BEGINNING = re.compile(r"[\s(]*(select|with|values|table)\b", re.IGNORECASE)
# These keywords are refused for databases that have no read-only sessions, or that can write files in such a session.
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|into|create|drop|alter|truncate|grant|revoke|call|exec|execute|copy|attach|vacuum)\b",
    re.IGNORECASE,
)
# For each database, the extra of Tagloom that installs its driver, and the address that selects that driver.
_EXTRAS: Mapping[str, tuple[str, str]] = {
    "mysql": ("mysql", "mysql://"),
    "mariadb": ("mysql", "mariadb://"),
    "mssql": ("odbc", "mssql+pyodbc://"),
}
_GUARDED = frozenset({"sqlite", "postgresql"})
_MAY = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})


def never() -> bool:
    """Returns False. This is the default of `is_over`: all rows are needed."""
    return False


@contextmanager
def queried(
    query: str, url: str, given: Mapping[str, object], *, rows_at_once: int, seconds: int, is_over: IsOver = never
) -> Iterator[sql.CursorResult[Any]]:
    """Runs a query and yields its result, which reads `rows_at_once` rows at a time. Rolls back when the block ends.

    `given` has the parameters of the query.

    Raises: SourceUnreadable: the query is not a single statement that reads, the database refuses the query, the query
    takes longer than `seconds`, or `is_over` returns True.
    """
    with _translated(url):
        place = address_of(url)
        check_reads(query, place.get_backend_name())
        engine = _engine_of(place, seconds)
        is_postgres = place.get_backend_name() == "postgresql"
        session: dict[str, Any] = {"postgresql_readonly": True} if is_postgres else {}
        few: dict[str, Any] = {"stream_results": True, "yield_per": rows_at_once}
        with _connected(engine).execution_options(**session) as connection:
            _restrict(connection, place.get_backend_name(), seconds)
            _check_backslashes(connection, query, place.get_backend_name())
            with _watched(connection, place, seconds, is_over) as watch:
                found: sql.CursorResult[Any] | None = None
                try:
                    found = connection.execute(sql.text(query), given, execution_options=few)
                    yield found
                except sql.exc.DBAPIError:
                    if watch.is_over():
                        raise _cancelled(seconds) from None
                    raise
                finally:
                    _leave(connection, place, found)
                # Some cancelled queries do not fail: BENCHMARK in MariaDB and SLEEP in MySQL return a row.
                if watch.is_over():
                    raise _cancelled(seconds)


def _cancelled(seconds: int) -> SourceUnreadable:
    return SourceUnreadable(
        f"The query was cancelled: it took longer than {seconds:,} seconds, or its rows were no longer needed."
    )


def _leave(connection: sql.Connection, place: sql.URL, found: sql.CursorResult[Any] | None) -> None:
    """Rolls back. Ends the query before, because the drivers of MySQL would read all rows that are left."""
    if found is not None and place.get_backend_name() in ("mysql", "mariadb"):
        _cancel(connection, place)
        cursor: Any = found.cursor
        if cursor is not None:
            # SQLAlchemy would log the driver's error, which says that the query was ended.
            with suppress(connection.dialect.loaded_dbapi.Error):
                cursor.close()
        found.close()
    with suppress(sql.exc.DBAPIError):
        connection.rollback()


def check_reads(query: str, backend: str) -> None:
    """Checks that a query is one statement that reads, as far as its text shows.

    Raises: SourceUnreadable.
    """
    outside = _QUOTED.get(backend, _OTHERWISE).sub(" ", query).strip().removesuffix(";")
    if ";" in outside or "'" in outside or "/*" in outside:
        raise SourceUnreadable("A query must be one statement, with closed quotes and comments.")
    if _BEGINNING.match(outside) is None:
        raise SourceUnreadable("A query must only read: it must begin with SELECT, WITH, VALUES or TABLE.")
    found = None if backend in _GUARDED else _WRITES.search(outside)
    if found is not None:
        raise SourceUnreadable(f"A query must only read, but '{found[0]}' writes. Quote it if it is a column's name.")


def _check_backslashes(connection: sql.Connection, query: str, backend: str) -> None:
    """Checks that MySQL and MariaDB end the texts of a query where `check_reads` ends them.

    Raises: SourceUnreadable.
    """
    if backend not in ("mysql", "mariadb") or "\\" not in query:
        return
    modes = str(connection.exec_driver_sql("SELECT @@SESSION.sql_mode").scalar()).split(",")
    for mode in _BACKSLASH_MODES:
        if mode in modes:
            raise SourceUnreadable(
                f"The database has the sql_mode {mode}. With this mode, a query cannot have a backslash."
            )


def address_of(url: str) -> sql.URL:
    """Returns the parsed address of a database. If the address of MySQL or MariaDB names no driver, selects PyMySQL."""
    place = sql.make_url(url)
    return place.set(drivername=f"{place.drivername}+pymysql") if place.drivername in ("mysql", "mariadb") else place


def _engine_of(place: sql.URL, seconds: int) -> sql.Engine:
    """Returns an engine that opens a new connection for each use. Raises: SourceUnreadable: the driver is missing."""
    try:
        return _created(place, seconds)
    except (ImportError, sql.exc.NoSuchModuleError) as error:
        raise _driver_missing(place, error) from error


def _connected(engine: sql.Engine) -> sql.Connection:
    """Opens a connection. Raises: SourceUnreadable: the driver does not know a part of the address."""
    try:
        return engine.connect()
    except (TypeError, AttributeError, LookupError) as error:
        # PyMySQL raises these for an option or a charset that it does not know.
        raise SourceUnreadable(
            "The address of the database has an option that its driver does not accept. Check what follows the '?'."
        ) from error


def _driver_missing(place: sql.URL, error: Exception) -> SourceUnreadable:
    name, backend = printable(place.drivername), place.drivername.partition("+")[0]
    if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError):
        # The package is installed, but a system library that it needs is missing. An example is pyodbc without
        # unixODBC.
        return SourceUnreadable(
            f"The driver of '{name}' cannot be loaded: {printable(str(error))}. Install that system library."
        )
    says = f"The driver of '{name}' is not installed where Tagloom runs."
    extra, address = ("odbc", f"{backend}+pyodbc://") if "pyodbc" in name else _EXTRAS.get(backend, ("", ""))
    if not extra:
        return SourceUnreadable(f"{says} Install the Python package that brings it, as SQLAlchemy names it.")
    return SourceUnreadable(
        f'{says} Install the extra: pip install "tagloom[{extra}]", and begin the address with {address}',
        suggestion=f"tagloom[{extra}]",
    )


def _created(place: sql.URL, seconds: int) -> sql.Engine:
    backend, driver = place.get_backend_name(), place.get_driver_name()
    if backend == "sqlite":
        return sql.create_engine(place, poolclass=sql.NullPool, creator=lambda: _open_file(place))
    connecting: dict[str, object] = {}
    if driver == "pymysql":
        connecting = {"connect_timeout": limits.FETCH_CONNECT_SECONDS_MAX, "read_timeout": seconds + _READ_SECONDS_MORE}
    elif driver == "mysqldb":
        connecting = {"connect_timeout": limits.FETCH_CONNECT_SECONDS_MAX, "multi_statements": False}
    elif driver in ("psycopg", "psycopg2"):
        connecting = {"connect_timeout": limits.FETCH_CONNECT_SECONDS_MAX}
    elif driver == "pyodbc":
        connecting = {"timeout": limits.FETCH_CONNECT_SECONDS_MAX, "autocommit": False}
    return sql.create_engine(place, poolclass=sql.NullPool, connect_args=connecting)


def _open_file(place: sql.URL) -> sqlite3.Connection:
    """Opens a SQLite file read-only. Does not create a missing file."""
    address = f"file:{quote(place.database or '')}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _authorize(action: int, first: str | None, second: str | None, *where: str | None) -> int:
    """Returns whether SQLite allows or denies an action of a statement. Only actions that read are allowed."""
    return sqlite3.SQLITE_OK if action in _MAY and second != "load_extension" else sqlite3.SQLITE_DENY


def _restrict(connection: sql.Connection, backend: str, seconds: int) -> None:
    """Makes the session and its transaction read-only as far as the database supports it, and sets a limit of time."""
    driver: Any = connection.connection.dbapi_connection
    match backend:
        case "sqlite":
            driver.execute("PRAGMA query_only=ON")
            driver.set_authorizer(_authorize)
        case "postgresql":
            # The transaction is already read-only, and its mode cannot be changed back.
            connection.exec_driver_sql("SET LOCAL standard_conforming_strings = on")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {seconds * 1_000}")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {seconds * 1_000}")
        case "mysql" | "mariadb":
            is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
            limit = f"max_statement_time = {seconds}" if is_mariadb else f"max_execution_time = {seconds * 1_000}"
            connection.exec_driver_sql(f"SET SESSION {limit}")
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
            if connection.dialect.driver == "pymysql":
                # PyMySQL returns the bytes of a BIT. Many schemas store a boolean as BIT(1).
                driver.decoders = {**driver.decoders, _BIT: lambda value: int.from_bytes(value, "big")}
        case "mssql":
            driver.timeout = seconds  # An attribute of pyodbc's connection.
        case _:
            pass


class _Watch:
    """The limit of a query, and whether the query was cancelled here."""

    def __init__(self, seconds: int) -> None:
        self.until = monotonic() + seconds
        self.has_cancelled = False

    def is_over(self) -> bool:
        """Returns True if the query was cancelled here, or if the database had to end it."""
        return self.has_cancelled or monotonic() >= self.until


@contextmanager
def _watched(connection: sql.Connection, place: sql.URL, seconds: int, is_over: IsOver) -> Iterator[_Watch]:
    """Starts a thread that cancels the query of a connection after `seconds`, or when `is_over` returns True.

    The thread ends with the block.
    """
    watch = _Watch(seconds)

    def check() -> None:
        if monotonic() >= watch.until or is_over():
            watch.has_cancelled = True
            _cancel(connection, place)

    loop = BackgroundLoop(check, seconds=_SECONDS_BETWEEN_CHECKS, name="tagloom-query")
    loop.start()
    try:
        yield watch
    finally:
        loop.stop()


def _cancel(connection: sql.Connection, place: sql.URL) -> None:
    """Cancels the query that a connection is running.

    Does nothing for other databases than SQLite, PostgreSQL, MySQL and MariaDB.
    """
    driver: Any = connection.connection.dbapi_connection
    match place.get_backend_name():
        case "sqlite":
            driver.interrupt()
        case "postgresql":
            driver.cancel()
        case "mysql" | "mariadb":
            with suppress(sql.exc.SQLAlchemyError), _engine_of(place, 5).connect() as other:
                other.exec_driver_sql(f"KILL QUERY {int(driver.thread_id())}")
        case _:
            pass


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Converts a driver's errors to SourceUnreadable. Removes the address and its password from the text."""
    try:
        yield
    except (sql.exc.SQLAlchemyError, sqlite3.Error, ModuleNotFoundError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        # The errors of PyMySQL are pairs of a number and a text.
        text = str(cause.args[-1] if isinstance(cause, Exception) and len(cause.args) == 2 else cause)
        said = (text.strip().splitlines() or [type(error).__name__])[0]
        for secret in _secrets_of(url):
            said = said.replace(secret, "…")
        raise SourceUnreadable(f"The database says: {printable(said)}") from None


def _secrets_of(url: str) -> list[str]:
    try:
        password = sql.make_url(url).password
    except (sql.exc.ArgumentError, ValueError):
        return [url]
    return [each for each in (url, str(password or "")) if each]
