"""Files in the console: kept, tried, applied once, never half, and forgotten after a while."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagloom import limits, problems
from tagloom.intake.sheets import Sheet, SheetColumn
from tagloom.loom import Loom, make_loom
from tagloom.model import Environment, Person
from tagloom.settings import Settings
from tagloom.uploads import Plan, Upload, Uploads
from tagloom.wiring import open_installation

LONG_FORM = Sheet(columns=(SheetColumn(name="user", use="user"), SheetColumn(name="tag", use="tag")))
BODY = b"user,tag\nada,plan/gold\nbob,plan/trial\neve,Plan\n"


class Now:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_760_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    """The time of the loom."""
    return Now()


@pytest.fixture
def loom(tmp_path: Path, now: Now) -> Iterator[Loom]:
    """The use cases of an installation of its own."""
    installation = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True)
    yield make_loom(installation, now)
    installation.close()


@pytest.fixture
def environment(loom: Loom) -> Environment:
    """Production of the first space."""
    return loom.installation.control.get_environment("main", "production")


def bring(loom: Loom, environment: Environment, body: bytes = BODY, name: str = "crm.csv") -> Upload:
    """An upload of a body, its columns said."""
    upload = loom.uploads.bring(environment, name, "dana@example.com", iter([body]))
    return loom.uploads.plan(environment, upload.id, Plan(sheet=LONG_FORM))


def awaited(uploads: Uploads, environment: Environment, upload: str) -> Upload:
    """The upload when nobody works on it any more."""
    for _ in range(1_000):
        found = uploads.get(environment, upload)
        if found.state not in ("trying", "running"):
            return found
        time.sleep(0.01)
    raise AssertionError("the work never ended")


def test_a_dry_run_tells_exactly_what_the_run_then_does(loom: Loom, environment: Environment) -> None:
    upload = bring(loom, environment)

    loom.uploads.try_out(environment, upload.id)
    tried = awaited(loom.uploads, environment, upload.id)

    assert tried.state == "tried"
    assert tried.foreseen is not None
    assert loom.population(environment).version() == 0
    loom.uploads.run(environment, upload.id, "dana@example.com")
    done = awaited(loom.uploads, environment, upload.id)
    assert done.state == "done"
    assert done.receipt is not None
    assert (done.receipt.added, done.receipt.new_people) == (2, 2)
    assert (tried.foreseen.receipt.added, tried.foreseen.receipt.new_people) == (2, 2)
    assert [(each.tag, each.added) for each in tried.foreseen.by_tag] == [("plan/gold", 1), ("plan/trial", 1)]
    assert [each.line for each in done.receipt.rejected] == [4]
    assert (done.rows_read, done.rows_total) == (3, 3)
    assert loom.population(environment).get_change(1).source == "crm.csv"


def test_a_file_is_applied_once(loom: Loom, environment: Environment) -> None:
    upload = bring(loom, environment)
    loom.uploads.run(environment, upload.id, "dana@example.com")
    awaited(loom.uploads, environment, upload.id)

    with pytest.raises(problems.UploadBusy):
        loom.uploads.run(environment, upload.id, "dana@example.com")
    with pytest.raises(problems.UploadBusy):
        loom.uploads.plan(environment, upload.id, Plan(sheet=LONG_FORM, mode="remove"))
    assert loom.population(environment).version() == 1


def test_a_run_whose_end_was_not_saved_is_run_again_and_applies_nothing_twice(
    loom: Loom, environment: Environment, tmp_path: Path, now: Now
) -> None:
    upload = bring(loom, environment)
    folder = tmp_path / "uploads" / upload.id
    loom.uploads.run(environment, upload.id, "dana@example.com")
    awaited(loom.uploads, environment, upload.id)
    # A server that was killed between the commit and the note of it leaves a run that looks busy.
    text = (folder / "upload.json").read_text().replace('"state":"done"', '"state":"running"')
    (folder / "upload.json").write_text(text)
    with pytest.raises(problems.UploadBusy):
        loom.uploads.run(environment, upload.id, "dana@example.com")
    now.seconds += limits.UPLOAD_SECONDS_SILENT + 1
    assert loom.uploads.get(environment, upload.id).state == "failed"

    loom.uploads.run(environment, upload.id, "dana@example.com")
    done = awaited(loom.uploads, environment, upload.id)

    assert done.state == "done"
    assert done.receipt is not None
    assert done.receipt.version == 1
    assert loom.population(environment).version() == 1


def test_a_file_that_breaks_in_the_middle_changes_nothing_and_says_why(loom: Loom, environment: Environment) -> None:
    body = b"user,tag\n" + b"ada,plan/gold\n" * 20_000 + b'bob,"never closed\n'
    upload = bring(loom, environment, body)

    loom.uploads.run(environment, upload.id, "dana@example.com")
    failed = awaited(loom.uploads, environment, upload.id)

    assert failed.state == "failed"
    assert failed.problem is not None
    assert "line 20001" in failed.problem
    assert loom.population(environment).version() == 0


def test_mirror_below_a_branch_takes_from_those_who_are_not_named(loom: Loom, environment: Environment) -> None:
    first = bring(loom, environment, b"user,tag\nada,crm/a\nbob,crm/a\nbob,other\n")
    loom.uploads.run(environment, first.id, "dana@example.com")
    awaited(loom.uploads, environment, first.id)
    second = loom.uploads.bring(environment, "crm.csv", "dana@example.com", iter([b"user,tag\nada,crm/b\n"]))
    loom.uploads.plan(environment, second.id, Plan(sheet=LONG_FORM, mode="mirror", under="crm"))

    loom.uploads.run(environment, second.id, "dana@example.com")
    awaited(loom.uploads, environment, second.id)

    population = loom.population(environment)
    assert population.find_person(Person("user", "ada")).tags == ("crm/b",)
    assert population.find_person(Person("user", "bob")).tags == ("other",)


def test_nothing_is_run_before_its_columns_are_known(loom: Loom, environment: Environment) -> None:
    upload = loom.uploads.bring(environment, "crm.csv", "dana@example.com", iter([BODY]))

    with pytest.raises(problems.UploadBusy):
        loom.uploads.run(environment, upload.id, "dana@example.com")


@pytest.mark.parametrize(
    ("name", "body"), [("crm.xlsx", BODY), ("crm.csv", b""), ("crm.parquet", b"no parquet"), ("crm.csv", b"a,a\n1,2\n")]
)
def test_a_file_that_cannot_be_read_is_not_kept(
    loom: Loom, environment: Environment, tmp_path: Path, name: str, body: bytes
) -> None:
    with pytest.raises(problems.Problem):
        loom.uploads.bring(environment, name, "dana@example.com", iter([body]))

    assert loom.uploads.list_uploads(environment) == ()
    assert list((tmp_path / "uploads").glob("*")) == []


def test_a_file_that_is_too_large_is_not_kept(
    loom: Loom, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UPLOAD_BYTES_MAX", 100)

    with pytest.raises(problems.BodyTooLarge):
        loom.uploads.bring(environment, "crm.csv", "dana@example.com", iter([b"user,tag\n", b"a,b\n" * 50]))

    assert list((tmp_path / "uploads").glob("*")) == []


def test_an_upload_is_known_in_its_environment_alone(loom: Loom, environment: Environment) -> None:
    upload = bring(loom, environment)
    staging = loom.installation.control.get_environment("main", "staging")

    assert [each.id for each in loom.uploads.list_uploads(environment)] == [upload.id]
    assert loom.uploads.list_uploads(staging) == ()
    for unknown in (upload.id, "../" + upload.id, "0" * 24, ""):
        with pytest.raises(problems.UploadNotFound):
            loom.uploads.get(staging, unknown)


def test_old_uploads_go_and_what_they_did_stays(loom: Loom, environment: Environment, now: Now) -> None:
    upload = bring(loom, environment)
    loom.uploads.run(environment, upload.id, "dana@example.com")
    awaited(loom.uploads, environment, upload.id)
    now.seconds += limits.UPLOAD_DAYS_KEPT * 86_400 + 1

    bring(loom, environment, name="next.csv")

    with pytest.raises(problems.UploadNotFound):
        loom.uploads.get(environment, upload.id)
    assert loom.population(environment).version() == 1


def test_only_so_many_are_kept(loom: Loom, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UPLOADS_KEPT_MAX", 2)
    first = bring(loom, environment)
    bring(loom, environment)
    with pytest.raises(problems.TooManyUploads):
        bring(loom, environment)

    loom.uploads.drop(environment, first.id)

    assert bring(loom, environment).state == "mapped"


def test_a_folder_without_its_note_is_no_upload(loom: Loom, environment: Environment, tmp_path: Path) -> None:
    upload = bring(loom, environment)
    (tmp_path / "uploads" / upload.id / "upload.json").unlink()

    with pytest.raises(problems.UploadNotFound):
        loom.uploads.get(environment, upload.id)
    shutil.rmtree(tmp_path / "uploads")
    assert loom.uploads.list_uploads(environment) == ()
