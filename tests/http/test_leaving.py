"""What nobody waits for any more is ended, and its place is free."""

import json
import select
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.secrets import Secrets
from tagloom.syncs import limits
from tagloom.words.tenants import Organization
from tests.http.serving import ORGANIZATION, MemoryInstallation, Served, serve

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def looking(tmp_path: Path) -> Iterator[Served]:
    """A server whose organization has the secret of a database."""
    sqlite3.connect(tmp_path / "crm.sqlite").execute("CREATE TABLE customer (id TEXT)").close()
    installation = MemoryInstallation()
    installation.egress_policy = EgressPolicy(
        secrets=Secrets(None, {"TAGLOOM_SECRET_MAIN__CRM": f"sqlite:///{tmp_path}/crm.sqlite"})
    )
    installation.control.put_organization(Organization(ORGANIZATION, "Main"))
    access = Access(installation.control)
    token = access.create_token(ORGANIZATION, "tester", ["admin"], days=1)[1]
    for url in serve(installation):
        yield Served(url, installation, access, token)


def test_a_look_at_a_source_ends_when_its_caller_leaves(looking: Served) -> None:
    path = f"/v2/spaces/{looking.new_space()}/environments/production/mappings/proposals/source"
    host, port = looking.url.removeprefix("http://").split(":")

    def source(query: str) -> dict[str, Any]:
        return {"source": {"type": "sql", "secret": "crm", "query": query}}

    body = json.dumps(source(ENDLESS)).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {looking.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"

    def ask() -> socket.socket:
        connection = socket.create_connection((host, int(port)))
        connection.sendall(head.encode() + body)
        return connection

    with looking.http() as client:
        asking = [ask() for _ in range(limits.BEGINNINGS_PER_ORGANIZATION_MAX)]
        while client.post(path, json=source("SELECT id FROM customer")).status_code != 503:
            # A question that found no place beside the one above was answered; it is asked again.
            for connection in select.select(asking, [], [], 0.02)[0]:
                connection.close()
                asking[asking.index(connection)] = ask()
        for connection in asking:
            connection.close()
        # They would go on for as long as a look may take.
        until = time.monotonic() + limits.BEGINNING_SECONDS_MAX / 2
        while client.post(path, json=source("SELECT id FROM customer")).status_code == 503:
            assert time.monotonic() < until, "a query outlives whoever asked for it"
            time.sleep(0.05)
