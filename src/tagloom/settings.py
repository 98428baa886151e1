"""What the operator sets, read from the environment once. The only module that reads it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from tagloom import limits, problems

DATABASE_FILE = "tagloom.sqlite"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data lies, how much memory its index may take, and how much is logged."""

    database: Path
    index_bytes_max: int = limits.INDEX_BYTES_DEFAULT
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def read_settings(data: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a data directory, or of TAGLOOM_DATABASE_URL when none is named.

    Raises:
        ParameterInvalid: neither is given, the URL is of no known store, or another setting is not one.
    """
    size = environ.get("TAGLOOM_INDEX_BYTES", str(limits.INDEX_BYTES_DEFAULT))
    if not size.isdigit():
        raise problems.ParameterInvalid(f"TAGLOOM_INDEX_BYTES must be a whole number of bytes, not '{size}'.")
    level = environ.get("TAGLOOM_LOG_LEVEL", "info")
    match level:
        case "debug" | "info" | "warning" | "error":
            return Settings(database=_database(data, environ), index_bytes_max=int(size), log_level=level)
    raise problems.ParameterInvalid(f"TAGLOOM_LOG_LEVEL is debug, info, warning or error, not '{level}'.")


def read_token(environ: Mapping[str, str] = os.environ) -> str | None:
    """The access token for a server, from TAGLOOM_TOKEN; None when it is not set or empty."""
    return environ.get("TAGLOOM_TOKEN") or None


def _database(data: Path | None, environ: Mapping[str, str]) -> Path:
    if data is not None:
        return data / DATABASE_FILE
    url = environ.get("TAGLOOM_DATABASE_URL")
    if url is None:
        raise problems.ParameterInvalid("Name the data directory with --data, or set TAGLOOM_DATABASE_URL.")
    if not url.startswith("sqlite:///"):
        raise problems.ParameterInvalid(f"TAGLOOM_DATABASE_URL must begin with sqlite:///, not '{url.split(':')[0]}:'.")
    return Path(url.removeprefix("sqlite:///"))
