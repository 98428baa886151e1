"""Metrics of tribes: how many members are active, new, at risk and lost. Call it inside `EnvironmentState.read`."""

from collections.abc import Mapping
from typing import NamedTuple

from tagloom.base.times import text_of_milliseconds
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.read.time_travel import everyone_at
from tagloom.engine.read.trends import versions_before
from tagloom.engine.state.environment import EnvironmentState
from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.changes import Version
from tagloom.words.computed_attributes import LAST_SEEN
from tagloom.words.rules import Definition
from tagloom.words.tribes import TribeMetrics


class _Known(NamedTuple):
    """The people who were known at a version, which is the last one before the days of a window."""

    day: int
    beginnings: int
    version: Version
    people: BitMap


class MetricsReader:
    """Counts the metrics of an environment. It keeps the people who were known when the days of `new` began."""

    def __init__(self, environment: EnvironmentState) -> None:
        self._environment = environment
        self._known: _Known | None = None

    def metrics(self, tribe: Definition, tribes: Mapping[str, Definition]) -> TribeMetrics:
        """Returns the metrics of a tribe. Raises: NotCounted."""
        environment = self._environment
        active, present = (
            environment.attribute(HasAttribute(LAST_SEEN, "in-last", days))
            for days in (limits.ACTIVE_DAYS, limits.AT_RISK_DAYS)
        )
        with_events = environment.attribute(HasAttribute(LAST_SEEN, "is-set"))
        members = rule_bitmaps.members(tribe, tribes, environment)
        active_members = members.intersection_cardinality(active)
        present_members = members.intersection_cardinality(present)
        active_people = active.intersection_cardinality(environment.fact(tribe.audience))
        return TribeMetrics(
            users=members.intersection_cardinality(environment.fact("users")),
            visitors=members.intersection_cardinality(environment.fact("visitors")),
            active=active_members,
            new=self._count_new(members),
            at_risk=present_members - active_members,
            lost=members.intersection_cardinality(with_events) - present_members,
            reach=active_members / active_people if active_people else None,
            version=environment.stamp.version,
        )

    def _count_new(self, members: BitMap) -> int | None:
        """Returns how many members became known in the last days; None if the history does not go back so far."""
        known = self._known
        if known is None or (known.day, known.beginnings) != (self._environment.today(), self._environment.beginnings):
            known = self._known = self._read_known()
        # Nobody was known before the first version, whatever is compacted.
        if 0 < known.version < self._environment.snapshot().state().horizon:
            return None
        return len(members) - members.intersection_cardinality(known.people)

    def _read_known(self) -> _Known:
        """Returns who was known when the days of `new` began. Cost: who became known since, from the log."""
        environment = self._environment
        today, snapshot = environment.today(), environment.snapshot()
        begin = text_of_milliseconds(environment.state.calendar.begin_of(today - limits.ACTIVE_DAYS + 1))
        (version,) = versions_before(snapshot, [begin], environment.stamp.version)
        is_kept = version >= max(1, snapshot.state().horizon)
        people = everyone_at(environment, version) if is_kept else BitMap()
        return _Known(today, environment.beginnings, version, people)
