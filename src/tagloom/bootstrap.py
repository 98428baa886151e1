"""Opens an installation from settings. Only this module names the adapters."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tagloom.accounts.accounts import Accounts
from tagloom.accounts.identity_provider import IdentityProvider
from tagloom.accounts.passwords import Passwords
from tagloom.base.counters import Counters, Standings
from tagloom.base.problems import ParameterInvalid
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.secrets import Secrets
from tagloom.engine.check import broken_invariants
from tagloom.engine.population import BitmapPopulation
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Moved
from tagloom.engine.write.committer import Committer
from tagloom.ports.problems import InstallationMissing, StoreUnavailable
from tagloom.settings import PostgresUrl, Settings
from tagloom.stores.copy import Copied, copy
from tagloom.stores.migrations import VERSIONS
from tagloom.stores.sql import SqlControl
from tagloom.stores.sqlite import SqliteDatabase
from tagloom.tracking.client_context import Place
from tagloom.tracking.country_file import CountryFile
from tagloom.words.expiry import Moment
from tagloom.words.tenants import Environment, Organization, Space

if TYPE_CHECKING:
    from tagloom.stores.postgres import PostgresDatabase

ORGANIZATION = Organization("main", "Main")
SPACE = Space("main", "main", "Main")


def now_utc() -> datetime:
    """Returns the time of the machine's clock."""
    return datetime.now(UTC)


