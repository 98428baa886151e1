"""The routes of static lists."""

from typing import get_args

from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.files.problems import ColumnsInvalid
from tagloom.http import lists
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import DRY_RUN, Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.routes.people import SOURCE
from tagloom.ports.problems import TooManyTags, TooManyTribes, TribeChanged, TribeExists, TribeNotFound
from tagloom.tagging.lists import BRANCH, LIST_MODES, ListReceipt
from tagloom.tagging.problems import ListBranched, TagInUse, TribeNotList
from tagloom.tribes.problems import TribeInUse
from tagloom.words.problems import MirrorEmpty, TagOwned, TagProblem, UnknownTag
from tagloom.words.receipts import Receipt
from tagloom.words.rejections import MirrorUnreadable
from tagloom.words.tribes import Audience

_BODY = (
    'The body has people: JSON such as `[{"user": "u1"}, {"visitor": "v1"}]`, NDJSON, or CSV, where a column of ids '
    "is enough. An invalid line is rejected alone. The answer counts who is known, unknown, invalid and named twice."
)
_PEOPLE = (
    DRY_RUN,
    SOURCE,
    Parameter(
        name="kind",
        description="Who the ids are in a body that has only ids.",
        choices=("user", "visitor"),
        default="user",
    ),
    Parameter(name="user_column", description="CSV: the column of users.", default="user"),
    Parameter(name="visitor_column", description="CSV: the column of visitors.", default="visitor"),
)
_PROBLEMS: tuple[type[Problem], ...] = (TagProblem, TagOwned, UnknownTag, TooManyTags, ColumnsInvalid)

LISTS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/lists",
        handler=lists.create_list,
        group="Tribes",
        summary="Create a list of people: a tag and a tribe of exactly this tag",
        description=_BODY,
        scopes=("tribes:write", "tags:write"),
        parameters=(
            Parameter(
                name="name",
                description="The name of the tribe.",
                is_required=True,
                characters_max=base_limits.CHARACTERS_PER_NAME_MAX,
            ),
            Parameter(name="id", description="The id of the tribe. Without it, the id is made from the name."),
            Parameter(name="tag", description=f"The tag of the list. Without it, the tag is `{BRANCH}/` and the id."),
            Parameter(
                name="audience",
                description="Who of the people with the tag is in the tribe.",
                choices=get_args(Audience),
                default="everyone",
            ),
            *_PEOPLE,
        ),
        bulk=tuple(lists.FORMATS),
        answer=ListReceipt,
        problems=(*_PROBLEMS, TribeExists, TooManyTribes),
    ),
    Route(
        method="POST",
        path=f"{E}/lists/{{tribe}}/people",
        handler=lists.change_list,
        group="Tribes",
        summary="Add people to a list, remove them, or replace the list",
        description=f"{_BODY} After `replace`, exactly the people of the body are on the list.",
        scopes=("tribes:read", "tags:write"),
        parameters=(
            Parameter(name="mode", description="What the body does.", choices=LIST_MODES, default="add"),
            Parameter(
                name="allow_empty",
                description="Let a body without people replace the list, which removes everybody.",
                kind="flag",
                default=False,
            ),
            Parameter(
                name="allow_unreadable",
                description="Replace the list although a line cannot be read and its person is unknown.",
                kind="flag",
                default=False,
            ),
            *_PEOPLE,
        ),
        bulk=tuple(lists.FORMATS),
        answer=ListReceipt,
        problems=(*_PROBLEMS, TribeNotFound, TribeNotList, ListBranched, MirrorEmpty, MirrorUnreadable),
    ),
    Route(
        method="DELETE",
        path=f"{E}/lists/{{tribe}}",
        handler=lists.delete_list,
        group="Tribes",
        summary="Delete a list: its tribe, and its tag in this environment",
        description="To keep the tag, delete only the tribe.",
        scopes=("tribes:write", "tags:write"),
        headers=(Parameter(name="If-Match", description="The ETag of the tribe that was read; * matches any."),),
        answer=Receipt,
        problems=(TribeNotFound, TribeNotList, TribeChanged, TribeInUse, TagInUse, TagOwned, ListBranched),
    ),
)
