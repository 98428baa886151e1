"""Each thing that people come for, done as they would do it: a real browser, the real server, the telco customers.

A console of its own for each test, since they change what is in it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.console.serving import Role, Served, serving, signed_in


@pytest.fixture
def served(telco_data: Path, tmp_path: Path) -> Iterator[Served]:
    """A console of its own for each test, since they change what is in it."""
    shutil.copytree(telco_data, tmp_path / "data")
    with serving(tmp_path / "data") as served:
        yield served


@pytest.fixture
def visitors(served: Served) -> Iterator[Callable[[Role], httpx.Client]]:
    """Sessions in it."""
    with signed_in(served) as visitor:
        yield visitor
