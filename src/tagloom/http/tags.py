"""The catalogue of an environment."""

import msgspec
from msgspec import UNSET

from tagloom.base.problems import BodyInvalid
from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call, Stream
from tagloom.http.framework.paging import page_of
from tagloom.http.framework.schemas import AliasesPage, AliasItem, MergeBody, TagAnswer, TagBody, TagPatch, TagsPage
from tagloom.http.framework.streams import export_format, export_stream
from tagloom.people.export import encode_people
from tagloom.ports.writes import EditTag, PutTag
from tagloom.words.catalogue import Match
from tagloom.words.problems import TagProblem
from tagloom.words.tags import TagPath, parse_tag


async def list_tags(call: Call) -> Answer:
    """Returns a page of the catalogue."""
    prefix, environment = call.find_tag("prefix"), call.environment

    def read() -> TagsPage:
        version = call.services.changes.version(environment)
        page = call.services.catalogue.list_tags(
            environment,
            search=call.text("search"),
            prefix=prefix,
            limit=call.integer("limit"),
            cursor=call.find_text("cursor"),
        )
        return TagsPage(items=page.items, next_cursor=page.next_cursor, version=version)

    return Answer(await call.in_thread(read))


async def get_tag(call: Call) -> Answer:
    """Returns one entry of the catalogue."""
    tag, environment = call.tag(), call.environment

    def read() -> TagAnswer:
        version = call.services.changes.version(environment)
        found = call.services.catalogue.get_tag(environment, tag)
        return TagAnswer(**msgspec.structs.asdict(found), version=version)

    return Answer(await call.in_thread(read))


async def put_tag(call: Call) -> Answer:
    """Creates a tag, or changes its fields."""
    tag, environment, origin = call.tag(), call.environment, call.origin
    body = await read_json(call, TagBody, default=b"{}")
    ttl_seconds, expires_at = body.ttl_seconds(), body.moment(call.state.now())
    write = PutTag(
        tag=tag,
        description=None if body.description is UNSET else body.description,
        exclusive=None if body.exclusive is UNSET else body.exclusive,
        ttl_seconds=ttl_seconds,
        expires_at=expires_at,
    )
    return Answer(await call.in_thread(lambda: call.services.catalogue.put_tag(environment, write, origin)))


async def patch_tag(call: Call) -> Answer:
    """Renames or moves a tag and changes its fields, as one version or not at all."""
    tag, environment, origin = call.tag(), call.environment, call.origin
    body = await read_json(call, TagPatch)
    write = EditTag(
        tag=tag,
        to=None if body.tag is UNSET else _parsed(body.tag, "$.tag"),
        description=None if body.description is UNSET else body.description,
        exclusive=None if body.exclusive is UNSET else body.exclusive,
        owner="" if body.owner is None else None,
        ttl_seconds=body.ttl_seconds(),
        expires_at=body.moment(call.state.now()),
    )
    if write.to is None and not write.given():
        raise BodyInvalid("Set at least one of tag, description, exclusive, ttl, expires_at and owner.", field="$")
    return Answer(await call.in_thread(lambda: call.services.catalogue.put_tag(environment, write, origin)))


async def delete_tag(call: Call) -> Answer:
    """Deletes a tag and the tags below it."""
    tag, environment, origin, is_forced = call.tag(), call.environment, call.origin, call.flag("force")
    return Answer(
        await call.in_thread(lambda: call.services.catalogue.delete_tag(environment, tag, origin, force=is_forced))
    )


async def merge_tag(call: Call) -> Answer:
    """Merges a tag into another."""
    tag, origin, environment = call.tag(), call.origin, call.environment
    body = await read_json(call, MergeBody)
    into = _parsed(body.into, "$.into")
    return Answer(await call.in_thread(lambda: call.services.catalogue.merge_tags(environment, tag, into, origin)))


async def export_people_with(call: Call) -> Stream:
    """Streams the people with the tag."""
    tag, format, environment = call.tag(), export_format(call), call.environment
    match = msgspec.convert(call.text("match"), Match)
    return await export_stream(
        call,
        lambda: call.services.people.people_with(environment, tag, match, as_of=call.find_version()),
        lambda chunks: encode_people(chunks, format),
        format,
    )


async def list_aliases(call: Call) -> Answer:
    """Returns a page of old paths with their current paths."""
    environment, changes, catalogue = call.environment, call.services.changes, call.services.catalogue
    version, aliases = await call.in_thread(lambda: (changes.version(environment), catalogue.aliases(environment)))
    items, next_cursor = page_of(call, aliases.items(), lambda each: each[0])
    shown = tuple(AliasItem(alias=alias, tag=tag) for alias, tag in items)
    return Answer(AliasesPage(items=shown, next_cursor=next_cursor, version=version))


def _parsed(text: str, field: str) -> TagPath:
    try:
        return parse_tag(text)
    except TagProblem as problem:
        problem.members["field"] = field
        raise
