"""One environment: the ports for writes and for each kind of read together.

`stores/memory` implements them with plain dicts and sets and is the oracle; the engine must answer the same.
"""

from typing import Protocol

from tagloom.ports.audiences import AudienceReads
from tagloom.ports.history import History
from tagloom.ports.people import PeopleReads
from tagloom.ports.tags import TagReads
from tagloom.ports.writes import Writes
from tagloom.words.model import Version


class Population(Writes, PeopleReads, TagReads, AudienceReads, History, Protocol):
    """One environment: its people, their tags, its catalogue and its history. Each answer is true for one version."""

    def version(self) -> Version:
        """The newest committed version that this process answers from; 0 before the first."""

    def warm(self) -> int:
        """Brings what questions are about into memory, as far as there is room; returns the bytes held then.

        No answer is another for it. Other questions are answered between its steps.
        """
