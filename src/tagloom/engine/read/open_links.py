"""The links about which a teammate must decide, with the tags and attributes that the people had."""

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.links.codes import OPEN_BIT, date_of, user_of
from tagloom.engine.links.link_history import lost_by_link, steps_of_link
from tagloom.engine.read.queries import cursor_ordinal, person_at
from tagloom.engine.state.environment import EnvironmentState
from tagloom.ports.pages import Page
from tagloom.words.attributes import AttributeName, plain_attributes
from tagloom.words.people import OpenLink
from tagloom.words.retention import HistoryCompacted
from tagloom.words.tags import TagPath


def list_open_links(environment: EnvironmentState, *, limit: int, cursor: str | None) -> Page[OpenLink]:
    """Returns a page of open links. Cost: the history of each person on the page."""
    row = environment.dictionary.bits[environment.dictionary.link].get(OPEN_BIT)
    everybody = BitMap() if row is None else environment.row(row)
    start = cursor_ordinal(cursor)
    after = everybody - BitMap(range(start))
    chosen = list(after[: limit + 1])
    items = tuple(_open_link(environment, person) for person in chosen[:limit])
    return Page(items, str(chosen[limit]) if len(chosen) > limit else None)


def _open_link(environment: EnvironmentState, person: int) -> OpenLink:
    code = environment.links.find(person)
    assert code is not None, "somebody with an open link is linked"
    dictionary, snapshot = environment.dictionary, environment.snapshot()
    tags, scheduled, attributes = list[TagPath](), list[TagPath](), {}
    try:
        lost = lost_by_link(snapshot, dictionary, person, steps_of_link(snapshot, dictionary, person, code))
    except HistoryCompacted:
        # The teammate can still decide, without knowing what the person had.
        pass
    else:
        tags, scheduled = (
            sorted(TagPath(dictionary.rows[row].path) for row in rows if dictionary.rows[row].is_live)
            for rows in (lost.tags, lost.starts)
        )
        for name, row in dictionary.attributes.items():
            if (value := environment.value_in(row, lost.rows)) is not None:
                attributes[AttributeName(name)] = value
    return OpenLink(
        person=person_at(environment, person),
        user=person_at(environment, user_of(code)),
        linked_on=date_of(code),
        tags=tuple(tags),
        attributes=plain_attributes(attributes),
        scheduled=tuple(scheduled),
    )
