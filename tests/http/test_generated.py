"""A client that a public generator makes of the OpenAPI document compiles, and does what the guides do."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tagloom.accounts.access_tokens import Access
from tests.http.serving import INSTALLATIONS, serve

SOURCE = Path(__file__).resolve().parent / "typescript"
OPTIONAL = "--default-non-nullable=false"
COMPILER = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--outDir", "out", "use.ts")


def run(*arguments: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        arguments, cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_generated_typescript_client_tags_counts_and_decides(tmp_path: Path) -> None:
    installation = INSTALLATIONS["sqlite"](tmp_path / "data")
    token = Access(installation.control).create_token("main", "generated", ["admin"], days=1)[1]
    folder = tmp_path / "client"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    run("npm", "ci", "--silent", cwd=folder)
    for url in serve(installation):
        (folder / "openapi.json").write_bytes(httpx.get(f"{url}/openapi.json").content)
        # A field with a default may be left out of a body.
        run("npx", "openapi-typescript", "openapi.json", "--output", "schema.d.ts", OPTIONAL, cwd=folder)
        run("npx", "tsc", *COMPILER, cwd=folder)
        said = run("node", "out/use.js", cwd=folder, TAGLOOM_URL=url, TAGLOOM_TOKEN=token, TAGLOOM_SPACE="main")
    installation.close()

    assert json.loads(said) == {
        "added": 2,
        "tribe": "gold-members",
        "count": [1, 2],
        "tribes": ["gold-members"],
        "because": ["tier/gold", "percent"],
        "mobile": True,
        "asked": ["context"],
        "events": [["ad/clicked", {"ad": 7}]],
        "rejected": ["tag-has-capital"],
    }
