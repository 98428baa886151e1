"""Real servers, and real proxies in front of them, with the files of deploy/."""

import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from tests.deploy.first_contact import PATIENCE_SECONDS, wait_until_ready
from tests.deploy.paths import DEPLOY
from tests.ports import free_port

TAGLOOM = Path(sys.executable).with_name("tagloom")
HOST = "tags.example.com"
HERE = "127.0.0.2"  # Where the tests call from, so that a caller is another machine than the proxy.
ENVIRONMENT = "/v2/spaces/main/environments/production"

ProxyName = Literal["nginx", "caddy"]


def find_program(name: str) -> str:
    """The path of a program that the tests need. Raises: FileNotFoundError."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"The tests need {name}; on Debian: apt-get install {name}")
    return found


@dataclass(frozen=True)
class Served:
    """A server and what it printed; `url` is its own address, `public_url` that of the proxy in front of it."""

    url: str
    public_url: str
    data: Path
    log: Path

    def printed(self) -> str:
        """What it printed so far."""
        return self.log.read_text(encoding="utf-8")

    def token(self) -> str:
        """A new access token with every scope."""
        program = (TAGLOOM, "token", "create", "--data", self.data, "--scopes", "admin", "--json")
        done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
        return str(httpx.Response(200, text=done.stdout).json()["token"])


@contextmanager
def serving(folder: Path, public_url: str, environ: Mapping[str, str]) -> Iterator[Served]:
    """A server behind a proxy of this machine."""
    port = free_port()
    served = Served(f"http://127.0.0.1:{port}", public_url, folder / "data", folder / "tagloom.log")
    program = (TAGLOOM, "serve", "--data", served.data, "--port", str(port))
    with served.log.open("wb") as log, running(program, log, environ):
        wait_until_ready(served.url)
        yield served


@contextmanager
def running(
    program: tuple[object, ...], log: object, environ: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends with the block."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("TAGLOOM_")}
    process = subprocess.Popen(
        list(map(str, program)),
        env=known | dict(environ or {}),
        stdout=log,  # type: ignore[call-overload]  # A file of either kind.
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@dataclass(frozen=True)
class Certificate:
    """A certificate for `localhost`, which its own key signed."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Believes this certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))


def make_certificate(folder: Path) -> Certificate:
    """Makes one."""
    made = Certificate(folder / "fullchain.pem", folder / "privkey.pem")
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    kind = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    program = (find_program("openssl"), *kind, *subject, "-keyout", made.key, "-out", made.certificate)
    subprocess.run(program, check=True, capture_output=True, timeout=60)
    return made


def replaced(text: str, replacements: Mapping[str, str]) -> str:
    """The text with each piece replaced; a piece that is not there is a mistake of the test."""
    for old, new in replacements.items():
        assert old in text, f"'{old}' is not in the file"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Proxy:
    """A configuration of deploy/ as this machine can run it, and how."""

    port: int
    check: tuple[str, ...]
    program: tuple[str, ...]
    environ: Mapping[str, str]


def nginx(folder: Path, tagloom: str, port: int, plain_port: int, made: Certificate) -> Proxy:
    """nginx with deploy/nginx.conf, at other ports and with other certificates."""
    site = folder / "tagloom.conf"
    site.write_text(
        replaced(
            (DEPLOY / "nginx.conf").read_text(encoding="utf-8"),
            {
                HOST + ";": "localhost;",
                "127.0.0.1:8321;": f"{tagloom};",
                "listen 80;": f"listen 127.0.0.1:{plain_port};",
                "listen [::]:80;": "",
                "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
                "listen [::]:443 ssl http2;": "",
                f"/etc/ssl/{HOST}/fullchain.pem": str(made.certificate),
                f"/etc/ssl/{HOST}/privkey.pem": str(made.key),
            },
        ),
        encoding="utf-8",
    )
    kept = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    main = folder / "nginx.conf"
    main.write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log stderr warn;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{kept}include {site};\n}}\n",
        encoding="utf-8",
    )
    program = (find_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(main))
    return Proxy(port, (*program, "-t"), program, {})


def caddy(folder: Path, tagloom: str, port: int, plain_port: int, made: Certificate) -> Proxy:
    """Caddy with deploy/Caddyfile, at another port and with another certificate."""
    file = folder / "Caddyfile"
    text = replaced(
        (DEPLOY / "Caddyfile").read_text(encoding="utf-8"),
        {
            HOST + " {": f"https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {made.certificate} {made.key}\n",
            "127.0.0.1:8321": tagloom,
        },
    )
    options = f"\tadmin off\n\tgrace_period 1s\n\thttp_port {plain_port}\n"
    file.write_text(f"{{\n{options}}}\n{text}", encoding="utf-8")
    named = ("--config", str(file), "--adapter", "caddyfile")
    program = find_program("caddy")
    environ = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return Proxy(port, (program, "validate", *named), (program, "run", *named), environ)


PROXIES = {"nginx": nginx, "caddy": caddy}


@contextmanager
def proxied(name: ProxyName, folder: Path) -> Iterator[tuple[Served, Certificate, int]]:
    """A server behind a proxy, its certificate, and the port of the proxy for plain HTTP."""
    port, plain_port, made = free_port(), free_port(), make_certificate(folder)
    public_url = f"https://localhost:{port}"
    environ = {"TAGLOOM_PUBLIC_URL": public_url, "TAGLOOM_TRUSTED_PROXIES": "127.0.0.1"}
    with serving(folder, public_url, environ) as served:
        proxy = PROXIES[name](folder, served.url.removeprefix("http://"), port, plain_port, made)
        checked = subprocess.run(
            proxy.check, env=os.environ | proxy.environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "[warn]" not in checked.stderr, checked.stderr
        with (folder / "proxy.log").open("wb") as log, running(proxy.program, log, proxy.environ):
            _wait_until_listening(public_url, made)
            yield served, made, plain_port


def _wait_until_listening(url: str, made: Certificate) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with httpx.Client(verify=made.context()) as client:
        while True:
            try:
                client.get(f"{url}/healthz")
                return
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the proxy does not listen"
                time.sleep(0.05)
