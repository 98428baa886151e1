"""Static lists: a new list, the form that changes one, and the search for its members."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.base.text import plural
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, toast_of
from tagloom.console.limits import FORM_BYTES_MAX
from tagloom.files import Text
from tagloom.tagging.lists import BRANCH, LIST_MODES, ListDraft, ListMode, ListReceipt
from tagloom.tagging.taggings import Order
from tagloom.words.tags import parse_tag
from tagloom.words.tribes import Audience

MEMBERS_SHOWN = 50
# Line ends and other characters take three bytes in a form.
PASTED_BYTES_MAX = FORM_BYTES_MAX // 2
AUDIENCES: dict[Audience, str] = {"users": "Users", "visitors": "Visitors", "everyone": "Users and visitors"}
WORDS: dict[ListMode, str] = {
    "add": "Add these people",
    "remove": "Remove these people",
    "replace": "Replace the list: only these people",
}
DONE: dict[ListMode, str] = {"add": "added", "remove": "removed", "replace": "on the list now"}


class ListForm(msgspec.Struct, frozen=True, kw_only=True):
    """The people in the form, with the counts of its preview, or the problem of them."""

    ids: str = ""
    kind: str = "user"
    mode: ListMode = "add"
    counted: ListReceipt | None = None
    problem: Problem | None = None


def new(request: PageRequest) -> Answer:
    """Shows an empty form. A list is a tribe and a tag, so it needs the permissions of both."""
    request.signed.require(request.space.id, "tribes")
    return Html("list_new.html", _new_context(request, ListForm()))


def create(request: PageRequest) -> Answer:
    """Shows what the new list would hold, or creates it."""
    request.signed.require(request.space.id, "tribes")
    tag = request.text("tag").strip()
    form, lists = _read(request), request.services.lists

    def write(order: Order) -> ListReceipt:
        draft = ListDraft(
            name=request.text("name").strip(), tag=parse_tag(tag) if tag else None, audience=_audience(request)
        )
        return lists.create_list(request.environment, draft, _body(form), order)

    if request.text("do") != "create":
        return _previewed(request, "list_new.html", form, write, lambda found: _new_context(request, found))
    found = write(_order(request, form, dry_run=False))
    text = f"The list “{found.tribe.name}” was created with {plural(found.after, 'person', 'people')}."
    return Redirect(request.to(f"tribe/{found.tribe.id}"), toast_of(found.receipt, text))


def change(request: PageRequest) -> Answer:
    """Shows how a list would change, or adds people, removes them or replaces the list."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    form, lists = _read(request), request.services.lists

    def write(order: Order) -> ListReceipt:
        return lists.change_list(request.environment, tribe.id, form.mode, _body(form), order)

    def context(found: ListForm) -> dict[str, Any]:
        breadcrumb = [
            ("Tribes", request.to("tribes")),
            (tribe.name, request.to(f"tribe/{tribe.id}")),
            ("People", None),
        ]
        return change_context(found) | {"title": tribe.name, "breadcrumb": breadcrumb, "tribe": tribe}

    if request.text("do") != "apply":
        return _previewed(request, "list_change.html", form, write, context)
    found = write(_order(request, form, dry_run=False))
    number = found.receipt.removed if form.mode == "remove" else found.receipt.added
    people = plural(found.after if form.mode == "replace" else number, "person", "people")
    text = f"“{tribe.name}”: {people} {DONE[form.mode]}."
    return Redirect(request.to(f"tribe/{tribe.id}"), toast_of(found.receipt, text))


def members(request: PageRequest) -> Answer:
    """Shows the first members whose id contains the typed text."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    search = request.text("search").strip()
    page = request.services.targeting.list_members(request.environment, tribe.id, search=search, limit=MEMBERS_SHOWN)
    return Html(
        "list_members.html",
        {
            "title": tribe.name,
            "breadcrumb": [("Tribes", request.to("tribes")), (tribe.name, request.to(f"tribe/{tribe.id}"))],
            "tribe": tribe,
            "search": search,
            "members": page.items,
            "has_more": page.next_cursor is not None,
        },
    )


def change_context(form: ListForm) -> dict[str, Any]:
    """Returns the values of the form that changes a list."""
    return {"form": form, "words": WORDS, "bytes_max": PASTED_BYTES_MAX}


def _new_context(request: PageRequest, form: ListForm) -> dict[str, Any]:
    return {
        "title": "New list",
        "breadcrumb": [("Tribes", request.to("tribes")), ("New list", None)],
        "form": form,
        "branch": BRANCH,
        "audiences": AUDIENCES,
        "bytes_max": PASTED_BYTES_MAX,
    }


def _previewed(
    request: PageRequest,
    page: str,
    form: ListForm,
    write: Callable[[Order], ListReceipt],
    context: Callable[[ListForm], dict[str, Any]],
) -> Html:
    """Returns the form with the counts of its people, or only these counts for htmx."""
    try:
        found = msgspec.structs.replace(form, counted=write(_order(request, form, dry_run=True)))
    except Problem as problem:
        found = msgspec.structs.replace(form, problem=problem)
    return Html("list_effect.html" if request.target == "list-effect" else page, context(found))


def _read(request: PageRequest) -> ListForm:
    typed = request.text("mode", "add")
    mode = next((each for each in LIST_MODES if each == typed), None)
    if mode is None:
        raise ParameterInvalid("The mode must be add, remove or replace.", parameter="mode")
    kind = "visitor" if request.text("kind") == "visitor" else "user"
    return ListForm(ids=request.text("ids"), kind=kind, mode=mode)


def _audience(request: PageRequest) -> Audience:
    typed = request.text("audience", "everyone")
    found = next((each for each in AUDIENCES if each == typed), None)
    if found is None:
        raise ParameterInvalid("The audience must be users, visitors or everyone.", parameter="audience")
    return found


def _order(request: PageRequest, form: ListForm, *, dry_run: bool) -> Order:
    format: Text = "ndjson" if form.ids.lstrip().startswith("{") else "csv"
    return Order(
        format=format,
        mode="add",
        origin=request.origin,
        dry_run=dry_run,
        kind="visitor" if form.kind == "visitor" else "user",
        allow_empty=request.text("allow_empty") == "on",
    )


def _body(form: ListForm) -> Iterator[bytes]:
    """Yields the people in the form as a body. The body of nobody is a header."""
    yield (form.ids if form.ids.strip() else f"{form.kind}\n").encode("utf-8", "surrogatepass")
