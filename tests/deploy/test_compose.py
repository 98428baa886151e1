"""The compose file, read by the real tool, and a server with the environment that it gives."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.deploy.containers import read_instructions
from tests.deploy.first_contact import set_up, sign_in, wait_until_ready
from tests.deploy.paths import DEPLOY
from tests.deploy.serving import TAGLOOM, running
from tests.ports import free_port
from tests.postgres import Server

COMPOSE = Path(sys.executable).with_name("docker-compose")
PASSWORD = "of @the: database/"


def config(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """What the tool makes of the file with such an environment, in a folder without other settings."""
    program = (str(COMPOSE), "--file", str(DEPLOY / "compose.yaml"), "--project-directory", str(folder))
    return subprocess.run(
        (*program, "config", "--format", "json"),
        env={"PATH": os.defpath, "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    """The services by name."""
    done = config(tmp_path, POSTGRES_PASSWORD=PASSWORD)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_no_service_starts_without_a_password_of_the_operator(tmp_path: Path) -> None:
    done = config(tmp_path)
    assert done.returncode != 0
    assert "Write POSTGRES_PASSWORD=… into the file .env." in done.stderr


def test_the_password_may_come_from_the_file_env(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=secret\n", encoding="utf-8")
    done = config(tmp_path)
    assert json.loads(done.stdout)["services"]["database"]["environment"]["POSTGRES_PASSWORD"] == "secret"


def test_every_service_has_a_read_only_root_and_no_rights(services: dict[str, Any]) -> None:
    assert set(services) == {"tagloom", "database"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service.get("user") not in ("root", "0")
        assert "privileged" not in service


def test_the_server_waits_for_the_database_and_is_published_on_this_machine_only(services: dict[str, Any]) -> None:
    assert services["tagloom"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["database"]["healthcheck"]["test"][1] == "pg_isready"
    assert "ports" not in services["database"]
    assert [port["host_ip"] for port in services["tagloom"]["ports"]] == ["127.0.0.1"]


def test_data_lies_in_the_volumes_of_the_images(services: dict[str, Any]) -> None:
    known = dict(read_instructions(DEPLOY / "Containerfile"))
    mounted = {name: [each["target"] for each in service["volumes"]] for name, service in services.items()}
    assert mounted == {"tagloom": [known["VOLUME"]], "database": ["/var/lib/postgresql/data"]}
    assert {each["type"] for service in services.values() for each in service["volumes"]} == {"volume"}


def test_the_bitmaps_fit_into_the_memory_limit(services: dict[str, Any]) -> None:
    service = services["tagloom"]
    assert int(service["environment"]["TAGLOOM_INDEX_BYTES"]) * 3 <= int(service["mem_limit"])


@pytest.fixture
def guarded() -> Iterator[Server]:
    """A PostgreSQL that asks for the password."""
    server = Server()
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE tagloom")
            connection.execute(psycopg.sql.SQL("ALTER ROLE tagloom PASSWORD {}").format(PASSWORD))
        (server.folder / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        server.run("pg_ctl", "reload", "--pgdata", server.folder / "data")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url("tagloom"))
        yield server
    finally:
        server.stop()


@pytest.mark.slow
def test_a_server_with_this_environment_is_set_up_on_the_database(
    services: dict[str, Any], guarded: Server, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = services["tagloom"]["environment"]
    address = environ["TAGLOOM_DATABASE_URL"]
    environ |= {
        "TAGLOOM_DATABASE_URL": address.replace("database:5432", f"127.0.0.1:{guarded.port}"),
        "TAGLOOM_PUBLIC_URL": url,
        "TAGLOOM_UPLOADS": str(tmp_path / "uploads"),
    }
    log = tmp_path / "log"
    with log.open("wb") as output, running((TAGLOOM, "serve", "--port", str(port)), output, environ):
        wait_until_ready(url)
        with httpx.Client(base_url=url, headers={"Origin": url}, timeout=30) as browser:
            set_up(browser, log.read_text(encoding="utf-8"))
            sign_in(browser)
