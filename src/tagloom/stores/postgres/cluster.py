"""PostgreSQL spread over machines by Citus: chunks, log and keys on the nodes, all else on their coordinator.

A commit reaches one node after another, and Citus has no snapshot over nodes. So every node keeps a *mark* for each
environment: who wrote it last. A writer sets all of them, with what else it writes on each node, in one transaction
there. A reader looks at all of them in the very snapshots that it then reads from: where they are those of the
coordinator's snapshot, each node is at just that state, and stays there until the reader is done. Where they are not, a
commit is under way, and it looks again.
"""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import psycopg

from tagloom.ports.problems import StoreCorrupt, StoreUnavailable
from tagloom.stores.postgres.connections import Connection, Question, Wire, connect
from tagloom.stores.postgres.distribution import PLACES_REACHED
from tagloom.stores.postgres.reads import STATE_QUERY

# One connection to each node, and so one snapshot, and one part of a commit, there. Local to the transaction.
_ONE_EACH = "SET LOCAL citus.max_adaptive_executor_pool_size=1"
_BEGIN_READING = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", _ONE_EACH)
# The coordinator has a mark as well. Where shards lie changes with each that is moved or split.
_MARK = "SELECT writer, before FROM mark WHERE environment=%s"
_MARKS = "SELECT environment, writer, before FROM mark"
_LAYOUT = "SELECT max(placementid), count(*) FROM pg_dist_placement"
_REACHED = (
    "SELECT groupid, min(place) FROM (SELECT place, get_shard_id_for_distribution_column('{table}', place) AS shardid "
    "FROM generate_series(0::{type}, {last}::{type}) AS place) AS reached JOIN pg_dist_placement USING (shardid) "
    "GROUP BY groupid"
)
_HOLDING = (
    "SELECT DISTINCT groupid FROM pg_dist_placement JOIN pg_dist_shard USING (shardid) "
    "WHERE logicalrelid IN ('chunk'::regclass, 'page'::regclass)"
)
_GLANCES = 6  # So often a reader looks by itself, over 60 ms; then it keeps writers out while it looks.
_AGREE_SECONDS = 5.0  # Nodes that agree no sooner wait for the recovery of a commit.
# A writer's mark, and the one before it, by which a node is known that has lost what was committed there.
_TAKE = (
    "INSERT INTO mark (environment, writer, before) VALUES (%s, %s, NULL) "
    "ON CONFLICT (environment) DO UPDATE SET writer=excluded.writer, before=mark.writer RETURNING writer"
)
_TURN = "SELECT 1 FROM environment WHERE key=%s FOR NO KEY UPDATE"
_TURN_SECONDS = 1.0
# Who writes holds the environment's row, so that the mark's own order is that of the rows, on each node: no writer of
# another environment needs to wait. The time-out is felt on each node, where an unfinished commit may hold a mark.
_WRITER_SETTINGS = (
    "SET LOCAL citus.propagate_set_commands='local'",
    "SET LOCAL lock_timeout='{seconds}s'",
    "SELECT set_config('citus.max_adaptive_executor_pool_size', '1', true), "
    "set_config('citus.multi_shard_modify_mode', 'sequential', true), "
    "set_config('citus.all_modifications_commutative', 'on', true)",
)
_NOBODY = 0  # No environment has this key: the mark of whoever writes several at once, such as a copy.


class Reach(NamedTuple):
    """A table with a row on each of its shards, by which a node can be asked."""

    table: str
    type: str


_REACHES = (Reach("reach", "int4"), Reach("reach_of_keys", "int8"))


class Layout(NamedTuple):
    """Where shards lay, and the rows of each table of reach that together reach every node."""

    generation: tuple[Any, ...]
    places: tuple[tuple[Reach, tuple[int, ...]], ...]

    def questions(self, environment: int) -> list[Question]:
        """What asks every node for its mark of the environment."""
        return [
            (
                f"SELECT place, writer, before FROM {reach.table} LEFT JOIN mark ON environment=%s "
                f"WHERE place=ANY(%s::{reach.type}[])",
                (environment, list(places)),
            )
            for reach, places in self.places
        ]

    def all_questions(self) -> list[Question]:
        """What asks every node for its marks of all environments."""
        return [
            (
                f"SELECT place, environment, writer, before FROM {reach.table} LEFT JOIN mark ON true "
                f"WHERE place=ANY(%s::{reach.type}[])",
                (list(places),),
            )
            for reach, places in self.places
        ]

    @property
    def answers(self) -> int:
        """How many answers there must be."""
        return sum(len(places) for _, places in self.places)


