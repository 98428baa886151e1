"""The people of nodes about computed attributes at earlier versions, by a walk backwards through the log."""

from collections.abc import Iterable, Mapping, Sequence

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.past import Point
from tagloom.engine.links.links import Links
from tagloom.engine.read.row_versions import rows_at_versions
from tagloom.engine.seen.seen_rows import SeenBounds, bounds_in, seen_rows
from tagloom.engine.state.environment import EnvironmentState
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.computed_attributes import seen_ranges


class SeenAt:
    """The people of nodes at some points. Memory: four bitmaps per node, point and stage of the life cycle."""

    def __init__(
        self,
        environment: EnvironmentState,
        nodes: Iterable[HasAttribute],
        points: Sequence[Point],
        links: Mapping[int, Links],
    ) -> None:
        """Reads the changes of days since the oldest of the points. `links` has those of each version, if any."""
        self._links = links
        self._found: dict[tuple[HasAttribute, Point], list[SeenBounds]] = {}
        wanted = {(node, point): seen_ranges(node, point.day, point.calendar) for node in nodes for point in points}
        for key, ranges in wanted.items():
            self._found[key] = [SeenBounds(BitMap(), BitMap(), BitMap(), BitMap()) for _ in ranges]
        dictionary, versions = environment.dictionary, {point.version for _, point in wanted}
        # The events of people who were erased since are gone, and so are their days.
        self._erased = environment.fact("erased")
        for version, rows in rows_at_versions(environment, dictionary.rows_of_seen_days(), versions):
            days = seen_rows(dictionary, rows.__getitem__)
            for (node, point), ranges in wanted.items():
                if point.version == version:
                    self._add(node, point, [bounds_in(each, days) for each in ranges])

    def _add(self, node: HasAttribute, point: Point, more: Sequence[SeenBounds]) -> None:
        for bounds, others in zip(self._found[node, point], more, strict=True):
            for people, some in zip(bounds, others, strict=True):
                people |= some - self._erased

    def people(self, node: HasAttribute, point: Point) -> BitMap:
        """Returns the people of a node at a point."""
        links = self._links.get(point.version) or Links()
        return BitMap.union(BitMap(), *(bounds.people(links) for bounds in self._found[node, point]))
