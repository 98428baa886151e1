"""The routes of the attributes of an environment. Those of one person are among the routes of people."""

from tagloom.base import limits as base_limits
from tagloom.http import attributes
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import AT_LEAST, CURSOR, DRY_RUN, LIMIT, Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import AttributeBody, AttributesPage
from tagloom.http.routes.people import search_for
from tagloom.people.attributes import AttributeDetails
from tagloom.people.problems import AttributeInUse
from tagloom.ports.problems import AttributeExists, AttributeNotFound, CursorInvalid
from tagloom.words.problems import AttributeNameInvalid, AttributeReserved, AttributeTypeConflict, TooManyAttributes
from tagloom.words.receipts import Receipt

_ONE = f"{E}/attributes/{{attribute}}"

ATTRIBUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/attributes",
        handler=attributes.list_attributes,
        group="Attributes",
        summary="List attributes with their types, and the number of people who have a value",
        scopes=("tags:read",),
        parameters=(search_for("names"), LIMIT, CURSOR, AT_LEAST),
        answer=AttributesPage,
        problems=(CursorInvalid,),
    ),
    Route(
        method="GET",
        path=_ONE,
        handler=attributes.get_attribute,
        group="Attributes",
        summary="Read an attribute, its most frequent values, and what uses it",
        description="Values are personal data, so this needs the scope of people, too.",
        scopes=("tags:read", "people:read"),
        parameters=(
            Parameter(
                name="limit",
                description="The maximum number of values.",
                kind="integer",
                default=base_limits.PAGE_ITEMS_DEFAULT,
                least=1,
                most=base_limits.PAGE_ITEMS_MAX,
            ),
            AT_LEAST,
        ),
        answer=AttributeDetails,
        problems=(AttributeNameInvalid, AttributeNotFound),
    ),
    Route(
        method="PUT",
        path=_ONE,
        handler=attributes.put_attribute,
        group="Attributes",
        summary="Create an attribute with a type, or change its description",
        description="The type of an attribute never changes. Also works in a closed catalogue.",
        scopes=("tags:write",),
        parameters=(DRY_RUN,),
        body=AttributeBody,
        answer=Receipt,
        problems=(AttributeNameInvalid, AttributeExists, AttributeReserved, AttributeTypeConflict, TooManyAttributes),
    ),
    Route(
        method="DELETE",
        path=_ONE,
        handler=attributes.delete_attribute,
        group="Attributes",
        summary="Delete an attribute, and remove its values from everybody",
        description="The receipt counts the removed values in `attributes`.",
        scopes=("tags:write",),
        parameters=(
            Parameter(name="force", description="Also if a tribe uses the attribute.", kind="flag", default=False),
            DRY_RUN,
        ),
        answer=Receipt,
        problems=(AttributeNameInvalid, AttributeNotFound, AttributeReserved, AttributeInUse),
    ),
)
