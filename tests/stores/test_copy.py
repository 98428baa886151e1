"""A whole installation moves between databases: the same answers, the same history, and what was cut off goes on."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.base.problems import ParameterInvalid
from tagloom.bootstrap import Installation, check, copy_installation, open_installation
from tagloom.ports.problems import InstallationMissing, StoreCorrupt
from tagloom.ports.writes import DeletePeople, DeleteTag, MoveTag, Undo, WriteOptions
from tagloom.settings import PostgresUrl, Settings
from tagloom.stores import copy
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import All, Definition, HasTag
from tests import citus
from tests.bodies import Line, part
from tests.cli.running import run
from tests.postgres import new_installation, server
from tests.writing import Batch, write_parts

Where = Path | PostgresUrl
KINDS = ("sqlite", "postgres", *(["citus"] if citus.URL else []))


def place(kind: str, folder: Path) -> Where:
    """An empty place for a database."""
    if kind == "sqlite":
        return folder / kind / "tagloom.sqlite"
    return PostgresUrl(citus.new_database() if kind == "citus" else server().new_database())


def opened(where: Where, kind: str = "") -> Installation:
    """The installation in it."""
    return open_installation(Settings(database=where), create=True, distribute=kind == "citus")


def live(installation: Installation, seed: int, batches: int) -> None:
    """Some life in two environments, both written in turn, so that their changes lie among each other."""
    chance = random.Random(seed)
    control = installation.control
    environments = [control.get_environment("main", name) for name in ("production", "staging")]
    for number in range(batches):
        population = installation.population(environments[number % 2])
        people = [Person("user" if n % 5 else "visitor", f"p{chance.randrange(400)}") for n in range(40)]
        lines = [
            Line(
                person,
                (f"a/b{chance.randrange(6)}", f"c{chance.randrange(4)}"),
                values=(("plan", chance.choice(["free", "gold", None])), ("age", chance.randrange(90))),
            )
            for person in dict.fromkeys(people)
        ]
        write_parts(
            population,
            iter([part(lines)]),
            Batch(
                mode="add", origin=Origin("ada", f"file-{number}"), idempotency_key=f"{seed}-{number}", fingerprint="x"
            ),
        )
        if number % 7 == 5:
            population.write(Undo((population.version(),)), WriteOptions(Origin("bob")))
    production = installation.population(environments[0])
    production.write(MoveTag(f"a/b{seed % 6}", f"moved/b{seed}"), WriteOptions(Origin("ada")))
    production.write(DeleteTag(f"c{seed % 4}"), WriteOptions(Origin("ada")))
    suppressed = DeletePeople(tuple(Person("visitor", f"p{n}") for n in range(5 * seed)), "both")
    production.write(suppressed, WriteOptions(Origin("ada")))


def told(installation: Installation) -> list[object]:
    """What an installation answers."""
    found: list[object] = [installation.control.list_organizations(), installation.control.list_tokens("main")]
    tribes = Tribes(installation.control)
    found.append([(each.id, each.rule, each.revision) for each in tribes.list_tribes("main")])
    for name in ("production", "staging"):
        population = installation.population(installation.control.get_environment("main", name))
        found.append(population.version())
        found.append(population.list_changes(limit=1_000))
        found.append(population.list_tags(search="", prefix=None, limit=200).items)
        found.append(dict(population.aliases()))
        found.append(population.list_attributes())
        lines = [Line(Person("visitor", f"p{n}"), ("a",)) for n in range(0, 100, 3)]
        tried = Batch(mode="add", origin=Origin("ada"), dry_run=True)
        found.append([each.line for each in write_parts(population, [part(lines)], tried).rejected])
        share = Definition("everyone", All((HasTag("a"), InPercent(50, "spring"))))
        found.append([population.count(share, {}), population.sample(share, {}, limit=500)])
        found.append(
            [population.find_person(Person(kind, f"p{n}")) for n in range(0, 400, 7) for kind in ("user", "visitor")]
        )
    return found


def begun(where: Where, kind: str = "") -> Installation:
    """An installation with some history."""
    installation = opened(where, kind)
    Access(installation.control).create_token("main", "job", ("admin",), days=9)
    Tribes(installation.control).create_tribe(
        "main", Draft(name="A", rule=HasTag("a"), audience="users"), origin=Origin("ada")
    )
    live(installation, 1, 24)
    return installation


def silent(done: int, total: int) -> None:
    """Looks at no progress."""


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_a_copy_answers_as_its_source_and_goes_on_by_itself(tmp_path: Path, source: str, target: str) -> None:
    where, there = place(source, tmp_path / "from"), place(target, tmp_path / "to")
    ours = begun(where, source)

    copied = copy_installation(where, there, silent, distribute=target == "citus")

    theirs = opened(there)
    assert told(theirs) == told(ours)
    assert list(check(theirs)) == []
    assert copied.versions > 24
    # Both go on, each by itself, and with the same outcome; a key that was used is known there too.
    for each in (ours, theirs):
        live(each, 2, 6)
        population = each.population(each.control.get_environment("main", "production"))
        replayed = write_parts(
            population,
            iter([part([Line(Person("user", "other"), ("z",))])]),
            Batch(mode="add", origin=Origin("ada"), idempotency_key="1-0", fingerprint="x"),
        )
        assert replayed.version == 1
        population.write(Undo((3,)), WriteOptions(Origin("eve")))
        assert list(check(each)) == []
    strip = [
        [getattr(change, "version", change) for change in answer] if isinstance(answer, tuple) else answer
        for answer in told(ours)
    ]
    assert strip == [
        [getattr(change, "version", change) for change in answer] if isinstance(answer, tuple) else answer
        for answer in told(theirs)
    ]
    ours.close()
    theirs.close()


@pytest.mark.parametrize("target", KINDS)
def test_a_copy_that_was_cut_off_goes_on_and_takes_what_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    where, there = place("sqlite", tmp_path / "from"), place(target, tmp_path / "to")
    ours = begun(where)
    monkeypatch.setattr(copy, "CHANGES_AT_ONCE", 30)
    seen: list[int] = []

    def cut(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_installation(where, there, cut, distribute=target == "citus")
    live(ours, 3, 5)
    copied = copy_installation(where, there, silent)

    assert copied.changes > 0
    theirs = opened(there)
    assert told(theirs) == told(ours)
    assert list(check(theirs)) == []
    theirs.close()
    again = copy_installation(where, there, silent)
    assert again.changes == 0
    ours.close()


def test_a_target_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    where, there = place("sqlite", tmp_path / "from"), place("sqlite", tmp_path / "to")
    begun(where).close()
    other = opened(there)
    live(other, 4, 3)
    before = told(other)
    other.close()

    with pytest.raises(ParameterInvalid, match="another installation"):
        copy_installation(where, there, silent)
    with pytest.raises(ParameterInvalid, match="onto itself"):
        copy_installation(where, where, silent)
    with pytest.raises(InstallationMissing):
        copy_installation(tmp_path / "nowhere" / "tagloom.sqlite", there, silent)

    after = opened(there)
    assert told(after) == before
    after.close()


@pytest.mark.parametrize("table", ["chunk", "change", "batch_row"])
def test_a_difference_is_found(tmp_path: Path, table: str) -> None:
    where, there = place("sqlite", tmp_path / "from"), place("sqlite", tmp_path / "to")
    ours = begun(where)
    copy_installation(where, there, silent)
    live(ours, 2, 9)
    ours.close()
    # The target loses some of the rows that it is given from now on.
    with closing(sqlite3.connect(there)) as database:
        database.execute(
            f"CREATE TRIGGER lossy BEFORE INSERT ON {table} WHEN (SELECT count(*) FROM {table}) % 7 = 3 "
            "BEGIN SELECT RAISE(IGNORE); END"
        )

    with pytest.raises(StoreCorrupt, match=f"of {table} is not the same on both sides"):
        copy_installation(where, there, silent)


def test_the_command_moves_an_installation_up(tmp_path: Path) -> None:
    where = tmp_path / "data" / "tagloom.sqlite"
    ours = begun(where)
    ours.close()
    url = new_installation()

    said = run("copy", "--from", f"sqlite:///{where}", "--to", url)

    assert said.code == 0, said
    assert "both databases are equal" in said.out
    checked = run("check", environ={"TAGLOOM_DATABASE_URL": url})
    assert checked.code == 0, checked
    backed = run("backup", tmp_path / "copy", environ={"TAGLOOM_DATABASE_URL": url})
    assert backed.code == 2
    assert "pg_dump" in backed.err
