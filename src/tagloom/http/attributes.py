"""The attributes of an environment: their types, and the values that people have."""

from msgspec import UNSET

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.paging import page_of
from tagloom.http.framework.schemas import AttributeBody, AttributesPage
from tagloom.ports.writes import PutAttribute
from tagloom.words.attributes import AttributeName, parse_attribute_name


async def list_attributes(call: Call) -> Answer:
    """Returns a page of attributes, by name."""
    environment, changes, attributes = call.environment, call.services.changes, call.services.attributes
    version, found = await call.in_thread(
        lambda: (changes.version(environment), attributes.list_attributes(environment))
    )
    search = call.text("search")
    items, next_cursor = page_of(call, (each for each in found if search in each.name), lambda each: each.name)
    return Answer(AttributesPage(items=items, next_cursor=next_cursor, version=version))


async def get_attribute(call: Call) -> Answer:
    """Returns one attribute with its most frequent values."""
    name, environment, limit = _name(call), call.environment, call.integer("limit")
    return Answer(await call.in_thread(lambda: call.services.attributes.get_attribute(environment, name, limit=limit)))


async def put_attribute(call: Call) -> Answer:
    """Creates an attribute, or changes its description."""
    name, environment, origin, dry_run = _name(call), call.environment, call.origin, call.flag("dry_run")
    body = await read_json(call, AttributeBody)
    write = PutAttribute(name, body.type, None if body.description is UNSET else body.description)
    put = call.services.attributes.put_attribute
    return Answer(await call.in_thread(lambda: put(environment, write, origin, dry_run=dry_run)))


async def delete_attribute(call: Call) -> Answer:
    """Deletes an attribute, and removes its values from all people."""
    name, environment, origin = _name(call), call.environment, call.origin
    is_forced, dry_run = call.flag("force"), call.flag("dry_run")
    delete = call.services.attributes.delete_attribute
    return Answer(await call.in_thread(lambda: delete(environment, name, origin, force=is_forced, dry_run=dry_run)))


def _name(call: Call) -> AttributeName:
    """Returns the name in the address. Raises: AttributeNameInvalid."""
    return parse_attribute_name(call.values["attribute"])
