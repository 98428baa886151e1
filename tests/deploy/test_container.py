"""The Containerfile builds an image whose server runs with a read-only root and no rights of its own."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.containers import Container, Image, build, read_instructions
from tests.deploy.paths import DEPLOY
from tests.postgres import may_mount

needs_root = pytest.mark.skipif(not may_mount(), reason="only root makes an overlay")
HADOLINT = Path(sys.executable).with_name("hadolint")
URL = "http://127.0.0.1:8321"
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image that the Containerfile makes."""
    return build(DEPLOY / "Containerfile", tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def container(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container of it, on an empty volume."""
    folder = tmp_path_factory.mktemp("container")
    container = Container(image, folder / "volume", folder / "log", TAGLOOM_PUBLIC_URL=URL)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not container.is_healthy():
            assert container.process.poll() is None, container.log()
            assert time.monotonic() < deadline, container.log()
            time.sleep(0.2)
        yield container
    finally:
        assert container.stop() == 0, container.log()


@needs_root
@pytest.mark.slow
def test_an_administrator_gets_from_an_empty_volume_to_the_console(container: Container) -> None:
    container.visit("tests.deploy.first_contact", URL, container.log())


@needs_root
@pytest.mark.slow
def test_commands_in_the_container_use_the_volume_without_options(container: Container) -> None:
    made = container.run("tagloom", "token", "create", "--scopes", "decisions")
    assert made.returncode == 0, made.stderr
    assert "tagloom_" in made.stdout
    assert container.run("tagloom", "check").stdout == "ok\n"


@needs_root
@pytest.mark.slow
def test_the_server_cannot_write_outside_of_its_volume(container: Container) -> None:
    for folder in ("/", "/tmp", "/opt/tagloom", "/var/tmp"):
        refused = container.run("python", "-c", f"open('{folder}/file', 'w')")
        assert "Read-only file system" in refused.stderr, folder
    placed = container.run("python", "-c", "import tempfile; print(tempfile.gettempdir())")
    assert placed.stdout == "/data\n"


@needs_root
@pytest.mark.slow
def test_the_server_has_no_capabilities_and_is_not_root(container: Container) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{container.process.pid}/status").read_text().splitlines()
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Groups"].strip() == ""
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {0}


@needs_root
@pytest.mark.slow
def test_nothing_in_the_image_can_be_changed_by_the_server_but_the_volume(image: Image) -> None:
    places = [place for place in (image.files / "opt").rglob("*") if not place.is_symlink()]
    assert len(places) > 1_000
    assert {place.stat().st_uid for place in places} == {0}
    assert [place for place in places if place.stat().st_mode & stat.S_IWOTH] == []
    data = (image.files / "data").stat()
    assert (data.st_uid, stat.S_IMODE(data.st_mode)) == (10_001, 0o750)


@needs_root
@pytest.mark.slow
def test_the_health_check_fails_when_nothing_answers(image: Image) -> None:
    environ = {"PATH": os.defpath}
    program = ("unshare", "--net", sys.executable, *image.health_check[1:])
    assert subprocess.run(program, env=environ, capture_output=True, check=False, timeout=60).returncode != 0


def test_every_base_image_has_a_version() -> None:
    bases = [rest.partition(" AS ")[0] for name, rest in read_instructions(DEPLOY / "Containerfile") if name == "FROM"]
    assert bases
    for base in bases:
        name, _, version = base.partition(":")
        assert "/" not in name
        assert version[:1].isdigit(), base


def test_the_linter_of_containerfiles_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, DEPLOY / "Containerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
