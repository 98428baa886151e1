"""A data directory with an installation, and one that is served as well."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import Installation, open_installation
from tagloom.settings import read_settings
from tests.cli.running import ask
from tests.http.serving import serve
from tests.sqlite import new_database

_NUMBERS = count(1)
# The servers that tests fetch from are of this machine.
FETCHING = {"TAGLOOM_SOURCE_SCHEMES": "https,http,s3", "TAGLOOM_SOURCE_HOSTS": "localhost"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with an empty installation."""
    where = tmp_path / "data"
    new_database(where / "tagloom.sqlite")
    ask("init", "--data", where)
    return where


@dataclass(frozen=True)
class Twins:
    """One installation, opened as a directory and asked through a server."""

    data: Path
    url: str
    token: str
    installation: Installation

    def pair(self) -> list[tuple[str, ...]]:
        """The options that name two empty spaces: one for `--data`, one for `--url`."""
        access = Access(self.installation.control)
        spaces = [access.create_space("main", "Twin", f"twin-{next(_NUMBERS)}").id for _ in range(2)]
        return [
            ("--data", str(self.data), "--space", spaces[0]),
            ("--url", self.url, "--token", self.token, "--space", spaces[1]),
        ]


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """A server in a thread, and the directory that it serves."""
    data = tmp_path_factory.mktemp("served")
    schemes = f"{FETCHING['TAGLOOM_SOURCE_SCHEMES']},file"
    environ = {**FETCHING, "TAGLOOM_SOURCE_SCHEMES": schemes, "TAGLOOM_FILES_FOLDER": str(data / "files")}
    installation = open_installation(read_settings(data, environ), create=True)
    token = Access(installation.control).create_token("main", "tester", ("admin",), days=1)[1]
    for url in serve(installation):
        yield Twins(data, url, token, installation)
    installation.close()
