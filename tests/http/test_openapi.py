"""The description of the API: whole and true."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.http.framework.addresses import ORGANIZATION, SPACE, E
from tagloom.http.routes import ROUTES
from tagloom.words.tenants import Organization, Space
from tagloom_client import Tagloom, rules
from tests.http.serving import INSTALLATIONS, serve
from tests.profiles import is_deep

HERE = Path(__file__).parent
GUIDE = HERE.parent.parent / "docs" / "reference" / "api.md"
EXAMPLES = 12


def test_the_description_has_every_route_with_its_scopes(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()

    described = {
        (method.upper(), path, tuple(operation.get("x-scopes", ())))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert described == {(each.method, each.path, each.scopes or ()) for each in ROUTES}
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))


def test_every_reference_in_the_description_leads_somewhere(http: httpx.Client) -> None:
    answer = http.get("/openapi.json")
    schemas = answer.json()["components"]["schemas"]

    named = {each.split('"')[0] for each in answer.text.split("#/components/schemas/")[1:]}

    assert named <= schemas.keys()
    assert schemas.keys() - {"Problem"} <= named | {"TaggingLine"}


def test_the_guide_names_every_endpoint() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for route in ROUTES:
        path = route.path
        for short, long in (("E", E), ("S", SPACE), ("O", ORGANIZATION)):
            path = path.replace(long, short)
        if "visitors" not in path:
            assert f"`{route.method} {path}`" in text


def bring_what_examples_name(url: str, token: str) -> str:
    """Brings the people, tags, tribes and definitions that the examples name; returns the id of an import."""
    with Tagloom(url, token) as client:
        client.add_tag("sports/football", user="u1")
        client.put_attribute("plan", "text")
        client.create_tribe("Football fans", rules.tag("sports/football"), flag="servers")
        columns = [{"type": "value", "column": "plan", "branch": "plan"}]
        client.put_mapping("crm", {"user": "id", "prefix": "crm", "columns": columns})
        client.create_sync("crm", {"source": {"type": "push"}, "mapping": "crm", "prefix": "crm"})
        client.create_event_source("web", "Web shop")
        return client.create_import(b"user,tag\nu1,a\n", format="csv").id


@pytest.mark.slow
@pytest.mark.hypothesis
def test_an_attack_by_the_description_finds_nothing(tmp_path: Path) -> None:
    # Coverage sends 68,000 requests, each a step beyond one limit of the description.
    phases = "examples,coverage,fuzzing" if is_deep() else "examples,fuzzing"
    installation = INSTALLATIONS["memory"](tmp_path)
    installation.control.put_organization(Organization("main", "Main"))
    installation.control.put_space(Space("main", "main", "Main"))
    token = Access(installation.control).create_token("main", "attacker", ["admin"], days=1)[1]
    for url in serve(installation, wait_seconds=0.01):
        brought = bring_what_examples_name(url, token)
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", f"--config-file={HERE / 'schemathesis.toml'}"),
                *("--no-color", "run", f"{url}/openapi.json", f"--phases={phases}"),
                *(f"--max-examples={EXAMPLES}", "--seed=1"),
            ],
            cwd=tmp_path,
            env={**os.environ, "TAGLOOM_TOKEN": token, "TAGLOOM_IMPORT": brought},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
