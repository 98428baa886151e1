"""`tagloom check` names what is wrong: a sound database is spoilt in one way, and the sentence says which."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tagloom.bootstrap import open_installation
from tagloom.engine.bitmaps import BitMap, from_bytes, to_bytes
from tagloom.engine.keys.directory import pack_keys, pack_page, unpack_keys, unpack_page
from tagloom.ports.writes import DeleteTag, MoveTag, WriteOptions
from tagloom.settings import read_settings
from tagloom.words.changes import Origin
from tagloom.words.tags import TagPath
from tests.bodies import part, user
from tests.cli.running import Said, ask, run, write
from tests.writing import Batch, write_parts

Spoil = Callable[[sqlite3.Connection], object]

# The sound database: 1 import, 2 a tag given, 3 a tag taken, 4 a tag renamed, 5 a tag dropped, 6 another import,
# 7 and 8 tags that expire, 9 and 10 tags that start later and then expire.
VERSIONS = 10
FIRST_END, SECOND_END = 40_000_000, 40_000_001
FIRST_START, SECOND_START = 39_000_000, 39_000_001


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a database in order, with people, tags, an alias, a dropped tag and several runs."""
    folder = tmp_path_factory.mktemp("sound")
    data = folder / "data"
    ask("init", "--data", data)
    lines = "".join(f"u{n},plan/p{n % 3}\n" for n in range(100))
    ask("import", write(folder / "a.csv", f"user,tag\n{lines}"), "--data", data)
    ask("tag", "u1", "old", "gone", "--data", data)
    ask("tag", "u1", "plan/p1", "--remove", "--data", data)
    installation = open_installation(read_settings(data))
    population = installation.population(installation.control.get_environment("main", "production"))
    population.write(MoveTag(TagPath("old"), TagPath("new")), WriteOptions(Origin("test", "test")))
    population.write(DeleteTag(TagPath("gone")), WriteOptions(Origin("test", "test")))
    installation.close()
    ask("import", write(folder / "b.csv", "visitor,tag\nv1,plan/p0\nv2,new\n"), "--data", data)
    installation = open_installation(read_settings(data))
    population = installation.population(installation.control.get_environment("main", "production"))
    for id, expiry in (("u5", FIRST_END), ("u6", SECOND_END)):
        write_parts(population, [part([user(id, "trial")])], Batch(mode="add", origin=Origin("test"), expiry=expiry))
    for id, start in (("u7", FIRST_START), ("u8", SECOND_START)):
        batch = Batch(mode="add", origin=Origin("test"), start=start, expiry=FIRST_END)
        write_parts(population, [part([user(id, "trial")])], batch)
    installation.close()
    assert run("check", "--data", data).out == "ok\n"
    return (data / "tagloom.sqlite").read_bytes()


@pytest.fixture
def data(sound: bytes, tmp_path: Path) -> Path:
    """A copy of the sound database to spoil."""
    (tmp_path / "tagloom.sqlite").write_bytes(sound)
    return tmp_path


def spoilt(data: Path, spoil: Spoil) -> Said:
    """What the check says after raw SQL was at the file."""
    connection = sqlite3.connect(data / "tagloom.sqlite", isolation_level=None)
    spoil(connection)
    connection.close()
    return run("check", "--data", data)


def row_of(db: sqlite3.Connection, path: str) -> int:
    """The id of production's row of this path."""
    query = "SELECT row.id FROM row JOIN environment ON key=environment WHERE path=? AND name='production'"
    (found,) = db.execute(query, (path,)).fetchone()
    return int(found)


def end_of(db: sqlite3.Connection, moment: int) -> str:
    """The path of the row of an end."""
    return f"{row_of(db, 'trial')}@{moment}"


def start_of(db: sqlite3.Connection, moment: int) -> str:
    """The path of the row of a start."""
    return f"{row_of(db, 'trial')}@{moment}+{FIRST_END}"


def change_chunk(db: sqlite3.Connection, path: str, change: Callable[[BitMap], BitMap]) -> None:
    """Puts another bitmap in place of the first chunk of a row."""
    place = row_of(db, path) << 16
    (data,) = db.execute("SELECT people FROM chunk WHERE place=?", (place,)).fetchone()
    db.execute("UPDATE chunk SET people=? WHERE place=?", (to_bytes(change(from_bytes(data))), place))


def drop_path_index(db: sqlite3.Connection) -> None:
    db.execute("DROP INDEX row_live_path")


def take_a_path_twice(db: sqlite3.Connection) -> None:
    drop_path_index(db)
    db.execute("UPDATE row SET path='plan/p0' WHERE id=?", (row_of(db, "plan/p2"),))


