"""The routes of links between people and users."""

from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import AT_LEAST, CURSOR, DRY_RUN, LIMIT
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import LinkBody, OpenLinksPage, SettleBody
from tagloom.http.identities import USERS, VISITORS, IdentityHandlers, list_open_links
from tagloom.http.routes.people import IDEMPOTENCY_KEY, SOURCE
from tagloom.ports.problems import (
    CursorInvalid,
    IdempotencyKeyReused,
    LinkInvalid,
    LinkSettled,
    PersonLinked,
    PersonNotFound,
    PersonNotLinked,
    UndoConflict,
)
from tagloom.words.problems import PersonIdInvalid, PersonSuppressed
from tagloom.words.receipts import Receipt
from tagloom.words.retention import HistoryCompacted


def _links(handlers: IdentityHandlers) -> tuple[Route, ...]:
    kind = handlers.kind
    path = f"{E}/{kind}s/{{id}}/link"
    linking = {
        "visitor": (
            "Link a visitor to a user",
            "Unknown people are created. From then on, the id of the visitor means the user everywhere. With the "
            "policy `take`, the user gets the tags and attributes of the visitor that it does not have; with `leave`, "
            "they are removed from the visitor only. The events of the visitor count for the user. The version can be "
            "undone.",
        ),
        "user": (
            "Join a user into another user",
            "The user, and everybody who is linked to it, are linked to the user of the body, as visitors are. The "
            "version can be undone.",
        ),
    }
    summary, description = linking[kind]
    problems = (PersonIdInvalid, IdempotencyKeyReused, PersonLinked, PersonSuppressed)
    return (
        Route(
            method="PUT",
            path=path,
            handler=handlers.put_link,
            group="People",
            summary=summary,
            description=description,
            scopes=("people:write", "tags:write"),
            parameters=(DRY_RUN, SOURCE),
            headers=(IDEMPOTENCY_KEY,),
            body=LinkBody,
            answer=Receipt,
            problems=problems if kind == "visitor" else (*problems, PersonNotFound, LinkInvalid),
        ),
        Route(
            method="POST",
            path=f"{path}/settle",
            handler=handlers.settle_link,
            group="People",
            summary=f"Decide about the tags and attributes that a linked {kind} had",
            description="A link is open if it was made with the policy `ask`, and the person had tags or attributes. "
            "With `take`, the user gets those that it does not have.",
            scopes=("people:write", "tags:write"),
            parameters=(DRY_RUN, SOURCE),
            headers=(IDEMPOTENCY_KEY,),
            body=SettleBody,
            answer=Receipt,
            problems=(PersonIdInvalid, IdempotencyKeyReused, PersonNotLinked, LinkSettled, HistoryCompacted),
        ),
        Route(
            method="DELETE",
            path=path,
            handler=handlers.delete_link,
            group="People",
            summary=f"Separate a {kind} from their user",
            description="Undoes the link, for this person and their user: events, tags and attributes that came with "
            "it go back. What was changed since is skipped. If the person came with a user who was joined, the join "
            "is undone.",
            scopes=("people:write", "tags:write"),
            parameters=(DRY_RUN, SOURCE),
            headers=(IDEMPOTENCY_KEY,),
            answer=Receipt,
            problems=(PersonIdInvalid, IdempotencyKeyReused, PersonNotLinked, HistoryCompacted, UndoConflict),
        ),
    )


IDENTITIES: tuple[Route, ...] = (
    *_links(VISITORS),
    *_links(USERS),
    Route(
        method="GET",
        path=f"{E}/open-links",
        handler=list_open_links,
        group="People",
        summary="List the links about which a teammate must decide",
        scopes=("people:read",),
        parameters=(LIMIT, CURSOR, AT_LEAST),
        answer=OpenLinksPage,
        problems=(CursorInvalid,),
    ),
)
