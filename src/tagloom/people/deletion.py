"""Deletes people for good, and keeps the suppression list, which refuses what is sent about them later."""

from collections.abc import Callable, Sequence

from tagloom.accounts.access_tokens import Access
from tagloom.base.problems import BodyInvalid
from tagloom.base.text import plural
from tagloom.people.records import write_options
from tagloom.ports import limits
from tagloom.ports.population import Population
from tagloom.ports.writes import DeletePeople, DeletionKind
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment

# The action of each kind, as the audit log has it.
_ACTIONS: dict[DeletionKind, str] = {
    "delete": "deleted",
    "suppress": "suppressed",
    "both": "deleted and suppressed",
    "unsuppress": "unsuppressed",
}


class Deletions:
    """Deletes and suppresses people of an environment, up to PEOPLE_PER_DELETION_MAX at once.

    `delete_messages` deletes the rejected messages of an environment that contain the id of one of these people.
    """

    def __init__(
        self,
        population_of: Callable[[Environment], Population],
        delete_messages: Callable[[int, Sequence[Person]], None],
        access: Access,
    ) -> None:
        self._population_of = population_of
        self._delete_messages = delete_messages
        self._access = access

    def delete_people(
        self,
        environment: Environment,
        people: Sequence[Person],
        kind: DeletionKind,
        origin: Origin,
        *,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Deletes people, suppresses them, or ends their suppression; see `DeletePeople`. Unknown people are no error.

        The audit log gets the numbers of people who were deleted and suppressed, without their ids.

        Raises: BodyInvalid: no people, or too many of them; PersonLinked, TooManySuppressed, IdempotencyKeyReused.
        """
        if not 0 < len(people) <= limits.PEOPLE_PER_DELETION_MAX:
            raise BodyInvalid(
                f"A deletion names 1 to {limits.PEOPLE_PER_DELETION_MAX:,} people, not {len(people):,}.",
                field="$.users",
                people_max=limits.PEOPLE_PER_DELETION_MAX,
            )
        write = DeletePeople(tuple(people), kind)
        if kind in ("delete", "both") and not dry_run:
            # First, so that a failure is repeated with the deletion, and for people who have nothing else.
            self._delete_messages(environment.key, people)
        options = write_options(write, origin, dry_run, idempotency_key)
        receipt = self._population_of(environment).write(write, options)
        if (receipt.erased or receipt.suppressed) and not dry_run:
            self._access.add_audit_entry(
                environment,
                f"people {_ACTIONS[kind]}",
                plural(len(people), "id"),
                {"deleted": str(receipt.erased), "suppressed": str(receipt.suppressed)},
                actor=origin.actor,
            )
        return receipt
