"""The frame around every page: navigation, spaces, environments and the teammate."""

from typing import Any

import msgspec

from tagloom.console.framework.context import PageRequest, place_address

THEMES = ("light", "dark")
THEME_COOKIE = "tagloom_theme"


class Place(msgspec.Struct, frozen=True):
    """An entry of the navigation."""

    name: str
    icon: str
    address: str
    is_current: bool
    is_below: bool = False


class Choice(msgspec.Struct, frozen=True):
    """A space, environment or organization that the teammate can switch to."""

    id: str
    name: str
    address: str
    is_current: bool


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The values of the frame around a page."""

    theme: str
    address: str
    teammate: str
    role: str
    is_administrator: bool
    organization_name: str
    space_name: str
    environment: str
    environments: tuple[Choice, ...]
    spaces: tuple[Choice, ...]
    organizations: tuple[Choice, ...]
    places: tuple[Place, ...]
    # The places of the second level, if one of them is current.
    places_below: tuple[Place, ...]
    palette: str
    undo: str


def theme_of(request: PageRequest) -> str:
    """Returns the chosen theme; empty follows the system."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def frame_of(request: PageRequest) -> Frame:
    """Returns the frame around a page. If the address names no space, links go to the teammate's first space."""
    signed, place = request.signed, request.found_place
    spaces = signed.spaces
    space = place[0] if place else (spaces[0] if spaces else None)
    environment = place[1].name if place else ""
    page = request.page_in_place()

    def to(target: str, *, in_space: str = "", in_environment: str = "") -> str:
        return place_address(
            in_space or (space.id if space else ""), in_environment or environment or "production", target
        )

    places = _places(request, space.id, page, to) if space else ()
    below = tuple(each for each in places if each.is_below)
    return Frame(
        theme=theme_of(request),
        address=request.address,
        teammate=signed.account.name or signed.account.email,
        role=_role(request),
        is_administrator=signed.is_administrator,
        organization_name=signed.organization.name,
        space_name=space.name if space else "No space yet",
        environment=environment,
        environments=tuple(
            Choice(name, name, to(page or "overview", in_environment=name), name == environment)
            for name in ("development", "staging", "production")
        ),
        spaces=tuple(
            Choice(each.id, each.name, to("overview", in_space=each.id), space is not None and each.id == space.id)
            for each in spaces
        ),
        organizations=tuple(
            Choice(each.id, each.name, "", each.id == signed.organization.id) for each in request.organizations()
        ),
        places=places,
        places_below=below if any(each.is_current for each in below) else (),
        palette=to("palette") if environment else "",
        undo=to("undo") if environment else "",
    )


def _role(request: PageRequest) -> str:
    return "Administrator" if request.signed.is_administrator else "Teammate"


def _places(request: PageRequest, space: str, page: str, to: Any) -> tuple[Place, ...]:
    first = page.split("/")[0]
    places = [
        Place("Overview", "layout-dashboard", to("overview"), first == "overview"),
        Place("Tribes", "users", to("tribes"), first in ("tribes", "tribe")),
    ]
    if request.signed.may(space, "developer"):
        places.append(Place("Developer", "code-xml", to("tags"), False))
        places += [
            Place("User tags", "", to("tags"), first in ("tags", "tag"), is_below=True),
            Place("Attributes", "", to("attributes"), first in ("attributes", "attribute"), is_below=True),
            Place("Users & visitors", "", to("people"), first == "people", is_below=True),
            Place("Events", "", to("events"), first == "events", is_below=True),
            Place("Sources", "", to("sources"), first in ("sources", "source"), is_below=True),
            Place("Imports", "", to("imports"), first in ("imports", "import"), is_below=True),
            Place("Syncs", "", to("syncs"), first in ("syncs", "sync"), is_below=True),
            Place("Deliveries", "", to("deliveries"), first in ("deliveries", "delivery"), is_below=True),
        ]
    places.append(Place("Activity", "activity", to("activity"), first == "activity"))
    places.append(Place("Settings", "settings", to("settings"), first == "settings"))
    return tuple(places)
