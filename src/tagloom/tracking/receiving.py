"""Records the messages that event sources send."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import NamedTuple

from tagloom.base.futures import converted
from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.base.times import rfc3339
from tagloom.ports.event_sources import RejectedIn
from tagloom.ports.population import Population
from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.tracking import limits
from tagloom.tracking.client_context import NO_REQUEST, ClientContext, ClientRequest, Derived, Place
from tagloom.tracking.country_file import nowhere
from tagloom.tracking.event_sources import Sender
from tagloom.tracking.identity_proof import IdentityProofs, Outcome
from tagloom.tracking.messages import Call, MessageReader, ProofRules, TrackingBody, plain_body
from tagloom.tracking.problems import PageOriginRefused, UserIdNotProven
from tagloom.tracking.rejected_messages import RejectedMessages, shown_message
from tagloom.words import limits as words_limits
from tagloom.words.builtin_attributes import RESERVED_NAMES
from tagloom.words.changes import Origin
from tagloom.words.event_sources import RejectedMessage, actor_name
from tagloom.words.problems import TooManyVisitors, UsersNotJoined
from tagloom.words.receipts import Receipt, Rejected
from tagloom.words.tenants import Environment

ORIGIN_SOURCE = "tracking"  # The source of the versions that record messages.


class Tracked(NamedTuple):
    """The numbers of the messages of a body that were recorded, that were repeats, and that were rejected.

    `proofs` counts the checked user ids by their outcome.
    """

    recorded: int
    repeats: int
    rejected: int
    proofs: Mapping[Outcome, int]


class Tracking:
    """Records the messages of event sources, and keeps those that are rejected.

    `now` returns Unix seconds. `new_id` makes the id of a message whose sender gave none. `find_place` returns
    the place of an address.
    """

    def __init__(
        self,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float],
        new_id: Callable[[], str],
        rejected: RejectedMessages,
        find_place: Callable[[str], Place | None] = nowhere,
    ) -> None:
        self._population_of = population_of
        self._now = now
        self._new_id = new_id
        self._rejected = rejected
        self._find_place = find_place
        self._proofs = IdentityProofs(now)
        self._unproven_shown: dict[tuple[int, str, str], float] = {}

    def submit(
        self,
        sender: Sender,
        body: bytes,
        call: Call,
        *,
        origin: str | None = None,
        request: ClientRequest = NO_REQUEST,
    ) -> "Future[Tracked]":
        """Submits the messages of a body. Small bodies that wait at the same time share one commit.

        `origin` is the `Origin` header of the request, and `request` what it tells about its client. Of the rejected
        messages, REJECTED_MESSAGES_PER_BODY_MAX are stored. A body that is refused as a whole is one of them.

        Raises: BodyInvalid, BodyTooLarge, PageOriginRefused. The future raises what the write raises.
        """
        now = self._now()
        reader = MessageReader(
            now=int(now * 1_000),
            new_id=self._new_id,
            event_types=sender.event_types,
            ignored=sender.ignored_properties,
            proof=self._proof_rules(sender),
            is_proven=sender.is_server,
            derive=self._deriving(sender, request),
        )
        try:
            body = plain_body(body, sender.body_bytes_max)
            sender.check_origin(origin)
            read = reader.read(body, call)
        except (BodyInvalid, BodyTooLarge, PageOriginRefused) as refused:
            self._reject(sender, body, refused.slug(), refused.detail)
            raise
        for message, problem in read.refused[: limits.REJECTED_MESSAGES_PER_BODY_MAX]:
            self._reject(sender, message, problem.slug(), problem.detail)
        self._show_unproven(sender, read)
        write = RecordEvents(read.events, words_limits.EVENT_TYPES_OF_SOURCES_MAX, sender.environment.identity.links)
        options = WriteOptions(Origin(actor_name(sender.source.id), ORIGIN_SOURCE))
        written = self._population_of(sender.environment).submit(write, options)
        return converted(written, lambda receipt: self._tracked(sender, read, receipt))

    def _deriving(self, sender: Sender, request: ClientRequest) -> Callable[[bytes | None], Derived] | None:
        """Returns what derives the attributes of the messages of a request, or None if the source does not."""
        if not sender.source.derives_attributes:
            return None
        ignored = sender.ignored_properties & RESERVED_NAMES
        context = ClientContext(request, is_server=sender.is_server, find_place=self._find_place, ignored=ignored)
        return context.derive

    def _tracked(self, sender: Sender, read: TrackingBody, receipt: Receipt) -> Tracked:
        for each in receipt.rejected[: limits.REJECTED_MESSAGES_PER_BODY_MAX]:
            self._reject(sender, read.messages[each.line - 1], each.problem, each.detail)
        for each in receipt.ignored[: limits.REJECTED_MESSAGES_PER_BODY_MAX]:
            says = f"{_recorded_without(each)} {each.detail}"
            self._reject(sender, read.messages[each.line - 1], each.problem, says)
        return Tracked(receipt.events, receipt.repeats, len(read.refused) + receipt.rejected_count, read.proofs)

    def _proof_rules(self, sender: Sender) -> ProofRules | None:
        """Returns how the user ids of a sender are checked. A secret key speaks for every user."""
        mode, keys = sender.environment.identity.proof, sender.identity_keys
        if sender.is_server or mode == "off":
            return None
        return ProofRules(lambda user, proof: self._proofs.find_fault(user, proof, keys), mode == "require")

    def _show_unproven(self, sender: Sender, read: TrackingBody) -> None:
        """Stores messages whose user id is not proven. If a proof is not required, stores only some of them."""
        is_required = sender.environment.identity.proof == "require"
        for message, fault in read.unproven[: limits.REJECTED_MESSAGES_PER_BODY_MAX]:
            if is_required:
                says = "The message was recorded for its visitor only, because its user id is not proven."
            elif self._is_due(sender, fault.outcome):
                says = "The message was recorded, but its user id is not proven."
            else:
                continue
            self._reject(sender, message, UserIdNotProven.slug(), f"{says} {fault.detail}")

    def _is_due(self, sender: Sender, outcome: str) -> bool:
        """Returns whether a message of this source and outcome is shown. If it is, the next ones are not."""
        key, now = (sender.environment.key, sender.source.id, outcome), self._now()
        shown = self._unproven_shown.get(key)
        if shown is not None and 0 <= now - shown < limits.UNPROVEN_SECONDS_BETWEEN_SHOWN:
            return False
        if len(self._unproven_shown) >= limits.EVENT_SOURCES_CACHED_MAX:
            self._unproven_shown.clear()
        self._unproven_shown[key] = now
        return True

    def _reject(self, sender: Sender, message: bytes, reason: str, detail: str) -> None:
        shown = shown_message(message, sender.ignored_properties)
        rejected = RejectedMessage(
            source=sender.source.id,
            at=rfc3339(self._now()),
            reason=reason,
            detail=detail,
            message=shown.text,
            ids=shown.ids,
        )
        self._rejected.add(RejectedIn(sender.environment.key, rejected))


def _recorded_without(ignored: Rejected) -> str:
    """Returns what is missing from a message that was recorded in part."""
    if ignored.problem in (TooManyVisitors.slug(), UsersNotJoined.slug()):
        return "The message was recorded, but its people were not linked."
    return f"The message was recorded without its trait '{ignored.value}'."
