"""The OpenAPI 3.1 document, made from the route table and its types."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tagloom import __version__
from tagloom.accounts.problems import NotAllowed, NotSignedIn
from tagloom.base.problems import (
    BodyInvalid,
    BodyTooLarge,
    BodyTruncated,
    ContentTypeUnsupported,
    InternalFault,
    ParameterInvalid,
    Problem,
)
from tagloom.http.framework.parameters import AT_LEAST, Parameter
from tagloom.http.framework.routing import FLAG, TAG, Group, Route
from tagloom.http.framework.schemas import EventLine, EventsBody, ImportOptions, TaggingLine, TaggingsBody
from tagloom.http.problems import AddressTooLong, HeadersTooLarge, VersionNotReached
from tagloom.ports.problems import EnvironmentNotFound, OrganizationNotFound, SpaceNotFound, StoreUnavailable
from tagloom.server.multipart import MULTIPART
from tagloom.words import limits as words_limits
from tagloom.words.tenants import ENVIRONMENT_NAMES
from tagloom.words.tribes import Tribe

Json = dict[str, Any]

GROUPS = {
    "People": "Users and visitors, and the tags and attributes of one of them.",
    "Tags": "The catalogue of an environment.",
    "Attributes": "Typed facts about people, and the values that people have.",
    "Taggings": "Many people at once: in and out.",
    "Events": "What people did in an app.",
    "Tribes": "Named audiences, and who is in them.",
    "Decisions": "The tribes of one person, now.",
    "History": "Every version, and how to take it back.",
    "Imports": "Files that are planned, guarded and applied in steps, and the mappings that read them.",
    "Syncs": "Sources that the server reads on a schedule or on call, or that push their records.",
    "Deliveries": "Folders and buckets to which the server writes the recorded events.",
    "Tenants": "Organizations, spaces and environments.",
    "Tokens": "Access to all this.",
    "Installation": "Health, metrics and bounds.",
}
PATH_PARAMETERS = {
    "organization": "An organization's id.",
    "space": "A space's id.",
    "environment": "development, staging or production.",
    "id": "The person's id, percent-encoded: a slash is %2F.",
    TAG: "The tag: its levels as segments, or with its slashes encoded as one segment.",
    FLAG: "The key of a feature flag: `tribe/` and the id of a tribe, with its slash as it is or encoded.",
    "attribute": "The name of an attribute, percent-encoded: a slash is %2F.",
    "tribe": "A tribe's id.",
    "sync": "A sync's id.",
    "delivery": "A delivery's id.",
    "source": "The id of an event source.",
    "identity_secret": "The id of an identity secret.",
    "import": "An import's id.",
    "mapping": "A mapping's name.",
    "token": "A token's id.",
    "version": "A version's number.",
}
JSON_ONLY = ("application/json",)
# OpenAPI 3.1 has no schema for a stream of events. Readers of the document apply this schema to each event.
EVENT_SCHEMA: Json = {
    "type": "object",
    "description": "One event: its data is JSON.",
    "properties": {"data": {"type": "string"}},
    "required": ["data"],
}
FORM_SCHEMA: Json = {
    "type": "object",
    "description": "A file and how it is to be imported: the members of `options` may also be fields of their own.",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "The file, with its name."},
        "options": {"$ref": "#/components/schemas/ImportOptions"},
    },
    "required": ["file"],
}
# Rules that a schema made from a struct cannot express.
ONE_PERSON: Json = {"oneOf": [{"required": ["user"]}, {"required": ["visitor"]}]}
REFINEMENTS: dict[str, Json] = {
    "DecisionBody": ONE_PERSON,
    "EventLine": ONE_PERSON,
    "PersonNamed": ONE_PERSON,
    "TaggingLine": ONE_PERSON,
    "TagPatch": {"minProperties": 1},
    "TribeTagBody": {"oneOf": [{"required": [name]} for name in ("add", "remove", "snapshot")]},
    "UndoBody": {"anyOf": [{"required": [name]} for name in ("versions", "actor", "source")]},
}
# Names that have another meaning in the language of a generated client.
RENAMED = {"Mapping": "ColumnMapping"}
# The ids in examples are the ids of a new installation and of the guides.
EXAMPLES: dict[str, str | int] = {
    "organization": "main",
    "space": "main",
    "environment": "production",
    "id": "u1",
    TAG: "sports/football",
    FLAG: "tribe/football-fans",
    "attribute": "plan",
    "tribe": "football-fans",
    "sync": "crm",
    "delivery": "lake",
    "source": "web",
    "mapping": "crm",
    "version": 1,
}
PROBLEM_SCHEMA: Json = {
    "title": "Problem",
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it. Further members carry the values: `value`, `rule`, "
    "`position`, `suggestion`, `field`, `parameter`, …",
    "properties": {
        "type": {"type": "string", "description": "`/problems/` and the problem's name."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "value": {"description": "What was refused."},
        "rule": {"type": "string", "description": "What it must be."},
        "position": {"type": "integer", "description": "Where in the value the first wrong character stands, from 0."},
        "suggestion": {"type": ["string", "null"], "description": "What to send instead."},
        "field": {"type": "string", "description": "The field of the body, as a JSON path."},
        "parameter": {"type": "string", "description": "The parameter of the query or the header."},
        "line": {"type": "integer", "description": "The line of a file or body, from 1."},
        "column": {"type": "string", "description": "The column of a file."},
        "nearest": {"type": "array", "items": {"type": "string"}, "description": "Known names that look like it."},
        "scopes": {"type": "array", "items": {"type": "string"}, "description": "The scopes that the token lacks."},
        "retry_after": {"type": "number", "description": "Seconds to wait before the next attempt."},
        "request_id": {"type": "string", "description": "The id under which the log of the server has the reason."},
    },
    "required": ["type", "title", "status", "detail"],
}


def openapi_document(routes: Sequence[Route]) -> Json:
    """Returns the whole document. Cost: some milliseconds; it is made once."""
    types = [each for route in routes for each in (route.body, route.answer) if each is not None]
    named, components = _schemas([*types, TaggingsBody, TaggingLine, EventsBody, EventLine, ImportOptions])
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tagloom Platform API",
            "version": __version__,
            "description": "Stores tags for every user of a product, and decides which tribes a user is in. "
            "Every error is a problem document (RFC 9457). Every list is paged. Every answer about people has the "
            "`version` that it is true for.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in GROUPS.items()],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM_SCHEMA, **components},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A personal access token."}
            },
        },
    }


def _schemas(types: Sequence[Any]) -> tuple[dict[Any, Json], Json]:
    unique = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    for name, refinement in REFINEMENTS.items():
        components[name] = {**components[name], **refinement}
    named = {RENAMED.get(name, name): schema for name, schema in components.items()}
    return {each: _clean(schema) for each, schema in zip(unique, found, strict=True)}, _clean(named)


def _clean(value: Any) -> Any:
    """Returns a schema with unindented docstrings, lists for tuples, and arrays that client generators can read."""
    match value:
        case {"prefixItems": list() as items}:
            # Generators cannot read arrays of different items. The schema keeps the kinds of the items and their
            # number.
            kinds = [kind for place, kind in enumerate(items) if kind not in items[:place]]
            rest = {key: each for key, each in value.items() if key not in ("prefixItems", "items")}
            return _clean({**rest, "items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}})
        case {"type": "object"} if "properties" not in value and "additionalProperties" not in value:
            # Generators read an object without these fields as an empty one.
            return _clean({**value, "additionalProperties": True})
        case {"$ref": str(ref)} if (name := ref.rpartition("/")[2]) in RENAMED:
            return {**value, "$ref": ref.removesuffix(name) + RENAMED[name]}
        case dict():
            return {
                key: inspect.cleandoc(each) if key == "description" and isinstance(each, str) else _clean(each)
                for key, each in value.items()
            }
        case list() | tuple():
            return [_clean(each) for each in value]
        case _:
            return value


def _operation(route: Route, named: dict[Any, Json]) -> Json:
    operation: Json = {
        "operationId": _operation_id(route),
        "tags": [route.group],
        "summary": route.summary,
        "parameters": [
            *(_path_parameter(name) for name in route.path_names()),
            *(_parameter(each, "query") for each in route.parameters),
            *(_parameter(each, "header") for each in route.headers),
        ],
        "responses": _responses(route, named),
    }
    operation["description"] = route.description or inspect.getdoc(route.handler) or route.summary
    if route.scopes is None:
        operation["security"] = []
    else:
        operation["x-scopes"] = list(route.scopes)
    if route.body is not None or route.bulk:
        content = {each: {"schema": _bulk_schema(each, route.group)} for each in route.bulk}
        if route.body is not None:
            content = {"application/json": {"schema": named[route.body]}, **content}
        operation["requestBody"] = {"required": route.is_body_required, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    name = route.handler.__name__
    kind = getattr(getattr(route.handler, "__self__", None), "kind", None)
    return name if kind is None else f"{name}_of_{kind}" if "tag" in name else f"{name}_{kind}"


def _path_parameter(name: str) -> Json:
    schema: Json = {"type": "string", "minLength": 1}
    if name == "environment":
        schema = {"type": "string", "enum": list(ENVIRONMENT_NAMES)}
    elif name == "version":
        schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999_999_999_999}
    elif name == "id":
        schema["maxLength"] = 256
    elif name == "attribute":
        schema["maxLength"] = words_limits.CHARACTERS_PER_ATTRIBUTE_NAME_MAX
    found = {
        "name": name,
        "in": "path",
        "required": True,
        "description": PATH_PARAMETERS[name],
        "schema": schema,
    }
    return found if name not in EXAMPLES else {**found, "example": EXAMPLES[name]}


def _parameter(parameter: Parameter, where: str) -> Json:
    return {
        "name": parameter.name,
        "in": where,
        "required": parameter.is_required,
        "description": parameter.description,
        "schema": parameter.schema(),
    }


def _bulk_schema(content_type: str, group: Group) -> Json:
    body, line = ("EventsBody", "EventLine") if group == "Events" else ("TaggingsBody", "TaggingLine")
    if content_type == "application/json":
        return {"$ref": f"#/components/schemas/{body}"}
    texts = {
        "application/x-ndjson": f"One {line} a line.",
        "text/csv": "A header line, then one tagging a line: columns user or visitor, and tag.",
    }
    if content_type == MULTIPART:
        return FORM_SCHEMA
    if content_type in texts:
        return {"type": "string", "description": texts[content_type]}
    return {"type": "string", "format": "binary", "description": "Columns user or visitor, and tag."}


def _responses(route: Route, named: dict[Any, Json]) -> Json:
    good: Json = {"description": route.summary}
    content: Json = {}
    if route.answer is None or route.answer_types != JSON_ONLY:
        content = {
            each: {"schema": EVENT_SCHEMA if each == "text/event-stream" else {"type": "string"}}
            for each in route.answer_types
        }
    if route.answer is not None:
        content["application/json"] = {"schema": named[route.answer]}
    if route.status != 204:
        good["content"] = content
    if route.status == 201:
        good["headers"] = {"Location": {"schema": {"type": "string"}, "description": "Where it is."}}
    if route.answer is Tribe:
        good.setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}, "description": "For If-Match."}
    responses: Json = {str(route.status): good}
    if any(each.name == "If-None-Match" for each in route.headers):
        good.setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}, "description": "For If-None-Match."}
        responses["304"] = {"description": "The answer is still the one of this ETag."}
    for status, classes in sorted(_by_status(problems_of(route)).items()):
        responses[str(status)] = {
            "description": " ".join(each.title() for each in classes),
            "content": {each.content_type: {"schema": {"$ref": "#/components/schemas/Problem"}} for each in classes},
            "x-problems": [f"/problems/{each.slug()}" for each in classes],
        }
    return responses


def problems_of(route: Route) -> list[type[Problem]]:
    """Returns every problem that the route may answer: its own problems, and the problems of all routes of its kind."""
    found: list[type[Problem]] = [
        ParameterInvalid,
        AddressTooLong,
        HeadersTooLarge,
    ]
    if route.scopes is not None:
        found.append(NotSignedIn)
    if route.scopes:
        found.append(NotAllowed)
    names = route.path_names()
    if "organization" in names:
        found.append(OrganizationNotFound)
    if "space" in names:
        found.append(SpaceNotFound)
    if "environment" in names:
        found.append(EnvironmentNotFound)
    if route.body is not None or route.bulk:
        found += [
            BodyInvalid,
            BodyTruncated,
            BodyTooLarge,
            ContentTypeUnsupported,
        ]
    if AT_LEAST in route.parameters:
        found.append(VersionNotReached)
    found += [StoreUnavailable, InternalFault, *route.problems]
    return list(dict.fromkeys(found))


def _by_status(classes: Iterable[type[Problem]]) -> dict[int, list[type[Problem]]]:
    found: dict[int, list[type[Problem]]] = {}
    for each in classes:
        found.setdefault(each.status, []).append(each)
    return found
