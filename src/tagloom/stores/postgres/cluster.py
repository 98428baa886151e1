"""PostgreSQL on several machines with Citus: chunks, log and keys on the nodes, the rest on the coordinator.

A commit reaches one node after another, and Citus has no snapshot over several nodes. So every node has a *mark* for
each environment, which names the last writer. A writer sets the marks on all nodes; on each node, it does so in the
same transaction as its other writes. A reader reads the marks in the same snapshots from which it then reads the data.
If all marks are equal to the mark in the coordinator's snapshot, each node is in exactly that state, and stays in it
until the reader has finished. Otherwise a commit is in progress, and the reader tries again.
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

# One connection to each node gives one snapshot and one part of a commit there. The setting is local to the
# transaction.
_ONE_EACH = "SET LOCAL citus.max_adaptive_executor_pool_size=1"
_BEGIN_READING = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", _ONE_EACH)
# The coordinator has a mark as well. The result of `_LAYOUT` changes whenever a shard is moved or split.
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
_GLANCES = 6  # Attempts of a reader without locks, over 60 ms. It blocks writers during further attempts.
_AGREE_SECONDS = 5.0  # If nodes still differ after this time, a commit waits for its recovery.
# Stores the mark of a writer and the mark before it. The latter shows whether a node has lost a commit.
_TAKE = (
    "INSERT INTO mark (environment, writer, before) VALUES (%s, %s, NULL) "
    "ON CONFLICT (environment) DO UPDATE SET writer=excluded.writer, before=mark.writer RETURNING writer"
)
_TURN = "SELECT 1 FROM environment WHERE key=%s FOR NO KEY UPDATE"
_TURN_SECONDS = 1.0
# A writer has locked the row of its environment, so on each node the marks of an environment have the order of these
# locks. No writer of another environment has to wait. The timeout also applies on each node, where an unfinished commit
# may have locked a mark.
_WRITER_SETTINGS = (
    "SET LOCAL citus.propagate_set_commands='local'",
    "SET LOCAL lock_timeout='{seconds}s'",
    "SELECT set_config('citus.max_adaptive_executor_pool_size', '1', true), "
    "set_config('citus.multi_shard_modify_mode', 'sequential', true), "
    "set_config('citus.all_modifications_commutative', 'on', true)",
)
_NOBODY = 0  # No environment has this key. It is used by a writer of several environments, such as a copy.


class Reach(NamedTuple):
    """A table with a row on each of its shards. A query of these rows reaches the nodes of the shards."""

    table: str
    type: str


_REACHES = (Reach("reach", "int4"), Reach("reach_of_keys", "int8"))


class Layout(NamedTuple):
    """The layout of the shards at one time: the rows of each reach table that together reach every node."""

    generation: tuple[Any, ...]
    places: tuple[tuple[Reach, tuple[int, ...]], ...]

    def questions(self, environment: int) -> list[Question]:
        """Returns the queries for the mark of the environment on every node."""
        return [
            (
                f"SELECT place, writer, before FROM {reach.table} LEFT JOIN mark ON environment=%s "
                f"WHERE place=ANY(%s::{reach.type}[])",
                (environment, list(places)),
            )
            for reach, places in self.places
        ]

    def all_questions(self) -> list[Question]:
        """Returns the queries for the marks of all environments on every node."""
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
        """The number of rows that the queries of `questions` must return."""
        return sum(len(places) for _, places in self.places)


class Cluster:
    """The nodes of one installation, with the layout that this process read last."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._layout: Layout | None = None
        self._turn = threading.Lock()

    def begin_reading(self, wire: Wire, environment: int) -> tuple[list[tuple[Any, ...]], Layout]:
        """Begins a transaction in which every node is in one state. Returns the rows of the state query and the layout.

        Cost: one round trip, if no commit is in progress and no shard was moved since the last call.

        Raises: StoreUnavailable: the nodes are not in one state after some seconds.
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
        """Ends the transaction of a reader.

        Raises: StoreUnavailable: shards were moved meanwhile, perhaps to a node whose mark was not read.
        """
        with connection.pipeline():
            connection.execute("ROLLBACK")
            cursor = connection.execute(_LAYOUT, binary=True)
        if cursor.fetchone() != layout.generation:
            self._layout = None
            raise StoreUnavailable("Shards of the cluster were moved during a read.", retry_after=1)

    def begin_writing(self, wire: Wire, lock_seconds: int) -> None:
        """Adds the settings of a transaction that writes. Call it after the BEGIN."""
        for statement in _WRITER_SETTINGS:
            wire.later(statement.format(seconds=lock_seconds))

    def take(self, wire: Wire, environment: int, questions: Sequence[Question]) -> list[list[tuple[Any, ...]]]:
        """Returns the answers to some queries, one of which locks the environment, and sets the mark on every node.

        On each node, setting the mark waits for the last writer's part of its commit there. So later reads see
        everything that was committed. Because the transaction writes on every node, its commit has two phases. Cost:
        one round trip, the first of a writer.

        Raises: StoreCorrupt: a node does not have the newest commit, although the node confirmed it.
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
        """Gives a transaction over several environments a commit in two phases, whatever the transaction writes."""
        self.begin_writing(wire, lock_seconds)
        wire.ask(_TAKE, _NOBODY, uuid.uuid4().int >> 65)

    def join_reading(self, connection: Connection) -> None:
        """Begins a transaction in which every node is in one state of every environment.

        Raises: StoreUnavailable: the nodes are not in one state after some seconds, because others write all the time.
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
        """Reads the layout of the shards. Raises: StoreUnavailable: a node has shards, but no row reaches it."""
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
        """Blocks the writers of an environment, once the last commit has reached every node, if it does so soon.

        It locks the environment's row, which a transaction releases after all its parts. It uses its own connection,
        because the snapshot of the reader's transaction would be older than the lock for which it waited.
        """
        with self._turn, connect(self._url) as connection:
            connection.patience = 2 * _TURN_SECONDS
            connection.execute("BEGIN")
            try:
                connection.execute(f"SET LOCAL lock_timeout = '{_TURN_SECONDS}s'")
                connection.execute(_TURN, (environment,))
                is_waiting = False
            except psycopg.errors.LockNotAvailable:
                # A long commit is being prepared. The state before it can be read without the lock.
                is_waiting = True
            yield
            connection.execute("ROLLBACK" if is_waiting else "COMMIT")
