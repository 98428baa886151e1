"""The packages that `make wheel` builds run in a clean environment outside of the repository."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
VERSIONS = ("3.11", "3.12", "3.13")
PATIENCE_SECONDS = 60


def find_interpreters() -> list[Path]:
    """Returns one interpreter of each supported version that this machine has: the running one, then others."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {running: Path(sys.base_prefix) / "bin" / f"python{running}"}
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        candidates = [shutil.which(f"python{version}"), *sorted(map(str, root.glob(f"{version}.*/bin/python")))]
        for candidate in filter(None, candidates):
            asked = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            answer = subprocess.run(asked, capture_output=True, text=True, check=False)
            if answer.returncode == 0 and answer.stdout.strip() == version:
                found.setdefault(version, Path(candidate))
    return list(found.values())


def run(*arguments: object, cwd: Path, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(list(map(str, arguments)), cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels of the server and of the client, each built from its source archive."""
    dist = tmp_path_factory.mktemp("dist")
    for package in (ROOT / "client", ROOT):
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, package, cwd=ROOT)
    found = sorted(dist.glob("*.whl"))
    assert [wheel.name.partition("-")[0] for wheel in found] == ["tagloom", "tagloom_client"]
    return found


@pytest.fixture
def clean_environ() -> dict[str, str]:
    """This process's environment without what points into the repository."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "TAGLOOM"))
    }


@pytest.fixture(params=find_interpreters(), ids=str)
def tagloom(request: pytest.FixtureRequest, wheels: list[Path], tmp_path: Path, clean_environ: dict[str, str]) -> Path:
    """The command of a fresh environment that holds the locked packages and the two wheels."""
    place = tmp_path / "environment"
    run(UV, "venv", "--quiet", "--python", request.param, place, cwd=tmp_path)
    environ = {**clean_environ, "VIRTUAL_ENV": str(place)}
    locked = ("--require-hashes", "--requirement", ROOT / "requirements.lock")
    run(UV, "pip", "install", "--quiet", *locked, cwd=tmp_path, environ=environ)
    run(UV, "pip", "install", "--quiet", "--no-deps", *wheels, cwd=tmp_path, environ=environ)
    # What the wheels declare is all there: nothing of the tests' environment is needed.
    run(UV, "pip", "check", cwd=tmp_path, environ=environ)
    return place / "bin" / "tagloom"


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def demo_url(tagloom: Path, tmp_path: Path, clean_environ: dict[str, str], free_port: int) -> Iterator[str]:
    """A served demonstration, made by the installed command in a folder that is not the repository."""
    data = tmp_path / "data"
    said = run(tagloom, "demo", "--data", data, "--no-serve", cwd=tmp_path, environ=clean_environ)
    assert "at-risk" in said
    assert f"tagloom serve --data {data}" in said
    serving = subprocess.Popen(
        [tagloom, "serve", "--data", data, "--port", str(free_port)], cwd=tmp_path, env=clean_environ
    )
    url = f"http://127.0.0.1:{free_port}"
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_ready(url):
            assert serving.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server was never ready"
            time.sleep(0.05)
        yield url
    finally:
        serving.terminate()
        serving.wait(PATIENCE_SECONDS)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_an_installed_wheel_serves_the_demonstration_its_console_and_the_api_reference(demo_url: str) -> None:
    for address in ("/sign-in", "/docs"):
        page = httpx.get(f"{demo_url}{address}", follow_redirects=True)
        assert page.status_code == 200
        assets = [part.partition('"')[0] for part in page.text.split('"/assets/')[1:]]
        assert {name.rpartition(".")[2] for name in assets} >= {"css", "js"}
        for name in assets:
            assert httpx.get(f"{demo_url}/assets/{name}").status_code == 200, name


def test_a_package_without_the_consoles_assets_is_not_built(tmp_path: Path) -> None:
    copied = tmp_path / "repository"
    names = ("pyproject.toml", "hatch_build.py", "LICENSE", "README.md")
    for name in names:
        copied.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copied / name)
    shutil.copytree(
        ROOT / "src", copied / "src", ignore=shutil.ignore_patterns("static", "node_modules", "__pycache__")
    )
    shutil.copytree(ROOT / "examples", copied / "examples")

    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, copied],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "the console's assets are not built. Run 'make assets' first" in done.stdout + done.stderr
