"""Links of visitors and users to users."""

from collections.abc import Callable

from tagloom.people.records import write_options
from tagloom.ports.pages import Page
from tagloom.ports.population import Population
from tagloom.ports.writes import JoinUsers, LinkVisitor, Separate, SettleLink
from tagloom.words.changes import Origin
from tagloom.words.identity import LinkPolicy, SettlePolicy
from tagloom.words.people import OpenLink, Person
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment


class Identities:
    """Links people of an environment to users, and separates them."""

    def __init__(self, population_of: Callable[[Environment], Population]) -> None:
        self._population_of = population_of

    def link_person(
        self,
        environment: Environment,
        person: Person,
        user: str,
        origin: Origin,
        *,
        policy: LinkPolicy | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Links a visitor to a user, or joins a user into another. Without a policy, that of the environment is used.

        Raises: PersonLinked; for a user, also PersonNotFound and LinkInvalid.
        """
        write = link_of(environment, person, user, policy)
        options = write_options(("link", write), origin, dry_run, idempotency_key)
        return self._population_of(environment).write(write, options)

    def settle_link(
        self,
        environment: Environment,
        person: Person,
        policy: SettlePolicy,
        origin: Origin,
        *,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Decides about an open link. Raises: PersonNotLinked, LinkSettled; with "take", HistoryCompacted."""
        options = write_options(("settle", person, policy), origin, dry_run, idempotency_key)
        return self._population_of(environment).write(SettleLink(person, policy), options)

    def list_open_links(self, environment: Environment, *, limit: int, cursor: str | None = None) -> Page[OpenLink]:
        """Returns a page of the links about which a teammate must decide. Raises: CursorInvalid."""
        return self._population_of(environment).list_open_links(limit=limit, cursor=cursor)

    def separate_person(
        self,
        environment: Environment,
        person: Person,
        origin: Origin,
        *,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Removes the link of a person. Raises: PersonNotLinked, HistoryCompacted, UndoConflict."""
        options = write_options(("separate", person), origin, dry_run, idempotency_key)
        return self._population_of(environment).write(Separate(person), options)


def link_of(
    environment: Environment, person: Person, user: str, policy: LinkPolicy | None = None
) -> LinkVisitor | JoinUsers:
    """Returns the write that links a person to a user."""
    chosen = policy or environment.identity.policy
    return LinkVisitor(person.id, user, chosen) if person.kind == "visitor" else JoinUsers(person.id, user, chosen)
