"""What an import does from the file to its end: applied once, in steps, guarded, paused, cancelled and undone."""

import gzip
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from tagloom.base.problems import Problem
from tagloom.base.times import rfc3339
from tagloom.imports import limits
from tagloom.imports.lifecycle import Imports
from tagloom.imports.problems import ImportStateWrong
from tagloom.ports.imports import Import, ImportState
from tagloom.ports.population import Population
from tagloom.ports.problems import IdempotencyKeyReused
from tagloom.ports.writes import Apply, ErasePerson, MoveTag, Undo, WriteOptions
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.changes import Origin
from tagloom.words.mappings import AttributeColumn, FlagColumn, ListColumn, Mapping, TagColumn, ValueColumn
from tagloom.words.people import Person
from tagloom.words.problems import MappingInvalid
from tagloom.words.receipts import Receipt
from tagloom.words.rules import AnyOf, HasTag
from tagloom.words.tags import TagPath
from tests.around import around
from tests.bodies import part, user
from tests.imports.conftest import Desk
from tests.writing import Batch, write_parts

BODY = b"user,tag\nada,plan/gold\nbob,plan/trial\neve,Plan\n"


def people(count: int, tag: str = "a") -> bytes:
    return b"user,tag\n" + b"".join(b"u%d,%s\n" % (number, tag.encode()) for number in range(count))


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of some rows, and a step for each of them."""
    monkeypatch.setattr(limits, "IMPORT_ROWS_PER_STEP", 1)
    monkeypatch.setattr("tagloom.files.delimited.ROWS_PER_PART", 10)


def number_of(write: Apply) -> int:
    """The number of a step, counted from 1."""
    assert write.rules.step is not None
    return write.rules.step.number


SLOWLY = Mapping(user="user", columns=(ListColumn(column="tag"),))


def test_a_file_waits_until_it_is_run_and_is_applied_once(desk: Desk) -> None:
    brought = desk.bring(BODY)
    assert (brought.state, brought.format, brought.size_bytes) == ("waiting", "csv", len(BODY))
    desk.work()
    assert desk.population.version() == 0

    desk.imports.run(desk.environment, brought.id)
    desk.work()
    done = desk.get(brought)

    assert (done.state, done.rows_read, done.rows_total) == ("done", 3, 3)
    assert (done.tally.added, done.tally.rejected_count, done.tally.versions) == (2, 1, (1,))
    assert [each.line for each in desk.population.rejected_in(done.id)] == [4]
    assert desk.tags("ada") == ("plan/gold",)
    change = desk.population.get_change(1)
    assert (change.action, change.actor, change.source) == ("import", "ada", "crm.csv")


@pytest.mark.parametrize("name", ["crm.csv.gz", "crm.csv.zst"])
def test_a_compressed_file_is_told_by_its_bytes(desk: Desk, name: str) -> None:
    packed = gzip.compress(BODY) if name.endswith("gz") else pa.compress(BODY, "zstd", asbytes=True)

    assert desk.run(packed, name).tally.added == 2


def test_a_compressed_file_that_is_cut_off_fails_and_applies_nothing(desk: Desk) -> None:
    failed = desk.run(gzip.compress(people(50_000))[:-1_000], "crm.csv.gz")

    assert (failed.state, failed.problem) == ("failed", "body-invalid")
    assert desk.population.version() == 0


def test_ndjson_of_the_plain_form_may_add_and_remove(desk: Desk) -> None:
    desk.run(b'{"user": "ada", "tags": ["a"]}\n', "crm.ndjson")
    done = desk.run(b'{"user": "ada", "add": ["b"], "remove": ["a"]}\n', "crm.ndjson", mode="change")

    # A change can remove everything, so it waits for a word.
    assert (done.state, done.hold) == ("held", "removes-much")
    desk.imports.approve(desk.environment, done.id)
    desk.work()
    assert (desk.get(done).state, desk.tags("ada")) == ("done", ("b",))


def test_nothing_is_left_of_a_file_that_is_not_taken(desk: Desk) -> None:
    for body, name, how in (
        (b"", "crm.csv", {}),
        (BODY, "crm.pdf", {}),
        (BODY, "crm.csv", {"prefix": "CRM"}),
        (BODY, "crm.csv", {"mode": "change"}),
        (BODY, "crm.csv", {"mapping": Mapping()}),
        (gzip.compress(b"PAR1"), "crm.parquet", {}),
    ):
        with pytest.raises(Problem):
            desk.bring(body, name, **how)
    assert desk.imports.list(desk.environment, limit=9) == ()
    assert list(desk.installation.uploads.glob("*")) == []


# Steps.


@pytest.mark.usefixtures("small_steps")
def test_a_run_that_was_cut_off_anywhere_goes_on_and_applies_nothing_twice(desk: Desk) -> None:
    brought = desk.bring(people(95), mapping=SLOWLY)
    desk.imports.run(desk.environment, brought.id)

    def dying(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        desk.population.submit(write, options).result()
        raise KeyboardInterrupt

    for _ in range(4):
        # The step is committed, and the process is gone before it hears of it.
        with pytest.raises(KeyboardInterrupt):
            desk.new_worker(submit=dying).work_once()
        assert desk.new_worker().work_once() is False
        desk.now.seconds += limits.IMPORT_LEASE_SECONDS + 1
    assert desk.population.version() == 4
    desk.work()

    done = desk.get(brought)
    assert (done.state, done.tally.added, done.tally.new_people) == ("done", 95, 95)
    assert done.tally.versions == tuple(range(1, 11))
    assert done.tally.unchanged == 0


@pytest.mark.usefixtures("small_steps")
def test_a_worker_whose_lease_was_taken_away_applies_nothing_twice(desk: Desk) -> None:
    brought = desk.bring(people(30), mapping=SLOWLY)
    desk.imports.run(desk.environment, brought.id)
    steps = list[int]()

    def overtaken(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        # Just before its second step the worker sleeps for so long that another one does all the rest.
        steps.append(number_of(write))
        if steps == [1, 2]:
            desk.now.seconds += limits.IMPORT_LEASE_SECONDS + 1
            assert desk.new_worker().work_once()
        return desk.population.submit(write, options)

    desk.work(desk.new_worker(submit=overtaken))

    assert steps[:2] == [1, 2]
    assert desk.population.version() == 3
    assert (desk.get(brought).state, desk.get(brought).tally.added) == ("done", 30)


@pytest.fixture
def paused(desk: Desk, small_steps: None) -> Import:
    """An import of forty rows that was paused behind two of its four steps."""
    brought = desk.bring(people(40), mapping=SLOWLY)
    desk.imports.run(desk.environment, brought.id)

    def pausing(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        receipt = desk.population.submit(write, options)
        if number_of(write) == 2:
            desk.imports.pause(desk.environment, brought.id)
            desk.now.seconds += 1
        return receipt

    desk.work(desk.new_worker(submit=pausing))
    return desk.get(brought)


def test_a_paused_import_stops_behind_a_step_and_is_resumed(desk: Desk, paused: Import) -> None:
    assert (paused.state, paused.tally.added) == ("paused", 20)

    desk.imports.resume(desk.environment, paused.id)
    desk.work()

    assert (desk.get(paused).state, desk.get(paused).tally.added) == ("done", 40)


@pytest.mark.usefixtures("small_steps")
def test_a_cancelled_import_is_undone_exactly(desk: Desk) -> None:
    desk.run(people(5, "before"), mapping=SLOWLY)
    done = desk.run(people(25), mapping=SLOWLY)
    assert done.tally.new_people == 20

    undone = desk.imports.undo(desk.environment, done.id, by="bob")

    (version,) = undone.undone
    assert desk.population.get_change(version).removed == 25
    assert desk.tags("u0") == ("before",)
    assert desk.population.find_person(user("u20").person) is None  # type: ignore[arg-type]
    # A second time there is nothing left to undo.
    assert desk.imports.undo(desk.environment, done.id, by="bob").undone == undone.undone


class Lost(Exception):
    """The end of a process, where it had done something and not yet said so."""


def lost_behind(population: Population, what: str) -> Population:
    """A population whose process ends just behind one thing that it did."""

    def done_and_lost(*values: object) -> None:
        getattr(population, what)(*values)
        raise Lost

    return around(population, **{what: done_and_lost})


@pytest.mark.parametrize("what", ["seal", "write"])
def test_a_cancel_whose_process_is_lost_is_made_up_for_by_asking_for_the_undo(
    desk: Desk, paused: Import, tmp_path: Path, what: str
) -> None:
    desk.imports.resume(desk.environment, paused.id)
    lost = lost_behind(desk.population, what)
    imports = Imports(desk.installation.control, tmp_path / "uploads", lambda _: lost, desk.now)

    with pytest.raises(Lost):
        imports.cancel(desk.environment, paused.id, by="bob", undo=True)

    # What its steps did is told all the same, and whoever asks finds the undo, or does it.
    cancelled = desk.get(paused)
    assert (cancelled.state, cancelled.tally.steps, cancelled.tally.added) == ("cancelled", 2, 20)
    undone = desk.imports.undo(desk.environment, paused.id, by="bob")
    assert undone.undone == (3,)
    assert (desk.population.version(), desk.population.get_change(3).removed) == (3, 20)
    desk.work()
    assert desk.population.version() == 3


def test_a_cancelled_import_never_runs_again(desk: Desk) -> None:
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)

    assert desk.imports.cancel(desk.environment, brought.id, by="bob", undo=True).state == "cancelled"

    desk.work()
    assert desk.population.version() == 0
    with pytest.raises(ImportStateWrong):
        desk.imports.run(desk.environment, brought.id)


def test_a_failed_import_says_why_and_may_be_mended_and_run(desk: Desk) -> None:
    failed = desk.run(b"id;tag\nada;a\n")
    assert (failed.state, failed.problem) == ("failed", "columns-invalid")

    desk.imports.configure(
        desk.environment, failed.id, mapping=Mapping(user="id", columns=(TagColumn(column="tag"),)), mode="add"
    )
    desk.imports.run(desk.environment, failed.id)
    desk.work()

    assert (desk.get(failed).state, desk.tags("ada")) == ("done", ("a",))


def test_a_file_that_means_something_else_by_now_is_read_again(desk: Desk) -> None:
    desk.run(b"user,tag\nada,a\n")
    brought, readings = desk.bring(b"user,tag\nada,b\nbob,a\n"), list[int]()

    def told(run: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        if rows_read == 2:
            readings.append(rows_read)
            if len(readings) == 1:
                # The file is read, and its step is not committed yet.
                desk.population.write(MoveTag(TagPath("a"), TagPath("z")), WriteOptions(Origin("bob")))
                desk.population.write(ErasePerson(Person("user", "ada")), WriteOptions(Origin("bob")))
        return desk.installation.control.put_progress(run, owner, rows_read=rows_read, until=until)

    desk.imports.run(desk.environment, brought.id)
    desk.work(desk.new_worker(put_progress=told))

    assert readings
    assert (desk.get(brought).state, desk.get(brought).tally.added) == ("done", 2)
    assert (desk.tags("ada"), desk.tags("bob")) == (("b",), ("z",))


# Plans and guards.


def test_a_plan_says_exactly_what_the_run_does(desk: Desk) -> None:
    desk.run(b"user,tag\nada,crm/old\nbob,crm/kept\ncyd,crm/kept\ndan,crm/kept\neve,crm/kept\nada,other\n")
    brought = desk.bring(
        b"user,tag\nbob,crm/kept\ncyd,crm/kept\ndan,crm/kept\neve,crm/kept\nzoe,crm/new\n", mode="mirror", prefix="crm"
    )

    desk.imports.plan(desk.environment, brought.id)
    desk.work()
    planned = desk.get(brought)

    assert (planned.state, planned.rows_total, desk.population.version()) == ("planned", 5, 1)
    assert planned.plan is not None
    assert (planned.plan.version, planned.plan.taggings, planned.plan.share_removed) == (1, 5, 20.0)
    assert planned.plan.emptied_tags == ("crm/old",)
    assert planned.plan.preview.new_tags == ("crm/new",)

    desk.imports.run(desk.environment, brought.id)
    desk.work()
    done = desk.get(brought)
    preview = planned.plan.preview.receipt
    assert (done.state, done.tally.added, done.tally.removed) == ("done", preview.added, preview.removed)
    assert (desk.tags("ada"), desk.tags("zoe")) == (("other",), ("crm/new",))


def test_a_run_that_would_remove_too_much_is_held_until_it_is_approved(desk: Desk) -> None:
    desk.run(people(10, "crm/a"))
    held = desk.run(people(7, "crm/a"), mode="mirror", prefix="crm")

    assert (held.state, held.hold, desk.population.version()) == ("held", "removes-much", 1)
    assert held.detail is not None
    assert "3 of the 10 taggings below 'crm'" in held.detail
    desk.work()
    assert desk.population.version() == 1

    desk.imports.approve(desk.environment, held.id)
    desk.work()
    assert (desk.get(held).state, desk.tags("u9")) == ("done", ())


@pytest.mark.parametrize(("share", "state"), [(30, "done"), (29.9, "held"), (None, "done"), (0, "held")])
def test_the_share_that_may_be_removed_is_the_imports_own(desk: Desk, share: float | None, state: str) -> None:
    desk.run(people(10, "crm/a"))

    assert desk.run(people(7, "crm/a"), mode="mirror", prefix="crm", share_removed_max=share).state == state


def test_a_source_that_came_back_empty_is_held(desk: Desk) -> None:
    desk.run(people(10, "crm/a"))
    held = desk.run(b"user,tag\n", mode="mirror", prefix="crm", share_removed_max=None)
    assert (held.state, held.hold, desk.tags("u1")) == ("held", "source-empty", ("crm/a",))
    assert held.detail == (
        "No line is accepted, so the mirror would remove every tag at or below 'crm' from everybody. "
        "Approve the run if that is meant, or cancel it."
    )

    desk.imports.approve(desk.environment, held.id)
    desk.work()
    assert (desk.get(held).state, desk.tags("u1")) == ("done", ())


def test_a_plan_that_others_overtook_without_effect_still_holds(desk: Desk) -> None:
    desk.run(people(10, "crm/a"))
    brought = desk.bring(people(9, "crm/a"), mode="mirror", prefix="crm")
    desk.imports.plan(desk.environment, brought.id)
    desk.work()
    write_parts(desk.population, [part([user("x", "elsewhere")])], Batch(mode="add", origin=Origin("bob")))

    desk.imports.run(desk.environment, brought.id)
    desk.work()

    assert (desk.get(brought).state, desk.get(brought).tally.removed) == ("done", 1)


def test_a_planned_import_that_is_approved_does_just_that_however_much_it_takes(desk: Desk) -> None:
    desk.run(people(10, "crm/a"))
    brought = desk.bring(people(1, "crm/a"), mode="mirror", prefix="crm")
    desk.imports.plan(desk.environment, brought.id)
    desk.work()
    write_parts(desk.population, [part([user("x", "crm/a")])], Batch(mode="add", origin=Origin("bob")))

    desk.imports.approve(desk.environment, brought.id)
    desk.work()
    assert (desk.get(brought).state, desk.get(brought).hold) == ("held", "plan-changed")

    desk.imports.plan(desk.environment, brought.id)
    desk.work()
    desk.imports.approve(desk.environment, brought.id)
    desk.work()
    assert (desk.get(brought).state, desk.get(brought).tally.removed) == ("done", 10)


def test_a_plan_stays_the_same_when_a_tribe_that_it_moves_grows_by_others(desk: Desk) -> None:
    desk.run(people(10, "crm/a"))
    either = AnyOf((HasTag("crm/a"), HasTag("vip")))
    Tribes(desk.installation.control).create_tribe("main", Draft(name="Either", rule=either), origin=Origin("ada"))
    brought = desk.bring(people(9, "crm/a"), mode="mirror", prefix="crm")
    desk.imports.plan(desk.environment, brought.id)
    desk.work()
    planned = desk.get(brought).plan
    assert planned is not None
    assert [(tribe.before, tribe.left) for tribe in planned.preview.tribes] == [(10, 1)]
    # They enter the tribe, and are not below the prefix of the mirror.
    write_parts(desk.population, [part([user("x", "vip")])], Batch(mode="add", origin=Origin("bob")))

    desk.imports.run(desk.environment, brought.id)
    desk.work()

    assert (desk.get(brought).state, desk.get(brought).tally.removed) == ("done", 1)


def test_a_plan_that_holds_no_more_is_made_again_and_says_so(desk: Desk) -> None:
    desk.run(people(10, "crm/a"))
    brought = desk.bring(people(9, "crm/a"), mode="mirror", prefix="crm")
    desk.imports.plan(desk.environment, brought.id)
    desk.work()
    before = desk.get(brought).plan
    write_parts(desk.population, [part([user("x", "crm/a")])], Batch(mode="add", origin=Origin("bob")))

    desk.imports.run(desk.environment, brought.id)
    desk.work()
    held = desk.get(brought)
    assert (held.state, held.hold) == ("held", "plan-changed")
    assert before is not None
    assert held.plan is not None
    assert (before.preview.receipt.removed, held.plan.preview.receipt.removed) == (1, 2)
    assert held.plan.id != before.id

    desk.imports.approve(desk.environment, held.id)
    desk.work()
    assert (desk.get(held).state, desk.get(held).tally.removed) == ("done", 2)


def test_a_run_that_is_told_to_go_on_asks_nobody(desk: Desk) -> None:
    desk.run(people(10, "crm/a"))
    brought = desk.bring(people(1, "crm/a"), mode="mirror", prefix="crm")

    desk.imports.run(desk.environment, brought.id, goes_on=True)
    desk.work()

    assert (desk.get(brought).state, desk.get(brought).tally.removed) == ("done", 9)


# Mapped files.


def test_columns_become_tags_by_the_mapping(desk: Desk) -> None:
    mapping = Mapping(
        user="id",
        columns=(
            ValueColumn(column="Plan", branch="plan", values={"N/A": ""}),
            FlagColumn(column="active", yes="status/active"),
            ListColumn(column="interests", separator="|", steps=("trim", "lowercase")),
        ),
        prefix="",
        tags=("source/crm",),
    )
    body = b"id,Plan,active,interests\na,Pro Plus,yes,Golf | tennis\nb,N/A,no,\nc,Pro,perhaps,golf\n"

    done = desk.run(body, mapping=mapping)

    assert desk.tags("a") == ("golf", "plan/pro-plus", "source/crm", "status/active", "tennis")
    assert desk.tags("b") == ("source/crm",)
    assert done.tally.rejected_count == 1
    assert [(each.line, each.value) for each in desk.population.rejected_in(done.id)] == [(4, "c,Pro,perhaps,golf")]


@pytest.mark.parametrize("name", ["crm.csv", "crm.ndjson"])
@pytest.mark.parametrize("is_mapped", [True, False])
def test_a_mirror_with_a_line_that_cannot_be_read_takes_nothing_from_whom_it_may_name(
    desk: Desk, name: str, is_mapped: bool
) -> None:
    column, user = ("p", "id") if is_mapped else ("tag", "user")
    mapping = Mapping(user="id", columns=(TagColumn(column="p"),), prefix="crm") if is_mapped else None
    prefix = "" if is_mapped else "crm/"
    if name == "crm.csv":
        good = f"{column},note,{user}\n{prefix}x,,a\n{prefix}x,,b\n"
        bad = good.replace(",,a", ", jr,,a")
    else:
        good = "".join(f'{{"{user}":"{id}","{column}":"{prefix}x"}}\n' for id in "ab")
        bad = good.replace('x"}', 'x",}', 1)
    desk.run(good.encode(), name, mapping=mapping)

    done = desk.run(bad.encode(), name, mapping=mapping, mode="mirror", prefix="crm")

    assert (done.state, done.tally.removed, done.tally.rejected_count) == ("done", 0, 1)
    assert [desk.tags(id) for id in "ab"] == [("crm/x",)] * 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"a","p":NaN}',
        b'{"id":"a","p":1e999}',
        b'{"id":"a","p":"\\ud800"}',
        b'{"id":"a","p":"\xe9"}',
        b'{"id":"a","p":"x',
        b'{"id":"a","p":"x","p":"y"}',
        b'{"p":{"$oid":"x"},"id":"a"}',
        b'{"id":"a","p":"' + b"x" * 1_048_576 + b'"}',
    ],
    ids=["nan", "infinite", "surrogate", "latin-1", "cut", "twice", "object", "too-long"],
)
def test_a_mirror_keeps_the_tags_of_whom_a_line_of_json_names_whatever_is_wrong_with_it(
    desk: Desk, line: bytes
) -> None:
    mapping = Mapping(user="id", columns=(TagColumn(column="p"),), prefix="crm")
    desk.run(b'{"id":"a","p":"x"}\n{"id":"b","p":"x"}\n', "crm.ndjson", mapping=mapping)

    run = desk.run(line + b'\n{"id":"b","p":"x"}\n', "crm.ndjson", mapping=mapping, mode="mirror", prefix="crm")

    # Of a line that is too long not all of it was seen, so somebody is asked.
    assert run.state == ("held" if len(line) > 1_048_576 else "done")
    assert run.tally.removed == 0
    assert [desk.tags(id) for id in "ab"] == [("crm/x",)] * 2


def test_ids_that_look_wrong_are_counted_before_the_run(desk: Desk) -> None:
    ids = ['"=""00123"""', "1.58292E+18", "1,5e18", "NULL", "N/A", " u1", "u2 ", "u3", "E+", "Nina", "-1"]
    body = "user;tag\r" + "".join(f"{id};a\r" for id in ids)
    run = desk.bring(body.encode())

    desk.imports.plan(desk.environment, run.id)
    desk.work()

    plan = desk.get(run).plan
    assert plan is not None
    assert [each.split(",")[0].split(":")[0] for each in plan.warnings] == [
        "Its lines end with CR alone",
        "2 of the ids look like numbers that a spreadsheet has rounded",
        "2 of the ids say that there is none",
        "1 of the ids are formulas",
        "2 of the ids begin or end with a space.",
    ]
    assert plan.preview.receipt.new_people == len(ids)


