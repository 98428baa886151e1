"""Tribes of a space, and their members."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from tagloom.base import limits
from tagloom.base.problems import BodyInvalid, ParameterInvalid
from tagloom.http.decisions import id_of
from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call, Stream
from tagloom.http.framework.etags import etag, expected_revision, if_match, required_if_match
from tagloom.http.framework.paging import page_of
from tagloom.http.framework.schemas import (
    ContextBody,
    Member,
    MembershipAnswer,
    MembersPage,
    NewTribe,
    OverlapAnswer,
    OverlapBody,
    PreviewBody,
    TribeBody,
    TribesPage,
    TribeTagBody,
)
from tagloom.http.framework.streams import export_format, export_stream
from tagloom.people.export import encode_members, encode_people
from tagloom.ports.problems import TribeChanged
from tagloom.tribes.definitions import Draft
from tagloom.words.attributes import AttributeName, Attributes, AttributeType, parse_attribute_name
from tagloom.words.changes import Version
from tagloom.words.context_rules import NO_CONTEXT, Context, checked_context
from tagloom.words.people import Kind, Person
from tagloom.words.receipts import TribeMode
from tagloom.words.rules import Definition
from tagloom.words.tags import parse_tag
from tagloom.words.tribes import Tribe, record_of


async def list_tribes(call: Call) -> Answer:
    """Returns a page of tribes by id."""
    space = call.values["space"]
    tribes = await call.in_thread(lambda: call.services.tribes.list_tribes(space))
    items, next_cursor = page_of(call, tribes, lambda tribe: tribe.id)
    return Answer(TribesPage(items=tuple(map(record_of, items)), next_cursor=next_cursor))


async def create_tribe(call: Call) -> Answer:
    """Creates a tribe."""
    space, origin = call.values["space"], call.origin
    body = await read_json(call, NewTribe, is_rule=True)
    tribe = None if body.id is UNSET else body.id
    created = await call.in_thread(lambda: call.services.tribes.create_tribe(space, _draft(body), tribe, origin=origin))
    location = f"/v2/spaces/{space}/tribes/{created.id}".encode("ascii")
    return Answer(record_of(created), status=201, headers=((b"location", location), etag(created.revision)))


async def get_tribe(call: Call) -> Answer:
    """Returns one tribe."""
    space, tribe = call.values["space"], call.values["tribe"]
    found = await call.in_thread(lambda: call.services.tribes.get_tribe(space, tribe))
    return Answer(record_of(found), headers=(etag(found.revision),))


async def put_tribe(call: Call) -> Answer:
    """Replaces the tribe if If-Match matches."""
    space, tribe, origin = call.values["space"], call.values["tribe"], call.origin
    expected = required_if_match(call, "tribe")
    body = await read_json(call, TribeBody, is_rule=True)
    stored = await call.in_thread(lambda: call.services.tribes.get_tribe(space, tribe))
    revision = _revision(stored, expected)
    changed = await call.in_thread(
        lambda: call.services.tribes.put_tribe(space, tribe, _draft(body), revision=revision, origin=origin)
    )
    return Answer(record_of(changed), headers=(etag(changed.revision),))


async def delete_tribe(call: Call) -> Answer:
    """Deletes the tribe."""
    space, tribe, origin = call.values["space"], call.values["tribe"], call.origin
    expected = if_match(call)
    if expected is not None:
        stored = await call.in_thread(lambda: call.services.tribes.get_tribe(space, tribe))
        revision = _revision(stored, expected)
    else:
        revision = None
    await call.in_thread(lambda: call.services.tribes.delete_tribe(space, tribe, revision=revision, origin=origin))
    return Answer(None, status=204)


async def preview(call: Call) -> Answer:
    """Previews a rule."""
    environment = call.environment
    body = await read_json(call, PreviewBody, is_rule=True)
    wanted, targeting = Definition(body.audience, body.rule), call.services.targeting
    return Answer(await call.in_thread(lambda: targeting.preview(environment, wanted, as_of=call.find_version())))


async def count(call: Call) -> Answer:
    """Counts the members."""
    environment, tribe, targeting = call.environment, call.values["tribe"], call.services.targeting
    return Answer(await call.in_thread(lambda: targeting.count(environment, tribe, as_of=call.find_version())))


async def get_metrics(call: Call) -> Answer:
    """Counts the members who are active, new, at risk and lost."""
    environment, tribe, targeting = call.environment, call.values["tribe"], call.services.targeting
    return Answer(await call.in_thread(lambda: targeting.metrics(environment, tribe)))


async def get_metrics_of_everyone(call: Call) -> Answer:
    """Counts the people who are active, new, at risk and lost."""
    environment, targeting = call.environment, call.services.targeting
    return Answer(await call.in_thread(lambda: targeting.metrics(environment)))


async def list_members(call: Call) -> Answer | Stream:
    """Returns a page of the members if the request has page parameters, else streams all of them."""
    if all(call.find_text(name) is None for name in ("limit", "cursor", "search", "include")):
        return await _export_members(call)
    environment, tribe = call.environment, call.values["tribe"]
    if call.find_text("attributes") is not None:
        raise ParameterInvalid(
            "A page has no attributes: leave out attributes, or limit, cursor, search and include.",
            parameter="attributes",
        )
    if call.find_text("as_of") is not None:
        raise ParameterInvalid(
            "A page holds for now: leave out as_of, or limit, cursor, search and include.", parameter="as_of"
        )
    has_tags = call.find_text("include") == "tags"

    def read() -> MembersPage:
        version = call.services.changes.version(environment)
        page = call.services.targeting.list_members(
            environment,
            tribe,
            search=call.find_text("search") or "",
            search_match=call.text("search_match"),
            limit=call.find_integer("limit") or limits.PAGE_ITEMS_DEFAULT,
            cursor=call.find_text("cursor"),
        )
        items = tuple(
            Member(tags=each.tags if has_tags else UNSET, **id_of(Person(each.kind, each.id))) for each in page.items
        )
        return MembersPage(items=items, next_cursor=page.next_cursor, version=version)

    return Answer(await call.in_thread(read))


async def get_membership(call: Call, kind: Kind) -> Answer:
    """Returns whether one person is in the tribe."""
    environment, tribe, person = call.environment, call.values["tribe"], call.person(kind)
    version, is_member = await call.in_thread(lambda: call.services.targeting.is_member(environment, tribe, person))
    return Answer(MembershipAnswer(tribe=tribe, is_member=is_member, version=version))


async def get_membership_of_user(call: Call) -> Answer:
    """Returns whether one user is in the tribe."""
    return await get_membership(call, "user")


async def get_membership_of_visitor(call: Call) -> Answer:
    """Returns whether one visitor is in the tribe."""
    return await get_membership(call, "visitor")


async def _export_members(call: Call) -> Stream:
    environment, tribe, format = call.environment, call.values["tribe"], export_format(call)
    names = [parse_attribute_name(name) for name in call.text("attributes").split(",") if name]
    if names and call.find_text("as_of"):
        raise ParameterInvalid("attributes are exported as of now, without as_of.", parameter="attributes")
    if names:
        types: dict[AttributeName, AttributeType] = {}

        def open_rows() -> tuple[Version, Iterator[Sequence[tuple[Person, Attributes]]]]:
            found = call.services.targeting.members_with_attributes(environment, tribe, names)
            types.update(found.types)
            return found.version, found.chunks

        return await export_stream(call, open_rows, lambda chunks: encode_members(chunks, types, format), format)
    return await export_stream(
        call,
        lambda: call.services.targeting.members(environment, tribe, as_of=call.find_version()),
        lambda chunks: encode_people(chunks, format),
        format,
    )


async def overlap(call: Call) -> Answer:
    """Returns the overlap of several tribes."""
    environment = call.environment
    body = await read_json(call, OverlapBody)
    version, regions = await call.in_thread(lambda: call.services.targeting.overlap(environment, body.tribes))
    return Answer(OverlapAnswer(regions=regions, version=version))


async def why(call: Call) -> Answer:
    """Returns whether one person is in the tribe, and why."""
    environment, tribe, person = call.environment, call.values["tribe"], call.find_person()
    if person is None:
        raise ParameterInvalid("Give user or visitor.", parameter="user")
    context = _context(call.find_text("context"))
    return Answer(await call.in_thread(lambda: call.services.targeting.why(environment, tribe, person, context)))


async def tag_members(call: Call) -> Answer:
    """Adds a tag to all members, or removes one."""
    environment, tribe = call.environment, call.values["tribe"]
    body = await read_json(call, TribeTagBody)
    asked = msgspec.to_builtins(body)
    period = {name: asked.pop(name, None) for name in ("starts_at", "expires_at", "ttl")}
    if len(asked) != 1:
        raise BodyInvalid("Set exactly one of add, remove and snapshot.", field="$")
    ((name, text),) = asked.items()
    mode, tag = msgspec.convert(name, TribeMode), parse_tag(text)
    origin, dry_run, key = call.origin, call.flag("dry_run"), call.idempotency_key()
    return Answer(
        await call.in_thread(
            lambda: call.services.taggings.tag_tribe(
                environment,
                tribe,
                tag,
                mode,
                origin,
                dry_run=dry_run,
                idempotency_key=key,
                **period,
            )
        )
    )


def _context(text: str | None) -> Context:
    """Returns the context in a parameter. Raises: ParameterInvalid."""
    if text is None:
        return NO_CONTEXT
    rule = 'JSON such as {"platform": "ios"}'
    try:
        return checked_context(msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=ContextBody))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParameterInvalid(f"context is not {rule}: {error}.", parameter="context", rule=rule) from error
    except BodyInvalid as problem:
        raise ParameterInvalid(problem.detail, parameter="context", rule=rule) from problem


def _draft(body: TribeBody) -> Draft:
    return Draft(
        name=body.name,
        rule=body.rule,
        description=body.description,
        category=body.category,
        audience=body.audience,
        flag=body.flag,
    )


def _revision(stored: Tribe, expected: list[str]) -> int | None:
    return expected_revision(stored.revision, expected, TribeChanged, f"The tribe '{stored.id}'")