def change_a_key(db: sqlite3.Connection) -> None:
    first, data = db.execute("SELECT first, keys FROM segment ORDER BY size DESC").fetchone()
    keys = unpack_keys(data)
    changed = [b"uintruder", *keys.to_pylist()[1:]]
    db.execute("UPDATE segment SET keys=? WHERE first=?", (pack_keys(pa.array(changed, pa.binary())), first))


def swap_page_entries(db: sqlite3.Connection) -> None:
    place, data = db.execute("SELECT place, entries FROM page ORDER BY length(entries) DESC").fetchone()
    page = unpack_page(data)
    ordinal = page.ordinal.copy()
    ordinal[[0, 1]] = ordinal[[1, 0]]
    db.execute("UPDATE page SET entries=? WHERE place=?", (pack_page(page._replace(ordinal=ordinal)), place))


def disorder_a_page(db: sqlite3.Connection) -> None:
    place, data = db.execute("SELECT place, entries FROM page ORDER BY length(entries) DESC").fetchone()
    page = unpack_page(data)
    turned = page._replace(high=page.high[::-1], low=page.low[::-1], ordinal=page.ordinal[::-1])
    db.execute("UPDATE page SET entries=? WHERE place=?", (pack_page(turned), place))


def revive_chunk(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO chunk (place, people) VALUES (?, ?)", (row_of(db, "gone") << 16, to_bytes(BitMap([1]))))


def sql_text(*statements: str) -> Spoil:
    """Runs these statements; PRODUCTION stands for the key of the environment."""

    def spoil(db: sqlite3.Connection) -> None:
        (key,) = db.execute("SELECT key FROM environment WHERE name='production'").fetchone()
        for statement in statements:
            assert db.execute(statement.replace("PRODUCTION", str(key))).rowcount

    return spoil


def name_the_next_version(db: sqlite3.Connection) -> None:
    count, environment = db.execute("SELECT change_count, environment FROM batch WHERE version=2").fetchone()
    places = int(count).to_bytes(4, "little")
    db.execute("UPDATE batch_bucket SET places=? WHERE version=2 AND environment=?", (places, environment))


def swap_everyone(db: sqlite3.Connection) -> None:
    change_chunk(db, "everyone", lambda chunk: chunk - BitMap([3]))


CASES: list[tuple[str, Spoil, str]] = [
    (
        "an end of a stranger",
        lambda db: change_chunk(db, end_of(db, FIRST_END), lambda chunk: chunk | BitMap([1])),
        f"the end of 'trial' at minute {FIRST_END} has 1 people without the tag",
    ),
    (
        "two ends of one tagging",
        lambda db: change_chunk(db, end_of(db, SECOND_END), lambda chunk: chunk | BitMap([5])),
        f"1 people have two expiries of the tag, one of them the end of 'trial' at minute {SECOND_END}",
    ),
    (
        "a start of nobody",
        lambda db: change_chunk(db, start_of(db, FIRST_START), lambda chunk: chunk | BitMap([50_000])),
        f"the start of 'trial' at minute {FIRST_START} has 1 ordinals that belong to nobody",
    ),
    (
        "two starts of one tagging",
        lambda db: change_chunk(db, start_of(db, SECOND_START), lambda chunk: chunk | BitMap([7])),
        f"1 people have two starts of the tag, one of them the start of 'trial' at minute {SECOND_START}",
    ),
    (
        "a dead start with people",
        lambda db: db.execute("UPDATE row SET is_live=0 WHERE path=?", (start_of(db, FIRST_START),)),
        f"the start of 'trial' at minute {FIRST_START} is not live but has people",
    ),
    (
        "a start of a tag that is gone",
        lambda db: db.execute("UPDATE row SET tag=? WHERE path=?", (row_of(db, "gone"), start_of(db, FIRST_START))),
        f"the start of 'gone' at minute {FIRST_START} belongs to no live tag",
    ),
    (
        "a wrong count of the scheduled",
        sql_text("UPDATE batch SET scheduled=7 WHERE environment=PRODUCTION AND version=9"),
        "version 9 is stored with 7 scheduled taggings, but its changes have 1",
    ),
    (
        "a dead end with people",
        lambda db: db.execute("UPDATE row SET is_live=0 WHERE path=?", (end_of(db, FIRST_END),)),
        f"the end of 'trial' at minute {FIRST_END} is not live but has people",
    ),
    (
        "an end of a tag that is gone",
        lambda db: db.execute("UPDATE row SET tag=? WHERE path=?", (row_of(db, "gone"), end_of(db, FIRST_END))),
        f"the end of 'gone' at minute {FIRST_END} belongs to no live tag",
    ),
    (
        "a chunk changed",
        lambda db: change_chunk(db, "plan/p0", lambda chunk: chunk | BitMap([1])),
        "chunk 0 of 'plan/p0' is not the fold of its changes",
    ),
    (
        "a chunk dropped",
        lambda db: db.execute("DELETE FROM chunk WHERE place=?", (row_of(db, "plan/p1") << 16,)),
        "chunk 0 of 'plan/p1' is not the fold of its changes",
    ),
    (
        "a chunk of nobody",
        lambda db: db.execute("UPDATE chunk SET people=x'' WHERE place=?", (row_of(db, "plan/p1") << 16,)),
        "chunk 0 of 'plan/p1' is stored although it is empty",
    ),
    (
        "a chunk made from nothing",
        lambda db: db.execute("INSERT INTO chunk SELECT place | 7, people FROM chunk WHERE place & 65535 = 0 LIMIT 1"),
        "1 chunks have no change that made them",
    ),
    (
        "a change dropped",
        lambda db: db.execute("DELETE FROM change WHERE version=1 AND row=?", (row_of(db, "plan/p0"),)),
        "chunk 0 of 'plan/p0' is not the fold of its changes",
    ),
    (
        "a change twice",
        lambda db: db.execute(
            "INSERT INTO change (environment, version, row, bucket, added, removed) "
            "SELECT environment, version, row, bucket, added, removed FROM change WHERE version=1 AND row=?",
            (row_of(db, "plan/p0"),),
        ),
        "version 1 adds people to chunk 0 of 'plan/p0' who were already there",
    ),
    (
        "a change of nobody's",
        lambda db: db.execute(
            "UPDATE change SET removed=added WHERE version=1 AND row=?",
            (row_of(db, "plan/p0"),),
        ),
        "version 1 removes people from chunk 0 of 'plan/p0' who were not there",
    ),
    (
        "a change of another bucket",
        lambda db: db.execute(
            "UPDATE change SET added=? WHERE version=1 AND row=?", (to_bytes(BitMap([70_000])), row_of(db, "plan/p0"))
        ),
        "version 1 changes people of another bucket in chunk 0 of 'plan/p0'",
    ),
    (
        "a version that says it touched others",
        lambda db: db.execute("UPDATE batch_bucket SET people=? WHERE version=1", (to_bytes(BitMap([1])),)),
        "the footprint of version 1 in bucket 0 has other people than its changes",
    ),
    (
        "a compaction that is further than its horizon",
        sql_text("UPDATE environment SET compacted=3, horizon=2 WHERE key=PRODUCTION"),
        "history is compacted to version 3, but the horizon is 2 of 10",
    ),
    (
        "a compaction that is over and goes on",
        sql_text("UPDATE environment SET compacting_row=3 WHERE key=PRODUCTION"),
        "a compaction that is finished is stored as unfinished",
    ),
    (
        "a version that is compacted and is not",
        sql_text("UPDATE environment SET compacted=5, horizon=5 WHERE key=PRODUCTION"),
        "version 3 is compacted but still removes 1",
    ),
    (
        "a version that names changes of another",
        name_the_next_version,
        "version 2 has a footprint in bucket 0 with changes of another version",
    ),
    (
        "a version that touched and does not say so",
        sql_text("DELETE FROM batch_bucket WHERE environment=PRODUCTION AND version=3"),
        "changes are in no footprint",
    ),
    (
        "a version missing",
        sql_text("DELETE FROM batch WHERE environment=PRODUCTION AND version=3"),
        "version 3 is missing",
    ),
    (
        "the newest version missing",
        sql_text(f"DELETE FROM batch WHERE environment=PRODUCTION AND version={VERSIONS}"),
        f"the environment is at version {VERSIONS}, but its log ends at {VERSIONS - 1}",
    ),
    (
        "a wrong count of the added",
        sql_text("UPDATE batch SET added=added+1 WHERE environment=PRODUCTION AND version=1"),
        "version 1 is stored with 101 added, but its changes have 100",
    ),
    (
        "a wrong count of the removed",
        sql_text("UPDATE batch SET removed=7 WHERE environment=PRODUCTION AND version=3"),
        "version 3 is stored with 7 removed, but its changes have 1",
    ),
    (
        "a wrong count of new people",
        sql_text("UPDATE batch SET new_people=0 WHERE environment=PRODUCTION AND version=6"),
        "version 6 is stored with 0 new people, but its changes have 2",
    ),
    ("a dropped tag still borne", revive_chunk, "the deleted tag 'gone' still has people"),
    ("a path taken twice", take_a_path_twice, "the path 'plan/p0' belongs to two tags"),
    (
        "a tag other than its log",
        sql_text("UPDATE row SET description='x' WHERE path='new'"),
        "the tag 'new' differs from its last state in the log",
    ),
    (
        "a path that is none",
        sql_text("UPDATE row SET path='Plan' WHERE path='plan/p2'"),
        "is invalid: 'Plan' has a capital letter",
    ),
    (
        "a path that is not composed",
        lambda db: db.execute("UPDATE row SET path=? WHERE path='plan/p2'", ("u\u0308",)),
        "is not in form NFC",
    ),
    (
        "an alias that shadows a tag",
        sql_text("INSERT INTO alias (environment, path, target) VALUES (PRODUCTION, 'plan', 'new')"),
        "'plan' is both an alias and a tag",
    ),
    (
        "an alias that nobody logged",
        sql_text("INSERT INTO alias (environment, path, target) VALUES (PRODUCTION, 'x', 'new')"),
        "the aliases are not the fold of the log",
    ),
    (
        "an entry of the log changed",
        sql_text("UPDATE entry SET before='x' WHERE environment=PRODUCTION AND version=4 AND kind='tag'"),
        "from a state that it did not have",
    ),
    ("everyone without one", swap_everyone, "everyone is not the union of users and visitors"),
    (
        "somebody of both kinds",
        lambda db: change_chunk(db, "visitors", lambda chunk: chunk | BitMap([0])),
        "1 people are both user and visitor",
    ),
    (
        "somebody erased and known",
        lambda db: db.execute(
            "INSERT INTO chunk (place, people) VALUES (?, ?)", (row_of(db, "erased") << 16, to_bytes(BitMap([0])))
        ),
        "1 erased people are still known",
    ),
    (
        "a bearer that is nobody",
        lambda db: change_chunk(db, "plan/p0", lambda chunk: chunk | BitMap([5_000])),
        "the tag 'plan/p0' has 1 ordinals that belong to nobody",
    ),
    (
        "a fact missing",
        sql_text("UPDATE row SET path='nobody' WHERE path='everyone' AND environment=PRODUCTION"),
        "the facts everyone are missing",
    ),
    ("a key changed in a segment", change_a_key, "hashes that differ from those of their keys"),
    (
        "a segment dropped",
        sql_text("DELETE FROM segment WHERE environment=PRODUCTION"),
        "102 ordinals are assigned, but 0 have keys",
    ),
    (
        "a segment of another size",
        sql_text("UPDATE segment SET size=size-1 WHERE environment=PRODUCTION AND first=0"),
        "the segment of keys from 0 on has",
    ),
    ("two page entries swapped", swap_page_entries, "has 2 hashes that differ from those of their keys"),
    ("a page out of order", disorder_a_page, "is not in order"),
    ("a page dropped", sql_text("DELETE FROM page"), "page 0 of run"),
    (
        "a run dropped",
        sql_text("DELETE FROM run WHERE environment=PRODUCTION AND id=(SELECT max(id) FROM run)"),
        "2 people cannot be found by their key",
    ),
    (
        "a run that says too little",
        sql_text("UPDATE run SET keys=1 WHERE environment=PRODUCTION AND keys=100"),
        "is stored with 1 keys but has 100",
    ),
    (
        "bytes that are no bitmap",
        lambda db: db.execute("UPDATE chunk SET people=x'0102030405' WHERE place=?", (row_of(db, "plan/p1") << 16,)),
        "main/production: the rest cannot be read",
    ),
    (
        "bytes that are no keys",
        sql_text("UPDATE segment SET keys=x'0a000000ffffffff' WHERE environment=PRODUCTION AND first=0"),
        "main/production: the rest cannot be read",
    ),
]


def test_an_untouched_database_is_ok(data: Path) -> None:
    said = run("check", "--data", data)

    assert (said.code, said.out, said.err) == (0, "ok\n", "")


@pytest.mark.parametrize(("spoil", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_check_names_what_is_wrong(data: Path, spoil: Spoil, says: str) -> None:
    said = spoilt(data, spoil)

    assert said.code == 1
    assert says in said.out, said.out
    assert said.err == ""
    assert all(line.startswith("main/production: ") for line in said.out.splitlines()), said.out


def test_the_check_says_it_in_json_as_well(data: Path) -> None:
    spoilt(data, swap_everyone)

    said = run("check", "--data", data, "--json")

    assert said.code == 1
    assert said.json["ok"] is False
    assert "main/production: everyone is not the union of users and visitors" in said.json["broken"]


@pytest.mark.parametrize("number", range(0, 60, 6))
def test_a_page_of_the_file_that_was_overwritten_is_told_and_never_a_traceback(
    data: Path, sound: bytes, number: int
) -> None:
    size = 8_192
    at = number * size % len(sound)
    (data / "tagloom.sqlite").write_bytes(sound[:at] + b"\xff" * size + sound[at + size :])

    said = run("check", "--data", data)

    assert said.code == 1
    assert ("file: " in said.out) or (said.err.count("\n") == 1 and "SQLite says" in said.err)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_short_is_told(data: Path, sound: bytes, share: float) -> None:
    (data / "tagloom.sqlite").write_bytes(sound[: int(len(sound) * share)])

    said = run("check", "--data", data)

    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert "SQLite says" in said.err