def test_a_mirror_with_a_line_that_names_nobody_known_waits_for_an_approval(desk: Desk) -> None:
    desk.run(b"user,tag\nu1,crm/a\nu2,crm/a\n")
    body = b'user,tag\nu1,crm/a\n"damag\xff\n'

    held = desk.run(body, mode="mirror", prefix="crm", share_removed_max=60)

    assert (held.state, held.hold) == ("held", "lines-unreadable")
    assert held.plan is not None
    assert held.plan.preview.receipt.removed == 1
    assert "Line 3 cannot be read, and the person is unknown." in (held.detail or "")
    desk.imports.approve(desk.environment, held.id)
    desk.work()
    assert desk.get(held).state == "done"
    assert [desk.tags("u1"), desk.tags("u2")] == [("crm/a",), ()]


def test_a_long_file_is_mapped_tag_by_tag(desk: Desk) -> None:
    mapping = Mapping(user="id", columns=(TagColumn(column="segment", steps=("slug",)),), prefix="crm", tags=("all",))

    done = desk.run(b"segment,id\nBig Spender,a\nbig spender,b\n,c\n", mapping=mapping)

    assert done.tally.rejected_count == 1
    both = ("crm/all", "crm/big-spender")
    assert [desk.tags(id) for id in "abc"] == [both, both, ()]


