"""What every bench is handed: the sizes, the folder to work in, the populations made so far, and the report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from bench.data import IdForm, Population, make_population
from bench.peers import CountingPeer, NotInstalled
from bench.report import Report

Scale = Literal["smoke", "quick", "full"]
"""The smallest sizes, which show that every part runs; those of a normal run; those of `make bench FULL=1`."""

Size = TypeVar("Size")
SomePeer = TypeVar("SomePeer", bound=CountingPeer)


@dataclass
class Run:
    """One run of `python -m bench`."""

    scale: Scale
    workdir: Path
    report: Report
    _populations: dict[tuple[int, IdForm, float], Population] = field(default_factory=dict)

    @property
    def people(self) -> int:
        """How many people a load brings: 1 million taggings, or 10 million with --full."""
        return self.pick(smoke=300, quick=100_000, full=1_000_000)

    def pick(self, *, smoke: Size, quick: Size, full: Size) -> Size:
        """Returns what belongs to the scale of this run."""
        return {"smoke": smoke, "quick": quick, "full": full}[self.scale]

    def population(
        self, people: int | None = None, *, id_form: IdForm = "hex", changed_share: float = 0.0
    ) -> Population:
        """A population of that size, or of `self.people`; made once for a run."""
        key = (people or self.people, id_form, changed_share)
        if key not in self._populations:
            self._populations[key] = make_population(
                self.workdir, people=key[0], id_form=id_form, changed_share=changed_share
            )
        return self._populations[key]

    @contextmanager
    def peers(self, kinds: Sequence[Callable[[Path], SomePeer]]) -> Iterator[tuple[list[SomePeer], dict[str, str]]]:
        """Opens those peers that are installed, each empty; and says of the others, by name, why they are not here."""
        opened: list[SomePeer] = []
        absent: dict[str, str] = {}
        try:
            for kind in kinds:
                try:
                    opened.append(kind(self.workdir))
                except NotInstalled as missing:
                    absent[str(getattr(kind, "name", kind))] = str(missing)
            yield opened, absent
        finally:
            for peer in opened:
                peer.close()


Bench = Callable[[Run], None]
