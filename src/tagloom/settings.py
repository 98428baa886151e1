"""The settings of the operator, read once from environment variables. No other module reads them."""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.engine import limits as engine_limits
from tagloom.words.emails import MailServer
from tagloom.words.source_addresses import SCHEMES, SCHEMES_DEFAULT, Scheme

DATABASE_FILE = "tagloom.sqlite"
TracingProtocol: TypeAlias = Literal["http/protobuf", "grpc"]
_SECONDS_DIGITS_MAX = 6  # Eleven days.


class OidcSettings(msgspec.Struct, frozen=True):
    """The OpenID Connect provider of teammates, and the credentials of Tagloom there."""

    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Returns the fields without the secret, because settings are printed with errors."""
        return f"OidcSettings({self.issuer!r}, {self.client_id!r})"


class SecretVariables(msgspec.Struct, frozen=True):
    """The variables whose names begin with TAGLOOM_SECRET_, for the sources of syncs."""

    values: dict[str, str] = {}

    def __repr__(self) -> str:
        """Returns the names only."""
        return f"SecretVariables({sorted(self.values)})"


class PostgresUrl(msgspec.Struct, frozen=True):
    """The address of a PostgreSQL database as a URL of libpq: postgresql://user:password@host:port/database."""

    text: str

    def __repr__(self) -> str:
        """Returns the address without the password."""
        return f"PostgresUrl({self.place!r})"

    @property
    def place(self) -> str:
        """The host and the database, as they may be shown."""
        parts = urlsplit(self.text)
        return f"postgresql://{parts.hostname or 'local'}{parts.path}"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of an installation: its database, memory, log, network access and sign-in.

    `database` is SQLite's file, or PostgreSQL's address. `public_url` is the console's address as browsers see it,
    without a slash at its end.
    """

    database: Path | PostgresUrl
    uploads: Path | None = None
    secrets: SecretVariables = SecretVariables()
    secrets_folder: Path | None = None
    files_folder: Path | None = None
    mail: MailServer | None = None
    private_addresses: bool = False
    source_schemes: tuple[Scheme, ...] = SCHEMES_DEFAULT
    source_hosts: tuple[str, ...] = ()
    drain_seconds: int = 0
    stop_seconds: int = base_limits.STOP_SECONDS_DEFAULT
    index_bytes_max: int = engine_limits.INDEX_BYTES_DEFAULT
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    tracing: TracingProtocol | None = None
    public_url: str | None = None
    oidc: OidcSettings | None = None
    country_file: Path | None = None


def read_settings(data: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings. The database is in the directory `data`, or at TAGLOOM_DATABASE_URL if `data` is None.

    Raises:
        ParameterInvalid: there is neither, the URL is of no known store, or another setting is not valid.
    """
    size = environ.get("TAGLOOM_INDEX_BYTES", str(engine_limits.INDEX_BYTES_DEFAULT))
    if not size.isdigit():
        raise ParameterInvalid(f"TAGLOOM_INDEX_BYTES must be a whole number of bytes, not '{size}'.")
    level = environ.get("TAGLOOM_LOG_LEVEL", "info")
    match level:
        case "debug" | "info" | "warning" | "error":
            public_url = _public_url(environ)
            return Settings(
                database=_database(data, environ),
                uploads=Path(environ["TAGLOOM_UPLOADS"]) if environ.get("TAGLOOM_UPLOADS") else None,
                secrets=SecretVariables(
                    {name: value for name, value in environ.items() if name.startswith("TAGLOOM_SECRET_")}
                ),
                secrets_folder=_path(environ, "TAGLOOM_SECRETS_FOLDER"),
                files_folder=_path(environ, "TAGLOOM_FILES_FOLDER"),
                mail=_mail(environ),
                private_addresses=_flag(environ, "TAGLOOM_PRIVATE_ADDRESSES"),
                source_schemes=_schemes(environ),
                source_hosts=_list(environ, "TAGLOOM_SOURCE_HOSTS"),
                drain_seconds=_seconds(environ, "TAGLOOM_DRAIN_SECONDS", 0),
                stop_seconds=_seconds(environ, "TAGLOOM_STOP_SECONDS", base_limits.STOP_SECONDS_DEFAULT),
                index_bytes_max=int(size),
                log_level=level,
                tracing=_tracing(environ),
                trusted_proxies=_networks(environ, "TAGLOOM_TRUSTED_PROXIES"),
                public_url=public_url,
                oidc=_oidc(environ, public_url),
                country_file=_path(environ, "TAGLOOM_COUNTRY_FILE"),
            )
    raise ParameterInvalid(f"TAGLOOM_LOG_LEVEL is debug, info, warning or error, not '{level}'.")


def read_token(environ: Mapping[str, str] = os.environ) -> str | None:
    """Returns the access token for a server from TAGLOOM_TOKEN, or None if it is not set or empty."""
    return environ.get("TAGLOOM_TOKEN") or None