def test_nested_objects_are_reached_by_paths(desk: Desk) -> None:
    mapping = Mapping(
        user="profile.id",
        columns=(
            TagColumn(column="segments[*].name", steps=("slug",)),
            ValueColumn(column="profile.plan", branch="plan"),
        ),
    )
    body = b'{"profile": {"id": "a", "plan": "Pro"}, "segments": [{"name": "Golf"}, {"name": "Tennis"}]}\n[]\n'

    done = desk.run(body, "crm.jsonl", mapping=mapping)

    assert desk.tags("a") == ("golf", "plan/pro", "tennis")
    assert done.tally.rejected_count == 1


def test_the_same_key_gives_the_same_import_and_nothing_twice(desk: Desk) -> None:
    body = b"user,tag\nu1,a\n"
    first = desk.bring(body, key="load 1")
    desk.imports.run(desk.environment, first.id)
    desk.work()

    again = desk.bring(body, key="load 1")
    other = desk.bring(body, key="load 2")

    assert (again.id, again.state, again.tally.added) == (first.id, "done", 1)
    assert other.id != first.id
    for wrong in ({"body": b"user,tag\nu2,a\n"}, {"body": body, "mode": "remove"}, {"body": body, "prefix": "a"}):
        with pytest.raises(IdempotencyKeyReused):
            desk.bring(wrong.pop("body"), key="load 1", **wrong)  # type: ignore[arg-type]
    assert {each.name for each in desk.imports.folder.path("x").parent.parent.iterdir()} == {first.id, other.id}
    # Elsewhere the key is another's, and once the import is forgotten it is nobody's.
    elsewhere = desk.installation.control.get_environment("main", "staging")
    assert desk.imports.create_import(elsewhere, [body], name="a.csv", by="ada", key="load 1").id != first.id
    desk.imports.delete_file(desk.environment, first.id)
    assert desk.bring(body, key="load 1").has_file is False
    desk.imports.delete(desk.environment, first.id)
    assert desk.bring(body, key="load 1").state == "waiting"


