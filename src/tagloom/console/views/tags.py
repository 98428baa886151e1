"""The catalogue: every tag as a list, a tree and a map; one tag with all there is to know of it."""

from typing import Any

import msgspec

from tagloom.base.problems import Problem
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.charts import Spark, Tile, line_charts, spark, treemap
from tagloom.console.framework.context import Answer, Download, Html, Redirect, Toast, Visit, told
from tagloom.console.framework.rendering import day
from tagloom.history.as_of import version_as_of
from tagloom.people.export import CONTENT_TYPE_OF_FORMAT, encode_people
from tagloom.ports.problems import TagExists, TagMoveInvalid, TagNotFound
from tagloom.words.expiry import ExpiryInvalid, parse_expires_at, parse_ttl
from tagloom.words.model import Tag
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
    """A tag in the list, with the line of its last 30 days and what they changed."""

    tag: Tag
    drawn: Spark | None
    change: int


class Region(msgspec.Struct, frozen=True):
    """A branch of the map with the tags below it."""

    tag: Tag
    tile: Tile
    inner: tuple[tuple[Tag, Tile], ...]


def tags(visit: Visit) -> Answer:
    """The catalogue, as the visitor wants to see it."""
    view = visit.text("view") if visit.text("view") in VIEWS else "list"
    search = visit.text("search").strip()
    if search:
        view = "list"
    context = {
        "title": "User tags",
        "breadcrumb": [("Developer", visit.to("tags")), ("User tags", None)],
        "view": view,
        "search": search,
        "is_closed": visit.environment.catalogue == "closed",
        "version": visit.population.version(),
    }
    match view:
        case "tree":
            context |= _branch(visit, None)
        case "map":
            context |= {"regions": _regions(visit), "map_width": MAP_WIDTH, "map_height": MAP_HEIGHT}
        case _:
            context |= _page(visit, search)
    template = {"tags-part": "tags_part.html", "tags-rows": "tags_rows.html"}.get(visit.target or "", "tags.html")
    return Html(template, context)


def _page(visit: Visit, search: str) -> dict[str, Any]:
    page = visit.loom.catalogue.list_tags(
        visit.environment, search=search, limit=TAGS_PER_PAGE, cursor=visit.text("cursor") or None
    )
    trends = visit.loom.catalogue.trends(visit.environment, [each.tag for each in page.items])
    rows = []
    for tag in page.items:
        values = trends.get(tag.tag, ())
        rows.append(Row(tag, spark(values) if values else None, values[-1] - values[0] if values else 0))
    return {"rows": rows, "next_cursor": page.next_cursor, "total": page.total}


def branch(visit: Visit) -> Answer:
    """What lies directly below a branch, to be opened in the tree."""
    under = visit.tag("under")
    return Html("tags_branch.html", {"view": "tree", **_branch(visit, under)})


def _branch(visit: Visit, under: TagPath | None) -> dict[str, Any]:
    page = visit.loom.catalogue.children(
        visit.environment, under, limit=BRANCHES_PER_PAGE, cursor=visit.text("cursor") or None
    )
    return {"branches": page.items, "under": under, "next_cursor": page.next_cursor}


def _regions(visit: Visit) -> list[Region]:
    """The largest branches and the largest tags in each, by the people who bear them."""
    tops = [each.tag for each in visit.loom.catalogue.children(visit.environment, None, limit=1_000).items]
    tops = sorted((tag for tag in tops if tag.subtree_users), key=lambda tag: -tag.subtree_users)[:MAP_BRANCHES_MAX]
    regions = []
    for tile in treemap([tag.subtree_users for tag in tops], 0, 0, MAP_WIDTH, MAP_HEIGHT):
        top = tops[tile.item]
        inner: list[tuple[Tag, Tile]] = []
        if tile.width > TILE_LABEL_MIN and tile.height > TILE_LABEL_MIN:
            below = [each.tag for each in visit.loom.catalogue.children(visit.environment, top.tag, limit=500).items]
            below = sorted((tag for tag in below if tag.subtree_users), key=lambda tag: -tag.subtree_users)
            below = below[:MAP_TAGS_MAX]
            sizes = [tag.subtree_users for tag in below]
            placed = treemap(sizes, tile.x + 3, tile.y + 20, tile.width - 6, tile.height - 23)
            inner = [(below[each.item], each) for each in placed]
        regions.append(Region(top, tile, tuple(inner)))
    return regions


