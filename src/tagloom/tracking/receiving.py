"""Records the messages that event sources send."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from tagloom.base.futures import converted
from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.base.times import rfc3339
from tagloom.ports.event_sources import RejectedIn
from tagloom.ports.population import Population
from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.tracking import limits
from tagloom.tracking.event_sources import Sender
from tagloom.tracking.messages import Call, MessageReader, TrackingBody, plain_body
from tagloom.tracking.problems import PageOriginRefused
from tagloom.tracking.rejected_messages import RejectedMessages, shown_message
from tagloom.words import limits as words_limits
from tagloom.words.changes import Origin
from tagloom.words.event_sources import RejectedMessage, actor_name
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment

ORIGIN_SOURCE = "tracking"  # The source of the versions that record messages.


class Tracked(NamedTuple):
    """The numbers of the messages of a body that were recorded, that were repeats, and that were rejected."""

    recorded: int
    repeats: int
    rejected: int


class Tracking:
    """Records the messages of event sources, and keeps those that are rejected.

    `now` returns Unix seconds. `new_id` makes the id of a message whose sender gave none.
    """

    def __init__(
        self,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float],
        new_id: Callable[[], str],
        rejected: RejectedMessages,
    ) -> None:
        self._population_of = population_of
        self._now = now
        self._new_id = new_id
        self._rejected = rejected

    def submit(self, sender: Sender, body: bytes, call: Call, *, origin: str | None = None) -> "Future[Tracked]":
        """Submits the messages of a body. Small bodies that wait at the same time share one commit.

        `origin` is the `Origin` header of the request. Of the rejected messages, REJECTED_MESSAGES_PER_BODY_MAX are
        stored. A body that is refused as a whole is one of them.

        Raises: BodyInvalid, BodyTooLarge, PageOriginRefused. The future raises what the write raises.
        """
        now = self._now()
        reader = MessageReader(
            now=int(now * 1_000),
            new_id=self._new_id,
            event_types=sender.event_types,
            ignored=sender.ignored_properties,
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
        write = RecordEvents(read.events, words_limits.EVENT_TYPES_OF_SOURCES_MAX, sender.environment.identity.links)
        options = WriteOptions(Origin(actor_name(sender.source.id), ORIGIN_SOURCE))
        written = self._population_of(sender.environment).submit(write, options)
        return converted(written, lambda receipt: self._tracked(sender, read, receipt))

    def _tracked(self, sender: Sender, read: TrackingBody, receipt: Receipt) -> Tracked:
        for each in receipt.rejected[: limits.REJECTED_MESSAGES_PER_BODY_MAX]:
            self._reject(sender, read.messages[each.line - 1], each.problem, each.detail)
        for each in receipt.ignored[: limits.REJECTED_MESSAGES_PER_BODY_MAX]:
            says = f"The message was recorded without its trait '{each.value}'. {each.detail}"
            self._reject(sender, read.messages[each.line - 1], each.problem, says)
        return Tracked(receipt.events, receipt.repeats, len(read.refused) + receipt.rejected_count)

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
