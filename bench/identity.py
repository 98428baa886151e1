"""Identity: events that link visitors to users, one link, its separation, counts and decisions about linked people."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import ClassVar

from bench.product import ORIGIN, Tagloom
from bench.report import Contender
from bench.run import Run
from tagloom.ports.writes import LinkVisitor, RecordEvents, Separate, WriteOptions
from tagloom.words.event_rules import HasEvent
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tagloom.words.rules import Definition

BATCH = 100
CLICKED = Definition("everyone", HasEvent("ad/clicked", days=7, times=2))
TRIBES = {
    f"clicked-{times}": Definition("everyone", HasEvent("ad/clicked", days=7, times=times)) for times in (1, 2, 3)
}


def measure(run: Run) -> None:
    people = run.pick(smoke=1_000, quick=100_000, full=1_000_000)
    product, table = Tagloom(run.workdir), _Table(run.workdir)
    ids = count()
    data = f"{people:,} visitors with an event each, then {people:,} events that name a visitor and a user"
    before = [_events(ids, [(Person("visitor", f"v{number}"), None)]) for number in range(people)]
    first = [each for some in before for each in some]
    run.report.compare(
        "Record events of visitors in batches of 100, durable",
        [
            Contender(product.name, partial(_record, product, first)),
            Contender(table.name, partial(table.record, first)),
        ],
        data=data,
        unit="events",
        units=people,
        rounds=1,
    )
    product.people.count(CLICKED, {})
    signing_in = [
        each for number in range(people) for each in _events(ids, [(Person("user", f"u{number}"), f"v{number}")])
    ]
    run.report.compare(
        "Record events that link a visitor each, in batches of 100, durable (the table: without an undo)",
        _recording(product, table, signing_in),
        data=data,
        unit="events",
        units=people,
        rounds=1,
    )
    again = [each for number in range(people) for each in _events(ids, [(Person("user", f"u{number}"), f"v{number}")])]
    run.report.compare(
        "Record events whose visitors are linked already, in batches of 100, durable",
        [
            Contender(product.name, partial(_record, product, again)),
            Contender(table.name, partial(table.record, again)),
        ],
        data=data,
        unit="events",
        units=people,
        rounds=1,
    )
    run.report.compare(
        "Count the people with two events in seven days, linked visitors counted as their users",
        [Contender(product.name, lambda: product.people.count(CLICKED, {}).count), Contender(table.name, table.count)],
        data=data,
    )
    numbers = count()
    run.report.compare(
        "Link one visitor to one user, durable",
        [Contender(product.name, lambda: _link(product, f"new{next(numbers)}"))],
        data=data,
    )
    linked = iter(range(people))
    run.report.compare(
        "Separate one visitor from its user, events, tags and counts included, durable",
        [Contender(product.name, lambda: _separate(product, f"v{next(linked)}"))],
        data=data,
    )
    run.report.compare(
        "Decide three tribes about a user, and about a linked visitor",
        [
            Contender("a user", partial(_decide, product, Person("user", f"u{people - 1}"))),
            Contender("a linked visitor", partial(_decide, product, Person("visitor", f"v{people - 1}"))),
        ],
        data=data,
        repeats=1_000,
    )
    product.close()
    table.close()


def _events(ids: Iterator[int], named: Sequence[tuple[Person, str | None]]) -> list[Event]:
    at = (int(time.time()) - 3_600) * 1_000
    return [
        Event(person=person, type=EventType("ad/clicked"), at=at, id=f"m{next(ids)}", visitor=visitor)
        for person, visitor in named
    ]


def _recording(product: Tagloom, table: "_Table", events: Sequence[Event]) -> list[Contender]:
    return [
        Contender(product.name, partial(_record, product, events)),
        Contender(table.name, partial(table.record, events)),
    ]


def _record(product: Tagloom, events: Sequence[Event]) -> None:
    for begin in range(0, len(events), BATCH):
        product.people.write(RecordEvents(events[begin : begin + BATCH]), WriteOptions(ORIGIN))


def _link(product: Tagloom, visitor: str) -> None:
    product.people.write(LinkVisitor(visitor, f"user-of-{visitor}"), WriteOptions(ORIGIN))


def _separate(product: Tagloom, visitor: str) -> None:
    product.people.write(Separate(Person("visitor", visitor)), WriteOptions(ORIGIN))


def _decide(product: Tagloom, person: Person) -> None:
    product.people.decide(person, TRIBES, because=False)


class _Table:
    """The obvious way: a table of events, and a table of links that each question joins, in SQLite."""

    name: ClassVar[str] = "SQLite, a table of links"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "links.sqlite"
        self._path.unlink(missing_ok=True)
        self._connection = sqlite3.connect(self._path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE event (id TEXT PRIMARY KEY, person TEXT, type TEXT, at INTEGER)")
        self._connection.execute("CREATE TABLE link (visitor TEXT PRIMARY KEY, user TEXT)")

    def record(self, events: Sequence[Event]) -> None:
        """Records events and links, a transaction per batch."""
        for begin in range(0, len(events), BATCH):
            some = events[begin : begin + BATCH]
            with self._connection as connection:
                rows = ((each.id, each.person.kind[0] + each.person.id, each.type, each.at) for each in some)
                connection.executemany("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?)", rows)
                links = (("v" + each.visitor, "u" + each.person.id) for each in some if each.visitor is not None)
                connection.executemany("INSERT OR IGNORE INTO link VALUES (?, ?)", links)

    def count(self) -> int:
        """Counts the people with two events in seven days."""
        query = (
            "SELECT count(*) FROM (SELECT coalesce(user, person) AS who FROM event LEFT JOIN link ON visitor = person "
            "WHERE type = 'ad/clicked' AND at >= ? GROUP BY who HAVING count(*) >= 2)"
        )
        found: int = self._connection.execute(query, ((int(time.time()) - 7 * 86_400) * 1_000,)).fetchone()[0]
        return found

    def close(self) -> None:
        """Closes the file and deletes it."""
        self._connection.close()
        self._path.unlink()