def test_a_key_knows_the_end_that_was_said_however_that_is_rounded_by_now(desk: Desk) -> None:
    body, said = b"user,tag\nu1,a\n", rfc3339(desk.now() + 86_400 + 3_600 + 61)
    first = desk.bring(body, key="load 1", expires_at=said)
    # Less than a day ahead it is rounded to the minute, and before to the quarter of an hour.
    desk.now.seconds += 2 * 3_600
    assert desk.bring(body, expires_at=said).expires_at != first.expires_at

    again = desk.bring(body, key="load 1", expires_at=said)

    assert (again.id, again.expires_at) == (first.id, first.expires_at)
    with pytest.raises(IdempotencyKeyReused):
        desk.bring(body, key="load 1", expires_at=rfc3339(desk.now() + 3_600))
    with pytest.raises(IdempotencyKeyReused):
        desk.bring(body, key="load 1", ttl="1h")


def test_a_file_that_was_lost_between_the_row_and_its_place_is_brought_by_the_next_try(desk: Desk) -> None:
    body = b"user,tag\nu1,a\n"
    first = desk.bring(body, key="load 1")
    desk.imports.folder.delete(first.id)

    again = desk.bring(body, key="load 1")
    desk.imports.run(desk.environment, again.id)
    desk.work()

    assert (again.id, desk.get(again).state) == (first.id, "done")


