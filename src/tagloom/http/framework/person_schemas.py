"""The bodies of requests that create a person or set attributes of one."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from tagloom.http.framework.schemas import Body

JoinedAt = Annotated[str, Meta(description="When the person joined.", extra_json_schema={"format": "date-time"})]
AttributeValuesBody = Annotated[
    dict[str, Any],
    Meta(
        description="Values by name: a boolean, a number, a text, a time as text, or a list of texts. Null removes a "
        "value. The fields of nested objects get names such as `company.size`.",
        examples=[{"plan": "gold", "company": {"size": 3}, "renews_at": None}],
    ),
]


class PersonBody(Body, frozen=True, kw_only=True):
    """A new person: an object without fields, or no body. With `attributes`, these replace all that the person has."""

    attributes: AttributeValuesBody | UnsetType = UNSET
    joined_at: JoinedAt | UnsetType = UNSET


class AttributesBody(Body, frozen=True, kw_only=True):
    """At least one of both. Other attributes of the person do not change. A `joined_at` of null is removed."""

    attributes: AttributeValuesBody | UnsetType = UNSET
    joined_at: JoinedAt | UnsetType | None = UNSET