class Cluster:
    """The nodes of one installation, as one process knows them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._layout: Layout | None = None
        self._turn = threading.Lock()

    def begin_reading(self, wire: Wire, environment: int) -> tuple[list[tuple[Any, ...]], Layout]:
        """Begins a transaction in which every node stands at one state; what the state query says of it.

        One trip, if no commit is under way and no shard was moved since the last.
        Raises: StoreUnavailable: the nodes do not come to agree.
        """
        began = time.monotonic()
        attempt = 0
        while True:
            with self._writers_out(environment) if attempt >= _GLANCES else nullcontext():
                for statement in _BEGIN_READING:
                    wire.later(statement)
                found = self._look(wire, environment)
            if found is not None:
                return found
            wire.later("ROLLBACK")
            if time.monotonic() - began > _AGREE_SECONDS:
                raise StoreUnavailable(
                    "The nodes of the cluster are not at one state: a commit waits for its recovery.", retry_after=1
                )
            time.sleep(min(0.001 * 2**attempt, 0.05))
            attempt += 1

    def _look(self, wire: Wire, environment: int) -> tuple[list[tuple[Any, ...]], Layout] | None:
        layout = self._layout or self._read_layout(wire)
        questions = [(STATE_QUERY, (environment,)), (_MARK, (environment,)), (_LAYOUT, ())]
        found, mark, generation, *answers = wire.ask_all([*questions, *layout.questions(environment)])
        if generation[0] != layout.generation:
            self._layout = None
            return None
        marks = [answer[1:] for rows in answers for answer in rows]
        ours = mark[0] if mark else (None, None)
        return (found, layout) if marks == [ours] * layout.answers else None

    def end_reading(self, connection: Connection, layout: Layout) -> None:
        """Ends the transaction.

        Raises: StoreUnavailable: shards were moved meanwhile, perhaps to a node that was not looked at.
        """
        with connection.pipeline():
            connection.execute("ROLLBACK")
            cursor = connection.execute(_LAYOUT, binary=True)
        if cursor.fetchone() != layout.generation:
            self._layout = None
            raise StoreUnavailable("Shards of the cluster were moved during a read.", retry_after=1)

    def begin_writing(self, wire: Wire, lock_seconds: int) -> None:
        """Settings of a transaction that writes, behind its BEGIN."""
        for statement in _WRITER_SETTINGS:
            wire.later(statement.format(seconds=lock_seconds))

    def take(self, wire: Wire, environment: int, questions: Sequence[Question]) -> list[list[tuple[Any, ...]]]:
        """The answers to some questions, of which one waits for the environment; then its mark is set on every node.

        There it waits for the last writer's part of a commit, so that what is read behind it sees all that was
        committed. Since it writes on every node, its own commit is one in two phases. One trip, a writer's first.
        Raises: StoreCorrupt: a node does not hold the newest commit, which it confirmed.
        """
        layout = self._layout or self._read_layout(wire)
        mine = uuid.uuid4().int >> 65
        own = [(_TAKE, (environment, mine)), (_MARK, (environment,)), (_LAYOUT, ())]
        answers = wire.ask_all([*questions, *own, *layout.questions(environment)])
        answered = answers[: len(questions)]
        _, (ours,), generation, *theirs = answers[len(questions) :]
        if generation[0] != layout.generation:
            layout = self._layout = self._read_layout(wire)
            theirs = wire.ask_all(layout.questions(environment))
        marks = [answer[1:] for rows in theirs for answer in rows]
        if marks != [ours] * layout.answers:
            raise StoreCorrupt(
                "A node of the cluster does not hold the newest commit of this environment, which it had confirmed. "
                "Nothing is written until all nodes are restored to one moment."
            )
        return answered

    def join_writing(self, wire: Wire, lock_seconds: int) -> None:
        """Makes a transaction that writes several environments one in two phases, whatever it writes."""
        self.begin_writing(wire, lock_seconds)
        wire.ask(_TAKE, _NOBODY, uuid.uuid4().int >> 65)

    def join_reading(self, connection: Connection) -> None:
        """Begins a transaction in which every node stands at one state of every environment.

        Raises: StoreUnavailable: the nodes do not come to agree, since somebody writes all the time.
        """
        began = time.monotonic()
        while True:
            wire = Wire(connection)
            wire.later(_ONE_EACH)
            layout = self._read_layout(wire)
            ours, *theirs = wire.ask_all([(_MARKS, ()), *layout.all_questions()])
            held: dict[tuple[int, int], set[Any]] = {}
            for number, rows in enumerate(theirs):
                for place, *mark in rows:
                    held.setdefault((number, place), set()).add(tuple(mark))
            wanted = set(ours) or {(None, None, None)}
            if len(held) == layout.answers and all(marks == wanted for marks in held.values()):
                return
            connection.rollback()
            if time.monotonic() - began > _AGREE_SECONDS:
                raise StoreUnavailable("The nodes of the cluster are not at one state.", retry_after=1)
            time.sleep(0.005)

    def _read_layout(self, wire: Wire) -> Layout:
        """Where shards lie now. Raises: StoreUnavailable: a node holds shards, and cannot be asked."""
        reached = [
            (_REACHED.format(table=reach.table, type=reach.type, last=PLACES_REACHED - 1), ()) for reach in _REACHES
        ]
        generation, holding, *found = wire.ask_all([(_LAYOUT, ()), (_HOLDING, ()), *reached])
        wanted = {node for (node,) in holding}
        places: list[tuple[Reach, tuple[int, ...]]] = []
        for reach, nodes in zip(_REACHES, found, strict=True):
            some = tuple(place for node, place in sorted(nodes) if node in wanted)
            wanted -= {node for node, _ in nodes}
            if some:
                places.append((reach, some))
        if wanted:
            raise StoreUnavailable(f"No row reaches the nodes of the groups {sorted(wanted)}.")
        self._layout = Layout(generation[0], tuple(places))
        return self._layout

    @contextmanager
    def _writers_out(self, environment: int) -> Iterator[None]:
        """Keeps the writers of an environment out once the last commit is on every node, if it soon is.

        By the lock of the environment's row, which a transaction gives back behind all its parts, and on a connection
        of its own: the snapshot of the reader's own transaction would be older than the lock that it waited for.
        """
        with self._turn, connect(self._url) as connection:
            connection.patience = 2 * _TURN_SECONDS
            connection.execute("BEGIN")
            try:
                connection.execute(f"SET LOCAL lock_timeout = '{_TURN_SECONDS}s'")
                connection.execute(_TURN, (environment,))
                is_waiting = False
            except psycopg.errors.LockNotAvailable:
                # A long commit is being prepared, and the state before it can be read without its leave.
                is_waiting = True
            yield
            connection.execute("ROLLBACK" if is_waiting else "COMMIT")