def _public_url(environ: Mapping[str, str]) -> str | None:
    text = environ.get("TAGLOOM_PUBLIC_URL")
    if not text:
        return None
    parts = _url("TAGLOOM_PUBLIC_URL", text)
    if parts.path not in ("", "/"):
        raise ParameterInvalid(f"TAGLOOM_PUBLIC_URL names a host of its own, without a path; not '{text}'.")
    return f"{parts.scheme}://{parts.netloc}"


def _oidc(environ: Mapping[str, str], public_url: str | None) -> OidcSettings | None:
    names = ("TAGLOOM_OIDC_ISSUER", "TAGLOOM_OIDC_CLIENT_ID", "TAGLOOM_OIDC_CLIENT_SECRET")
    issuer, client_id, client_secret = (environ.get(name, "") for name in names)
    if not (issuer or client_id or client_secret):
        return None
    missing = [name for name in names if not environ.get(name)] + ([] if public_url else ["TAGLOOM_PUBLIC_URL"])
    if missing:
        raise ParameterInvalid(f"OpenID Connect needs {' and '.join(missing)} too.")
    parts = _url("TAGLOOM_OIDC_ISSUER", issuer)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        # Whoever can change the answers of the provider can sign in as anybody.
        raise ParameterInvalid(f"TAGLOOM_OIDC_ISSUER begins with https://, not '{issuer}'.")
    return OidcSettings(issuer, client_id, client_secret)


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _seconds(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _SECONDS_DIGITS_MAX):
        raise ParameterInvalid(f"{name} must be a whole number of seconds, not '{printable(text)}'.")
    return int(text)


def _tracing(environ: Mapping[str, str]) -> TracingProtocol | None:
    """Returns the protocol for spans from OpenTelemetry's variables, or None. Its packages read the other variables."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    places = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if not any(environ.get(name) for name in places) and environ.get("OTEL_TRACES_EXPORTER") != "otlp":
        return None
    protocols = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    named = next((environ[name] for name in protocols if environ.get(name)), "http/protobuf")
    match named:
        case "http/protobuf" | "grpc":
            return named
    raise ParameterInvalid(f"Spans are sent by http/protobuf or grpc, not by '{printable(named)}'.")


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "no")
    if text not in ("yes", "no"):
        raise ParameterInvalid(f"{name} must be yes or no, not '{printable(text)}'.")
    return text == "yes"


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(each.strip().lower() for each in environ.get(name, "").split(",") if each.strip())


def _networks(environ: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    found = list[IPv4Network | IPv6Network]()
    for text in _list(environ, name):
        try:
            found.append(ip_network(text, strict=False))
        except ValueError as error:
            raise ParameterInvalid(
                f"{name} has addresses and networks such as 10.0.0.0/8, by commas; not '{printable(text)}'."
            ) from error
    return tuple(found)


def _schemes(environ: Mapping[str, str]) -> tuple[Scheme, ...]:
    """Returns the schemes of addresses that may be fetched. An empty variable allows none."""
    if "TAGLOOM_SOURCE_SCHEMES" not in environ:
        return SCHEMES_DEFAULT
    named = _list(environ, "TAGLOOM_SOURCE_SCHEMES")
    unknown = [each for each in named if each not in SCHEMES]
    if unknown:
        raise ParameterInvalid(
            f"TAGLOOM_SOURCE_SCHEMES has some of {', '.join(SCHEMES)}, not '{printable(unknown[0])}'."
        )
    return tuple(scheme for scheme in SCHEMES if scheme in named)


def _mail(environ: Mapping[str, str]) -> MailServer | None:
    url, sender = environ.get("TAGLOOM_SMTP_URL"), environ.get("TAGLOOM_MAIL_FROM")
    if url is None and sender is None:
        return None
    if not url or not sender:
        raise ParameterInvalid("TAGLOOM_SMTP_URL and TAGLOOM_MAIL_FROM belong together.")
    if not url.startswith(("smtp://", "smtps://")):
        # The message does not repeat the URL, because it may contain a password.
        raise ParameterInvalid("TAGLOOM_SMTP_URL must begin with smtp:// or smtps://.")
    return MailServer(url, sender)


def _url(name: str, text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        is_plain = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        is_plain = is_plain and parts.username is None and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain:
        raise ParameterInvalid(f"{name} is an address such as https://tags.example.com, not '{text}'.")
    return parts


def _database(data: Path | None, environ: Mapping[str, str]) -> Path | PostgresUrl:
    if data is not None:
        return data / DATABASE_FILE
    url = environ.get("TAGLOOM_DATABASE_URL")
    if url is None:
        raise ParameterInvalid("Name the data directory with --data, or set TAGLOOM_DATABASE_URL.")
    return parse_database_url(url, "TAGLOOM_DATABASE_URL")


def parse_database_url(url: str, name: str) -> Path | PostgresUrl:
    """Returns the database that a URL names; `name` is its setting or option. Raises: ParameterInvalid."""
    if url.startswith(("postgresql://", "postgres://")):
        return PostgresUrl(url)
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    # The message has only the scheme, because the rest may contain a password.
    raise ParameterInvalid(
        f"{name} must begin with sqlite:/// or postgresql://, not '{printable(url.split(':')[0])}:'."
    )
