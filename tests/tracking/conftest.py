"""The libraries of other projects that are tried against a server."""

import shutil
import subprocess
from pathlib import Path

import pytest

LIBRARIES = Path(__file__).parent / "libraries"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the scripts with the libraries that they import."""
    folder = tmp_path_factory.mktemp("libraries") / "libraries"
    shutil.copytree(LIBRARIES, folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(("npm", "ci", "--silent"), cwd=folder, check=True, timeout=300)
    return folder
