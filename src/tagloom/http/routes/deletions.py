"""The routes that delete and suppress people, and that read everything about one person."""

from tagloom.http import deletions
from tagloom.http.deletions import DeletionBody
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import AT_LEAST, DRY_RUN
from tagloom.http.framework.routing import Route
from tagloom.http.person_data import DATA_OF_USERS, DATA_OF_VISITORS, PersonDataAnswer, PersonDataHandlers
from tagloom.http.routes.people import IDEMPOTENCY_KEY, SOURCE
from tagloom.ports.problems import IdempotencyKeyReused, PersonLinked, PersonNotFound, TooManySuppressed
from tagloom.words.problems import PersonIdInvalid
from tagloom.words.receipts import Receipt


def _data(handlers: PersonDataHandlers) -> Route:
    return Route(
        method="GET",
        path=f"{E}/{handlers.kind}s/{{id}}/data",
        handler=handlers.get_data,
        group="People",
        summary=f"Download everything about a {handlers.kind}",
        description="A JSON file with the record, all events, the changes in the kept history, and the rejected "
        "messages of event sources that contain an id of the person. The header `Tagloom-Version` has its version.",
        scopes=("people:read", "tags:read", "events:read"),
        parameters=(AT_LEAST,),
        answer=PersonDataAnswer,
        problems=(PersonIdInvalid, PersonNotFound),
    )


DELETIONS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/deletions",
        handler=deletions.post_deletion,
        group="People",
        summary="Delete and suppress people, up to 5,000 at once",
        description="`delete` erases people for good, with everybody who is linked to them. `suppress` refuses "
        "everything that is sent about them from now on, and keeps what is stored. `both` does both, and `unsuppress` "
        "ends the suppression. The suppression list has hashes of ids only. Unknown people are no error: `erased` and "
        "`suppressed` of the receipt count who changed. This cannot be undone.",
        scopes=("people:write",),
        parameters=(DRY_RUN, SOURCE),
        headers=(IDEMPOTENCY_KEY,),
        body=DeletionBody,
        answer=Receipt,
        problems=(PersonIdInvalid, IdempotencyKeyReused, PersonLinked, TooManySuppressed),
    ),
    _data(DATA_OF_USERS),
    _data(DATA_OF_VISITORS),
)
