"""The catalogue: all tags as a list, a tree and a map, and the page of one tag."""

from typing import Any

import msgspec

from tagloom.base.problems import Problem
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.charts import Spark, Tile, line_charts, spark, treemap
from tagloom.console.framework.context import Answer, Download, Html, PageRequest, Redirect, Toast, toast_of
from tagloom.console.framework.rendering import day
from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT
from tagloom.people.export import encode_people
from tagloom.ports.problems import TagExists, TagMoveInvalid, TagNotFound
from tagloom.ports.writes import DeleteTag, MergeTags, MoveTag, PutTag
from tagloom.words.catalogue import Tag
from tagloom.words.expiry import ExpiryInvalid, parse_expires_at, parse_ttl
from tagloom.words.problems import ExclusiveBranch, TagIsAlias, TagOwned, TagProblem
from tagloom.words.tags import TagPath, branches_above, parse_tag

TAGS_PER_PAGE = 50
BRANCHES_PER_PAGE = 200
MAP_WIDTH, MAP_HEIGHT = 1200, 560
MAP_BRANCHES_MAX = 40
MAP_TAGS_MAX = 60
TILE_LABEL_MIN = 46
CHANGES_SHOWN = 10
VIEWS = ("list", "tree", "map")


class Row(msgspec.Struct, frozen=True):
    """A tag in the list, with its sparkline and its change over the last 30 days."""

    tag: Tag
    drawn: Spark | None
    change: int


class Region(msgspec.Struct, frozen=True):
    """A branch of the map with the tags below it."""

    tag: Tag
    tile: Tile
    inner: tuple[tuple[Tag, Tile], ...]


def tags(request: PageRequest) -> Answer:
    """Shows the catalogue as a list, a tree or a map."""
    view = request.text("view") if request.text("view") in VIEWS else "list"
    search = request.text("search").strip()
    if search:
        view = "list"
    context = {
        "title": "User tags",
        "breadcrumb": [("Developer", request.to("tags")), ("User tags", None)],
        "view": view,
        "search": search,
        "is_closed": request.environment.catalogue == "closed",
        "version": request.services.changes.version(request.environment),
    }
    match view:
        case "tree":
            context |= _branch(request, None)
        case "map":
            context |= {"regions": _regions(request), "map_width": MAP_WIDTH, "map_height": MAP_HEIGHT}
        case _:
            context |= _page(request, search)
    template = {"tags-part": "tags_part.html", "tags-rows": "tags_rows.html"}.get(request.target or "", "tags.html")
    return Html(template, context)


def _page(request: PageRequest, search: str) -> dict[str, Any]:
    page = request.services.catalogue.list_tags(
        request.environment, search=search, limit=TAGS_PER_PAGE, cursor=request.text("cursor") or None
    )
    trends = request.services.catalogue.trends(request.environment, [each.tag for each in page.items])
    rows = []
    for tag in page.items:
        values = trends.get(tag.tag, ())
        rows.append(Row(tag, spark(values) if values else None, values[-1] - values[0] if values else 0))
    return {"rows": rows, "next_cursor": page.next_cursor, "total": page.total}


def branch(request: PageRequest) -> Answer:
    """Returns the tags directly below a branch, for the tree."""
    prefix = request.tag("prefix")
    return Html("tags_branch.html", {"view": "tree", **_branch(request, prefix)})


def _branch(request: PageRequest, prefix: TagPath | None) -> dict[str, Any]:
    page = request.services.catalogue.children(
        request.environment, prefix, limit=BRANCHES_PER_PAGE, cursor=request.text("cursor") or None
    )
    return {"branches": page.items, "prefix": prefix, "next_cursor": page.next_cursor}


def _regions(request: PageRequest) -> list[Region]:
    """Returns the largest branches, and the largest tags in each, by number of people."""
    tops = [each.tag for each in request.services.catalogue.children(request.environment, None, limit=1_000).items]
    tops = sorted((tag for tag in tops if tag.subtree_users), key=lambda tag: -tag.subtree_users)[:MAP_BRANCHES_MAX]
    regions = []
    for tile in treemap([tag.subtree_users for tag in tops], 0, 0, MAP_WIDTH, MAP_HEIGHT):
        top = tops[tile.item]
        inner: list[tuple[Tag, Tile]] = []
        if tile.width > TILE_LABEL_MIN and tile.height > TILE_LABEL_MIN:
            below = [
                each.tag for each in request.services.catalogue.children(request.environment, top.tag, limit=500).items
            ]
            below = sorted((tag for tag in below if tag.subtree_users), key=lambda tag: -tag.subtree_users)
            below = below[:MAP_TAGS_MAX]
            sizes = [tag.subtree_users for tag in below]
            placed = treemap(sizes, tile.x + 3, tile.y + 20, tile.width - 6, tile.height - 23)
            inner = [(below[each.item], each) for each in placed]
        regions.append(Region(top, tile, tuple(inner)))
    return regions