@pytest.mark.usefixtures("debug_logs")
def test_a_file_that_cannot_be_dropped_is_told_and_one_that_is_gone_is_not(desk: Desk, tmp_path: Path) -> None:
    stuck = "f" * 24
    # A folder is expected there.
    (tmp_path / "uploads").mkdir(exist_ok=True)
    (tmp_path / "uploads" / stuck).write_bytes(b"")

    with capture_logs() as entries:
        desk.imports.folder.delete(stuck)
        desk.imports.folder.delete("e" * 24)

    (told,) = entries
    assert (told["event"], told["log_level"], told["run"]) == ("import.file_not_deleted", "error", stuck)
    assert "Not a directory" in told["reason"]


def test_many_who_bring_the_same_at_once_get_one_import(desk: Desk) -> None:
    body = b"user,tag\nu1,a\n"
    with ThreadPoolExecutor(8) as pool:
        brought = list(pool.map(lambda _: desk.bring(body, key="load 1"), range(16)))

    assert len({each.id for each in brought}) == 1
    assert len(desk.imports.list(desk.environment, limit=9)) == 1
    assert desk.imports.folder.path(brought[0].id).read_bytes() == body


@pytest.mark.usefixtures("small_steps")
def test_an_import_whose_versions_are_undone_one_by_one_is_undone(desk: Desk) -> None:
    done = desk.run(people(15), mapping=SLOWLY)
    assert len(done.tally.versions) == 2

    def undo(version: int) -> int:
        return desk.population.write(Undo((version,)), WriteOptions(Origin("ada"))).version

    second = undo(2)
    assert desk.get(done).undone == ()
    first = undo(1)
    assert desk.get(done).undone == (second, first)
    undo(first)
    assert desk.get(done).undone == ()


def test_mode_remove_refuses_attributes_in_a_mapping_and_in_a_line(desk: Desk) -> None:
    mapping = Mapping(user="id", columns=(AttributeColumn(column="plan", attribute="plan"),))

    with pytest.raises(MappingInvalid, match="column 'plan' is an attribute"):
        desk.bring(b"id,plan\nu1,gold\n", mode="remove", mapping=mapping)

    line = b'{"user":"u1","tags":["a"],"attributes":{"plan":"gold"}}\n'
    run = desk.run(line + b'{"user":"u2","tags":["a"]}\n', "crm.ndjson", mode="remove", share_removed_max=None)
    (rejected,) = desk.population.rejected_in(run.id)
    assert "which mode 'remove' does not read" in rejected.detail