# One tag.


def show(visit: Visit) -> Answer:
    """One tag; an old name leads to the one of today."""
    tag = visit.tag()
    try:
        found = visit.loom.catalogue.get_tag(visit.environment, tag)
    except TagIsAlias:
        today = visit.population.resolve(tag)
        return Redirect(visit.to("tag", tag=today), Toast(f"“{tag}” is called “{today}” now."))
    return Html("tag.html", tag_context(visit, found))


def tag_context(visit: Visit, found: Tag) -> dict[str, Any]:
    """What the page of a tag shows."""
    catalogue, tag = visit.loom.catalogue, found.tag
    trend = catalogue.trend(visit.environment, tag)
    users = [point.subtree_users for point in trend]
    names = {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)}
    aliases = [alias for alias, target in visit.population.aliases().items() if target == tag]
    return {
        "title": tag,
        "breadcrumb": [
            ("User tags", visit.to("tags")),
            *((above.rpartition("/")[2], visit.to("tag", tag=above)) for above in reversed(branches_above(tag))),
            (tag.rpartition("/")[2], None),
        ],
        "tag": found,
        "version": visit.population.version(),
        "points": [{"at": point.at, "count": point.subtree_users} for point in trend],
        "charts": line_charts(users, [day(point.at) for point in trend], width=1_040),
        "horizon": visit.population.horizon(),
        "sources": catalogue.sources(visit.environment, tag, limit=12),
        "children": catalogue.children(visit.environment, tag, limit=BRANCHES_PER_PAGE).items,
        "bearers": visit.population.list_people(kind="user", search="", tag=tag, limit=8).items,
        "changes": visit.population.list_changes(tag=tag, newest_first=True, limit=CHANGES_SHOWN),
        "tribes": [(tribe, names.get(tribe, tribe)) for tribe in found.tribes],
        "aliases": sorted(aliases),
        "owned": visit.population.owned_branch(tag),
        "ends": {"ttl": found.ttl, "expires_at": found.expires_at[:16]},
        "ends_problem": None,
    }


def bearers(visit: Visit) -> Answer:
    """Everybody who bears the tag or one below it, now or as of a version, as CSV."""
    tag = visit.tag()
    as_of = version_as_of(visit.population, visit.text("as_of") or None)
    version, chunks = visit.population.bearers(tag, "subtree", as_of=as_of)
    name = f"{tag.replace('/', '-')}-{visit.environment.name}-v{version}.csv"
    return Download(name, CONTENT_TYPE_OF_FORMAT["csv"], encode_people(chunks, "csv"))


def new(visit: Visit) -> Answer:
    """The form for a tag that nobody bears yet."""
    return _new_form(visit)


def _new_form(visit: Visit, problem: Problem | None = None) -> Html:
    return Html(
        "tag_new.html",
        {
            "title": "New tag",
            "breadcrumb": [("User tags", visit.to("tags")), ("New tag", None)],
            "typed": visit.text("tag"),
            "description": visit.text("description"),
            "problem": problem,
        },
    )


def create(visit: Visit) -> Answer:
    """A tag that nobody bears yet."""
    try:
        tag = visit.tag()
    except TagProblem as problem:
        return _new_form(visit, problem)
    receipt = visit.loom.catalogue.put_tag(
        visit.environment, tag, visit.origin, description=visit.text("description").strip()
    )
    return Redirect(visit.to("tag", tag=tag), told(receipt, f"The tag “{tag}” was created."))


def describe(visit: Visit) -> Answer:
    """The tag's description, and whether its branch is exclusive."""
    tag = visit.tag()
    receipt = visit.loom.catalogue.put_tag(
        visit.environment,
        tag,
        visit.origin,
        description=visit.text("description").strip(),
        exclusive=visit.text("exclusive") == "yes",
    )
    return Redirect(visit.to("tag", tag=tag), told(receipt, f"“{tag}” was described."))


