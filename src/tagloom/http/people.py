"""Users and visitors, and the tags and attributes of one of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from tagloom.base.problems import BodyInvalid
from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.person_schemas import AttributesBody, PersonBody
from tagloom.http.framework.schemas import PeoplePage, PersonTags, TagsBody
from tagloom.people.records import with_joined_at
from tagloom.words.catalogue import Match
from tagloom.words.people import Kind, Person, PersonRecord
from tagloom.words.periods import Period
from tagloom.words.receipts import Mode, Receipt
from tagloom.words.rejections import check_single


class PeopleHandlers:
    """The handlers for one kind of people. User ids and visitor ids are separate name spaces."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    async def list_people(self, call: Call) -> Answer:
        """Returns a page of people, filtered by id and tag."""
        tag = call.find_tag("tag")
        environment = call.environment

        def read() -> PeoplePage:
            version = call.services.changes.version(environment)
            page = call.services.people.list_people(
                environment,
                kind=msgspec.convert(call.find_text("kind") or self.kind, Kind),
                search=call.text("search"),
                search_match=call.text("search_match"),
                tag=tag,
                match=msgspec.convert(call.text("match"), Match),
                limit=call.integer("limit"),
                cursor=call.find_text("cursor"),
            )
            return PeoplePage(items=page.items, next_cursor=page.next_cursor, version=version)

        return Answer(await call.in_thread(read))

    async def get_person(self, call: Call) -> Answer:
        """Returns one person."""
        return Answer(await self._record(call))

    async def put_person(self, call: Call) -> Answer:
        """Creates the person, or replaces all attributes of the person."""
        person, origin, environment = call.person(self.kind), call.origin, call.environment
        dry_run, key = call.flag("dry_run"), call.idempotency_key()
        body = await read_json(call, PersonBody, default=b"{}")
        if body.attributes is not UNSET or body.joined_at is not UNSET:
            call.principal.require("tags:write", space=environment.space)
            is_replacing = body.attributes is not UNSET
            return Answer(await self._with_attributes(call, person, _values(body), is_replacing=is_replacing))
        put = call.services.people.put_person
        return Answer(
            await call.in_thread(lambda: put(environment, person, origin, dry_run=dry_run, idempotency_key=key))
        )

    async def patch_person(self, call: Call) -> Answer:
        """Sets attributes of the person."""
        person = call.person(self.kind)
        body = await read_json(call, AttributesBody)
        if body.attributes is UNSET and body.joined_at is UNSET:
            raise BodyInvalid("The body has neither 'attributes' nor 'joined_at'.", field="$.attributes")
        return Answer(await self._with_attributes(call, person, _values(body), is_replacing=False))

    async def erase_person(self, call: Call) -> Answer:
        """Erases the person everywhere."""
        person, origin, environment = call.person(self.kind), call.origin, call.environment
        return Answer(await call.in_thread(lambda: call.services.people.erase_person(environment, person, origin)))

    async def get_tags(self, call: Call) -> Answer:
        """Returns the tags of the person."""
        record = await self._record(call)
        tags = PersonTags(
            tags=record.tags, version=record.version, expires_at=record.expires_at, scheduled=record.scheduled
        )
        return Answer(tags)

    async def put_tags(self, call: Call) -> Answer:
        """Replaces the tags of the person."""
        person = call.person(self.kind)
        body = await read_json(call, TagsBody)
        period = body.period(call.state.now())
        return Answer(await self._changed(call, person, body.tags, "set", period))

    async def put_tag(self, call: Call) -> Answer:
        """Adds one tag."""
        return Answer(await self._change_one(call, "add"))

    async def delete_tag(self, call: Call) -> Answer:
        """Removes one tag."""
        return Answer(await self._change_one(call, "remove"))

    async def _change_one(self, call: Call, mode: Mode) -> Receipt:
        return await self._changed(call, call.person(self.kind), (call.tag(),), mode, call.period())

    async def _changed(self, call: Call, person: Person, tags: Sequence[str], mode: Mode, period: Period) -> Receipt:
        """Writes, and returns the receipt. A thread makes the lookups, but no thread waits for the commit."""
        environment, origin, taggings = call.environment, call.origin, call.services.taggings
        future = await call.state.submit(
            environment.key,
            lambda: taggings.submit_tags(environment, person, tags, mode, origin, period),
            organization=call.principal.organization,
        )
        return check_single(await call.written(future))

    async def _with_attributes(
        self, call: Call, person: Person, values: Mapping[str, Any], *, is_replacing: bool
    ) -> Receipt:
        environment, origin, submit = call.environment, call.origin, call.services.people.submit_attributes
        dry_run, key = call.flag("dry_run"), call.idempotency_key()
        future = await call.state.submit(
            environment.key,
            lambda: submit(
                environment,
                person,
                values,
                origin,
                is_replacing=is_replacing,
                dry_run=dry_run,
                idempotency_key=key,
            ),
            organization=call.principal.organization,
        )
        return check_single(await call.written(future))

    async def _record(self, call: Call) -> PersonRecord:
        person, environment, people = call.person(self.kind), call.environment, call.services.people
        return await call.in_thread(lambda: people.get_person(environment, person, as_of=call.find_version()))


def _values(body: PersonBody | AttributesBody) -> Mapping[str, Any]:
    """Returns the attributes of a body, with `joined_at`. Raises: BodyInvalid."""
    values = {} if body.attributes is UNSET else body.attributes
    return values if body.joined_at is UNSET else with_joined_at(values, body.joined_at)


USERS = PeopleHandlers("user")
VISITORS = PeopleHandlers("visitor")
