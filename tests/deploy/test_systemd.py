"""The unit, read by systemd's own tools."""

import subprocess
from pathlib import Path

import pytest

from tagloom.base import limits as base_limits
from tagloom.engine import limits as engine_limits
from tagloom.settings import read_settings
from tests.deploy.paths import DEPLOY
from tests.deploy.serving import TAGLOOM, find_program, replaced

EXPOSURE_MAX = 15  # In tenths: 1.5 of 10.


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with the command of this machine, which systemd wants to find."""
    text = (DEPLOY / "tagloom.service").read_text(encoding="utf-8")
    file = tmp_path / "tagloom.service"
    file.write_text(replaced(text, {"/opt/tagloom/bin/tagloom": str(TAGLOOM)}), encoding="utf-8")
    return file


def analyze(*arguments: object) -> "subprocess.CompletedProcess[str]":
    program = [find_program("systemd-analyze"), *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


def settings_of(unit: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in unit.read_text(encoding="utf-8").splitlines() if "=" in line]
    return {name: value for name, _, value in lines if not name.startswith("#")}


def test_systemd_finds_no_fault_in_the_unit(unit: Path) -> None:
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_a_fault_where_there_is_one(unit: Path) -> None:
    unit.write_text(unit.read_text(encoding="utf-8").replace("ProtectSystem=strict", "ProtectSystem=always"))
    assert "Failed to parse protect system value" in analyze("verify", "--man=no", unit).stderr


def test_the_service_is_exposed_as_little_as_a_server_can_be(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_the_environment_is_understood() -> None:
    lines = (DEPLOY / "tagloom.env.example").read_text(encoding="utf-8").splitlines()
    environ = dict(line.lstrip("#").split("=", 1) for line in lines if line.lstrip("#").startswith("TAGLOOM_"))
    settings = read_settings(environ=environ)
    unit = settings_of(DEPLOY / "tagloom.service")
    state = Path("/var/lib") / unit["StateDirectory"]
    assert isinstance(settings.database, Path)
    assert settings.uploads is not None
    assert settings.database.parent == settings.uploads.parent == state == Path(unit["WorkingDirectory"])
    assert f"TMPDIR={state}" in unit["Environment"].split()
    assert settings.index_bytes_max == engine_limits.INDEX_BYTES_DEFAULT


def test_systemd_waits_longer_than_the_server_takes_to_stop() -> None:
    seconds = int(settings_of(DEPLOY / "tagloom.service")["TimeoutStopSec"].removesuffix("s"))
    assert seconds > base_limits.STOP_SECONDS_DEFAULT + base_limits.STOP_SECONDS_MORE_MAX
