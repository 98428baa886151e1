"""The port of one environment: the port of writes and all ports of reads.

`stores/memory` implements this port with plain dicts and sets, as the oracle. The engine must return the same answers.
"""

from typing import Protocol

from tagloom.ports.attributes import AttributeReads
from tagloom.ports.audiences import AudienceReads
from tagloom.ports.events import Events
from tagloom.ports.history import History
from tagloom.ports.people import PeopleReads
from tagloom.ports.tags import TagReads
from tagloom.ports.writes import Writes
from tagloom.words.changes import Version


class Population(Writes, PeopleReads, TagReads, AttributeReads, AudienceReads, Events, History, Protocol):
    """One environment: its people, their tags, its catalogue and its history. Each answer is of one version."""

    def version(self) -> Version:
        """Returns the newest committed version that this process has read, or 0 if there is no version."""

    def warm(self) -> int:
        """Loads bitmaps into memory, as far as there is room. Returns the bytes that are in memory then.

        Does not change the results of reads. Other reads run between the steps of this method.
        """