# One tag.


def show(request: PageRequest) -> Answer:
    """Shows a tag. An alias redirects to its tag."""
    tag = request.tag()
    try:
        found = request.services.catalogue.get_tag(request.environment, tag)
    except TagIsAlias:
        today = request.services.catalogue.resolve(request.environment, tag)
        return Redirect(request.to("tag", tag=today), Toast(f"“{tag}” is now called “{today}”."))
    return Html("tag.html", tag_context(request, found))


def tag_context(request: PageRequest, found: Tag) -> dict[str, Any]:
    """Returns the values for the page of a tag."""
    catalogue, tag = request.services.catalogue, found.tag
    trend = catalogue.trend(request.environment, tag)
    users = [point.subtree_users for point in trend]
    names = {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)}
    aliases = [alias for alias, target in catalogue.aliases(request.environment).items() if target == tag]
    return {
        "title": tag,
        "breadcrumb": [
            ("User tags", request.to("tags")),
            *((above.rpartition("/")[2], request.to("tag", tag=above)) for above in reversed(branches_above(tag))),
            (tag.rpartition("/")[2], None),
        ],
        "tag": found,
        "version": request.services.changes.version(request.environment),
        "points": [{"at": point.at, "count": point.subtree_users} for point in trend],
        "charts": line_charts(users, [day(point.at) for point in trend], width=1_040),
        "horizon": request.services.changes.horizon(request.environment),
        "sources": catalogue.sources(request.environment, tag, limit=12),
        "children": catalogue.children(request.environment, tag, limit=BRANCHES_PER_PAGE).items,
        "people_with": request.services.people.list_people(request.environment, kind="user", tag=tag, limit=8).items,
        "changes": request.services.changes.list_changes(
            request.environment, tag=tag, newest_first=True, limit=CHANGES_SHOWN
        ),
        "tribes": [(tribe, names.get(tribe, tribe)) for tribe in found.tribes],
        "aliases": sorted(aliases),
        "owned": catalogue.owned_branch(request.environment, tag),
        "expiry": {"ttl": found.ttl, "expires_at": found.expires_at[:16]},
        "expiry_problem": None,
    }


def people_with(request: PageRequest) -> Answer:
    """Returns everyone with the tag or one below it, now or as of a version, as CSV."""
    tag = request.tag()
    as_of = request.services.changes.version_as_of(request.environment, request.text("as_of") or None)
    version, chunks = request.services.people.people_with(request.environment, tag, "subtree", as_of=as_of)
    name = f"{tag.replace('/', '-')}-{request.environment.name}-v{version}.csv"
    return Download(name, CONTENT_TYPE_OF_FORMAT["csv"], encode_people(chunks, "csv"))


def new(request: PageRequest) -> Answer:
    """Shows the form for a new tag."""
    return _new_form(request)


def _new_form(request: PageRequest, problem: Problem | None = None) -> Html:
    return Html(
        "tag_new.html",
        {
            "title": "New tag",
            "breadcrumb": [("User tags", request.to("tags")), ("New tag", None)],
            "typed": request.text("tag"),
            "description": request.text("description"),
            "problem": problem,
        },
    )


def create(request: PageRequest) -> Answer:
    """Creates a tag."""
    try:
        tag = request.tag()
    except TagProblem as problem:
        return _new_form(request, problem)
    receipt = request.services.catalogue.put_tag(
        request.environment, PutTag(tag=tag, description=request.text("description").strip()), request.origin
    )
    return Redirect(request.to("tag", tag=tag), toast_of(receipt, f"The tag “{tag}” was created."))


def describe(request: PageRequest) -> Answer:
    """Changes the description of a tag, and whether its branch is exclusive."""
    tag = request.tag()
    receipt = request.services.catalogue.put_tag(
        request.environment,
        PutTag(
            tag=tag,
            description=request.text("description").strip(),
            exclusive=request.text("exclusive") == "yes",
        ),
        request.origin,
    )
    return Redirect(request.to("tag", tag=tag), toast_of(receipt, f"The description of “{tag}” was saved."))


