"""Everything about one person, as a file."""

from urllib.parse import quote

import msgspec

from tagloom.events.event_items import PersonEventItem
from tagloom.http.framework.context import Call, Stream
from tagloom.people.person_data import PersonChange
from tagloom.words.changes import Version
from tagloom.words.event_sources import RejectedMessage
from tagloom.words.people import Kind, PersonRecord


class PersonDataAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is stored about one person, as of `version`.

    `events` are in the order of recording. `changes` are those in the kept history, also of the people who are linked
    to the user. `rejected_messages` contain one of the ids of the person.
    """

    version: Version
    record: PersonRecord
    events: tuple[PersonEventItem, ...]
    changes: tuple[PersonChange, ...]
    rejected_messages: tuple[RejectedMessage, ...]


class PersonDataHandlers:
    """The handlers for one kind of people."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    async def get_data(self, call: Call) -> Stream:
        """Streams the document."""
        person, environment, exports = call.person(self.kind), call.environment, call.services.person_exports
        found = await call.in_thread(lambda: exports.export_person(environment, person))
        name = quote(found.file_name, safe="").encode()
        headers = (
            (b"tagloom-version", b"%d" % found.version),
            (b"content-disposition", b"attachment; filename*=UTF-8''" + name),
        )
        return Stream(found.chunks, "application/json", headers)


DATA_OF_USERS = PersonDataHandlers("user")
DATA_OF_VISITORS = PersonDataHandlers("visitor")
