"""`tagloom import` of an address, on a directory and against a server."""

from pathlib import Path

import pytest

from tests.cli.conftest import FETCHING, Twins
from tests.cli.running import run, write
from tests.egress.places import web

FILE = b"user,tag\nu1,crm/gold\nu2,Crm\n"
MAPPING = '{"user": "id", "prefix": "crm", "columns": [{"type": "value", "column": "plan", "branch": "plan"}]}'


@pytest.fixture(params=["data", "url"])
def where(request: pytest.FixtureRequest, twins: Twins) -> tuple[str, ...]:
    return twins.pair()[request.param == "url"]


def test_an_address_is_fetched_planned_and_applied(where: tuple[str, ...], tmp_path: Path) -> None:
    with web() as place:
        url = place.serve("/exports/crm.csv", FILE)
        planned = run("import", f"{url}?page=2", *where, "--dry-run", "--json", environ=FETCHING)
        done = run("import", url, *where, "--rejected-rows", tmp_path / "bad.csv", environ=FETCHING)
        mapped = place.serve("/plans", b"id,plan\nu9,Gold\n")
        mapping = write(tmp_path / "plans.json", MAPPING)
        by_mapping = run(
            *("import", mapped, *where, "--format", "csv", "--mapping", mapping, "--json"), environ=FETCHING
        )

    assert (planned.code, planned.json["added"]) == (3, 1)
    assert done.code == 3
    assert "crm.csv imported (add)" in done.out
    assert (tmp_path / "bad.csv").read_text().splitlines()[1].startswith("u2,Crm,")
    assert (by_mapping.code, by_mapping.json["added"]) == (0, 1)


def test_an_address_that_cannot_be_had_says_why_and_leaves_nothing(where: tuple[str, ...]) -> None:
    with web() as place:
        missing = run("import", f"{place.url}/a.csv?page=sesame", *where, environ=FETCHING)
        unnamed = run("import", place.serve("/export", FILE), *where, environ=FETCHING)
        columns = run("import", place.url + "/a.csv", *where, "--tag-column", "label", environ=FETCHING)
        private = run("import", place.url.replace("localhost", "127.0.0.1") + "/a.csv", *where, environ=FETCHING)
    off = run("import", "sftp://localhost/a.csv", *where, environ=FETCHING)
    opening = run("import", "https://ada:sesame@localhost/a.csv", *where, environ=FETCHING)
    secret = run("import", "https://localhost/a.csv", "--secret", "crm", *where, environ=FETCHING)

    assert [each.code for each in (missing, private, off, opening, secret)] == [1] * 5
    assert (unnamed.code, columns.code) == (2, 2)
    assert "answers 404" in missing.err
    assert "--format" in unnamed.err
    assert "--mapping" in columns.err
    assert "private network" in private.err
    assert "TAGLOOM_SOURCE_SCHEMES" in off.err
    assert "TAGLOOM_SECRET_MAIN__CRM" in secret.err
    assert "sesame" not in missing.err + opening.err


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    for arguments in ((tmp_path / "none.csv",), (tmp_path,)):
        assert run("import", *arguments, "--data", tmp_path).code == 2
    file = write(tmp_path / "a.csv", "user,tag\n")
    said = run("import", file, "--data", tmp_path, "--secret", "crm")
    assert (said.code, "--secret" in said.err) == (2, True)
