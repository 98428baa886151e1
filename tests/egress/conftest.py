"""Servers to fetch from, and what a server that fetches allows."""

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs
from moto.server import ThreadedMotoServer

from tagloom.egress.policy import EgressPolicy
from tagloom.egress.remotes import Remotes
from tagloom.egress.secrets import Secrets, variable_of
from tagloom.words.source_addresses import SCHEMES, Remote
from tests.egress.places import Web, new_certificate, web

Allowed = Callable[..., Remotes]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine, and its key."""
    return new_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Web]:
    """A server over TLS."""
    with web(certificate) as found:
        yield found


@pytest.fixture
def plain() -> Iterator[Web]:
    """A server without TLS, at 127.0.0.1."""
    with web(host="127.0.0.1") as found:
        yield found


@pytest.fixture
def allowed(certificate: tuple[Path, Path], tmp_path: Path) -> Allowed:
    """Makes what fetches, for a server that allows this much; secrets are JSON values by their name.

    It trusts the certificate of `secure`, or with `tls=None` the certificates that the machine trusts.
    """
    trusting = ssl.create_default_context(cafile=str(certificate[0]))

    def make(
        *,
        secrets: dict[str, object] | None = None,
        tls: ssl.SSLContext | None = trusting,
        **egress_policy: object,
    ) -> Remotes:
        held = {variable_of("main", name): json.dumps(value) for name, value in (secrets or {}).items()}
        settings = {"hosts": ("localhost",), "schemes": SCHEMES, "files": tmp_path / "files", **egress_policy}
        return Remotes(EgressPolicy(secrets=Secrets(None, held), **settings), tls)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def s3() -> Iterator[s3fs.S3FileSystem]:
    """A bucket `exports` of moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    filesystem = s3fs.S3FileSystem(key="ada", secret="sesame", endpoint_url=url, skip_instance_cache=True)
    filesystem.mkdir("exports")
    try:
        yield filesystem
    finally:
        server.stop()


def fetched(remotes: Remotes, url: str, secret: str | None = None) -> bytes:
    """The bytes at an address."""
    with remotes.open("main", Remote(url=url, secret=secret)) as opened:
        return b"".join(opened.chunks)