class Installation:
    """An open installation: its control store, its populations and its committer."""

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], datetime] = now_utc,
        *,
        create: bool = True,
        distribute: bool = False,
        is_server: bool = False,
        versions: Sequence[Path] = VERSIONS,
    ) -> None:
        self.settings = settings
        self.now = now
        self.country_file = None if settings.country_file is None else CountryFile(settings.country_file)
        if is_server and self.country_file is not None:
            self.country_file.open()
        self.database = _open_database(settings, create=create, distribute=distribute, versions=versions)
        self.control = SqlControl(self.database.engine)
        self.committer = Committer(self.database)
        # One instance for the whole process, because it bounds how many hashes run at once.
        self.passwords = Passwords()
        self.set_up_code: str | None = None
        self._populations: dict[int, tuple[Environment, BitmapPopulation]] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def uploads(self) -> Path:
        """The folder for uploaded files that wait for their import: next to SQLite's file, unless it is set."""
        if self.settings.uploads is not None:
            return self.settings.uploads
        beside = self.settings.database
        return beside.parent / "uploads" if isinstance(beside, Path) else Path("tagloom-uploads")

    def find_place(self, address: str) -> Place | None:
        """Returns the place of the address of a client; None if it is not known, or without a country file."""
        return None if self.country_file is None else self.country_file.find(address)

    @property
    def egress_policy(self) -> EgressPolicy:
        """The hosts, files and secrets that syncs can use outside of this installation."""
        settings = self.settings
        return EgressPolicy(
            secrets=Secrets(settings.secrets_folder, settings.secrets.values),
            files=settings.files_folder,
            mail=settings.mail,
            private_addresses=settings.private_addresses,
            schemes=settings.source_schemes,
            hosts=settings.source_hosts,
        )

    @property
    def identity_provider(self) -> IdentityProvider | None:
        """The identity provider with which teammates can sign in, or None."""
        oidc = self.settings.oidc
        return None if oidc is None else IdentityProvider(oidc.issuer, oidc.client_id, oidc.client_secret)

    def population(self, environment: Environment) -> BitmapPopulation:
        """Returns the population of an environment. The first call opens it."""
        opened = self.find_population(environment)
        if opened is not None:
            return opened
        with self._lock:
            found = self._populations.get(environment.key)
            if found is None:
                storage = self.database.storage(environment.key)
                state = EnvironmentState(environment.key, storage, self.now, self.settings.index_bytes_max)
                found = environment, BitmapPopulation(state, self.committer, self.now)
                self._populations[environment.key] = found
        return found[1]

    def find_population(self, environment: Environment) -> BitmapPopulation | None:
        """Returns the population of an environment if it is open, else None. Never blocks."""
        found = self._populations.get(environment.key)
        return None if found is None else found[1]

    def warm(self) -> None:
        """Loads populations until together they use `index_bytes_max`, the bound for one population.

        Raises: StoreUnavailable.
        """
        held = 0
        for organization in self.control.list_organizations():
            for space in self.control.list_spaces(organization.id):
                for environment in self.control.list_environments(space.id):
                    if held < self.settings.index_bytes_max and not self._is_closed:
                        held += self.population(environment).warm()

    def list_with_due_taggings(self, moment: Moment) -> tuple[Environment, ...]:
        """Returns the environments with something that starts or expires at a moment or before it."""
        return self.control.list_with_due_taggings(moment)

    def list_with_event_blocks(self, count: int) -> tuple[Environment, ...]:
        """Returns the environments with at least `count` event blocks."""
        return self.control.list_with_event_blocks(count)

    def fingerprint(self) -> str:
        """Returns a hash that identifies this installation. A copy of it has another hash. Reveals no secret."""
        spaces = [each for found in self.control.list_organizations() for each in self.control.list_spaces(found.id)]
        environments = [each for space in spaces for each in self.control.list_environments(space.id)]
        first = min(environments, key=lambda each: each.key)
        with self.database.storage(first.key).reading() as snapshot:
            secret = snapshot.state().secret
        return hashlib.sha256(b"tagloom installation " + self.database.place() + secret).hexdigest()[:32]

    def counters(self) -> Counters:
        """Returns the counters of this process. Never blocks, and makes no query."""
        database = self.database
        return Counters(
            populations=tuple(
                Standings(where.space, where.name, population.version_held(), population.index_bytes())
                for where, population in list(self._populations.values())
            ),
            writes_queued=self.committer.waiting(),
            commits=self.committer.commits,
            lock_times=database.lock_times,
            connections=database.connections.counts() if not isinstance(database, SqliteDatabase) else None,
            following=database.stamps.counts() if not isinstance(database, SqliteDatabase) else None,
        )

    def check_ready(self) -> None:
        """Checks the database.

        Raises: StoreUnavailable: it is not available; SchemaChanged: it is being migrated, or is of another release.
        """
        self.database.check_ready()

    def close(self) -> None:
        """Finishes the queued writes, then closes the store. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self.committer.close()
        self.database.close()


def open_installation(
    settings: Settings,
    *,
    create: bool = False,
    distribute: bool = False,
    is_server: bool = False,
    now: Callable[[], datetime] = now_utc,
    versions: Sequence[Path] = VERSIONS,
) -> Installation:
    """Opens the installation that the settings name. With `distribute`, a new one is spread over a Citus cluster.

    The migrations in the folders `versions` bring its schema up to date.

    For a server, `set_up_code` is a new code if there is no account yet. The codes of earlier starts become invalid.

    Raises:
        InstallationMissing: there is no installation, and `create` is False.
        ParameterInvalid: `distribute` is True, and the database cannot be distributed; or it is for a server, and the
            country file cannot be read.
    """
    installation = Installation(
        settings, now, create=create, distribute=distribute, is_server=is_server, versions=versions
    )
    if create:
        with installation.database.setting_up():
            # The two are checked separately, because an earlier start may have been killed between the two writes.
            if not installation.control.list_organizations():
                installation.control.put_organization(ORGANIZATION)
            if not installation.control.list_spaces(ORGANIZATION.id):
                installation.control.put_space(SPACE)
    if is_server:
        installation.set_up_code = Accounts(installation.control, installation.passwords).new_set_up_code()
    return installation


def _open_database(
    settings: Settings, *, create: bool, distribute: bool = False, versions: Sequence[Path] = VERSIONS
) -> "SqliteDatabase | PostgresDatabase":
    where = settings.database
    if isinstance(where, PostgresUrl):
        # The driver is imported only if it is used, because the import costs every command a tenth of a second.
        from tagloom.stores.postgres import PostgresDatabase

        return PostgresDatabase(where.text, create=create, distribute=distribute, versions=versions)
    if distribute:
        raise ParameterInvalid("Only a PostgreSQL database with Citus can be distributed; this is SQLite.")
    if not create and not where.exists():
        raise InstallationMissing(
            f"There is no installation at '{where.parent}'. Create one with: tagloom init --data {where.parent}"
        )
    where.parent.mkdir(parents=True, exist_ok=True)
    return SqliteDatabase(where, versions)


def copy_installation(
    source: Path | PostgresUrl,
    target: Path | PostgresUrl,
    on_versions: Callable[[int, int], None],
    *,
    distribute: bool = False,
) -> Copied:
    """Copies a whole installation into an empty database, or continues an interrupted copy; see `copy`.

    With `distribute`, a target without any tables is spread over a Citus cluster.
    Raises: InstallationMissing: the source has none; ParameterInvalid; StoreCorrupt: source and target differ in the
    end.
    """
    if source == target:
        raise ParameterInvalid("An installation is not copied onto itself.")
    with (
        closing(_open_database(Settings(database=source), create=False)) as ours,
        closing(_open_database(Settings(database=target), create=True, distribute=distribute)) as theirs,
        theirs.setting_up(),
    ):
        return copy(ours.engine, theirs.engine, on_versions)


def check(installation: Installation) -> Iterator[str]:
    """Yields a text for every broken invariant of an installation, with its environment. Yields nothing if all hold."""
    try:
        yield from (f"file: {text}" for text in installation.database.broken_pages())
        for organization in installation.control.list_organizations():
            for space in installation.control.list_spaces(organization.id):
                for environment in installation.control.list_environments(space.id):
                    yield from (f"{space.id}/{environment.name}: {text}" for text in _broken(installation, environment))
    except StoreUnavailable as problem:
        yield f"file: the rest cannot be read: {problem.detail}"


def _broken(installation: Installation, environment: Environment) -> Iterator[str]:
    try:
        with installation.database.storage(environment.key).reading() as snapshot:
            yield from broken_invariants(snapshot)
    except (ValueError, LookupError, OSError, Moved) as error:
        # Some bytes are no bitmap, page or block of keys, so the rows that need them cannot be checked.
        yield f"the rest cannot be read: {error}"


def backup(installation: Installation, target: Path) -> None:
    """Writes a consistent copy of a live installation into one file.

    To restore it, put the file into a data directory in place of the database.

    Raises:
        ParameterInvalid: the target exists already, or the database is PostgreSQL, which has its own tools.
    """
    if not isinstance(installation.database, SqliteDatabase):
        raise ParameterInvalid(
            "A PostgreSQL database is backed up by its own tools: pg_dump --format=custom, or a base backup."
        )
    if target.exists():
        raise ParameterInvalid(f"'{target}' exists already; a backup never overwrites.")
    installation.database.backup(target)
