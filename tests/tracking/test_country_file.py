"""Country files: records of several makers, changes while the server runs, and files that are refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tagloom.base.problems import ParameterInvalid
from tagloom.bootstrap import open_installation
from tagloom.settings import Settings, read_settings
from tagloom.tracking import limits
from tagloom.tracking.client_context import Place
from tagloom.tracking.country_file import CountryFile
from tests.countries import AMERICA, IN_AMERICA, IN_GERMANY, IN_GERMANY_V6, NOWHERE, country_file


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (IN_GERMANY, Place("DE", "EU")),
        (IN_GERMANY_V6, Place("DE", "EU")),
        (IN_AMERICA, Place("US", "NA")),
        (NOWHERE, None),
        ("", None),
        ("localhost", None),
        ("192.0.2.7, 10.0.0.1", None),
    ],
)
def test_an_address_has_the_place_of_its_network(tmp_path: Path, address: str, place: Place | None) -> None:
    assert CountryFile(country_file(tmp_path / "countries.mmdb")).find(address) == place


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"country": {"iso_code": "DE"}}, Place("DE", None)),
        ({"continent": {"code": "EU"}}, Place(None, "EU")),
        (
            {"country": "Germany", "country_code": "DE", "continent": "Europe", "continent_code": "EU"},
            Place("DE", "EU"),
        ),
        ({"country": {"iso_code": "Germany"}, "continent": {"code": 3}}, None),
        ({"city": "Bonn"}, None),
    ],
)
def test_records_of_several_makers_are_read(tmp_path: Path, record: dict[str, Any], place: Place | None) -> None:
    file = country_file(tmp_path / "countries.mmdb", {"192.0.2.0/24": record, "198.51.100.0/24": AMERICA})

    assert CountryFile(file).find(IN_GERMANY) == place


def test_a_changed_file_is_opened_again_after_some_seconds(tmp_path: Path) -> None:
    now, path = Clock(), country_file(tmp_path / "countries.mmdb")
    file = CountryFile(path, now)
    assert file.find(IN_GERMANY) == Place("DE", "EU")
    country_file(path, {"192.0.2.0/24": AMERICA})

    assert file.find(IN_GERMANY) == Place("DE", "EU")
    now.seconds += limits.COUNTRY_FILE_SECONDS_UNSEEN_MAX
    assert file.find(IN_GERMANY) == Place("US", "NA")


@pytest.mark.usefixtures("debug_logs")
@pytest.mark.parametrize("content", [None, b"", b"no database", b"x" * 100_000])
def test_a_file_that_breaks_is_not_used_until_it_is_repaired(tmp_path: Path, content: bytes | None) -> None:
    now, path = Clock(), country_file(tmp_path / "countries.mmdb")
    file = CountryFile(path, now)
    file.open()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    with capture_logs() as logs:
        for _ in range(3):
            now.seconds += limits.COUNTRY_FILE_SECONDS_UNSEEN_MAX
            assert file.find(IN_GERMANY) == Place("DE", "EU")

    assert [each["event"] for each in logs] == ([] if content is None else ["tracking.country_file_unreadable"])
    country_file(path, {"192.0.2.0/24": AMERICA})
    now.seconds += limits.COUNTRY_FILE_SECONDS_UNSEEN_MAX
    assert file.find(IN_GERMANY) == Place("US", "NA")


def test_a_file_that_is_cut_off_in_place_does_not_end_the_process(tmp_path: Path) -> None:
    path = country_file(tmp_path / "countries.mmdb")
    file = CountryFile(path)
    file.open()
    with path.open("r+b") as opened:
        opened.truncate(0)

    assert file.find(IN_GERMANY) == Place("DE", "EU")


def test_a_server_does_not_start_with_a_broken_file_and_commands_do(tmp_path: Path) -> None:
    path, settings = tmp_path / "countries.mmdb", Settings(database=tmp_path / "tagloom.sqlite")
    open_installation(settings, create=True).close()
    settings = read_settings(tmp_path, {"TAGLOOM_COUNTRY_FILE": str(path)})

    for content, says in [(None, "No such file"), (b"no database", "no readable MMDB file"), (b"", "no readable MMDB")]:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ParameterInvalid, match=says) as raised:
            open_installation(settings, is_server=True)
        assert str(path) in raised.value.detail
    open_installation(settings).close()

    shutil.copy(country_file(tmp_path / "good.mmdb"), path)
    installation = open_installation(settings, is_server=True)
    assert installation.find_place(IN_AMERICA) == Place("US", "NA")
    installation.close()


def test_a_file_without_countries_is_refused(tmp_path: Path) -> None:
    file = country_file(tmp_path / "networks.mmdb", {"192.0.2.0/24": {"autonomous_system_number": 64_496}})

    with pytest.raises(ParameterInvalid, match="without countries"):
        CountryFile(file).open()


def test_without_a_file_no_address_has_a_place(tmp_path: Path) -> None:
    installation = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True, is_server=True)

    assert installation.find_place(IN_GERMANY) is None
    installation.close()
