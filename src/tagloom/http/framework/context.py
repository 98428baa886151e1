"""The context of a request in a handler, and the answers of handlers."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from starlette.types import Receive, Scope

from tagloom.accounts.access_tokens import Place, Principal
from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.base.text import printable
from tagloom.http import limits
from tagloom.http.framework.coalescing import Coalescer
from tagloom.http.framework.commit_waiters import Arrivals
from tagloom.http.framework.health_checks import HealthCheck
from tagloom.http.framework.import_watches import Watches
from tagloom.http.framework.metrics import Metrics
from tagloom.http.framework.parameters import Value
from tagloom.http.framework.readiness import Readiness
from tagloom.http.framework.store_metrics import Stored
from tagloom.http.problems import VersionNotReached
from tagloom.server.body_pace import Paces, watch_for_end
from tagloom.server.body_reader import BulkBodies
from tagloom.server.thread_limits import Places
from tagloom.services import Installation, Services
from tagloom.words.changes import Origin, Version
from tagloom.words.context_rules import NO_CONTEXT, Context
from tagloom.words.decisions import Decision
from tagloom.words.people import Kind, Person
from tagloom.words.periods import Period, period_of
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import TagProblem
from tagloom.words.receipts import Receipt
from tagloom.words.tags import TagPath, parse_tag
from tagloom.words.tenants import Environment

Result = TypeVar("Result")

Submit = Callable[[], "Future[Any]"]

DOOR = "api"  # The source of a write without the parameter `source`.


class PerLoop(Generic[Result]):
    """One value for each event loop, created at the loop's first call of `get`."""

    def __init__(self) -> None:
        self._values: dict[asyncio.AbstractEventLoop, Result] = {}

    def get(self, make: Callable[[], Result]) -> Result:
        """Returns the value of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._values.get(loop)
        if found is None:
            found = self._values[loop] = make()
        return found

    def all(self) -> Collection[Result]:
        """Returns the values of all loops."""
        return self._values.values()


@dataclass(frozen=True)
class ApiState:
    """The state that all handlers share: the services of an installation, and the limits of this process."""

    installation: Installation
    services: Services
    metrics: Metrics
    stored: HealthCheck[Stored]
    readiness: Readiness
    is_draining: Callable[[], bool]
    now: Callable[[], float]
    paces: Paces
    threads: Places
    bulk_bodies: BulkBodies
    exports: Places
    wait_seconds: float
    fingerprint: str
    openapi: bytes
    _arrivals: PerLoop[Arrivals] = field(default_factory=PerLoop)
    _decisions: PerLoop[Coalescer[tuple[Person, Context], Decision]] = field(default_factory=PerLoop)
    _submissions: PerLoop[Coalescer[Submit, Future[Any]]] = field(default_factory=PerLoop)
    _watches: PerLoop[Watches] = field(default_factory=PerLoop)

    def arrivals(self) -> Arrivals:
        """Returns the waiters for commits of the running loop."""
        return self._arrivals.get(Arrivals)

    async def decide(
        self,
        environment: Environment,
        person: Person,
        *,
        because: bool,
        organization: str,
        context: Context = NO_CONTEXT,
    ) -> Decision:
        """Returns the tribes of one person. Simultaneous requests for one environment share a thread."""
        decisions = self._decisions.get(lambda: Coalescer(self.threads))
        return await decisions.run(
            (environment.key, because),
            (person, context),
            lambda asked: self._decided(environment, asked, because=because),
            organization=organization,
        )

    def _decided(
        self, environment: Environment, asked: Sequence[tuple[Person, Context]], *, because: bool
    ) -> Sequence[Decision | Exception]:
        people, contexts = [person for person, _ in asked], [context for _, context in asked]
        try:
            return self.services.targeting.decide_many(environment, people, because=because, contexts=contexts)[1]
        except Problem as problem:
            if len(people) == 1:
                return [problem]
            # A problem of one person must not fail the requests for the other people.
            return [self._decided(environment, [each], because=because)[0] for each in asked]

    async def submit(
        self, key: Hashable, submit: "Callable[[], Future[Result]]", *, organization: str
    ) -> "Future[Result]":
        """Submits a small write. Simultaneous writes of one key, such as an environment, share a thread."""
        submissions = self._submissions.get(lambda: Coalescer(self.threads))
        return await submissions.run(key, submit, _submitted, organization=organization)

    async def written(self, future: "Future[Result]") -> Result:
        """Waits for the commit of a write, and returns its result. A metric counts the writes that wait."""
        with self.metrics.writes_waiting.track_inprogress():
            return await self.arrivals().wait(future)

    def watches(self) -> Watches:
        """Returns the watched imports of the running loop."""
        return self._watches.get(lambda: Watches(self.services.imports.get))

    def end_watches(self) -> None:
        """Ends all watches."""
        for watches in self._watches.all():
            watches.close()


def _submitted(submits: Sequence[Submit]) -> Sequence["Future[Any] | Exception"]:
    """Submits each write once, and returns its future or its exception. A failure does not stop the other writes."""
    found: list[Future[Any] | Exception] = []
    for submit in submits:
        try:
            found.append(submit())
        except Exception as error:
            found.append(error)
    return found


class Answer(msgspec.Struct, frozen=True):
    """A whole answer: a value to encode as JSON, or bytes with their content type. None means no body."""

    body: object
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


class Stream(msgspec.Struct, frozen=True):
    """An answer that is sent while it is produced. A thread produces the chunks."""

    chunks: Iterator[bytes]
    content_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Events(msgspec.Struct, frozen=True):
    """An answer of server-sent events, each with a value as JSON. The client may leave at any time."""

    values: AsyncGenerator[object, None]


class Call:
    """The context of one request. The principal has the scopes of the route in its environment."""

    __slots__ = (
        "found_place",
        "found_principal",
        "headers",
        "query",
        "receive",
        "scope",
        "state",
        "values",
    )

    def __init__(self, state: ApiState, scope: Scope, receive: Receive, values: dict[str, str]) -> None:
        self.state = state
        self.scope = scope
        self.receive = receive
        self.values = values
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.query: dict[str, Value] = {}
        self.found_principal: Principal | None = None
        self.found_place: Place | None = None

    # The caller and the environment.

    @property
    def services(self) -> Services:
        """The use cases of the installation."""
        return self.state.services

    @property
    def principal(self) -> Principal:
        """The principal of the request."""
        assert self.found_principal is not None, "the route asks for no token"
        return self.found_principal

    @property
    def environment(self) -> Environment:
        """The environment in the URL."""
        assert self.found_place is not None, "the route names no environment"
        return self.found_place.environment

    @property
    def origin(self) -> Origin:
        """The actor and the source of a write."""
        source = self.find_text("source")
        return Origin(self.principal.name, source or DOOR)

    # The values of the address, the query and the headers.

    def header(self, name: bytes) -> str | None:
        """Returns a header by its name in lower case, or None."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None

    def idempotency_key(self) -> str | None:
        """Returns the key that identifies a repeated request, or None. Raises: ParameterInvalid."""
        key = self.header(b"idempotency-key")
        if key is None:
            return None
        if not 1 <= len(key) <= limits.IDEMPOTENCY_KEY_CHARACTERS_MAX or not (key.isascii() and key.isprintable()):
            raise ParameterInvalid(
                f"Idempotency-Key must have 1 to {limits.IDEMPOTENCY_KEY_CHARACTERS_MAX} printable ASCII characters.",
                parameter="Idempotency-Key",
                value=printable(key),
            )
        return key

    def person(self, kind: Kind) -> Person:
        """Returns the person whose id is in the address. Raises: PersonIdInvalid."""
        return Person(kind, parse_id(self.values["id"]))

    def tag(self) -> TagPath:
        """Returns the tag in the address. Raises: TagProblem."""
        return parse_tag(self.values["tag"])

    def find_tag(self, name: str) -> TagPath | None:
        """Returns the tag in a parameter, or None. Raises: TagProblem, with the parameter."""
        text = self.find_text(name)
        if text is None:
            return None
        try:
            return parse_tag(text)
        except TagProblem as problem:
            problem.members["parameter"] = name
            raise

    def find_person(self) -> Person | None:
        """Returns the person in `user` or `visitor`, or None. Raises: ParameterInvalid, PersonIdInvalid."""
        user, visitor = self.find_text("user"), self.find_text("visitor")
        if user is not None and visitor is not None:
            raise ParameterInvalid("Give user or visitor, not both.", parameter="visitor")
        if user is not None:
            return Person("user", parse_id(user, field="user"))
        return None if visitor is None else Person("visitor", parse_id(visitor, field="visitor"))

    def find_text(self, name: str) -> str | None:
        """Returns a parameter of text, or None."""
        value = self.query.get(name)
        return None if value is None else str(value)

    def text(self, name: str) -> str:
        """Returns a parameter of text. An absent one is empty."""
        return self.find_text(name) or ""

    def integer(self, name: str) -> int:
        """Returns a parameter of a whole number that has a default."""
        return int(self.query[name])

    def find_integer(self, name: str) -> int | None:
        """Returns a parameter of a whole number, or None."""
        value = self.query.get(name)
        return None if value is None else int(value)

    def flag(self, name: str) -> bool:
        """Returns a parameter that is true or false."""
        return bool(self.query[name])

    def find_flag(self, name: str) -> bool:
        """Returns a parameter that is true or false; False if the request has no such parameter."""
        return bool(self.query.get(name))

    def period(self) -> Period:
        """Returns the period of `starts_at`, and of `expires_at` or `ttl`.

        Raises: StartInvalid, ExpiryInvalid, ExpiryPast.
        """
        starts_at, expires_at, ttl = (self.find_text(name) for name in ("starts_at", "expires_at", "ttl"))
        return period_of(starts_at, expires_at, ttl, now=self.state.now())

    def find_version(self) -> Version | None:
        """Returns the version of `as_of`. Call it in a thread, because it reads the store.

        Raises: ParameterInvalid, ChangeNotFound.
        """
        return self.services.changes.version_as_of(self.environment, self.find_text("as_of"))

    # Waiting.

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Runs `work` in a thread, because it may wait for the database or a lock.

        The call first waits for a free place of the principal's organization.
        """
        principal = self.found_principal
        if principal is None:
            return await self.state.threads.run(work)
        return await self.state.threads.run(work, organization=principal.organization)

    async def in_thread_while_wanted(self, work: Callable[[Callable[[], bool]], Result]) -> Result:
        """Runs long `work` in a thread after the body was read.

        The argument of `work` is a function that returns whether the caller has left.
        """
        has_left = threading.Event()
        watching = asyncio.create_task(watch_for_end(self.receive, has_left))
        try:
            return await self.in_thread(lambda: work(has_left.is_set))
        finally:
            watching.cancel()

    async def written(self, future: "Future[Receipt]") -> Receipt:
        """Waits for the commit of a write, and returns its receipt."""
        return await self.state.written(future)

    async def wait_for_version(self, version: int) -> None:
        """Waits until this process has read this version. Raises: VersionNotReached, after `wait_seconds`."""
        changes, environment, pause, waited = self.services.changes, self.environment, 0.002, 0.0
        while (reached := await self.in_thread(lambda: changes.version(environment))) < version:
            if waited >= self.state.wait_seconds:
                raise VersionNotReached(
                    f"This process is at version {reached}, not yet at {version}.", version=reached, retry_after=1
                )
            await asyncio.sleep(pause)
            waited += pause
            pause = min(2 * pause, 0.1)