def put_ends(visit: Visit) -> Answer:
    """How long what is given of the tag lasts, and when the tag is taken from everybody; empty for never."""
    tag, ttl, expires_at = visit.tag(), visit.text("ttl").strip(), read_moment(visit.text("expires_at").strip())
    moment = visit.moment("expires_at")
    found = visit.loom.catalogue.get_tag(visit.environment, tag)
    # A moment that stays is not held against the clock again.
    stays = expires_at == found.expires_at[:16]
    try:
        receipt = visit.loom.catalogue.put_tag(
            visit.environment,
            tag,
            visit.origin,
            ttl_seconds=parse_ttl(ttl) if ttl else 0,
            expires_at=None if stays else parse_expires_at(moment, visit.loom.now()) if moment else 0,
        )
    except ExpiryInvalid as problem:
        said = {"ends": {"ttl": ttl, "expires_at": expires_at}, "ends_problem": problem}
        return Html("tag.html", tag_context(visit, found) | said, status=problem.status)
    return Redirect(visit.to("tag", tag=tag), told(receipt, f"When “{tag}” ends was saved."))


def release(visit: Visit) -> Answer:
    """The branch belongs to everybody again."""
    tag = visit.tag()
    receipt = visit.loom.catalogue.put_tag(visit.environment, tag, visit.origin, owner="")
    return Redirect(visit.to("tag", tag=tag), told(receipt, f"“{tag}” belongs to everybody again."))


# Renaming, merging and deleting: first what it will do, then it is done.


def ask_move(visit: Visit) -> Answer:
    """The form to rename or move, with what it would do."""
    return _asked(visit, "move", "Rename or move")


def ask_merge(visit: Visit) -> Answer:
    """The form to merge, with what it would do."""
    return _asked(visit, "merge", "Merge")


def ask_drop(visit: Visit) -> Answer:
    """What deleting would take away."""
    return _asked(visit, "delete", "Delete")


def _asked(visit: Visit, action: str, verb: str) -> Answer:
    tag, typed = visit.tag(), visit.text("to").strip()
    context: dict[str, Any] = {
        "title": f"{verb} {tag}",
        "breadcrumb": [("User tags", visit.to("tags")), (tag, visit.to("tag", tag=tag)), (verb, None)],
        "tag": visit.loom.catalogue.get_tag(visit.environment, tag),
        "action": action,
        "typed": typed,
        "foreseen": None,
        "problem": None,
        "names": {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)},
    }
    if typed or action == "delete":
        try:
            context["foreseen"] = _foreseen(visit, action, tag, typed)
        except (
            ExclusiveBranch,
            TagProblem,
            TagMoveInvalid,
            TagExists,
            TagNotFound,
            TagOwned,
        ) as problem:
            context["problem"] = problem
    return Html("tag_effect.html" if visit.target == "effect" else "tag_change.html", context)


def _foreseen(visit: Visit, action: str, tag: TagPath, typed: str) -> Any:
    foresight = visit.loom.foresight
    match action:
        case "move":
            return foresight.move_tag(visit.environment, tag, parse_tag(typed))
        case "merge":
            return foresight.merge_tags(visit.environment, tag, parse_tag(typed))
        case _:
            return foresight.drop_tag(visit.environment, tag)


def move(visit: Visit) -> Answer:
    """Renames or moves the tag and all below it."""
    tag, to = visit.tag(), visit.tag("to")
    receipt = visit.population.move_tag(tag, to, visit.origin)
    return Redirect(
        visit.to("tag", tag=to), Toast(f"“{tag}” is called “{to}” now.", receipt.version, visit.to("tag", tag=tag))
    )


def merge(visit: Visit) -> Answer:
    """Merges the tag into another."""
    tag, into = visit.tag(), visit.tag("to")
    receipt = visit.population.merge_tags(tag, into, visit.origin)
    return Redirect(
        visit.to("tag", tag=into),
        Toast(f"“{tag}” was merged into “{into}”.", receipt.version, visit.to("tag", tag=tag)),
    )


def drop(visit: Visit) -> Answer:
    """Deletes the tag; its users lose it."""
    tag = visit.tag()
    force = visit.text("force") == "yes"
    receipt = visit.loom.catalogue.drop_tag(visit.environment, tag, visit.origin, force=force)
    return Redirect(visit.to("tags"), Toast(f"“{tag}” was deleted.", receipt.version, visit.to("tag", tag=tag)))