def put_expiry(request: PageRequest) -> Answer:
    """Changes when taggings of the tag expire, and when the tag is removed from everyone. Empty: never."""
    tag, ttl, expires_at = request.tag(), request.text("ttl").strip(), read_moment(request.text("expires_at").strip())
    moment = request.moment("expires_at")
    found = request.services.catalogue.get_tag(request.environment, tag)
    # A time that did not change is not compared with the clock again.
    stays = expires_at == found.expires_at[:16]
    try:
        receipt = request.services.catalogue.put_tag(
            request.environment,
            PutTag(
                tag=tag,
                ttl_seconds=parse_ttl(ttl) if ttl else 0,
                expires_at=None if stays else parse_expires_at(moment, request.services.now()) if moment else 0,
            ),
            request.origin,
        )
    except ExpiryInvalid as problem:
        fields = {"expiry": {"ttl": ttl, "expires_at": expires_at}, "expiry_problem": problem}
        return Html("tag.html", tag_context(request, found) | fields, status=problem.status)
    return Redirect(request.to("tag", tag=tag), toast_of(receipt, f"The expiry of “{tag}” was saved."))


def release(request: PageRequest) -> Answer:
    """Removes the owner of a branch, so that everyone can write there."""
    tag = request.tag()
    receipt = request.services.catalogue.put_tag(request.environment, PutTag(tag=tag, owner=""), request.origin)
    return Redirect(request.to("tag", tag=tag), toast_of(receipt, f"The branch “{tag}” was released."))


# Move, merge and delete: first the preview, then the write.


def ask_move(request: PageRequest) -> Answer:
    """Shows the form to rename or move a tag, with the preview."""
    return _form_with_preview(request, "move", "Rename or move")


def ask_merge(request: PageRequest) -> Answer:
    """Shows the form to merge tags, with the preview."""
    return _form_with_preview(request, "merge", "Merge")


def ask_delete(request: PageRequest) -> Answer:
    """Shows the form to delete a tag, with the preview."""
    return _form_with_preview(request, "delete", "Delete")


def _form_with_preview(request: PageRequest, action: str, verb: str) -> Answer:
    tag, typed = request.tag(), request.text("to").strip()
    context: dict[str, Any] = {
        "title": f"{verb} {tag}",
        "breadcrumb": [("User tags", request.to("tags")), (tag, request.to("tag", tag=tag)), (verb, None)],
        "tag": request.services.catalogue.get_tag(request.environment, tag),
        "action": action,
        "typed": typed,
        "preview": None,
        "problem": None,
        "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
    }
    if typed or action == "delete":
        try:
            context["preview"] = _preview(request, action, tag, typed)
        except (
            ExclusiveBranch,
            TagProblem,
            TagMoveInvalid,
            TagExists,
            TagNotFound,
            TagOwned,
        ) as problem:
            context["problem"] = problem
    return Html("tag_effect.html" if request.target == "effect" else "tag_change.html", context)


def _preview(request: PageRequest, action: str, tag: TagPath, typed: str) -> Any:
    previews = request.services.previews
    match action:
        case "move":
            return previews.preview(request.environment, MoveTag(tag, parse_tag(typed)))
        case "merge":
            return previews.preview(request.environment, MergeTags(tag, parse_tag(typed)))
        case _:
            return previews.preview(request.environment, DeleteTag(tag))


def move(request: PageRequest) -> Answer:
    """Renames or moves a tag and all tags below it."""
    tag, to = request.tag(), request.tag("to")
    receipt = request.services.catalogue.move_tag(request.environment, tag, to, request.origin)
    return Redirect(
        request.to("tag", tag=to), Toast(f"“{tag}” is now called “{to}”.", receipt.version, request.to("tag", tag=tag))
    )


def merge(request: PageRequest) -> Answer:
    """Merges a tag into another."""
    tag, into = request.tag(), request.tag("to")
    receipt = request.services.catalogue.merge_tags(request.environment, tag, into, request.origin)
    return Redirect(
        request.to("tag", tag=into),
        Toast(f"“{tag}” was merged into “{into}”.", receipt.version, request.to("tag", tag=tag)),
    )


def delete(request: PageRequest) -> Answer:
    """Deletes a tag and removes it from everyone."""
    tag = request.tag()
    force = request.text("force") == "yes"
    receipt = request.services.catalogue.delete_tag(request.environment, tag, request.origin, force=force)
    return Redirect(request.to("tags"), Toast(f"“{tag}” was deleted.", receipt.version, request.to("tag", tag=tag)))
